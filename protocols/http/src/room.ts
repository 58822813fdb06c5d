/**
 * Memory that many take at once, each for somebody. Owns: that one takes not all of it, and all together no more than there is. Does not: keep
 * bytes.
 */

export interface RoomBounds {
  /** Bytes of one, and of all. */
  readonly ofOne: number;
  readonly all: number;
}

export class Room {
  readonly #taken = new Map<string, number>();
  #all = 0;

  /** Counts them in any case. @returns whether there was room for them */
  take(who: string, bytes: number, { ofOne, all }: RoomBounds): boolean {
    const mine = (this.#taken.get(who) ?? 0) + bytes;
    this.#taken.set(who, mine);
    this.#all += bytes;
    return mine <= ofOne && this.#all <= all;
  }

  give(who: string, bytes: number): void {
    this.#all -= bytes;
    const left = (this.#taken.get(who) ?? 0) - bytes;
    if (left > 0) this.#taken.set(who, left);
    else this.#taken.delete(who);
  }
}

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
