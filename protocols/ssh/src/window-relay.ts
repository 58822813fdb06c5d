/** One direction between two channels. Owns: how much the sender may send. Does not: move bytes. */
import type { Channel } from './channel.js';

/**
 * One direction between two channels: what came in by one goes out by the other, and the sender may send as much again as has
 * left. That alone bounds what the gateway keeps of a receiver that stands still, and touches no other channel.
 */
export class WindowRelay {
  readonly #from: Channel;
  /** Bytes that came and were not given back to the sender's window. */
  #owed = 0;
  readonly #waiting: () => number;

  /** `waiting`: bytes that are on their way to the receiver and have not left. */
  constructor(from: Channel, waiting: () => number) {
    this.#from = from;
    this.#waiting = waiting;
  }

  came(bytes: number): void {
    this.#owed += bytes;
    this.returnWindow();
  }

  /** Some of what waits may have left. */
  returnWindow(): void {
    const free = this.#owed - this.#waiting();
    if (free <= 0) return;
    this.#owed -= free;
    this.#from.consumed(free);
  }
}
