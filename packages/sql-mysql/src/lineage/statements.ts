/**
 * Whole statements: what each shows, asks, moves, and leaves in its session. Owns: which statements are followed at all; whatever is
 * not named here is not. Does not: queries (query.ts), changes of rows (changes.ts).
 */
import type { StatementTrace } from '@sluice/contract';
import type { Catalog } from '../catalog/catalog.js';
import { comparedName, folded, isAscii } from '../catalog/objects.js';
import { Unread } from '../tokens.js';
import { type SqlReading, readingOf } from '../reading.js';
import { READS_ANEW, readsAnew } from '../settings.js';
import { statementsWithRows } from '../texts.js';
import type {
  CallStatement,
  CreateTable,
  Execute,
  Explain,
  Expression,
  HandlerStatement,
  ObjectName,
  Prepare,
  Query,
  SetItem,
  Statement,
} from '../tree.js';
import { type Each, head, show } from './administration.js';
import { LineageAnalysis, Unsure } from './analysis.js';
import { readDelete, readInsert, readLoad, readUpdate } from './changes.js';
import { condition } from './conditions.js';
import { expression, expressions } from './expression.js';
import { sorted } from './from.js';
import { isCalled, keeps, keysIn, numbers } from './keeping.js';
import type { StatementLineage } from './lineage.js';
import { lostEffects, traceOf } from './lost.js';
import { readLimit, readQuery } from './query.js';
import { relationOf } from './relations.js';
import { EMPTY_SCOPE, column, enclosed } from './scope.js';
import {
  type Handler,
  type SessionEffect,
  type SessionNames,
  type TemporaryTable,
  type UniqueColumns,
  anyVariableOf,
  maybeAfter,
} from './session.js';
import { type Column, NOTHING, type Value, computed, same, unknown } from './value.js';

/** Rounds until variables that a statement writes and reads have what may be in them. */
const MAX_ROUNDS = 8;
const DUAL = enclosed(EMPTY_SCOPE);
const NOTHING_READ: ReadonlySet<string> = new Set();

/** What a statement returns: listed columns, or the same for each. */
type ReturnedColumns = readonly Column[] | Each;

/**
 * The lineage of one statement. Never throws.
 *
 * @param reading how the client's texts are read, for those in PREPARE
 * @param fewerRows the statement has more rows of constants than its tree
 */
export function lineageOf(
  catalog: Catalog,
  session: SessionNames,
  statement: Statement,
  reading: SqlReading,
  fewerRows = false,
): StatementLineage {
  let before = session;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const lineage = readOnce(catalog, before, statement, reading, fewerRows);
    // A variable that is written in one row is read in the next, and code may write to any.
    const after = maybeAfter(before, lineage.effects.flatMap(withinRows));
    if (isSame(before, after)) return { ...lineage, effects: [...lineage.effects, ...diagnosed(statement, lineage)] };
    before = after;
  }
  const trace = traceOf(statement, readingOf(catalog.dialect));
  return lostLineage(catalog, session, trace, statement.kind, 'is too large to be followed');
}

const withinRows = (effect: SessionEffect): SessionEffect[] => {
  if (effect.type === 'variable' || effect.type === 'store') return [effect];
  if (effect.type !== 'code') return [];
  const value = unknown(effect.reason);
  return [
    { type: 'variable', name: '', value, kept: true },
    { type: 'store', value },
  ];
};

function isSame(before: SessionNames, after: SessionNames): boolean {
  if (!same(before.anyVariable, after.anyVariable) || !same(before.stored, after.stored)) return false;
  return [...after.variables].every(([name, value]) => same(value, before.variables.get(name) ?? NOTHING));
}

function readOnce(
  catalog: Catalog,
  session: SessionNames,
  statement: Statement,
  reading: SqlReading,
  fewerRows: boolean,
): StatementLineage {
  const analysis = new LineageAnalysis(catalog, session);
  analysis.fewerRows = fewerRows;
  const lostBy = (why: string): SessionEffect[] =>
    lostEffects(catalog, session, traceOf(statement, analysis.reading), why);
  let shown: ReturnedColumns = [];
  let reason: string | undefined;
  try {
    shown = read({ analysis, reading }, statement);
  } catch (error) {
    reason = reasonFor(error);
  }
  const { flows, effects, rows, predicates, conditionsOnUnknown, reads, looked } = analysis;
  return {
    statement: statement.kind,
    outputs: 'each' in shown ? [] : shown.map(({ name, value }) => ({ name, ...value })),
    ...('each' in shown && { each: shown.each }),
    ...(reason !== undefined && { unknown: reason }),
    predicates,
    conditionsOnUnknown,
    flows,
    rows,
    effects: reason === undefined ? effects : [...effects, ...lostBy(reason)],
    reads,
    looked,
  };
}

