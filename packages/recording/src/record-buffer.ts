/** Records that wait for the next commit. Owns: their memory and their chain of hashes. */
import { encode, hashOf, link } from './format.js';

const INITIAL_BYTES = 256 * 1024;
/** A buffer that grew beyond this for one large turn is given back after it. */
const KEPT_BYTES = 16 * INITIAL_BYTES;

/**
 * Records that are to be written at the next commit, each with the hash of the one before it. They are chained all at once: hashes one behind the
 * other cost less than each between two other things.
 */
export class RecordBuffer {
  /** How many there are, and the bytes that they take. */
  count = 0;
  length = 0;
  #bytes = Buffer.allocUnsafe(INITIAL_BYTES);
  /** Where each of them ends. */
  readonly #ends: number[] = [];

  /** Only the first `length` are of records, which are whole once they are chained. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  /** `size`: bytes that the record takes at the most. */
  append(header: string, payload: readonly Uint8Array[], size: number): void {
    if (this.length + size > this.#bytes.length) this.#grow(this.length + size);
    this.length = encode(this.#bytes, this.length, header, payload);
    this.#ends[this.count++] = this.length;
  }

  /** Gives each record the hash of the one before it, the first of them `previous`. Hashes are in hex; returns that of the last one. */
  chain(previous: string): string {
    let last = previous;
    let at = 0;
    for (let n = 0; n < this.count; n++) {
      const end = this.#ends[n] as number;
      link(this.#bytes, at, last);
      last = hashOf(this.#bytes.subarray(at, end));
      at = end;
    }
    return last;
  }

  clear(): void {
    this.length = 0;
    this.count = 0;
    if (this.#bytes.length <= KEPT_BYTES) return;
    this.#bytes = Buffer.allocUnsafe(INITIAL_BYTES);
    this.#ends.length = 0;
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.length);
    this.#bytes = larger;
  }
}
