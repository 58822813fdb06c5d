/**
 * Runs of text rows whose masked values all get the same whatever they are. Owns: that loop, which is the one of results of millions of
 * rows. Does not: rows of any other kind, nor one that is broken: it stops before those, and whoever calls has them masked one by one
 * (rows.ts).
 */
import type { RowRun, RowRuns } from '@sluice/contract';

const HEADER_BYTES = 4;
const NULL = 0xfb;
/** Two bytes of a length follow. */
const TWO_BYTES = 0xfc;
/** A packet that begins with it, or with more, may be none of a row. */
const EOF = 0xfe;
/** A call into native code costs as much as the copy of this many bytes by hand. */
const FEW_BYTES = 160;
/** Rows of so many bytes are not copied to be put together anew. */
const LONG_BYTES = 64 * 1024;

/** @param always for each column what takes the place of its values, with its length in front; undefined: they stay */
export function rowRuns(always: readonly (Buffer | undefined)[]): RowRuns {
  const columns = always.length;
  let more = 0;
  for (const value of always) more += value?.length ?? 0;
  const run = { at: 0, to: 0, rows: 0, masked: 0 };
  return (bytes, start, out, from, sequence): RowRun => {
    const source = viewOf(bytes);
    const made = viewOf(out);
    const last = bytes.length - HEADER_BYTES;
    let [at, to, rows, masked] = [start, from, 0, 0];
    rows: while (at < last) {
      const size = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
      const end = at + HEADER_BYTES + size;
      if (size === 0 || size >= LONG_BYTES || end > bytes.length || (bytes[at + HEADER_BYTES] as number) >= EOF) break;
      // Room for the row with all that takes the place of something.
      if (to + HEADER_BYTES + size + more > out.length) break;
      let cell = at + HEADER_BYTES;
      let kept = cell;
      let put = to + HEADER_BYTES;
      let changed = 0;
      for (let index = 0; index < columns; index++) {
        const first = cell < end ? (bytes[cell] as number) : EOF;
        // Lengths of more bytes are as rare as broken rows.
        if (first > TWO_BYTES) break rows;
        const next = first < NULL ? cell + 1 + first : longEnd(bytes, cell, first);
        const value = first === NULL ? undefined : always[index];
        if (value !== undefined) {
          if (cell - kept > FEW_BYTES) bytes.copy(out, put, kept, cell);
          else copy(source, kept, made, put, cell - kept);
          put += cell - kept;
          const { length } = value;
          for (let byte = 0; byte < length; byte++) out[put + byte] = value[byte] as number;
          put += length;
          kept = next;
          changed++;
        }
        cell = next;
      }
      if (cell !== end) break;
      if (end - kept > FEW_BYTES) bytes.copy(out, put, kept, end);
      else copy(source, kept, made, put, end - kept);
      put += end - kept;
      const payload = put - to - HEADER_BYTES;
      out[to] = payload;
      out[to + 1] = payload >>> 8;
      out[to + 2] = payload >>> 16;
      out[to + 3] = sequence + rows;
      to = put;
      at = end;
      rows++;
      masked += changed;
    }
    return Object.assign(run, { at, to, rows, masked });
  };
}

const viewOf = ({ buffer, byteOffset, byteLength }: Buffer): DataView => new DataView(buffer, byteOffset, byteLength);

/** Of NULL, and of a value whose length has two bytes. What lies behind the row is there too: it is looked at, and not taken. */
const longEnd = (bytes: Buffer, at: number, first: number): number =>
  first === NULL ? at + 1 : at + 3 + ((bytes[at + 1] as number) | ((bytes[at + 2] as number) << 8));

/** By hand: most rows have few bytes between two masks. */
function copy(source: DataView, from: number, into: DataView, to: number, size: number): void {
  const eights = size & ~7;
  let done = 0;
  for (; done < eights; done += 8) into.setBigInt64(to + done, source.getBigInt64(from + done));
  for (; done < size; done++) into.setUint8(to + done, source.getUint8(from + done));
}
