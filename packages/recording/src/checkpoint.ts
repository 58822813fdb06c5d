/**
 * The signed list of sealed and removed segments. Owns: its format and its key. Does not: when a segment is sealed
 * (journal.ts).
 */
import {
  type KeyObject,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  sign,
  verify as verifySignature,
} from 'node:crypto';
import { closeSync, constants, existsSync, fdatasyncSync, ftruncateSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { JournalError } from './errors.js';
import { type Write, createWhole, writeAll } from './files.js';

/**
 * The checkpoint lists the sealed segments of one process, and those that were removed again: a line of JSON each, signed with
 * the gateway's Ed25519 key and carrying the hash of the line before it. Whoever keeps a copy of one line can later tell whether anything up to it was
 * changed, and needs only the public key for that.
 */
export interface Checkpoint {
  readonly segment: string;
  readonly records: number;
  readonly bytes: number;
  /** Hash of the last record, hex. */
  readonly hash: string;
  /** When it was sealed, ISO 8601. */
  readonly sealed: string;
  /** SHA-256 of the line before this one, hex; empty for the first. */
  readonly previous: string;
}

/** A line that says that a sealed segment was taken away because its time was over, and what went. */
export interface Removal {
  readonly removed: string;
  readonly records: number;
  readonly bytes: number;
  /** Hashes of its first and its last record, hex. */
  readonly first: string;
  readonly hash: string;
  /** When it was sealed, and when it was removed, ISO 8601. */
  readonly sealed: string;
  readonly at: string;
  readonly previous: string;
}

/** A line without the hash of the one before it, which is added when it is appended. */
export type NewLine = Omit<Checkpoint, 'previous'> | Omit<Removal, 'previous'>;

const KEY = 'journal.key';
const PUBLIC_KEY = 'journal.pub';
const SUFFIX = '.checkpoint';

/** The signing key of a journal folder, made at first use. The public half lies beside it for auditors. */
export function openKey(folder: string): KeyObject {
  const file = join(folder, KEY);
  if (!existsSync(file)) {
    createWhole(file, generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }));
  }
  const key = createPrivateKey(readFileSync(file));
  if (!existsSync(join(folder, PUBLIC_KEY))) {
    createWhole(join(folder, PUBLIC_KEY), createPublicKey(key).export({ type: 'spki', format: 'pem' }), 0o644);
  }
  return key;
}

/** How people tell keys apart: the SHA-256 of the public key (SubjectPublicKeyInfo), base64. */
export const fingerprintOf = (key: KeyObject): string => {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return `SHA256:${hash('sha256', publicKey.export({ type: 'spki', format: 'der' }), 'base64').replace(/=+$/, '')}`;
};

/** A text, a tab, and its signature in base64. */
export const signedText = (text: string, key: KeyObject): string =>
  `${text}\t${sign(null, Buffer.from(text), key).toString('base64')}`;

/** The text of what `signedText` made; undefined when it was not signed by this key. */
export function readSigned(line: string, key: KeyObject): string | undefined {
  const [text = '', signature = ''] = line.split('\t');
  return verifySignature(null, Buffer.from(text), key, canonical(signature)) ? text : undefined;
}

/** @throws JournalError when there is none. */
export function readPublicKey(folder: string): KeyObject {
  try {
    return createPublicKey(readFileSync(join(folder, PUBLIC_KEY)));
  } catch (cause) {
    throw new JournalError(`There is no public key at ${join(folder, PUBLIC_KEY)}.`, { cause });
  }
}

export const checkpointFile = (process: string): string => process + SUFFIX;

/** The process that a checkpoint file belongs to; undefined for files that are none. */
export const checkpointOwner = (name: string): string | undefined =>
  name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : undefined;

/**
 * Appends a signed line, makes sure that it is on the disk, and returns its hash. What a kill left of an unfinished line is cut off first,
 * and so is this line when it cannot be written whole.
 */
