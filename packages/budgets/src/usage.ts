/** What of which budget is used up by whom, for people. Does not: count, or decide who may see it. */
import { type AppliedBudget, type BudgetUnit, COMMAND_UNITS, MODEL_UNITS } from '@sluice/contract';
import type { Ledger } from './ledger.js';
import { DistinctShare, Share, scaleOf } from './shares.js';
import { windowOf } from './windows.js';

export interface BudgetUse {
  readonly rule: string;
  readonly unit: BudgetUnit;
  /** As counters are named; see `ownerInWords`. */
  readonly owner: string;
  /** What it is counted by besides: a connection, a model; empty: nothing. */
  readonly by: string;
  readonly used: number;
  readonly limit: number;
  readonly within: string;
  /** Milliseconds since 1970; undefined: there is room now. */
  readonly free: number | undefined;
  readonly observed: boolean;
}

const UNITS: readonly BudgetUnit[] = [...MODEL_UNITS, ...COMMAND_UNITS];

/** Of the budgets that there are, all that somebody has used of them in the time that counts. */
export function usage(ledger: Ledger, budgets: readonly AppliedBudget[]): BudgetUse[] {
  return shares(ledger, budgets).flatMap(({ share, by }) => {
    const used = share.used();
    if (used === 0) return [];
    const { budget, unit, owner } = share;
    const said = share instanceof Share ? share.usedUp(1) : share.usedUp();
    const { limit, within = '' } = said;
    const free = used >= share.limit ? said.free : undefined;
    const observed = budget.observed === true;
    return [{ rule: budget.rule, unit, owner, by, used: used / scaleOf(unit), limit, within, free, observed }];
  });
}

/** Nothing of what was counted by a rule, of those whose owner is chosen, has been used up. Returns how many counters that were. */
export function resetUsage(
  ledger: Ledger,
  budgets: readonly AppliedBudget[],
  isChosen: (owner: string) => boolean,
): number {
  const chosen = shares(ledger, budgets).filter(({ share }) => isChosen(share.owner) && share.used() > 0);
  for (const { share } of chosen) share.reset();
  return chosen.length;
}

interface AnyUse {
  readonly share: Share | DistinctShare;
  readonly by: string;
}

function shares({ counts, sketches }: Ledger, budgets: readonly AppliedBudget[]): AnyUse[] {
  const kinds = budgets.flatMap((budget) =>
    UNITS.flatMap((unit) => {
      if (budget[unit] === undefined) return [];
      return [{ budget, unit, start: `budget ${budget.key} ${unit}`, end: windowOf(budget.within).key }];
    }),
  );
  return [...counts.counters(), ...sketches.all()].flatMap(({ owner, what }): AnyUse[] => {
    const kind = kinds.find(
      ({ start, end }) => what.startsWith(start) && what.endsWith(end) && /^( |$)/.test(what.slice(start.length)),
    );
    if (!kind) return [];
    const { budget, unit, start, end } = kind;
    const name = end === '' ? what : what.slice(0, -end.length);
    const by = name.slice(start.length).trim();
    if (unit === 'distinct') return [{ share: new DistinctShare(counts, sketches, budget, owner, what), by }];
    return [{ share: new Share(counts, budget, unit, owner, name), by }];
  });
}

/** `all`, `group:NAME`, `agent:NAME`, or the name of a person; of one whom an identity provider knows, that and its name for them. */
export function ownerInWords(owner: string): string {
  if (owner === '') return 'all';
  const at = owner.indexOf('group:');
  if (at === 0) return owner;
  if (at > 0) return `${ownerInWords(owner.slice(0, at))} in ${owner.slice(at)}`;
  if (owner.startsWith('agent:')) return `agent:${ownerInWords(owner.slice('agent:'.length))}`;
  try {
    return (JSON.parse(owner) as string[]).join(' ');
  } catch {
    return owner;
  }
}
