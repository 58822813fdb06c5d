/**
 * FROM: which columns there are, in which order `*` shows them, and which a join has merged. Owns: joins (mark_common_columns and
 * store_natural_using_join_columns, sql_base.cc), JSON_TABLE. Does not: what a relation shows (relations.ts).
 */
import { folded } from '../catalog/objects.js';
import type { Derived, Join, JsonColumn, JsonTable, Table, TableReference } from '../tree.js';
import { type LineageAnalysis, Unsure } from './analysis.js';
import { condition } from './conditions.js';
import { expression } from './expression.js';
import { readQuery } from './query.js';
import { relationOf } from './relations.js';
import { type FromItem, type Scope, column, enclosed, findNamed, renamed } from './scope.js';
import { type Column, type Value, computed, either } from './value.js';

/** One or several relations, as they are joined. */
interface Joined {
  readonly items: readonly FromItem[];
  readonly columns: readonly Column[];
  /** The same in the order in which they stand where a join that merges columns takes them up. */
  readonly merging: readonly Column[];
}

/** @param scope the query's own, empty yet. @returns it with what FROM brings */
export function readFrom(analysis: LineageAnalysis, scope: Scope, references: readonly TableReference[]): Scope {
  let joined: Joined = { items: [], columns: [], merging: [] };
  for (const reference of references) joined = beside(joined, read(analysis, scope, reference, joined));
  const { items, columns } = joined;
  return { ...scope, items, columns };
}

const beside = (left: Joined, right: Joined): Joined => ({
  items: [...left.items, ...right.items],
  columns: [...left.columns, ...right.columns],
  merging: [...left.merging, ...right.merging],
});

/** @param before what stands to the left, which LATERAL and JSON_TABLE may use */
function read(analysis: LineageAnalysis, scope: Scope, reference: TableReference, before: Joined): Joined {
  analysis.visit(1 + before.items.length);
  switch (reference.kind) {
    case 'table':
      return alone(readTable(analysis, scope, reference));
    case 'derived':
      return alone(readDerived(analysis, scope, reference, before));
    case 'json table':
      return alone(readJsonTable(analysis, { ...scope, ...before }, reference));
    default:
      return readJoin(analysis, scope, reference, before);
  }
}

const alone = (item: FromItem): Joined => ({ items: [item], columns: item.columns, merging: item.columns });

function readTable(analysis: LineageAnalysis, scope: Scope, one: Table): FromItem {
  const { table, alias, systemTime, byIndex } = one;
  for (const value of systemTime) analysis.asks(expression(analysis, scope, value), 'other');
  if (table.schema === undefined) {
    const named = findNamed(scope, table.name, analysis.catalog);
    if (named) return { name: alias ?? table.name, columns: named.columns() };
  }
  const item = relationOf(analysis, table, alias);
  analysis.visit(item.columns.length);
  if (byIndex) sorted(analysis, item.columns);
  return item;
}

/** Rows come by an index that a hint names: over which columns it is nobody knows here, and their order shows what is in them. */
export const sorted = (analysis: LineageAnalysis, columns: readonly Column[]): void =>
  analysis.asks(computed(columns.map(({ value }) => value)), 'other');

function readDerived(analysis: LineageAnalysis, scope: Scope, derived: Derived, before: Joined): FromItem {
  for (const value of derived.systemTime) analysis.asks(expression(analysis, scope, value), 'other');
  // Names that the query does not have itself are those of the queries around it, and with LATERAL of what stands to the left.
  const around: Scope = derived.lateral ? { ...scope, ...before } : scope;
  const columns = readQuery(analysis, enclosed(around), derived.query);
  return { name: derived.alias ?? '', columns: renamed(columns, derived.columns) };
}

function readJsonTable(analysis: LineageAnalysis, scope: Scope, { document, columns, alias }: JsonTable): FromItem {
  const value = computed([expression(analysis, scope, document)]);
  return { name: alias ?? '', columns: jsonColumns(columns, value) };
}

const jsonColumns = (columns: readonly JsonColumn[], value: Value): Column[] =>
  columns.flatMap((one) => {
    if (one.type === 'nested') return jsonColumns(one.columns, value);
    // How many elements an array has decides how many rows there are: its numbers count them.
    return [column(one.name ?? '', one.type === 'ordinality' ? { ...value, counts: true as const } : value)];
  });

function readJoin(analysis: LineageAnalysis, scope: Scope, join: Join, before: Joined): Joined {
  const left = read(analysis, scope, join.left, before);
  const right = read(analysis, scope, join.right, beside(before, left));
  const isMerged = join.natural || join.using !== undefined;
  const joined = isMerged ? mergedOf(analysis, join, left, right) : besideIn(analysis, join, left, right);
  condition(analysis, { ...scope, items: joined.items, columns: joined.columns }, join.on);
  return joined;
}

function mergedOf(analysis: LineageAnalysis, join: Join, left: Joined, right: Joined): Joined {
  const columns = merged(analysis, join, left.merging, right.merging);
  return { items: [...left.items, ...right.items], columns, merging: columns };
}

/** MySQL makes a LEFT JOIN of a RIGHT JOIN, and `*` shows its columns as they were written, but where they are merged with others. */
function besideIn({ catalog }: LineageAnalysis, { type }: Join, left: Joined, right: Joined): Joined {
  const joined = beside(left, right);
  const isTurned = type === 'right' && catalog.contents.flavour === 'mysql';
  return isTurned ? { ...joined, merging: [...right.merging, ...left.merging] } : joined;
}

/** Merged columns first, in the order of the left side (of the right side in a RIGHT JOIN), then what is left of both. */
function merged(
  analysis: LineageAnalysis,
  { type, natural, using = [] }: Join,
  left: readonly Column[],
  right: readonly Column[],
): Column[] {
  const [first, second] = type === 'right' ? [right, left] : [left, right];
  if (type === 'full') throw new Unsure('merges columns in a FULL JOIN');
  if (natural && hasDoubtful(first, second)) throw new Unsure('joins tables by names that are not certain');
  analysis.visit(first.length + second.length);
  const others = Map.groupBy(second, ({ name }) => folded(name));
  const wanted = natural ? undefined : new Set(using.map(folded));
  const common: Column[] = [];
  const own: Column[] = [];
  const taken = new Set<Column>();
  for (const one of first) {
    const key = folded(one.name);
    const partners =
      (wanted === undefined || wanted.has(key)) && !(natural && one.hidden) ? others.get(key) : undefined;
    const [partner] = partners ?? [];
    if (!partner) {
      own.push(one);
      continue;
    }
    if (partners && partners.length > 1) throw new Unsure('joins tables by a name that two columns have');
    taken.add(partner);
    const both = either([one.value, partner.value]);
    analysis.asks(both, 'other');
    common.push(column(one.name, both));
  }
  if (wanted && common.length !== wanted.size) throw new Unsure('joins tables by columns that are not known');
  return [...common, ...own, ...second.filter((one) => !taken.has(one))];
}

/** A server may merge more or fewer of these than their letters say. */
function hasDoubtful(left: readonly Column[], right: readonly Column[]): boolean {
  if ([...left, ...right].some(({ vague }) => vague)) return true;
  const names = new Set(left.map(({ name }) => folded(name)));
  const hidden = [...left, ...right].filter((one) => one.hidden);
  return hidden.some(({ name }) => names.has(folded(name)) && right.some((one) => folded(one.name) === folded(name)));
}
