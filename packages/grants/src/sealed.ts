/**
 * Tokens as they are kept. Owns: their cryptography: each is readable for one person at one connection, as that is configured. Does not: keep them.
 * Pure.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** A key for one person alone (HKDF, RFC 5869). `key`: 32 bytes. */
const keyOf = (key: Uint8Array, owner: string): Buffer =>
  Buffer.from(hkdfSync('sha256', key, new Uint8Array(), `sluice grant ${owner}`, KEY_BYTES));

/** AES-256-GCM (NIST SP 800-38D), base64. `bound`: what it belongs to, without which it cannot be read. */
export function seal(key: Uint8Array, owner: string, bound: string, text: string): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', keyOf(key, owner), iv).setAAD(Buffer.from(bound));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64');
}

/** Undefined for what was sealed with another key, for another person, or for something else. */
export function unseal(key: Uint8Array, owner: string, bound: string, sealed: string): string | undefined {
  const bytes = Buffer.from(sealed, 'base64');
  if (bytes.length < IV_BYTES + TAG_BYTES) return undefined;
  const iv = bytes.subarray(0, IV_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', keyOf(key, owner), iv, { authTagLength: TAG_BYTES })
    .setAAD(Buffer.from(bound))
    .setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
  } catch {
    return undefined;
  }
}
