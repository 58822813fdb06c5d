/**
 * Whole statements: what they return, and what they change in the session. Does not: apply the changes (lineage/session.ts).
 * Pure.
 */
import { type NodeFields, type Node, constant, isFields, nodeOf, nodesOf, strings, text } from '../ast.js';
import type { Catalog } from '../catalog/catalog.js';
import { KINDS } from '../kinds.js';
import { alter, rename } from './alterations.js';
import { LineageAnalysis, Unread, Unsure, listOf, newVisits } from './analysis.js';
import { indexCompares } from './comparing.js';
import {
  createTableAs,
  createSequence,
  createTable,
  createView,
  defaultIn,
  movesDefault,
  createType,
  drop,
  grant,
  leavesNames,
  mayTakeOwn,
  truncate,
} from './definitions.js';
import type { PreparedQuery, SessionEffect, TransactionKind } from './effects.js';
import { expressions } from './expression.js';
import { type StatementLineage, outputsOf } from './lineage.js';
import { readQuery } from './query.js';
import { OTHER_DEFINITIONS, namesUnread } from './other-definitions.js';
import { definesCasts } from './reach.js';
import { type FoundRelation, changes, columnsOf, findRelation, redefined } from './relations.js';
import { canReturnRows, intoOf } from './returning.js';
import { changesSession } from './passing.js';
import { afterCode } from './reasons.js';
import { EMPTY_SCOPE, type Scope } from './scope.js';
import { type SessionNames, afterEffects, currentRole, withUnreadSettings, withoutFunctions } from './session.js';
import { KEEPS, keptBy } from './setting-code.js';
import { storedValue } from './settings.js';
import { type Column, NOTHING, type Value, computed, reasonOf, unknown, withUnknown } from './value.js';

/**
 * The lineage of each statement of a text, in order; later ones are read as if earlier ones had succeeded.
 *
 * @param statements RawStmt nodes, as the grammar returns them
 */
export function lineageOf(
  statements: readonly NodeFields[],
  catalog: Catalog,
  session: SessionNames,
): StatementLineage[] {
  let now = session;
  const visits = newVisits();
  return statements.map(({ stmt }) => {
    const lineage = statementLineage(nodeOf(stmt), catalog, now, visits);
    now = afterEffects(now, lineage.effects);
    return lineage;
  });
}

function statementLineage(
  node: Node | undefined,
  catalog: Catalog,
  session: SessionNames,
  visits: { left: number },
): StatementLineage {
  const found = readLineage(node, catalog, session, visits, false);
  if (!found.kept) return found.lineage;
  // The code runs before, or between, what the statement reads.
  const { lineage } = readLineage(
    node,
    catalog,
    withUnreadSettings(session, afterCode(KEEPS)),
    visits,
    found.kept === 'code',
  );
  return { ...lineage, effects: [...lineage.effects, found.kept === 'code' ? CODE : { type: 'kept', reason: KEEPS }] };
}

const CODE: SessionEffect = { type: 'code', reason: KEEPS, sure: true };

