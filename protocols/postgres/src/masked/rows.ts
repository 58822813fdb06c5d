/**
 * Masked DataRow messages. Owns how they are put together and rewritten. Does not own when that is done elsewhere
 * (`editor.ts`), nor any value.
 */
import type { CellMask, RowRoom } from '@sluice/contract';
import { PartialRow } from './partial-row.js';
import { malformed, ownRoom } from './room.js';

/**
 * Masks DataRow messages:
 *
 *     byte1  'D'
 *     int32  length, itself included
 *     int16  number of columns
 *     each:  int32 length or -1 for NULL, then that many bytes
 *
 * One mask for each column, undefined for those that pass. Bytes between masked cells are copied in one go. As long as masks
 * keep the size of cells, a chunk is copied whole (or not at all, if it is `owned`) and edited in place. Throws `Unmasked`
 * for rows that are not of this shape or too long; nothing of such a row has passed.
 */
export class RowMask {
  readonly #masks: readonly (CellMask | undefined)[];
  /** Behind the last masked column nothing is looked at. */
  readonly #last: number;
  readonly #room: RowRoom;
  readonly #owned: boolean;
  readonly #partial: PartialRow;
  #needed = HEADER_BYTES;
  /** The sizes of cells have not changed lately. */
  #steady = true;
  /** How many columns of the row at which editing in place stopped had been edited. */
  #edited = 0;

  /** `room`: for rows that are long. `owned`: chunks are not used by anybody else, and may be changed. */
  constructor(masks: readonly (CellMask | undefined)[], { owned = false, room = ownRoom() }: RowMaskOptions = {}) {
    this.#room = room;
    this.#partial = new PartialRow(room);
    this.#masks = masks;
    this.#last = masks.findLastIndex((mask) => mask !== undefined) + 1;
    this.#owned = owned;
  }

  /** Cells that were given another value. */
  masked = 0;

  /** Bytes of a row whose rest has not come. */
  get pending(): number {
    return this.#partial.size;
  }

  /** Takes DataRow messages as they come, cut anywhere, and gives those that are whole, masked. */
  push(bytes: Buffer, memory: Memory = Buffer.allocUnsafe): Buffer {
    const { chunk, end } = this.take(bytes);
    // What was put together here is nobody else's.
    return this.#rewrite(chunk, 0, end, this.#owned || chunk !== bytes, memory);
  }

  /** The same without the masks: those that are whole now end at `end`. They lie in `bytes`, or in memory of their own. */
  take(bytes: Buffer, counted?: CountedRows): TakenRows {
    if (counted && this.#partial.size === 0) return this.#takeCounted(bytes, counted);
    let chunk = bytes;
    let rows = 0;
    if (this.#partial.size > 0) {
      this.#partial.add(bytes);
      if (this.#partial.size < this.#needed) return { chunk: NOTHING, end: 0, rows };
      chunk = this.#partial.take();
      this.#room.arrived();
    }
    let at = 0;
    while (chunk.length - at >= HEADER_BYTES) {
      const next = this.#endOfRow(chunk, at);
      if (next > chunk.length) break;
      at = next;
      rows++;
    }
    if (at < chunk.length) {
      const size = chunk.length - at;
      this.#begin(chunk.subarray(at), size < HEADER_BYTES ? HEADER_BYTES : this.#endOfRow(chunk, at) - at);
    }
    return { chunk, end: at, rows };
  }

  #takeCounted(chunk: Buffer, { rows, end, begun }: CountedRows): TakenRows {
    if (begun > 0) this.#begin(chunk.subarray(end), begun);
    return { chunk, end, rows };
  }

  /** The start of a row whose rest has not come. `needed`: how long the row is, as far as is known. */
  #begin(start: Buffer, needed: number): void {
    this.#needed = needed;
    this.#room.admit(needed);
    this.#partial.add(start);
  }

  /** Masks messages from `start` to `end` that are known to be whole. */
  rewrite(chunk: Buffer, start: number, end: number, memory: Memory = Buffer.allocUnsafe): Buffer {
    return this.#rewrite(chunk, start, end, this.#owned, memory);
  }

