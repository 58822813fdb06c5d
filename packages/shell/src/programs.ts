/**
 * A program and its arguments to an action. Owns: in which order the tables are asked. Does not: have the tables
 * (shell/src/tools). Pure.
 */
import { holdsSecrets, isSecret, pathsIn } from './paths.js';
import { type ParsedOptions, maybeOption, parseOptions } from './options.js';
import { type Collector, ActionDraft, type Invocation, type Setting, lineOf } from './setting.js';
import { special } from './special.js';
import { changes } from './changes.js';
import { transfers } from './transfers.js';
import { changingPhrase, readingPhrase, secretPhrase } from './tools/phrases.js';
import { gitCommand } from './tools/git.js';
import { type ToolReader, asksVersion, reader } from './tools/readers.js';
import { suspicious } from './variables.js';
import type { WordValue } from './words.js';
import { wraps } from './wrappers.js';

/** A program and its arguments, wherever they were found: an action for it, and for what it runs in turn. */
export function runs(
  program: WordValue,
  values: readonly WordValue[],
  setting: Setting,
  collector: Collector,
  begun?: ActionDraft,
): void {
  const name = nameOf(program);
  const verb = name === undefined ? 'unknown' : verbOf(name, values);
  const draft = begun?.verb === verb ? begun : new ActionDraft(verb);
  if (begun && begun !== draft) copy(begun, draft, setting);
  if (name === undefined) draft.effect('execute').unknown(whyNot(program));
  else if (setting.nested > MAX_DEPTH) draft.unknown('runs programs that run programs, too deep to follow');
  else {
    draft.resource('program', name, 'execute');
    const invocation: Invocation = { name, values, setting, draft, collector };
    // What it runs comes behind it.
    const later: Invocation['collector'] = {
      push: (action) => inner.push(action),
      script: (...one) => scripts.push(one),
    };
    const inner: Parameters<Collector['push']>[0][] = [];
    const scripts: Parameters<Collector['script']>[] = [];
    decide({ ...invocation, collector: later });
    collector.push(draft.action(setting.statement, setting.depth));
    for (const action of inner) collector.push(action);
    for (const script of scripts) collector.script(...script);
    return;
  }
  collector.push(draft.action(setting.statement, setting.depth));
}

const MAX_DEPTH = 8;

function copy(from: ActionDraft, to: ActionDraft, { statement, depth }: Setting): void {
  if (from.empty) return;
  const { effects, resources, reasons } = from.action(statement, depth);
  to.effect(...effects);
  for (const { type, name, access } of resources) to.resource(type, name, access);
  for (const reason of reasons) to.unknown(reason);
}

/** Where programs of the system are; the same name elsewhere is another program. */
const SYSTEM = /^(?:\/usr)?\/s?bin\/([^/]+)$/;

function nameOf({ text, known, glob }: WordValue): string | undefined {
  if (!known || glob || text === '') return undefined;
  const name = SYSTEM.exec(text)?.[1] ?? text;
  return name.includes('/') || !/^[\x21-\x7e]+$/.test(name) ? undefined : name;
}

const whyNot = ({ text, known, glob }: WordValue): string =>
  !known || glob
    ? 'runs a program whose name is only known when it runs'
    : `runs ${text.slice(0, 100) || 'a program without a name'}, which is not known`;

function verbOf(name: string, values: readonly WordValue[]): string {
  const lower = name.toLowerCase().slice(0, 100);
  if (!COMPOSED.has(lower)) return lower;
  const command = values.find(({ text }) => !text.startsWith('-'));
  return command?.known && /^[\w-]{1,40}$/.test(command.text) ? `${lower} ${command.text.toLowerCase()}` : lower;
}

/** Programs that are known by their command. */
const COMPOSED = new Set(
  'git docker podman kubectl systemctl apt apt-get yum dnf npm pip pip3 helm service'.split(' '),
);

function decide(invocation: Invocation): void {
  const { name, values, draft, setting } = invocation;
  const line = lineOf(values);
  if (
    line !== undefined &&
    asksVersion(
      name,
      values.map(({ text }) => text),
    )
  )
    return void draft.effect('read');
  if (transfers(invocation) || wraps(invocation) || special(invocation)) return;
  if (line !== undefined && readingPhrase(name, line)) {
    draft.effect('read');
    if (secretPhrase(name, line)) draft.effect('secret');
    if (setting.terminal && !setting.piped && PAGERS.has(name) && !line.includes('--no-pager')) draft.unknown(PAGES);
    return;
  }
  if (name === 'git') {
    if (values.some(({ text, glob }) => pathsIn(text).some((path) => isSecret(path, glob, setting.folders))))
      draft.effect('secret');
    if (line !== undefined && GIT_CONFIG.test(line) && values.some(({ text }) => SECRET_SETTING.test(text)))
      draft.effect('secret');
    const { effects, unknown } = gitCommand(values, setting.terminal && !setting.piped);
    draft.effect(...effects);
    if (unknown !== undefined) draft.unknown(unknown);
    return;
  }
  const known = reader(name);
  const doubt = known && onlyReads(known, invocation);
  if (known && doubt === undefined) return reads(known, invocation);
  if (!known && (name === 'less' || name === 'more')) {
    if (setting.terminal) draft.effect('execute').unknown(PAGES);
    return reads({ shows: 'contents' }, invocation);
  }
  const changed = line === undefined ? undefined : changingPhrase(name, line);
  if (changed) return void draft.effect(...changed);
  if (changes(invocation)) return;
  if (doubt !== undefined) draft.effect('read').unknown(doubt);
  else draft.effect('execute').unknown(`is not a program that is known here`);
}

