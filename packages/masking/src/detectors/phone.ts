/** Detector of telephone numbers. Pure. */
import { ALNUM, byteClass, endsAt, followsWord, isAlone, isDigit, latin1, startsAt } from './bytes.js';
import type { Finding } from './finding.js';

/**
 * Telephone numbers. Called at the start of every run of digits `at` to `stop`. Digits alone prove nothing, so one of these has
 * to hold:
 *
 * - `+` and 8 to 15 digits (ITU-T E.164), or `00`, a country code and separated groups;
 * - the form of North America with area and exchange from 200 on: `(212) 555-0123`, `212-555-0123`, `212.555.0123`;
 * - a word such as "phone" or "tel." before 7 to 15 digits;
 * - alone in the cell: groups that start with 0, or a North American number with spaces.
 */
export function phone(bytes: Buffer, at: number, stop: number, start: number, end: number): Finding | undefined {
  const run = stop - at;
  // Most numbers are short and stand for themselves.
  if (run > 15 || (run < 7 && (stop === end || BETWEEN[bytes[stop] as number] === 0))) return undefined;
  if (!startsAt(bytes, at, start)) return undefined;
  const plus = at > start && bytes[at - 1] === 0x2b;
  if (plus ? !startsAt(bytes, at - 1, start) : isJoined(bytes, at, start)) return undefined;
  const american = plus ? 0 : endOfAmerican(bytes, at, stop, end);
  if (american !== 0) {
    const open = at > start && bytes[at - 1] === 0x28 && bytes[stop] === 0x29;
    const spaced = bytes[stop] === 0x20;
    if (!spaced || isAlone(bytes, at, american, start, end) || hasContext(bytes, at, start)) {
      return { entity: 'PHONE', start: withTrunk(bytes, open ? at - 1 : at, start), end: american };
    }
  }
  // Without any of these nothing below can hold, and dates and amounts go no further.
  if (!plus && bytes[at] !== 0x30 && !followsWord(bytes, at, start, CONTEXT_REACH_BYTES)) return undefined;
  const number = groups(bytes, at, end);
  if (number.digits < 7 || !endsAt(bytes, number.end, end)) return undefined;
  if (plus) {
    const valid = bytes[at] !== 0x30 && number.digits >= 8 && !number.decimal;
    return valid ? finding(bytes, at - 1, number.end, start) : undefined;
  }
  const sure = isAbroad(bytes, at, stop, number) || isNational(bytes, at, number, start, end);
  return sure || hasContext(bytes, at, start) ? finding(bytes, at, number.end, start) : undefined;
}

/** An opening bracket before the number belongs to it only if the closing one does. */
const finding = (bytes: Buffer, from: number, end: number, start: number): Finding => ({
  entity: 'PHONE',
  start: from > start && bytes[from - 1] === 0x28 && bytes.subarray(from, end).includes(0x29) ? from - 1 : from,
  end,
});

interface Groups {
  readonly end: number;
  readonly digits: number;
  readonly separators: number;
  /** One dot is all that separates: it may be a fraction. */
  readonly decimal: boolean;
}

const BETWEEN = byteClass(' -./()');

/** Runs of digits with one or two separators between them, as many whole ones as have 15 digits or fewer. */
function groups(bytes: Buffer, at: number, end: number): Groups {
  let result: Groups = { end: at, digits: 0, separators: 0, decimal: false };
  let to = at;
  let digits = 0;
  for (let separators = 0; ; separators++) {
    const from = to;
    while (to < end && digits <= 15 && isDigit(bytes[to])) {
      to++;
      digits++;
    }
    if (to === from || digits > 15) return result;
    result = { end: to, digits, separators, decimal: separators === 1 && bytes[from - 1] === 0x2e };
    for (let width = 0; width < 2 && to < end && BETWEEN[bytes[to] as number] === 1; width++) to++;
  }
}

/** Behind ddd, a separator, ddd, a separator, dddd; 0 if that is not what stands here. */
function endOfAmerican(bytes: Buffer, at: number, stop: number, end: number): number {
  if (stop - at !== 3 || !isOffice(bytes, at)) return 0;
  let office = stop;
  const closed = bytes[office] === 0x29;
  if (closed) office++;
  if (office < end && SEPARATOR[bytes[office] as number] === 1) office++;
  else if (!closed) return 0;
  const to = office + 8;
  if (to > end || !isOffice(bytes, office) || SEPARATOR[bytes[office + 3] as number] === 0) return 0;
  for (const n of [1, 2, 4, 5, 6, 7]) if (!isDigit(bytes[office + n])) return 0;
  return endsAt(bytes, to, end) && !(bytes[to] === 0x2d && to + 1 < end && ALNUM[bytes[to + 1] as number] === 1)
    ? to
    : 0;
}

const SEPARATOR = byteClass(' -.');
const isOffice = (bytes: Buffer, at: number): boolean => (bytes[at] as number) >= 0x32 && (bytes[at] as number) <= 0x39;

/** `1-` or `1 ` before the area code. */
function withTrunk(bytes: Buffer, from: number, start: number): number {
  const one = from - 2;
  return one >= start &&
    bytes[one] === 0x31 &&
    SEPARATOR[bytes[from - 1] as number] === 1 &&
    startsAt(bytes, one, start)
    ? one
    : from;
}

/** `0049 30 1234567`: 00, one to three digits, then groups. */
const isAbroad = (bytes: Buffer, at: number, stop: number, number: Groups): boolean =>
  stop - at >= 3 &&
  stop - at <= 5 &&
  bytes[at] === 0x30 &&
  bytes[at + 1] === 0x30 &&
  bytes[at + 2] !== 0x30 &&
  number.digits >= 11;

const isNational = (bytes: Buffer, at: number, number: Groups, start: number, end: number): boolean =>
  bytes[at] === 0x30 &&
  number.digits >= 9 &&
  number.digits <= 12 &&
  number.separators > 0 &&
  !number.decimal &&
  isAlone(bytes, at, number.end, start, end);

const isJoined = (bytes: Buffer, at: number, start: number): boolean => {
  if (at - 2 < start) return false;
  const before = bytes[at - 1] as number;
  // `1-212-555-0123` starts at its 1; what is joined to anything else is part of that.
  if (before === 0x2d || before === 0x2e || before === 0x2f) {
    return ALNUM[bytes[at - 2] as number] === 1 && !(bytes[at - 2] === 0x31 && startsAt(bytes, at - 2, start));
  }
  return false;
};

/** How far before a number a word can end, as `CONTEXT` has it. */
const CONTEXT_REACH_BYTES = 14;
const CONTEXT =
  /(?:^|[^a-z])(?:tele)?(?:phone|fon|tel|mobile|mob|cell|fax|call|whatsapp|sms|handy)[^0-9a-z+][^0-9+]{0,12}$/i;
const hasContext = (bytes: Buffer, at: number, start: number): boolean =>
  followsWord(bytes, at, start, CONTEXT_REACH_BYTES) && CONTEXT.test(latin1(bytes, Math.max(start, at - 32), at));