/** Of a statement of which nothing is known but what it may have done to its session. */
export function lostLineage(
  catalog: Catalog,
  session: SessionNames,
  trace: StatementTrace,
  kind: string,
  reason: string,
): StatementLineage {
  const effects = lostEffects(catalog, session, trace, reason);
  const nothing = { outputs: [], predicates: [], conditionsOnUnknown: [], flows: [], rows: [], reads: NOTHING_READ };
  const diagnostics: SessionEffect = { type: 'diagnostics', value: unknown(reason), resets: false };
  return {
    ...nothing,
    statement: kind,
    unknown: reason,
    effects: [...effects, diagnostics],
    looked: unknown(reason),
  };
}

function reasonFor(error: unknown): string {
  if (error instanceof Unsure) return error.message;
  if (error instanceof RangeError) return 'is nested too deeply to be followed';
  if (error instanceof Unread) return 'is not understood';
  throw error;
}

/** Warnings and errors of a statement may have any value that it looked at. */
function diagnosed(statement: Statement, lineage: StatementLineage): SessionEffect[] {
  // They read the diagnostics, and leave them.
  if (statement.kind === 'show' || (statement.kind === 'head' && statement.verb === 'get diagnostics')) return [];
  // What ALTER TABLE could not convert is in its warnings.
  if (statement.kind === 'head' && statement.objects.length > 0)
    return [
      {
        type: 'diagnostics',
        value: unknown('shows warnings of a change of definitions, which may hold values of others'),
        resets: false,
      },
    ];
  const { outputs, each = NOTHING, unknown: reason, predicates, flows, rows, looked } = lineage;
  const read = { sources: new Set(predicates.map((one) => one.column)), kind: 'derived' as const };
  const all = computed([...outputs, each, read, ...flows.map(({ value }) => value), ...rows, looked]);
  const value = reason === undefined ? all : unknown(reason, all.sources);
  return [{ type: 'diagnostics', value, resets: reason === undefined && usesTables(statement, lineage) }];
}

/** What names a table begins with no warnings. Anything else may leave those of the statements before it. */
const usesTables = ({ kind }: Statement, { reads }: StatementLineage): boolean =>
  CHANGING_ROWS.has(kind) || (kind === 'query' && reads.size > 0);
const CHANGING_ROWS: ReadonlySet<string> = new Set(['insert', 'update', 'delete', 'load']);

interface StatementContext {
  readonly analysis: LineageAnalysis;
  readonly reading: SqlReading;
}

function read(reader: StatementContext, statement: Statement): ReturnedColumns {
  const { analysis } = reader;
  const values = (list: readonly Expression[]): Value[] => expressions(analysis, DUAL, list);
  switch (statement.kind) {
    case 'query':
      return readQuery(analysis, DUAL, statement.query);
    case 'insert':
      return readInsert(analysis, statement);
    case 'update':
      return readUpdate(analysis, statement);
    case 'delete':
      return readDelete(analysis, statement);
    case 'load':
      return readLoad(analysis, statement);
    case 'set variables':
      return setItems(analysis, statement.items);
    case 'set for':
      if (readsAnew(statement)) throw new Unsure(READS_ANEW);
      setItems(analysis, statement.items);
      return read(reader, statement.statement);
    case 'do':
      values(statement.values);
      return [];
    case 'call procedure':
      return called(analysis, statement, values(statement.arguments));
    case 'explain':
      return explained(reader, statement);
    case 'prepare':
      return prepared(reader, statement);
    case 'execute':
      return executed(reader, statement);
    case 'deallocate':
      analysis.effects.push({ type: 'deallocate', name: statement.name });
      return [];
    case 'create table':
      return created(analysis, statement);
    case 'create view':
      return definedView(analysis, statement.query);
    case 'handler':
      return handled(analysis, statement);
    case 'show':
      return show(analysis, statement);
    case 'use':
    case 'transaction':
      return [];
    default:
      return head(analysis, statement);
  }
}

/** It shows nothing now, and later what its definition says, which is read again then. What its rows go by is asked here. */
function definedView(analysis: LineageAnalysis, query: Query): ReturnedColumns {
  try {
    readQuery(analysis, DUAL, query);
  } catch (error) {
    if (!(error instanceof Unsure)) throw error;
    analysis.asks(unknown(error.message), 'other');
  }
  return [];
}

