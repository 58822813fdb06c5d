/**
 * A stream to a target whose writes wait until the records of the commands in them are in the journal. Owns the stream
 * beneath: nobody else writes to it. Does not know what a record is; `wait` calls back when what was written may leave.
 */
import { Duplex } from 'node:stream';
import { type Lender, isLender } from '@sluice/wire';

/** What lies in the machinery of `stream.Writable`, in bytes. */
const bytesOf = Object.getOwnPropertyDescriptor(Duplex.prototype, 'writableLength')?.get as (this: Duplex) => number;

/** Pieces of so many bytes, on the average, are not copied into one: to copy less costs less than to write more of them. */
const LARGE_PIECE_BYTES = 4096;

type HeldWrite = (error?: Error | null) => void;

/** Calls `release` once, when everything that was written until then may leave, or with the failure that forbids it. */
export type Wait = (release: (failure: Error | undefined) => void) => void;

/**
 * A stream of its own and not a patched one, so that the whole contract of `stream.Duplex` holds (strings, callbacks,
 * `cork`, 'drain', a destroyed stream), and so that a library that writes to a socket's handle (TLS, HTTP/2) finds none
 * to write past the journal with. It is corked for life: what is written leaves by `#release` alone.
 *
 * Plain writes (bytes and nothing else), which is what sessions send, do not go through the machinery of `stream.Writable`: they
 * lie in `#ahead`, in front of whatever that machinery holds, and go from there to the stream beneath.
 */
export class HeldStream extends Duplex {
  /** There where the stream beneath can lend. */
  declare readonly lend?: Lender['lend'];
  readonly #inner: Duplex;
  readonly #wait: Wait;
  #waiting = false;
  /** The reader reads from the stream beneath, or TLS does. */
  #handedOver = false;
  #ahead: Buffer[] = [];
  #aheadBytes = 0;
  /** Somebody was told that there is no room, and waits for 'drain'. */
  #owesDrain = false;
  /** Of `_final`, which came while something lay ahead. */
  #end: HeldWrite | undefined;

