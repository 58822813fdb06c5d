/**
 * Masks rows as they come, where that may take long in another thread. Owns which rows those are, and when their memory is
 * given back. Does not own how rows are put together and rewritten (`rows.ts`, `copy.ts`).
 */
import type { CopyMasks, HiddenColumns, ResultMasks, RowRoom } from '@sluice/contract';
import { CopyMask } from './copy.js';
import { type CellTexts, inTheirEncoding } from './encoded.js';
import { type CopyShape, FRAMING, type RowShape } from './framing.js';
import { malformed } from './room.js';
import { type CountedRows, type Memory, RowMask } from './rows.js';

/** Bytes of rows that are copied without a pause, whether masks look at them or not. */
const MAX_COPIED_BYTES = 4 * 1024 * 1024;

/** Of a DataRow: what each row and each of its cells begins with. */
const ROW_HEADER_BYTES = 7;
const CELL_HEADER_BYTES = 4;

/** Rewrites the messages that the rows of one result are in. */
export abstract class RowEditor {
  protected readonly masks: ResultMasks;
  protected readonly room: RowRoom;
  readonly #maskedColumns: number;
  readonly #texts: CellTexts | undefined;

  constructor(masks: ResultMasks, texts?: CellTexts) {
    this.masks = masks;
    this.#texts = texts;
    this.room = masks.room;
    this.#maskedColumns = masks.cells.filter((mask) => mask !== undefined).length;
  }

  /**
   * Takes messages as they come, cut anywhere, and gives those that are whole, masked. `memory` is where they may lie if they
   * have to be made anew; `counted`: what is known of them already. A promise where that takes long: nothing may be pushed
   * before it has settled.
   *
   * @throws Unmasked; nothing of the row in question has passed then
   */
  push(bytes: Buffer, memory?: Memory, counted?: CountedRows): Buffer | Promise<Buffer> {
    const { room } = this;
    room.left();
    room.moved();
    const made = this.rewrite(bytes, memory, counted);
    // Rows that are whole go first: what they take is given back then, and others may be waiting for it.
    const { wait } = room;
    return !wait || made instanceof Promise || made.length > 0 ? made : wait.then(() => made);
  }

  protected abstract rewrite(bytes: Buffer, memory?: Memory, counted?: CountedRows): Buffer | Promise<Buffer>;

  /**
   * At the end of the rows.
   *
   * @throws Unmasked when that is in the middle of one
   */
  abstract end(): void;

  /** Bytes that `push` promised have left for the client; `all`: no more of them are to come. */
  sent(all: boolean): void {
    this.room.moved();
    if (all) this.room.left();
  }

  get hidden(): HiddenColumns | undefined {
    return this.masks.hidden;
  }

  late(): HiddenColumns | undefined {
    return this.masks.late?.();
  }

  protected hasManyCells(rows: number): boolean {
    return rows * this.#maskedColumns > this.masks.inline.cells;
  }

  protected async elsewhere(rows: Buffer, copy?: CopyShape): Promise<Buffer> {
    const { room } = this;
    room.isMasking = true;
    try {
      const texts = this.#texts;
      const shape: RowShape = { limit: room.limit, ...(copy && { copy }), ...(texts && { texts }) };
      return await this.masks.elsewhere(FRAMING, rows, shape);
    } catch (error) {
      room.clear();
      throw error;
    } finally {
      room.isMasking = false;
      room.moved();
    }
  }
}

/** Of DataRow messages. */
export class DataRowEditor extends RowEditor {
  readonly #rows: RowMask;

  constructor(masks: ResultMasks, texts: CellTexts | undefined) {
    super(masks, texts);
    // What the target sent is nobody else's: it may be edited where it lies.
    this.#rows = new RowMask(inTheirEncoding(masks.cells, texts), { owned: true, room: masks.room });
  }

  protected rewrite(bytes: Buffer, memory?: Memory, counted?: CountedRows): Buffer | Promise<Buffer> {
    const { chunk, end, rows } = this.#rows.take(bytes, counted);
    if (this.#takesLong(chunk, end, rows)) {
      const whole = chunk.subarray(0, end);
      return this.elsewhere(chunk === bytes ? Buffer.from(whole) : whole);
    }
    let made: Buffer | undefined;
    this.masks.here(() => {
      const before = this.#rows.masked;
      made = this.#rows.rewrite(chunk, 0, end, memory);
      return this.#rows.masked - before;
    });
    return made as Buffer;
  }

  #takesLong(chunk: Buffer, end: number, rows: number): boolean {
    if (this.hasManyCells(rows) || end > MAX_COPIED_BYTES) return true;
    const { cells, inline } = this.masks;
    // What frames the cells is no work for masks: one read of a socket needs no look at its cells to know that.
    const atMost = end - rows * (ROW_HEADER_BYTES + cells.length * CELL_HEADER_BYTES);
    return atMost > inline.bytes && this.#rows.lookedAt(chunk, end) > inline.bytes;
  }

  end(): void {
    if (this.#rows.pending > 0) throw malformed('the rows of the target end in the middle of one');
  }
}

/** Of CopyData messages. Cells of COPY lie between delimiters: all bytes of a row count as looked at. */
export class CopyDataEditor extends RowEditor {
  readonly #format: CopyMasks['format'];
  readonly #rows: CopyMask;

  constructor(masks: CopyMasks, texts: CellTexts | undefined) {
    super(masks, texts);
    this.#format = masks.format;
    this.#rows = new CopyMask(masks.format, inTheirEncoding(masks.cells, texts), masks.room);
  }

  protected rewrite(chunk: Buffer): Buffer | Promise<Buffer> {
    const cut = this.#rows.take(chunk);
    const { rows, first } = cut;
    let bytes = 0;
    for (const { length } of rows) bytes += length;
    if (bytes > this.masks.inline.bytes || this.hasManyCells(rows.length)) {
      const sizes = Uint32Array.from(rows, ({ length }) => length);
      const [row] = rows;
      const own = rows.length === 1 && row && row.buffer !== chunk.buffer ? row : Buffer.concat(rows, bytes);
      return this.elsewhere(own, { format: this.#format, sizes, first });
    }
    let made: Buffer | undefined;
    this.masks.here(() => {
      const before = this.#rows.masked;
      made = this.#rows.rewrite(cut);
      return this.#rows.masked - before;
    });
    return made as Buffer;
  }

  end(): void {
    this.#rows.end();
  }
}
