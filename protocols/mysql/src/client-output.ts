/**
 * What the client is given of one chunk of the target. Owns: its order, and that it goes in few writes, since each costs more than a row
 * does. Does not: decide what it is (target-half.ts).
 */

/** Pieces of so many bytes are not copied to be written together with others. */
const LARGE_BYTES = 64 * 1024;

export class ClientOutput {
  readonly #send: (bytes: Buffer) => void;
  #pieces: Buffer[] = [];

  constructor(send: (bytes: Buffer) => void) {
    this.#send = send;
  }

  /** Kept until `flush`. */
  add(bytes: Buffer): void {
    this.#pieces.push(bytes);
  }

  flush(): void {
    const pieces = this.#pieces;
    if (pieces.length === 0) return;
    this.#pieces = [];
    let small: Buffer[] = [];
    for (const piece of pieces) {
      if (piece.length < LARGE_BYTES) {
        small.push(piece);
        continue;
      }
      this.#together(small);
      this.#send(piece);
      small = [];
    }
    this.#together(small);
  }

  #together(pieces: readonly Buffer[]): void {
    const [first] = pieces;
    if (first) this.#send(pieces.length === 1 ? first : Buffer.concat(pieces));
  }
}
