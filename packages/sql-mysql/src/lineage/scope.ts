/**
 * What a name in an expression can mean: the relations of FROM, of this query and of those around it, and the aliases of select
 * lists around it. Follows find_field_in_tables and resolve_ref_in_select_and_group of both servers (sql_base.cc, item.cc).
 * Where a server may compare names by rules of its own, all that may be meant is. Pure.
 */
import type { Catalog } from '../catalog/catalog.js';
import { folded, isAscii, maybeSame } from '../catalog/objects.js';
import type { ColumnReference as ColumnName } from '../tree.js';
import { type LineageAnalysis, Unsure } from './analysis.js';
import { type Column, NOTHING, type Value, computed, either } from './value.js';

/** A relation of FROM. */
export interface FromItem {
  /** Its alias, or else its name. */
  readonly name: string;
  /** Absent: it is a derived table or a query of WITH. */
  readonly schema?: string;
  readonly columns: readonly Column[];
  /** `Catalog.keyOf` of a temporary table. */
  readonly temporary?: string;
  /** Columns that nobody lists: `_rowid`, `row_start`. */
  readonly extra?: (name: string) => Value | undefined;
}

/** The queries that WITH has named, nearest first. `columns` is undefined where the name means what it means without WITH. */
export interface WithQuery {
  readonly name: string;
  readonly columns: () => readonly Column[];
  readonly next: WithQuery | undefined;
}

/** A select list, of which inner queries can use the aliases. */
export interface Alias {
  readonly name: string;
  readonly value: () => Value;
}

export interface Scope {
  readonly items: readonly FromItem[];
  /** What `*` stands for and what names without a table are looked up in: merged columns of NATURAL and USING once. */
  readonly columns: readonly Column[];
  readonly parent: Scope | undefined;
  readonly named: WithQuery | undefined;
  readonly aliases?: readonly Alias[];
  /** In HAVING, ORDER BY and GROUP BY: aliases may come before columns. */
  readonly prefersAliases?: boolean;
  /** What VALUES(column) is, in ON DUPLICATE KEY UPDATE. */
  readonly inserted?: (column: string) => Value | undefined;
  readonly windows?: ReadonlyMap<string, Value>;
}

export const EMPTY_SCOPE: Scope = { items: [], columns: [], parent: undefined, named: undefined };

/** An empty scope inside another. */
export const enclosed = (outer: Scope): Scope => ({ items: [], columns: [], parent: outer, named: outer.named });

/** Leading blanks of an alias count for nothing (Item::set_name). */
export const aliasOf = (name: string): string => name.replace(/^[\0-\x20\x7f]+/, '');

export const column = (name: string, value: Value, isVague = !isAscii(name)): Column => ({
  name,
  value,
  ...(isVague && { vague: true as const }),
});

/** The columns of a derived table or a query of WITH, by the names in parentheses behind its own. */
export function renamed(columns: readonly Column[], names: readonly string[] | undefined): readonly Column[] {
  if (!names) return columns;
  if (names.length !== columns.length) throw new Unsure('names other columns than its query has');
  return columns.map(({ value }, index) => column(aliasOf(names[index] as string), value));
}

export function findNamed(scope: Scope, name: string, catalog: Catalog): WithQuery | undefined {
  const key = catalog.queryKey(name);
  for (let at = scope.named; at; at = at.next) {
    if (catalog.queryKey(at.name) === key) return at;
    if (maybeSame(at.name, name)) throw new Unsure('uses a name that the server may take for that of a query of WITH');
  }
  return undefined;
}

/** What a column name means; undefined where nothing fits. */
export function findColumn(analysis: LineageAnalysis, scope: Scope, name: ColumnName): Value | undefined {
  const possible: Value[] = [];
  for (let at: Scope | undefined = scope; at; at = at.parent) {
    const level = lookIn(analysis, at, name, at !== scope || scope.prefersAliases === true);
    if (level.found)
      return possible.length === 0 ? level.found : computed([level.found, ...possible, ...level.possible]);
    possible.push(...level.possible);
  }
  // Some server may find one that is called otherwise here; if not, it is an error there.
  return possible.length === 0 ? undefined : computed(possible);
}

interface Level {
  readonly found: Value | undefined;
  /** What some server may take for the same name. */
  readonly possible: readonly Value[];
}

function lookIn(analysis: LineageAnalysis, scope: Scope, name: ColumnName, withAliases: boolean): Level {
  const { catalog } = analysis;
  const lists =
    name.table === undefined ? [scope.columns] : itemsNamed(catalog, scope, name).map(({ columns }) => columns);
  const found: Value[] = [];
  const possible: Value[] = [];
  for (const columns of lists) {
    analysis.visit(columns.length + 1);
    matches(columns, name.name, found, possible);
  }
  if (found.length === 0) {
    const items = name.table === undefined ? scope.items : itemsNamed(catalog, scope, name);
    for (const { extra } of items) {
      const value = extra?.(name.name);
      if (value) found.push(value);
    }
  }
  if (name.table === undefined && withAliases && (found.length === 0 || scope.prefersAliases)) {
    for (const alias of scope.aliases ?? []) {
      analysis.visit(1);
      if (folded(alias.name) === folded(name.name)) found.push(alias.value());
      else if (maybeSame(alias.name, name.name)) possible.push(alias.value());
    }
  }
  return { found: found.length === 0 ? undefined : either(found), possible };
}

function matches(columns: readonly Column[], name: string, found: Value[], possible: Value[]): void {
  const key = folded(name);
  for (const one of columns) {
    if (folded(one.name) === key) found.push(one.value);
    else if (one.vague || maybeSame(one.name, name)) possible.push(one.value);
  }
}

function itemsNamed(
  catalog: Catalog,
  { items }: Scope,
  { schema, table = '' }: Pick<ColumnName, 'schema' | 'table'>,
): FromItem[] {
  const key = catalog.nameKey(table);
  return items.filter(
    (item) =>
      (catalog.nameKey(item.name) === key || maybeSame(item.name, table)) &&
      // A derived table has no database of its own.
      (schema === undefined || item.schema === undefined || catalog.nameKey(item.schema) === catalog.nameKey(schema)),
  );
}

/** What `*` and `t.*` stand for; undefined where no relation has that name. */
export function starOf(
  catalog: Catalog,
  scope: Scope,
  star: Pick<ColumnName, 'schema' | 'table'>,
): Column[] | undefined {
  const visible = (columns: readonly Column[]): Column[] => columns.filter(({ hidden }) => !hidden);
  if (star.table === undefined) return visible(scope.columns);
  const items = itemsNamed(catalog, scope, star);
  // Two of the same name are an error, unless they are of two databases: then the order would be a guess.
  return items.length === 1 ? visible(items[0]?.columns ?? []) : undefined;
}

export const SYSTEM_TIME: ReadonlySet<string> = new Set(['row_start', 'row_end']);
export const nothingFor = (names: ReadonlySet<string>, name: string): Value | undefined =>
  names.has(folded(name)) ? NOTHING : undefined;
