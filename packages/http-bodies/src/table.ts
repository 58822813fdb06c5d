/**
 * Tables as text (RFC 4180 and its relatives), record by record and cell by cell. Owns: quotes, and which sign parts the cells. Does not:
 * know columns but by the names in the first record.
 */
import { label } from '@sluice/masking';
import { type Editor, NO_BYTES } from './editor.js';
import { unmasked } from './fault.js';
import type { JsonParts } from './json.js';
import { assigned } from './look.js';
import type { Place } from './pointers.js';
import { namedText } from './text.js';

/** A record is not let go before its end. */
const MAX_RECORD_BYTES = 1024 * 1024;
const QUOTE = 0x22;
const LF = 0x0a;
const CR = 0x0d;
const SEPARATORS: readonly number[] = [0x2c, 0x3b, 0x09, 0x7c];

interface Column {
  readonly place: Place | undefined;
  readonly secret: Buffer | undefined;
}

export class TableMask implements Editor {
  readonly held = 0;
  readonly #parts: JsonParts;
  #kept: Buffer[] = [];
  #bytes = 0;
  /** Within quotes, at the end of what came. */
  #quoted = false;
  /** The next byte begins a cell, or follows one. */
  #atCell = true;
  #separator: number | undefined;
  #columns: readonly Column[] | undefined;

  /** `separator`: what parts cells; undefined: what the first record has most of. */
  constructor(parts: JsonParts, separator?: number) {
    this.#parts = parts;
    this.#separator = separator;
  }

  push(bytes: Buffer): Buffer {
    const out: Buffer[] = [];
    let from = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      const wasQuoted = this.#quoted;
      if (wasQuoted) this.#quoted = byte !== QUOTE;
      else if (byte === LF) {
        this.#keep(bytes.subarray(from, at + 1));
        out.push(this.#record());
        from = at + 1;
        this.#atCell = true;
      } else if (byte === QUOTE && (this.#atCell || this.#afterQuote)) this.#quoted = true;
      else this.#atCell = this.#separator === undefined ? SEPARATORS.includes(byte) : byte === this.#separator;
      this.#afterQuote = wasQuoted && byte === QUOTE;
    }
    if (from < bytes.length) this.#keep(bytes.subarray(from));
    return Buffer.concat(out);
  }

  /** The last byte closed a quote: another one is a quote within the cell. */
  #afterQuote = false;

  end(): Buffer {
    return this.#bytes > 0 ? this.#record() : NO_BYTES;
  }

  release(): Buffer {
    return NO_BYTES;
  }

  #keep(bytes: Buffer): void {
    this.#kept.push(Buffer.from(bytes));
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_RECORD_BYTES) throw unmasked(`has a record of more than ${MAX_RECORD_BYTES} bytes`);
  }

