/** What commands of git do. Pure. */
import type { Effect } from '@sluice/contract';
import { maybeOption } from '../options.js';
import type { WordValue } from '../words.js';

/**
 * What a command of git does (git 2.39). Reading commands are listed with the options that keep them so: others run a
 * pager, an editor, a filter or a helper, write a file, or connect.
 */
const COMMON =
  /^(?:-[1-9]\d*|-(?:n|U|C|M)\d*|-[pqsvzabcilLtrwe]|--(?:oneline|graph|all|stat|shortstat|numstat|summary|name-only|name-status|cached|staged|porcelain(?:=v?[12])?|short|branch|branches|tags|decorate(?:=\w+)?|no-decorate|patch|no-patch|reverse|merges|no-merges|first-parent|follow|abbrev-commit|abbrev(?:=\d+)?|no-color|color(?:=\w+)?|word-diff|minimal|check|ignored|untracked-files(?:=\w+)?|date=[\w:%-]+|format=.*|pretty=.*|since=.*|until=.*|after=.*|before=.*|author=.*|committer=.*|grep=.*|max-count=\d+|skip=\d+|show-current|show-toplevel|git-dir|is-inside-work-tree|verify|quiet|symbolic-full-name|abbrev-ref|long|dirty|always|exact-match|others|modified|deleted|exclude-standard|full-name|count|left-right|merge-base|is-ancestor|ignore-case|line-number|word-regexp|files-with-matches|extended-regexp|fixed-strings|no-textconv|no-ext-diff|list|get|get-all|get-regexp|show-origin|global|local|system|contains=?.*|merged|no-merged|points-at=.*|sort=[\w:-]+|relative|root|raw|topo-order|date-order|ignore-space-change|ignore-all-space|stdin|help|version|exit-code|no-index))$/;

const READING = new Map<string, RegExp>(
  'status log diff show shortlog blame annotate rev-parse rev-list ls-files ls-tree describe name-rev merge-base reflog whatchanged for-each-ref show-ref version diff-tree show-branch'
    .split(' ')
    .map((name) => [name, COMMON]),
)
  .set('cat-file', /^-[ptse]$/)
  .set('count-objects', /^-[vH]+$/)
  .set('check-ignore', /^-[vqn]$/)
  .set('cherry', /^-v$/)
  .set(
    'grep',
    /^-(?:[nilwEFPhHcrv]+|[ABC]\d+|e)$|^--(?:line-number|ignore-case|files-with-matches|count|cached|untracked)$/,
  );

