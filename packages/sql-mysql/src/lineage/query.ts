/** Queries: SELECT, VALUES, TABLE, set operations and WITH. Owns: their output columns. Does not: FROM (from.ts), expressions. */
import type { Limit, Order, Query, Select, SelectItem, SetOperation, ValuesQuery } from '../tree.js';
import { choosesIndex } from '../hints.js';
import { type LineageAnalysis, Unsure } from './analysis.js';
import { condition } from './conditions.js';
import { expression, windowOf } from './expression.js';
import { readFrom, sorted } from './from.js';
import { relationOf } from './relations.js';
import { type Alias, type Scope, aliasOf, column, findNamed, starOf } from './scope.js';
import { type Column, NOTHING, type Value, asColumn, computed, either, unknown } from './value.js';
import { withNamed } from './with.js';

/**
 * The output columns of a query.
 *
 * @param scope its own, which is empty: what it sees is in `parent`
 * @throws Unsure where they cannot be told
 */
export function readQuery(analysis: LineageAnalysis, scope: Scope, query: Query): readonly Column[] {
  analysis.spend();
  const own = query.with ? withNamed(analysis, scope, query.with) : scope;
  switch (query.kind) {
    case 'select':
      return readSelect(analysis, own, query);
    case 'set':
      return readSet(analysis, own, query);
    case 'values':
      return readValues(analysis, own, query);
    case 'table':
      return readTable(analysis, own, query);
    default:
      return ordered(analysis, own, query, readQuery(analysis, nested(own), query.query));
  }
}

/** The same surroundings, for a part of the same query. */
const nested = (scope: Scope): Scope => ({ ...scope, items: [], columns: [] });

function readSelect(analysis: LineageAnalysis, outer: Scope, select: Select): readonly Column[] {
  const from = readFrom(analysis, outer, select.from);
  if (select.hints.some(choosesIndex)) sorted(analysis, from.columns);
  const scope = withAliases(analysis, withWindows(analysis, from, select), select.items);
  const columns = readItems(analysis, scope, select.items);
  analysis.spend(columns.length);
  const after: Scope = { ...scope, prefersAliases: true };
  condition(analysis, scope, select.where);
  for (const { value } of select.groupBy) asked(analysis, after, value, columns);
  condition(analysis, after, select.having);
  condition(analysis, after, select.qualify);
  if (select.distinct) analysis.asks(computed(columns.map(({ value }) => value)), 'other');
  // PROCEDURE ANALYSE() shows the least and the greatest value of each column, in a result of its own.
  if (select.procedure) throw new Unsure('uses PROCEDURE, whose result is not understood');
  return ordered(analysis, after, select, columns);
}

/** The columns of a select list, as SELECT and RETURNING have it. */
export function readItems(analysis: LineageAnalysis, scope: Scope, items: readonly SelectItem[]): Column[] {
  return items.flatMap((item) => {
    if (item.kind === 'star') {
      const star = starOf(analysis.catalog, scope, item);
      if (!star) throw new Unsure('uses a star whose columns are not known');
      for (const one of star) analysis.looksAt(one.value);
      return star;
    }
    const value = asColumn(expression(analysis, scope, item.value));
    const isVague = item.alias === undefined && item.value.kind !== 'column';
    return [isVague ? column(item.name, value, true) : column(aliasOf(item.name), value)];
  });
}

/** Inner queries can use the aliases of the list that they stand in. */
export function withAliases(analysis: LineageAnalysis, scope: Scope, items: readonly SelectItem[]): Scope {
  const aliases = items.flatMap((item): Alias[] => {
    if (item.kind === 'star' || item.alias === undefined) return [];
    let isOpen = false;
    return [
      {
        name: aliasOf(item.alias),
        value: () => {
          if (isOpen) return unknown('uses an alias in its own definition');
          isOpen = true;
          try {
            return asColumn(expression(analysis, inner, item.value));
          } finally {
            isOpen = false;
          }
        },
      },
    ];
  });
  const inner: Scope = { ...scope, aliases };
  return inner;
}

