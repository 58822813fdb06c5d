/**
 * What ties an answer to a question, and keeps it from counting twice. Owns: names of requests, and which assertions were seen. Does not:
 * know in which browser a login began (packages/console-server).
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const RANDOM_BYTES = 16;
const MAC_BYTES = 16;
/** Assertions that are remembered. Only what a provider has signed comes here. */
const MAX_SEEN = 100_000;

/**
 * Names of requests that can be told from those of others without keeping any: whoever comes can begin a login, and what is kept for
 * each could be filled.
 */
export class RequestNames {
  readonly #key: Uint8Array;
  readonly #life: number;

  /** `life`: how long a request may be answered, in milliseconds. */
  constructor(key: Uint8Array, life: number) {
    this.#key = key;
    this.#life = life;
  }

  /** An XML ID: it begins with no digit. */
  next(now: number): string {
    const text = `_${now.toString(36)}.${randomBytes(RANDOM_BYTES).toString('hex')}`;
    return `${text}.${this.#mac(text)}`;
  }

  /** When it was made, in milliseconds since 1970; undefined: it is none of ours, or nobody answers it any more. */
  read(name: string, now: number): number | undefined {
    const [, text = '', time = '', mac = ''] = /^(_([0-9a-z]{1,11})\.[0-9a-f]{32})\.([0-9a-f]{32})$/.exec(name) ?? [];
    const [given, right] = [Buffer.from(mac), Buffer.from(this.#mac(text))];
    if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
    const made = Number.parseInt(time, 36);
    return made <= now && now < made + this.#life ? made : undefined;
  }

  #mac(text: string): string {
    return createHmac('sha256', this.#key)
      .update(`request ${text}`)
      .digest('hex')
      .slice(0, MAC_BYTES * 2);
  }
}

/** Assertions that came, until they would not be taken any more for their time. */
export class SeenAssertions {
  /** Milliseconds since 1970, by their name. */
  readonly #until = new Map<string, number>();

  /** False: it came before, or nothing more can be remembered. `until`: milliseconds since 1970. */
  add(name: string, until: number, now: number): boolean {
    if (this.#until.size >= MAX_SEEN) for (const [one, end] of this.#until) if (end <= now) this.#until.delete(one);
    if (this.#until.size >= MAX_SEEN || this.#until.has(name)) return false;
    this.#until.set(name, until);
    return true;
  }
}
