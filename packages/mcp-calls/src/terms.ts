/**
 * What holds for the answer to a message of a client, by whatever way and however late it comes. Owns: what of a verdict that is. Does not: decide,
 * or edit answers.
 */
import type { AppliedBound, AppliedBudget, Facts } from '@sluice/contract';
import type { AskedFor, PolicyContext, Verdict } from '@sluice/guardrails';

/** What was asked, for rules about the answer. */
interface AskedBefore {
  readonly facts: Facts;
  readonly text: string;
  readonly tool?: PolicyContext['tool'];
}

export interface AnswerTerms {
  /** Undefined: no rule is asked, or it is not kept any more. */
  readonly asked: AskedBefore | undefined;
  readonly bounds: readonly AppliedBound[];
  /** Without what a command takes itself, which it has taken. */
  readonly budgets: readonly AppliedBudget[];
  /** Some rule has to see the answer as a whole before anybody has it. */
  readonly isJudged: boolean;
}

/** Without what may be long, of which a session keeps many. */
export const kept = (terms: AnswerTerms | undefined): AnswerTerms | undefined =>
  terms?.asked ? { ...terms, asked: undefined } : terms;

/** What a call asked for that goes on as a task: its result is asked for by something else. */
export const askedBefore = ({ asked }: AnswerTerms, now: PolicyContext): readonly AskedFor[] =>
  asked ? [{ ...asked, context: { ...now, ...(asked.tool && { tool: asked.tool }) } }] : [];

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
