/** Classes of bytes by table, and looks to the left and right, for detectors. Pure. */

/** Classes of bytes by table, and looks to the left. Every text is UTF-8; a byte from 0x80 on is part of a longer character. */
export type ByteClass = Uint8Array;

/** A table that is 1 for every byte of `characters`, and for all bytes of longer characters if asked. */
export function byteClass(characters: string, beyondAscii = false): ByteClass {
  const table = new Uint8Array(256);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  if (beyondAscii) table.fill(1, 0x80);
  return table;
}

export const DIGITS = '0123456789';
export const UPPER = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
export const LOWER = 'abcdefghijklmnopqrstuvwxyz';

export const ALNUM = byteClass(DIGITS + UPPER + LOWER);
export const LETTER = byteClass(UPPER + LOWER);
export const BASE64URL = byteClass(`${DIGITS}${UPPER}${LOWER}-_`);
/** Ends a token in ordinary text: spaces, quotes and brackets. */
export const BREAK = byteClass(' \t\r\n\f\v\0"\'`<>');

export const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39;

/** The first position from `at` on whose byte is not of the class, or `end`. */
export function skip(bytes: Uint8Array, at: number, end: number, of: ByteClass): number {
  let to = at;
  while (to < end && of[bytes[to] as number] === 1) to++;
  return to;
}

/** The first position from `at` on whose byte is of the class, or `end`. */
export function skipTo(bytes: Uint8Array, at: number, end: number, of: ByteClass): number {
  let to = at;
  while (to < end && of[bytes[to] as number] === 0) to++;
  return to;
}

/** A number, or a word, does not start at `at` when one goes on there: behind a letter or digit. */
export const startsAt = (bytes: Uint8Array, at: number, start: number): boolean =>
  at === start || ALNUM[bytes[at - 1] as number] === 0;

export const endsAt = (bytes: Uint8Array, at: number, end: number): boolean =>
  at === end || ALNUM[bytes[at] as number] === 0;

/** Whether `text` (ASCII) stands at `at`, before `end`. */
export function has(bytes: Uint8Array, at: number, end: number, text: string): boolean {
  if (at < 0 || at + text.length > end) return false;
  for (let n = 0; n < text.length; n++) if (bytes[at + n] !== text.charCodeAt(n)) return false;
  return true;
}

/** The bytes as Latin-1, one character for each: for patterns over short pieces, whose offsets stay those of bytes. */
export const latin1 = (bytes: Buffer, from: number, to: number): string => bytes.toString('latin1', from, to);

/** Nothing but spaces and quotes is beside it: the value is all that there is. */
export function isAlone(bytes: Uint8Array, from: number, to: number, start: number, end: number): boolean {
  let left = from;
  while (left > start && BREAK[bytes[left - 1] as number] === 1) left--;
  return left === start && skip(bytes, to, end, BREAK) === end;
}

/**
 * Whether a letter comes within `reach` bytes before `at`, and no digit in between: only then can a word there be what a number
 * is called, and only then is it worth looking for one.
 */
export function followsWord(bytes: Uint8Array, at: number, start: number, reach: number): boolean {
  for (let from = at - 1; from >= start && from >= at - reach; from--) {
    const byte = bytes[from] as number;
    if (LETTER[byte] === 1) return true;
    if (isDigit(byte)) return false;
  }
  return false;
}
