/**
 * Memory for what clients send by HTTP that is read before it goes on. Owns: what of it one exchange has. Does not: keep
 * bytes, or share them (packages/wire/src/sent-room.ts).
 */
import { type RoomBounds, sent, sentBounds } from '@sluice/wire';

/** What of one exchange, call or WebSocket is kept. */
export class SentRoom {
  readonly #who: string;
  readonly #bounds: RoomBounds;
  #bytes = 0;

  /** `longest`: what one body or message may have at most, in bytes. */
  constructor(who: string, longest: number) {
    this.#who = who;
    this.#bounds = sentBounds(longest);
  }

  /** @returns whether there is room for so many more */
  take(bytes: number): boolean {
    this.#bytes += bytes;
    return sent.take(this.#who, bytes, this.#bounds);
  }

  /** All of it, or so much. */
  give(bytes: number = this.#bytes): void {
    this.#bytes -= bytes;
    if (bytes > 0) sent.give(this.#who, bytes);
  }
}

/** A phrase. */
export const NO_ROOM_FOR_SENT =
  'too much of what is sent is kept to be judged at once: send it again when other requests have been answered';
