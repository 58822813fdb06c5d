/**
 * What one session has of memory that many share. Owns: that little is had without asking, and that all is given back at the end. Does not: share
 * it (room.ts).
 */
import type { Room, RoomBounds } from './room.js';

/** Taken and given back so much at a time: most sessions have less, and nothing is looked up for each of their bytes. */
const BLOCK_BYTES = 64 * 1024;

export class SessionRoom {
  readonly #room: Room;
  readonly #who: string;
  readonly #bounds: RoomBounds;
  #bytes = 0;
  #reserved = 0;
  #closed = false;

  /** `who`: the principal. */
  constructor(room: Room, who: string, bounds: RoomBounds) {
    this.#room = room;
    this.#who = who;
    this.#bounds = bounds;
  }

  /** Whether there is room for so many more bytes. What others have taken leaves each session a block. */
  fits(bytes: number): boolean {
    const wanted = this.#bytes + bytes;
    if (wanted <= Math.max(this.#reserved, BLOCK_BYTES)) return true;
    return this.#room.fits(this.#who, wanted - this.#reserved, this.#bounds);
  }

  /** Counts them in any case: what is there is there. Less than none: there is less of something than before. */
  take(bytes: number): void {
    if (this.#closed) return;
    this.#bytes += bytes;
    if (this.#bytes > this.#reserved) this.#reserve();
  }

  give(bytes: number): void {
    if (this.#closed) return;
    this.#bytes -= bytes;
    if (this.#reserved - this.#bytes >= 2 * BLOCK_BYTES) this.#reserve();
  }

  /** It has so many bytes now. @returns whether there was room for them */
  hold(bytes: number): boolean {
    const more = bytes - this.#bytes;
    if (more < 0) this.give(-more);
    if (more <= 0) return true;
    const fits = this.fits(more);
    this.take(more);
    return fits;
  }

  /** The session is over. */
  close(): void {
    if (this.#closed) return;
    this.#bytes = 0;
    this.#reserve();
    this.#closed = true;
  }

  #reserve(): void {
    const wanted = Math.ceil(this.#bytes / BLOCK_BYTES) * BLOCK_BYTES;
    if (wanted > this.#reserved) this.#room.take(this.#who, wanted - this.#reserved, this.#bounds);
    else this.#room.give(this.#who, this.#reserved - wanted);
    this.#reserved = wanted;
  }
}