function setItems(analysis: LineageAnalysis, items: readonly SetItem[]): ReturnedColumns {
  for (const item of items) {
    if (item.kind === 'variable') analysis.assigns(item.name, expression(analysis, DUAL, item.value), false);
    if (item.kind !== 'setting' || !item.value) continue;
    analysis.stores({ type: 'setting', name: item.name }, expression(analysis, DUAL, item.value));
  }
  return [];
}

function called(
  analysis: LineageAnalysis,
  { procedure, arguments: list }: CallStatement,
  values: readonly Value[],
): ReturnedColumns {
  analysis.moves({ type: 'function', name: 'call' }, computed(values));
  givesBack(analysis, list);
  analysis.runsCode(procedure.schema, CALLS);
  return { each: unknown(CALLS) };
}

const CALLS = 'calls a procedure, which is not read';

/** Variables where a procedure has OUT and INOUT. */
function givesBack(analysis: LineageAnalysis, list: readonly Expression[]): void {
  for (const one of list) if (one.kind === 'variable') analysis.assigns(one.name, unknown(CALLS), true);
}

/** A plan has constants of the statement, and columns of a row that was looked up replaced by their values. */
function explained(reader: StatementContext, { statement, into }: Explain): ReturnedColumns {
  const shown = read(reader, statement);
  const { predicates, flows, looked, lookedInViews } = reader.analysis;
  const outputs = 'each' in shown ? [shown.each] : shown.map(({ value }) => value);
  const asked: Value = { sources: new Set(predicates.map((one) => one.column)), kind: 'derived' };
  const inViews: Value = { sources: lookedInViews, kind: 'derived' };
  const all = computed([...outputs, asked, ...flows.map(({ value }) => value), looked, inViews]);
  if (into !== undefined) reader.analysis.assigns(into, all, false);
  return { each: all };
}

/** EXECUTE IMMEDIATE runs the text at once. */
function prepared(reader: StatementContext, { name, from, using }: Prepare): ReturnedColumns {
  const { analysis, reading } = reader;
  const text = from.kind === 'constant' && from.type === 'string' ? from.value : undefined;
  if (text === undefined) {
    expression(analysis, DUAL, from);
    const reason = 'prepares a text that is not written in it';
    if (name === undefined) return opaque(analysis, reason);
    analysis.effects.push({
      type: 'prepare',
      name,
      prepared: { unread: 'executes a statement whose text was not written' },
    });
    return [];
  }
  const [statement, ...more] = statementsWithRows(text, reading);
  if (!statement || more.length > 0) throw new Unsure('prepares a text that is not one statement');
  if (name !== undefined) {
    analysis.effects.push({ type: 'prepare', name, prepared: { statement, database: analysis.session.database } });
    return [];
  }
  return run(reader, statement, using);
}

function executed(reader: StatementContext, { name, using }: Execute): ReturnedColumns {
  const { analysis, reading } = reader;
  const { session } = analysis;
  const known = session.uncertain === undefined ? session.prepared.get(comparedName(name)) : undefined;
  // The server refuses it: nothing else makes such names, and it takes names of ASCII for none but themselves.
  if (!known && session.uncertain === undefined && [name, ...session.prepared.keys()].every(isAscii)) return [];
  if (!known || 'unread' in known) return opaque(analysis, known?.unread ?? `executes "${name}", which is not known`);
  const inner = new LineageAnalysis(analysis.catalog, { ...session, database: known.database }, analysis);
  try {
    return run({ analysis: inner, reading }, known.statement, using);
  } finally {
    analysis.includes(inner);
  }
}

function run(
  { analysis, reading }: StatementContext,
  statement: Statement,
  using: readonly Expression[],
): ReturnedColumns {
  analysis.parameters = expressions(analysis, DUAL, using);
  // Its parameters may be written to, and are these variables.
  if (statement.kind === 'call procedure') givesBack(analysis, using);
  return read({ analysis, reading }, statement);
}

function opaque(analysis: LineageAnalysis, reason: string): ReturnedColumns {
  analysis.effects.push({ type: 'code', reason: `runs after a statement that ${reason}` });
  return { each: unknown(reason) };
}

