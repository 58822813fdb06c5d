/**
 * What a statement does with masked columns besides showing them: what it asks of them, and where it moves their values. Owns: these words for
 * rules and budgets. Does not own: what it shows (`editors.ts`). Pure.
 */
import type { MaskPlan } from '@sluice/analysis';
import type { Facts, MaskedUse, SqlCommand } from '@sluice/contract';
import type { Catalog } from '../catalog/catalog.js';
import type { BaseColumn } from '../catalog/objects.js';
import { LARGE_OBJECT_CONTENTS } from '../large-objects.js';
import { OTHERS_STATEMENTS, type StatementLineage } from '../lineage/index.js';
import type { Meaning } from './catalogs.js';
import { type MaskedColumns, hits, isStale } from './columns.js';
import { actionsOf } from './effects.js';
import { unsureOf } from './hidden.js';
import { elementsOf } from './parameters.js';

/** Whether it reads anything that a mask could be for. */
const reads = (facts: Facts, statement?: number): boolean =>
  (statement === undefined ? facts.actions : actionsOf(facts, statement)).some((action) =>
    action.resources.some(({ type, access }) => (type === 'table' || type === 'function') && access !== 'write'),
  );

/** What is said of relations that this transaction has defined, or that nobody knows. */
const BEHIND = /^stands behind a definition in the same transaction|^uses the relation .* which is not known$/s;
const writes = (facts: Facts, statement: number): boolean =>
  actionsOf(facts, statement).some(({ effects }) => effects.includes('write'));

/** What a text that is not followed may do: any condition on whatever it reads, and move it to wherever it writes. */
export function unknownUse(facts: Facts, masked: MaskedColumns): MaskedUse {
  if (masked.size === 0 || !reads(facts)) return NO_USE;
  const moves = facts.actions.some(({ effects }) => effects.some((effect) => effect !== 'read'));
  return { asked: ['other'], moved: moves ? ['unknown'] : [] };
}

/**
 * @param masked what masks are for
 * @returns what it asks and moves, with how many values it compares each column, and why more than that is not known: a phrase
 */
export function useOf(
  lineage: readonly StatementLineage[],
  masked: MaskedColumns,
  { catalog }: Meaning,
  { parameters }: SqlCommand,
  facts: Facts,
): Pick<MaskPlan, 'use' | 'compared' | 'unsure'> {
  if (masked.size === 0) return { use: NO_USE, compared: NOTHING_COMPARED };
  const asked = new Set<string>();
  const moved = new Set<string>();
  const compared = new Map<string, number>();
  let unsure: string | undefined;
  let isSure = false;
  for (const [statement, { predicates, conditionsOnUnknown, flows, unknown }] of lineage.entries()) {
    // Nobody knows which conditions stand in what could not be followed, nor what they are on.
    const unknownRead = unknown !== undefined && reads(facts, statement);
    if (conditionsOnUnknown.length > 0 || unknownRead) {
      asked.add('other');
      unsure ??= unknown ?? conditionsOnUnknown[0];
    }
    // Into what this transaction has defined: where its values go is not known, nor which they are.
    if (unknownRead && BEHIND.test(unknown) && writes(facts, statement)) moved.add('unknown');
    if (conditionsOnUnknown.some((why) => OTHERS_VALUES.has(why))) moved.add('condition');
    for (const { column, kind, values, arrays } of predicates) {
      // Of a column that is gone it is not known any more whether it was masked.
      if (masked.has(column) || isStale({ sources: new Set([column]) }, catalog)) {
        asked.add(kind === 'other' ? 'other' : 'equality');
        isSure ||= kind === 'other';
        const known = arrays.reduce((sum, number) => sum + elementsOf(parameters?.[number - 1]), values);
        const elements = Number.isFinite(known) ? known : MAX_COMPARED_VALUES + 1;
        if (elements > 0) compared.set(column.name, (compared.get(column.name) ?? 0) + elements);
      }
      // Whose values they are is not known, so no rule for a column could speak of it.
      if (HOLDING.has(column.relation)) moved.add('condition');
    }
    for (const { target, value } of flows) {
      if (value.unknown === undefined && !hits(value.sources, masked, catalog)) continue;
      if (target.type === 'table') {
        // Where it stays under a mask, and in tables that the session's own lineage follows, it has not got away.
        const covered = target.bases.flatMap((base) => catalog.roots(base)).some((base) => masked.has(base));
        if (target.temporary) continue;
        if (covered && !keyed(target.bases, value, masked, catalog)) {
          // Under a mask it shows whether a value is NULL, and how many elements it has.
          if (value.kind !== 'direct' && !target.missingAsBefore) {
            asked.add('other');
            isSure = true;
          }
          continue;
        }
      }
      moved.add(target.type);
    }
  }
  // So many values say more than whether one is there: where in a range it is, or all of a short one.
  if ([...compared.values()].some((values) => values > MAX_COMPARED_VALUES)) asked.add('other');
  const use = asked.size + moved.size === 0 ? NO_USE : { asked: [...asked], moved: [...moved] };
  return { use, compared, ...(unsure !== undefined && !isSure && { unsure: unsureOf(unsure) }) };
}

/** With how many values one statement may compare a masked column and still be said to ask for whole values. */
const MAX_COMPARED_VALUES = 100;

/** The same of what is no table. */
const OTHERS_VALUES: ReadonlySet<string> = new Set([OTHERS_STATEMENTS, LARGE_OBJECT_CONTENTS]);
/** pg_statistic, pg_statistic_ext_data and pg_largeobject hold values of other tables. */
const HOLDING: ReadonlySet<number> = new Set([2619, 3429, 2613]);
/** Types whose keys a mask leaves as they are, json, jsonb and arrays of them. */
const KEYED: ReadonlySet<number> = new Set([114, 199, 3802, 3807]);

/** Another masked column may become a key of a document, where the mask of the document would not hold it. */
const keyed = (
  bases: readonly BaseColumn[],
  { kind, sources }: StatementLineage['flows'][number]['value'],
  masked: MaskedColumns,
  catalog: Catalog,
): boolean =>
  kind !== 'direct' &&
  bases.some((base) => {
    const attribute = catalog.relationByOid(base.relation)?.columns.find((one) => one.base === base);
    return KEYED.has(attribute?.type ?? 0);
  }) &&
  [...masked.keys()].some(
    (column) => sources.has(column) && !bases.flatMap((base) => catalog.roots(base)).includes(column),
  );

const NO_USE: MaskedUse = { asked: [], moved: [] };
export const NOTHING_COMPARED: ReadonlyMap<string, number> = new Map();
