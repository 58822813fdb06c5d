/**
 * What statements leave behind in their session, as facts and lineage tell together. Lives here: which effects count, and
 * which of them is code that nobody read. Does not: following a session (`session.ts`).
 */
import { KEEPS, type SessionEffect, type StatementLineage } from '../lineage/index.js';
import type { Action, Facts } from '@sluice/contract';
import { LARGE_OBJECT_TABLE } from '../large-objects.js';

export type Code = Extract<SessionEffect, { type: 'code' }>;
const UNFOLLOWED: Code = { type: 'code', reason: 'runs after a statement that was not followed' };
/** The same where the database has code behind its tables that may keep something in a setting. */
const UNFOLLOWED_KEEPING: Code = { type: 'code', reason: KEEPS, sure: true };

/** After an error all is as it was before the transaction, but for what the code has committed. */
export const codeThat = (failed: boolean, reason: string): SessionEffect => ({
  type: failed ? 'code' : 'uncertain',
  reason,
});

/**
 * A statement without unknown effects runs no code that nobody read, but one that was not followed may make a table.
 *
 * @param keeps tables have code behind them that may keep something in a setting
 */
export const effectsOf = (
  lineage: StatementLineage | undefined,
  facts: Facts,
  statement: number,
  keeps: boolean,
): SessionEffect[] =>
  (lineage?.effects ?? [keeps ? UNFOLLOWED_KEEPING : UNFOLLOWED]).flatMap((effect): SessionEffect[] => {
    if (effect.type !== 'code' && effect.type !== 'uncertain') return [effect];
    if (effect.type === 'code' && effect.sure) return [effect];
    // Facts of a FETCH say nothing of what its cursor calls.
    if (lineage?.statement === 'FetchStmt' || !isPlain(facts, statement)) return [effect];
    return defines(facts, statement) ? [{ ...effect, type: 'uncertain' }] : [];
  });

/** The code that a text runs, where it runs any. */
export const codeIn = (
  followed: readonly StatementLineage[] | undefined,
  facts: Facts,
  keeps: boolean,
): Code | undefined =>
  (followed ?? [undefined])
    .flatMap((lineage, statement) => effectsOf(lineage, facts, statement, keeps))
    .find((effect) => effect.type === 'code');

/** Statements that are code: what functions define is found within two seconds, what these define at once. */
export const OWN_CODE: ReadonlySet<string> = new Set(['DoStmt', 'CallStmt', '']);

/** It runs no code that nobody read, so what it shows may be unknown, and what names stand for is not. */
const PLAIN: ReadonlySet<string> = new Set(['read', 'write', 'define', 'destroy', 'grant']);
const isPlain = (facts: Facts, statement: number): boolean =>
  actionsOf(facts, statement).every(({ effects }) => effects.every((effect) => PLAIN.has(effect)));

export const defines = (facts: Facts, statement?: number): boolean =>
  (statement === undefined ? facts.actions : actionsOf(facts, statement)).some(
    (action) =>
      action.effects.some((effect) => effect === 'define' || effect === 'grant' || effect === 'destroy') &&
      !isOfLargeObjects(action),
  );

const byStatement = new WeakMap<Facts['actions'], ReadonlyMap<number, readonly Action[]>>();

/** The actions of one statement of a text, which may have thousands: each asks for its own. */
export function actionsOf({ actions }: Facts, statement: number): readonly Action[] {
  let all = byStatement.get(actions);
  if (!all) byStatement.set(actions, (all = Map.groupBy(actions, (action) => action.statement)));
  return all.get(statement) ?? [];
}

/** It removes large objects and nothing else, which defines nothing. */
const isOfLargeObjects = ({ verb, resources }: Action): boolean =>
  verb === 'select' &&
  resources.some(({ access, name }) => access === 'destroy' && name === LARGE_OBJECT_TABLE) &&
  resources.every(({ type, access }) => access !== 'write' || type === 'table');
