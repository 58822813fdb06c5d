/**
 * Two ends of a connection within this process. Owns: that what one end writes is copied, because whoever writes may use that memory again as soon as
 * it has been taken, and that an end which is gone takes the other one with it.
 */
import { Duplex } from 'node:stream';

class End extends Duplex {
  #other: End | undefined;
  /** Of what the other end has written, and this one had no room for. */
  #taken: (() => void) | undefined;

  join(other: End): void {
    this.#other = other;
  }

  override _write(chunk: Buffer, _: BufferEncoding, taken: () => void): void {
    if (this.#other) this.#other.#give(Buffer.from(chunk), taken);
    else taken();
  }

  override _final(done: () => void): void {
    if (this.#other && !this.#other.destroyed) this.#other.push(null);
    done();
  }

  override _read(): void {
    this.#take();
  }

  #take(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#take();
    const other = this.#other;
    this.#other = undefined;
    // What it has not read yet, it still may.
    if (other && !other.destroyed) {
      other.#other = undefined;
      other.push(null);
      setImmediate(() => other.#abandoned());
    }
    done(error);
  }

  #give(chunk: Buffer, taken: () => void): void {
    if (this.destroyed || this.push(chunk)) taken();
    else this.#taken = taken;
  }

  /** Nobody is at the other end: what is left to read is read, and nothing is written any more. */
  #abandoned(): void {
    if (this.destroyed) return;
    if (this.readableLength === 0) this.destroy();
    else this.once('end', () => this.destroy());
  }
}

export function streamPair(): readonly [Duplex, Duplex] {
  const [one, other] = [new End({ allowHalfOpen: true }), new End({ allowHalfOpen: true })];
  one.join(other);
  other.join(one);
  // An error that nobody listens for would end the process.
  for (const end of [one, other]) end.on('error', () => undefined);
  return [one, other];
}
