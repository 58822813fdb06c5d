/**
 * How often the control API answers one caller, so that nobody who asks all the time keeps the gateway from its sessions. Owns:
 * the counts. Does not: how many connections there may be (`strangers.ts`), or what one request may cost.
 */

/** In the long run, and at once by who has asked nothing for a while. */
export const MAX_REQUESTS_PER_SECOND = 100;
export const MAX_REQUESTS_AT_ONCE = 400;
const INTERVAL_MS = 1_000 / MAX_REQUESTS_PER_SECOND;
const BURST_MS = MAX_REQUESTS_AT_ONCE * INTERVAL_MS;
/** Above this many callers the one is forgotten who has asked nothing for longest. */
const MAX_CALLERS = 10_000;

export class RequestRates {
  readonly #now: () => number;
  /** When each caller will have asked nothing for a while, on the clock of `now`: the virtual time of GCRA. */
  readonly #callers = new Map<string, number>();

  /** `now` is in milliseconds. */
  constructor(now = (): number => performance.now()) {
    this.#now = now;
  }

  /** Counts one request. Returns milliseconds until there may be another; 0: this one may be answered. */
  take(caller: string): number {
    const now = this.#now();
    const rested = Math.max(now, this.#callers.get(caller) ?? 0) + INTERVAL_MS;
    const wait = rested - BURST_MS - now;
    // One that is refused does not count, so that who waits as long as they are told is answered.
    if (wait > 0) return wait;
    // Whoever asked last is last in the map, so the first is who has asked nothing for longest.
    this.#callers.delete(caller);
    this.#callers.set(caller, rested);
    const [quietest] = this.#callers.keys();
    if (this.#callers.size > MAX_CALLERS && quietest !== undefined) this.#callers.delete(quietest);
    return 0;
  }

  /** One request of this caller's does not count after all. */
  giveBack(caller: string): void {
    const rested = this.#callers.get(caller);
    if (rested !== undefined) this.#callers.set(caller, rested - INTERVAL_MS);
  }

  /** Callers that are remembered. */
  get size(): number {
    return this.#callers.size;
  }
}
