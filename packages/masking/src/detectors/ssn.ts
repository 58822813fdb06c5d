/** Detector of US social security numbers. Pure. */
import { ALNUM, endsAt, followsWord, isAlone, isDigit, latin1, startsAt } from './bytes.js';
import type { Finding } from './finding.js';

/**
 * US social security numbers and taxpayer numbers of the same form. Called at the start of every run of digits `at` to `stop`.
 *
 * `123-45-6789` counts in any text if such numbers were issued, and whatever its digits if it is alone in the cell or a word
 * such as "SSN" stands before it. With spaces, or bare, it needs that word, or (with spaces) to be alone.
 */
export function ssn(bytes: Buffer, at: number, stop: number, start: number, end: number): Finding | undefined {
  const run = stop - at;
  if ((run !== 3 && run !== 9) || !startsAt(bytes, at, start) || isJoined(bytes, at, start)) return undefined;
  const to = run === 9 ? stop : endOfParts(bytes, at, end);
  if (to === 0 || !endsAt(bytes, to, end) || goesOn(bytes, to, end)) return undefined;
  const separator = run === 9 ? 0 : bytes[stop];
  if (separator === 0x2d && wasIssued(latin1(bytes, at, to))) return { entity: 'US_SSN', start: at, end: to };
  const sure = (run === 3 && isAlone(bytes, at, to, start, end)) || hasContext(bytes, at, start);
  return sure ? { entity: 'US_SSN', start: at, end: to } : undefined;
}

/** ddd-dd-dddd or ddd dd dddd, 0 otherwise. */
function endOfParts(bytes: Buffer, at: number, end: number): number {
  if (at + 11 > end) return 0;
  const separator = bytes[at + 3];
  if ((separator !== 0x2d && separator !== 0x20) || bytes[at + 6] !== separator) return 0;
  for (const n of [4, 5, 7, 8, 9, 10]) if (!isDigit(bytes[at + n])) return 0;
  return at + 11;
}

/** Never issued: areas 000 and 666, group 00, serial 0000. From 900 on only taxpayer numbers (IRS Publication 1915). */
function wasIssued(text: string): boolean {
  const area = Number(text.slice(0, 3));
  const group = Number(text.slice(4, 6));
  if (area === 0 || area === 666 || group === 0 || text.slice(7) === '0000') return false;
  return area < 900 || (group >= 50 && group <= 99 && group !== 66 && group !== 67 && group !== 89 && group !== 93);
}

/** Part of something longer: a UUID, a part number, a fraction. */
const isJoined = (bytes: Buffer, at: number, start: number): boolean =>
  at - 2 >= start && JOINS.includes(bytes[at - 1] as number) && ALNUM[bytes[at - 2] as number] === 1;
const goesOn = (bytes: Buffer, to: number, end: number): boolean =>
  to + 1 < end && (bytes[to] === 0x2d || bytes[to] === 0x2e) && ALNUM[bytes[to + 1] as number] === 1;
const JOINS = [0x2d, 0x2e, 0x2f];

const CONTEXT = /(?:^|[^a-z])(?:ssn|itin|tin|social[ _-]?security|soc[ _-]?sec|tax[ _-]?id|taxpayer)[^0-9]{0,20}$/i;
const hasContext = (bytes: Buffer, at: number, start: number): boolean =>
  followsWord(bytes, at, start, 21) && CONTEXT.test(latin1(bytes, Math.max(start, at - 40), at));
