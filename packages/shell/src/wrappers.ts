/** Programs that run others: sudo, env, xargs, sh -c. Owns: where the inner command begins. Pure. */
import { optionsOf, parseOptions, type OptionTable } from './options.js';
import { isSecret, holdsSecrets, writing } from './paths.js';
import { runs } from './programs.js';
import { ANYTHING, ActionDraft, type ShellDialect, type Invocation, type Setting } from './setting.js';
import { suspicious } from './variables.js';
import type { WordValue } from './words.js';

/** Programs that run the program in their arguments. */
interface Wrapper {
  /** Options in front of the program. */
  readonly options: OptionTable;
  /** Arguments of its own in front of the program: `timeout 5 ls`. */
  readonly own: number;
  readonly effects: readonly ('read' | 'write' | 'execute')[];
}

const WRAPPERS = new Map<string, Wrapper>();
const add = (names: string, notation: string, own = 0, ...effects: Wrapper['effects']): void => {
  for (const name of names.split(' ')) WRAPPERS.set(name, { options: optionsOf(notation), own, effects });
};
add('nohup', '', 0, 'write');
add('nice', 'n: --adjustment=');
add('ionice', 'c:n:t --class= --classdata=');
add('time', 'pv');
add('timeout', 's:k:v --signal= --kill-after= --foreground --preserve-status', 1);
add('stdbuf', 'i:o:e: --input= --output= --error=');
add('setsid', 'wf --wait', 0, 'execute');
add('builtin', '');
add('exec', 'cl');
add('chronic ts-run caffeinate', '');
add('sudo', 'nEHbku:g: --user= --group= --non-interactive', 0, 'execute');
add('doas', 'nu:', 0, 'execute');
add('runuser', 'u:', 0, 'execute');
add('watch', 'n:dtbeg --interval= --differences --no-title');
add('xargs', '0rtn:L:P:d:s:x --null --no-run-if-empty --max-args= --max-procs= --delimiter= --verbose');

/** True when the invocation was one of a wrapper, and all that there is to say has been said. */
export function wraps(invocation: Invocation): boolean {
  const { name, values, draft } = invocation;
  if (SHELLS.has(name)) return shell(invocation, SHELLS.get(name) as ShellDialect);
  if (name === 'eval') return evaluated(invocation, values);
  if (name === 'trap') return trapped(invocation);
  if (name === 'env') return environment(invocation);
  if (name === 'find') return found(invocation);
  if (name === 'command') return commanded(invocation);
  const wrapper = WRAPPERS.get(name);
  if (!wrapper || (name === 'exec' && values.length === 0)) return false;
  draft.effect(...wrapper.effects);
  if (name === 'xargs') return appended(invocation, wrapper);
  const inner = innerOf(values, wrapper);
  if (typeof inner === 'string') draft.unknown(inner);
  else if (inner.length === 0 && name !== 'sudo') draft.unknown('runs nothing that can be seen');
  else if (inner.length === 0) draft.unknown('opens a shell of another account');
  else if (name === 'watch') watched(invocation, inner);
  else {
    // `sudo PATH=x ls`
    const program = inner.findIndex((value) => !(name === 'sudo' && value.known && /^\w+=/.test(value.text)));
    for (const { text } of inner.slice(0, program)) assigned(draft, text);
    within(invocation, inner.slice(program));
  }
  return true;
}

/** The arguments from the program on, or why that cannot be said. */
function innerOf(values: readonly WordValue[], { options, own }: Wrapper): readonly WordValue[] | string {
  const parsed = parseOptions(values, options, true);
  return typeof parsed === 'string' ? parsed : parsed.operands.slice(own);
}

function within({ setting, collector }: Invocation, words: readonly WordValue[], named = setting.named): void {
  const [first, ...rest] = words;
  runs(first ?? ANYTHING, rest, { ...setting, depth: setting.depth + 1, nested: setting.nested + 1, named }, collector);
}

const SHELLS = new Map<string, ShellDialect>([
  ['sh', 'sh'],
  ['dash', 'sh'],
  ['ash', 'sh'],
  ['bash', 'bash'],
]);
const SHELL_OPTIONS = optionsOf('clexun --login --norc --noprofile --posix');