export function appendCheckpoint(folder: string, process: string, key: KeyObject, line: NewLine, write: Write): string {
  const { lines, bytes: size } = readLines(folder, process);
  const last = lines.at(-1);
  const previous = last ? hash('sha256', last, 'hex') : '';
  const signed = signedText(JSON.stringify({ ...line, previous } satisfies Checkpoint | Removal), key);
  const bytes = Buffer.from(`${signed}\n`);
  const descriptor = openSync(join(folder, checkpointFile(process)), constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    ftruncateSync(descriptor, size);
    try {
      writeAll(write, descriptor, bytes, bytes.length, size);
      fdatasyncSync(descriptor);
    } catch (error) {
      ftruncateSync(descriptor, size);
      throw error;
    }
  } finally {
    closeSync(descriptor);
  }
  return hash('sha256', signed, 'hex');
}

/** The last seal of a checkpoint that can be read, and the hash of its last line. Signatures are a matter for `verify`. */
export function lastCheckpoint(folder: string, process: string): { seal: Checkpoint | undefined; line: string } {
  const last = readLines(folder, process).lines.at(-1);
  return {
    seal: listSeals(folder, process).at(-1),
    line: last === undefined ? '' : hash('sha256', last, 'hex'),
  };
}

/** The lines of a checkpoint in order: what they say, or what is wrong with them. */
export function* readCheckpoints(
  folder: string,
  process: string,
  key: KeyObject,
): Generator<{ line: Checkpoint | Removal | undefined; text: string; problem?: string }> {
  let previous = '';
  for (const whole of readLines(folder, process).lines) {
    const line = parse(whole.split('\t')[0] ?? '');
    const signed = readSigned(whole, key) !== undefined;
    if (!line) yield { line, text: whole, problem: 'cannot be read' };
    else if (!signed) yield { line, text: whole, problem: 'is not signed by this key' };
    else if (line.previous !== previous) yield { line, text: whole, problem: 'does not follow the one before it' };
    else yield { line, text: whole };
    previous = hash('sha256', whole, 'hex');
  }
}

/** Whole lines only, and how many bytes they take. */
function readLines(folder: string, process: string): { lines: string[]; bytes: number } {
  const file = join(folder, checkpointFile(process));
  if (!existsSync(file)) return { lines: [], bytes: 0 };
  const content = readFileSync(file);
  const bytes = content.lastIndexOf(0x0a) + 1;
  return {
    lines: content
      .toString('utf8', 0, Math.max(0, bytes - 1))
      .split('\n')
      .filter((line) => line !== ''),
    bytes,
  };
}

function parse(text: string): Checkpoint | Removal | undefined {
  try {
    const line: unknown = JSON.parse(text);
    return isSealLine(line) || isRemovalLine(line) ? line : undefined;
  } catch {
    return undefined;
  }
}

/** The seal of a segment, when it has one. */
export const sealOf = (folder: string, process: string, segment: string): Checkpoint | undefined =>
  listSeals(folder, process).findLast((seal) => seal.segment === segment);

/** The seals of a process, in order. Signatures are a matter for `verify`. */
export const listSeals = (folder: string, process: string): Checkpoint[] =>
  readLines(folder, process).lines.flatMap((line) => sealIn(line.split('\t')[0] ?? '') ?? []);

function sealIn(text: string): Checkpoint | undefined {
  const line = parse(text);
  return line && isSeal(line) ? line : undefined;
}

export const isSeal = (line: Checkpoint | Removal): line is Checkpoint => !('removed' in line);

const SEAL = {
  segment: 'string',
  records: 'number',
  bytes: 'number',
  hash: 'string',
  sealed: 'string',
  previous: 'string',
};
const REMOVAL = {
  removed: 'string',
  records: 'number',
  bytes: 'number',
  first: 'string',
  hash: 'string',
  sealed: 'string',
  at: 'string',
  previous: 'string',
};

const isSealLine = (line: unknown): line is Checkpoint => hasMembers(line, SEAL);

const isRemovalLine = (line: unknown): line is Removal => hasMembers(line, REMOVAL);

/** Whether a value is an object with these members, of these types. */
export function hasMembers(value: unknown, members: Readonly<Record<string, string>>): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const types = new Map(Object.entries(value).map(([name, member]) => [name, typeof member]));
  return Object.entries(members).every(([name, type]) => types.get(name) === type);
}

/** A signature in the one way that it is written: base64 has spare bits, and a change of those is a change as well. */
function canonical(signature: string): Buffer {
  const bytes = Buffer.from(signature, 'base64');
  return bytes.toString('base64') === signature ? bytes : Buffer.alloc(0);
}
