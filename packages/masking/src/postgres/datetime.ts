/** Dates and times of PostgreSQL, read, masked and written. Pure. */
import { ascii, Malformed, type Scalar, sized } from './types.js';

/**
 * Dates and times. In binary dates are int32 days, and timestamps int64 microseconds, since 2000-01-01, in UTC; the largest
 * and the smallest number are infinity. As text they are read in the ISO style only: a session that asked for another gets
 * NULL. Years are those of UTC in both formats.
 */
const DAY = 86_400_000_000n;
const SECOND = 1_000_000n;
const POSITIVE = 0x7fff_ffff;
const NEGATIVE = -0x8000_0000;
const LAST = 0x7fff_ffff_ffff_ffffn;
const FIRST = -0x8000_0000_0000_0000n;

/** Days from 1900 to 2099, within which pseudonyms lie. */
const FIRST_PSEUDONYM_DAY = -36_524;
const PSEUDONYM_DAYS = 73_049;

export const date: Scalar<number> = {
  read: (bytes, start, end, format) => {
    if (format === 'binary') {
      sized(start, end, 4);
      return within(bytes.readInt32BE(start), FIRST_DAY, LAST_DAY, POSITIVE, NEGATIVE);
    }
    const text = ascii(bytes, start, end, /^(?:-?infinity|\d{4,7}-\d\d-\d\d(?: BC)?)$/)[0];
    if (text.endsWith('infinity')) return text[0] === '-' ? NEGATIVE : POSITIVE;
    return within(daysOf(text), FIRST_DAY, LAST_DAY);
  },
  write: (value, format) => {
    if (format === 'text') return Buffer.from(dateText(value), 'latin1');
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return bytes;
  },
  redacted: () => 0,
  hashed: (value, keyed) => FIRST_PSEUDONYM_DAY + (keyed(String(value)).readUInt32BE() % PSEUDONYM_DAYS),
  generalised: (value) => (value === POSITIVE || value === NEGATIVE ? value : startOfYear(value)),
};

/** timestamp, and with time zone timestamptz, which differ in text only. */
export function timestamp(zoned: boolean): Scalar<bigint> {
  return {
    read: (bytes, start, end, format) => {
      if (format === 'binary') {
        sized(start, end, 8);
        return stampWithin(bytes.readBigInt64BE(start), FIRST, LAST);
      }
      const match = ascii(bytes, start, end, STAMP);
      if (match[1] !== undefined) return match[1] === '-infinity' ? FIRST : LAST;
      const [, , day = '', time = '', zone, era = ''] = match;
      if ((zone !== undefined) !== zoned) throw new Malformed('a time zone where none belongs, or none where one does');
      const east = zone === undefined ? 0 : secondsOf(zone);
      return stampWithin(BigInt(daysOf(day + era)) * DAY + microsOf(time) - BigInt(east) * SECOND);
    },
    write: (value, format) => {
      if (format === 'text') return Buffer.from(stampText(value, zoned), 'latin1');
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64BE(value);
      return bytes;
    },
    redacted: () => 0n,
    hashed: (value, keyed) => {
      const digest = keyed(String(value));
      const days = FIRST_PSEUDONYM_DAY + (digest.readUInt32BE() % PSEUDONYM_DAYS);
      return BigInt(days) * DAY + BigInt(digest.readUInt32BE(4) % 86_400) * SECOND;
    },
    generalised: (value) =>
      value === LAST || value === FIRST ? value : BigInt(startOfYear(Number(floored(value, DAY)))) * DAY,
  };
}

const STAMP = /^(-?infinity)$|^(\d{4,7}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,6})?)([+-]\d\d(?::\d\d){0,2})?( BC)?$/;

/** Microseconds since midnight, int64 in binary. */
export const time: Scalar<bigint> = {
  read: (bytes, start, end, format) => {
    if (format === 'text') return ofDay(microsOf(ascii(bytes, start, end, /^\d\d:\d\d:\d\d(?:\.\d{1,6})?$/)[0]));
    sized(start, end, 8);
    return ofDay(bytes.readBigInt64BE(start));
  },
  write: (value, format) => {
    if (format === 'text') return Buffer.from(timeText(value), 'latin1');
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64BE(value);
    return bytes;
  },
  redacted: () => 0n,
  hashed: (value, keyed) => BigInt(keyed(String(value)).readUInt32BE() % 86_400) * SECOND,
  generalised: (value) => value - (value % (3600n * SECOND)),
};