function readLineage(
  node: Node | undefined,
  catalog: Catalog,
  session: SessionNames,
  visits: { left: number },
  runsCode: boolean,
): { readonly lineage: StatementLineage; readonly kept: ReturnType<typeof keptBy> } {
  const statement = node?.kind ?? '';
  // What runs later (a view, a cursor, a default) may find another function behind the name.
  const names = AT_ONCE.has(statement) ? session : withoutFunctions(session);
  const analysis = new LineageAnalysis(catalog, names, undefined, visits);
  analysis.reads(node);
  const runsUnread = node !== undefined && withUnread(analysis, node);
  const collected = (): Pick<
    StatementLineage,
    'statement' | 'relations' | 'runsUnread' | 'predicates' | 'conditionsOnUnknown' | 'flows' | 'effects'
  > => ({
    statement,
    relations: analysis.relations,
    runsUnread,
    predicates: analysis.predicates,
    conditionsOnUnknown: analysis.conditionsOnUnknown,
    flows: analysis.flows,
    effects: analysis.effects,
  });
  try {
    if (!node) throw new Unsure('is no statement');
    const outputs = outputsOf(readStatement(analysis, EMPTY_SCOPE, node));
    if (
      analysis.hasOwnCalls &&
      (runsCode || analysis.effects.some(({ type }) => type === 'code' || type === 'uncertain'))
    )
      throw new Unsure('calls a function of the session beside one that runs code, which could replace it');
    const { answered } = analysis;
    if (mayTakeOwn(analysis, node)) analysis.effects.push({ type: 'uncertain', reason: TAKEN });
    return {
      lineage: { outputs, ...(answered !== undefined && outputs.length === 0 && { answered }), ...collected() },
      kept: keptBy(analysis, node, { isFollowed: true, runsUnread }),
    };
  } catch (error) {
    const unread = error instanceof Unread ? { unread: error.message } : {};
    const reason = error instanceof Unsure ? error.message : 'could not be followed';
    if (!node || changesSession(node)) analysis.effects.push({ type: 'code', reason });
    const returnsRows = canReturnRows(analysis, node);
    return {
      lineage: { outputs: [], unknown: reason, returnsRows, ...unread, ...collected() },
      kept: keptBy(analysis, node, { isFollowed: false, runsUnread }),
    };
  }
}

const TAKEN = 'may have dropped something of the session';

/** Statements that run to their end at once, and keep nothing to be computed later. */
const AT_ONCE: ReadonlySet<string> = new Set('SelectStmt InsertStmt UpdateStmt DeleteStmt MergeStmt'.split(' '));

/** Definitions that compute something of rows, or of a bound of a partition. */
const COMPUTING: ReadonlySet<string> = new Set(['AlterTableStmt', 'CreateStmt', 'IndexStmt']);

/** An argument of EXECUTE becomes of a type that PREPARE may have named. */
function withUnread({ catalog, session }: LineageAnalysis, { kind, fields }: Node): boolean {
  if (namesUnread(catalog, fields)) return true;
  if (COMPUTING.has(kind) && definesCasts(catalog, session, fields)) return true;
  const executed = kind === 'ExecuteStmt' ? { kind, fields } : nodeOf(fields['query']);
  if (executed?.kind !== 'ExecuteStmt') return false;
  if (executed.fields['params'] !== undefined && catalog.guards.domains.size > 0) return true;
  return namesUnread(catalog, session.overlay.prepared.get(text(executed.fields, 'name'))?.query.fields);
}

type Read = (analysis: LineageAnalysis, fields: NodeFields, scope: Scope) => readonly Column[];

const effect =
  (make: (fields: NodeFields) => SessionEffect): Read =>
  (analysis, fields) => {
    analysis.effects.push(make(fields));
    return [];
  };
const code =
  (what: string): Read =>
  (analysis) => {
    analysis.effects.push({ type: 'code', reason: what });
    throw new Unsure(what);
  };