  /** How many bytes masks look at in the messages up to `end`. */
  lookedAt(chunk: Buffer, end: number): number {
    let bytes = 0;
    for (let row = 0; row < end; ) {
      const next = this.#rowWithin(chunk, row, end);
      bytes += this.#lookedIn(chunk, row, next);
      row = next;
    }
    return bytes;
  }

  #rewrite(chunk: Buffer, start: number, end: number, owned: boolean, memory: Memory): Buffer {
    if (start === end) return NOTHING;
    if (!this.#steady) return this.#resized(chunk, start, end, 0, memory);
    const piece = chunk.subarray(start, end);
    const out = owned ? piece : Buffer.from(piece);
    const done = this.#inPlace(out);
    if (done === out.length) return out;
    return Buffer.concat([out.subarray(0, done), this.#resized(out, done, out.length, this.#edited, memory)]);
  }

  #endOfRow(chunk: Buffer, at: number): number {
    const length = int32(chunk, at + 1);
    if (chunk[at] !== DATA_ROW || length < 6) throw malformed('a message among the rows is not a row');
    return at + 1 + length;
  }

  /** Edits the rows in `out` up to the first that needs another size, and tells where that one starts. */
  #inPlace(out: Buffer): number {
    for (let row = 0; row < out.length; ) {
      const next = this.#rowWithin(out, row, out.length);
      let at = row + HEADER_BYTES + 2;
      for (let column = 0; column < this.#last; column++) {
        const size = sizeAt(out, at, next);
        at += 4;
        const mask = this.#masks[column];
        if (size < 0) {
          if (!mask?.replacesNull || mask(out, at, at) === null) continue;
          this.#edited = column;
          return row;
        }
        if (mask?.edit?.(out, at, at + size)) this.masked++;
        else if (mask) {
          const value = mask(out, at, at + size);
          if (value === null || (value && value.length !== size)) {
            this.#edited = column;
            return row;
          }
          if (value) {
            copy(value, 0, size, out, at);
            this.masked++;
          }
        }
        at += size;
      }
      row = next;
    }
    return out.length;
  }

  /** In the first row the masks of as many columns as `done` have been applied. */
  #resized(chunk: Buffer, start: number, end: number, done: number, memory: Memory): Buffer {
    const out = new RowOutput(chunk, start, end, memory);
    const masks = this.#masks;
    const last = this.#last;
    let steady = true;
    let masked = 0;
    for (let row = start; row < end; ) {
      const next = this.#rowWithin(chunk, row, end);
      const head = out.placeOf(row);
      let growth = 0;
      let at = row + HEADER_BYTES + 2;
      for (let column = 0; column < last; column++) {
        const size = sizeAt(chunk, at, next);
        const cell = at + 4;
        at = size < 0 ? cell : cell + size;
        const mask = masks[column];
        if (mask === undefined || (row === start && column < done)) continue;
        if (size < 0 && !mask.replacesNull) continue;
        const value = mask(chunk, cell, at);
        if (value === undefined || (value === null && size < 0)) continue;
        masked++;
        out.replace(cell - 4, at, value);
        const added = value === null ? 0 : value.length;
        growth += added - (at - cell);
        if (value === null || added !== size) steady = false;
      }
      if (growth !== 0) out.patch(head + 1, int32(chunk, row + 1) + growth);
      row = next;
    }
    this.masked += masked;
    this.#steady = steady;
    return out.finish();
  }

  #rowWithin(chunk: Buffer, row: number, end: number): number {
    if (end - row < HEADER_BYTES + 2) throw malformed('a row is cut off');
    const next = this.#endOfRow(chunk, row);
    if (next > end) throw malformed('a row is cut off');
    const columns = ((chunk[row + HEADER_BYTES] as number) << 8) | (chunk[row + HEADER_BYTES + 1] as number);
    if (columns !== this.#masks.length) {
      throw malformed(`a row has ${columns} columns where ${this.#masks.length} were described`);
    }
    if (next - row > this.#room.limit) this.#room.look(this.#lookedIn(chunk, row, next));
    return next;
  }

  #lookedIn(chunk: Buffer, row: number, end: number): number {
    let at = row + HEADER_BYTES + 2;
    let bytes = 0;
    for (let column = 0; column < this.#last; column++) {
      const size = Math.max(0, sizeAt(chunk, at, end));
      at += 4 + size;
      if (this.#masks[column]) bytes += size;
    }
    return bytes;
  }
}

