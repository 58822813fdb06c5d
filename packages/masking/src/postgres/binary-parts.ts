/**
 * Masks of arrays and rows in binary of which only some parts are masked. Owns: finding the parts; all that is not masked stays byte
 * for byte. The target says of what type each part is: one that is not what the statement says is NULL. Does not own: the same in text
 * (parts.ts), nor what becomes of a single part.
 */
import { unread } from '../unreadable.js';
import { TEXTS } from './catalog.js';
import { isVersioned } from './json.js';
import type { PartMask } from './part-mask.js';
import { partMaskOf } from './parts.js';
import { type CellMask, Malformed } from './types.js';

const NULL_BYTES = 4;
const NULL_SIZE = -1;
const INT32 = 4;
/** array_send has so many at most (MAXDIM). */
const MAX_DIMENSIONS = 6;

/** What becomes of a value of this type; undefined: it stays. */
type MaskOfType = (type: number) => CellMask | undefined;

/** @param part of an array or a row that is not nested in a text */
export function binaryPartsMask(part: PartMask): CellMask {
  switch (part.type) {
    case 'row':
      return rowMask(part.items.map(maskOfTypes));
    case 'list':
    case 'tuple':
      return arrayMask(part);
    default:
      return unread;
  }
}

/** Made once for each type that a part is found to be of. */
function maskOfTypes(part: PartMask): MaskOfType {
  const made = new Map<number, CellMask | undefined>();
  return (type) => {
    if (!made.has(type)) made.set(type, maskOfPart(part, type));
    return made.get(type);
  };
}

function maskOfPart(part: PartMask, type: number): CellMask | undefined {
  switch (part.type) {
    case 'keep':
      return undefined;
    case 'column':
    case 'mark':
    case 'detect':
      return part.of.oid === type ? partMaskOf(part, 'binary', false) : unread;
    case 'document':
      return partMaskOf(part, 'binary', isVersioned(type, 'binary'));
    default:
      // The text of a row or an array is the same in both formats.
      return TEXTS.has(type) ? partMaskOf(part, 'text', false) : binaryPartsMask(part);
  }
}

/** record_send: int32 fields, and for each int32 type, int32 size (-1 for NULL), bytes. */
function rowMask(fields: readonly MaskOfType[]): CellMask {
  return (bytes, start, end) => {
    const reader = new Parts(bytes, start, end);
    if (reader.int32() !== fields.length) throw new Malformed('not a row');
    for (const field of fields) {
      const type = reader.int32() >>> 0;
      reader.edit(field(type));
    }
    return reader.end();
  };
}

type ArrayParts = Extract<PartMask, { type: 'list' } | { type: 'tuple' }>;

/**
 * array_send: int32 dimensions, int32 whether there are NULLs, int32 type of the elements, for each dimension int32 size and
 * int32 lower bound, then for each element int32 size (-1 for NULL) and its bytes.
 */
function arrayMask(mask: ArrayParts): CellMask {
  const masks = new Map<PartMask, MaskOfType>();
  const cellOf = (part: PartMask, type: number): CellMask | undefined => {
    let ofType = masks.get(part);
    if (!ofType) masks.set(part, (ofType = maskOfTypes(part)));
    return ofType(type);
  };
  return (bytes, start, end) => {
    const reader = new Parts(bytes, start, end);
    const dimensions = reader.int32();
    if (dimensions < 0 || dimensions > MAX_DIMENSIONS) throw new Malformed('not an array');
    const flags = reader.at;
    reader.int32();
    const type = reader.int32() >>> 0;
    const sizes = Array.from({ length: dimensions }, () => {
      const size = reader.int32();
      reader.int32();
      if (size < 1) throw new Malformed('not an array');
      return size;
    });
    editDimension(reader, sizes, mask, (part) => cellOf(part, type));
    const made = reader.end();
    // A part that is NULL now has to be said to be there.
    if (made && reader.hasNulls) made.writeInt32BE(1, flags - start);
    return made;
  };
}

function editDimension(
  reader: Parts,
  [size, ...inner]: readonly number[],
  mask: ArrayParts,
  cellOf: (part: PartMask) => CellMask | undefined,
): void {
  if (size === undefined) return;
  for (let n = 0; n < size; n++) {
    const part = mask.type === 'list' ? mask.item : mask.items[n];
    if (!part) throw new Malformed('not an array');
    if (inner.length === 0) reader.edit(cellOf(part));
    else editDimension(reader, inner, isArray(part) ? part : { type: 'list', item: part }, cellOf);
  }
}

const isArray = (part: PartMask): part is ArrayParts => part.type === 'list' || part.type === 'tuple';

/** Goes through a value, and copies it from where the first part is replaced. */
class Parts {
  at: number;
  hasNulls = false;
  readonly #bytes: Buffer;
  readonly #end: number;
  #copied: number;
  readonly #out: Buffer[] = [];

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes;
    this.at = start;
    this.#copied = start;
    this.#end = end;
  }

  int32(): number {
    const from = this.at;
    this.#skip(INT32);
    return this.#bytes.readInt32BE(from);
  }

  /** A value behind its size. */
  edit(mask: CellMask | undefined): void {
    const head = this.at;
    const size = this.int32();
    const from = this.at;
    if (size < NULL_SIZE) throw new Malformed('a part has no size');
    this.#skip(Math.max(0, size));
    if (size === NULL_SIZE) this.hasNulls = true;
    if (!mask || (size === NULL_SIZE && mask.replacesNull !== true)) return;
    const made = mask(this.#bytes, from, this.at);
    if (made === undefined) return;
    if (made === null) this.hasNulls = true;
    const length = Buffer.alloc(NULL_BYTES);
    length.writeInt32BE(made === null ? NULL_SIZE : made.length);
    // A mask may write over what it gave before.
    this.#out.push(this.#bytes.subarray(this.#copied, head), length, ...(made ? [Buffer.from(made)] : []));
    this.#copied = this.at;
  }

  /** @returns undefined where nothing was replaced. @throws Malformed where something is left */
  end(): Buffer | undefined {
    if (this.at !== this.#end) throw new Malformed('not what the statement puts together');
    if (this.#out.length === 0) return undefined;
    return Buffer.concat([...this.#out, this.#bytes.subarray(this.#copied, this.#end)]);
  }

  #skip(size: number): void {
    if (this.at + size > this.#end) throw new Malformed('a part is longer than its value');
    this.at += size;
  }
}