  #record(): Buffer {
    const record = Buffer.concat(this.#kept);
    this.#kept = [];
    this.#bytes = 0;
    let end = record.length;
    while (end > 0 && (record[end - 1] === LF || record[end - 1] === CR)) end--;
    if (!this.#columns && this.#isNoRecord(record.subarray(0, end))) return record;
    this.#separator ??= mostOf(record.subarray(0, end));
    const cells = cellsOf(record.subarray(0, end), this.#separator);
    if (this.#parts.pointers && cells.some(isUnclear)) throw unmasked('has a record that can be read in two ways');
    if (!this.#columns) {
      this.#columns = cells.map((cell) => this.#column(saidBy(trimmed(cell))));
      // Whether it has names is not known: it is looked at like any other.
      return this.#written(cells, record.subarray(end), []);
    }
    return this.#written(cells, record.subarray(end), this.#columns);
  }

  /** Before the names: an empty line, or one that says what parts the cells, as Excel writes it. */
  #isNoRecord(line: Buffer): boolean {
    const text = line.toString('latin1');
    const [, sign] = /^sep=(.)$/i.exec(text) ?? [];
    if (sign !== undefined) this.#separator = sign.charCodeAt(0);
    return sign !== undefined || text.trim() === '';
  }

  #column(written: Buffer): Column {
    const { pointers } = this.#parts;
    const name = (pointers?.nameIn(written) ?? written.toString('utf8')).trim();
    const secret = assigned(name);
    if (!pointers) return { place: undefined, secret };
    const symbol = pointers.symbolOf(name);
    const inRow = pointers.child(pointers.child(pointers.start, pointers.symbolOfItem(0)), symbol);
    // `/*/email` as in a list of objects, and `/email` as well.
    const alone = pointers.child(pointers.start, symbol);
    return { place: alone.mask ? alone : inRow, secret };
  }

  #written(cells: readonly Buffer[], end: Buffer, columns: readonly Column[]): Buffer {
    const sign = Buffer.from([this.#separator as number]);
    return Buffer.concat([
      ...cells.flatMap((cell, n) => [...(n === 0 ? [] : [sign]), this.#cell(cell, columns[n])]),
      end,
    ]);
  }

  #cell(cell: Buffer, column: Column | undefined): Buffer {
    const said = saidBy(cell);
    const mask = column?.place?.mask;
    if (mask) return this.#quotedAs(cell, namedText(said.toString('utf8'), mask));
    const { look } = this.#parts;
    const around = { secret: column?.secret, place: column?.place, depth: 0 };
    const change = look.at(said, 0, said.length, around, true);
    if (!change) return cell;
    return this.#quotedAs(cell, look.changed(said, 0, said.length, change)?.toString('utf8') ?? label(''));
  }

  #quotedAs(cell: Buffer, text: string): Buffer {
    const needs = cell[0] === QUOTE || text.includes('"') || text.includes('\n') || text.includes('\r');
    const sign = String.fromCharCode(this.#separator as number);
    return Buffer.from(needs || text.includes(sign) ? `"${text.replaceAll('"', '""')}"` : text);
  }
}

function mostOf(record: Buffer): number {
  let most = SEPARATORS[0] as number;
  let count = 0;
  for (const sign of SEPARATORS) {
    const found = cellsOf(record, sign).length - 1;
    if (found > count) [most, count] = [sign, found];
  }
  return most;
}

/** As they are written, with their quotes. */
function cellsOf(record: Buffer, separator: number): readonly Buffer[] {
  const cells: Buffer[] = [];
  let from = 0;
  let quoted = false;
  /** Where a quote was closed last: another one behind it is a quote within the cell. */
  let closed = -2;
  for (let at = 0; at < record.length; at++) {
    const byte = record[at];
    if (byte === QUOTE && (quoted || at === from || closed === at - 1)) {
      if (quoted) closed = at;
      quoted = !quoted;
    } else if (byte === separator && !quoted) {
      cells.push(record.subarray(from, at));
      from = at + 1;
    }
  }
  cells.push(record.subarray(from));
  return cells;
}

/** Some readers see quotes behind a blank, or the end of a record in CR alone, and some do not: the next cells are of other columns then. */
const isUnclear = (cell: Buffer): boolean =>
  cell[0] !== QUOTE && (cell.includes(CR) || (cell.includes(QUOTE) && trimmed(cell)[0] === QUOTE));

/** Without blanks and tabs around it. */
function trimmed(cell: Buffer): Buffer {
  let from = 0;
  let to = cell.length;
  while (from < to && (cell[from] === 0x20 || cell[from] === 0x09)) from++;
  while (to > from && (cell[to - 1] === 0x20 || cell[to - 1] === 0x09)) to--;
  return cell.subarray(from, to);
}

function saidBy(cell: Buffer): Buffer {
  if (cell[0] !== QUOTE || cell.at(-1) !== QUOTE || cell.length < 2) return cell;
  const inner = cell.subarray(1, -1);
  return inner.includes('""') ? Buffer.from(inner.toString('latin1').replaceAll('""', '"'), 'latin1') : inner;
}
