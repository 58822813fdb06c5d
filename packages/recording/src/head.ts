/** Heads: one signed line that says how far the journal is. Owns: format and file. Does not: when it is written (signer.ts). */
import { type KeyObject, randomBytes } from 'node:crypto';
import { readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fingerprintOf, hasMembers, readSigned, signedText } from './checkpoint.js';
import { codeOf } from './files.js';

/**
 * The head of a process's journal: how far it is signed, which is further than the last seal. It is one signed line in a file
 * of its own, written anew every few seconds, so that of a journal whose end was cut off only what came after the head can
 * be missing unseen. Whoever keeps a copy of one elsewhere can tell later whether the journal still holds what it says.
 */
export interface Head {
  readonly process: string;
  readonly segment: string;
  /** Records and bytes of that segment, and the hash of the last of them, or of the last one before the segment, hex. */
  readonly records: number;
  readonly bytes: number;
  readonly hash: string;
  /** SHA-256 of the last line of the checkpoint, hex; empty while there is none. */
  readonly line: string;
  /** When it was signed, ISO 8601. */
  readonly at: string;
  /** `closed`: the process ended in order, and nothing follows. */
  readonly state: 'open' | 'closed';
  /** Fingerprint of the key that the journal is signed with. */
  readonly key: string;
}

const SUFFIX = '.head';

export const headFile = (process: string): string => process + SUFFIX;

/** The process that a head belongs to; undefined for files that are none. */
export const headOwner = (name: string): string | undefined =>
  name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : undefined;

/** A head with the fingerprint of its key, and the file that holds it, made but not yet in place. */
export interface UnplacedHead {
  readonly head: Head;
  /** Its JSON, a tab, and the signature. */
  readonly line: string;
  /** Puts it in the place of the head before it, as a whole. */
  place(): void;
  discard(): void;
}

/** Signs a head and writes it to the disk, beside the one before it. */
export function draftHead(folder: string, key: KeyObject, head: Omit<Head, 'key'>): UnplacedHead {
  const { file, ...draft } = prepare(folder, key, head);
  try {
    writeFileSync(file, `${draft.line}\n`, OPTIONS);
  } catch (error) {
    // On a full disk each further try would leave another one.
    draft.discard();
    throw error;
  }
  return draft;
}

/** As `draftHead`, while others go on. */
export async function draftHeadLater(folder: string, key: KeyObject, head: Omit<Head, 'key'>): Promise<UnplacedHead> {
  const { file, ...draft } = prepare(folder, key, head);
  try {
    await writeFile(file, `${draft.line}\n`, OPTIONS);
  } catch (error) {
    draft.discard();
    throw error;
  }
  return draft;
}

/** Takes away the drafts that a process which was killed has left. Only for whoever writes the journal. */
export function discardDrafts(folder: string, process: string): void {
  const place = `${headFile(process)}.`;
  for (const name of readdirSync(folder))
    if (name.startsWith(place) && DRAFT.test(name)) rmSync(join(folder, name), { force: true });
}

const DRAFT = /\.head\.\d+-[0-9a-f]{8}\.new$/;

/** A loss of power must not leave an empty head. */
const OPTIONS = { mode: 0o600, flag: 'wx', flush: true } as const;

function prepare(folder: string, key: KeyObject, head: Omit<Head, 'key'>): UnplacedHead & { file: string } {
  const whole = { ...head, key: fingerprintOf(key) } satisfies Head;
  const place = join(folder, headFile(head.process));
  const file = `${place}.${process.pid}-${randomBytes(4).toString('hex')}.new`;
  return {
    head: whole,
    line: signedText(JSON.stringify(whole), key),
    file,
    place: () => renameSync(file, place),
    discard: () => rmSync(file, { force: true }),
  };
}

/** The head in a folder; `missing`, or `unsigned` when this key did not sign it. */
export function readHead(folder: string, process: string, key: KeyObject): Head | 'missing' | 'unsigned' {
  let line: string;
  try {
    line = readFileSync(join(folder, headFile(process)), 'utf8').trimEnd();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'missing';
    throw error;
  }
  const text = readSigned(line, key);
  const head = text === undefined ? undefined : parseHead(text);
  return head?.process === process ? head : 'unsigned';
}

/** A head from its JSON, with or without a signature behind a tab; undefined when it is none. */
export function parseHead(line: string): Head | undefined {
  try {
    const head: unknown = JSON.parse(line.split('\t')[0] ?? '');
    return isHead(head) ? head : undefined;
  } catch {
    return undefined;
  }
}

const MEMBERS = {
  process: 'string',
  segment: 'string',
  records: 'number',
  bytes: 'number',
  hash: 'string',
  line: 'string',
  at: 'string',
  state: 'string',
  key: 'string',
};

export const isHead = (head: unknown): head is Head => hasMembers(head, MEMBERS);
