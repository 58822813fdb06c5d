/**
 * Proofs of a password: made for a target, checked against what is kept of a token. Pure.
 *
 * `mysql_native_password`: SHA1(password) xor SHA1(nonce, SHA1(SHA1(password))).
 * `caching_sha2_password`: SHA256(password) xor SHA256(SHA256(SHA256(password)), nonce).
 */
import { constants, hash, publicEncrypt, randomBytes, timingSafeEqual } from 'node:crypto';

export const NATIVE = 'mysql_native_password';
export const SHA2 = 'caching_sha2_password';
export const CLEAR = 'mysql_clear_password';
export const ED25519 = 'client_ed25519';

export const NONCE_BYTES = 20;

/** Random bytes of which none is NUL, which ends them on the wire, or a dollar sign, which MySQL leaves out. */
export function newNonce(): Buffer {
  return Buffer.from(randomBytes(NONCE_BYTES).map((byte) => (byte & 0x7f) % 90 || 91)).map((byte) =>
    byte === 0x24 ? 0x5c : byte,
  ) as Buffer;
}

type Algorithm = 'sha1' | 'sha256';
const digest = (algorithm: Algorithm, ...parts: readonly Uint8Array[]): Buffer =>
  hash(algorithm, Buffer.concat(parts), 'buffer');

function xor(one: Buffer, other: Buffer): Buffer {
  return Buffer.from(one.map((byte, at) => byte ^ (other[at % other.length] as number)));
}

export function nativeProof(password: string, nonce: Uint8Array): Buffer {
  if (password === '') return Buffer.alloc(0);
  const once = digest('sha1', Buffer.from(password));
  return xor(once, digest('sha1', nonce, digest('sha1', once)));
}

export function sha2Proof(password: string, nonce: Uint8Array): Buffer {
  if (password === '') return Buffer.alloc(0);
  const once = digest('sha256', Buffer.from(password));
  return xor(once, digest('sha256', digest('sha256', once), nonce));
}

/** Whether it was made with the secret that `sha1` is the double hash of. */
export function nativeFits(proof: Buffer, nonce: Uint8Array, sha1: Uint8Array): boolean {
  if (proof.length !== 20) return false;
  return timingSafeEqual(digest('sha1', xor(proof, digest('sha1', nonce, sha1))), sha1);
}

/** The same for `caching_sha2_password`. */
export function sha2Fits(proof: Buffer, nonce: Uint8Array, sha256: Uint8Array): boolean {
  if (proof.length !== 32) return false;
  return timingSafeEqual(digest('sha256', xor(proof, digest('sha256', sha256, nonce))), sha256);
}

/** A password for the key that a server of MySQL has shown: RSA with OAEP, over the password xored with the nonce. */
export function encryptedPassword(password: string, nonce: Buffer, key: string): Buffer {
  const clear = xor(Buffer.concat([Buffer.from(password), Buffer.alloc(1)]), nonce);
  return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING }, clear);
}