/** A time and int32 seconds west of UTC. The zone says where somebody is, so no mask keeps it. */
export const timetz: Scalar<{ micros: bigint; west: number }> = {
  read: (bytes, start, end, format) => {
    if (format === 'text') {
      const match = ascii(bytes, start, end, /^(\d\d:\d\d:\d\d(?:\.\d{1,6})?)([+-]\d\d(?::\d\d){0,2})$/);
      return { micros: ofDay(microsOf(match[1] ?? '')), west: -secondsOf(match[2] ?? '') };
    }
    sized(start, end, 12);
    return { micros: ofDay(bytes.readBigInt64BE(start)), west: bytes.readInt32BE(start + 8) };
  },
  write: ({ micros, west }, format) => {
    if (format === 'text') return Buffer.from(`${timeText(micros)}+00`, 'latin1');
    const bytes = Buffer.alloc(12);
    bytes.writeBigInt64BE(micros);
    bytes.writeInt32BE(west, 8);
    return bytes;
  },
  redacted: () => ({ micros: 0n, west: 0 }),
  hashed: ({ micros, west }, keyed) => ({
    micros: BigInt(keyed(`${micros} ${west}`).readUInt32BE() % 86_400) * SECOND,
    west: 0,
  }),
  generalised: ({ micros }) => ({ micros: micros - (micros % (3600n * SECOND)), west: 0 }),
};

/** int64 microseconds, int32 days, int32 months. As text in the style `postgres` only. */
export const interval: Scalar<{ micros: bigint; days: number; months: number }> = {
  read: (bytes, start, end, format) => {
    if (format === 'binary') {
      sized(start, end, 16);
      return {
        micros: bytes.readBigInt64BE(start),
        days: bytes.readInt32BE(start + 8),
        months: bytes.readInt32BE(start + 12),
      };
    }
    const [text, years, months, days, sign, hours, rest] = ascii(bytes, start, end, SPAN);
    if (text.endsWith('infinity')) return text[0] === '-' ? BEFORE_ALL : BEYOND_ALL;
    const [minutes = '0', seconds = '0'] = (rest ?? '').split(':').slice(1);
    const clock =
      BigInt(hours ?? 0) * 3600n * SECOND + microsOf(`00:${minutes.padStart(2, '0')}:${seconds.padStart(2, '0')}`);
    return {
      micros: sign === '-' ? -clock : clock,
      days: Number(days ?? 0),
      months: Number(years ?? 0) * 12 + Number(months ?? 0),
    };
  },
  write: ({ micros, days, months }, format) => {
    if (format === 'text') return Buffer.from(`${months} mons ${days} days ${micros / SECOND} secs`, 'latin1');
    const bytes = Buffer.alloc(16);
    bytes.writeBigInt64BE(micros);
    bytes.writeInt32BE(days, 8);
    bytes.writeInt32BE(months, 12);
    return bytes;
  },
  redacted: () => NO_TIME,
  hashed: ({ micros, days, months }, keyed) => ({
    micros: BigInt(keyed(`${months} ${days} ${micros}`).readUInt32BE()) * SECOND,
    days: 0,
    months: 0,
  }),
  // The largest unit that it has.
  generalised: (value) => {
    const { micros, days, months } = value;
    if (isInfinite(value)) return NO_TIME;
    if (Math.abs(months) >= 12) return { micros: 0n, days: 0, months: months - (months % 12) };
    if (months !== 0) return { micros: 0n, days: 0, months };
    return days === 0 ? { micros: micros - (micros % (3600n * SECOND)), days, months } : { micros: 0n, days, months };
  },
};

const NO_TIME = { micros: 0n, days: 0, months: 0 };
/** Infinite intervals, since PostgreSQL 17 (INTERVAL_NOEND and INTERVAL_NOBEGIN in timestamp.h). */
const BEYOND_ALL = { micros: 2n ** 63n - 1n, days: 2 ** 31 - 1, months: 2 ** 31 - 1 };
const BEFORE_ALL = { micros: -(2n ** 63n), days: -(2 ** 31), months: -(2 ** 31) };
const isInfinite = ({ months, days }: { readonly months: number; readonly days: number }): boolean =>
  [BEYOND_ALL, BEFORE_ALL].some((one) => one.months === months && one.days === days);

