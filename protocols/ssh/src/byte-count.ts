/** How much went through in one direction, and of a transfer which bytes. Does not: put it on record (program.ts, pipe.ts). */
import { type Hash, createHash } from 'node:crypto';

/** What went through in one direction: how much, and of a transfer which bytes. */
export class ByteCount {
  #bytes = 0;
  #hash: Hash | undefined;

  constructor(transfer: boolean) {
    if (transfer) this.#hash = createHash('sha256');
  }

  add(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    this.#hash?.update(bytes);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** `12 bytes`, of a transfer with their SHA-256. Call once, at the end. */
  end(): string {
    const digest = this.#hash?.digest('hex');
    this.#hash = undefined;
    return `${this.#bytes} bytes${digest === undefined ? '' : ` sha256:${digest}`}`;
  }
}
