/** Who has proven who they are, and when last. Owns: the bound. Does not: proofs (directory.ts). */
import type { Principal } from '@sluice/contract';
import type { Person } from './stored.js';

/** Above this many the one is forgotten who was not seen for longest. */
const MAX_SEEN = 10_000;

export interface SeenPrincipal {
  readonly principal: Principal;
  /** Milliseconds since 1970; undefined: not since the start. */
  readonly seen: number | undefined;
}

export class Seen {
  /** Whoever was seen last is last. */
  readonly #people = new Map<string, SeenPrincipal>();

  note(principal: Principal, now = Date.now()): void {
    const key = nameOf(principal);
    this.#people.delete(key);
    this.#people.set(key, { principal, seen: now });
    const [quietest] = this.#people.keys();
    if (this.#people.size > MAX_SEEN && quietest !== undefined) this.#people.delete(quietest);
  }

  all(): SeenPrincipal[] {
    return [...this.#people.values()];
  }

  /** When somebody was. */
  when(person: Person): number | undefined {
    return this.#people.get(nameOf(person))?.seen;
  }
}

/** As people are told apart in lists: two of one name are of two issuers. */
export const nameOf = ({ name, issuer }: Person): string => JSON.stringify([name, issuer ?? '']);
