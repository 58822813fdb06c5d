/**
 * What calls of language models may use up. Owns: that as much as a call may take is taken before it goes, from all of its budgets
 * or from none, and what it has taken is settled when that is known. Does not: keep counts (counts.ts), or read calls.
 */
import {
  type AppliedBudget,
  type BudgetUnit,
  type Deny,
  MODEL_UNITS,
  type ModelUnit,
  type Principal,
  denyInWords,
} from '@sluice/contract';
import type { Person } from '@sluice/identity';
import type { Counts } from './counts.js';
import { type Share, type Spender, type Tally, scaleOf, sharesOf } from './shares.js';

/** Of one call. */
export interface ModelUse {
  readonly model: string;
  /** Estimates, in tokens: of what is said, and of what may be answered at most. */
  readonly input: number;
  readonly output: number;
  /** The answer is made when the call is over: what was taken for it counts, unless the provider says during the call what it has used. */
  readonly later?: boolean;
  /** Calls that are made at once; absent: one. */
  readonly requests?: number;
  /** Of a million tokens; undefined: nobody knows what the model costs. */
  readonly price: { readonly input: number; readonly output: number } | undefined;
}

type Amounts = Readonly<Record<ModelUnit, number>>;

/** What an answer may have where its call does not say. */
const DEFAULT_OUTPUT_TOKENS = 1_000;

/** Where it is summed what was used up, of a rule and a unit. */
export type UsedUp = (rule: string, unit: BudgetUnit) => Tally;

export class ModelBudgets {
  readonly #counts: Counts;
  readonly #tallyOf: UsedUp;

  constructor(counts: Counts, tallyOf: UsedUp) {
    this.#counts = counts;
    this.#tallyOf = tallyOf;
  }

  /**
   * Takes what the call may use up, at once: no two calls see the same room. Else why there is none, and nothing is taken. `person`: who
   * answers for the call, which `as` makes where.
   */
  take(budgets: readonly AppliedBudget[], person: Person, use: ModelUse, as?: Omit<Spender, 'person'>): Charge | Deny {
    const who = { person, principal: as?.principal ?? asPrincipal(person), connection: as?.connection ?? '' };
    const wanted = amountsOf(use, use.input, use.output);
    const unpriced = budgets.find(({ cost, observed }) => cost !== undefined && observed !== true && !use.price);
    if (unpriced) return withoutPrice(unpriced.rule, use.model);
    const shares = budgets.flatMap((budget) =>
      MODEL_UNITS.flatMap((unit) =>
        sharesOf(this.#counts, budget, unit, who, { model: use.model }).map((share) => ({ share, unit })),
      ),
    );
    for (const { share, unit } of shares) if (!share.hasRoom(wanted[unit])) return noRoom(share, wanted[unit]);
    const taken = shares.flatMap(({ share, unit }) => {
      const slot = share.add(wanted[unit]);
      return slot === undefined ? [] : [{ share, unit, slot }];
    });
    const charge = new Charge(use, wanted, (changed) => {
      for (const { share, unit, slot } of taken) share.addAt(slot, changed[unit]);
    });
    charge.onEnd = (amounts) => {
      for (const { share, unit } of taken)
        this.#tallyOf(share.budget.rule, unit).amount += amounts[unit] / scaleOf(unit);
    };
    if (taken.length === shares.length) return charge;
    charge.undo();
    return NO_PLACE;
  }
}

const asPrincipal = ({ name, issuer, subject }: Person): Principal => ({
  name,
  kind: 'person',
  groups: [],
  roles: [],
  issuer,
  subject,
});

/** A day of UTC needs no words of its own: calls of models have been told of it like this before there were other times. */
function noRoom(share: Share, wanted: number): Deny {
  const { rule, within: words, ask, ...plain } = share.usedUp(wanted);
  const reason = share.budget.within ? { ...plain, rule, within: words, ask } : plain;
  return { type: 'deny', rule: share.budget.rule, ...denyInWords(reason, 'command'), reason };
}

/** What one call has taken. */
export class Charge {
  readonly #use: ModelUse;
  readonly #change: (by: Amounts) => void;
  #taken: Amounts;
  /** As the provider says. */
  #input: number | undefined;
  #output: number | undefined;
  /** Pieces of the answer that have passed. */
  #pieces = 0;
  #isOver = false;
  onEnd: ((amounts: Amounts) => void) | undefined;

  constructor(use: ModelUse, taken: Amounts, change: (by: Amounts) => void) {
    this.#use = use;
    this.#taken = taken;
    this.#change = change;
  }

  used({ input, output }: { readonly input?: number; readonly output?: number }): void {
    this.#input = input ?? this.#input;
    this.#output = output ?? this.#output;
  }

  /** An answer that is judged first is read twice. */
  passed(events: number): void {
    this.#pieces = Math.max(this.#pieces, events);
  }

  /** The call is over: what the provider has said counts, and an estimate of what has passed where it has said nothing. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const unsaid = this.#use.later ? Math.max(this.#use.output, this.#pieces) : this.#pieces;
    this.#settle(amountsOf(this.#use, this.#input ?? this.#use.input, this.#output ?? unsaid));
    this.onEnd?.(this.#taken);
  }

  /** It was never made. */
  undo(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#settle({ requests: 0, tokens: 0, cost: 0 });
  }

  #settle(amounts: Amounts): void {
    const before = this.#taken;
    this.#change({
      requests: amounts.requests - before.requests,
      tokens: amounts.tokens - before.tokens,
      cost: amounts.cost - before.cost,
    });
    this.#taken = amounts;
  }
}

/** What each choice of an answer may have at most, as a budget takes it before there is one. */
export const outputOf = (most: number | undefined): number => most ?? DEFAULT_OUTPUT_TOKENS;

const amountsOf = ({ price, requests = 1 }: ModelUse, input: number, output: number): Amounts => ({
  requests,
  tokens: input + output,
  // Prices are of a million tokens, and parts are millionths.
  cost: price ? Math.ceil(price.input * input + price.output * output) : 0,
});

const withoutPrice = (rule: string, model: string): Deny => ({
  type: 'deny',
  rule,
  message: `Calls of models have a budget by their cost, and nobody has said what "${model}" costs.`,
  hint: 'Whoever runs the gateway can add it to llm.prices of the connection.',
});

const NO_PLACE: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'This call has a budget, and there is no place to count it: too much is counted today.',
};
