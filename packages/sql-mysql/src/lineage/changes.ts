/** Statements that change rows: where values go, and what RETURNING shows. Owns: INSERT, UPDATE, DELETE, LOAD. */
import { type BaseColumn, type Relation, folded } from '../catalog/objects.js';
import type {
  Assignment,
  ColumnReference as ColumnName,
  Delete,
  Expression,
  Insert,
  Load,
  ObjectName,
  SelectItem,
  Update,
} from '../tree.js';
import { type LineageAnalysis, Unsure } from './analysis.js';
import { isChangedAnyway, isNull, reads } from './changed.js';
import { condition } from './conditions.js';
import { expression } from './expression.js';
import { isCalled, numbers } from './keeping.js';
import { readFrom } from './from.js';
import { readItems, readLimit, readQuery, withAliases } from './query.js';
import { relationOf, rowsOf, uniqueParts } from './relations.js';
import { EMPTY_SCOPE, type FromItem, type Scope, aliasOf, column, enclosed, findColumn } from './scope.js';
import { type UniqueColumns, valueFor } from './session.js';
import { type Column, NOTHING, type Value, computed, either, isNothing } from './value.js';
import { withNamed } from './with.js';

/** Values by the name of the column that they go to, in lower case. */
type WrittenValues = Map<string, Value>;

export function readInsert(analysis: LineageAnalysis, insert: Insert): readonly Column[] {
  const target = relationOf(analysis, insert.table);
  const scope = scopeOf([target]);
  const names =
    insert.columns?.map(({ name }) => name) ?? target.columns.flatMap(({ name, hidden }) => (hidden ? [] : [name]));
  const written: WrittenValues = new Map();
  for (const row of given(analysis, scope, insert)) {
    if (row.length > 0 && row.length !== names.length) throw new Unsure('inserts other columns than the table has');
    for (const [index, value] of row.entries()) put(written, names[index] as string, value);
  }
  const first = new Map(written);
  const inserted = (name: string): Value | undefined =>
    first.get(folded(name)) ?? (hasColumn(target, name) ? NOTHING : undefined);
  const duplicate = duplicateScope(analysis, insert, target, inserted);
  for (const { column: name, value } of insert.onDuplicate)
    put(written, name.name, expression(analysis, duplicate, value));
  const { source, onDuplicate } = insert;
  const rows = source.kind === 'rows' && !analysis.fewerRows ? source.rows.length : undefined;
  if (target.temporary !== undefined) asksForParts(analysis, target, first);
  if (insert.ignore || insert.replace || onDuplicate.length > 0) asksForKeys(analysis, target, first, rows);
  asksForChanges(analysis, target, onDuplicate, written, rows);
  // What was computed for the new row may stay.
  const kept = onDuplicate.filter(({ column }) => isPlain(first.get(folded(column.name))));
  move(analysis, insert.table, target, written, kept);
  runsTriggers(analysis, target);
  return returning(analysis, [withWritten(target, written)], insert.returning);
}

function given(analysis: LineageAnalysis, scope: Scope, { source }: Insert): readonly (readonly Value[])[] {
  if (source.kind === 'query') {
    return [readQuery(analysis, enclosed(EMPTY_SCOPE), source.query).map(({ value }) => value)];
  }
  analysis.visit(source.rows.length);
  return source.rows.map((row) => row.map((one) => expression(analysis, scope, one)));
}

/** ON DUPLICATE KEY UPDATE sees the table, the row under its alias, and the tables of the query. */
function duplicateScope(
  analysis: LineageAnalysis,
  insert: Insert,
  target: FromItem,
  inserted: Scope['inserted'],
): Scope {
  const items = [target];
  const { alias, source } = insert;
  if (alias) {
    const names = alias.columns ?? insert.columns?.map(({ name }) => name) ?? target.columns.map(({ name }) => name);
    items.push({
      name: alias.name,
      columns: names.map((name) => column(aliasOf(name), inserted?.(name) ?? rowOf(insert, inserted))),
    });
  }
  const query = source.kind === 'query' && source.query.kind === 'select' ? source.query : undefined;
  if (query && insert.onDuplicate.length > 0) {
    const own = query.with ? withNamed(analysis, EMPTY_SCOPE, query.with) : EMPTY_SCOPE;
    items.push(...readFrom(analysis, own, query.from).items);
  }
  return { ...scopeOf(items), ...(inserted && { inserted }) };
}

