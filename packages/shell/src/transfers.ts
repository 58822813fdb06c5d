/**
 * The far side of a copy: what scp, rsync, sftp and git run on the host. Owns what a copy to or from a path can do. Does not own
 * the near side, a copy that starts on the host (changes.ts, tools/git.ts).
 */
import type { Effect } from '@sluice/contract';
import { optionsOf, parseOptions } from './options.js';
import { holdsSecrets, isSecret, writing } from './paths.js';
import type { ActionDraft, Invocation } from './setting.js';
import type { WordValue } from './words.js';

/** What the client of sftp asks for comes later, in packets that are not read: any file may be read, replaced or removed. */
export const SFTP_EFFECTS: readonly Effect[] = ['transfer', 'read', 'write', 'destroy', 'secret'];
export const SFTP_UNKNOWN = 'may read, write and remove any file, which is not looked at';

/** True when it was the far side of a copy. */
export function transfers(invocation: Invocation): boolean {
  const { name, values, draft } = invocation;
  const words = values.map(({ text }) => text);
  if (name === 'scp' && words.some((one) => /^-[a-z]*[tf]/.test(one))) scp(invocation, words);
  else if (name === 'rsync' && words[0] === '--server') rsync(invocation, words);
  else if (/^git-(?:upload-pack|receive-pack|upload-archive)$/.test(name)) git(invocation);
  else if (name === 'sftp-server' || name === 'internal-sftp') draft.effect(...SFTP_EFFECTS).unknown(SFTP_UNKNOWN);
  else return false;
  return true;
}

function scp(invocation: Invocation, words: readonly string[]): void {
  const { values, draft } = invocation;
  const writes = words.some((one) => /^-[a-z]*t/.test(one));
  begin(draft, writes);
  const parsed = parseOptions(values, optionsOf('tfrpdvqE'));
  if (typeof parsed === 'string') draft.unknown(parsed);
  else copies(invocation, parsed.operands, writes);
}

/** Options by which the far side of rsync does more than copy. */
const RSYNC_MORE =
  /^--(?:daemon|config|rsh|rsync-path|log-file|write-b|only-w|read-b|early|dparam|compare-prog|password|files-from)/;

function rsync(invocation: Invocation, words: readonly string[]): void {
  const { values, draft, setting } = invocation;
  const writes = !words.includes('--sender');
  begin(draft, writes);
  if (words.some((one) => /^--(?:delete|remove-s)/.test(one))) draft.effect('destroy');
  const odd = words.find((one) => RSYNC_MORE.test(one));
  if (odd !== undefined) draft.unknown(`has the option ${odd.slice(0, 40)}, by which it may do more than copy`);
  // Folders for what is put aside, and to compare with.
  for (const [at, one] of words.entries()) {
    const [, name = '', given] = /^--([a-z-]+)(?:=(.*))?$/s.exec(one) ?? [];
    if (writes && given !== undefined) draft.effect(...writing(given, false, setting.folders));
    // What is as it is there is taken from there, and its sender may say that it is.
    const basis = /^(?:copy|link)-d/.test(name) ? (given ?? words[at + 1]) : undefined;
    if (basis !== undefined && (isSecret(basis, false, setting.folders) || holdsSecrets(basis, setting.folders)))
      draft.effect('secret');
  }
  // A dot stands before the paths, of which one may be a dot as well, and behind values of options.
  const named = values.slice(1).filter(({ text }) => !text.startsWith('-'));
  const dot = named.findIndex(({ text }) => text === '.');
  if (dot >= 0) named.splice(dot, 1);
  if (named.length <= dot || named.length === 0 || words.some((one) => SECLUDED.test(one)))
    draft.unknown('is told its paths and options when it runs, which is not looked at (rsync -s)');
  copies(invocation, named, writes);
}

/** Behind the letter `e` are words of the protocol. */
const SECLUDED = /^-(?!-)[^e]*s|^--(?:secluded|protect)/;

function git({ name, values, draft }: Invocation): void {
  const writes = name === 'git-receive-pack';
  // Which branches are moved, and whether that loses something, is in the stream.
  begin(draft, writes);
  const [first] = values;
  if (values.length !== 1 || !first?.known || first.text.startsWith('-'))
    draft.unknown('has arguments that are not those of a copy');
  else draft.resource('file', first.text, writes ? 'write' : 'read');
}

/** Like `cp`, what is written to replaces what was there. */
const begin = (draft: ActionDraft, writes: boolean): void =>
  void draft.effect('transfer', ...(writes ? (['write', 'destroy'] as const) : (['read'] as const)));

/** What `cp` to or from these paths would be. Below a folder the client chooses the names. */
function copies({ draft, setting }: Invocation, paths: readonly WordValue[], writes: boolean): void {
  for (const { text, known, glob } of paths) {
    if (!known) draft.unknown('has arguments that are only known when it runs');
    if (isSecret(text, glob, setting.folders)) draft.effect('secret');
    if (writes) {
      draft.effect(...writing(text, true, setting.folders));
      if (isLogin(text)) draft.effect('grant', 'execute');
    } else if (holdsSecrets(text, setting.folders)) draft.effect('secret');
    draft.resource('file', text, writes ? 'write' : 'read');
  }
}

/** A folder with files that let somebody in or run at a login: a home, what is above it, `.ssh`, `/etc`. */
const isLogin = (path: string): boolean => holdsSecrets(path) || /(?:^|\/)\.ssh\/?$/.test(path);
