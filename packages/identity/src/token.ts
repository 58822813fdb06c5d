/**
 * Tokens of the gateway: how they look, and what is kept to check them. Owns: their cryptography. Does not: who has which
 * (directory.ts).
 */
import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';

const derive = promisify(pbkdf2);

/** 4096 is what RFC 7677 asks for at least. More would guard a weak secret; a token has 160 random bits. */
export const SCRAM_ITERATIONS = 4096;
const SECRET_BYTES = 20;
const ID_BYTES = 6;
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/** A token that cannot be made; a sentence for who asked for it. */
export class TokenLimitError extends Error {}

/** What is kept of a token: enough to check it by every protocol's way, not enough to use it. All base64. */
export interface Verifiers {
  /** SCRAM-SHA-256 (RFC 5802 section 3). */
  readonly storedKey: string;
  readonly serverKey: string;
  /** SHA-256 of the SHA-256: caching_sha2_password of MySQL, and tokens shown in the clear. */
  readonly sha256: string;
  /** SHA-1 of the SHA-1: mysql_native_password. */
  readonly sha1: string;
}

/**
 * `sluice_<id>_<secret><check>`: the id may be shown and logged, the secret has 160 random bits. The check (CRC-32 of all that
 * is before it) tells secret scanners and people who mistype that this is, or was meant to be, a token; it protects nothing.
 */
export function newToken(): { id: string; token: string } {
  const id = base32(randomBytes(ID_BYTES));
  const text = `sluice_${id}_${base32(randomBytes(SECRET_BYTES))}`;
  return { id, token: text + check(text) };
}

const TOKEN = /^(sluice_([a-z2-7]{10})_[a-z2-7]{32})([a-z2-7]{7})$/;

/** The id of a token; undefined for whatever cannot be one. */
export function tokenId(token: string): string | undefined {
  const [, text = '', id, written] = TOKEN.exec(token) ?? [];
  return check(text) === written ? id : undefined;
}

function check(text: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(text));
  return base32(bytes);
}

/** Costs a PBKDF2, off the event loop. `iterations` is for the examples of RFC 7677; tokens all have the same. */
export async function verifiersOf(token: string, salt: Uint8Array, iterations = SCRAM_ITERATIONS): Promise<Verifiers> {
  const salted = await derive(token, salt, iterations, 32, 'sha256');
  const storedKey = createHash('sha256').update(hmac(salted, 'Client Key')).digest();
  return {
    storedKey: storedKey.toString('base64'),
    serverKey: hmac(salted, 'Server Key').toString('base64'),
    sha256: doubleSha256(token).toString('base64'),
    sha1: createHash('sha1').update(createHash('sha1').update(token).digest()).digest('base64'),
  };
}

export const doubleSha256 = (token: string): Buffer =>
  createHash('sha256').update(createHash('sha256').update(token).digest()).digest();

/**
 * The salt of a name (16 bytes), whether it exists or not: a keyed hash, so that nobody can tell the two apart, and the same
 * for all tokens of a principal, so that one SCRAM proof can be tried against each.
 */
export const saltOf = (name: string, secret: Uint8Array): Buffer => hmac(secret, `salt of ${name}`).subarray(0, 16);

const hmac = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** RFC 4648 section 6, lower case, without padding. */
function base32(bytes: Uint8Array): string {
  let bits = '';
  for (const byte of bytes) bits += byte.toString(2).padStart(8, '0');
  return (bits.match(/.{1,5}/g) ?? []).map((five) => ALPHABET[Number.parseInt(five.padEnd(5, '0'), 2)]).join('');
}
