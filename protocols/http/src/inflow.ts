/**
 * Bytes that came and were not used yet. Owns: keeping them in order, in memory that grows by doubling, so that a head that
 * comes byte by byte costs no more than its length. Does not: read them.
 */

const EMPTY = Buffer.alloc(0);

export class Inflow {
  /** What is there. A view: valid until the next `add` or `use`. */
  bytes: Buffer = EMPTY;
  /** The memory behind `bytes` where it is our own, with room at its end. */
  #memory: Buffer | undefined;
  /** Of `#memory`: where `bytes` ends. */
  #end = 0;

  add(chunk: Buffer): void {
    if (this.bytes.length === 0) {
      this.bytes = chunk;
      this.#memory = undefined;
      return;
    }
    const { bytes } = this;
    if (!this.#memory || this.#end + chunk.length > this.#memory.length) {
      this.#memory = Buffer.allocUnsafe(Math.max(512, (bytes.length + chunk.length) * 2));
      bytes.copy(this.#memory);
      this.#end = bytes.length;
    }
    chunk.copy(this.#memory, this.#end);
    this.#end += chunk.length;
    this.bytes = this.#memory.subarray(this.#end - bytes.length - chunk.length, this.#end);
  }

  /** So many bytes have been used. */
  use(size: number): void {
    this.bytes = size === this.bytes.length ? EMPTY : this.bytes.subarray(size);
    if (this.bytes.length === 0) this.#memory = undefined;
  }

  /** All of it, which is then somebody else's. */
  take(): Buffer {
    const { bytes } = this;
    this.use(bytes.length);
    return bytes;
  }
}