function withWindows(analysis: LineageAnalysis, scope: Scope, { windows }: Select): Scope {
  if (windows.length === 0) return scope;
  const known = new Map<string, Value>();
  const inner: Scope = { ...scope, windows: known };
  // One may begin with another that stands behind it: all of them count for each.
  const all = computed(windows.map(({ window }) => windowOf(analysis, scope, window)));
  for (const { name } of windows) known.set(name.toLowerCase(), all);
  return inner;
}

function readSet(analysis: LineageAnalysis, scope: Scope, query: SetOperation): readonly Column[] {
  const left = readQuery(analysis, nested(scope), query.left);
  const right = readQuery(analysis, nested(scope), query.right);
  if (left.length !== right.length) throw new Unsure('combines queries of different widths');
  analysis.visit(left.length);
  const columns = left.map((one, index) => ({ ...one, value: either([one.value, right[index]?.value ?? NOTHING]) }));
  // UNION ALL compares nothing.
  if (query.operator !== 'union' || !query.all) analysis.asks(computed(columns.map(({ value }) => value)), 'other');
  return ordered(analysis, scope, query, columns);
}

function readValues(analysis: LineageAnalysis, scope: Scope, query: ValuesQuery): readonly Column[] {
  const rows = query.rows.map((row) => row.map((value) => asColumn(expression(analysis, scope, value))));
  const columns = (rows[0] ?? []).map((_, index) =>
    // MySQL calls them column_0, MariaDB by the text of the first row.
    column(`column_${index}`, either(rows.map((row) => row[index] ?? NOTHING)), true),
  );
  return ordered(analysis, scope, query, columns);
}

function readTable(
  analysis: LineageAnalysis,
  scope: Scope,
  query: Extract<Query, { kind: 'table' }>,
): readonly Column[] {
  const { table } = query;
  const named = table.schema === undefined ? findNamed(scope, table.name, analysis.catalog) : undefined;
  const item = named ? { name: table.name, columns: named.columns() } : relationOf(analysis, table);
  const own: Scope = { ...scope, items: [item], columns: item.columns };
  for (const { value } of item.columns) analysis.looksAt(value);
  return ordered(analysis, own, query, starOf(analysis.catalog, own, {}) ?? []);
}

/** ORDER BY, LIMIT and INTO behind the columns of a query. */
function ordered(
  analysis: LineageAnalysis,
  scope: Scope,
  { orderBy, limit, into }: Pick<Query, 'orderBy' | 'limit' | 'into'>,
  columns: readonly Column[],
): readonly Column[] {
  const own: Scope = scope.items.length > 0 ? scope : { ...scope, columns };
  for (const { value } of orderBy) asked(analysis, { ...own, prefersAliases: true }, value, columns);
  readLimit(analysis, own, limit);
  if (into?.kind === 'file') {
    for (const { value } of columns) analysis.moves({ type: 'file', name: into.file }, value);
  }
  if (into?.kind === 'variables') {
    for (const [index, target] of into.targets.entries()) {
      if ('local' in target) throw new Unsure('puts values into a variable of a routine');
      analysis.assigns(
        target.name,
        columns[index]?.value ?? unknown('puts other columns into variables than it has'),
        true,
      );
    }
  }
  return into ? [] : columns;
}

export function readLimit(analysis: LineageAnalysis, scope: Scope, limit: Limit | undefined): void {
  for (const value of [limit?.count, limit?.offset, limit?.examined])
    if (value) analysis.asks(expression(analysis, scope, value), 'other');
}

/** An expression of GROUP BY or ORDER BY, which is a place in the select list where it is a number. */
function asked(analysis: LineageAnalysis, scope: Scope, value: Order['value'], columns: readonly Column[]): void {
  const place = value.kind === 'constant' && value.type === 'integer' ? columns[Number(value.value) - 1] : undefined;
  // In a set operation and around parentheses, columns are those of the result; a name that is none of them is an error there.
  analysis.asks(place ? place.value : expression(analysis, scope, value), 'other');
}
