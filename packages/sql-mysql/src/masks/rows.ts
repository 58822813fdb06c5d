/**
 * Rows of results with masks on some columns. Owns: where each value of a row stands, in text (Protocol::ResultsetRow) and in binary
 * form (Protocol::BinaryResultsetRow). Does not: the masks, nor how a row came in packets.
 */
import { type MySqlColumn, type PacketEditor, Unmasked } from '@sluice/contract';
import { type CellMask, unreadableValues } from '@sluice/masking';
import { bytesOf, conformed, fits, layoutOf, textOf } from './values.js';

const NULL = 0xfb;
const BROKEN = 'The target sent a row that is none.';

export interface RowOptions {
  readonly columns: readonly MySqlColumn[];
  /** One for each column, of its text; undefined where values pass as they are. */
  readonly masks: readonly (RowMask | undefined)[];
  readonly format: 'text' | 'binary';
  /** Told how many cells were given another value. */
  readonly count: (cells: number) => void;
}

/** The mask of one column. */
export interface RowMask {
  readonly cell: CellMask;
  /** How much of the bytes that one row may have for masks a byte of this column takes: 0 where the mask does not look at it. */
  readonly weight: number;
}

/** What masks look at in one row, in bytes: others wait meanwhile. Detectors take some 40 ms for them. */
const MAX_LOOKED_BYTES = 1024 * 1024;
const TOO_LONG = Unmasked.because('the values that masks read in one row of it are too long (1 MiB together)');

/** The editor of rows; undefined where no column has a mask. */
export function rowEditor(options: RowOptions): RowEditor | undefined {
  const { masks, format } = options;
  const places = masks.flatMap((mask, at) => (mask ? [at] : []));
  if (places.length === 0) return undefined;
  const cells = new Cells(options);
  const pieces = format === 'text' ? textRow(options, cells) : binaryRow(options, cells);
  return {
    nullable: new Set(places),
    pieces,
    get unreadable() {
      return cells.unreadable;
    },
  };
}

export interface RowEditor extends Pick<PacketEditor, 'nullable' | 'pieces'> {
  /** Some values were of no form that their mask reads, or it has none for their type, and became NULL. */
  readonly unreadable: boolean;
}

/** The values of one result. */
class Cells {
  readonly #columns: readonly MySqlColumn[];
  readonly #masks: RowOptions['masks'];
  /** Bytes that masks have looked at in this row. */
  #looked = 0;
  unreadable = false;
  /** What was found last to fit each column, and as what it is written. */
  readonly #fitted: ({ readonly made: Buffer; readonly value: Buffer } | undefined)[] = [];

  constructor({ columns, masks }: RowOptions) {
    this.#columns = columns;
    this.#masks = masks;
  }

  begin(): void {
    this.#looked = 0;
  }

  /** Undefined: it may stay. What is no value of the column's type is NULL. */
  text(index: number, bytes: Buffer, start: number, end: number): Buffer | null | undefined {
    const mask = this.#masks[index];
    if (!mask) return undefined;
    this.#looked += mask.weight * (end - start);
    if (this.#looked > MAX_LOOKED_BYTES) throw TOO_LONG;
    const before = unreadableValues();
    const made = mask.cell(bytes, start, end);
    if (unreadableValues() > before) this.unreadable = true;
    if (!made) return made;
    const known = this.#fitted[index];
    if (known?.made.equals(made)) return known.value;
    const column = this.#columns[index] as MySqlColumn;
    if (fits(column, made.toString('latin1'))) return this.#fitting(index, made, conformed(column, made));
    this.unreadable = true;
    return null;
  }

  /** Most masks give the same for row after row. */
  #fitting(index: number, made: Buffer, value: Buffer): Buffer {
    this.#fitted[index] = { made: Buffer.from(made), value: Buffer.from(value) };
    return value;
  }

