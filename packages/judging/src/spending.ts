/**
 * What is let through takes from its budgets. Owns: which judgements take, and what becomes of one for which nothing is left. Does not: count
 * (packages/budgets).
 */
import type { NoRoom, Spending, Spent } from '@sluice/budgets';
import type { AppliedBudget, AppliedHold, Command, Facts } from '@sluice/contract';
import { type Judgement, type Taken, otherwise } from './judgement.js';

/** `released`: by these holds people have let it pass; undefined: nobody was asked yet. `show`: what people are shown of it. */
export function spend(
  judgement: Judgement,
  command: Command,
  spending: Spending,
  released: readonly AppliedHold[] | undefined,
  show: () => string,
): Judgement {
  const { answer, spends, held, charge } = judgement;
  if (!spends || answer.type === 'deny' || !isRun(command)) return judgement;
  const isSql = command.type === 'sql';
  const statements = howMany(command, answer.facts);
  const noun = isSql ? 'statement' : 'command';
  const rules = released?.map(({ rule }) => rule);
  // Whoever has no place left can end what takes theirs.
  const budgets = judgement.transaction ? spends.budgets.map(placeless) : spends.budgets;
  const spent = spending.spend(budgets, spends.bounds, noun, rules, statements);
  if (!spent) return judgement;
  if (isNoRoom(spent)) return withoutRoom(judgement, spent, released !== undefined, show);
  if (held && !released) {
    // It takes when people have released it. That there is room now spares them a question in vain.
    spent.undo();
    return judgement;
  }
  return { ...judgement, answer: { ...answer, meter: spent }, charge: charge ? both(charge, spent) : spent };
}

function withoutRoom(judgement: Judgement, { answer, holds }: NoRoom, again: boolean, show: () => string): Judgement {
  judgement.charge?.undo();
  const { charge: _, held, ...rest } = judgement;
  if (holds.length === 0 || again) return otherwise(rest, answer);
  const text = held?.text ?? (judgement.shown ?? show)();
  return { ...otherwise(rest, 'hold'), held: { ...held, holds: [...(held?.holds ?? []), ...holds], text } };
}

/** A text may have many statements, and a request many calls. */
function howMany({ type }: Command, { statements, actions }: Facts): number {
  if (type === 'sql') return Math.max(1, statements.length);
  return type === 'request' ? 1 + actions.reduce((last, { statement }) => Math.max(last, statement), 0) : 1;
}

const withoutPlaces = new WeakMap<AppliedBudget, AppliedBudget>();

/** The same budget, of which nothing is taken that says how many commands run at a time. */
function placeless(budget: AppliedBudget): AppliedBudget {
  if (budget.at_once === undefined) return budget;
  const known = withoutPlaces.get(budget);
  if (known) return known;
  const { at_once: _, ...rest } = budget;
  withoutPlaces.set(budget, rest);
  return rest;
}

const isNoRoom = (one: Spent | NoRoom): one is NoRoom => 'type' in one;

/** What is only prepared runs later. A call that a model proposes, and an answer, are of a request that was counted. */
const isRun = (command: Command): boolean =>
  command.type === 'sql' ? command.phase === 'run' : command.type !== 'tool' && command.type !== 'answer';

const both = (one: Taken, other: Taken): Taken => ({
  end() {
    one.end();
    other.end();
  },
  undo() {
    one.undo();
    other.undo();
  },
});
