/**
 * How often the failures of strangers are written down one by one. Lives here: windows, and sums of what is beyond them.
 * Does not: what is written (`log.ts`).
 */
import { addressGroup } from '@sluice/addresses';

/** Failures are counted for so long, then summed, in milliseconds. */
export const WINDOW_MS = 10_000;
/** Failures that are written one by one in each window, from one address and in all. */
export const MAX_WRITTEN_PER_ADDRESS = 10;
export const MAX_WRITTEN = 100;
/** Addresses that are told apart in one window, and sums that are written at its end. */
const MAX_ADDRESSES = 1_000;
export const MAX_SUMS = 20;
const OTHERS = 'other addresses';

interface Count {
  written: number;
  more: number;
}

/** Milliseconds of a window, and what is written one by one in it of one address. */
export interface Rate {
  readonly window: number;
  readonly perAddress: number;
}

/** Of logins and connections. */
const PER_CONNECTION: Rate = { window: WINDOW_MS, perAddress: MAX_WRITTEN_PER_ADDRESS };
/** Of requests, which cost whoever sends them no connection each. */
export const PER_REQUEST: Rate = { window: 60_000, perAddress: 5 };

/** Failures of one kind. Whoever makes many of them fills neither the record nor the log: what is beyond a rate is summed. */
export class FailureWindow {
  readonly #counts = new Map<string, Count>();
  readonly #sum: (address: string, more: number) => void;
  readonly #rate: Rate;
  #written = 0;
  #end: NodeJS.Timeout | undefined;
  #stopped = false;

  /** `sum` is told of failures that were not written one by one: from where, and how many. */
  constructor(sum: (address: string, more: number) => void, rate = PER_CONNECTION) {
    this.#sum = sum;
    this.#rate = rate;
  }

  /** Counts a failure. True: write it down; false: it will be in a sum. */
  admits(address: string): boolean {
    if (!this.#stopped) this.#end ??= setTimeout(() => this.close(), this.#rate.window).unref();
    const count = this.#countOf(addressGroup(address));
    if (count.written >= this.#rate.perAddress || this.#written >= MAX_WRITTEN) {
      count.more++;
      return false;
    }
    count.written++;
    this.#written++;
    return true;
  }

  /** The window ends: what was not written one by one is summed now. */
  close(): void {
    clearTimeout(this.#end);
    this.#end = undefined;
    this.#written = 0;
    const sums = [...this.#counts].filter(([address, { more }]) => more > 0 && address !== OTHERS);
    sums.sort(([, a], [, b]) => b.more - a.more);
    const others = this.#counts.get(OTHERS)?.more ?? 0;
    this.#counts.clear();
    for (const [address, { more }] of sums.slice(0, MAX_SUMS)) this.#sum(address, more);
    const rest = sums.slice(MAX_SUMS).reduce((total, [, { more }]) => total + more, others);
    if (rest > 0) this.#sum(OTHERS, rest);
  }

  /** The last window ends, and no other one does by itself. */
  stop(): void {
    this.close();
    this.#stopped = true;
  }

  #countOf(address: string): Count {
    const name = this.#counts.has(address) || this.#counts.size < MAX_ADDRESSES ? address : OTHERS;
    let count = this.#counts.get(name);
    if (!count) this.#counts.set(name, (count = { written: 0, more: 0 }));
    return count;
  }
}
