/**
 * Memory for what clients send by HTTP that is read before it goes on. Owns: how much of it one principal may have under way. Does not: keep bytes.
 */
import { Room, type RoomBounds } from '@sluice/wire';

/** Of what clients send: bodies and messages that are read before they go on. */
const sent = new Room();
/** So many of the longest ones one principal may have under way, and all together. */
const LONGEST_OF_ONE = 4;
const LONGEST_OF_ALL = 16;

/** What of one exchange, call or WebSocket is kept. */
export class SentRoom {
  readonly #who: string;
  readonly #bounds: RoomBounds;
  #bytes = 0;

  /** `longest`: what one body or message may have at most, in bytes. */
  constructor(who: string, longest: number) {
    this.#who = who;
    this.#bounds = { ofOne: longest * LONGEST_OF_ONE, all: longest * LONGEST_OF_ALL };
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
