/**
 * How long somebody has to wait after failed logins, by user and address. Owns: that memory, which is bounded. Does not: check
 * proofs.
 */
import { hash } from 'node:crypto';

/** Failures that are free; then each costs a wait, doubled each time, up to the longest. Milliseconds. */
const FREE = 10;
const FIRST_WAIT = 1_000;
const MAX_WAIT_MS = 5 * 60_000;
/** After this long without a failure nothing is held against anybody. */
const FORGET = 15 * 60_000;
/** Pairs that are remembered. The oldest beyond that are forgotten: memory is bounded, whatever attackers call themselves. */
const MAX_REMEMBERED_PAIRS = 20_000;

interface Failures {
  count: number;
  last: number;
  until: number;
}

/**
 * Slows down whoever tries names and tokens, without locking anybody else out: failures count for one user from one address,
 * so that neither another user behind the same address nor the same user elsewhere has to wait for it.
 */
export class LoginLimits {
  readonly #failures = new Map<string, Failures>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  /** Milliseconds until this user may try again from there; 0: now. */
  wait(address: string, user: string): number {
    const known = this.#failures.get(key(address, user));
    return known ? Math.max(0, known.until - this.#now()) : 0;
  }

  failed(address: string, user: string): void {
    const now = this.#now();
    const name = key(address, user);
    const known = this.#failures.get(name);
    const count = known && now - known.last < FORGET ? known.count + 1 : 1;
    const wait = count <= FREE ? 0 : Math.min(MAX_WAIT_MS, FIRST_WAIT * 2 ** (count - FREE - 1));
    // At the end of the order: the first is the one that has been quiet for longest.
    this.#failures.delete(name);
    this.#failures.set(name, { count, last: now, until: now + wait });
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > MAX_REMEMBERED_PAIRS && oldest !== undefined) this.#failures.delete(oldest);
  }

  succeeded(address: string, user: string): void {
    this.#failures.delete(key(address, user));
  }

  get size(): number {
    return this.#failures.size;
  }
}

/** A digest: a part of a name, as the engine keeps it, holds on to all of it, which strangers choose. */
const key = (address: string, user: string): string => hash('sha256', `${address} ${user}`, 'base64');
