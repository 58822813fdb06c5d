/**
 * Masks rows as they come, where that may take long in another thread. Owns which rows those are. Does not own how rows are
 * put together and rewritten (`rows.ts`, `copy.ts`).
 */
import { type ColumnMask, cellMaskOf } from './column-mask.js';
import { type CopyFormat, CopyMask } from './copy.js';
import type { LargeRows } from './large-rows.js';
import { type MaskedRows, maskInThread } from './masking-thread.js';
import { type Memory, RowMask } from './rows.js';
import { LONGEST_ROW } from './unmaskable.js';

/** Bytes that masks look at without a pause: no more than come in one read of a socket. Detectors take some 10 ms for them. */
export const MAX_INLINE_BYTES = 256 * 1024;
/** Masked cells that are looked at without a pause: a hash for each of so many takes some 20 ms. */
export const MAX_INLINE_CELLS = 16 * 1024;

export interface RowMaskingOptions {
  /** Is told how many cells were given another value. */
  readonly count: (cells: number) => void;
  readonly large?: LargeRows;
  readonly limit?: number;
}

export class RowMasking {
  readonly #columns: readonly (ColumnMask | undefined)[];
  readonly #maskedColumns: number;
  readonly #limit: number;
  readonly #rows: RowMask;
  readonly #count: (cells: number) => void;

  constructor(columns: readonly (ColumnMask | undefined)[], { count, large, limit = LONGEST_ROW }: RowMaskingOptions) {
    this.#columns = columns;
    this.#maskedColumns = countMasked(columns);
    this.#count = count;
    this.#limit = limit;
    // What the target sent is nobody else's: it may be edited where it lies.
    this.#rows = new RowMask(columns.map(cellMaskOf), { limit, owned: true, ...(large && { large }) });
  }

  /** Bytes of a row whose rest has not come. */
  get pending(): number {
    return this.#rows.pending;
  }

  /**
   * Takes DataRow messages as they come, cut anywhere, and gives those that are whole, masked. A promise where that takes
   * long: nothing may be pushed before it has settled.
   *
   * @throws Unmaskable
   */
  push(bytes: Buffer, memory?: Memory): Buffer | Promise<Buffer> {
    const { chunk, end, rows } = this.#rows.take(bytes);
    if (this.#takesLong(chunk, end, rows)) {
      const whole = chunk.subarray(0, end);
      const job = { columns: this.#columns, limit: this.#limit };
      return counted(maskInThread(job, chunk === bytes ? Buffer.from(whole) : whole), this.#count);
    }
    const before = this.#rows.masked;
    const made = this.#rows.rewrite(chunk, 0, end, memory);
    this.#count(this.#rows.masked - before);
    return made;
  }

  #takesLong(chunk: Buffer, end: number, rows: number): boolean {
    if (rows * this.#maskedColumns > MAX_INLINE_CELLS) return true;
    return end > MAX_INLINE_BYTES && this.#rows.lookedAt(chunk, end) > MAX_INLINE_BYTES;
  }
}

/** The same for COPY data. */
export class CopyMasking {
  readonly #columns: readonly (ColumnMask | undefined)[];
  readonly #maskedColumns: number;
  readonly #format: CopyFormat;
  readonly #limit: number;
  readonly #rows: CopyMask;
  readonly #count: (cells: number) => void;

  constructor(
    format: CopyFormat,
    columns: readonly (ColumnMask | undefined)[],
    { count, large, limit = LONGEST_ROW }: RowMaskingOptions,
  ) {
    this.#columns = columns;
    this.#maskedColumns = countMasked(columns);
    this.#format = format;
    this.#count = count;
    this.#limit = limit;
    this.#rows = new CopyMask(format, columns.map(cellMaskOf), limit, large);
  }

  /** Takes CopyData messages as `RowMasking.push` takes DataRow messages. Cells of COPY lie between delimiters: all bytes count. */
  push(chunk: Buffer): Buffer | Promise<Buffer> {
    const cut = this.#rows.take(chunk);
    const { rows, first } = cut;
    const sizes = Uint32Array.from(rows, ({ length }) => length);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    if (bytes > MAX_INLINE_BYTES || rows.length * this.#maskedColumns > MAX_INLINE_CELLS) {
      const [row] = rows;
      const own = rows.length === 1 && row && row.buffer !== chunk.buffer ? row : Buffer.concat(rows, bytes);
      const job = { columns: this.#columns, limit: this.#limit, copy: { format: this.#format, sizes, first } };
      return counted(maskInThread(job, own), this.#count);
    }
    const before = this.#rows.masked;
    const made = this.#rows.rewrite(cut);
    this.#count(this.#rows.masked - before);
    return made;
  }

  /** At CopyDone. @throws Unmaskable when the data ends inside a row */
  end(): void {
    this.#rows.end();
  }
}

const countMasked = (columns: readonly (ColumnMask | undefined)[]): number =>
  columns.filter((column) => column !== undefined).length;

async function counted(masked: Promise<MaskedRows>, count: (cells: number) => void): Promise<Buffer> {
  const { rows, cells } = await masked;
  count(cells);
  return rows;
}
