/** When to give credit back, and how much. Owns: the budget of one tunnel. */
import type { TunnelStream } from './stream.js';

/** The largest window that a stream may grow to, and what all streams of a tunnel may grow by together. Bytes. */
const MAX_WINDOW_BYTES = 4 * 1024 * 1024;
const MAX_GROWTH_BYTES = 32 * 1024 * 1024;

interface WindowUse {
  /** What was read since the last credit. */
  taken: number;
  size: number;
  /** When the last credit was given. */
  at: number;
}

/**
 * When to give credit back, and how much. A window that is used up within two round trips is what limits its stream, so
 * it doubles, within a budget; one whose reader stalls stays as it is, and is all that its stream can cost.
 */
export class Windows {
  readonly initial: number;
  readonly #roundTrip: () => number | undefined;
  readonly #uses = new Map<TunnelStream, WindowUse>();
  #grown = 0;

  constructor(initial: number, roundTrip: () => number | undefined) {
    this.initial = initial;
    this.#roundTrip = roundTrip;
  }

  /** The credit to give now; 0: not yet. */
  consumed(stream: TunnelStream, bytes: number): number {
    let use = this.#uses.get(stream);
    if (!use) this.#uses.set(stream, (use = { taken: 0, size: this.initial, at: performance.now() }));
    use.taken += bytes;
    if (use.taken < use.size / 2) return 0;
    const now = performance.now();
    const growth = now - use.at < 2 * (this.#roundTrip() ?? 0) ? this.#growth(use.size) : 0;
    const credit = use.taken + growth;
    use.size += growth;
    use.at = now;
    use.taken = 0;
    return credit;
  }

  released(stream: TunnelStream): void {
    const use = this.#uses.get(stream);
    if (use) this.#grown -= use.size - this.initial;
    this.#uses.delete(stream);
  }

  #growth(size: number): number {
    const growth = Math.max(0, Math.min(size, MAX_WINDOW_BYTES - size, MAX_GROWTH_BYTES - this.#grown));
    this.#grown += growth;
    return growth;
  }
}
