/**
 * Who is kept out, besides by lists: whoever is frozen, and whose logins are used up. Owns: that freezing ends sessions, is on record and lasts;
 * which rules of a session it is by. Does not: count (packages/budgets), or check proofs (login.ts).
 */
import type { Actor, Log, SessionView, Webhooks } from '@sluice/audit';
import {
  type BudgetUse,
  type FreezeScope,
  type Freezes,
  type Frozen,
  type Ledger,
  Spending,
  type Touched,
  Tripwires,
  personOf,
  principalOf,
  resetUsage,
  usage,
} from '@sluice/budgets';
import type { Action, AppliedBudget, DenyReason, Ending, Principal, RefusalReason, Trip } from '@sluice/contract';
import type { CompiledPolicy } from '@sluice/guardrails';
import { type Maker, ownerOf } from '@sluice/identity';
import { isSystemRelation } from '@sluice/sql-postgres';
import type { Store } from '@sluice/store';
import type { Revocations } from './revocations.js';

/** Somebody at a connection. */
export interface Visitor {
  readonly principal: Principal | undefined;
  readonly makers?: readonly Maker[] | undefined;
  readonly connection: { readonly name: string; readonly protocol: string } | undefined;
}

/** The same in a session. */
export interface Visit extends Visitor {
  end(why: Ending): void;
}

interface Parts {
  readonly freezes: Freezes;
  readonly ledger: Ledger;
  readonly touched: Touched;
  readonly log: Log;
  readonly webhooks: Webhooks;
  readonly revocations: Revocations;
  readonly store: Store['freezes'];
  readonly sessions: ReadonlyMap<string, SessionView>;
  policyOf(connection: string): CompiledPolicy | undefined;
  policies(): Iterable<CompiledPolicy>;
}

export class Admissions {
  readonly #parts: Parts;
  readonly #tripwires: Tripwires;

  constructor(parts: Parts) {
    this.#parts = parts;
    const tripped = (subject: string, rule: string, why: string): void =>
      void this.freeze(subject, `tripwire ${rule}`, why);
    this.#tripwires = new Tripwires(parts.ledger.counts, tripped);
  }