  /** In place of NULL, in text; undefined: it stays. Whether what is computed is NULL tells of the values that it comes from. */
  inPlaceOfNull(index: number): Buffer | undefined {
    if (this.#masks[index]?.cell.replacesNull !== true) return undefined;
    return this.text(index, NO_BYTES, 0, 0) ?? undefined;
  }

  /** The same for a row in binary form. */
  binaryInPlaceOfNull(index: number): Buffer | undefined {
    const made = this.inPlaceOfNull(index);
    return made && bytesOf(this.#columns[index] as MySqlColumn, made);
  }

  binary(index: number, bytes: Buffer, start: number, end: number): Buffer | null | undefined {
    if (!this.#masks[index]) return undefined;
    const column = this.#columns[index] as MySqlColumn;
    const text = textOf(column, bytes, start, end);
    const made = text && this.text(index, text, 0, text.length);
    if (text && !made) return made;
    const written = made && bytesOf(column, made);
    if (!written) this.unreadable = true;
    return written ?? null;
  }
}

function textRow({ columns, count }: RowOptions, cells: Cells): PacketEditor['pieces'] {
  return (payload) => {
    cells.begin();
    const parts: Buffer[] = [];
    let masked = 0;
    let at = 0;
    let kept = 0;
    for (const index of columns.keys()) {
      const isNull = payload[at] === NULL;
      const start = isNull ? at + 1 : startOf(payload, at);
      const end = isNull ? start : endOf(payload, at, start);
      const made = isNull ? cells.inPlaceOfNull(index) : cells.text(index, payload, start, end);
      if (made !== undefined) {
        parts.push(payload.subarray(kept, at), made === null ? NULL_BYTE : counted(made));
        kept = end;
        masked++;
      }
      at = end;
    }
    if (at !== payload.length) throw new Unmasked(BROKEN);
    if (masked === 0) return [payload];
    count(masked);
    parts.push(payload.subarray(kept));
    return parts;
  };
}

const NO_BYTES = Buffer.alloc(0);
const NULL_BYTE = Buffer.from([NULL]);

/** A header of one byte, a bitmap of NULLs that begins with two bits that are not used, and the values of the others. */
function binaryRow({ columns, count }: RowOptions, cells: Cells): PacketEditor['pieces'] {
  const bitmap = 1 + Math.floor((columns.length + 9) / 8);
  return (payload) => {
    if (payload.length < bitmap || payload[0] !== 0) throw new Unmasked(BROKEN);
    cells.begin();
    const head = Buffer.from(payload.subarray(0, bitmap));
    const parts: Buffer[] = [head];
    let masked = 0;
    let at = bitmap;
    let kept = bitmap;
    for (const [index, column] of columns.entries()) {
      const bit = index + 2;
      const place = 1 + (bit >> 3);
      const layout = layoutOf(column);
      if (((head[place] as number) >> (bit & 7)) & 1) {
        const value = cells.binaryInPlaceOfNull(index);
        if (!value) continue;
        head[place] = (head[place] as number) & ~(1 << (bit & 7));
        parts.push(payload.subarray(kept, at), typeof layout === 'number' ? value : counted(value));
        kept = at;
        masked++;
        continue;
      }
      const start = valueStart(payload, at, layout);
      const end = typeof layout === 'number' ? start + layout : endOf(payload, at, start);
      if (end > payload.length) throw new Unmasked(BROKEN);
      const made = cells.binary(index, payload, start, end);
      if (made !== undefined) {
        parts.push(payload.subarray(kept, at));
        if (made === null) head[place] = (head[place] as number) | (1 << (bit & 7));
        else parts.push(typeof layout === 'number' ? made : counted(made));
        kept = end;
        masked++;
      }
      at = end;
    }
    if (at !== payload.length) throw new Unmasked(BROKEN);
    if (masked === 0) return [payload];
    count(masked);
    parts.push(payload.subarray(kept));
    return parts;
  };
}

const valueStart = (payload: Buffer, at: number, layout: ReturnType<typeof layoutOf>): number => {
  if (typeof layout === 'number') return at;
  return layout === 'short' ? at + 1 : startOf(payload, at);
};

/** Where a value begins whose length stands at `at`. */
function startOf(payload: Buffer, at: number): number {
  const first = payload[at];
  if (first === undefined || first === NULL || first === 0xff) throw new Unmasked(BROKEN);
  if (first < NULL) return at + 1;
  return at + 1 + (SIZES[first - 0xfc] as number);
}

/** Bytes of a length behind 0xfc, 0xfd and 0xfe. */
const SIZES = [2, 3, 8];

function endOf(payload: Buffer, at: number, start: number): number {
  if (start > payload.length) throw new Unmasked(BROKEN);
  const length = lengthAt(payload, at, start - at - 1);
  if (start + length > payload.length) throw new Unmasked(BROKEN);
  return start + length;
}

function lengthAt(payload: Buffer, at: number, size: number): number {
  if (size === 0) return payload[at] as number;
  return size === 8 ? Number(payload.readBigUInt64LE(at + 1)) : payload.readUIntLE(at + 1, size);
}

/** A value with its length in front. */
export function counted(value: Buffer): Buffer {
  const { length } = value;
  if (length < NULL) {
    const made = Buffer.allocUnsafe(1 + length);
    made[0] = length;
    value.copy(made, 1);
    return made;
  }
  const size = SIZES.find((bytes) => length < 2 ** (8 * bytes)) as number;
  const head = Buffer.alloc(1 + size);
  head[0] = 0xfc + SIZES.indexOf(size);
  if (size === 8) head.writeBigUInt64LE(BigInt(length), 1);
  else head.writeUIntLE(length, 1, size);
  return Buffer.concat([head, value]);
}