/** Statements that are more than a query. All others that `KINDS` has return nothing. */
export const STATEMENTS: Readonly<Record<string, Read>> = {
  ...OTHER_DEFINITIONS,
  SelectStmt: (analysis, fields, scope) => {
    const columns = readQuery(analysis, scope, { SelectStmt: fields });
    const into = intoOf(fields);
    if (!into) return columns;
    createTableAs(analysis, into, columns);
    return [];
  },
  InsertStmt: query('InsertStmt'),
  UpdateStmt: query('UpdateStmt'),
  DeleteStmt: query('DeleteStmt'),
  MergeStmt: query('MergeStmt'),
  CreateTableAsStmt: (analysis, fields) => {
    const columns = inner(analysis, fields['query'], EMPTY_SCOPE);
    if (isFields(fields['into'])) createTableAs(analysis, fields['into'], columns, fields['if_not_exists'] === true);
    return [];
  },
  CreateStmt: (analysis, fields) => createTable(analysis, fields),
  ViewStmt: (analysis, fields) => createView(analysis, fields),
  DropStmt: (analysis, fields) => drop(analysis, fields),
  AlterTableStmt: (analysis, fields) => alter(analysis, fields),
  RenameStmt: (analysis, fields) => rename(analysis, fields),
  ExplainStmt: (analysis, fields) => {
    const outputs = inner(analysis, fields['query'], EMPTY_SCOPE).map(({ value }) => value);
    const seen = analysis.predicates.map(({ column }) => column);
    const all = computed([
      ...outputs,
      ...analysis.flows.map(({ value }) => value),
      { ...NOTHING, sources: new Set(seen) },
    ]);
    return [{ name: 'QUERY PLAN', value: { ...all, type: 0, plan: planFormat(fields) } }];
  },
  CopyStmt: copy,
  PrepareStmt: (analysis, fields) => {
    const body = nodeOf(fields['query']);
    if (body)
      analysis.effects.push({ type: 'prepare', name: text(fields, 'name'), prepared: preparedNow(analysis, body) });
    return [];
  },
  ExecuteStmt: (analysis, fields) => {
    const name = text(fields, 'name');
    const prepared = analysis.session.overlay.prepared.get(name);
    if (!prepared && analysis.session.complete?.prepared) return [];
    if (!prepared)
      return code(`executes "${name}", and no such prepared statement is known`)(analysis, fields, EMPTY_SCOPE);
    const now = preparedNow(analysis, prepared.query);
    if (isOutdated(prepared, now))
      throw new Unsure(`executes "${name}", and its names meant something else when it was prepared`);
    // Where the path is another one, the target has prepared it anew.
    if (prepared.path !== now.path) analysis.effects.push({ type: 'prepare', name, prepared: now });
    const given = expressions(analysis, EMPTY_SCOPE, listOf(fields, 'params'));
    const argument = (key: string | number): Value | undefined =>
      typeof key === 'number' ? (given[key - 1] ?? NOTHING) : undefined;
    analysis.reads(prepared.query.fields);
    return readStatement(analysis, { ...EMPTY_SCOPE, argument }, prepared.query);
  },
  DeallocateStmt: effect((fields) => ({
    type: 'deallocate',
    ...(fields['name'] !== undefined && { name: text(fields, 'name') }),
  })),
  DeclareCursorStmt: (analysis, fields, scope) => {
    const columns = inner(analysis, fields['query'], scope);
    const held = (Number(fields['options'] ?? 0) & CURSOR_OPT_HOLD) !== 0;
    const { searchPath, user, role, initial } = analysis.session;
    const query = { node: fields['query'], names: { searchPath, user, role, initial }, columns };
    const { version } = analysis.catalog;
    // One that is held has all its rows by the end of its transaction.
    const looked = held ? {} : { version, query };
    analysis.effects.push({ type: 'cursor', cursor: { name: text(fields, 'portalname'), columns, held, ...looked } });
    return [];
  },
  FetchStmt: (analysis, fields) => {
    if (fields['ismove'] === true) return [];
    const name = text(fields, 'portalname');
    const cursor = analysis.session.overlay.cursors.get(name);
    if (!cursor && analysis.session.complete?.cursors) return [];
    if (!cursor) return code(`fetches from "${name}", and no such cursor is known`)(analysis, fields, EMPTY_SCOPE);
    const reason = reasonOf(cursor.columns.map(({ value }) => value));
    // Code that it calls runs with each FETCH, and cannot close the cursor that it runs for.
    if (reason !== undefined) analysis.effects.push({ type: 'code', reason }, { type: 'cursor', cursor });
    const isAsMade = cursor.version === undefined || cursor.version === analysis.catalog.version;
    const why = isAsMade ? undefined : redefined(analysis, cursor);
    return cursor.columns.map(({ name: column, value }) => ({ name: column, value: withUnknown(value, why) }));
  },
  ClosePortalStmt: effect((fields) => ({
    type: 'close',
    ...(fields['portalname'] !== undefined && { name: text(fields, 'portalname') }),
  })),
  VariableSetStmt: setting,
  VariableShowStmt: (analysis, fields) => {
    const name = text(fields, 'name').toLowerCase();
    if (name === 'all') {
      return ['name', 'setting', 'description'].map((one) => ({ name: one, value: storedValue(analysis, undefined) }));
    }
    return [{ name, value: storedValue(analysis, name) }];
  },
  TransactionStmt: (analysis, fields) => {
    const kind = TRANSACTIONS[String(fields['kind'] ?? 'TRANS_STMT_BEGIN')];
    if (!kind)
      throw new Unsure(`ends or begins a transaction in a way that is not understood (${String(fields['kind'])})`);
    const chain = fields['chain'] === true;
    analysis.effects.push({ type: 'transaction', kind, savepoint: text(fields, 'savepoint_name'), chain });
    return [];
  },
  DiscardStmt: effect(({ target }) => ({
    type: 'discard',
    what: target === 'DISCARD_ALL' ? 'all' : target === 'DISCARD_TEMP' ? 'temporary' : 'nothing that matters',
  })),
  CallStmt: code('calls a procedure, whose code nobody has read'),
  DoStmt: code('runs code that nobody has read'),
  CreateDomainStmt: (analysis, fields) => {
    movesDefault(analysis, strings(fields['domainname']).join('.'), '', defaultIn(fields));
    return OTHER_DEFINITIONS['CreateDomainStmt']?.(analysis, fields) ?? [];
  },
  CreateSeqStmt: (analysis, fields) => createSequence(analysis, fields),
  ClusterStmt: (analysis, fields) => {
    // Rows then lie, and are read, in the order of some of their columns.
    const ordered = isFields(fields['relation'])
      ? relationColumns(analysis, fields['relation']).map(({ value }) => value)
      : [unknown('orders the rows of tables that it does not name')];
    analysis.asks(computed(ordered), 'other');
    return [];
  },
  GrantStmt: grant,
  IndexStmt: (analysis, fields) => {
    indexCompares(analysis, fields);
    return leavesNames(analysis, fields);
  },
  CommentStmt: leavesNames,
  CreateEnumStmt: createType,
  CompositeTypeStmt: createType,
  TruncateStmt: (analysis, fields) => truncate(analysis, fields),
};

