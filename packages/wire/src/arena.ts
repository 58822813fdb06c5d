/**
 * Memory for what a conversation makes of a chunk, used again for the next. Owns: that memory. Does not: know when a chunk is
 * done with (pump.ts).
 */

/** Bytes. What is sent in pieces below this may still wait in a stream when the next chunk comes; more may not (`pump`). */
export const LARGE_WRITE_BYTES = 8 * 1024;

/** Where nothing else is said, what is smaller is not worth keeping an arena for. */
const LEAST_BYTES = 16 * 1024;
const ARENA_BYTES = 384 * 1024;
const spares: Buffer[] = [];
const MAX_SPARE_BUFFERS = 4;

/**
 * Memory for what a conversation makes out of a chunk, used again for the next one: nothing is allocated for a rewritten
 * result, which is what keeps the garbage collector out of it. The pump reads nothing more from a side while a large write
 * to the other one waits, so all of it is free when the next chunk comes.
 */
export class Arena {
  readonly #least: number;
  #memory: Buffer | undefined;
  #used = 0;
  /** Counts chunks. */
  #turn = 0;

  /** @param least bytes, LARGE_WRITE_BYTES or more: what is smaller comes from elsewhere, and so do chunks leave nothing behind that are */
  constructor(least = LEAST_BYTES) {
    this.#least = least;
  }

  /** A new chunk has come. After a small one nothing is kept: most sessions are idle most of the time. */
  begin(size: number): void {
    this.#used = 0;
    this.#turn++;
    if (size < this.#least) this.#giveBack();
  }

  /** Nothing more is made of what has come. Nothing is kept either, once `written` says that others have taken all, and no chunk came since. */
  rest(written: () => Promise<void>): void {
    if (!this.#memory) return;
    const turn = this.#turn;
    void written().then(() => {
      if (turn === this.#turn) this.#giveBack();
    });
  }

  #giveBack(): void {
    if (!this.#memory) return;
    if (spares.length < MAX_SPARE_BUFFERS) spares.push(this.#memory);
    this.#memory = undefined;
  }

  /** Memory until the next chunk, with anything in it. */
  readonly take = (size: number): Buffer => {
    if (size < this.#least || this.#used + size > ARENA_BYTES) return Buffer.allocUnsafe(size);
    this.#memory ??= spares.pop() ?? Buffer.allocUnsafeSlow(ARENA_BYTES);
    const start = this.#used;
    this.#used += size;
    return this.#memory.subarray(start, this.#used);
  };

  /** What was taken stays as it is for as long as anybody has it. What is taken next is other memory. */
  abandon(): void {
    this.#memory = undefined;
    this.#used = 0;
  }

  /**
   * Copies few bytes out of the arena: the pump does not wait for small writes, so they may still be queued when
   * the memory is used again.
   */
  keepable(bytes: Buffer): Buffer {
    return bytes.length < this.#least && bytes.buffer === this.#memory?.buffer ? Buffer.from(bytes) : bytes;
  }
}
