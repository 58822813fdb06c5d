/** Ways in which a text hides another one. Owns: taking off one of them. Does not: look at what comes out. */
import { isUtf8 } from 'node:buffer';
import { HEX, hexAt, isHigh, isLow, write } from './escapes.js';

const PERCENT = 0x25;
const BASE64 = new Uint8Array(256);
for (const sign of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_') BASE64[sign.charCodeAt(0)] = 1;
/** Lines of base64 in mails. */
const LINE_END = new Set([0x0d, 0x0a]);
/** Fewer letters hold nothing that is looked for. */
const MIN_BASE64_LETTERS = 11;
/** `data:image/png;base64,`: its head is no longer. */
const MAX_DATA_HEAD_BYTES = 256;

/** The bytes with all percent signs decoded; undefined: there are none. `plus`: a plus is a blank, as in forms. */
export function percentDecoded(text: Buffer, plus = false): Buffer | undefined {
  let at = text.indexOf(PERCENT);
  if (at < 0 && !(plus && text.includes(0x2b))) return undefined;
  const out = Buffer.allocUnsafe(text.length);
  let to = 0;
  for (at = 0; at < text.length; at++) {
    const byte = text[at] as number;
    const high = byte === PERCENT && at + 2 < text.length ? (HEX[text[at + 1] as number] as number) : -1;
    const low = high >= 0 ? (HEX[text[at + 2] as number] as number) : -1;
    if (low >= 0) at += 2;
    out[to++] = low >= 0 ? high * 16 + low : plus && byte === 0x2b ? 0x20 : byte;
  }
  return out.subarray(0, to);
}

/** All of it is base64, in either alphabet, with or without the signs at its end. */
export function isBase64(text: Buffer): boolean {
  let letters = 0;
  let at = 0;
  for (; at < text.length; at++) {
    const byte = text[at] as number;
    if (BASE64[byte] === 1) letters++;
    else if (!LINE_END.has(byte)) break;
  }
  for (; at < text.length; at++) if (text[at] !== 0x3d && !LINE_END.has(text[at] as number)) return false;
  return letters >= MIN_BASE64_LETTERS && letters % 4 !== 1;
}

/** So many letters tell whether a text is in there: of random bytes hardly any are one. */
const TOLD_LETTERS = 24;

/**
 * Whether what base64 says may be a text, by its beginning: identifiers and hashes have its letters as well, and are many. True also where
 * that is not known.
 */
export function startsText(bytes: Buffer, start: number, end: number): boolean {
  let bits = 0;
  let size = 0;
  /** Bytes that a character of UTF-8 still needs. */
  let owed = 0;
  for (let at = start; at < Math.min(end, start + TOLD_LETTERS); at++) {
    const value = VALUES[bytes[at] as number] as number;
    if (value < 0) return true;
    bits = ((bits << 6) | value) & 0xffff;
    size += 6;
    if (size < 8) continue;
    size -= 8;
    const byte = (bits >> size) & 0xff;
    if (owed > 0) {
      if ((byte & 0xc0) !== 0x80) return false;
      owed--;
    } else if (byte < 0x80) {
      if (byte === 0x7f || (byte < 0x20 && (byte < 0x09 || byte > 0x0d))) return false;
    } else if (byte < 0xc2 || byte > 0xf4) return false;
    else if (byte < 0xe0) owed = 1;
    else owed = byte < 0xf0 ? 2 : 3;
  }
  return true;
}

const VALUES = new Int8Array(256).fill(-1);
for (const [value, sign] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.split('').entries(),
  [62, '-'] as const,
  [63, '_'] as const,
])
  VALUES[sign.charCodeAt(0)] = value;

const base64Decoded = (text: Buffer): Buffer | undefined =>
  isBase64(text) && startsText(text, 0, text.length) ? Buffer.from(text.toString('latin1'), 'base64') : undefined;

/**
 * A text with the escapes in it that JSON has in its strings: behind a guard against scripts, in a call of a function, or within another text.
 * Undefined: there are none.
 */
export function unescaped(text: Buffer): Buffer | undefined {
  if (!text.includes(BACKSLASH)) return undefined;
  const raw = isUtf8(text) ? text : Buffer.from(text.toString('utf8'));
  const out = Buffer.allocUnsafe(raw.length);
  let to = 0;
  let hasEscapes = false;
  for (let at = 0; at < raw.length; ) {
    const end = raw[at] === BACKSLASH ? endOfEscape(raw, at) : 0;
    if (end === 0) {
      out[to++] = raw[at++] as number;
      continue;
    }
    hasEscapes = true;
    let point = end - at === 2 ? SLASH : hexAt(raw, at + 2, end);
    at = end;
    // Halves of a character are one where both are escapes.
    const low = isHigh(point) && raw[at] === BACKSLASH && raw[at + 1] === U ? hexAt(raw, at + 2, at + 6) : -1;
    if (isLow(low)) {
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
      at += 6;
    }
    // What does not show would make it no text.
    to += write(out, to, isHigh(point) || isLow(point) ? 0xfffd : point < 0x20 || point === 0x7f ? 0x20 : point);
  }
  return hasEscapes ? out.subarray(0, to) : undefined;
}

const BACKSLASH = 0x5c;
const SLASH = 0x2f;
const U = 0x75;
const X = 0x78;

/** Of one of JSON or of scripts that says the same in all of them: `\u0041`, `\x41`, `\/`. 0: there is none. */
function endOfEscape(raw: Buffer, at: number): number {
  const sign = raw[at + 1];
  if (sign === SLASH) return at + 2;
  const end = sign === U ? at + 6 : sign === X ? at + 4 : 0;
  return end > 0 && hexAt(raw, at + 2, end) >= 0 ? end : 0;
}

/** All that a text may say, decoded once. `forms`: also as fields of a form, in which a plus is a blank. */
export function decodings(text: Buffer, forms: boolean): readonly Buffer[] {
  const data = dataOf(text);
  const found = [
    data,
    percentDecoded(text),
    forms && text.includes(0x3d) && text.includes(0x2b) ? percentDecoded(text, true) : undefined,
    base64Decoded(text),
    unescaped(text),
  ];
  return found.filter((one) => one !== undefined);
}

/** What a `data:` address has (RFC 2397). */
function dataOf(text: Buffer): Buffer | undefined {
  if (text.toString('latin1', 0, 5).toLowerCase() !== 'data:') return undefined;
  const comma = text.subarray(0, MAX_DATA_HEAD_BYTES).indexOf(0x2c);
  if (comma < 0) return undefined;
  const body = text.subarray(comma + 1);
  const isCoded = /;\s*base64\s*$/i.test(text.toString('latin1', 0, comma));
  return isCoded ? base64Decoded(percentDecoded(body) ?? body) : percentDecoded(body);
}
