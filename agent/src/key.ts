/** The agent's key pair on disk. Owns: making it once, and refusing a file that others can read. */
import { type KeyObject, createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * The agent's own key pair, made at the first start. It never leaves this file, which nobody else may read: a file that
 * others can read is not used.
 */
export function ownKey(file: string): KeyObject {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    const { privateKey } = generateKeyPairSync('ed25519');
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
    return privateKey;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const descriptor = openSync(file, 'r');
  try {
    if ((fstatSync(descriptor).mode & 0o077) !== 0)
      throw new Error(`The key in ${file} may be read by others: chmod 600 it, or remove it and enrol again.`);
    return createPrivateKey(readFileSync(descriptor));
  } finally {
    closeSync(descriptor);
  }
}
