/**
 * Masks of the values of one result. Owns: which of them fit their columns, and how much of one row masks look at. Does not: know where
 * a value stands (rows.ts).
 */
import { type MySqlColumn, Unmasked } from '@sluice/contract';
import { type CellMask, unreadableValues } from '@sluice/masking';
import { bytesOf, conformed, fits, isPlainText, textOf } from './values.js';

/** The mask of one column. */
export interface RowMask {
  readonly cell: CellMask;
  /** How much of the bytes that one row may have for masks a byte of this column takes: 0 where the mask does not look at it. */
  readonly weight: number;
}

/** What masks look at in one row, in bytes: others wait meanwhile. Detectors take some 40 ms for them. */
const MAX_LOOKED_BYTES = 1024 * 1024;
const TOO_LONG = Unmasked.because('the values that masks read in one row of it are too long (1 MiB together)');

const NO_BYTES = Buffer.alloc(0);

export class Cells {
  readonly #columns: readonly MySqlColumn[];
  readonly #masks: readonly (RowMask | undefined)[];
  /** Whatever text a mask makes is a value of the column, in both forms. */
  readonly #plain: readonly boolean[];
  /** Bytes that masks have looked at in this row. */
  #looked = 0;
  #unreadableBefore = 0;
  /** Cells of this row that were given another value. */
  masked = 0;
  unreadable = false;
  /** What was found last to fit each column, and as what it is written. */
  readonly #fitted: ({ readonly made: Buffer; readonly value: Buffer } | undefined)[] = [];

  constructor(columns: readonly MySqlColumn[], masks: readonly (RowMask | undefined)[]) {
    this.#columns = columns;
    this.#masks = masks;
    this.#plain = columns.map(isPlainText);
  }

  /** What takes the place of each value of a column, whatever it is, in text rows; undefined: `text` has to be asked. */
  always(index: number): Buffer | undefined {
    return this.#plain[index] === true ? this.#masks[index]?.cell.always : undefined;
  }

  /** Another row. */
  begin(): void {
    this.#looked = 0;
    this.masked = 0;
    this.#unreadableBefore = unreadableValues();
  }

  end(): void {
    if (unreadableValues() > this.#unreadableBefore) this.unreadable = true;
  }

  /** Whether a column has a mask. */
  has(index: number): boolean {
    return this.#masks[index] !== undefined;
  }

  /** Undefined: it may stay as it lies there now. What is no value of the column's type is NULL. */
  text(index: number, bytes: Buffer, start: number, end: number): Buffer | null | undefined {
    const { cell, weight } = this.#masks[index] as RowMask;
    this.#looked += weight * (end - start);
    if (this.#looked > MAX_LOOKED_BYTES) throw TOO_LONG;
    const isPlain = this.#plain[index] === true;
    if (isPlain && cell.edit?.(bytes, start, end) === true) {
      this.masked++;
      return undefined;
    }
    const made = cell(bytes, start, end);
    if (made === undefined) return made;
    this.masked++;
    return made === null || isPlain ? made : this.#fitting(index, made);
  }

  /** Most masks give the same for row after row. */
  #fitting(index: number, made: Buffer): Buffer | null {
    const known = this.#fitted[index];
    if (known?.made.equals(made)) return known.value;
    const column = this.#columns[index] as MySqlColumn;
    if (!fits(column, made.toString('latin1'))) {
      this.unreadable = true;
      return null;
    }
    const value = Buffer.from(conformed(column, made));
    this.#fitted[index] = { made: Buffer.from(made), value };
    return value;
  }

  /** In place of NULL, in text; undefined: it stays. Whether what is computed is NULL tells of the values that it comes from. */
  inPlaceOfNull(index: number): Buffer | undefined {
    if (this.#masks[index]?.cell.replacesNull !== true) return undefined;
    const before = this.masked;
    const made = this.text(index, NO_BYTES, 0, 0) ?? undefined;
    if (!made) this.masked = before;
    return made;
  }

  /** The same for a row in binary form. */
  binaryInPlaceOfNull(index: number): Buffer | undefined {
    const made = this.inPlaceOfNull(index);
    return made && bytesOf(this.#columns[index] as MySqlColumn, made);
  }

  binary(index: number, bytes: Buffer, start: number, end: number): Buffer | null | undefined {
    if (this.#plain[index] === true) return this.text(index, bytes, start, end);
    const column = this.#columns[index] as MySqlColumn;
    const text = textOf(column, bytes, start, end);
    // It stays whatever it is.
    if (!text && this.#masks[index]?.cell.passes) return this.text(index, bytes, start, end);
    const made = text && this.text(index, text, 0, text.length);
    if (text && !made) return made;
    const written = made && bytesOf(column, made);
    if (!written) this.unreadable = true;
    return written ?? null;
  }
}
