/**
 * Codes by which a program gets in as whoever let it in with a browser (RFC 6749, section 4.1, with PKCE, RFC 7636). Owns: that a code is
 * good once, for a minute, and for who asked for it. Does not: make tokens.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { nameOf } from './seen.js';
import type { Proven } from './stored.js';

/** How long a code is good, in milliseconds. */
const LIFE_MS = 60_000;
/** Codes at a time, of one person and of all: the oldest goes. */
const MAX_CODES_OF_ONE = 10;
const MAX_CODES = 1_000;
const CODE_BYTES = 32;

interface LoginCode {
  readonly who: Proven;
  /** SHA-256 of what only the program has, base64url. */
  readonly challenge: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

export class LoginCodes {
  readonly #codes = new Map<string, LoginCode>();

  /** A code for the program that has what `challenge` is the SHA-256 of. */
  begin(who: Proven, challenge: string): string {
    const code = randomBytes(CODE_BYTES).toString('base64url');
    const oldest = this.#tooMany(nameOf(who.principal));
    if (oldest !== undefined) this.#codes.delete(oldest);
    this.#codes.set(code, { who, challenge, until: Date.now() + LIFE_MS });
    return code;
  }

  /** Who let it in; undefined: nobody. A code that was shown is good no more, whoever showed it. */
  take(code: string, verifier: string): Proven | undefined {
    const known = this.#codes.get(code);
    this.#codes.delete(code);
    if (!known || known.until <= Date.now()) return undefined;
    const shown = createHash('sha256').update(verifier).digest();
    const wanted = Buffer.from(known.challenge, 'base64url');
    return shown.length === wanted.length && timingSafeEqual(shown, wanted) ? known.who : undefined;
  }

  /** The code that goes before there is another one of this person's; undefined: none has to. */
  #tooMany(person: string): string | undefined {
    const own = [...this.#codes].flatMap(([code, { who }]) => (nameOf(who.principal) === person ? [code] : []));
    if (own.length >= MAX_CODES_OF_ONE) return own[0];
    const [oldest] = this.#codes.keys();
    return this.#codes.size >= MAX_CODES ? oldest : undefined;
  }
}
