/** Detector of payment cards. Pure. */
import { endsAt, isDigit, startsAt } from './bytes.js';
import type { Finding } from './finding.js';

/**
 * Numbers of payment cards (ISO/IEC 7812): 13 to 19 digits with a known issuer and a right check digit, in one piece or in the
 * groups that are printed on cards, with one kind of separator. Called at the start of every run of digits `at` to `stop`.
 */
export function card(bytes: Buffer, at: number, stop: number, start: number, end: number): Finding | undefined {
  const run = stop - at;
  if (run !== 4 && run !== 1 && (run < 13 || run > 19)) return undefined;
  if (!startsAt(bytes, at, start) || isFraction(bytes, at, start)) return undefined;
  const to = run >= 13 ? stop : endOfGroups(bytes, at, stop, end);
  if (to === 0 || !endsAt(bytes, to, end) || (bytes[to] === 0x2e && to + 1 < end && isDigit(bytes[to + 1])))
    return undefined;
  return isCard(bytes, at, to) ? { entity: 'CREDIT_CARD', start: at, end: to } : undefined;
}

/** `0.4111111111111111` */
const isFraction = (bytes: Buffer, at: number, start: number): boolean =>
  at - 2 >= start && bytes[at - 1] === 0x2e && isDigit(bytes[at - 2]);

/** Behind the last group, 0 when these are not the groups of a card. A no-break space in UTF-8 is a separator too. */
function endOfGroups(bytes: Buffer, at: number, stop: number, end: number): number {
  const separator = separatorAt(bytes, stop, end);
  if (separator === 0) return 0;
  const width = separator === NBSP ? 2 : 1;
  // A card has groups of four, of 4, 6 and 4 or 5, or (typed with care) of one.
  if (stop - at === 1) return endOfSingles(bytes, stop, end, separator, width);
  const second = digitsAt(bytes, stop + width, end);
  if (second !== 4 && second !== 6) return 0;
  let shape = String(stop - at);
  let to = stop;
  while (shape.length < 19 && to + width < end && separatorAt(bytes, to, end) === separator) {
    const size = digitsAt(bytes, to + width, end);
    if (size === 0) break;
    if (shape === '4444' && !isLonger(bytes, at, to + width + size, size, end)) break;
    shape += size;
    to += width + size;
    if (shape === '465' || shape === '464') break;
  }
  return SHAPES.test(shape) ? to : 0;
}

/** Behind the last of up to 19 single digits, of which the first ends at `stop`; 0 when there are fewer than 13. */
function endOfSingles(bytes: Buffer, stop: number, end: number, separator: number, width: number): number {
  let to = stop;
  let digits = 1;
  while (digits < 19 && separatorAt(bytes, to, end) === separator) {
    const next = to + width;
    if (next >= end || !isDigit(bytes[next]) || !endsAt(bytes, next + 1, end)) break;
    to = next + 1;
    digits++;
  }
  return digits < 13 ? 0 : to;
}

/** Whether the groups of four go on with the last digits of a longer number. */
const isLonger = (bytes: Buffer, at: number, to: number, size: number, end: number): boolean =>
  size <= 3 && endsAt(bytes, to, end) && isCard(bytes, at, to);

/** How many digits follow, up to eight. */
function digitsAt(bytes: Buffer, at: number, end: number): number {
  let size = 0;
  while (at + size < end && size < 8 && isDigit(bytes[at + size])) size++;
  return size;
}

const SHAPES = /^(?:4444[123]?|465|464|444[123])$/;
const NBSP = 0xc2a0;

function separatorAt(bytes: Buffer, at: number, end: number): number {
  if (at >= end) return 0;
  const byte = bytes[at] as number;
  if (byte === 0x20 || byte === 0x2d || byte === 0x2e || byte === 0x2f) return byte;
  return byte === 0xc2 && at + 1 < end && bytes[at + 1] === 0xa0 ? NBSP : 0;
}

/** Check digit, known issuer, and a length that it issues, of the digits among these bytes. */
function isCard(bytes: Buffer, from: number, to: number): boolean {
  let sum = 0;
  let size = 0;
  let twice = false;
  // ISO/IEC 7812-1 annex B: from the right, every second digit counts twice.
  for (let at = to - 1; at >= from; at--) {
    const digit = (bytes[at] as number) - 0x30;
    if (digit < 0 || digit > 9) continue;
    sum += twice ? (digit > 4 ? digit * 2 - 9 : digit * 2) : digit;
    twice = !twice;
    size++;
  }
  if (sum % 10 !== 0) return false;
  let first = 0;
  for (let at = from, count = 0; count < 4; at++) {
    if (!isDigit(bytes[at])) continue;
    first = first * 10 + (bytes[at] as number) - 0x30;
    count++;
  }
  return (((LENGTHS[first] as number) >> size) & 1) === 1;
}

/** For the first four digits of a number the lengths that it may have, as bits. */
const LENGTHS = new Uint32Array(10_000);

/** Ranges of issuers and the lengths of their numbers, as their networks publish them. */
const ISSUERS: readonly (readonly [from: number, to: number, ...lengths: number[]])[] = [
  [4000, 4999, 13, 16, 19], // Visa
  [5100, 5599, 16], // Mastercard
  [2221, 2720, 16],
  [3400, 3499, 15], // American Express
  [3700, 3799, 15],
  [6011, 6011, 16, 17, 18, 19], // Discover
  [6440, 6599, 16, 17, 18, 19],
  [3528, 3589, 16, 17, 18, 19], // JCB
  [3000, 3059, 14, 16, 17, 18, 19], // Diners Club
  [3600, 3699, 14, 16, 17, 18, 19],
  [3800, 3999, 14, 16, 17, 18, 19],
  [6200, 6299, 16, 17, 18, 19], // UnionPay
  [8100, 8199, 16, 17, 18, 19],
  ...[5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763].map(
    (one): [number, number, ...number[]] => [one, one, 13, 14, 15, 16, 17, 18, 19], // Maestro
  ),
  [2200, 2204, 16, 17, 18, 19], // Mir
  [5080, 5089, 16], // RuPay
  [6000, 6099, 16],
  [8200, 8299, 16],
];
for (const [from, to, ...lengths] of ISSUERS) {
  for (let first = from; first <= to; first++) {
    LENGTHS[first] = lengths.reduce((bits, size) => bits | (1 << size), LENGTHS[first] as number);
  }
}
