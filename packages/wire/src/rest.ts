/**
 * When reading a stream rests for a moment. Owns: seeing that much comes in small pieces. Does not: stop or start reading (pump.ts).
 *
 * Servers write a long result in pieces of 8 KiB (PostgreSQL) or 16 KiB (MariaDB), and each that is read by itself costs a wait for
 * the socket, a read and a write. A reader that rests for a millisecond finds many of them, and takes them in one go.
 */

/** Bytes that came without a break before reading rests: what is shorter is not delayed. */
const RUN_BYTES = 1024 * 1024;
/** Bytes of a read, and milliseconds between two, that end a run: questions and short answers never look at the clock. */
const SHORT_READ_BYTES = 4 * 1024;
const BREAK_MS = 5;
/** Milliseconds. */
const REST_MS = 1;
/** Bytes of a read for which it has paid to rest, or that shows that there is no need to. */
const LARGE_READ_BYTES = 64 * 1024;

export class Rest {
  readonly #over: () => void;
  #run = 0;
  #last = 0;
  #hasRested = false;
  #timer: NodeJS.Timeout | undefined;

  /** `over` is called when reading may go on. */
  constructor(over: () => void) {
    this.#over = over;
  }

  /** Nothing is read now. */
  get isDue(): boolean {
    return this.#timer !== undefined;
  }

  /** So many bytes have been read at once. */
  read(bytes: number): void {
    const hasRested = this.#hasRested;
    this.#hasRested = false;
    if (bytes < SHORT_READ_BYTES) {
      this.#run = 0;
      return;
    }
    const now = performance.now();
    const isSlow = now - this.#last > BREAK_MS || (hasRested && bytes < LARGE_READ_BYTES);
    this.#last = now;
    this.#run = isSlow ? bytes : this.#run + bytes;
    if (this.#run < RUN_BYTES || bytes >= LARGE_READ_BYTES) return;
    this.#hasRested = true;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#over();
    }, REST_MS);
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
