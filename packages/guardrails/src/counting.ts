/** What rules say of values that are shown: budgets that count different ones, as masks that tell them. Does not: count, or mask. Pure. */
import type { AppliedBudget, AppliedMask, MaskRule, Rule } from '@sluice/contract';

/** What a budget of different values counts passes masks that tell it. */
export function countingOf({
  rule,
  key,
  distinct,
  columns = [],
  detect = [],
  observed,
}: AppliedBudget): AppliedMask | undefined {
  if (distinct === undefined) return undefined;
  const mode = { type: 'count', budgets: [key], ...(observed && { observed }) } as const;
  return { type: 'mask', rule, columns, detect, with: mode };
}

/** What budgets count in answers by HTTP, which have no columns. */
export const countedInAnswers = (budgets: readonly AppliedBudget[]): readonly AppliedMask[] =>
  budgets.flatMap((budget) => (budget.detect?.length ? (countingOf(budget) ?? []) : []));

/** The mask that a rule enforces; of one that counts different values, what somebody is shown for whom nobody counts. */
export function maskOf({ then, mode }: Rule): MaskRule | undefined {
  if (mode === 'observe') return undefined;
  if (then.type === 'mask') return then;
  if (then.type !== 'budget' || then.distinct === undefined) return undefined;
  const { columns = [], detect = [] } = then;
  return { type: 'mask', columns, detect, with: { type: 'redact' } };
}
