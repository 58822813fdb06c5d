import type { CopyMasks, CopyRows } from './copy.js';
import type { RowAllowance } from './large-rows.js';
import { malformed } from './unmaskable.js';

/**
 * COPY in binary format ("Binary Format" of the COPY reference page): a signature, int32 flags, int32 size of an extension and
 * the extension; then rows of int16 columns and for each int32 size (-1 for NULL) and bytes; then int16 -1.
 */
export class BinaryRows implements CopyRows {
  readonly #masks: CopyMasks;
  readonly #allowance: RowAllowance;
  #data: Buffer[] = [];
  #size = 0;
  #needed = 1;
  #state: 'header' | 'rows' | 'ended' = 'header';
  /** The signature: a server sends it with what comes next, in one message, and clients rely on it. */
  #header: Buffer | undefined;

  constructor(masks: CopyMasks, allowance: RowAllowance) {
    this.#masks = masks;
    this.#allowance = allowance;
  }

  push(data: Buffer): Buffer[] {
    if (this.#needed <= this.#allowance.limit) this.#allowance.release();
    this.#data.push(Buffer.from(data));
    this.#size += data.length;
    const rows: Buffer[] = [];
    if (this.#size < this.#needed) return rows;
    const all = this.#data.length === 1 ? (this.#data[0] as Buffer) : Buffer.concat(this.#data);
    let at = 0;
    for (;;) {
      const end = this.#state === 'header' ? endOfHeader(all, at) : this.#endOfRow(all, at);
      this.#needed = end - at;
      if (this.#needed > this.#allowance.limit) this.#allowance.admit(this.#needed);
      if (end > all.length || at === all.length) break;
      if (this.#state === 'header') {
        this.#header = all.subarray(at, end);
        this.#state = 'rows';
      } else rows.push(this.#withHeader(this.#row(all, at, end)));
      at = end;
    }
    this.#data = [all.subarray(at)];
    this.#size = all.length - at;
    return rows;
  }

  end(): Buffer[] {
    if (this.#size > 0 || this.#state !== 'ended') throw malformed('COPY data ends before its trailer');
    return [];
  }

  #withHeader(row: Buffer): Buffer {
    if (!this.#header) return row;
    const first = Buffer.concat([this.#header, row]);
    this.#header = undefined;
    return first;
  }

  /** Where the row ends, or where at the least, as far as its sizes have come. */
  #endOfRow(data: Buffer, start: number): number {
    if (this.#state === 'ended' && start < data.length) throw malformed('COPY data goes on behind its trailer');
    let at = start + 2;
    if (at > data.length) return at;
    const columns = data.readInt16BE(start);
    if (columns === -1) return at;
    if (columns !== this.#masks.length) throw malformed('a row has other columns');
    for (let column = 0; column < columns; column++) {
      at += 4;
      if (at > data.length) return at;
      const size = data.readInt32BE(at - 4);
      if (size < -1) throw malformed('a cell has no valid size');
      at += Math.max(0, size);
    }
    return at;
  }

  #row(data: Buffer, start: number, end: number): Buffer {
    if (data.readInt16BE(start) === -1) {
      this.#state = 'ended';
      return data.subarray(start, end);
    }
    const out: Buffer[] = [];
    let from = start;
    let at = start + 2;
    let looked = 0;
    for (const mask of this.#masks) {
      const size = data.readInt32BE(at);
      const cell = at + 4;
      at = cell + Math.max(0, size);
      if (mask) this.#allowance.look((looked += at - cell));
      const masked = mask && (size >= 0 || mask.replacesNull) ? mask(data, cell, at) : undefined;
      if (masked === undefined) continue;
      const head = Buffer.allocUnsafe(4);
      head.writeInt32BE(masked === null ? -1 : masked.length);
      out.push(data.subarray(from, cell - 4), head);
      // A copy: the next mask may use the same memory.
      if (masked) out.push(Buffer.from(masked));
      from = at;
    }
    return out.length === 0 ? data.subarray(start, end) : Buffer.concat([...out, data.subarray(from, end)]);
  }
}

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');

function endOfHeader(data: Buffer, start: number): number {
  const head = start + SIGNATURE.length + 8;
  const come = Math.min(data.length, start + SIGNATURE.length);
  if (!SIGNATURE.subarray(0, come - start).equals(data.subarray(start, come))) throw malformed('not binary COPY data');
  if (head > data.length) return head;
  const extension = data.readInt32BE(head - 4);
  if (extension < 0) throw malformed('not binary COPY data');
  return head + extension;
}
