/**
 * Masks rows as they come, where that may take long in another thread. Owns which rows those are. Does not own how rows are
 * put together and rewritten (`rows.ts`, `copy.ts`).
 */
import { type ColumnMask, cellMaskOf } from './column-mask.js';
import { CopyMask } from './copy.js';
import type { CopyFormat } from './copy-format.js';
import { RowRoom } from './large-rows.js';
import { unreadableValues } from './mask.js';
import { type MaskedRows, maskInThread } from './masking-thread.js';
import { type Memory, RowMask } from './rows.js';
import type { PgType } from './types.js';

/** Bytes that masks look at without a pause: no more than come in one read of a socket. Detectors take some 10 ms for them. */
export const MAX_INLINE_BYTES = 256 * 1024;
/** Masked cells that are looked at without a pause: a hash for each of so many takes some 20 ms. */
export const MAX_INLINE_CELLS = 16 * 1024;
/** As many bytes, where each of them may be a part of a value that gets a hash of its own. */
const MAX_INLINE_BYTES_OF_HASHED_PARTS = MAX_INLINE_CELLS;
/** Bytes of rows that are copied without a pause, whether masks look at them or not. */
const MAX_COPIED_BYTES = 4 * 1024 * 1024;

/** Of a DataRow: what each row and each of its cells begins with. */
const ROW_HEADER_BYTES = 7;
const CELL_HEADER_BYTES = 4;

export interface RowMaskingOptions {
  /** Is told how many cells were given another value. */
  readonly count: (cells: number) => void;
  /** Of the session. */
  readonly room?: RowRoom;
}

export class RowMasking {
  readonly #columns: readonly (ColumnMask | undefined)[];
  readonly #maskedColumns: number;
  readonly #inlineBytes: number;
  readonly #room: RowRoom;
  readonly #rows: RowMask;
  readonly #count: (cells: number) => void;
  /** Some values were of no form that their mask reads, and became NULL. */
  unreadable = false;

