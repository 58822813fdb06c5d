/** Rows of COPY in CSV format, cut and masked. Does not: mask a value (packages/masking). */
import type { CopyFormat, RowRoom } from '@sluice/contract';
import type { CellMasks, CopyRows } from './copy-format.js';
import { Lines } from './lines.js';
import { malformed } from './room.js';

/**
 * COPY in CSV format ("CSV Format" of the COPY reference page): values in quotes may hold anything, line ends too; a quote in
 * them stands behind the escape character, which is the quote itself unless chosen. NULL is the unquoted NULL text.
 */
export class CsvRows implements CopyRows {
  readonly #masks: CellMasks;
  readonly #delimiter: number;
  readonly #quote: number;
  readonly #escape: number;
  readonly #null: Buffer;
  readonly #force: readonly boolean[];
  readonly #lines: Lines;
  readonly #room: RowRoom;
  /** Bytes of the current row that masks look at. */
  #looked = 0;
  readonly #header: boolean;
  /** Of the line that is being read: inside quotes, and behind an escape that is not the quote. */
  #quoted = false;
  #escaped = false;

  constructor(options: CopyFormat, masks: CellMasks, room: RowRoom) {
    this.#masks = masks;
    this.#room = room;
    this.#delimiter = (options.delimiter ?? ',').charCodeAt(0);
    this.#quote = (options.quote ?? '"').charCodeAt(0);
    this.#escape = (options.escape ?? options.quote ?? '"').charCodeAt(0);
    this.#null = Buffer.from(options.null ?? '');
    this.#force = options.forceQuote ?? [];
    this.#header = options.header ?? false;
    this.#lines = new Lines((data, at) => this.#endOfLine(data, at), room);
  }

  cut(data: Buffer): Buffer[] {
    return this.#lines.push(data);
  }

  end(): void {
    if (this.#quoted || this.#lines.rest().length > 0) throw malformed('COPY data ends inside a row');
  }

  headerOf(first: Buffer): number {
    return this.#header ? first.length : 0;
  }

  /** A doubled quote closes and opens again, so it needs no look ahead. */
  #endOfLine(data: Buffer, from: number): number {
    const other = this.#escape !== this.#quote;
    for (let at = from; at < data.length; at++) {
      const byte = data[at];
      if (this.#escaped) this.#escaped = false;
      else if (other && this.#quoted && byte === this.#escape) this.#escaped = true;
      else if (byte === this.#quote) this.#quoted = !this.#quoted;
      else if (byte === 0x0a && !this.#quoted) return at + 1;
    }
    return -1;
  }

  mask(line: Buffer, header = 0): readonly Buffer[] {
    if (header > 0) return [line];
    const end = line.length - 1;
    const out: Buffer[] = [];
    this.#looked = 0;
    let from = 0;
    let at = 0;
    for (let column = 0; column < this.#masks.length; column++) {
      const start = at;
      at = this.#endOfValue(line, start, end);
      if (column < this.#masks.length - 1 === (at === end)) throw malformed('a row has other columns');
      const masked = this.#cell(line, start, at, column);
      if (masked) {
        out.push(line.subarray(from, start), masked);
        from = at;
      }
      at++;
    }
    if (this.#masks.length === 0 && end !== 0) throw malformed('a row has other columns');
    out.push(line.subarray(from));
    return out;
  }

  #endOfValue(line: Buffer, start: number, end: number): number {
    let quoted = false;
    for (let at = start; at < end; at++) {
      const byte = line[at];
      if (quoted && byte === this.#escape && this.#escape !== this.#quote) at++;
      else if (byte === this.#quote) quoted = !quoted;
      else if (byte === this.#delimiter && !quoted) return at;
    }
    return end;
  }

  #cell(line: Buffer, start: number, end: number, column: number): Buffer | undefined {
    const mask = this.#masks[column];
    const value = line.subarray(start, end);
    const isNull = this.#null.equals(value);
    if (!mask || (isNull && !mask.replacesNull)) return undefined;
    this.#room.look((this.#looked += end - start));
    const plain = isNull ? NO_BYTES : this.#plain(value);
    const masked = mask(plain, 0, plain.length);
    return masked === null ? this.#null : masked && this.#written(masked, column);
  }

  #plain(value: Buffer): Buffer {
    const out = Buffer.allocUnsafe(value.length);
    let size = 0;
    let quoted = false;
    for (let at = 0; at < value.length; at++) {
      const byte = value[at] as number;
      const next = value[at + 1];
      if (quoted && byte === this.#escape && (next === this.#quote || next === this.#escape)) {
        out[size++] = next;
        at++;
      } else if (byte === this.#quote) quoted = !quoted;
      else out[size++] = byte;
    }
    return out.subarray(0, size);
  }

  /** In quotes where the server would put them. Where the masked value had some tells what was in it. */
  #written(value: Buffer, column: number): Buffer {
    const special = [this.#delimiter, this.#quote, 0x0a, 0x0d].some((byte) => value.includes(byte));
    const isEnd = this.#masks.length === 1 && value.toString('latin1') === '\\.';
    if (!this.#force[column] && !special && !isEnd && !this.#null.equals(value)) return Buffer.from(value);
    const out = Buffer.allocUnsafe(value.length * 2 + 2);
    let size = 0;
    out[size++] = this.#quote;
    for (const byte of value) {
      if (byte === this.#quote || byte === this.#escape) out[size++] = this.#escape;
      out[size++] = byte;
    }
    out[size++] = this.#quote;
    return out.subarray(0, size);
  }
}

const NO_BYTES = Buffer.alloc(0);
