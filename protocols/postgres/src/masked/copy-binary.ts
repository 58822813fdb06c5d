/** Rows of COPY in binary format, cut and masked. Does not: mask a value (packages/masking). */
import type { RowRoom } from '@sluice/contract';
import type { CellMasks, CopyRows } from './copy-format.js';
import { Lines } from './lines.js';
import { malformed } from './room.js';

/**
 * COPY in binary format ("Binary Format" of the COPY reference page): a signature, int32 flags, int32 size of an extension and
 * the extension; then rows of int16 columns and for each int32 size (-1 for NULL) and bytes; then int16 -1. The header is
 * part of the first row: a server sends both in one message, and clients rely on it.
 */
export class BinaryRows implements CopyRows {
  readonly #masks: CellMasks;
  readonly #room: RowRoom;
  readonly #rows: Lines;
  #field: CopyField = 'signature';
  /** Bytes of the field that are still to come. */
  #left = SIGNATURE.length;
  /** What has come of a field that is a number. */
  #number = 0;
  /** Columns of the row that are still to come. */
  #columns = 0;

  constructor(masks: CellMasks, room: RowRoom) {
    this.#masks = masks;
    this.#room = room;
    this.#rows = new Lines((data, at) => this.#endOfRow(data, at), room);
  }

  cut(data: Buffer): Buffer[] {
    return this.#rows.push(data);
  }

  end(): void {
    if (this.#field !== 'nothing') throw malformed('COPY data ends before its trailer');
  }

  headerOf(first: Buffer): number {
    return FIXED_HEADER_BYTES + first.readInt32BE(FIXED_HEADER_BYTES - 4);
  }

  /** Behind the end of a row that began here or earlier; -1 while it goes on. */
  #endOfRow(data: Buffer, from: number): number {
    for (let at = from; at < data.length; ) {
      if (this.#field === 'nothing') throw malformed('COPY data goes on behind its trailer');
      const size = Math.min(this.#left, data.length - at);
      if (this.#field === 'signature') this.#checkSignature(data.subarray(at, at + size));
      else if (this.#field !== 'extension' && this.#field !== 'cell') {
        for (let byte = 0; byte < size; byte++) this.#number = (this.#number << 8) | (data[at + byte] as number);
      }
      at += size;
      this.#left -= size;
      if (this.#left === 0 && this.#endsWith(this.#field)) return at;
    }
    return -1;
  }

  #checkSignature(come: Buffer): void {
    const at = SIGNATURE.length - this.#left;
    if (!SIGNATURE.subarray(at, at + come.length).equals(come)) throw malformed('not binary COPY data');
  }

  /** A field is whole: whether the row ends with it. If not, the next field begins. */
  #endsWith(field: CopyField): boolean {
    const number = this.#number;
    switch (field) {
      case 'signature':
        return this.#expect('flags', 4);
      case 'flags':
        return this.#expect('extension size', 4);
      case 'extension size':
        if (number < 0) throw malformed('not binary COPY data');
        return number > 0 ? this.#expect('extension', number) : this.#expect('columns', 2);
      case 'extension':
        return this.#expect('columns', 2);
      case 'columns':
        if (number === 0xffff) return !this.#expect('nothing', 0);
        if (number !== this.#masks.length) throw malformed('a row has other columns');
        this.#columns = number;
        return this.#nextColumn();
      case 'size':
        if (number < -1) throw malformed('a cell has no valid size');
        this.#columns--;
        return number > 0 ? this.#expect('cell', number) : this.#nextColumn();
      default:
        return this.#nextColumn();
    }
  }

  #nextColumn(): boolean {
    return this.#columns > 0 ? this.#expect('size', 4) : !this.#expect('columns', 2);
  }

  /** False: there is more of the same row. */
  #expect(field: CopyField, bytes: number): false {
    this.#field = field;
    this.#left = bytes;
    this.#number = 0;
    return false;
  }

  mask(data: Buffer, header = 0): readonly Buffer[] {
    if (data.readInt16BE(header) === -1) return [data];
    const out: Buffer[] = [];
    let from = 0;
    let at = header + 2;
    let looked = 0;
    for (const mask of this.#masks) {
      const size = data.readInt32BE(at);
      const cell = at + 4;
      at = cell + Math.max(0, size);
      if (mask) this.#room.look((looked += at - cell));
      const masked = mask && (size >= 0 || mask.replacesNull) ? mask(data, cell, at) : undefined;
      if (masked === undefined) continue;
      const head = Buffer.allocUnsafe(4);
      head.writeInt32BE(masked === null ? -1 : masked.length);
      out.push(data.subarray(from, cell - 4), head);
      // A copy: the next mask may use the same memory.
      if (masked) out.push(Buffer.from(masked));
      from = at;
    }
    out.push(data.subarray(from));
    return out;
  }
}

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
/** Signature, flags and the size of the extension. */
const FIXED_HEADER_BYTES = SIGNATURE.length + 8;

/** What comes next: of the header, or of a row. 'nothing': the trailer has been read. */
type CopyField = 'signature' | 'flags' | 'extension size' | 'extension' | 'columns' | 'size' | 'cell' | 'nothing';
