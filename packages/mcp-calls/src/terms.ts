/**
 * What holds for the answer to a message of a client, by whatever way and however late it comes. Owns: what of a verdict that is. Does not: decide,
 * or edit answers.
 */
import type { AppliedBound, AppliedBudget, Facts } from '@sluice/contract';
import type { PolicyContext, Verdict } from '@sluice/guardrails';

export interface AnswerTerms {
  /** What was asked, for rules about the answer. */
  readonly facts: Facts;
  readonly text: string;
  readonly tool?: PolicyContext['tool'];
  readonly bounds: readonly AppliedBound[];
  /** Without what a command takes itself, which it has taken. */
  readonly budgets: readonly AppliedBudget[];
  /** Some rule has to see the answer as a whole before anybody has it. */
  readonly isJudged: boolean;
}

/** By what a client is given, and not by how often or how many at a time it asks. */
export function givenBy({ budgets }: Pick<Verdict, 'budgets'>): readonly AppliedBudget[] {
  return budgets.flatMap((budget) => {
    const { statements: _, at_once: __, logins: ___, hold: ____, ...given } = budget;
    const counts = given.rows ?? given.bytes ?? given.time ?? given.distinct;
    return counts === undefined ? [] : [given];
  });
}

/** The same with budgets of `more` that are not among them: a budget takes once. */
export function withBudgets(
  budgets: readonly AppliedBudget[],
  more: readonly AppliedBudget[],
): readonly AppliedBudget[] {
  const keys = new Set(budgets.map(({ key }) => key));
  const added = more.filter(({ key }) => !keys.has(key) && keys.add(key));
  return added.length === 0 ? budgets : [...budgets, ...added];
}