/** `sh -c 'text' name arguments`: the text is one of ours; what it makes of its arguments is not. */
function shell({ values, setting, draft, collector }: Invocation, dialect: ShellDialect): boolean {
  const parsed = parseOptions(values, SHELL_OPTIONS, true);
  if (typeof parsed === 'string') draft.effect('execute').unknown(parsed);
  else if (!parsed.options.some(({ name }) => name === '-c'))
    draft.effect('execute').unknown('runs a shell on a script or on its input');
  else {
    const [text] = parsed.operands;
    if (!text?.known || text.glob) draft.effect('execute').unknown('runs a text that is only known when it runs');
    else collector.script(text.text, parsed.options.some(({ name }) => name === '--posix') ? 'sh' : dialect, setting);
  }
  return true;
}

function evaluated({ setting, draft, collector }: Invocation, words: readonly WordValue[]): boolean {
  if (words.some(({ known, glob }) => !known || glob))
    draft.effect('execute').unknown('runs a text that is only known when it runs');
  else collector.script(words.map(({ text }) => text).join(' '), setting.dialect, setting);
  return true;
}

function trapped(invocation: Invocation): boolean {
  const [text, ...signals] = invocation.values;
  if (
    text === undefined ||
    (text.known && (text.text === '-' || text.text === '' || signals.length === 0)) ||
    /^-[lp]/.test(text.text)
  )
    return false;
  return evaluated(invocation, [text]);
}

/** procps runs the line by `sh -c`, with its words joined. */
function watched({ setting, draft, collector }: Invocation, words: readonly WordValue[]): void {
  if (words.some(({ known, glob }) => !known || glob)) draft.unknown('runs a text that is only known when it runs');
  else collector.script(words.map(({ text }) => text).join(' '), 'sh', setting);
}

function assigned(draft: ActionDraft, text: string): void {
  const at = text.indexOf('=');
  const reason = suspicious(text.slice(0, at), text.slice(at + 1));
  if (reason !== undefined) draft.unknown(reason);
}

const ENV_OPTIONS = optionsOf('iu:0 --ignore-environment --unset= --null');

function environment(invocation: Invocation): boolean {
  const { values, draft } = invocation;
  const inner = innerOf(values, { options: ENV_OPTIONS, own: 0, effects: [] });
  if (typeof inner === 'string') {
    draft.unknown(inner);
    return true;
  }
  let at = 0;
  for (; at < inner.length && /^[\w.-]*=/.test((inner[at] as WordValue).text); at++) {
    const value = inner[at] as WordValue;
    assigned(draft, value.known ? value.text : `${value.text.slice(0, value.text.indexOf('='))}=\0`);
  }
  if (at < inner.length) within(invocation, inner.slice(at));
  else draft.effect('read', 'secret');
  return true;
}

/** `command -v name` says where it is; without it runs it. */
function commanded(invocation: Invocation): boolean {
  const { values, draft } = invocation;
  const [first, ...rest] = values;
  if (first?.known && /^-[vV]+$/.test(first.text)) draft.effect('read');
  else if (first?.known && (first.text === '-p' || first.text === '--')) within(invocation, rest);
  else if (first) within(invocation, values);
  return true;
}

/** Names that come from the input are added to the arguments. */
function appended(invocation: Invocation, wrapper: Wrapper): boolean {
  const { values, draft, setting } = invocation;
  const replaced = values.findIndex(({ text, known }) => known && text.startsWith('-I'));
  const mark = replaced < 0 ? undefined : values[replaced]?.text === '-I' ? values[replaced + 1] : values[replaced];
  const own = mark === undefined ? values : values.filter((_, at) => at !== replaced && values[at] !== mark);
  const inner = innerOf(own, wrapper);
  if (typeof inner === 'string' || (mark && !mark.known)) {
    draft.unknown(typeof inner === 'string' ? inner : 'has arguments that are only known when it runs');
    return true;
  }
  const [program = { text: 'echo', known: true, glob: false, many: false }, ...rest] = inner;
  if (mark === undefined) return (within(invocation, [program, ...rest, ANYTHING], setting.fed), true);
  const sign = mark.text.replace(/^-I/, '');
  const put = (value: WordValue): WordValue =>
    value.text.includes(sign)
      ? { text: value.text.slice(0, value.text.indexOf(sign)), known: false, glob: false, many: false }
      : value;
  within(invocation, [put(program), ...rest.map(put)], setting.fed);
  return true;
}

