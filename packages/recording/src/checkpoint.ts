import {
  type KeyObject,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  sign,
  verify,
} from 'node:crypto';
import { appendFileSync, closeSync, existsSync, fdatasyncSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The checkpoint lists the sealed segments of one process: a line of JSON each, signed with the gateway's Ed25519 key and
 * carrying the hash of the line before it. Whoever keeps a copy of one line can later tell whether anything up to it was
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

const KEY = 'journal.key';
export const PUBLIC_KEY = 'journal.pub';

/** The signing key of a journal folder, made at first use. The public half lies beside it for auditors. */
export function openKey(folder: string): KeyObject {
  const file = join(folder, KEY);
  if (!existsSync(file)) {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
    writeFileSync(join(folder, PUBLIC_KEY), publicKey.export({ type: 'spki', format: 'pem' }));
  }
  return createPrivateKey(readFileSync(file));
}

export const readPublicKey = (folder: string): KeyObject => createPublicKey(readFileSync(join(folder, PUBLIC_KEY)));

export const checkpointFile = (process: string): string => `${process}.checkpoint`;

/** Appends a signed line and makes sure that it is on the disk. */
export function appendCheckpoint(
  folder: string,
  process: string,
  key: KeyObject,
  line: Omit<Checkpoint, 'previous'>,
): void {
  const file = join(folder, checkpointFile(process));
  const last = existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').at(-1) : undefined;
  const text = JSON.stringify({ ...line, previous: last ? hash('sha256', last, 'hex') : '' } satisfies Checkpoint);
  const descriptor = openSync(file, 'a');
  try {
    appendFileSync(descriptor, `${text}\t${sign(null, Buffer.from(text), key).toString('base64')}\n`);
    fdatasyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The lines of a checkpoint, each with what is wrong with it. */
export function readCheckpoints(
  folder: string,
  process: string,
  key: KeyObject,
): { line: Checkpoint; problem?: string }[] {
  const file = join(folder, checkpointFile(process));
  if (!existsSync(file)) return [];
  let previous = '';
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((whole, index) => {
      const [text = '', signature = ''] = whole.split('\t');
      const expected = previous;
      previous = hash('sha256', whole, 'hex');
      let line: Checkpoint;
      try {
        line = JSON.parse(text) as Checkpoint;
      } catch {
        return {
          line: { segment: '', records: 0, bytes: 0, hash: '', sealed: '', previous: '' },
          problem: `line ${index + 1} cannot be read`,
        };
      }
      if (!verify(null, Buffer.from(text), key, Buffer.from(signature, 'base64'))) {
        return { line, problem: `line ${index + 1} is not signed by this key` };
      }
      return line.previous === expected
        ? { line }
        : { line, problem: `line ${index + 1} does not follow the one before it` };
    });
}

/** Whether a line for this segment exists. Its signature is a matter for `verify`. */
export function isSealed(folder: string, process: string, segment: string): boolean {
  const file = join(folder, checkpointFile(process));
  return existsSync(file) && readFileSync(file, 'utf8').includes(`{"segment":${JSON.stringify(segment)},`);
}
