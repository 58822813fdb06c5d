/** Queries: SELECT, VALUES, set operations and WITH; and what changes rows and returns them. Pure. */
import { type NodeFields, type Node, isFields, nodeOf, nodesOf, strings, text } from '../ast.js';
import { type LineageAnalysis, VISITS_PER_MERGE, Unsure, listOf } from './analysis.js';
import { condition } from './conditions.js';
import { withSorted } from './constants.js';
import { expression, windowOf } from './expression.js';
import { readFrom } from './from.js';
import { MODIFICATIONS } from './modify.js';
import { nameOf } from './names.js';
import { type ArgumentTypes, certain, commonType, resolved, typedConstant, typesOf } from './overloads.js';
import { endsInStar, expandStar } from './references.js';
import type { WithQuery, Scope } from './scope.js';
import { plainTag } from './types.js';
import { type Column, NOTHING, type Value, asColumn, computed, either, same, withoutParts } from './value.js';

/** The output columns of a query. @throws Unsure where they cannot be told */
export function readQuery(analysis: LineageAnalysis, outer: Scope, query: unknown): readonly Column[] {
  const node = nodeOf(query);
  if (node?.kind === 'SelectStmt') return resolved(readSelect(analysis, outer, node.fields));
  const read = node && Object.hasOwn(MODIFICATIONS, node.kind) ? MODIFICATIONS[node.kind] : undefined;
  if (!node || !read) throw new Unsure(`contains a statement that is not understood (${node?.kind ?? 'nothing'})`);
  return read(analysis, outer, node.fields);
}

/** A SelectStmt, which stands bare as the arm of a set operation. */
function readSelect(analysis: LineageAnalysis, outer: Scope, fields: NodeFields): readonly Column[] {
  analysis.spend();
  const scope = withNamed(analysis, enclosed(outer), fields['withClause']);
  if (fields['valuesLists'] !== undefined) return values(analysis, scope, fields);
  const { op, larg, rarg } = fields;
  if (op === 'SETOP_NONE' || op === undefined) return plainSelect(analysis, scope, fields);
  if (!SET_OPERATIONS.has(String(op)) || !isFields(larg) || !isFields(rarg)) {
    throw new Unsure(`combines queries in a way that is not understood (${String(op)})`);
  }
  const left = readSelect(analysis, scope, larg);
  const right = readSelect(analysis, scope, rarg);
  if (left.length !== right.length) throw new Unsure('combines queries of different widths');
  analysis.visit(left.length * VISITS_PER_MERGE);
  const columns = left.map(({ name, value }, index) => {
    const both = [value, right[index]?.value ?? NOTHING];
    return { name, value: combined(analysis, both, typesOf(both)) };
  });
  // UNION ALL compares nothing.
  if (op !== 'SETOP_UNION' || fields['all'] !== true)
    analysis.asks(computed(columns.map(({ value }) => value)), 'other');
  ordering(analysis, scope, fields, columns);
  return columns;
}

/** One of several values, of the type that the server makes of theirs. */
function combined(analysis: LineageAnalysis, values: readonly Value[], types: ArgumentTypes): Value {
  const { literal: _, ...value } = either(values);
  const type = value.type ?? plainTag(analysis, values);
  return { ...value, ...(type !== undefined && { type }), ...certain(analysis, commonType(analysis, types)) };
}

const SET_OPERATIONS: ReadonlySet<string> = new Set(['SETOP_UNION', 'SETOP_INTERSECT', 'SETOP_EXCEPT']);

/** An empty scope inside another. */
export const enclosed = (outer: Scope): Scope => ({
  items: [],
  parent: outer,
  named: outer.named,
  argument: outer.argument,
});

function values(analysis: LineageAnalysis, scope: Scope, fields: NodeFields): Column[] {
  const rows = nodesOf(fields['valuesLists']).map(({ fields: list }) =>
    listOf(list, 'items').flatMap(
      (one) =>
        expandStar(analysis, scope, one)?.map(({ value }) => value) ?? [
          asColumn(typedConstant(analysis, expression(analysis, scope, one), one)),
        ],
    ),
  );
  const columns = (rows[0] ?? []).map((_, index) => {
    const all = rows.map((row) => row[index] ?? NOTHING);
    return { name: `column${index + 1}`, value: combined(analysis, all, typesOf(all)) };
  });
  ordering(analysis, scope, fields, columns);
  return columns;
}

