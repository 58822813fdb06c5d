/** Detector of JSON web tokens. Pure. */
import { ALNUM, BASE64URL, has, latin1, skip } from './bytes.js';
import type { Finding } from './finding.js';

/**
 * JSON web tokens in compact form: JWS of three parts (RFC 7515) or JWE of five (RFC 7516), whose header decodes to JSON with
 * an algorithm. Called at the J of `eyJ`, which is `{"` in base64url.
 */
export function jwt(bytes: Buffer, letter: number, start: number, end: number): Finding | undefined {
  const at = letter - 2;
  if (at < start || !has(bytes, at, end, 'ey') || (at > start && BEFORE(bytes[at - 1] as number))) return undefined;
  let to = skip(bytes, at, end, BASE64URL);
  if (to - at > MAX_JWT_HEADER_BYTES || to >= end || bytes[to] !== 0x2e || !isHeader(latin1(bytes, at, to)))
    return undefined;
  const payload = skip(bytes, to + 1, end, BASE64URL);
  if (payload === to + 1 && (payload >= end || bytes[payload] !== 0x2e)) return undefined;
  to = payload;
  for (let part = 2; part < 5 && to < end && bytes[to] === 0x2e; part++) to = skip(bytes, to + 1, end, BASE64URL);
  return { entity: 'JWT', start: at, end: bytes[to - 1] === 0x2e && !isUnsigned(bytes, at, to) ? to - 1 : to };
}

const MAX_JWT_HEADER_BYTES = 4096;
const BEFORE = (byte: number): boolean => ALNUM[byte] === 1 || byte === 0x5f || byte === 0x2d;

/** A token without a signature ends in a dot; so does a sentence. */
const isUnsigned = (bytes: Buffer, at: number, to: number): boolean =>
  bytes.subarray(at, to).reduce((dots, byte) => dots + (byte === 0x2e ? 1 : 0), 0) === 2;

const isHeader = (text: string): boolean => /"alg"\s*:/.test(Buffer.from(text, 'base64url').toString('latin1'));
