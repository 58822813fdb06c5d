import { has, latin1 } from './bytes.js';
import type { Finding } from './finding.js';

/**
 * Private keys in PEM (RFC 7468) and OpenPGP armour (RFC 4880 section 6.2), called at every `-`. A key whose end is missing
 * goes on to the end of the value. Public keys and certificates are not secrets.
 */
export function pem(bytes: Buffer, at: number, start: number, end: number): Finding | undefined {
  if (!has(bytes, at, end, '-----BEGIN ') || (at > start && bytes[at - 1] === 0x2d)) return undefined;
  const label = /^-----BEGIN ((?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?)-----/.exec(
    latin1(bytes, at, Math.min(end, at + 80)),
  )?.[1];
  if (label === undefined) return undefined;
  const last = `-----END ${label}-----`;
  const found = bytes.subarray(at, end).indexOf(last);
  return { entity: 'PRIVATE_KEY', start: at, end: found < 0 ? end : at + found + last.length };
}
