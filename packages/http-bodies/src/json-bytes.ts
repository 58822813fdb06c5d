/** Bytes of JSON (RFC 8259 section 2) by what they mean. Owns: the tables. Does not: know where in a document it is. */
import { startsText } from './decodings.js';

export const LF = 0x0a;
export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
/** Of bytes within a string: what they mean for how it is looked at. */
const BEYOND_BASE64 = 1;
export const ESCAPE = 2;
export const CONTROL = 4;
export const BEYOND_ASCII = 8;
const PERCENT = 16;
export const MEANING = new Uint8Array(256).fill(BEYOND_BASE64);
for (const sign of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=')
  MEANING[sign.charCodeAt(0)] = 0;
MEANING.fill(BEYOND_BASE64 | CONTROL, 0, 0x20);
MEANING.fill(BEYOND_BASE64 | BEYOND_ASCII, 0x80);
MEANING[BACKSLASH] = ESCAPE;
MEANING[0x25] = BEYOND_BASE64 | PERCENT;
/** Begins or continues a number, or a word. */
export const PLAIN = new Uint8Array(256);
for (const sign of '+-.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ') PLAIN[sign.charCodeAt(0)] = 1;
export const BLANK = new Uint8Array(256);
for (const sign of ' \t\r\n') BLANK[sign.charCodeAt(0)] = 1;
/** May stand before a text; what reads JSON is given what is behind it (RFC 8259 section 8.1). */
export const BOM: Buffer = Buffer.from([0xef, 0xbb, 0xbf]);
/** Parts the documents of a sequence (RFC 7464). */
export const RECORD = 0x1e;
export const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;
const WRITTEN_WORDS: readonly string[] = ['true', 'false', 'null'];
export const WORDS: ReadonlySet<string> = new Set(WRITTEN_WORDS);
/** `a@b.co` has so many, and of passwords none with fewer counts. */
export const MIN_FOUND_BYTES = 6;
/** A card has 13 digits or more. */
export const MIN_FOUND_DIGITS = 13;

export const hashed = (hash: number, byte: number): number => (Math.imul(hash, 31) + byte) | 0;

/** A number without an exponent that is too short to be looked at, or a word, as most are. */
export function isShortPlain(bytes: Buffer, start: number, end: number): boolean {
  if (end - start >= MIN_FOUND_DIGITS) return false;
  const from = bytes[start] === 0x2d ? start + 1 : start;
  const whole = behindDigits(bytes, from, end);
  if (whole === from) return isWord(bytes, start, end);
  if (bytes[from] === 0x30 && whole > from + 1) return false;
  if (whole === end) return true;
  return bytes[whole] === 0x2e && whole + 1 < end && behindDigits(bytes, whole + 1, end) === end;
}

function behindDigits(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && (bytes[at] as number) >= 0x30 && (bytes[at] as number) <= 0x39) at++;
  return at;
}

function isWord(bytes: Buffer, start: number, end: number): boolean {
  for (const word of WRITTEN_WORDS) {
    if (word.length !== end - start) continue;
    let at = 0;
    while (at < word.length && bytes[start + at] === word.charCodeAt(at)) at++;
    if (at === word.length) return true;
  }
  return false;
}

/** Whether a string may be looked at in another way than as it is, so that most are not. */
export function mayBeHidden(meaning: number, bytes: Buffer, start: number, end: number): boolean {
  if ((meaning & PERCENT) !== 0) return true;
  if ((meaning & BEYOND_BASE64) === 0) return end - start > 10 && startsText(bytes, start, end);
  const first = bytes[start];
  return first === 0x7b || first === 0x5b || first === 0x20 || first === 0x64 || first === 0x44;
}
