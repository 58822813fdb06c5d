import { optionsOf, parseOptions } from './options.js';
import { isSecret, pathsIn, writing } from './paths.js';
import type { Invocation } from './setting.js';
import { type Changer, changer } from './tools/changers.js';
import type { Value } from './words.js';

/** The far side of a copy: what scp, rsync, sftp and git run on the host. True when it was one. */
export function transfers({ name, values, draft }: Invocation): boolean {
  const text = values.map((value) => value.text);
  if (name === 'scp' && text.some((one) => /^-[a-z]*[tf]/.test(one))) {
    const parsed = parseOptions(values, optionsOf('tfrpdvqE'));
    draft.effect('transfer', text.some((one) => /^-[a-z]*t/.test(one)) ? 'write' : 'read');
    if (typeof parsed === 'string') draft.unknown(parsed);
    else if (parsed.operands.some(({ known }) => !known)) draft.unknown(LATER);
    else
      for (const operand of parsed.operands)
        draft.resource('file', operand.text, draft.has('write') ? 'write' : 'read');
    return true;
  }
  if (name === 'rsync' && text[0] === '--server') {
    draft.effect('transfer', text.includes('--sender') ? 'read' : 'write');
    if (text.some((one) => /^--(?:delete|remove-s)/.test(one))) draft.effect('destroy');
    const odd = text.find((one) =>
      /^--(?:daemon|config|rsh|rsync-path|log-file|write-b|only-w|read-b|early|dparam|compare-prog|password|files-from)/.test(
        one,
      ),
    );
    if (odd !== undefined) draft.unknown(`has the option ${odd.slice(0, 40)}, by which it may do more than copy`);
    else if (values.some(({ known }) => !known)) draft.unknown(LATER);
    else
      for (const operand of text.slice(1).filter((one) => !one.startsWith('-') && one !== '.'))
        draft.resource('file', operand, draft.has('write') ? 'write' : 'read');
    return true;
  }
  if (/^git-(?:upload-pack|receive-pack|upload-archive)$/.test(name)) {
    draft.effect('transfer', name === 'git-receive-pack' ? 'write' : 'read');
    if (values.length !== 1 || !values[0]?.known || values[0].text.startsWith('-'))
      draft.unknown('has arguments that are not those of a copy');
    else draft.resource('file', values[0].text, name === 'git-receive-pack' ? 'write' : 'read');
    return true;
  }
  if (name === 'sftp-server' || name === 'internal-sftp') {
    draft.effect('transfer', 'read', 'write');
    return true;
  }
  return false;
}

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
  else if (known.effects.includes('egress')) hosts(invocation, operands);
  else files(invocation, known, operands);
  if (name === 'ln' && values.some(({ text }) => /^-[a-zA-Z]*f|^--f/.test(text))) draft.effect('destroy');
  return true;
}

function files({ draft, setting }: Invocation, { access, effects, last }: Changer, operands: readonly Value[]): void {
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

/** Where to: what looks like an address, a host, or `user@host:path`. */
function hosts({ draft }: Invocation, operands: readonly Value[]): void {
  for (const { text, known } of operands) {
    const host = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^@/\s]*@)?([A-Za-z0-9.-]+|\[[0-9a-f:]+\])(?::|\/|$)/i.exec(text)?.[1];
    if (known && host !== undefined) draft.resource('host', host.toLowerCase(), 'execute');
  }
}
