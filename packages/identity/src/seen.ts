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

/** What an issuer says of somebody. */
type Said = Omit<Principal, 'roles'>;

export class Seen {
  /** Whoever was seen last is last. */
  readonly #people = new Map<string, { readonly said: Said | undefined; readonly seen: number }>();

  /** `said`: without what the configuration adds, which may be another one later; undefined: they are of the configuration. */
  note(person: Person, said: Said | undefined, now = Date.now()): void {
    const key = nameOf(person);
    this.#people.delete(key);
    this.#people.set(key, { said, seen: now });
    const [quietest] = this.#people.keys();
    if (this.#people.size > MAX_SEEN && quietest !== undefined) this.#people.delete(quietest);
  }

  /** What issuers said of those whom they know. */
  said(): Said[] {
    return [...this.#people.values()].flatMap(({ said }) => said ?? []);
  }

  /** When somebody was. */
  when(person: Person): number | undefined {
    return this.#people.get(nameOf(person))?.seen;
  }
}

/** As people are told apart in lists: two of one name are of two issuers. */
export const nameOf = ({ name, issuer }: Person): string => JSON.stringify([name, issuer ?? '']);
