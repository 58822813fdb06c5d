/**
 * Who is frozen: a principal, the agents of an owner, a connection. Owns: the list, by the names that people use, and who may not end which.
 * Does not: end sessions or refuse logins (gateway), notice that somebody should be (tripwires.ts).
 */
import type { Principal } from '@sluice/contract';
import { OPERATOR, type Person } from '@sluice/identity';
import type { FreezeRecord } from '@sluice/store';

/** Who does something, and where. `owner`: who answers for them. */
export interface FreezeScope {
  readonly principal: Principal;
  readonly owner: Person;
  readonly connection: string;
}

export type Frozen = FreezeRecord;

const SUBJECT = /^(user|agent|owner|connection):\S[^\n]{0,199}$/;

/** A subject as it is written; undefined: it is none. */
export const isSubject = (text: string): boolean => SUBJECT.test(text);

/** Whoever can read the operator's own file is the last one who can help. */
export const isBeyondFreezing = (subject: string): boolean =>
  subject === `user:${OPERATOR}` || subject === `owner:${OPERATOR}`;

export const subjectOf = ({ kind, name }: Pick<Principal, 'kind' | 'name'>): string =>
  `${kind === 'agent' ? 'agent' : 'user'}:${name}`;

/** An agent as its owner has it, where others may have it too. */
export const agentOf = ({ name }: Pick<Principal, 'name'>, owner: Pick<Person, 'name'>): string =>
  `agent:${name} of ${owner.name}`;

export class Freezes {
  readonly #frozen: Map<string, Frozen>;

  constructor(kept: readonly Frozen[]) {
    this.#frozen = new Map(kept.map((one) => [one.subject, one]));
  }

  all(): readonly Frozen[] {
    return [...this.#frozen.values()];
  }

  get(subject: string): Frozen | undefined {
    return this.#frozen.get(subject);
  }

  /** The first that is frozen of all that they are; undefined: none is. */
  find({ principal, owner, connection }: FreezeScope): Frozen | undefined {
    if (this.#frozen.size === 0) return undefined;
    const agents = principal.kind === 'agent' ? [`owner:${owner.name}`, agentOf(principal, owner)] : [];
    const subjects = [subjectOf(principal), ...agents, `connection:${connection}`];
    if (principal.name === OPERATOR) return undefined;
    return subjects.flatMap((one) => this.#frozen.get(one) ?? [])[0];
  }

  /** One that is frozen already stays as it was. */
  freeze(frozen: Frozen): Frozen {
    const known = this.#frozen.get(frozen.subject);
    if (known) return known;
    this.#frozen.set(frozen.subject, frozen);
    return frozen;
  }

  thaw(subject: string): void {
    this.#frozen.delete(subject);
  }

  /** Why this principal may not thaw it; undefined: they may, if their role does. `owner`: who answers for them. */
  refusesThaw(subject: string, { principal, owner }: Omit<FreezeScope, 'connection'>): string | undefined {
    const name = subject.slice(subject.indexOf(':') + 1);
    const isOwn =
      !subject.startsWith('connection:') &&
      [principal.name, owner.name].some((own) => name === own || name.endsWith(` of ${own}`));
    if (isOwn && principal.name !== OPERATOR) return 'Whoever is frozen is thawed by somebody else.';
    if (principal.kind === 'agent') return 'Agents thaw nobody.';
    const frozen = this.find({ principal, owner, connection: '' });
    return frozen ? `You are frozen yourself: ${frozen.why}` : undefined;
  }
}