/** Tests and actions of find (findutils 4.9) that only look, by how many arguments they take. */
const FIND_ALONE = new Set(
  '-print -print0 -ls -prune -quit -empty -readable -writable -executable -daystart -depth -mount -xdev -follow -noleaf -not -a -and -o -or -true -false ! ( ) , -nouser -nogroup -H -L -P -d'.split(
    ' ',
  ),
);
const FIND_VALUED = new Set(
  '-name -iname -path -ipath -wholename -iwholename -regex -iregex -regextype -type -xtype -size -mtime -ctime -atime -mmin -cmin -amin -newer -anewer -cnewer -newermt -newerct -user -group -uid -gid -perm -links -inum -samefile -maxdepth -mindepth -printf -fstype -lname -ilname -used'.split(
    ' ',
  ),
);

function found(invocation: Invocation): boolean {
  const { values, draft, setting } = invocation;
  draft.effect('read');
  const roots: string[] = [];
  for (let at = 0; at < values.length; at++) {
    const { text, known, glob } = values[at] as WordValue;
    if (!known || (glob && /^[*?[]/.test(text))) {
      if (text !== '' && !/^[-!(*?[]/.test(text)) roots.push(text);
      else return (void draft.unknown('has arguments that are only known when it runs'), true);
    } else if (FIND_ALONE.has(text)) continue;
    else if (FIND_VALUED.has(text) || /^-newer[aBcm][aBcmt]$/.test(text)) {
      if (values[++at]?.many && !values[at]?.known)
        return (void draft.unknown('has arguments that are only known when it runs'), true);
    } else if (text === '-delete') {
      draft.effect('destroy');
      for (const root of roots.length > 0 ? roots : ['.']) draft.resource('file', root, 'destroy');
    } else if (/^-(?:exec|ok)(?:dir)?$/.test(text)) {
      let end = at + 1;
      while (
        end < values.length &&
        !(
          values[end]?.known &&
          (values[end]?.text === ';' || (values[end]?.text === '+' && values[end - 1]?.text === '{}'))
        )
      )
        end++;
      const named = !text.endsWith('dir') && looksElsewhere(values, roots, setting);
      const put = (value: WordValue): WordValue =>
        value.known && value.text.includes('{}')
          ? {
              text: value.text.slice(0, value.text.indexOf('{}')) || `${roots[0] ?? '.'}/`,
              known: false,
              glob: false,
              many: false,
            }
          : value;
      within(invocation, values.slice(at + 1, end).map(put), named);
      at = end;
    } else if (/^-f(?:print0?|printf|ls)$/.test(text)) {
      const file = values[++at];
      draft.effect(...writing(file?.text ?? '', true, setting.folders)).resource('file', file?.text ?? '', 'write');
      if (text === '-fprintf') at++;
      if (!file?.known) draft.unknown('writes a file whose name is only known when it runs');
    } else if (text.startsWith('-'))
      draft.unknown(`has the option ${text.slice(0, 40)}, which is not one of those known to read only`);
    else roots.push(text);
  }
  for (const root of roots) draft.resource('file', root, 'read');
  return true;
}

/** What find gives to others are no secrets: by where it looks, or by the ending that it looks for. */
export function looksElsewhere(values: readonly WordValue[], roots: readonly string[], { folders }: Setting): boolean {
  if (roots.some((root) => isSecret(root, true, folders))) return false;
  const named = values.some(
    ({ text, known }, at) =>
      known && /^\*\.\w+$/.test(text) && /^-i?name$/.test(values[at - 1]?.text ?? '') && !isSecret(text, true),
  );
  if (named && !values.some(({ text }) => text === '-o' || text === '-or')) return true;
  return !(roots.length === 0 ? ['.'] : roots).some((root) => holdsSecrets(root, folders));
}
