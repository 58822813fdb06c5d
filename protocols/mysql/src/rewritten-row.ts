/**
 * Rows that masks put together anew. Owns: their bytes, and the packets around them. Does not: say what is masked (the editor of a
 * result), nor which memory is free (client-output.ts).
 */
import type { RewrittenRow, RowRun, RowRuns } from '@sluice/contract';
import { HEADER_BYTES, MAX_PACKET, NOTHING, writeHeader } from './packets.js';

/** A call into native code costs as much as the copy of this many bytes by hand: eight at a time, or one at a time. */
const FEW_BYTES = 160;
const FEW_SINGLE_BYTES = 32;
const NO_VIEW = viewOf(NOTHING);

/** Bytes for so many and what masks add. */
const withSpare = (bytes: number): number => bytes + (bytes >> 2) + 256;

/** Rows of one packet each, one behind the other. Nothing is allocated for a row. */
export class RewrittenRows implements RewrittenRow {
  readonly #memory: (size: number) => Buffer;
  /** Of the bytes that have come. */
  #size = 0;
  #out: Buffer = NOTHING;
  #outView: DataView = NO_VIEW;
  /** What rows were copied from last. */
  #source: Buffer = NOTHING;
  #sourceView: DataView = NO_VIEW;
  /** Where those begin that nobody has taken, where the current one does, and where its next byte goes. */
  #from = 0;
  #row = 0;
  #at = 0;

  /** @param memory gives so many bytes, with anything in them */
  constructor(memory: (size: number) => Buffer) {
    this.#memory = memory;
  }

  /** So many bytes have come, of which rows will be made. Nothing of what was used before may be touched any more. */
  begin(size: number): void {
    this.#size = size;
    this.#out = NOTHING;
    this.#outView = NO_VIEW;
    this.#source = NOTHING;
    this.#sourceView = NO_VIEW;
    this.#from = 0;
    this.#row = 0;
    this.#at = 0;
  }

  /** A row begins. `ahead`: bytes of it and of what may follow it. */
  open(ahead: number): void {
    // One that came in two pieces has all the others behind it, in the same memory: they leave together then.
    if (this.#out === NOTHING) this.#use(this.#memory(withSpare(Math.max(ahead, this.#size))));
    this.#reserve(HEADER_BYTES);
    this.#at = this.#row + HEADER_BYTES;
  }

  keep(bytes: Buffer, start: number, end: number): void {
    const size = end - start;
    this.#reserve(size);
    const at = this.#at;
    this.#at += size;
    if (size > FEW_BYTES) return void bytes.copy(this.#out, at, start, end);
    if (bytes !== this.#source) {
      this.#source = bytes;
      this.#sourceView = viewOf(bytes);
    }
    const [out, source] = [this.#outView, this.#sourceView];
    const eights = size & ~7;
    for (let done = 0; done < eights; done += 8) out.setBigInt64(at + done, source.getBigInt64(start + done));
    for (let done = eights; done < size; done++) out.setUint8(at + done, source.getUint8(start + done));
  }

  put(value: Buffer): void {
    const { length } = value;
    this.#reserve(length);
    const out = this.#out;
    const at = this.#at;
    this.#at += length;
    if (length > FEW_SINGLE_BYTES) value.copy(out, at);
    else for (let done = 0; done < length; done++) out[at + done] = value[done] as number;
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

  /** As many rows as an editor makes in one go. */
  run(runs: RowRuns, bytes: Buffer, start: number, sequence: number): RowRun {
    if (this.#out === NOTHING) this.#use(this.#memory(withSpare(Math.max(bytes.length - start, this.#size))));
    const run = runs(bytes, start, this.#out, this.#row, sequence);
    this.#last = this.#row;
    this.#row = run.to;
    this.#at = run.to;
    return run;
  }

  /** Bytes of the packet that was closed last, or of all of a run. */
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

  #use(memory: Buffer): void {
    this.#out = memory;
    this.#outView = viewOf(memory);
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#out.length) return;
    // What was taken stays where it is: whoever has it goes on using that memory.
    const larger = Buffer.allocUnsafe(withSpare(2 * (this.#at - this.#from + size)));
    this.#out.copy(larger, 0, this.#from, this.#at);
    this.#use(larger);
    this.#last = Math.max(0, this.#last - this.#from);
    this.#row -= this.#from;
    this.#at -= this.#from;
    this.#from = 0;
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
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