/** First words of commands that read although the command can do more. */
const PARTLY: readonly (readonly [command: string, rest: RegExp])[] = [
  [
    'branch',
    /^(?: -(?:a|r|v|vv|l|av|avv|rv)| --(?:all|remotes|list|show-current|verbose|merged|no-merged|contains|sort=[\w:-]+|format=\S+))*$/,
  ],
  ['branch', /^ (?:--list|-l|--contains|--merged|--no-merged) [\w./*-]+$/],
  ['tag', /^(?: -(?:l|n\d*)| --(?:list|sort=[\w:-]+))*$/],
  ['tag', /^ (?:-l|--list) [\w./*-]+$/],
  ['remote', /^(?: -v| get-url [\w-]+)?$/],
  ['stash', /^ (?:list|show)(?: -p| --stat)?(?: stash@\{\d+\})?$/],
  ['worktree', /^ list(?: --porcelain)?$/],
  ['submodule', /^ status$/],
  [
    'config',
    /^(?: --(?:global|local|system|show-origin))*(?: (?:--list|-l|--get|--get-all|--get-regexp)(?: [\w.-]+)?)$/,
  ],
  ['config', /^(?: --(?:global|local|system))*(?: [\w-]+\.[\w.-]+)$/],
  ['notes', /^ (?:list|show)$/],
  ['bisect', /^ (?:log)$/],
  ['symbolic-ref', /^(?: --short)? HEAD$/],
];

const CHANGING = new Map<string, readonly Effect[]>([
  ['add', ['write']],
  ['commit', ['write', 'execute']],
  ['fetch', ['write', 'egress']],
  ['pull', ['write', 'egress', 'execute']],
  ['clone', ['write', 'egress', 'execute']],
  ['reset', ['write', 'destroy']],
  ['clean', ['destroy']],
  ['rm', ['destroy']],
  ['checkout', ['write', 'destroy', 'execute']],
  ['restore', ['write', 'destroy']],
  ['switch', ['write', 'execute']],
  ['branch', ['write', 'destroy']],
  ['tag', ['write', 'destroy']],
  ['stash', ['write', 'destroy']],
  ['merge', ['write', 'execute']],
  ['rebase', ['write', 'destroy', 'execute']],
  ['gc', ['destroy']],
  ['prune', ['destroy']],
  ['init', ['write']],
  ['mv', ['write']],
  ['config', ['write', 'execute']],
  ['update-ref', ['write', 'destroy']],
  ['reflog', ['destroy']],
  ['remote', ['write', 'egress']],
  ['worktree', ['write', 'destroy']],
  ['ls-remote', ['egress']],
]);

export interface GitCommand {
  readonly verb: string;
  readonly effects: readonly Effect[];
  readonly unknown?: string;
}

export function gitCommand(values: readonly WordValue[], pagerRuns: boolean): GitCommand {
  let at = 0;
  let paged = pagerRuns;
  for (; at < values.length; at++) {
    const { text, known } = values[at] as WordValue;
    if (!known) break;
    if (text === '--no-pager') paged = false;
    else if (text === '-C' && values[at + 1]?.known) at++;
    else if (text !== '--no-optional-locks' && text !== '--literal-pathspecs') break;
  }
  const command = values[at];
  if (!command?.known || command.glob)
    return { verb: 'git', effects: ['execute'], unknown: 'runs a command of git that is only known when it runs' };
  const name = command.text;
  const rest = values.slice(at + 1);
  if (name.startsWith('-'))
    return name === '--version' || name === '--help'
      ? { verb: 'git', effects: ['read'] }
      : {
          verb: 'git',
          effects: ['execute'],
          unknown: `has the option ${name.slice(0, 40)}, which can make git run something`,
        };
  const verb = `git ${name}`;
  if (name === 'upload-pack' || name === 'upload-archive') return { verb, effects: ['transfer', 'read'] };
  if (name === 'receive-pack') return { verb, effects: ['transfer', 'write', 'destroy'] };
  if (reads(name, rest)) {
    if (paged) return { verb, effects: ['read'], unknown: 'opens a pager in a terminal, which can run commands' };
    return { verb, effects: ['read'] };
  }
  const effects = name === 'push' ? pushEffects(rest) : CHANGING.get(name);
  const odd = rest.find(
    ({ text, known }) =>
      !known ||
      /^(?:-[cixX]$|-[cu].|--(?:exec|upload-pack|receive-pack|template|config|ext-diff|textconv|output|open-files-in-pager|strategy|editor|edit))/.test(
        text,
      ),
  );
  if (!effects) return { verb, effects: ['execute'], unknown: 'is not one of the commands of git that are known' };
  if (odd || rest.some(({ text }) => /^ext::|^-[^-]*[cx]/.test(text) && name !== 'commit'))
    return { verb, effects, unknown: 'has options that can make git run something' };
  return { verb, effects };
}

const PUSH_SAFE =
  /^(?:-[uqvnq46]+|--(?:set-upstream|quiet|verbose|dry-run|porcelain|progress|no-progress|atomic|no-verify|follow-tags|tags|all|branches|thin|no-thin))$/;

/**
 * Without force a push only adds to what is there, or fails. Whatever could be a forced one is taken for it: an option that is
 * not listed, `+ref`, `:ref`, and what is only known when it runs.
 */
function pushEffects(rest: readonly WordValue[]): readonly Effect[] {
  const adds = rest.every(
    ({ text, known, glob }) => known && !glob && (text.startsWith('-') ? PUSH_SAFE.test(text) : !/^[+:]|^$/.test(text)),
  );
  return adds ? ['egress', 'transfer'] : ['egress', 'transfer', 'destroy'];
}

function reads(name: string, rest: readonly WordValue[]): boolean {
  const line = rest.map(({ text }) => ` ${text}`).join('');
  if (rest.every(({ known }) => known) && PARTLY.some(([command, pattern]) => command === name && pattern.test(line)))
    return true;
  const options = READING.get(name);
  if (!options || (name === 'reflog' && /^ (?:expire|delete)/.test(line))) return false;
  let operands = false;
  return rest.every((value) => {
    if (value.text === '--' && value.known) operands = true;
    if (operands) return true;
    if (maybeOption(value) && !(value.known && !value.glob)) return false;
    if (!value.known) return true;
    return !value.text.startsWith('-') || options.test(value.text);
  });
}
