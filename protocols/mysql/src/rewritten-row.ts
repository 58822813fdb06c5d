/**
 * Rows that masks put together anew. Owns: their bytes, and the packets around them. Does not: say what is masked (the editor of a
 * result), nor which memory is free (client-output.ts).
 */
import type { RewrittenRow } from '@sluice/contract';
import { HEADER_BYTES, MAX_PACKET, NOTHING, writeHeader } from './packets.js';

/** A call into native code costs as much as the copy of this many bytes by hand. */
const FEW_BYTES = 64;

/** Bytes for so many and what masks add. */
const withSpare = (bytes: number): number => bytes + (bytes >> 2) + 256;

/** Rows of one packet each, one behind the other. Nothing is allocated for a row. */
export class RewrittenRows implements RewrittenRow {
  readonly #memory: (size: number) => Buffer;
  #out: Buffer = NOTHING;
  /** Where those begin that nobody has taken, where the current one does, and where its next byte goes. */
  #from = 0;
  #row = 0;
  #at = 0;

  /** @param memory gives so many bytes, with anything in them */
  constructor(memory: (size: number) => Buffer) {
    this.#memory = memory;
  }

  /** Nothing of what was used before may be touched any more. */
  begin(): void {
    this.#out = NOTHING;
    this.#from = 0;
    this.#row = 0;
    this.#at = 0;
  }

  /** A row begins. `ahead`: bytes of it and of what may follow it. */
  open(ahead: number): void {
    if (this.#out === NOTHING) this.#out = this.#memory(withSpare(ahead));
    this.#reserve(HEADER_BYTES);
    this.#at = this.#row + HEADER_BYTES;
  }

  keep(bytes: Buffer, start: number, end: number): void {
    this.#copy(bytes, start, end);
  }

  put(value: Buffer): void {
    this.#copy(value, 0, value.length);
  }

  putByte(value: number): void {
    this.#reserve(1);
    this.#out[this.#at++] = value;
  }

  patch(at: number, value: number): void {
    this.#out[this.#row + HEADER_BYTES + at] = value;
  }

  /** Nothing of the row that was begun is left. */
  drop(): void {
    this.#at = this.#row;
  }

  /**
   * The row is whole.
   *
   * @returns its payload instead, where that is too long for one packet; then nothing of it is left here
   */
  close(sequence: number): Buffer | undefined {
    const size = this.#at - this.#row - HEADER_BYTES;
    if (size >= MAX_PACKET) {
      const payload = Buffer.from(this.#out.subarray(this.#row + HEADER_BYTES, this.#at));
      this.drop();
      return payload;
    }
    writeHeader(this.#out, this.#row, size, sequence);
    this.#last = this.#row;
    this.#row = this.#at;
    return undefined;
  }
  #last = 0;

  /** Bytes of the packet that was closed last. */
  get lastSize(): number {
    return this.#row - this.#last;
  }

  /** That packet. */
  get last(): Buffer {
    return this.#out.subarray(this.#last, this.#row);
  }

  /** The packets that were closed since they were taken last; undefined: there are none. */
  taken(): Buffer | undefined {
    if (this.#from === this.#row) return undefined;
    const packets = this.#out.subarray(this.#from, this.#row);
    this.#from = this.#row;
    return packets;
  }

  #copy(bytes: Buffer, start: number, end: number): void {
    const size = end - start;
    this.#reserve(size);
    const out = this.#out;
    if (size > FEW_BYTES) bytes.copy(out, this.#at, start, end);
    else for (let from = start, at = this.#at; from < end; from++, at++) out[at] = bytes[from] as number;
    this.#at += size;
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#out.length) return;
    // What was taken stays where it is: whoever has it goes on using that memory.
    const larger = Buffer.allocUnsafe(withSpare(2 * (this.#at - this.#from + size)));
    this.#out.copy(larger, 0, this.#from, this.#at);
    this.#out = larger;
    this.#last = Math.max(0, this.#last - this.#from);
    this.#row -= this.#from;
    this.#at -= this.#from;
    this.#from = 0;
  }
}

/** One long row in pieces, views of what it was among them: nothing of it is copied but what masks have made. */
export class RowPieces implements RewrittenRow {
  readonly pieces: Buffer[] = [];

  keep(bytes: Buffer, start: number, end: number): void {
    if (start < end) this.pieces.push(bytes.subarray(start, end));
  }

  put(value: Buffer): void {
    this.pieces.push(Buffer.from(value));
  }

  putByte(value: number): void {
    this.pieces.push(Buffer.from([value]));
  }

  patch(at: number, value: number): void {
    const [first] = this.pieces;
    if (first) first[at] = value;
  }
}
