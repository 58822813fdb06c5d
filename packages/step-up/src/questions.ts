/**
 * What a security key is asked to sign. Owns: that a signature is for one thing that one person is about to do, once and soon. Does not:
 * check signatures (keys.ts). Pure, but for the clock.
 */
import { createHash, randomBytes } from 'node:crypto';

/** How long somebody may take to touch their key, in milliseconds. */
export const QUESTION_MS = 2 * 60_000;
/** Questions of one person that are open at a time: the oldest goes. */
const MAX_OF_ONE = 10;
const NONCE_BYTES = 32;

/** All that a signature is bound to, as texts and numbers. Whatever is not in here could be another when it counts. */
export type Bound = readonly (string | number | readonly unknown[])[];

/** What is shown to the browser: 32 bytes. */
export type Question = Uint8Array<ArrayBuffer>;

interface Asked {
  readonly nonce: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

export class Questions {
  /** By person. */
  readonly #open = new Map<string, Asked[]>();

  /** A question that nobody was asked before. Only a digest of what it is about leaves the gateway. */
  ask(person: string, about: Bound): Question {
    const nonce = randomBytes(NONCE_BYTES).toString('base64url');
    const asked = [...this.#of(person), { nonce, until: Date.now() + QUESTION_MS }];
    this.#open.set(person, asked.slice(-MAX_OF_ONE));
    return digestOf(nonce, about);
  }

  /** Whether this person was asked just this, as it is now. It is asked no more. `given`: base64url. */
  take(person: string, about: Bound, given: string): boolean {
    const asked = this.#of(person);
    const found = asked.find(({ nonce }) => Buffer.from(digestOf(nonce, about)).toString('base64url') === given);
    const left = asked.filter((one) => one !== found);
    if (left.length > 0) this.#open.set(person, left);
    else this.#open.delete(person);
    return found !== undefined;
  }

  #of(person: string): Asked[] {
    return (this.#open.get(person) ?? []).filter(({ until }) => until > Date.now());
  }
}

const digestOf = (nonce: string, about: Bound): Question =>
  new Uint8Array(
    createHash('sha256')
      .update(JSON.stringify([nonce, about]))
      .digest(),
  );
