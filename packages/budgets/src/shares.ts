/**
 * Whose a budget is: the counters that a command takes from. Owns: the names of counters, and one taking from a counter. Does not: decide what
 * is refused (spending.ts, models.ts).
 */
import { hash } from 'node:crypto';
import type { AppliedBudget, BudgetUnit, DenyReason, Principal } from '@sluice/contract';
import type { Person } from '@sluice/identity';
import type { Counter } from './counter.js';
import type { Counts } from './counts.js';
import { personOf } from './guesses.js';
import type { Shown, Sketches } from './sketches.js';
import { type Moment, type TimeWindow, type WideWindow, wideWindowOf, windowOf } from './windows.js';

/** Who uses something up. */
export interface Spender {
  /** Who answers for it. */
  readonly person: Person;
  readonly principal: Principal;
  readonly connection: string;
}

/** Counts are whole numbers: cost is counted in millionths. */
const COST_PARTS = 1_000_000;
export const scaleOf = (unit: BudgetUnit): number => (unit === 'cost' ? COST_PARTS : 1);

const MINUTE_MS = 60_000;
/** So much of a budget is written ahead of what is used up: what a process that is killed may count too much in one slot. */
const PARTS_AHEAD = 64;
const MAX_AHEAD = 100_000;
const MAX_BYTES_AHEAD = 16 * 1024 * 1024;

/** What was used up since the start, for metrics. */
export interface Tally {
  amount: number;
}

/** One counter of one budget. */
export class Share {
  readonly budget: AppliedBudget;
  readonly unit: BudgetUnit;
  readonly limit: number;
  readonly owner: string;
  readonly what: string;
  readonly #counts: Counts;
  readonly #window: TimeWindow;
  readonly #ahead: number;
  readonly tally: Tally;
  #counter: Counter | undefined;
  /** What is made of the moment: the slot that is now, and the first that counts. */
  #at: Moment | undefined;
  #slot = 0;
  #since = 0;

  constructor(
    counts: Counts,
    budget: AppliedBudget,
    unit: BudgetUnit,
    owner: string,
    what: string,
    tally: Tally = { amount: 0 },
  ) {
    this.#counts = counts;
    this.budget = budget;
    this.unit = unit;
    this.owner = owner;
    this.tally = tally;
    this.#window = windowOf(budget.within);
    this.what = `${what}${this.#window.key}`;
    this.limit = Math.round((budget[unit] ?? 0) * scaleOf(unit));
    this.#ahead = Math.min(Math.floor(this.limit / PARTS_AHEAD), unit === 'bytes' ? MAX_BYTES_AHEAD : MAX_AHEAD);
  }

  get #found(): Counter | undefined {
    if (this.#counter && !this.#counter.isGone) return this.#counter;
    return (this.#counter = this.#counts.counter(this.owner, this.what, this.#window));
  }

  /** As the window goes: by the clock that nobody sets, or by the other one. */
  #now({ minute, clock }: Moment): Moment {
    return { minute: this.#window.isSteady ? minute : clock, clock };
  }

  #follow(moment: Moment): void {
    if (moment === this.#at) return;
    this.#at = moment;
    const now = this.#now(moment);
    this.#slot = now.minute - (now.minute % this.#window.width);
    this.#since = this.#window.since(now);
  }

  used(now = this.#counts.moment()): number {
    this.#follow(now);
    return this.#found?.sum(this.#since) ?? 0;
  }

  /** Counts, also beyond what there is. Undefined: it cannot be counted. Else the slot, for what is given back. */
  add(amount: number, now = this.#counts.moment()): number | undefined {
    this.#follow(now);
    const slot = this.#slot;
    return this.addAt(slot, amount) ? slot : undefined;
  }

  /** The same in a slot of before, or of now. */
  addAt(slot: number, amount: number): boolean {
    const counter = this.#found;
    return counter !== undefined && this.#counts.addTo(counter, amount, slot, this.#ahead);
  }

  /** Of what is only observed there is always room. */
  hasRoom(amount: number, now = this.#counts.moment()): boolean {
    return this.budget.observed === true || this.used(now) + amount <= this.limit;
  }

  reset(): void {
    const counter = this.#found;
    if (counter) this.#counts.reset(counter);
  }

  /** Why there is no room. */
  usedUp(wanted: number): UsedUpReason {
    const { unit, limit } = this;
    const now = this.#now(this.#counts.moment());
    const counter = this.#found;
    const wait = counter && this.#window.free(counter, now, limit, wanted);
    const scale = scaleOf(unit);
    return {
      code: 'budget-used-up',
      unit,
      used: this.used() / scale,
      limit: limit / scale,
      wanted: wanted / scale,
      free: wait === undefined ? undefined : (now.clock + wait) * MINUTE_MS,
      rule: this.budget.rule,
      within: this.#window.words,
      ask: this.budget.ask,
    };
  }
}

/** One sketch of one budget of different values. */
export class DistinctShare {
  readonly budget: AppliedBudget;
  readonly unit = 'distinct';
  readonly limit: number;
  readonly owner: string;
  readonly what: string;
  readonly #counts: Counts;
  readonly #sketches: Sketches;
  readonly #shown: Shown;
  readonly #window: WideWindow;