function created(analysis: LineageAnalysis, statement: CreateTable): ReturnedColumns {
  const { catalog, session } = analysis;
  const { table, temporary, query, columns, expressions: list, like } = statement;
  // Defaults are tried at once.
  if (list.length > 0) analysis.looksAt(anyVariableOf(session));
  const made = query && readQuery(analysis, DUAL, query);
  const schema = table.schema ?? session.database ?? '';
  const name = `${schema}.${table.name}`;
  for (const one of made ?? [])
    analysis.moves({ type: 'table', name, column: folded(one.name), temporary, bases: [] }, one.value);
  if (!temporary) {
    // Its defaults have columns of its own, in which nothing is yet.
    keeps(analysis, table, { ...statement.keeping, defaults: [] });
    return [];
  }
  const key = catalog.keyOf(schema, table.name);
  // It is left as it is, with what it holds.
  if (statement.ifNotExists && session.temporary.has(key)) return [];
  const isPlain = list.length === 0 && (made === undefined || columns.length === 0);
  const copied = like && relationOf(analysis, like).columns;
  const own = (copied ?? made ?? columns.map((one) => column(one, NOTHING))).map((one) => ({
    ...one,
    value: like ? NOTHING : one.value,
  }));
  const isComputed =
    like && catalog.relation(like.schema ?? schema, like.name)?.columns.some((one) => one.generated !== undefined);
  const unread = 'reads a temporary table with columns that are computed or come in an order that is not followed';
  const keys = like ? keysOf(analysis, like) : keysIn(statement.keeping);
  const as: TemporaryTable = isPlain && !isComputed ? { columns: own, ...(keys && { keys }) } : { unread };
  const compared = own.filter((one) => keys?.part.some((part) => isCalled(one, part)));
  analysis.asks(computed(compared.map(({ value }) => value)), 'other');
  for (const one of made ?? []) if (keys?.numbered.some((name) => isCalled(one, name))) numbers(analysis, one.value);
  analysis.effects.push({ type: 'create', key, table: as });
  return [];
}

/** LIKE copies the keys of a table. */
function keysOf({ catalog, session }: LineageAnalysis, like: ObjectName): UniqueColumns | undefined {
  const schema = like.schema ?? session.database ?? '';
  const temporary = session.temporary.get(catalog.keyOf(schema, like.name));
  if (temporary) return temporary.unread === undefined ? temporary.keys : undefined;
  const relation = catalog.relation(schema, like.name);
  if (!relation) return undefined;
  const { unique, columns } = relation;
  // An expression may have any of them.
  const isAny = unique.some(({ expression }) => expression !== undefined);
  const names = (isBeginning: boolean): string[] =>
    unique.flatMap((part) => (part.expression === undefined && part.isBeginning === isBeginning ? [part.column] : []));
  const numbered = columns.flatMap((one) => (one.numbered ? [one.name] : []));
  return { whole: names(false), part: isAny ? columns.map(({ name }) => name) : names(true), numbered };
}

/** Of a temporary table what it holds by now: rows that were written while the handler was open are read by it. */
function columnsBehind({ temporary }: SessionNames, handler: Handler): readonly Column[] {
  if (handler.temporary === undefined) return handler.columns;
  const table = temporary.get(handler.temporary);
  if (!table) throw new Unsure('reads by a handler a temporary table that is not known');
  if (table.unread !== undefined) throw new Unsure(table.unread);
  return table.columns;
}

function handled(
  analysis: LineageAnalysis,
  { action, table, alias, where, limit, values, byIndex }: HandlerStatement,
): ReturnedColumns {
  const { session } = analysis;
  const key = comparedName(alias ?? table.name);
  if (action === 'close') {
    analysis.effects.push({ type: 'close', alias: key });
    return [];
  }
  if (action === 'open') {
    const { columns, temporary } = relationOf(analysis, table);
    const handler = { columns, ...(temporary !== undefined && { temporary }) };
    analysis.effects.push({ type: 'open', alias: key, handler });
    return [];
  }
  const handler = session.handlers.get(comparedName(table.name));
  if (!handler || session.uncertain !== undefined) throw new Unsure('reads by a handler that is not known');
  const columns = columnsBehind(session, handler);
  for (const { value } of columns) analysis.looksAt(value);
  if (columns.some(({ hidden }) => hidden)) throw new Unsure('reads by a handler a table with invisible columns');
  const scope = { ...EMPTY_SCOPE, items: [{ name: table.name, columns }], columns };
  condition(analysis, scope, where);
  readLimit(analysis, scope, limit);
  if (byIndex) sorted(analysis, columns);
  // The values that the index is asked for.
  if (values.length > 0)
    analysis.asks(computed([...columns.map(({ value }) => value), ...expressions(analysis, scope, values)]), 'other');
  return columns;
}
