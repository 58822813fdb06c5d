/**
 * Masks rows as they come, where they may take long in another thread. Owns which rows those are. Does not own how rows are
 * put together and rewritten (`rows.ts`).
 */
import { type ColumnMask, cellMaskOf } from './column-mask.js';
import type { LargeRows } from './large-rows.js';
import { unreadableValues } from './mask.js';
import { maskInThread } from './masking-thread.js';
import { type Memory, RowMask } from './rows.js';
import { LONGEST_ROW } from './unmaskable.js';

/** Bytes that masks look at without a pause: no more than come in one read of a socket. Detectors take some 10 ms for them. */
export const MAX_INLINE_BYTES = 256 * 1024;

export class RowMasking {
  readonly #columns: readonly (ColumnMask | undefined)[];
  readonly #limit: number;
  readonly #rows: RowMask;
  readonly #count: (cells: number) => void;
  /** Some values were of no form that their mask reads, and became NULL. */
  unreadable = false;

  /** `count` is told how many cells were given another value. */
  constructor(
    columns: readonly (ColumnMask | undefined)[],
    { count, large, limit = LONGEST_ROW }: { count: (cells: number) => void; large?: LargeRows; limit?: number },
  ) {
    this.#columns = columns;
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
    const { chunk, end } = this.#rows.take(bytes);
    if (end > MAX_INLINE_BYTES && this.#rows.lookedAt(chunk, end) > MAX_INLINE_BYTES) {
      const rows = chunk.subarray(0, end);
      const job = { columns: this.#columns, limit: this.#limit };
      return maskInThread(job, chunk === bytes ? Buffer.from(rows) : rows).then((made) => {
        this.#count(made.cells);
        this.unreadable ||= made.unreadable;
        return made.rows;
      });
    }
    const [before, unreadBefore] = [this.#rows.masked, unreadableValues()];
    const made = this.#rows.rewrite(chunk, 0, end, memory);
    this.#count(this.#rows.masked - before);
    this.unreadable ||= unreadableValues() > unreadBefore;
    return made;
  }
}
