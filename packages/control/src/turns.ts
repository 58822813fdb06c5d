/**
 * Whose question is answered next, where answers cost more than others do. Owns: that nobody has more than one of these in work at a
 * time, nor more than half of the time. Does not: how often somebody may ask (rates.ts), or what a question costs.
 */

/** For this long an answer may be made and taken, in milliseconds. Their own next question waits meanwhile. */
const MAX_TURN_MS = 30_000;
/** After a turn they rest for as long as it took, and no longer than this, in milliseconds. */
const MAX_REST_MS = 1_000;

export class Turns {
  /** By name: settled when the last in their line is done. Sockets bound how many that are (strangers.ts). */
  readonly #lines = new Map<string, Promise<void>>();

  /** Resolves when it is their turn, to what ends it. `late`: called where it takes too long; it is over then. */
  async take(name: string, late: () => void): Promise<() => void> {
    const before = this.#lines.get(name);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lines.set(name, promise);
    await before;
    const began = performance.now();
    const rest = (): void => {
      clearTimeout(timer);
      const took = performance.now() - began;
      setTimeout(
        () => {
          if (this.#lines.get(name) === promise) this.#lines.delete(name);
          resolve();
        },
        Math.min(took, MAX_REST_MS),
      ).unref();
    };
    const timer = setTimeout(() => {
      late();
      rest();
    }, MAX_TURN_MS).unref();
    return rest;
  }
}
