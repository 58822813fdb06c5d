/** Detector of e-mail addresses. Pure. */
import { ALNUM, byteClass, DIGITS, isDigit, latin1, LOWER, skip, UPPER } from './bytes.js';
import type { Finding } from './finding.js';

/**
 * E-mail addresses (RFC 5322 section 3.4.1, RFC 6531), called at every `@`. Any domain with a dot counts, those of a company's
 * inside too. Not found: a domain without a dot, an address with comments, a quoted local part of more than 64 bytes.
 */
export function email(bytes: Buffer, at: number, start: number, end: number): Finding | undefined {
  const to = endOfDomain(bytes, at + 1, end);
  if (to === 0) return undefined;
  const from = startOfLocal(bytes, at, start);
  if (from === at || isScpPath(bytes, from, at, to, end) || isScaledImage(bytes, at + 1, to)) return undefined;
  return { entity: 'EMAIL', start: from, end: to };
}

const LOCAL = byteClass(`${DIGITS}${UPPER}${LOWER}.!#$%&'*+_{}~^?-`, true);
/** Quotes and brackets that RFC 5322 allows at the start are nearly always punctuation around the address. */
const FIRST = byteClass(`${DIGITS}${UPPER}${LOWER}_`, true);
const LABEL = byteClass(`${DIGITS}${UPPER}${LOWER}-_`, true);
const TOP = byteClass(UPPER + LOWER, true);
const QUOTE = 0x22;
const MAX_QUOTED_BYTES = 64;

function startOfLocal(bytes: Buffer, at: number, start: number): number {
  if (at > start && bytes[at - 1] === QUOTE) return startOfQuoted(bytes, at, start);
  let from = at;
  while (from > start && LOCAL[bytes[from - 1] as number] === 1) from--;
  while (from < at && FIRST[bytes[from] as number] === 0) from++;
  return from;
}

function startOfQuoted(bytes: Buffer, at: number, start: number): number {
  let seen = false;
  for (let from = at - 2; from >= start && from > at - MAX_QUOTED_BYTES; from--) {
    const byte = bytes[from] as number;
    if (byte < 0x20) break;
    if (byte === QUOTE) return seen && (from === start || ALNUM[bytes[from - 1] as number] === 0) ? from : at;
    if (ALNUM[byte] === 1) seen = true;
  }
  return at;
}

/** Behind the last label that can be a top-level domain, 0 when there is none. */
function endOfDomain(bytes: Buffer, from: number, end: number): number {
  let best = 0;
  for (let label = from, labels = 0; label < end; ) {
    const run = skip(bytes, label, end, LABEL);
    let last = run;
    while (last > label && isJoiner(bytes[last - 1])) last--;
    if (last === label || isJoiner(bytes[label])) break;
    labels++;
    if (labels > 1 && last - label >= 2 && TOP[bytes[label] as number] === 1) best = last;
    if (last < run || bytes[run] !== 0x2e) break;
    label = run + 1;
  }
  return best;
}

const isJoiner = (byte: number | undefined): boolean => byte === 0x2d || byte === 0x5f;

/** `git@host:path` is where a repository is. */
function isScpPath(bytes: Buffer, from: number, at: number, to: number, end: number): boolean {
  return at - from === 3 && to < end && bytes[to] === 0x3a && latin1(bytes, from, at) === 'git';
}

/** `logo@2x.png` */
function isScaledImage(bytes: Buffer, from: number, to: number): boolean {
  let at = from;
  while (isDigit(bytes[at])) at++;
  return at > from && bytes[at] === 0x78 && bytes[at + 1] === 0x2e && to - at <= 6;
}