/** The last option counts (ExplainQuery in explain.c). The server takes no other format. */
function planFormat(fields: NodeFields): NonNullable<Value['plan']> {
  const options = nodesOf(fields['options']).filter(({ fields: option }) => text(option, 'defname') === 'format');
  const given = options.at(-1)?.fields['arg'];
  const format = String(constant(given) ?? nodeOf(given)?.fields['sval'] ?? 'text').toLowerCase();
  return format === 'json' || format === 'yaml' || format === 'xml' ? format : 'text';
}

/** As the target would prepare it now. */
function preparedNow({ catalog, session }: LineageAnalysis, query: Node): PreparedQuery {
  const path = JSON.stringify([session.searchPath, currentRole(session)]);
  const inside = new LineageAnalysis(catalog, session);
  try {
    inside.reads(query.fields);
    readStatement(inside, { ...EMPTY_SCOPE, argument: () => NOTHING }, query);
    return { query, path, relations: inside.relations };
  } catch (error) {
    if (!(error instanceof Unsure)) throw error;
    return { query, path, relations: undefined };
  }
}

/** A table that was made since in front of another one is not noticed there (plancache.c). */
const isOutdated = (before: PreparedQuery, now: PreparedQuery): boolean =>
  before.path === now.path &&
  !(
    before.relations?.size === now.relations?.size &&
    [...(before.relations ?? [])].every((oid) => now.relations?.has(oid))
  );

const CURSOR_OPT_HOLD = 0x20;