/** Under names of their own, which of the row's values each is depends on places: all of them count for each. */
function rowOf(insert: Insert, inserted: Scope['inserted']): Value {
  return computed((insert.columns ?? []).map(({ name }) => inserted?.(name) ?? NOTHING));
}

export function readUpdate(analysis: LineageAnalysis, update: Update): readonly Column[] {
  const own = update.with ? withNamed(analysis, EMPTY_SCOPE, update.with) : EMPTY_SCOPE;
  const scope = readFrom(analysis, own, update.tables);
  const written = new Map<FromItem, WrittenValues>();
  for (const { column: name, value } of update.set) {
    const moved = expression(analysis, scope, value);
    const targets = targetsOf(analysis, scope, name);
    for (const item of targets) {
      let own = written.get(item);
      if (!own) written.set(item, (own = new Map()));
      put(own, name.name, moved);
    }
  }
  for (const [item, values] of written) {
    move(
      analysis,
      { name: item.name, ...(item.schema !== undefined && { schema: item.schema }), start: 0, end: 0 },
      item,
      values,
      update.set,
    );
    if (item.temporary !== undefined) asksForParts(analysis, item, values);
    if (update.ignore) asksForKeys(analysis, item, values, 1);
    // What comes from a table or a query may be another value for each row.
    const [from, constant] = [
      update.set.filter(({ value }) => reads(value)),
      update.set.filter(({ value }) => !reads(value)),
    ];
    asksForChanges(analysis, item, constant, values, 1);
    asksForChanges(analysis, item, from, values);
    runsTriggers(analysis, item);
  }
  filters(analysis, scope, update);
  return returning(
    analysis,
    scope.items.map((item) => withWritten(item, written.get(item) ?? new Map())),
    update.returning,
  );
}

export function readDelete(analysis: LineageAnalysis, del: Delete): readonly Column[] {
  const own = del.with ? withNamed(analysis, EMPTY_SCOPE, del.with) : EMPTY_SCOPE;
  const scope = readFrom(analysis, own, del.tables);
  filters(analysis, scope, del);
  for (const item of scope.items) {
    analysis.rows.push(...rowsOf(analysis, item));
    runsTriggers(analysis, item);
  }
  return returning(analysis, scope.items, del.returning);
}

/** What a file has comes from the client, or from the host of the server, which is for the facts. */
export function readLoad(analysis: LineageAnalysis, load: Load): readonly Column[] {
  const target = relationOf(analysis, load.table);
  for (const field of load.fields) if (field.kind === 'variable') analysis.assigns(field.name, NOTHING, true);
  const written: WrittenValues = new Map();
  for (const { column: name, value } of load.set)
    put(written, name.name, expression(analysis, scopeOf([target]), value));
  // Nobody knows how many values that are.
  const names = load.fields.flatMap((field) => (field.kind === 'column' ? [folded(field.name)] : []));
  const filled = target.columns.filter(({ name }) => load.fields.length === 0 || names.includes(folded(name)));
  const values = new Map([...filled.map(({ name }) => [folded(name), NOTHING] as const), ...written]);
  if (target.temporary !== undefined) asksForParts(analysis, target, values);
  asksForKeys(analysis, target, values);
  move(analysis, load.table, target, written);
  runsTriggers(analysis, target);
  return [];
}

