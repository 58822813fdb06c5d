/** Exact reads from a stream, for logins. Does not: bulk, which the pump moves. */
import type { Duplex } from 'node:stream';
import { WireError } from './errors.js';

/**
 * Exact reads from a stream, for the lockstep part of a conversation (start-up, login), where each side waits for the
 * other and there is nothing to gain from a state machine. Never holds more than the caller asked for: what is not read
 * stays in the stream and is there for TLS or for the pump that takes over.
 */
export class Inbox {
  readonly #stream: Duplex;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on('readable', this.#onReadable);
    stream.on('end', this.#onEnd);
    stream.on('close', this.#onEnd);
    stream.on('error', this.#onError);
  }

  /** Exactly `size` bytes. Rejects with `WIRE_ENDED` when the peer is gone first. */
  async read(size: number): Promise<Buffer> {
    if (size === 0) return Buffer.alloc(0);
    for (;;) {
      const bytes = this.#stream.read(size) as Buffer | null;
      if (bytes !== null && bytes.length === size) return bytes;
      // At the end of a stream read() hands out less than was asked for.
      if (bytes !== null || this.#error !== undefined) throw this.#error ?? gone();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Bytes that arrived and were not read. */
  get buffered(): number {
    return this.#stream.readableLength;
  }

  /** Puts bytes back in front of the rest, for whoever reads next. */
  unread(bytes: Buffer): void {
    if (bytes.length > 0) this.#stream.unshift(bytes);
  }

  /** Lets go of the stream, which keeps what was not read. Whoever still waits for bytes is told that none will come. */
  release(): void {
    this.#error ??= gone();
    this.#notify();
    this.#stream.off('readable', this.#onReadable);
    this.#stream.off('end', this.#onEnd);
    this.#stream.off('close', this.#onEnd);
    this.#stream.off('error', this.#onError);
  }

  readonly #onReadable = (): void => this.#notify();
  readonly #onEnd = (): void => {
    this.#error ??= gone();
    this.#notify();
  };
  readonly #onError = (error: Error): void => {
    this.#error ??= error;
    this.#notify();
  };

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

const gone = (): WireError => new WireError('WIRE_ENDED', 'the peer closed the connection');