function plainSelect(analysis: LineageAnalysis, outer: Scope, fields: NodeFields): readonly Column[] {
  const from = readFrom(analysis, outer, listOf(fields, 'fromClause'));
  const scope = fields['windowClause'] === undefined ? from : withWindows(analysis, from, fields);
  const columns = readTargets(analysis, scope, listOf(fields, 'targetList'));
  analysis.spend(columns.length);
  condition(analysis, scope, fields['whereClause']);
  condition(analysis, scope, fields['havingClause']);
  ordering(analysis, scope, fields, columns);
  return withSorted(fields, columns, isOutput);
}

function withWindows(analysis: LineageAnalysis, scope: Scope, fields: NodeFields): Scope {
  const windows = new Map<string, Value>();
  const inner = { ...scope, windows };
  for (const window of nodesOf(fields['windowClause'])) {
    const { name: _, ...unnamed } = window.fields;
    windows.set(text(window.fields, 'name'), windowOf(analysis, inner, unnamed));
  }
  return inner;
}

/** The columns of a target list, as SELECT and RETURNING have it. */
export function readTargets(analysis: LineageAnalysis, scope: Scope, targets: readonly unknown[]): Column[] {
  return targets.flatMap((target) => {
    const node = nodeOf(target);
    if (node?.kind !== 'ResTarget')
      throw new Unsure(`returns something that is not understood (${node?.kind ?? 'nothing'})`);
    const { val } = node.fields;
    const star = expandStar(analysis, scope, val);
    if (star) return [...star];
    if (isStar(val)) throw new Unsure('uses a star whose columns are not known');
    const value = typedConstant(analysis, expression(analysis, scope, val), val);
    return [{ name: text(node.fields, 'name') || nameOf(val), value: asColumn(value) }];
  });
}

function isStar(value: unknown): boolean {
  const node = nodeOf(value);
  return endsInStar(node?.fields['fields']) || endsInStar(node?.fields['indirection']);
}

/** ORDER BY, GROUP BY, DISTINCT ON and LIMIT. They may name outputs, by name and by number. */
function ordering(analysis: LineageAnalysis, scope: Scope, fields: NodeFields, outputs: readonly Column[]): void {
  for (const key of ['sortClause', 'groupClause', 'distinctClause']) {
    for (const one of listOf(fields, key)) orderedBy(analysis, scope, one, outputs);
  }
  for (const key of ['limitCount', 'limitOffset']) {
    if (fields[key] !== undefined) analysis.asks(expression(analysis, scope, fields[key]), 'other');
  }
  // DISTINCT without ON is a list of nothing: it compares all outputs.
  const distinct = fields['distinctClause'];
  if (Array.isArray(distinct) && nodesOf(distinct).length === 0)
    analysis.asks(computed(outputs.map(({ value }) => value)), 'other');
}

function orderedBy(analysis: LineageAnalysis, scope: Scope, value: unknown, outputs: readonly Column[]): void {
  const node = nodeOf(value);
  if (!node) return;
  if (node.kind === 'GroupingSet') {
    for (const one of listOf(node.fields, 'content')) orderedBy(analysis, scope, one, outputs);
    return;
  }
  const key = node.kind === 'SortBy' ? node.fields['node'] : value;
  const named = outputs.filter(({ name }, index) => isOutput(key, name, index)).map((column) => column.value);
  if (named.length > 0) analysis.asks(computed(named), 'other');
  else analysis.asks(expression(analysis, scope, key), 'other');
}

function isOutput(key: unknown, name: string, index: number): boolean {
  const node = nodeOf(key);
  if (node?.kind === 'A_Const')
    return isFields(node.fields['ival']) && Number(node.fields['ival']['ival'] ?? 0) === index + 1;
  const names = node?.kind === 'ColumnRef' ? strings(node.fields['fields']) : [];
  return names.length === 1 && names[0] === name;
}

