/**
 * Collects what one turn has to say to a stream and writes it at once: a head, a chunk's line and its bytes are one packet
 * then. Owns: when there is room for more. Does not: wait for anything but the end of the turn, and for that only with what is small.
 */
import type { Duplex } from 'node:stream';
import { atTurnEnd } from '@sluice/wire';

/** Bytes below which copying together is cheaper than a write of several pieces. */
const MERGE_BYTES = 32 * 1024;

const NOW = Promise.resolve();

export class Outbox {
  readonly #stream: Duplex;
  readonly #onRoom: () => void;
  #pieces: Buffer[] = [];
  #size = 0;
  /** The stream has as much as it should hold. */
  #full = false;
  /** Somebody was told to wait. */
  #awaited = false;

  /** `onRoom`: called after `push` has said that there is no room, once there is. */
  constructor(stream: Duplex, onRoom: () => void) {
    this.#stream = stream;
    this.#onRoom = onRoom;
    stream.on('drain', this.#drained);
  }

  /** Whether there is room for more. Where there is none, `onRoom` follows. */
  get hasRoom(): boolean {
    const room = !this.#full && this.#size < this.#stream.writableHighWaterMark;
    if (!room) this.#awaited = true;
    return room;
  }

  /** @returns whether there is room for more */
  push(bytes: Buffer): boolean {
    if (this.#pieces.length === 0) atTurnEnd(this.flush);
    this.#pieces.push(bytes);
    const before = this.#size;
    this.#size += bytes.length;
    // Not queueMicrotask, which makes an object of async_hooks for each.
    if (before < MERGE_BYTES && this.#size >= MERGE_BYTES) void NOW.then(this.flush);
    return this.hasRoom;
  }

  readonly flush = (): void => {
    const pieces = this.#pieces;
    if (pieces.length === 0) return;
    const size = this.#size;
    this.#pieces = [];
    this.#size = 0;
    const stream = this.#stream;
    if (stream.destroyed || stream.writableEnded) return;
    if (pieces.length === 1) this.#full = !stream.write(pieces[0]);
    else if (size < MERGE_BYTES) this.#full = !stream.write(Buffer.concat(pieces, size));
    else {
      stream.cork();
      for (const piece of pieces) this.#full = !stream.write(piece);
      stream.uncork();
    }
    if (!this.#full) this.#tell();
  };

  /** Lets go of the stream, to which all has been written. */
  release(): void {
    this.flush();
    this.#stream.off('drain', this.#drained);
  }

  readonly #drained = (): void => {
    this.#full = false;
    this.#tell();
  };

  #tell(): void {
    if (!this.#awaited) return;
    this.#awaited = false;
    this.#onRoom();
  }
}
