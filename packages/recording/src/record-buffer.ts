/** Records that wait for the next commit. Owns: their memory and their chain of hashes. */
import { FIRST, encode, hashOf } from './format.js';

const INITIAL_BYTES = 256 * 1024;
/** A buffer that grew beyond this for one large turn is given back after it. */
const KEPT_BYTES = 16 * INITIAL_BYTES;

/** Records that are to be written at the next commit, each with the hash of the one before it. */
export class RecordBuffer {
  /** How many there are, and the bytes that they take. */
  count = 0;
  length = 0;
  /** Hash of the last record, in here or before, hex. */
  last = FIRST;
  #bytes = Buffer.allocUnsafe(INITIAL_BYTES);

  /** Only the first `length` are of records. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** `size`: bytes that the record takes at the most. */
  append(header: string, payload: readonly Uint8Array[], size: number): void {
    if (this.length + size > this.#bytes.length) this.#grow(this.length + size);
    const end = encode(this.#bytes, this.length, this.last, header, payload);
    this.last = hashOf(this.#bytes.subarray(this.length, end));
    this.length = end;
    this.count++;
  }

  /** Empty again, behind a record with this hash. */
  clear(last: string): void {
    this.last = last;
    this.length = 0;
    this.count = 0;
    if (this.#bytes.length > KEPT_BYTES) this.#bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.length);
    this.#bytes = larger;
  }
}
