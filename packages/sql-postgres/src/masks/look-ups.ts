/**
 * How often a session has the catalog read because of a name that nobody knows. Owns: that bound. Does not own: which statements name such
 * (`session.ts`). Reading takes the gateway and the target time that others need, and whoever names nonsense could ask for it forever.
 */

/** The part of the time that its readings may take in the long run, and how much it may use up at once, in milliseconds. */
const SHARE = 1 / 10;
const MAX_SAVED_MS = 1_000;

export class LookUps {
  readonly #now: () => number;
  #savedMs = MAX_SAVED_MS;
  #at: number;

  /** @param now a clock in milliseconds that nobody sets back */
  constructor(now = (): number => performance.now()) {
    this.#now = now;
    this.#at = now();
  }

  /** Undefined: it has used up its time. Rejects as `read` does. */
  read<T>(read: () => Promise<T>): Promise<T> | undefined {
    const began = this.#now();
    this.#savedMs = Math.min(this.#savedMs + (began - this.#at) * SHARE, MAX_SAVED_MS);
    this.#at = began;
    if (this.#savedMs <= 0) return undefined;
    return read().finally(() => {
      this.#savedMs -= this.#now() - began;
    });
  }
}
