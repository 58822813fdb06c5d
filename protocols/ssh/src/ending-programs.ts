/**
 * Programs without a terminal that have to end at the target. Owns: the signals, and that the connection lives until they have
 * worked. Does not: what the client hears (session-channel.ts).
 */
import { type Channel, NOBODY, details } from './channel.js';
import type { Clock } from './clock.js';

/** How long a program may take to end after a signal, in milliseconds. */
const GRACE_MS = 1_000;

/**
 * Ends programs by TERM, and by KILL where that does not end them (RFC 4254 section 6.9). One TERM is not enough: programs may
 * ignore it, and sshd loses one that comes between its fork and the start of the program.
 */
export class EndingPrograms {
  readonly #clock: Clock;
  readonly #channels = new Set<Channel>();
  #whenOver: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes the target's side of the channel over, and closes it. Where that is closed already, nothing runs. */
  end(target: Channel): void {
    if (target.closed) return;
    let stopWaiting = (): void => undefined;
    const over = (): void => {
      stopWaiting();
      if (!this.#channels.delete(target)) return;
      target.close(true);
      if (this.#channels.size === 0) this.#whenOver?.();
    };
    const signal = (name: string, next: () => void): void => {
      target.request('signal', details(name));
      stopWaiting = this.#clock.after(GRACE_MS, next);
    };
    this.#channels.add(target);
    // Output is not read any more: a program that fills its window waits, until a signal ends it.
    target.events = { ...NOBODY, closed: over };
    signal('TERM', () => signal('KILL', over));
  }

  /** Calls once all have ended, or have been told all that can be told: at most two graces from now. */
  whenOver(act: () => void): void {
    if (this.#channels.size === 0) act();
    else this.#whenOver = act;
  }
}