/** The scope in which the queries of a WITH clause have their names. */
export function withNamed(analysis: LineageAnalysis, scope: Scope, clause: unknown): Scope {
  if (!isFields(clause)) return scope;
  const queries = nodesOf(clause['ctes']);
  if (clause['recursive'] === true) return recursive(analysis, scope, queries);
  let { named } = scope;
  for (const { fields } of queries) {
    const columns = renamed(fields, readQuery(analysis, { ...scope, named }, fields['ctequery']));
    named = { name: text(fields, 'ctename'), columns: () => columns, next: named };
  }
  return { ...scope, named };
}

/** How often a recursive query is worked out until its columns stay the same; each round adds sources. */
const MAX_ROUNDS = 50;

/** With RECURSIVE all queries see each other, and themselves. */
function recursive(analysis: LineageAnalysis, scope: Scope, queries: readonly Node[]): Scope {
  const inner: { -readonly [K in keyof Scope]: Scope[K] } = { ...scope };
  const entries = queries.map(({ fields }) => {
    let columns: readonly Column[] | undefined;
    let state: 'untouched' | 'open' | 'done' = 'untouched';
    let types: readonly Value[] = [];
    const solve = (): void => {
      state = 'open';
      const body = nodeOf(fields['ctequery']);
      const arm = body?.kind === 'SelectStmt' ? body.fields['larg'] : undefined;
      if (isFields(arm)) {
        const first = withNamed(analysis, enclosed(inner), body?.fields['withClause']);
        columns = whole(renamed(fields, resolved(readSelect(analysis, first, arm))));
        types = columns.map(({ value }) => value);
      }
      for (let round = 0; ; round++) {
        const read = whole(renamed(fields, readQuery(analysis, inner, fields['ctequery'])));
        // They are of the types that they start with, or the server refuses it.
        const next = read.map(({ name, value }, at) => ({
          name,
          value: types[at]?.stored ? { ...value, ...certain(analysis, types[at].type) } : value,
        }));
        const unchanged =
          columns?.length === next.length && columns.every(({ value }, at) => same(value, next[at]?.value ?? NOTHING));
        columns = next;
        if (unchanged || !isFields(arm)) break;
        if (round === MAX_ROUNDS) throw new Unsure('contains a recursive query that does not settle');
      }
      columns = [...columns, ...searched(analysis, fields, columns)];
      state = 'done';
    };
    const get = (): readonly Column[] => {
      if (state === 'untouched') solve();
      if (!columns)
        throw new Unsure(`contains the recursive query ${text(fields, 'ctename')}, which starts with itself`);
      return columns;
    };
    return { name: text(fields, 'ctename'), columns: get };
  });
  inner.named = entries.reduce<WithQuery | undefined>((next, entry) => ({ ...entry, next }), scope.named);
  for (const entry of entries) entry.columns();
  return inner;
}

/** The parts of a value may change places from one round to the next. */
const whole = (columns: readonly Column[]): Column[] =>
  columns.map(({ name, value }) => ({ name, value: withoutParts(value) }));

/** The columns that SEARCH and CYCLE add, which are made of others. */
function searched(analysis: LineageAnalysis, fields: NodeFields, columns: readonly Column[]): Column[] {
  const added: Column[] = [];
  const add = (clause: NodeFields, name: string, list: string): void => {
    const names = strings(clause[list]);
    const of = columns.filter((column) => names.includes(column.name)).map(({ value }) => value);
    if (text(clause, name) !== '') added.push({ name: text(clause, name), value: computed(of) });
  };
  const { search_clause: search, cycle_clause: cycle } = fields;
  if (isFields(cycle)) {
    // A row that was there before ends the recursion.
    const compared = columns.filter(({ name }) => strings(cycle['cycle_col_list']).includes(name));
    analysis.asks(computed(compared.map(({ value }) => value)), 'other');
  }
  if (isFields(search)) add(search, 'search_seq_column', 'search_col_list');
  if (isFields(cycle)) add(cycle, 'cycle_mark_column', 'cycle_col_list');
  if (isFields(cycle)) add(cycle, 'cycle_path_column', 'cycle_col_list');
  return added;
}

function renamed(fields: NodeFields, columns: readonly Column[]): readonly Column[] {
  const names = strings(fields['aliascolnames']);
  return names.length === 0
    ? columns
    : columns.map(({ name, value }, index) => ({ name: names[index] ?? name, value }));
}
