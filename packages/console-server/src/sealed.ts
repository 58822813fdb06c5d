/**
 * Small texts that a browser keeps for us and can neither read nor change. Owns: their cryptography and their end. Does not: say what
 * is in them. Pure, but for the clock that it is given.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const IV_BYTES = 12;
const TAG_BYTES = 16;
/** A longer one is not looked at. Characters. */
const MAX_SEALED_CHARACTERS = 3_000;

/** AES-256-GCM (NIST SP 800-38D), base64url. `key`: 32 bytes; `expires`: milliseconds since 1970. */
export function seal(key: Uint8Array, value: unknown, expires: number): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  const text = Buffer.concat([cipher.update(JSON.stringify({ value, expires })), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url');
}

/** What was sealed with this key; undefined for all else, and for what has come to its end. */
export function unseal(key: Uint8Array, sealed: string, now: number): unknown {
  if (sealed.length > MAX_SEALED_CHARACTERS) return undefined;
  const bytes = Buffer.from(sealed, 'base64url');
  if (bytes.length <= IV_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  try {
    const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]);
    const { value, expires } = JSON.parse(text.toString('utf8')) as { value: unknown; expires: number };
    return expires > now ? value : undefined;
  } catch {
    return undefined;
  }
}