const scopeOf = (items: readonly FromItem[]): Scope => ({
  ...EMPTY_SCOPE,
  items,
  columns: items.flatMap(({ columns }) => columns),
});

function filters(
  analysis: LineageAnalysis,
  scope: Scope,
  { where, orderBy, limit, portion }: Pick<Update, 'where' | 'orderBy' | 'limit' | 'portion'>,
): void {
  condition(analysis, scope, where);
  const values: Expression[] = [...orderBy.map(({ value }) => value), ...portion];
  for (const value of values) analysis.asks(expression(analysis, scope, value), 'other');
  readLimit(analysis, scope, limit);
}

function put(written: WrittenValues, name: string, value: Value): void {
  const key = folded(name);
  const before = written.get(key);
  written.set(key, before ? either([before, value]) : value);
}

const isPlain = (value: Value | undefined): boolean => !value || isNothing(value) || value.kind === 'direct';

const hasColumn = ({ columns }: FromItem, name: string): boolean =>
  columns.some((one) => folded(one.name) === folded(name));

/** The relations of which an assignment can mean a column. */
function targetsOf(analysis: LineageAnalysis, scope: Scope, name: ColumnName): readonly FromItem[] {
  const items = scope.items.filter((item) => findColumn(analysis, scopeOf([item]), name) !== undefined);
  if (items.length === 0) throw new Unsure(`writes to ${name.name}, which is not known`);
  return items;
}

/**
 * Which of the new rows have a value of a key that is there already shows in how many rows were changed, and in what became of them.
 *
 * @param rows how many values are written to a column at most; undefined: it is not known
 */
function asksForKeys(analysis: LineageAnalysis, target: FromItem, written: WrittenValues, rows?: number): void {
  if (target.temporary !== undefined) return asksForKeysOfSession(analysis, target, written, rows);
  const { catalog } = analysis;
  const filled = target.columns.flatMap(({ name, value: stored }) => {
    const value = valueFor(written, name);
    return value ? [{ stored, value }] : [];
  });
  const relations = new Set<Relation>();
  for (const { stored } of filled)
    for (const { schema, table } of stored.sources) {
      const relation = catalog.relation(schema, table);
      if (relation) relations.add(relation);
    }
  // A column that stands in several keys is one guess.
  const alone = new Set<(typeof filled)[number]>();
  for (const part of [...relations].flatMap((relation) => uniqueParts(analysis, relation))) {
    const own = filled.filter(({ stored }) => [...stored.sources].some((base) => part.value.sources.has(base)));
    if (part.base) for (const one of own) alone.add(one);
    else if (own.length > 0 || part.value.unknown !== undefined)
      analysis.asks(computed([part.value, ...own.map(({ stored }) => stored)]), 'other');
  }
  for (const { stored, value } of alone) compares(analysis, stored, value, rows);
}

/** What a temporary table holds of masked columns, and what is put there, the server compares with each other for its keys. */
function asksForKeysOfSession(
  analysis: LineageAnalysis,
  target: FromItem,
  written: WrittenValues,
  rows: number | undefined,
): void {
  const { whole = [] } = keysOfSession(analysis, target) ?? {};
  for (const column of target.columns) {
    const value = valueFor(written, column.name);
    if (!value || !whole.some((name) => isCalled(column, name))) continue;
    if (isNothing(value)) compares(analysis, column.value, value, rows);
    else analysis.asks(computed([column.value, value]), 'other');
  }
}

/** Keys of a temporary table that have only something of a column: whether a row is taken tells about that. */
function asksForParts(analysis: LineageAnalysis, target: FromItem, written: WrittenValues): void {
  const { part = [] } = keysOfSession(analysis, target) ?? {};
  for (const column of target.columns) {
    const value = valueFor(written, column.name);
    if (value && part.some((name) => isCalled(column, name))) analysis.asks(computed([column.value, value]), 'other');
  }
}