/** What whoever cut the messages knows already of bytes that begin with a message: so their headers are read once less. */
export interface CountedRows {
  /** Those that are whole, and where the last of them ends. */
  readonly rows: number;
  readonly end: number;
  /** Bytes of the one that begins behind them, and of which these bytes have not all; 0: there is none. */
  readonly begun: number;
}

/** So many whole rows, at the start of `chunk` up to `end`. */
export interface TakenRows {
  readonly chunk: Buffer;
  readonly end: number;
  readonly rows: number;
}

export interface RowMaskOptions {
  readonly owned?: boolean;
  readonly room?: RowRoom;
}

/** Gives so many bytes, with anything in them. */
export type Memory = (size: number) => Buffer;

const HEADER_BYTES = 5;
const DATA_ROW = 0x44;
const NOTHING = Buffer.alloc(0);

/** Without the checks of readInt32BE, which cost more than the rest of a row. */
const int32 = (bytes: Buffer, at: number): number =>
  ((bytes[at] as number) << 24) |
  ((bytes[at + 1] as number) << 16) |
  ((bytes[at + 2] as number) << 8) |
  (bytes[at + 3] as number);

/** A call into native code costs as much as the copy of this many bytes by hand. */
const FEW_BYTES = 64;

function copy(from: Buffer, start: number, end: number, to: Buffer, at: number): void {
  if (end - start > FEW_BYTES) from.copy(to, at, start, end);
  else for (let n = start, m = at; n < end; n++, m++) to[m] = from[n] as number;
}

/** Of the cell at `at`, in a row that ends at `end`. -1 is NULL. */
function sizeAt(bytes: Buffer, at: number, end: number): number {
  const size = at + 4 > end ? -2 : int32(bytes, at);
  if (size < -1 || at + 4 + size > end) throw malformed('a cell is longer than its row');
  return size;
}

/** Bytes for so many and what masks add. A long row has few masked bytes (`RowRoom.look`). */
const withSpare = (bytes: number): number => Math.ceil(bytes + Math.min(bytes / 4, MAX_SPARE_BYTES)) + 64;
const MAX_SPARE_BYTES = 16 * 1024 * 1024;

/** A copy of a piece of a chunk in which some bytes are replaced by others. */
class RowOutput {
  readonly #chunk: Buffer;
  readonly #end: number;
  #out: Buffer;
  #size = 0;
  /** What of the chunk comes next. */
  #from: number;

  constructor(chunk: Buffer, start: number, end: number, memory: Memory) {
    this.#chunk = chunk;
    this.#end = end;
    this.#from = start;
    this.#out = memory(withSpare(end - start));
  }

  /** Where a byte of the chunk will be that has not been replaced. */
  placeOf(at: number): number {
    return this.#size + at - this.#from;
  }

  /** In place of the size and the bytes of a cell, those of another one. */
  replace(start: number, end: number, value: Buffer | null): void {
    const untouched = start - this.#from;
    const size = value?.length ?? 0;
    this.#reserve(untouched + 4 + size);
    copy(this.#chunk, this.#from, start, this.#out, this.#size);
    this.patch(this.#size + untouched, value === null ? -1 : size);
    if (value) copy(value, 0, size, this.#out, this.#size + untouched + 4);
    this.#size += untouched + 4 + size;
    this.#from = end;
  }

  patch(at: number, value: number): void {
    const out = this.#out;
    out[at] = value >>> 24;
    out[at + 1] = value >>> 16;
    out[at + 2] = value >>> 8;
    out[at + 3] = value;
  }

  finish(): Buffer {
    const untouched = this.#end - this.#from;
    this.#reserve(untouched);
    this.#chunk.copy(this.#out, this.#size, this.#from, this.#end);
    return this.#out.subarray(0, this.#size + untouched);
  }

  #reserve(size: number): void {
    if (this.#size + size <= this.#out.length) return;
    const larger = Buffer.allocUnsafe(withSpare((this.#size + size) * 1.5));
    this.#out.copy(larger, 0, 0, this.#size);
    this.#out = larger;
  }
}