  constructor(inner: Duplex, wait: Wait) {
    super({
      allowHalfOpen: inner.allowHalfOpen,
      readableHighWaterMark: inner.readableHighWaterMark,
      writableHighWaterMark: inner.writableHighWaterMark,
    });
    this.#inner = inner;
    this.#wait = wait;
    this.cork();
    inner.on('data', this.#forward);
    inner.pause();
    inner.on('end', this.#forwardEnd);
    inner.on('error', (error) => this.destroy(error));
    // After its end, what is left to be read here is read first.
    inner.on('close', () => inner.readableEnded || void this.destroy());
    // An error that nobody listens for would end the process, and between login and session there may be nobody.
    this.on('error', () => undefined);
    if (isLender(inner)) Object.assign(this, { lend: this.#lendFrom(inner) });
    if (inner.destroyed) this.destroy();
    // As sockets do: a target that goes away is noticed before anybody reads.
    else this.read(0);
  }

  /**
   * Gives the stream beneath to TLS, which reads and writes below this one. Nothing may be written here any more.
   *
   * @throws Error while something waits to be written, and when the target has sent what TLS would not protect
   */
  handOver(): Duplex {
    if (this.writableLength > 0) throw new Error('bytes still wait to be written to the target');
    if (this.readableLength + this.#inner.readableLength > 0) throw new Error('the target sent bytes before TLS');
    this.#stopReading();
    this.#inner.off('end', this.#forwardEnd);
    return this.#inner;
  }

  static {
    // Bytes that have not left, neither from here nor from the stream beneath. An accessor at run time, a property to the types.
    Object.defineProperty(HeldStream.prototype, 'writableLength', {
      get(this: HeldStream): number {
        return this.#aheadBytes + (bytesOf.call(this) || this.#inner.writableLength);
      },
    });
  }

  override write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
    if (encoding === undefined && callback === undefined && Buffer.isBuffer(chunk) && this.#takesPlain())
      return this.#writePlain(chunk);
    const room = super.write(chunk, encoding as BufferEncoding, callback as () => void);
    this.#schedule();
    return room;
  }

  /** Nothing lies in the machinery that these bytes would overtake, and it has nothing to say against a write. */
  #takesPlain(): boolean {
    return bytesOf.call(this) === 0 && this.writable;
  }

  #writePlain(bytes: Buffer): boolean {
    this.#ahead.push(bytes);
    this.#aheadBytes += bytes.length;
    this.#schedule();
    const room = this.writableLength < this.writableHighWaterMark;
    this.#owesDrain ||= !room;
    return room;
  }

  #releasePlain(): void {
    const ahead = this.#ahead;
    if (ahead.length === 0) return;
    const bytes = this.#aheadBytes;
    this.#ahead = [];
    this.#aheadBytes = 0;
    if (ahead.length > 1 && bytes >= ahead.length * LARGE_PIECE_BYTES) {
      // All of them in one write as well.
      this.#inner.cork();
      for (const piece of ahead.slice(0, -1)) this.#inner.write(piece);
      this.#writeInner(ahead.at(-1) as Buffer);
      this.#inner.uncork();
    } else this.#writeInner(ahead.length === 1 ? (ahead[0] as Buffer) : Buffer.concat(ahead));
    if (this.#end) this.#endInner(this.#end);
  }

  #writeInner(bytes: Buffer): void {
    if (this.#owesDrain) this.#inner.write(bytes, this.#drained);
    else this.#inner.write(bytes);
  }

  readonly #drained = (): void => {
    // Where more was written meanwhile, it is told behind that.
    if (!this.#owesDrain || this.writableLength > 0 || this.destroyed) return;
    this.#owesDrain = false;
    this.emit('drain');
  };

  /** `end` uncorks as well: one cork is ours. */
  override uncork(): void {
    if (this.writableCorked > 1) super.uncork();
    this.#schedule();
  }

  override pause(): this {
    if (this.#handedOver) this.#inner.pause();
    return super.pause();
  }

  override resume(): this {
    if (this.#handedOver) this.#inner.resume();
    return super.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: HeldWrite): void {
    this.#pass(chunk, callback);
  }

  override _writev(chunks: { chunk: Buffer }[], callback: HeldWrite): void {
    const filled = chunks.flatMap(({ chunk }) => (chunk.length > 0 ? [chunk] : []));
    this.#pass(filled.length === 1 ? (filled[0] as Buffer) : Buffer.concat(filled), callback);
  }

  #pass(bytes: Buffer, callback: HeldWrite): void {
    this.#inner.write(bytes, (error) => {
      callback(error);
      // What was written meanwhile found a write at work, and waits for its turn.
      if (bytesOf.call(this) > 0) this.#schedule();
      else this.#drained();
    });
  }

  override _final(callback: HeldWrite): void {
    if (this.#ahead.length > 0) this.#end = callback;
    else this.#endInner(callback);
  }

  #endInner(callback: HeldWrite): void {
    if (this.#inner.destroyed || this.#inner.writableFinished) callback();
    else this.#inner.end(() => callback());
  }

  override _read(): void {
    if (!this.#handedOver) this.#inner.resume();
  }

  override _destroy(error: Error | null, callback: HeldWrite): void {
    this.#ahead = [];
    this.#aheadBytes = 0;
    this.#inner.destroy(error ?? undefined);
    if (this.#inner.closed) callback(error);
    else this.#inner.once('close', () => callback(error));
  }

  #schedule(): void {
    if (this.#waiting || (this.#aheadBytes === 0 && bytesOf.call(this) === 0)) return;
    this.#waiting = true;
    this.#wait(this.#release);
  }

  readonly #release = (failure: Error | undefined): void => {
    this.#waiting = false;
    if (failure) return void this.destroy(failure);
    this.#releasePlain();
    if (bytesOf.call(this) === 0) return;
    super.uncork();
    super.cork();
  };

  readonly #forward = (chunk: Buffer): void => {
    if (!this.push(chunk)) this.#inner.pause();
  };

  readonly #forwardEnd = (): void => void this.push(null);

  /** What was read and not taken goes back, so that the next reader of the stream beneath has it first. */
  #stopReading(): void {
    this.#handedOver = true;
    this.#inner.off('data', this.#forward);
    this.#inner.pause();
    const rest = this.read() as Buffer | null;
    if (rest !== null) this.#inner.unshift(rest);
  }

  #lendFrom(inner: Lender): Lender['lend'] {
    return (receive) => {
      this.#stopReading();
      inner.lend(receive);
      // As a listener for 'data' would.
      if (this.readableFlowing !== false) this.resume();
    };
  }
}
