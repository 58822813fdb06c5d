/**
 * Reading a stream by lines and by counts. Owns: bytes that have come and were not taken yet. Does not: know what they mean.
 */

/** The other end is gone, or is not to be read any more. */
export class Closed extends Error {}

const LF = 0x0a;
const CR = 0x0d;

export class Reader {
  /** @type {import('node:stream').Duplex} */
  #stream;
  /** @type {Buffer} */
  #rest = Buffer.alloc(0);
  #isClosed = false;
  /** @type {(() => void) | undefined} */
  #wake;
  #onClose;
  /** Resolves when nothing more will come. @type {Promise<void>} */
  closed;

  /** @param {import('node:stream').Duplex} stream nobody else reads it from now on */
  constructor(stream) {
    this.#stream = stream;
    const { promise, resolve } = /** @type {PromiseWithResolvers<void>} */ (Promise.withResolvers());
    this.closed = promise;
    this.#onClose = resolve;
    stream.on('readable', () => {
      this.#wake?.();
      // A hang-up is told to whoever asks for bytes, so somebody has to ask while a command is at work.
      if (stream.readableLength === 0) stream.read();
    });
    for (const event of ['end', 'error', 'close']) stream.on(event, () => this.close());
  }

  /** Whoever waits for bytes gets `Closed`. */
  close() {
    this.#isClosed = true;
    this.#onClose();
    this.#wake?.();
  }

  /** Whether there are bytes that nobody has taken. */
  get hasMore() {
    return this.#rest.length > 0 || this.#stream.readableLength > 0;
  }

  /**
   * The bytes up to CRLF, without it.
   *
   * @param {number} maxBytes
   * @throws {Closed}
   * @throws {RangeError} when the line is longer
   */
  async line(maxBytes) {
    let from = 0;
    for (;;) {
      const at = this.#rest.indexOf(LF, from);
      if (at >= 0 ? at > maxBytes + 1 : this.#rest.length > maxBytes + 1) throw new RangeError('a line is too long');
      if (at >= 0) {
        const line = this.#rest.subarray(0, at > 0 && this.#rest[at - 1] === CR ? at - 1 : at);
        this.#rest = this.#rest.subarray(at + 1);
        return line;
      }
      from = this.#rest.length;
      this.#rest = Buffer.concat([this.#rest, await this.#more()]);
    }
  }

  /**
   * Some bytes: as many as there are, and no more than `maxBytes`.
   *
   * @param {number} maxBytes
   * @throws {Closed}
   */
  async some(maxBytes) {
    if (this.#rest.length === 0) this.#rest = await this.#more();
    const bytes = this.#rest.subarray(0, maxBytes);
    this.#rest = this.#rest.subarray(bytes.length);
    return bytes;
  }

  /**
   * So many bytes, in memory of their own.
   *
   * @param {number} count
   * @throws {Closed}
   */
  async exactly(count) {
    const parts = [];
    for (let left = count; left > 0; ) {
      const bytes = await this.some(left);
      parts.push(bytes);
      left -= bytes.length;
    }
    return Buffer.concat(parts);
  }

  /** @returns {Promise<Buffer>} */
  async #more() {
    for (;;) {
      if (this.#isClosed) throw new Closed();
      const bytes = /** @type {Buffer | null} */ (this.#stream.read());
      // A socket may lend its memory: what is kept is copied.
      if (bytes) return Buffer.from(bytes);
      await /** @type {Promise<void>} */ (new Promise((resolve) => (this.#wake = resolve)));
      this.#wake = undefined;
    }
  }
}
