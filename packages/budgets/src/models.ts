/**
 * What calls of language models may use up within a day. Owns: that as much as a call may take is taken before it goes, from all of its budgets
 * or from none, and what it has taken is settled when that is known. Does not: keep counts (counts.ts), or read calls.
 */
import { hash } from 'node:crypto';
import { type AppliedBudget, type Deny, denyInWords } from '@sluice/contract';
import type { Person } from '@sluice/identity';
import type { Counts } from './counts.js';
import { personOf } from './guesses.js';

/** Of one call. */
export interface ModelUse {
  readonly model: string;
  /** Estimates, in tokens: of what is said, and of what may be answered at most. */
  readonly input: number;
  readonly output: number;
  /** Of a million tokens; undefined: nobody knows what the model costs. */
  readonly price: { readonly input: number; readonly output: number } | undefined;
}

const UNITS = ['requests', 'tokens', 'cost'] as const;
type Unit = (typeof UNITS)[number];
type Amounts = Readonly<Record<Unit, number>>;

/** Counts are whole numbers: cost is counted in millionths. */
const COST_PARTS = 1_000_000;
const HOUR_MS = 3_600_000;
const HOURS_OF_DAY = 24;
/** What an answer may have where its call does not say. */
const DEFAULT_OUTPUT_TOKENS = 1_000;

/** Is told what was used up, by rule and unit. */
export type UsedUp = (rule: string, unit: Unit, amount: number) => void;

export class ModelBudgets {
  readonly #counts: Counts;
  readonly #told: UsedUp;

  constructor(counts: Counts, told: UsedUp) {
    this.#counts = counts;
    this.#told = told;
  }

  /** Takes what the call may use up, at once: no two calls see the same room. Else why there is none, and nothing is taken. */
  take(budgets: readonly AppliedBudget[], who: Person, use: ModelUse): Charge | Deny {
    const wanted = amountsOf(use, use.input, use.output);
    const unpriced = budgets.find(({ cost }) => cost !== undefined && !use.price);
    if (unpriced) return withoutPrice(unpriced.rule, use.model);
    const { hour } = this.#counts;
    const day = hour - (hour % HOURS_OF_DAY);
    const parts = budgets.flatMap((budget) => UNITS.flatMap((unit) => partOf(budget, unit, who, use.model) ?? []));
    for (const { owner, what, limit, unit, rule } of parts) {
      const used = this.#counts.sum(owner, what, day);
      if (used + wanted[unit] <= limit) continue;
      const scale = unit === 'cost' ? COST_PARTS : 1;
      const reason = {
        code: 'budget-used-up',
        unit,
        used: used / scale,
        limit: limit / scale,
        wanted: wanted[unit] / scale,
        free: (day + HOURS_OF_DAY) * HOUR_MS,
      } as const;
      return { type: 'deny', rule, ...denyInWords(reason, 'command'), reason };
    }
    const taken = parts.filter(({ owner, what, unit }) => this.#counts.add(owner, what, wanted[unit], hour));
    const charge = new Charge(use, wanted, (changed) => {
      for (const { owner, what, unit } of taken) this.#counts.add(owner, what, changed[unit], hour);
    });
    charge.onEnd = (amounts) => {
      for (const { rule, unit } of taken) this.#told(rule, unit, amounts[unit] / (unit === 'cost' ? COST_PARTS : 1));
    };
    if (taken.length === parts.length) return charge;
    charge.undo();
    return NO_PLACE;
  }
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
    this.#settle(amountsOf(this.#use, this.#input ?? this.#use.input, this.#output ?? this.#pieces));
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

const amountsOf = ({ price }: ModelUse, input: number, output: number): Amounts => ({
  requests: 1,
  tokens: input + output,
  // Prices are of a million tokens, and parts are millionths.
  cost: price ? Math.ceil(price.input * input + price.output * output) : 0,
});

interface Part {
  readonly rule: string;
  readonly owner: string;
  readonly what: string;
  readonly unit: Unit;
  readonly limit: number;
}

function partOf(budget: AppliedBudget, unit: Unit, who: Person, model: string): Part | undefined {
  const { rule, key, per } = budget;
  const limit = budget[unit];
  if (limit === undefined) return undefined;
  const owner = per.includes('principal') ? personOf(who) : '';
  const what = ['budget', key, unit, ...(per.includes('model') ? [counted(model)] : [])].join(' ');
  return { rule, owner, what, unit, limit: unit === 'cost' ? Math.round(limit * COST_PARTS) : limit };
}

/** Clients write whatever they like there, of any length, and no two models may share a count. */
const counted = (model: string): string =>
  /^[\x21-\x7e]{0,100}$/.test(model) ? model : `#${hash('sha256', model, 'hex')}`;

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
