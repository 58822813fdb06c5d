import { randomBytes } from 'node:crypto';
import type { Proven } from './stored.js';

/** How long a code is good, in milliseconds. */
const LIFE = 5 * 60_000;
/** Logins that wait at one time, from everywhere and from one address. */
const WAITING = 200;
const WAITING_PER_ADDRESS = 5;
/** Wrong codes that one person may try in a minute. With 40 bits in a code, guessing one takes for ever. */
const TRIES = 10;
const TRY_WINDOW = 60_000;
/** Crockford's: no letters that look like digits. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

interface Pending {
  readonly address: string;
  readonly settle: (who: Proven | undefined) => void;
}

/** Logins that somebody who is logged in elsewhere has to confirm by a short code. */
export class PendingLogins {
  readonly #pending = new Map<string, Pending>();
  readonly #tries = new Map<string, number[]>();

  /**
   * Begins one for a client at `address`. Undefined when too many wait. `confirmed` resolves with who has confirmed it, or
   * with nothing when the time is over or the signal aborted.
   */
  begin(address: string, signal: AbortSignal): { code: string; confirmed: Promise<Proven | undefined> } | undefined {
    const same = [...this.#pending.values()].filter((one) => one.address === address).length;
    if (this.#pending.size >= WAITING || same >= WAITING_PER_ADDRESS || signal.aborted) return undefined;
    const code = newCode();
    const { promise, resolve } = Promise.withResolvers<Proven | undefined>();
    const settle = (who: Proven | undefined): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      this.#pending.delete(code);
      resolve(who);
    };
    const onAbort = (): void => settle(undefined);
    const timer = setTimeout(onAbort, LIFE);
    timer.unref();
    signal.addEventListener('abort', onAbort);
    this.#pending.set(code, { address, settle });
    return { code, confirmed: promise };
  }

  /** Lets the waiting client in as whoever confirms, with what their own proof is good for. A code works once. */
  confirm(code: string, who: Proven): { readonly address: string } | 'unknown' | 'too many' {
    const now = Date.now();
    const { name } = who.principal;
    const tries = (this.#tries.get(name) ?? []).filter((at) => at > now - TRY_WINDOW);
    if (tries.length >= TRIES) return 'too many';
    const pending = this.#pending.get(normal(code));
    if (!pending) {
      this.#tries.set(name, [...tries, now]);
      return 'unknown';
    }
    pending.settle(who);
    return { address: pending.address };
  }
}

const normal = (code: string): string => {
  const letters = code
    .toUpperCase()
    .replace(/[^A-Z0-9]/g, '')
    .replaceAll('O', '0')
    .replace(/[IL]/g, '1');
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
};

function newCode(): string {
  const letters = Array.from(randomBytes(8), (byte) => ALPHABET[byte % 32]).join('');
  return normal(letters);
}
