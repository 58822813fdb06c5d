/**
 * Masked COPY data. Owns the messages that rows come and go in. Does not own what separates rows and values in each format
 * (`copy-*.ts`).
 */
import type { CellMask, CopyFormat, RowRoom } from '@sluice/contract';
import { BinaryRows } from './copy-binary.js';
import { CsvRows } from './copy-csv.js';
import type { CellMasks, CopyRows } from './copy-format.js';
import { TextRows } from './copy-text.js';
import { malformed, ownRoom } from './room.js';

/** Masks are those of the columns in the order of the output, for the format text, and for binary in binary. */
export function copyRows(options: CopyFormat, masks: CellMasks, room = ownRoom()): CopyRows {
  if (options.format === 'binary') return new BinaryRows(masks, room);
  return options.format === 'csv' ? new CsvRows(options, masks, room) : new TextRows(options, masks, room);
}

const COPY_DATA = 0x64;
const HEADER_BYTES = 5;

/** Whole rows of COPY data. */
export interface CutRows {
  readonly rows: readonly Buffer[];
  /** The first of them is the first of the stream. */
  readonly first: boolean;
}

/**
 * Masks CopyData messages (`d`, int32 length, data). The protocol lets a row span messages and a message hold many rows, so
 * the data is taken out, cut into rows, and each row gets a message of its own, as the server sends them.
 */
export class CopyMask {
  readonly #rows: CopyRows;
  readonly #room: RowRoom;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headed = 0;
  /** Bytes of the current message that are still to come. */
  #left = 0;
  #started = false;

  /** Cells that were given another value. */
  masked = 0;

  constructor(options: CopyFormat, masks: CellMasks, room = ownRoom()) {
    const counted = masks.map((mask) => mask && this.#counted(mask));
    this.#room = room;
    this.#rows = copyRows(options, counted, room);
  }

  /** Takes CopyData messages as they come, cut anywhere. Throws `Unmasked`; then nothing of the row has passed. */
  push(chunk: Buffer): Buffer {
    return this.rewrite(this.take(chunk));
  }

  /** The same without the masks: rows that are whole now. They lie in `chunk`, or in memory of their own. */
  take(chunk: Buffer): CutRows {
    const rows: Buffer[] = [];
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        const size = Math.min(this.#left, chunk.length - at);
        for (const row of this.#rows.cut(chunk.subarray(at, at + size))) rows.push(row);
        this.#left -= size;
        at += size;
        if (this.#left === 0) this.#room.arrived();
        continue;
      }
      this.#header[this.#headed++] = chunk[at++] as number;
      if (this.#headed < HEADER_BYTES) continue;
      this.#headed = 0;
      this.#left = this.#header.readInt32BE(1) - 4;
      if (this.#header[0] !== COPY_DATA || this.#left < 0) throw malformed('a message among COPY data is none');
      // A server sends a row in one message, so its size is known before it has come.
      if (this.#left > chunk.length - at) this.#room.admit(this.#left);
    }
    const first = !this.#started && rows.length > 0;
    if (first) this.#started = true;
    return { rows, first };
  }

  /** Masks rows that are whole, and gives each in a message of its own. */
  rewrite({ rows, first }: CutRows): Buffer {
    const out: Buffer[] = [];
    for (const [at, row] of rows.entries()) {
      const header = first && at === 0 ? this.#rows.headerOf(row) : 0;
      const made = this.#rows.mask(row, header);
      out.push(headed(made));
      for (const piece of made) out.push(piece);
    }
    return Buffer.concat(out);
  }

  /** At CopyDone. @throws Unmasked when the data ends inside a row */
  end(): void {
    if (this.#left > 0 || this.#headed > 0) throw malformed('COPY data ends inside a message');
    this.#rows.end();
  }

  #counted(mask: CellMask): CellMask {
    const counting: CellMask = (bytes, start, end) => {
      const value = mask(bytes, start, end);
      if (value !== undefined) this.masked++;
      return value;
    };
    return mask.replacesNull ? Object.assign(counting, { replacesNull: true as const }) : counting;
  }
}

/** The head of the message that a row is in. */
function headed(row: readonly Buffer[]): Buffer {
  const head = Buffer.allocUnsafe(HEADER_BYTES);
  head[0] = COPY_DATA;
  head.writeInt32BE(
    row.reduce((sum, { length }) => sum + length, 4),
    1,
  );
  return head;
}
