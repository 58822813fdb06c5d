/**
 * Whose question is answered next, where answers cost more than others do. Owns: that nobody has more than one of these in work at a
 * time, nor more than half of the time. Does not: how often somebody may ask (rates.ts), or what a question costs.
 */

/** Whoever does not take an answer keeps their own next question waiting for this long, in milliseconds. */
const MAX_TURN_MS = 10_000;
/** After a turn they rest for as long as it took, and no longer than this, in milliseconds. */
const MAX_REST_MS = 1_000;

export class Turns {
  /** By name: settled when the last in their line is done. Sockets bound how many that are (strangers.ts). */
  readonly #lines = new Map<string, Promise<void>>();

  /** Resolves when it is their turn, to what ends it. */
  async take(name: string): Promise<() => void> {
    const before = this.#lines.get(name);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lines.set(name, promise);
    await before;
    const began = performance.now();
    const rest = (): void => {
      clearTimeout(late);
      const took = performance.now() - began;
      setTimeout(
        () => {
          if (this.#lines.get(name) === promise) this.#lines.delete(name);
          resolve();
        },
        Math.min(took, MAX_REST_MS),
      ).unref();
    };
    const late = setTimeout(rest, MAX_TURN_MS).unref();
    return rest;
  }
}