const TRANSACTIONS: Readonly<Record<string, TransactionKind>> = {
  TRANS_STMT_BEGIN: 'begin',
  TRANS_STMT_START: 'begin',
  TRANS_STMT_COMMIT: 'commit',
  TRANS_STMT_ROLLBACK: 'rollback',
  TRANS_STMT_SAVEPOINT: 'savepoint',
  TRANS_STMT_RELEASE: 'release',
  TRANS_STMT_ROLLBACK_TO: 'rollback to',
  TRANS_STMT_PREPARE: 'detach',
  TRANS_STMT_COMMIT_PREPARED: 'commit',
  TRANS_STMT_ROLLBACK_PREPARED: 'commit',
};

function readStatement(analysis: LineageAnalysis, scope: Scope, { kind, fields }: Node): readonly Column[] {
  const read = Object.hasOwn(STATEMENTS, kind) ? STATEMENTS[kind] : undefined;
  if (read) return read(analysis, fields, scope);
  if (!Object.hasOwn(KINDS, kind)) throw new Unsure(`is a kind of statement that is not understood (${kind})`);
  return [];
}

/** A statement inside another: a query, or EXECUTE. */
function inner(analysis: LineageAnalysis, value: unknown, scope: Scope): readonly Column[] {
  const node = nodeOf(value);
  if (!node) throw new Unsure('contains no statement where one is expected');
  return readStatement(analysis, scope, node);
}

function query(kind: string): Read {
  return (analysis, fields, scope) => readQuery(analysis, scope, { [kind]: fields });
}

/** COPY shows what it writes to the client; what it writes elsewhere, or reads, are flows. */
function copy(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  const isFrom = fields['is_from'] === true;
  const columns = copied(analysis, fields);
  if (isFrom) return [];
  if (fields['filename'] === undefined && fields['is_program'] !== true) return columns;
  for (const { value } of columns) analysis.moves({ type: 'file', name: text(fields, 'filename') }, value);
  return [];
}

function relationColumns(analysis: LineageAnalysis, relation: NodeFields): readonly Column[] {
  return columnsOf(analysis, foundBy(analysis, relation));
}

const foundBy = (analysis: LineageAnalysis, relation: NodeFields): FoundRelation =>
  findRelation(analysis, text(relation, 'schemaname'), text(relation, 'relname'));

function copied(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  if (!isFields(fields['relation'])) {
    const columns = inner(analysis, fields['query'], EMPTY_SCOPE);
    // Only COPY gives out what RETURNING says before all is written, and a constraint may reject the next row.
    for (const { value } of analysis.flows) if (value.mixed) analysis.asks(value, 'other');
    return columns;
  }
  const found = foundBy(analysis, fields['relation']);
  if (fields['is_from'] === true) changes(analysis, found);
  const columns = columnsOf(analysis, found);
  const names = strings(fields['attlist']);
  // Generated columns are copied only where they are named.
  const isGenerated = (at: number): boolean =>
    found.type === 'stored' && found.relation.columns[at]?.generated !== undefined;
  if (names.length === 0) return columns.filter((_, at) => !isGenerated(at));
  return names.map(
    (name) =>
      columns.find((column) => column.name === name) ?? {
        name,
        value: unknown(`uses the column ${name}, which is not known`),
      },
  );
}

function setting(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  const name = text(fields, 'name').toLowerCase();
  const kind = String(fields['kind'] ?? 'VAR_SET_VALUE');
  if (kind === 'VAR_RESET_ALL') analysis.effects.push({ type: 'reset all' });
  if (kind === 'VAR_SET_CURRENT' && name === 'search_path') return [];
  if (!['VAR_SET_VALUE', 'VAR_SET_DEFAULT', 'VAR_RESET'].includes(kind)) return [];
  const args = listOf(fields, 'args').map((one) => String(constant(one) ?? ''));
  const value = kind === 'VAR_SET_VALUE' ? args : undefined;
  analysis.effects.push({ type: 'setting', name, value, local: fields['is_local'] === true });
  return [];
}
