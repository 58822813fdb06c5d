/**
 * Strings of JSON as they are written, and what they say. Owns: escapes, both ways, and which byte of the one is which of the other. Does
 * not: tell where a string ends.
 */

/** What a string says, in UTF-8; a surrogate without its other half is U+FFFD. */
export interface Said {
  readonly bytes: Buffer;
  /** Where what stands at a byte is written; of the end too. */
  at(position: number): number;
}

const BACKSLASH = 0x5c;
const U = 0x75;
const SIMPLE = new Int16Array(256).fill(-1);
for (const [sign, byte] of [
  ['"', 0x22],
  ['\\', 0x5c],
  ['/', 0x2f],
  ['b', 0x08],
  ['f', 0x0c],
  ['n', 0x0a],
  ['r', 0x0d],
  ['t', 0x09],
] as const)
  SIMPLE[sign.charCodeAt(0)] = byte;

/** Undefined: some escape is none. `start` and `end` are behind and before the quotes. */
export function saidBy(raw: Buffer, start: number, end: number): Said | undefined {
  const bytes = Buffer.allocUnsafe(end - start);
  const places = new Int32Array(end - start + 1);
  let to = 0;
  let from = start;
  while (from < end) {
    const byte = raw[from] as number;
    if (byte !== BACKSLASH) {
      places[to] = from++;
      bytes[to++] = byte;
      continue;
    }
    const sign = raw[from + 1] as number;
    const simple = from + 1 < end ? (SIMPLE[sign] as number) : -1;
    if (simple >= 0) {
      places[to] = from;
      bytes[to++] = simple;
      from += 2;
      continue;
    }
    const first = sign === U ? unit(raw, from + 2, end) : -1;
    if (first < 0) return undefined;
    const second = isHigh(first) && raw[from + 6] === BACKSLASH && raw[from + 7] === U ? unit(raw, from + 8, end) : -1;
    const paired = isLow(second);
    const point = paired ? 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00) : first;
    const size = write(bytes, to, isHigh(point) || isLow(point) ? 0xfffd : point);
    places.fill(from, to, to + size);
    to += size;
    from += paired ? 12 : 6;
  }
  places[to] = end;
  return { bytes: bytes.subarray(0, to), at: (position) => places[position] as number };
}

export const isHigh = (unit16: number): boolean => unit16 >= 0xd800 && unit16 <= 0xdbff;
export const isLow = (unit16: number): boolean => unit16 >= 0xdc00 && unit16 <= 0xdfff;

const unit = (raw: Buffer, from: number, end: number): number => (from + 4 > end ? -1 : hexAt(raw, from, from + 4));

/** The number that is written there; -1: there is none. */
export function hexAt(raw: Buffer, from: number, end: number): number {
  if (end > raw.length) return -1;
  let value = 0;
  for (let at = from; at < end; at++) {
    const digit = HEX[raw[at] as number] as number;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/** Value of a hexadecimal digit; -1: it is none. */
export const HEX = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit++) {
  HEX[digit.toString(16).charCodeAt(0)] = digit;
  HEX[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

/** Returns how many bytes it takes. */
export function write(bytes: Buffer, at: number, point: number): number {
  if (point < 0x80) {
    bytes[at] = point;
    return 1;
  }
  if (point < 0x800) {
    bytes[at] = 0xc0 | (point >> 6);
    bytes[at + 1] = 0x80 | (point & 0x3f);
    return 2;
  }
  if (point < 0x10000) {
    bytes[at] = 0xe0 | (point >> 12);
    bytes[at + 1] = 0x80 | ((point >> 6) & 0x3f);
    bytes[at + 2] = 0x80 | (point & 0x3f);
    return 3;
  }
  bytes[at] = 0xf0 | (point >> 18);
  bytes[at + 1] = 0x80 | ((point >> 12) & 0x3f);
  bytes[at + 2] = 0x80 | ((point >> 6) & 0x3f);
  bytes[at + 3] = 0x80 | (point & 0x3f);
  return 4;
}

/** A text as it stands between quotes. */
export const escaped = (text: string): string => JSON.stringify(text).slice(1, -1);
