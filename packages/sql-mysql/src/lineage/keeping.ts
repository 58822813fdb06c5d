/**
 * What a definition does with values of columns by itself: defaults that are computed from others, columns that are computed no longer
 * and keep what they hold, foreign keys whose columns change with those that they refer to; and what rows that are there are held against,
 * divided by or compared with each other by. Does not: definitions by a query.
 */
import { folded, maybeSame } from '../catalog/objects.js';
import type { Keeping, ObjectName } from '../tree.js';
import type { LineageAnalysis } from './analysis.js';
import { expression } from './expression.js';
import { relationOf } from './relations.js';
import { EMPTY_SCOPE, type FromItem } from './scope.js';
import type { UniqueColumns } from './session.js';
import { type Column, type Value, computed, isNothing } from './value.js';

/** @param table the one that is made or altered */
export function keeps(analysis: LineageAnalysis, table: ObjectName, keeping: Keeping): void {
  const { defaults, plain, followed, checks, dividing, parts, numbered } = keeping;
  const name = `${table.schema ?? analysis.session.database ?? ''}.${table.name}`;
  const target = { type: 'table', name, column: '', temporary: false, bases: [] } as const;
  for (const one of defaults.filter(hasColumns)) {
    const { columns = [] } = relationIn(analysis, table) ?? {};
    // A column that the same statement adds is not known here, and so is what it is computed from.
    const scope = { ...EMPTY_SCOPE, items: [{ name: table.name, columns }], columns };
    analysis.moves(target, expression(analysis, scope, one));
  }
  const compared = new Set([...dividing, ...parts, ...checks.flatMap(columnsIn)]);
  if (compared.size > 0) {
    const columns = relationIn(analysis, table)?.columns ?? [];
    const looked = columns.filter((one) => [...compared].some((name) => isCalled(one, name)));
    analysis.asks(computed(looked.map(({ value }) => value)), 'other');
  }
  for (const column of plain) {
    const own = relationIn(analysis, table)?.columns.filter((one) => isCalled(one, column)) ?? [];
    // A column that is not computed comes from itself.
    const others = own.filter(({ value }) => value.kind !== 'direct' || value.unknown !== undefined);
    analysis.moves(target, computed(others.map(({ value }) => value)));
  }
  for (const column of numbered)
    for (const own of relationIn(analysis, table)?.columns ?? [])
      if (isCalled(own, column)) numbers(analysis, own.value);
  for (const { table: other, columns: names } of followed) {
    const read = relationIn(analysis, other)?.columns ?? [];
    const referenced = read.filter((one) => names.length === 0 || names.some((column) => isCalled(one, column)));
    analysis.moves(target, computed(referenced.map(({ value }) => value)));
  }
}

/** AUTO_INCREMENT: the server reports such a value to the client, as it does LAST_INSERT_ID(x), and counts on from it. */
export const numbers = (analysis: LineageAnalysis, value: Value): void => {
  if (!isNothing(value)) analysis.stores({ type: 'function', name: 'last_insert_id' }, value);
};

/** Of a table that is made: which columns its unique keys have as they are, and of which they have something. */
export const keysIn = ({ keys, parts, checks, numbered }: Keeping): UniqueColumns => ({
  numbered,
  whole: keys,
  part: [...parts, ...checks.flatMap(columnsIn)],
});

/** Undefined where there is none: the server rejects the statement, or the table is new and nothing is in it. */
function relationIn(analysis: LineageAnalysis, table: ObjectName): FromItem | undefined {
  const database = table.schema ?? analysis.session.database;
  if (database === undefined) return undefined;
  const { catalog, session } = analysis;
  const isKnown = catalog.relation(database, table.name) ?? session.temporary.get(catalog.keyOf(database, table.name));
  return isKnown && relationOf(analysis, table);
}

export const isCalled = ({ name }: Column, wanted: string): boolean =>
  folded(name) === folded(wanted) || maybeSame(name, wanted);

/** The names of columns that stand in it. */
function columnsIn(node: unknown): string[] {
  if (typeof node !== 'object' || node === null) return [];
  const own = 'kind' in node && node.kind === 'column' && 'name' in node ? [String(node.name)] : [];
  return [...own, ...Object.values(node).flatMap(columnsIn)];
}

const hasColumns = (node: unknown): boolean => columnsIn(node).length > 0;
