/**
 * What somebody shows who sets a gateway up, before anybody can log in: printed where only the operator reads. Owns: that it is good once,
 * for ten minutes, and not for whoever tries long enough. Does not: print it, or say what it is good for.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** How long it is good, in milliseconds. */
const LIFE_MS = 10 * 60_000;
/** With 160 random bits nobody guesses it: this is about noise. */
const MAX_TRIES = 100;
const SECRET_BYTES = 20;

export class SetupToken {
  #digest: Buffer | undefined;
  /** Milliseconds since 1970. */
  #until = 0;
  #tries = 0;

  /** A new one; the one before it is good no more. */
  issue(): string {
    const secret = `setup_${randomBytes(SECRET_BYTES).toString('hex')}`;
    this.#digest = digestOf(secret);
    this.#until = Date.now() + LIFE_MS;
    this.#tries = 0;
    return secret;
  }

  /** Whether this is it. It is good no more then. */
  take(shown: string): boolean {
    if (!this.#digest) return false;
    const right = timingSafeEqual(digestOf(shown), this.#digest) && Date.now() < this.#until;
    if (right || Date.now() >= this.#until || ++this.#tries >= MAX_TRIES) this.#digest = undefined;
    return right;
  }
}

const digestOf = (secret: string): Buffer => createHash('sha256').update(secret).digest();