  constructor(counts: Counts, sketches: Sketches, budget: AppliedBudget, owner: string, what: string) {
    this.#counts = counts;
    this.#sketches = sketches;
    this.budget = budget;
    this.limit = budget.distinct ?? 0;
    this.owner = owner;
    this.what = what;
    this.#shown = sketches.of(owner, what);
    this.#window = wideWindowOf(budget.within);
  }

  used(): number {
    return this.#sketches.union(this.#shown, this.#window.since(this.#counts.moment())).size;
  }

  /**
   * Of values that were shown already there is always room, as long as it is known which those are. Where it is not, what has no room is added all
   * the same: else whatever an estimate does not notice would go on passing behind it.
   */
  hasRoom(marks: Iterable<number>): boolean {
    if (this.budget.observed === true) return true;
    const union = this.#sketches.union(this.#shown, this.#window.since(this.#counts.moment()));
    const added = [...marks].filter((mark) => !union.has(mark));
    if (added.length === 0) return true;
    const fits = (union.isExact || union.size < this.limit) && union.sizeWith(added) <= this.limit;
    if (!fits && !union.isExact) this.add(added);
    return fits;
  }

  /** Adds, also beyond what there is. Undefined: it cannot be kept. Else how many more that seem to be. */
  add(marks: Iterable<number>): number | undefined {
    const now = this.#counts.moment();
    const before = this.used();
    if (!this.#sketches.add(this.#shown, marks, this.#window.slot(now), this.#window.since(now))) return undefined;
    return Math.max(0, this.used() - before);
  }

  reset(): void {
    this.#sketches.reset(this.#shown);
  }

  /** Why there is no room. */
  usedUp(): UsedUpReason {
    const now = this.#counts.moment();
    const since = this.#window.since(now);
    const { slots } = this.#sketches.of(this.owner, this.what);
    const first = Math.min(...[...slots.keys()].filter((slot) => slot >= since));
    return {
      code: 'budget-used-up',
      unit: 'distinct',
      used: this.used(),
      limit: this.limit,
      wanted: 1,
      free: Number.isFinite(first) ? (now.clock + this.#window.free(first, now)) * MINUTE_MS : undefined,
      rule: this.budget.rule,
      within: this.#window.words,
      ask: this.budget.ask,
    };
  }
}

type UsedUpReason = Extract<DenyReason, { code: 'budget-used-up' }>;

/** What a command takes from, of one unit of one budget: several where it is of each group. */
export function sharesOf(
  counts: Counts,
  budget: AppliedBudget,
  unit: Exclude<BudgetUnit, 'distinct'>,
  who: Spender,
  { model, tally }: { readonly model?: string; readonly tally?: Tally } = {},
): Share[] {
  return namesOf(budget, unit, who, model).map(
    ({ owner, what }) => new Share(counts, budget, unit, owner, what, tally),
  );
}

export const distinctSharesOf = (
  counts: Counts,
  sketches: Sketches,
  budget: AppliedBudget,
  who: Spender,
): DistinctShare[] =>
  namesOf(budget, 'distinct', who).map(
    ({ owner, what }) => new DistinctShare(counts, sketches, budget, owner, `${what}${windowOf(budget.within).key}`),
  );

/** Names of counters. */
function namesOf(
  budget: AppliedBudget,
  unit: BudgetUnit,
  who: Spender,
  model?: string,
): { readonly owner: string; readonly what: string }[] {
  if (budget[unit] === undefined) return [];
  const { per, key } = budget;
  const what = [
    'budget',
    key,
    unit,
    ...(per.includes('model') && model !== undefined ? [nameOf(model)] : []),
    ...(per.includes('connection') ? [`connection:${who.connection}`] : []),
  ].join(' ');
  if (!per.includes('group')) return [{ owner: ownerOf(budget, who), what }];
  return who.principal.groups.map((group) => ({ owner: `${ownerOf(budget, who)}group:${nameOf(group)}`, what }));
}

function ownerOf({ per }: AppliedBudget, { person, principal }: Spender): string {
  if (per.includes('agent')) return `agent:${personOf(principal)}`;
  return per.includes('principal') ? personOf(person) : '';
}

/** Of a counter: others write whatever they like there, of any length, and no two may share a count. */
const nameOf = (name: string): string => (/^[\x21-\x7e]{0,100}$/.test(name) ? name : `#${hash('sha256', name, 'hex')}`);
