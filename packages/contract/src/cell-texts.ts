/**
 * Masks of values whose texts are not in UTF-8, which masks read and write. Owns: that a mask sees such a value as UTF-8, and that what
 * it gives becomes of the encoding again. Does not own: encodings, which are a protocol's or a dialect's. Pure.
 */
import type { CellMask } from './masking.js';

/** One in which a text of ASCII has the bytes of ASCII. */
export interface CellEncoding {
  decode(bytes: Buffer): string;
  /** What it has no bytes for becomes a question mark. */
  encode(text: string): Buffer;
}

/** The same mask for values in the encoding. */
export function encodedCell(mask: CellMask, encoding: CellEncoding): CellMask {
  const { edit, replacesNull, passes } = mask;
  const written = (value: Buffer | null | undefined): Buffer | null | undefined =>
    !value || isAscii(value, 0, value.length) ? value : encoding.encode(value.toString('utf8'));
  const masked = (bytes: Buffer, start: number, end: number): Buffer | null | undefined => {
    if (isAscii(bytes, start, end)) return written(mask(bytes, start, end));
    const text = Buffer.from(encoding.decode(bytes.subarray(start, end)));
    return written(mask(text, 0, text.length));
  };
  return Object.assign(masked, {
    // What keeps its size where it lies, and was ASCII, is ASCII.
    ...(edit && {
      edit: (bytes: Buffer, start: number, end: number) => isAscii(bytes, start, end) && edit(bytes, start, end),
    }),
    ...(replacesNull && { replacesNull }),
    ...(passes && { passes }),
  });
}

function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((bytes[at] as number) >= 0x80) return false;
  return true;
}
