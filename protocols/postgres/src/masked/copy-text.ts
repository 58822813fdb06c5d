/** Rows of COPY in text format, cut and masked. Does not: mask a value (packages/masking). */
import type { CopyFormat, RowRoom } from '@sluice/contract';
import type { CellMasks, CopyRows } from './copy-format.js';
import { Lines } from './lines.js';
import { malformed } from './room.js';

/**
 * COPY in text format ("File Formats" of the COPY reference page): a line per row, columns between delimiters, backslash
 * escapes, NULL as a text of its own. A line feed in a value is escaped, so a bare one always ends a row.
 */
export class TextRows implements CopyRows {
  readonly #masks: CellMasks;
  readonly #delimiter: number;
  readonly #null: Buffer;
  readonly #lines: Lines;
  readonly #room: RowRoom;
  /** Bytes of the current row that masks look at. */
  #looked = 0;
  readonly #header: boolean;

  constructor(options: CopyFormat, masks: CellMasks, room: RowRoom) {
    this.#masks = masks;
    this.#room = room;
    this.#delimiter = (options.delimiter ?? '\t').charCodeAt(0);
    this.#null = Buffer.from(options.null ?? '\\N');
    this.#header = options.header ?? false;
    this.#lines = new Lines((data, at) => data.indexOf(0x0a, at) + 1 || -1, room);
  }

  cut(data: Buffer): Buffer[] {
    return this.#lines.push(data);
  }

  end(): void {
    if (this.#lines.rest().length > 0) throw malformed('COPY data ends inside a row');
  }

  headerOf(first: Buffer): number {
    return this.#header ? first.length : 0;
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
      while (at < end && line[at] !== this.#delimiter) at += line[at] === BACKSLASH ? 2 : 1;
      if (at > end || column < this.#masks.length - 1 === (at === end)) throw malformed('a row has other columns');
      const masked = this.#cell(line, start, at, column);
      if (masked) {
        out.push(line.subarray(from, start), masked);
        from = at;
      }
      at++;
    }
    // A row of no columns is an empty line.
    if (this.#masks.length === 0 && end !== 0) throw malformed('a row has other columns');
    out.push(line.subarray(from));
    return out;
  }

  #cell(line: Buffer, start: number, end: number, column: number): Buffer | undefined {
    const mask = this.#masks[column];
    const isNull = this.#null.equals(line.subarray(start, end));
    if (!mask || (isNull && !mask.replacesNull)) return undefined;
    this.#room.look((this.#looked += end - start));
    const plain = isNull ? NO_BYTES : unescaped(line, start, end);
    const masked = mask(plain, 0, plain.length);
    return masked === null ? this.#null : masked && escaped(masked, this.#delimiter);
  }
}

const NO_BYTES = Buffer.alloc(0);
const BACKSLASH = 0x5c;

/** The letters behind a backslash: b f n r t v. Any other character stands for itself. */
const MEANING: ReadonlyMap<number, number> = new Map([
  [0x62, 0x08],
  [0x66, 0x0c],
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x76, 0x0b],
]);
const LETTER: ReadonlyMap<number, number> = new Map(Array.from(MEANING, ([letter, byte]) => [byte, letter]));

function unescaped(line: Buffer, start: number, end: number): Buffer {
  if (line.subarray(start, end).indexOf(BACKSLASH) < 0) return line.subarray(start, end);
  const out = Buffer.allocUnsafe(end - start);
  let size = 0;
  for (let at = start; at < end; at++) {
    const byte = line[at] as number;
    if (byte !== BACKSLASH) out[size++] = byte;
    else {
      const next = line[++at] as number;
      out[size++] = MEANING.get(next) ?? next;
    }
  }
  return out.subarray(0, size);
}

function escaped(value: Buffer, delimiter: number): Buffer {
  const out = Buffer.allocUnsafe(value.length * 2);
  let size = 0;
  for (const byte of value) {
    const letter = LETTER.get(byte);
    if (letter !== undefined || byte === BACKSLASH || byte === delimiter) out[size++] = BACKSLASH;
    out[size++] = letter ?? byte;
  }
  return out.subarray(0, size);
}
