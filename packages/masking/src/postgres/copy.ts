import { BinaryRows } from './copy-binary.js';
import { CsvRows } from './copy-csv.js';
import { type LargeRows, RowAllowance } from './large-rows.js';
import { TextRows } from './copy-text.js';
import type { CellMask } from './types.js';
import { LONGEST_ROW, malformed } from './unmaskable.js';

/** The options of COPY TO that shape its output. Single-byte characters; the defaults are those of the format. */
export interface CopyFormat {
  readonly format: 'text' | 'csv' | 'binary';
  readonly delimiter?: string;
  readonly null?: string;
  readonly header?: boolean;
  readonly quote?: string;
  readonly escape?: string;
  /** One for each column: its values are quoted whether they need it or not. */
  readonly forceQuote?: readonly boolean[];
}

/** Cuts a stream of COPY data into rows and masks each. Keeps what a row lacks until it comes. */
export interface CopyRows {
  /** The rows that are whole now, masked, each with what ends it. */
  push(data: Buffer): Buffer[];
  /** What is left when the stream has ended: nothing, or it was cut off. */
  end(): Buffer[];
}

export type CopyMasks = readonly (CellMask | undefined)[];

/** Masks are those of the columns in the order of the output, for the format text, and for binary in binary. */
export function copyRows(
  options: CopyFormat,
  masks: CopyMasks,
  limit = LONGEST_ROW,
  large: LargeRows | undefined = undefined,
): CopyRows {
  const allowance = new RowAllowance(limit, large);
  if (options.format === 'binary') return new BinaryRows(masks, allowance);
  return options.format === 'csv' ? new CsvRows(options, masks, allowance) : new TextRows(options, masks, allowance);
}

const COPY_DATA = 0x64;
const HEADER = 5;

/**
 * Masks CopyData messages (`d`, int32 length, data). The protocol lets a row span messages and a message hold many rows, so
 * the data is taken out, cut into rows, and each row gets a message of its own, as the server sends them.
 */
export class CopyMask {
  readonly #rows: CopyRows;
  readonly #header = Buffer.alloc(HEADER);
  #headed = 0;
  /** Bytes of the current message that are still to come. */
  #left = 0;

  constructor(options: CopyFormat, masks: CopyMasks, limit = LONGEST_ROW, large?: LargeRows) {
    this.#rows = copyRows(options, masks, limit, large);
  }

  /** Takes CopyData messages as they come, cut anywhere. Throws `Unmaskable`; then nothing of the row has passed. */
  push(chunk: Buffer): Buffer {
    const out: Buffer[] = [];
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        const size = Math.min(this.#left, chunk.length - at);
        out.push(...this.#rows.push(chunk.subarray(at, at + size)).flatMap(framed));
        this.#left -= size;
        at += size;
        continue;
      }
      this.#header[this.#headed++] = chunk[at++] as number;
      if (this.#headed < HEADER) continue;
      this.#headed = 0;
      this.#left = this.#header.readInt32BE(1) - 4;
      if (this.#header[0] !== COPY_DATA || this.#left < 0) throw malformed('a message among COPY data is none');
    }
    return Buffer.concat(out);
  }

  /** At CopyDone. */
  end(): Buffer {
    if (this.#left > 0 || this.#headed > 0) throw malformed('COPY data ends inside a message');
    return Buffer.concat(this.#rows.end().flatMap(framed));
  }
}

function framed(row: Buffer): Buffer[] {
  const head = Buffer.allocUnsafe(HEADER);
  head[0] = COPY_DATA;
  head.writeInt32BE(row.length + 4, 1);
  return [head, row];
}
