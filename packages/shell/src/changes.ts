/**
 * What programs that change something do with their arguments. Does not: which programs those are (tools/changers.ts). Pure.
 */
import { parseOptions } from './options.js';
import { isSecret, pathsIn, writing } from './paths.js';
import type { Invocation } from './setting.js';
import { type Changer, changer } from './tools/changers.js';
import type { WordValue } from './words.js';

const LATER = 'has arguments that are only known when it runs';

/** A program that changes something. True when it was one. */
export function changes(invocation: Invocation): boolean {
  const known = changer(invocation.name);
  if (!known) return false;
  const { name, values, draft, setting } = invocation;
  const operands = values.filter(({ text }) => !/^-./.test(text));
  const options = values.filter(({ text }) => /^-./.test(text));
  const careful =
    known.careful !== undefined &&
    options.some(({ text }) => /^-[a-zA-Z]*n|^--no-clobber$/.test(text)) &&
    options.every(({ text, known: whole }) => whole && known.careful?.test(text));
  if (values.some(({ text, glob }) => pathsIn(text).some((path) => isSecret(path, glob, setting.folders))))
    draft.effect('secret');
  draft.effect(...known.effects.filter((effect) => !careful || effect !== 'destroy'));
  if (known.unknown)
    draft.unknown(known.effects.includes('execute') ? 'runs what it is given' : 'can do more than this says');
  if (known.sure) {
    const parsed = parseOptions(values, known.sure);
    if (typeof parsed === 'string') draft.unknown(parsed);
  }
  if (values.some((value) => !value.known && (value.many || value.text === ''))) draft.unknown(LATER);
  if (name === 'dd') blocks(invocation);
  else if (name === 'curl' || name === 'wget') saves(invocation, operands);
  else if (name === 'scp' || name === 'rsync') fetches(invocation, operands);
  else if (known.effects.includes('egress')) hosts(invocation, operands);
  else files(invocation, known, operands);
  if (name === 'ln' && values.some(({ text }) => /^-[a-zA-Z]*f|^--f/.test(text))) draft.effect('destroy');
  return true;
}

function files(
  { draft, setting }: Invocation,
  { access, effects, last }: Changer,
  operands: readonly WordValue[],
): void {
  if (access === 'execute') return;
  for (const [at, { text }] of operands.entries()) {
    const written = !last || at === operands.length - 1;
    if (written && effects.includes('write'))
      for (const effect of writing(text, false, setting.folders)) if (effect !== 'write') draft.effect(effect);
    draft.resource('file', text, written ? access : 'read');
  }
}

function blocks({ values, draft, setting }: Invocation): void {
  for (const { text } of values) {
    const [, name, path = ''] = /^(if|of)=(.*)$/s.exec(text) ?? [];
    if (name === 'of') draft.effect(...writing(path, true, setting.folders));
    if (name !== undefined) draft.resource('file', path, name === 'of' ? 'write' : 'read');
  }
}

/** Short options of curl that take no value may stand before one that names a file. */
const CURL_FILE = /^-[fgijklnqsvILNRS#0-6]*([oODcJ])(.*)$/s;
const CURL_FILE_LONG =
  /^--(?:out|remote-n|remote-h|cookie-j|dump|trace|stderr|libcurl|hsts|alt-svc|etag-s)[a-z-]*(?:=(.*))?$/s;
const WGET_FILE = /^-[cdEFHkKLmNpqrSxv]*([Oao])(.*)$/s;
const WGET_FILE_LONG = /^--(?:output-d|output-f|append|save-c|warc|hsts-file)[a-z-]*(?:=(.*))?$/s;
/** With these wget overwrites what is there; without them it takes another name. */
const WGET_OVER = /^-[a-zA-Z]*[rNmc]|^--(?:rec|tim|mir|con)/;

/** What curl and wget write beside what they print. */
function saves(invocation: Invocation, operands: readonly WordValue[]): void {
  const { name, values, draft, setting } = invocation;
  hosts(invocation, operands);
  const [short, long] = name === 'curl' ? [CURL_FILE, CURL_FILE_LONG] : [WGET_FILE, WGET_FILE_LONG];
  let named = false;
  for (const [at, { text }] of values.entries()) {
    const letter = text.startsWith('--') ? undefined : short.exec(text);
    const given = letter ? letter[2] : long.exec(text)?.[1];
    if (!letter && !long.test(text)) continue;
    if (letter ? letter[1] === 'O' : text.startsWith('--output-d')) named = true;
    // The name comes from the address, or from the server.
    const isOwn = (name === 'curl' && (letter?.[1] === 'O' || letter?.[1] === 'J')) || text.startsWith('--remote');
    const path = isOwn ? undefined : given || values[at + 1]?.text;
    if (path === '-') continue;
    draft.effect(...(path === undefined ? (['write', 'destroy'] as const) : writing(path, true, setting.folders)));
    if (path !== undefined) draft.resource('file', path, 'write');
  }
  if (name !== 'wget' || values.some(({ text }) => text.startsWith('--spi'))) return;
  if (!named) draft.effect('write');
  if (values.some(({ text }) => WGET_OVER.test(text))) draft.effect('write', 'destroy');
}

/** A copy that starts here: its last operand is what it writes, unless that is on another host. */
function fetches(invocation: Invocation, operands: readonly WordValue[]): void {
  const { values, draft, setting } = invocation;
  hosts(invocation, operands);
  draft.effect('transfer');
  if (values.some(({ text }) => /^--(?:del|remove-s)/.test(text))) draft.effect('destroy');
  const last = operands.at(-1);
  if (!last || /^[^/]*:/.test(last.text)) return;
  draft.effect(...writing(last.text, true, setting.folders)).resource('file', last.text, 'write');
}

/** Where to: what looks like an address, a host, or `user@host:path`. */
function hosts({ draft }: Invocation, operands: readonly WordValue[]): void {
  for (const { text, known } of operands) {
    const host = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^@/\s]*@)?([A-Za-z0-9.-]+|\[[0-9a-f:]+\])(?::|\/|$)/i.exec(text)?.[1];
    if (known && host !== undefined) draft.resource('host', host.toLowerCase(), 'execute');
  }
}