function keysOfSession({ session }: LineageAnalysis, { temporary = '' }: FromItem): UniqueColumns | undefined {
  const table = session.temporary.get(temporary);
  return table?.unread === undefined ? table?.keys : undefined;
}

/** The server compares what is stored with what is written. */
function compares(analysis: LineageAnalysis, { sources }: Value, value: Value, rows?: number): void {
  const stored: Value = { sources, kind: 'direct' };
  if (isNothing(value) && rows !== undefined) analysis.asks(stored, 'equality', rows);
  else analysis.asks(stored, 'other');
}

/** Rows that have the value already are not counted as changed. @param rows see `asksForKeys` */
function asksForChanges(
  analysis: LineageAnalysis,
  { columns, temporary }: FromItem,
  assigned: readonly Assignment[],
  written: WrittenValues,
  rows?: number,
): void {
  if (temporary !== undefined) return;
  for (const one of assigned) {
    if (isNull(one) || isChangedAnyway(one)) continue;
    const value = written.get(folded(one.column.name));
    const stored = columns.find(({ name }) => folded(name) === folded(one.column.name));
    if (value && stored) compares(analysis, stored.value, value, rows);
  }
}

/** @param assigned assignments; a column that has none is computed otherwise */
function move(
  analysis: LineageAnalysis,
  table: ObjectName,
  target: FromItem,
  written: WrittenValues,
  assigned: readonly Assignment[] = [],
): void {
  analysis.rows.push(...rowsOf(analysis, target));
  if (target.temporary !== undefined) analysis.effects.push({ type: 'fill', key: target.temporary, values: written });
  const name = `${target.schema ?? table.schema ?? ''}.${table.name}`;
  for (const one of target.columns) {
    const value = valueFor(written, one.name);
    if (value && isNumbered(analysis, target, one)) numbers(analysis, value);
  }
  for (const [key, value] of written) {
    const stored = target.columns.find((one) => folded(one.name) === key);
    const bases: BaseColumn[] = target.temporary === undefined ? [...(stored?.value.sources ?? [])] : [];
    const own = assigned.filter(({ column }) => folded(column.name) === key);
    const asBefore = own.length > 0 && own.every(isChangedAnyway);
    const temporary = target.temporary !== undefined;
    const missing = asBefore && { missingAsBefore: true as const };
    analysis.moves({ type: 'table', name, column: key, temporary, bases, ...missing }, value);
  }
}

function isNumbered(analysis: LineageAnalysis, target: FromItem, column: Column): boolean {
  if (target.temporary !== undefined)
    return keysOfSession(analysis, target)?.numbered.some((name) => isCalled(column, name)) === true;
  return [...column.value.sources].some(({ schema, table, column: name }) =>
    analysis.catalog.relation(schema, table)?.columns.some((one) => one.numbered && one.name === name),
  );
}

/** Triggers are code. */
function runsTriggers({ catalog, effects }: LineageAnalysis, { schema, name, temporary }: FromItem): void {
  if (temporary !== undefined || schema === undefined) return;
  const { triggered, codeReachesSession } = catalog.contents;
  // An alias hides which table it is: any trigger counts then.
  const hasTriggers = catalog.relation(schema, name) ? triggered.has(`${schema}\0${name}`) : triggered.size > 0;
  if (hasTriggers && codeReachesSession)
    effects.push({ type: 'code', reason: 'runs after a statement that runs a trigger' });
}

/** The relation with what has been written to it. */
const withWritten = (item: FromItem, written: WrittenValues): FromItem => ({
  ...item,
  columns: item.columns.map((one) => {
    const value = valueFor(written, one.name);
    return value ? { ...one, value: either([one.value, value]) } : one;
  }),
});

function returning(
  analysis: LineageAnalysis,
  items: readonly FromItem[],
  list: readonly SelectItem[] | undefined,
): readonly Column[] {
  if (!list) return [];
  const scope = scopeOf(items);
  return readItems(analysis, withAliases(analysis, scope, list), list);
}