  constructor(columns: readonly (ColumnMask | undefined)[], { count, room = new RowRoom() }: RowMaskingOptions) {
    this.#columns = columns;
    this.#maskedColumns = countMasked(columns);
    this.#inlineBytes = inlineBytesOf(columns);
    this.#count = count;
    this.#room = room;
    // What the target sent is nobody else's: it may be edited where it lies.
    this.#rows = new RowMask(columns.map(cellMaskOf), { owned: true, room });
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
    this.#room.left();
    this.#room.moved();
    return whenRoom(this.#room, this.#push(bytes, memory));
  }

  /** Bytes that `push` promised have left for the client; `all`: no more of them are to come. */
  sent(all: boolean): void {
    sent(this.#room, all);
  }

  #push(bytes: Buffer, memory?: Memory): Buffer | Promise<Buffer> {
    const { chunk, end, rows } = this.#rows.take(bytes);
    if (this.#takesLong(chunk, end, rows)) {
      const whole = chunk.subarray(0, end);
      const job = { columns: this.#columns, limit: this.#room.limit };
      return counted(this, maskInThread(job, chunk === bytes ? Buffer.from(whole) : whole), this.#room, this.#count);
    }
    const [before, unreadBefore] = [this.#rows.masked, unreadableValues()];
    const made = this.#rows.rewrite(chunk, 0, end, memory);
    this.#count(this.#rows.masked - before);
    this.unreadable ||= unreadableValues() > unreadBefore;
    return made;
  }

  #takesLong(chunk: Buffer, end: number, rows: number): boolean {
    if (rows * this.#maskedColumns > MAX_INLINE_CELLS) return true;
    if (end > MAX_COPIED_BYTES) return true;
    // What frames the cells is no work for masks: one read of a socket needs no look at its cells to know that.
    const atMost = end - rows * (ROW_HEADER_BYTES + this.#columns.length * CELL_HEADER_BYTES);
    return atMost > this.#inlineBytes && this.#rows.lookedAt(chunk, end) > this.#inlineBytes;
  }
}

/** The same for COPY data. */
export class CopyMasking {
  readonly #columns: readonly (ColumnMask | undefined)[];
  readonly #maskedColumns: number;
  readonly #inlineBytes: number;
  readonly #format: CopyFormat;
  readonly #room: RowRoom;
  readonly #rows: CopyMask;
  readonly #count: (cells: number) => void;
  /** As of `RowMasking`. */
  unreadable = false;

  constructor(
    format: CopyFormat,
    columns: readonly (ColumnMask | undefined)[],
    { count, room = new RowRoom() }: RowMaskingOptions,
  ) {
    this.#columns = columns;
    this.#maskedColumns = countMasked(columns);
    this.#inlineBytes = inlineBytesOf(columns);
    this.#format = format;
    this.#count = count;
    this.#room = room;
    this.#rows = new CopyMask(format, columns.map(cellMaskOf), room);
  }

  /** Takes CopyData messages as `RowMasking.push` takes DataRow messages. Cells of COPY lie between delimiters: all bytes count. */
  push(chunk: Buffer): Buffer | Promise<Buffer> {
    this.#room.left();
    this.#room.moved();
    return whenRoom(this.#room, this.#push(chunk));
  }

  /** As `RowMasking.sent`. */
  sent(all: boolean): void {
    sent(this.#room, all);
  }

  #push(chunk: Buffer): Buffer | Promise<Buffer> {
    const cut = this.#rows.take(chunk);
    const { rows, first } = cut;
    let bytes = 0;
    for (const { length } of rows) bytes += length;
    if (bytes > this.#inlineBytes || rows.length * this.#maskedColumns > MAX_INLINE_CELLS) {
      const sizes = Uint32Array.from(rows, ({ length }) => length);
      const [row] = rows;
      const own = rows.length === 1 && row && row.buffer !== chunk.buffer ? row : Buffer.concat(rows, bytes);
      const job = { columns: this.#columns, limit: this.#room.limit, copy: { format: this.#format, sizes, first } };
      return counted(this, maskInThread(job, own), this.#room, this.#count);
    }
    const [before, unreadBefore] = [this.#rows.masked, unreadableValues()];
    const made = this.#rows.rewrite(cut);
    this.#count(this.#rows.masked - before);
    this.unreadable ||= unreadableValues() > unreadBefore;
    return made;
  }

  /** At CopyDone. @throws Unmaskable when the data ends inside a row */
  end(): void {
    this.#rows.end();
  }
}

const countMasked = (columns: readonly (ColumnMask | undefined)[]): number =>
  columns.filter((column) => column !== undefined).length;

/** Bytes that masks of these columns look at without a pause. */
const inlineBytesOf = (columns: readonly (ColumnMask | undefined)[]): number =>
  columns.some((column) => column && hashesParts(column)) ? MAX_INLINE_BYTES_OF_HASHED_PARTS : MAX_INLINE_BYTES;

const hashesParts = (column: ColumnMask): boolean =>
  column.type === 'column' && column.options.mode.type === 'hash' && hasParts(column.of);

/** Arrays, rows, JSON and hstore, and domains over them. */
const hasParts = ({ kind, oid, name, element }: PgType): boolean =>
  kind === 'array' ||
  kind === 'composite' ||
  oid === 114 ||
  oid === 3802 ||
  name === 'hstore' ||
  (kind === 'domain' && element !== undefined && hasParts(element));

async function counted(
  masking: RowMasking | CopyMasking,
  masked: Promise<MaskedRows>,
  room: RowRoom,
  count: (cells: number) => void,
): Promise<Buffer> {
  room.isMasking = true;
  try {
    const { rows, cells, unreadable } = await masked;
    count(cells);
    masking.unreadable ||= unreadable;
    return rows;
  } catch (error) {
    room.clear();
    throw error;
  } finally {
    room.isMasking = false;
    room.moved();
  }
}

/** Rows that are whole go first: what they take is given back then, and others may be waiting for it. */
function whenRoom(room: RowRoom, made: Buffer | Promise<Buffer>): Buffer | Promise<Buffer> {
  const { wait } = room;
  return !wait || made instanceof Promise || made.length > 0 ? made : wait.then(() => made);
}

function sent(room: RowRoom, all: boolean): void {
  room.moved();
  if (all) room.left();
}