const SPAN =
  /^-?infinity$|^(?=.)(?:([-+]?\d+) years? ?)?(?:([-+]?\d+) mons? ?)?(?:([-+]?\d+) days? ?)?(?:([-+]?)(\d+)(:\d\d:\d\d(?:\.\d{1,6})?))?$/;

function microsOf(text: string): bigint {
  const [hours = '', minutes = '', seconds = ''] = text.split(':');
  const [whole = '', fraction = ''] = seconds.split('.');
  return BigInt((Number(hours) * 60 + Number(minutes)) * 60 + Number(whole)) * SECOND + BigInt(fraction.padEnd(6, '0'));
}

/** East of UTC: +05:30 is 19800. */
function secondsOf(zone: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = zone.slice(1).split(':').map(Number);
  return (zone[0] === '-' ? -1 : 1) * ((hours * 60 + minutes) * 60 + seconds);
}

/** Days since 2000-01-01 in the proleptic Gregorian calendar; the year before 1 is 1 BC. */
function daysOf(text: string): number {
  const [, year, month, day] = /^(\d+)-(\d+)-(\d+)/.exec(text) ?? [];
  const years = text.endsWith(' BC') ? 1 - Number(year) : Number(year);
  if (Number(month) < 1 || Number(month) > 12 || Number(day) < 1 || Number(day) > 31) throw new Malformed('not a date');
  return days(years, Number(month), Number(day));
}

/** Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": years start in March, eras have 400 of them. */
function days(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const ofEra = y - era * 400;
  const ofYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 730_425;
}

function civil(value: number): { year: number; month: number; day: number } {
  const z = value + 730_425;
  const era = Math.floor(z / 146_097);
  const ofEra = z - era * 146_097;
  const y = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * y + Math.floor(y / 4) - Math.floor(y / 100));
  const m = Math.floor((5 * ofYear + 2) / 153);
  const month = m < 10 ? m + 3 : m - 9;
  return { year: y + era * 400 + (month <= 2 ? 1 : 0), month, day: ofYear - Math.floor((153 * m + 2) / 5) + 1 };
}

const startOfYear = (value: number): number => Math.max(days(civil(value).year, 1, 1), FIRST_DAY);
/** 4714-11-24 BC, before which the server knows no date. */
const FIRST_DAY = -2_451_545;

/** The year 5874897, the last of a date. */
const LAST_DAY = 2_145_031_948;

/** What the server would not have sent is not a value. */
function within(value: number, least: number, most: number, ...also: readonly number[]): number {
  if ((value < least || value > most) && !also.includes(value)) throw new Malformed('a date out of range');
  return value;
}

/** Timestamps end with the year 294276. */
function stampWithin(value: bigint, ...also: readonly bigint[]): bigint {
  const valid = value >= BigInt(FIRST_DAY) * DAY && value < 9_223_371_331_200_000_000n;
  if (!valid && !also.includes(value)) throw new Malformed('a timestamp out of range');
  return value;
}

function ofDay(micros: bigint): bigint {
  if (micros < 0n || micros > DAY) throw new Malformed('a time out of range');
  return micros;
}

const floored = (value: bigint, by: bigint): bigint => (value - (((value % by) + by) % by)) / by;
const two = (value: number | bigint): string => String(value).padStart(2, '0');

function dateText(value: number): string {
  if (value === POSITIVE || value === NEGATIVE) return value === POSITIVE ? 'infinity' : '-infinity';
  const { year, month, day } = civil(value);
  return `${String(year > 0 ? year : 1 - year).padStart(4, '0')}-${two(month)}-${two(day)}${year > 0 ? '' : ' BC'}`;
}

/** Masked times have whole seconds. */
function timeText(micros: bigint): string {
  const seconds = micros / SECOND;
  return `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
}

function stampText(value: bigint, zoned: boolean): string {
  if (value === LAST || value === FIRST) return value === LAST ? 'infinity' : '-infinity';
  const day = floored(value, DAY);
  const [text = '', era] = dateText(Number(day)).split(' ');
  return `${text} ${timeText(value - day * DAY)}${zoned ? '+00' : ''}${era === undefined ? '' : ' BC'}`;
}
