/**
 * What commands of a session use up. Owns: which counters a command takes from, and logins. Does not: take (spent.ts), say whose a budget is
 * (shares.ts), keep counts (counts.ts).
 */
import type { AppliedBound, AppliedBudget, Deny, Noun } from '@sluice/contract';
import type { Ledger } from './ledger.js';
import { type Spender, distinctSharesOf, sharesOf } from './shares.js';
import {
  NO_SHARES,
  type NoRoom,
  type Shares,
  Spent,
  TAKEN_UNITS,
  type Terms,
  denied,
  termsOf,
  uncounted,
} from './spent.js';

/** The same budget may be without what a command itself takes: its places, or that it runs at all. */
const nameOf = ({ key, at_once: places, statements }: AppliedBudget): string =>
  `${key} ${places === undefined ? '' : '+'}${statements === undefined ? '' : '*'}`;

/** What one session uses up. */
export class Spending {
  readonly #ledger: Ledger;
  readonly #who: Spender;
  /** By the budgets of a judgement, which one of the same facts has again with the same bounds. */
  readonly #terms = new WeakMap<readonly AppliedBudget[], Terms>();
  /** By the names of budgets. */
  readonly #named = new Map<string, Shares>();
  /** Is told of each command that a budget has no room for. */
  readonly #ended: () => void;

  constructor(ledger: Ledger, who: Spender, ended: () => void = () => undefined) {
    this.#ledger = ledger;
    this.#who = who;
    this.#ended = ended;
  }

  /**
   * Takes what a command takes before it goes; undefined: nothing is counted or bounded. `statements`: so many are in it. `released`: the rules
   * by which people have let it pass, so that it takes from budgets of theirs what is not there.
   */
  spend(
    budgets: readonly AppliedBudget[],
    bounds: readonly AppliedBound[],
    noun: Noun,
    released: readonly string[] = [],
    statements = 1,
  ): Spent | NoRoom | undefined {
    let terms = this.#terms.get(budgets);
    if (terms?.bounds !== bounds) this.#terms.set(budgets, (terms = termsOf(this.#sharesOf(budgets), bounds)));
    if (terms.shares === NO_SHARES && bounds.length === 0) return undefined;
    const spent = new Spent(this.#ledger, terms, noun, statements, this.#ended);
    const refused = spent.begin(released);
    if (!refused) return spent;
    this.#ended();
    return refused;
  }

  /** Takes one login. */
  login(budgets: readonly AppliedBudget[]): Deny | undefined {
    const { logins } = this.#sharesOf(budgets);
    for (const share of logins) if (!share.hasRoom(1)) return denied(share.usedUp(1), share, 'command');
    for (const share of logins) {
      if (share.add(1) === undefined) return uncounted(share, 'command');
      share.tally.amount++;
    }
    return undefined;
  }

  #sharesOf(budgets: readonly AppliedBudget[]): Shares {
    if (budgets.length === 0) return NO_SHARES;
    const name = budgets.map(nameOf).join('\n');
    const shares = this.#named.get(name) ?? this.#makeShares(budgets);
    this.#named.set(name, shares);
    return shares;
  }

  #makeShares(budgets: readonly AppliedBudget[]): Shares {
    const { counts, sketches } = this.#ledger;
    const entries = TAKEN_UNITS.map((unit) => {
      const of = budgets.flatMap((budget) => {
        if (budget[unit] === undefined) return [];
        return sharesOf(counts, budget, unit, this.#who, { tally: this.#ledger.tallyOf(budget.rule, unit) });
      });
      return [unit, of] as const;
    });
    const distinct = budgets.flatMap((budget) => distinctSharesOf(counts, sketches, budget, this.#who));
    const isNone = distinct.length === 0 && entries.every(([, shares]) => shares.length === 0);
    if (isNone) return NO_SHARES;
    return { ...(Object.fromEntries(entries) as unknown as Omit<Shares, 'distinct'>), distinct };
  }
}
