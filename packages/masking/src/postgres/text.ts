/** Masks of texts, within the limit of their type. Pure. */
import { isUtf8 } from 'node:buffer';
import { maskText, SEPARATORS, MIN_PARTIAL_CHARACTERS } from '../modes.js';
import type { CellMask, MaskOptions } from './types.js';

const TYPMOD_HEADER = 4;

/** text, varchar, name and their like: `limit` characters at most, from the typmod (which counts a header of 4). */
export function textMask(options: MaskOptions, limit?: number): CellMask {
  const { mode } = options;
  if (mode.type === 'null') return () => null;
  if (mode.type === 'redact') {
    const constant = Buffer.from(maskText('', options, limit) ?? '');
    return Object.assign(() => constant, { always: constant });
  }
  const mask = (bytes: Buffer, start: number, end: number): Buffer | null => {
    const text = masked(bytes, start, end, options, limit);
    return text === null ? null : Buffer.from(text);
  };
  if (mode.type !== 'partial') return mask;
  return Object.assign(mask, {
    edit: (bytes: Buffer, start: number, end: number) => editPartial(bytes, start, end, mode.keepLast ?? 4),
  });
}

export const limitOf = (typmod: number | undefined): number | undefined =>
  typmod === undefined || typmod < TYPMOD_HEADER ? undefined : typmod - TYPMOD_HEADER;

/** char(n): what pads a value to its size is not part of it, and the mask is padded again. */
export function paddedMask(options: MaskOptions, limit?: number): CellMask {
  return (bytes, start, end) => {
    let last = end;
    while (last > start && bytes[last - 1] === 0x20) last--;
    const text = masked(bytes, start, last, options, limit);
    return text === null ? null : Buffer.from(text + ' '.repeat(Math.max(0, (limit ?? 0) - Array.from(text).length)));
  };
}

function masked(bytes: Buffer, start: number, end: number, options: MaskOptions, limit?: number): string | null {
  if (!isUtf8(bytes.subarray(start, end))) return null;
  return maskText(bytes.toString('utf8', start, end), options, limit);
}

/** `partial` where a character is a byte. */
function editPartial(bytes: Buffer, start: number, end: number, keep: number): boolean {
  const size = end - start;
  if (size < MIN_PARTIAL_CHARACTERS) return false;
  let mail = -1;
  let dot = -1;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte >= 0x80) return false;
    if (byte === 0x40) mail = at;
    else if (byte === 0x2e) dot = at;
  }
  const isMail = mail > start && dot > mail;
  const to = isMail ? mail : end - Math.min(keep, size >> 1);
  for (let at = isMail ? start + 1 : start; at < to; at++) {
    if (KEPT[bytes[at] as number] === 0) bytes[at] = 0x2a;
  }
  return true;
}

const KEPT = new Uint8Array(256);
for (const one of SEPARATORS) KEPT[one.charCodeAt(0)] = 1;