  /** What is frozen of whom it is; undefined: nothing. */
  frozen({ principal, makers = [], connection }: Visitor): Frozen | undefined {
    if (!principal) return undefined;
    return this.#parts.freezes.find({
      principal,
      owner: ownerOf(principal, makers),
      connection: connection?.name ?? '',
    });
  }

  /** Why somebody who may use the connection does not get in now; undefined: they do, and have taken a login. */
  refusal(visitor: Required<Visitor> & { readonly principal: Principal }): RefusalReason | undefined {
    const frozen = this.frozen(visitor);
    if (frozen) return { code: 'frozen', subject: frozen.subject, why: frozen.why };
    const { principal, makers, connection } = visitor;
    if (!connection) return undefined;
    const { budgets = [], tripwires = [] } =
      this.#parts.policyOf(connection.name)?.ofSession({ principal, connection }) ?? {};
    const owner = ownerOf(principal, makers ?? []);
    const uncounted = this.#tripwires.uncountable(tripwires, { principal, owner, connection: connection.name });
    if (uncounted) return { code: 'tripwire-uncounted', rule: uncounted.rule };
    if (budgets.length === 0) return undefined;
    const who = { principal, person: owner, connection: connection.name };
    const denied = new Spending(this.#parts.ledger, who).login(budgets);
    if (!denied) return undefined;
    this.trip(visitor, 'budget_ends');
    return { code: 'logins-used-up', message: denied.message, hint: denied.hint ?? '' };
  }

  /** Something has happened that tripwires of the connection may count. A session of which it cannot be counted ends. */
  trip(visitor: Visitor | Visit, trip: Trip, amount = 1): void {
    const { principal, makers = [], connection } = visitor;
    if (!principal || !connection) return;
    const { tripwires = [] } = this.#parts.policyOf(connection.name)?.ofSession({ principal, connection }) ?? {};
    if (tripwires.length === 0) return;
    const who = { principal, owner: ownerOf(principal, makers), connection: connection.name };
    const uncounted = this.#tripwires.count(tripwires, trip, who, amount);
    if (uncounted && 'end' in visitor) visitor.end({ code: 'tripwire-uncounted', rule: uncounted.rule });
  }

  /** A command is about to run that does this. Why it may not: a table that is new to its principal has frozen them; undefined: it may. */
  touches(visitor: Visitor, actions: readonly Action[]): DenyReason | undefined {
    const { principal, makers = [], connection } = visitor;
    const policy = connection && this.#parts.policyOf(connection.name);
    if (!connection || !policy?.countsTables || !principal) return undefined;
    const who = { principal, owner: ownerOf(principal, makers), connection: connection.name };
    const fresh = this.#parts.touched.touch(principalOf(who), connection.name, tablesOf(actions));
    if (!fresh) return undefined;
    const tripwires = policy
      .ofSession({ principal, connection })
      .tripwires.filter(({ learnMs = 0 }) => fresh.knownMs >= learnMs);
    const uncounted = this.#tripwires.count(tripwires, 'new_tables', who, fresh.count);
    if (uncounted) return { code: 'tripwire-uncounted', rule: uncounted.rule };
    const frozen = this.frozen(visitor);
    return frozen && { code: 'frozen', subject: frozen.subject, why: frozen.why };
  }

  all(): readonly Frozen[] {
    return this.#parts.freezes.all();
  }

  /** See `Freezes.refusesThaw`. */
  refusesThaw(subject: string, who: Omit<FreezeScope, 'connection'>): string | undefined {
    return this.#parts.freezes.refusesThaw(subject, who);
  }

  /** What is used up of which budget; `of`: only what somebody takes from. */
  budgets(of?: Pick<Visitor, 'principal' | 'makers'>): readonly BudgetUse[] {
    const all = usage(this.#parts.ledger, this.#rules);
    if (!of?.principal) return all;
    const mine = this.countersOf(of.principal, of.makers);
    return all.filter(({ owner }) => mine.has(owner));
  }

  /** Whose the counters are that somebody takes from: their own, and those that they share with others. */
  countersOf(principal: Principal, makers: readonly Maker[] = []): ReadonlySet<string> {
    const own = personOf(ownerOf(principal, makers));
    const groups = principal.groups.map((group) => `group:${group}`);
    return new Set(['', own, `agent:${personOf(principal)}`, ...groups, ...groups.map((group) => `${own}${group}`)]);
  }

  resetBudget(rule: string, isChosen: (owner: string) => boolean): number {
    return resetUsage(
      this.#parts.ledger,
      this.#rules.filter((one) => one.rule === rule),
      isChosen,
    );
  }

  /** Of all connections, each once. */
  get #rules(): readonly AppliedBudget[] {
    const all = [...this.#parts.policies()].flatMap(({ budgets }) => budgets);
    return [...new Map(all.map((one) => [one.key, one])).values()];
  }

  /** Takes effect at once. Resolves when it is stored; false: not yet, and it is tried again. */
  freeze(subject: string, by: string | Actor, why: string): Promise<boolean> {
    const { freezes, log, webhooks, revocations, store, sessions } = this.#parts;
    const actor = typeof by === 'string' ? by : by.actor;
    const frozen = freezes.freeze({ subject, since: Date.now(), by: actor, why });
    log.admin(by, 'freeze', `${subject}: ${why}`);
    webhooks.send('freeze', { ...frozen, since: new Date(frozen.since).toISOString() });
    // Not within the command of one of them that has tripped it.
    setImmediate(() => {
      for (const session of sessions.values())
        if (this.frozen(session)?.subject === subject) session.end({ code: 'frozen', subject, why });
    });
    return revocations.keep(`freeze:${subject}`, () => store.save(frozen));
  }

  /** Rejects when it cannot be stored: it stays frozen then. */
  async thaw(subject: string, by: Actor, why: string): Promise<void> {
    const { freezes, log, webhooks, store } = this.#parts;
    await store.remove(subject);
    freezes.thaw(subject);
    log.admin(by, 'thaw', `${subject}: ${why}`);
    webhooks.send('thaw', { subject, by: by.actor, why });
  }
}

/** Without those that are the session's own, and the catalogs that clients read for themselves. */
const tablesOf = (actions: readonly Action[]): string[] =>
  actions.flatMap(({ resources, temporaryTables = [] }) =>
    resources.flatMap(({ type, name }) =>
      type === 'table' && !temporaryTables.includes(name) && !isSystemRelation(name) && !OF_ANY_CASE.test(name)
        ? [name]
        : [],
    ),
  );

/** Some servers take its name in any case. */
const OF_ANY_CASE = /^information_schema\./i;
