/**
 * How far statements are followed: which texts are read, and which definitions leave what stands behind them unknown. Does not own: how they are
 * followed (lineage). Pure.
 */
import { type AppliedMask, type Facts, type NamePart, partsOfColumn } from '@sluice/contract';
import { type Node, nodeOf } from '../ast.js';
import type { SessionEffect, StatementLineage } from '../lineage/index.js';
import type { Meaning } from './catalogs.js';
import { defines } from './effects.js';

/** A statement of a text that is followed, as the grammar has it. */
export function nodeIn({ lineage }: Meaning, text: string | undefined, statement: number): Node | undefined {
  const parsed = text === undefined ? undefined : lineage.parse(text);
  return parsed?.ok ? nodeOf(parsed.statements[statement]?.['stmt']) : undefined;
}

/** It defines what is not followed, so that it is not known what names mean from there on. */
export const definesForAll = (
  lineage: StatementLineage | undefined,
  facts: Facts,
  statement: number,
  masks: readonly AppliedMask[],
): boolean =>
  defines(facts, statement) &&
  (!lineage?.effects.some(({ type }) => FOLLOWED_DEFINITIONS.has(type)) ||
    lineage.effects.some((effect) => isUnfollowed(effect, masks)));

const FOLLOWED_DEFINITIONS: ReadonlySet<SessionEffect['type']> = new Set([
  'relation',
  'drop relation',
  'function',
  'drop function',
  'defined',
  'setting',
]);

/** Others see it once the transaction has committed. */
export const isForAll = (effect: SessionEffect): boolean =>
  effect.type === 'defined' || (effect.type === 'relation' && effect.relation.permanent !== undefined);

/** Definitions of anything, and of a table with new columns that a mask may be for: no rule is bound to them yet. */
function isUnfollowed(effect: SessionEffect, masks: readonly AppliedMask[]): boolean {
  if (effect.type === 'defined') return effect.names === 'any';
  if (effect.type !== 'relation' || effect.relation.permanent === undefined) return false;
  const { name, columns, stored, unknown } = effect.relation;
  // The columns that the catalog has are bound, as far as they have their names.
  const bound = new Set(name === stored?.name ? stored.columns.map((column) => column.name) : []);
  const made = columns.filter((column) => !bound.has(column.name));
  return masks.some((mask) =>
    mask.columns.some((pattern) => {
      const [column, table] = partsOfColumn(pattern).toReversed();
      return mayName(table, name) && (unknown !== undefined || made.some((one) => mayName(column, one.name)));
    }),
  );
}

/** @param part of a pattern; one with `*` may stand for any name */
const mayName = (part: NamePart | undefined, name: string): boolean =>
  part === undefined || part.isPattern || part.text.toLowerCase() === name.toLowerCase();

/** What stands behind a definition in the same text is read by the definitions from before it: nothing is known of it. */
export function knownUpTo(
  lineage: readonly StatementLineage[] | undefined,
  facts: Facts,
  masks: readonly AppliedMask[],
): readonly StatementLineage[] | undefined {
  if (!lineage || lineage.length < 2) return lineage;
  const first = lineage.findIndex((one, statement) => definesForAll(one, facts, statement, masks));
  if (first < 0) return lineage;
  return lineage.map((one, statement) =>
    statement > first
      ? {
          ...one,
          outputs: [],
          unknown: 'stands behind a definition in the same text',
          returnsRows: one.returnsRows ?? one.outputs.length > 0,
        }
      : one,
  );
}

/** Whether its session may be another one behind it. */
export const changes = (lineage: readonly StatementLineage[] | undefined, facts: Facts): boolean =>
  !lineage || defines(facts) || lineage.some(({ effects }) => effects.length > 0);

/** It reads nothing. */
export const isTransactionControl = ({ actions }: Facts): boolean =>
  actions.length > 0 && actions.every(({ verb }) => TRANSACTION_CONTROL.has(verb));
export const TRANSACTION_CONTROL: ReadonlySet<string> = new Set([
  'begin',
  'start',
  'commit',
  'rollback',
  'savepoint',
  'release',
  'rollback to',
  'commit prepared',
  'rollback prepared',
]);