const GIT_CONFIG = /^(?: -C \S+| -(?!C )\S+)* config(?: |$)/;
/** Headers that are sent, and passwords, are settings of git. */
const SECRET_SETTING = /^(?:--list|-l|--get-regexp|--get-urlmatch)$|extraheader|passw?|token|secret|credential|cookie/i;

/** What shows its output by a pager when there is a terminal. */
const PAGERS = new Set(['systemctl', 'journalctl', 'dpkg', 'apt', 'aws', 'helm']);
const PAGES = 'opens a pager in a terminal, which can run commands';

/** Why it might do more than read; undefined when it cannot. */
function onlyReads({ options, operands: most, operand }: ToolReader, { values }: Invocation): string | undefined {
  if (!options) return undefined;
  const parsed: ParsedOptions | string = parseOptions(values, options);
  if (typeof parsed === 'string') return parsed;
  const { operands } = parsed;
  if (most !== undefined && (operands.length > most || operands.some((value) => value.many || maybeOption(value))))
    return 'has more arguments than it reads';
  const odd =
    operand && operands.find(({ text, known }) => !operand.test(text) || (!known && operand.source.endsWith('$')));
  return odd
    ? `has the argument ${odd.text.slice(0, 40) || '(only known when it runs)'}, by which it may do more than read`
    : undefined;
}

/** A reading program: which files, and whether they are secret. */
export function reads({ shows }: ToolReader, { name, values, setting, draft }: Invocation): void {
  draft.effect('read');
  const recursive =
    RECURSIVE.has(name) &&
    ((name === 'rg' && values.some(({ text }) => /^-[a-zA-Z]*u|^--(?:hidden|no-ignore)/.test(text))) ||
      values.some(({ text }) => /^-[a-zA-Z]*[rR]|^--(?:dereference-)?recursive/.test(text)));
  if (recursive && !values.some(({ text }) => /^--include=\*\.\w+$/.test(text))) {
    const roots = values.filter(({ text }) => !text.startsWith('-'));
    if (
      roots.length === 0
        ? holdsSecrets('.', setting.folders)
        : roots.some(({ text }) => holdsSecrets(text, setting.folders))
    )
      draft.effect('secret');
  }
  for (const value of values) {
    if (shows === 'contents' && !value.known && !setting.named && !isData(value)) draft.unknown(LATER);
    for (const path of pathsIn(value.text)) {
      if ((shows === 'contents' || value.text.startsWith('-')) && isSecret(path, value.glob, setting.folders))
        draft.effect('secret');
    }
    if (!value.text.startsWith('-') && value.text !== '' && shows === 'contents')
      draft.resource('file', value.text, 'read');
  }
}

const LATER = 'reads a file whose name is only known when it runs';
const RECURSIVE = new Set(['grep', 'egrep', 'fgrep', 'rg', 'diff']);
/** The start says enough: an option that takes a number or a pattern, as in `head -n "$n"` written in one word. */
const isData = ({ text }: WordValue): boolean => /^-[nc][\d]*$|^--(?:lines|bytes)=/.test(text);

/** Assignments that some commands take as arguments: `export`, `local`, `declare`. */
export function declares({ name, values, draft }: Invocation): boolean {
  if (!DECLARING.has(name)) return false;
  draft.effect('session');
  if (
    values.every(({ text, known }) => known && /^[-+]/.test(text)) ||
    values.some(({ text }) => /^-[a-zA-Z]*p/.test(text))
  )
    draft.effect('read', 'secret');
  for (const { text, known } of values) {
    if (/^-[xrg]$/.test(text) || (known && /^[a-z_]\w*$/.test(text)) || text === '-p') continue;
    const [, variable] = /^([A-Za-z_]\w*)=/.exec(text) ?? [];
    const reason =
      variable === undefined
        ? 'declares something that is only known when it runs'
        : suspicious(variable, known ? text.slice(variable.length + 1) : undefined);
    if (reason !== undefined) draft.unknown(reason);
  }
  return true;
}
const DECLARING = new Set(['export', 'local', 'declare', 'typeset', 'readonly']);
