/**
 * Logins that somebody has to confirm by a short code. Owns: codes, and how often one may be guessed. Does not: decide who may.
 */
import { randomBytes } from 'node:crypto';
import type { Proven } from './stored.js';

/** How long a code is good, in milliseconds. */
const LIFE_MS = 5 * 60_000;
/** Logins that wait at one time, from everywhere and from one address. */
const MAX_WAITING = 200;
const MAX_WAITING_PER_ADDRESS = 5;
/** Wrong codes that one person may try in a minute. With 40 bits in a code, guessing one takes for ever. */
const MAX_TRIES_PER_WINDOW = 10;
const TRY_WINDOW_MS = 60_000;
/** Crockford's: no letters that look like digits. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** A login that waits, as who confirms it has to know it. Texts are the client's own. */
export interface WaitingLogin {
  readonly address: string;
  /** What the client says that it is. */
  readonly client: string;
  readonly account: string;
  readonly connection: string;
}

interface PendingLogin extends WaitingLogin {
  /** Milliseconds since 1970. */
  readonly expires: number;
  readonly finish: (who: Proven | undefined) => void;
}

/** Logins that somebody who is logged in elsewhere has to confirm by a short code. */
export class PendingLogins {
  readonly #pending = new Map<string, PendingLogin>();
  readonly #tries = new Map<string, number[]>();

  /**
   * Begins one. Undefined when too many wait. `confirmed` resolves with who has confirmed it, or with nothing when the time is over or the
   * signal aborted.
   */
  begin(
    login: WaitingLogin,
    signal: AbortSignal,
  ): { code: string; confirmed: Promise<Proven | undefined> } | undefined {
    const same = [...this.#pending.values()].filter((one) => one.address === login.address).length;
    if (this.#pending.size >= MAX_WAITING || same >= MAX_WAITING_PER_ADDRESS || signal.aborted) return undefined;
    const code = newCode();
    const { promise, resolve } = Promise.withResolvers<Proven | undefined>();
    const finish = (who: Proven | undefined): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      this.#pending.delete(code);
      resolve(who);
    };
    const onAbort = (): void => finish(undefined);
    const timer = setTimeout(onAbort, LIFE_MS);
    timer.unref();
    signal.addEventListener('abort', onAbort);
    this.#pending.set(code, { ...login, expires: Date.now() + LIFE_MS, finish });
    return { code, confirmed: promise };
  }

  /** What waits with a code. A wrong one is a try, as it is to confirm one. */
  look(code: string, who: Proven): (WaitingLogin & { readonly expires: number }) | 'unknown' | 'too many' {
    const found = this.#find(code, who.principal.name);
    if (typeof found === 'string') return found;
    const { finish: _, ...login } = found;
    return login;
  }

  /** Lets the waiting client in as whoever confirms, with what their own proof is good for. A code works once. */
  confirm(code: string, who: Proven): { readonly address: string } | 'unknown' | 'too many' {
    const found = this.#find(code, who.principal.name);
    if (typeof found === 'string') return found;
    found.finish(who);
    return { address: found.address };
  }

  #find(code: string, name: string): PendingLogin | 'unknown' | 'too many' {
    const now = Date.now();
    const tries = (this.#tries.get(name) ?? []).filter((at) => at > now - TRY_WINDOW_MS);
    if (tries.length >= MAX_TRIES_PER_WINDOW) return 'too many';
    const pending = this.#pending.get(normal(code));
    if (!pending) {
      this.#tries.set(name, [...tries, now]);
      return 'unknown';
    }
    return pending;
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
