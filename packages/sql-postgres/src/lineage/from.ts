/** FROM: each item becomes relations whose names and columns are in scope. Pure. */
import { type NodeFields, isFields, nodeOf, strings, text } from '../ast.js';
import { type LineageAnalysis, Unsure, listOf } from './analysis.js';
import { condition } from './conditions.js';
import { expression } from './expression.js';
import { deciding, operation } from './operators.js';
import { certain, commonType, typesOf } from './overloads.js';
import { readQuery } from './query.js';
import { columnsOf, findRelation, schemaOf } from './relations.js';
import { placeOf } from './comparing.js';
import { type FromItem, type Scope, findNamed, item, starOf } from './scope.js';
import { rangeFunction } from './table-functions.js';
import { jsonTable, xmlTable } from './table-documents.js';
import { type Column, type Value, asColumn, computed, either } from './value.js';

/** The scope inside a query with these FROM items; items may refer to earlier ones where LATERAL allows it. */
export function readFrom(analysis: LineageAnalysis, scope: Scope, items: readonly unknown[]): Scope {
  return items.reduce<Scope>((inner, node) => {
    // Each item has a scope of its own, of all before it.
    analysis.visit(inner.items.length);
    return { ...inner, items: [...inner.items, ...fromItem(analysis, inner, node)] };
  }, scope);
}

type Read = (analysis: LineageAnalysis, scope: Scope, fields: NodeFields) => FromItem[];

/** The kinds of FROM items that are understood. */
export const FROM_ITEMS: Readonly<Record<string, Read>> = {
  RangeVar: rangeVar,
  RangeSubselect: (analysis, scope, fields) => {
    const outer = fields['lateral'] === true ? inside(scope) : besides(scope);
    return [keyed(aliased(fields, readQuery(analysis, outer, fields['subquery'])))];
  },
  RangeFunction: (analysis, scope, fields) => {
    const { name, columns } = rangeFunction(analysis, scope, fields);
    return [aliased(fields, inRows(columns), name)];
  },
  RangeTableFunc: (analysis, scope, fields) => [aliased(fields, inRows(xmlTable(analysis, scope, fields)))],
  JsonTable: (analysis, scope, fields) => [aliased(fields, inRows(jsonTable(analysis, scope, fields)))],
  RangeTableSample: (analysis, scope, fields) => {
    analysis.asks(computed(listOf(fields, 'args').map((one) => expression(analysis, scope, one))), 'other');
    return fromItem(analysis, scope, fields['relation']);
  },
  JoinExpr: join,
};

const inRows = (columns: readonly Column[]): Column[] =>
  columns.map(({ name, value }) => ({ name, value: asColumn(value) }));

function fromItem(analysis: LineageAnalysis, scope: Scope, value: unknown): FromItem[] {
  const node = nodeOf(value);
  const read = node && Object.hasOwn(FROM_ITEMS, node.kind) ? FROM_ITEMS[node.kind] : undefined;
  if (!node || !read) throw new Unsure(`reads from something that is not understood (${node?.kind ?? 'nothing'})`);
  return read(analysis, scope, node.fields);
}

/** A sub-query sees what its query sees, and with LATERAL its neighbours to the left. */
const inside = (scope: Scope): Scope => ({ items: [], parent: scope, named: scope.named, argument: scope.argument });
const besides = (scope: Scope): Scope => ({
  items: [],
  parent: scope.parent,
  named: scope.named,
  argument: scope.argument,
});

function rangeVar(analysis: LineageAnalysis, scope: Scope, fields: NodeFields): FromItem[] {
  const schema = text(fields, 'schemaname');
  const name = text(fields, 'relname');
  const named = schema === '' ? findNamed(scope, name) : undefined;
  if (named) return [keyed(aliased(fields, named.columns(), name))];
  const found = findRelation(analysis, schema, name);
  const columns = columnsOf(analysis, found);
  const one = aliased(fields, columns, name);
  const isAliased = isFields(fields['alias']);
  const stored = found.type === 'stored' && found.relation.kind !== 'v';
  return [
    {
      ...one,
      schema: isAliased ? '' : schemaOf(found),
      stored: stored || found.type === 'temporary',
      keys: columns.map((column) => column.name),
      place: () => placeOf(analysis, found, columns),
      ...(found.type === 'stored' && { type: found.relation.type }),
    },
  ];
}

/** The rows of a query have the names that it has here (ExecTypeSetColNames in execTuples.c). */
const keyed = (one: FromItem): FromItem => ({ ...one, keys: one.columns.map(({ name }) => name) });

/** An item under its alias, with the columns that the alias renames. */
function aliased(fields: NodeFields, columns: readonly Column[], name = ''): FromItem {
  const alias = isFields(fields['alias']) ? fields['alias'] : undefined;
  if (!alias) return item(name, columns, { named: name !== '' });
  const renamed = strings(alias['colnames']);
  return item(
    text(alias, 'aliasname'),
    renamed.length === 0
      ? columns
      : columns.map((column, index) => ({ ...column, name: renamed[index] ?? column.name })),
  );
}

function join(analysis: LineageAnalysis, scope: Scope, fields: NodeFields): FromItem[] {
  const left = fromItem(analysis, scope, fields['larg']);
  const right = fromItem(analysis, { ...scope, items: [...scope.items, ...left] }, fields['rarg']);
  const lefts = opened(left);
  const rights = opened(right);
  const names = fields['isNatural'] === true ? common(lefts, rights) : strings(fields['usingClause']);
  analysis.visit(scope.items.length + (lefts.length + rights.length) * (names.length + 1));
  const merged = names.map((name) => ({ name, value: mergedColumn(analysis, name, lefts, rights) }));
  const rest = [...lefts, ...rights].filter(({ name }) => !names.includes(name));
  const columns = [...merged, ...rest];
  const both = [...left, ...right];
  if (fields['quals'] !== undefined) condition(analysis, { ...scope, items: both }, fields['quals']);
  if (isFields(fields['alias'])) return [aliased(fields, columns)];
  const using = isFields(fields['join_using_alias']) ? text(fields['join_using_alias'], 'aliasname') : '';
  return [
    ...both.map((one) => ({ ...one, open: false })),
    item('', columns, { named: false }),
    ...(using === '' ? [] : [item(using, merged, { open: false })]),
  ];
}

/** A column of USING, and that the join compares it. */
function mergedColumn(
  analysis: LineageAnalysis,
  name: string,
  lefts: readonly Column[],
  rights: readonly Column[],
): Value {
  const pair = [...lefts, ...rights].filter((column) => column.name === name).map(({ value }) => value);
  const types = typesOf(pair);
  const operands = pair.map((value, at) => ({ value, type: types[at] }));
  const others = deciding(operation(analysis, ['='], operands));
  const value = { ...either(pair), ...certain(analysis, commonType(analysis, types)) };
  for (const one of [value, ...others]) analysis.asks(one, 'other');
  return others.length === 0 ? value : computed([value, ...others], 'derived', value.type);
}

const opened = (items: readonly FromItem[]): Column[] => starOf({ items, parent: undefined, named: undefined });

const common = (left: readonly Column[], right: readonly Column[]): string[] => {
  const rights = new Set(right.map(({ name }) => name));
  return [...new Set(left.map(({ name }) => name))].filter((name) => rights.has(name));
};
