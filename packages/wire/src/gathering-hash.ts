/** A digest of what passes in pieces. Owns: that small ones cost little. Does not: keep them. */
import { type Hash, createHash } from 'node:crypto';

/** Pieces of a body or file are hashed so many at a time: to hash one takes as long as to copy thousands of bytes. */
const FIRST_GATHERED_BYTES = 1024;
const MOST_GATHERED_BYTES = 4 * 1024;

/** The SHA-256 of pieces, most of which are small, and of which few are ever asked for it. */
export class GatheringHash {
  #hash: Hash | undefined;
  #gathered: Buffer | undefined;
  #size = 0;

  update(bytes: Uint8Array): void {
    if (this.#gathered && this.#size + bytes.length > this.#gathered.length) this.#flush();
    if (bytes.length >= FIRST_GATHERED_BYTES) {
      this.#flush();
      this.#hashed().update(bytes);
      return;
    }
    this.#gathered ??= Buffer.allocUnsafe(this.#hash ? MOST_GATHERED_BYTES : FIRST_GATHERED_BYTES);
    this.#gathered.set(bytes, this.#size);
    this.#size += bytes.length;
  }

  digest(): string {
    this.#flush();
    return this.#hashed().digest('hex');
  }

  #hashed(): Hash {
    return (this.#hash ??= createHash('sha256'));
  }

  #flush(): void {
    if (!this.#gathered || this.#size === 0) return;
    this.#hashed().update(this.#gathered.subarray(0, this.#size));
    this.#size = 0;
    if (this.#gathered.length < MOST_GATHERED_BYTES) this.#gathered = undefined;
  }
}
