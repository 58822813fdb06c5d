/**
 * CREATE and DROP, where they concern objects of the session; and data that they put into tables. Does not: ALTER and RENAME
 * (alterations.ts), other definitions (other-definitions.ts), or apply them (lineage/session.ts). Pure.
 */
import { type Node, type NodeFields, isFields, nodeOf, nodesOf, strings, text } from '../ast.js';
import { LineageAnalysis, listOf } from './analysis.js';
import { constraintsCompare, copiesCompare } from './comparing.js';
import type { TemporaryRelation } from './effects.js';
import { callsUnread, droppedNames, granted, schemaName, withReaders } from './other-definitions.js';
import { expression } from './expression.js';
import { definedKeeps } from './keeping.js';
import { readQuery } from './query.js';
import { definesCasts } from './reach.js';
import { columnsOf, findRelation } from './relations.js';
import { EMPTY_SCOPE } from './scope.js';
import { currentRole } from './session.js';
import { findType, typeTag, typmodOf } from './types.js';
import { type Column, NOTHING, type Value, computed, isNothing, limitedTo, typeIn, withUnknown } from './value.js';

/** CREATE TABLE AS, SELECT INTO and CREATE MATERIALIZED VIEW. */
export function createTableAs(
  analysis: LineageAnalysis,
  into: NodeFields,
  columns: readonly Column[],
  unlessThere = false,
): void {
  const relation = isFields(into['rel']) ? into['rel'] : {};
  const names = strings(into['colNames']);
  const renamed = columns.map(({ name, value }, index) => ({ name: names[index] ?? name, value }));
  const temporary = isTemporary(analysis, relation);
  const name = temporary ? `pg_temp.${text(relation, 'relname')}` : qualified(relation);
  for (const column of renamed) {
    analysis.moves({ type: 'table', name, column: column.name, temporary, bases: [] }, column.value);
  }
  create(analysis, relation, { onCommit: into['onCommit'], columns: renamed, unlessThere });
}

/** CREATE TABLE. A temporary one is empty, but has columns. */
export function createTable(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  const relation = isFields(fields['relation']) ? fields['relation'] : {};
  const elements = nodesOf(fields['tableElts']);
  definedKeeps(analysis, relation, elements);
  const compares =
    constraintsCompare(analysis, undefined, [...elements, ...nodesOf(fields['constraints'])]) ||
    fields['partspec'] !== undefined ||
    elements.some((one) => copiesCompare(analysis, one));
  const plain = fields['inhRelations'] === undefined && fields['ofTypename'] === undefined;
  // The rows of a partition or child are those of its parent as well: what is put into it by its own name is not followed.
  if (!plain && !isTemporary(analysis, relation)) {
    analysis.effects.push({ type: 'defined', names: [text(relation, 'relname')] });
    return [];
  }
  const columns = elements.flatMap(({ kind, fields: element }) => {
    if (kind === 'ColumnDef' && !isTemporary(analysis, relation))
      movesDefault(analysis, qualified(relation), text(element, 'colname'), defaultIn(element));
    if (kind === 'ColumnDef') return [columnDef(analysis, element)];
    if (kind === 'TableLikeClause' && isFields(element['relation'])) return like(analysis, element['relation']);
    return [];
  });
  create(analysis, relation, {
    onCommit: fields['oncommit'],
    columns,
    unlessThere: fields['if_not_exists'] === true,
    ...(!plain && { unknown: 'reads a temporary table that is made after another' }),
    ...(compares && { compares }),
  });
  return [];
}

/** A sequence holds no data, but a temporary one hides what else has its name. */
export function createSequence(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  const sequence = isFields(fields['sequence']) ? fields['sequence'] : {};
  const columns = ['last_value', 'log_cnt', 'is_called'].map((name) => ({ name, value: NOTHING }));
  const unlessThere = fields['if_not_exists'] === true;
  create(analysis, sequence, { columns, unlessThere, sequence: true });
  return [];
}

/** CREATE VIEW. One over objects of the session is the session's. */
export function createView(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  const view = isFields(fields['view']) ? fields['view'] : {};
  const columns = readQuery(analysis, EMPTY_SCOPE, fields['query']);
  const names = strings(fields['aliases']);
  const renamed = columns.map(({ name, value }, index) => ({ name: names[index] ?? name, value }));
  // Another view may read the one that this takes the place of.
  const isOwnView = isTemporary(analysis, view) || usesTemporary(analysis, fields['query']);
  const name = text(view, 'relname');
  const { searchPath, user, role, initial } = analysis.session;
  const query = { node: fields['query'], names: { searchPath, user, role, initial }, columns };
  if (isOwnView || isNew(analysis, name)) {
    const reads = new Set([...analysis.relations, ...readByOwn(analysis, fields['query'])]);
    create(analysis, view, { columns: renamed, view: true, own: isOwnView, reads, ...(isOwnView && { query }) });
  } else {
    // Views of this transaction may read it too, which the catalog does not know.
    const own = [...analysis.session.overlay.relations.values()].filter((one) => one.view).map((one) => one.name);
    analysis.effects.push({ type: 'defined', names: [...withReaders(analysis.catalog, name), ...own] });
  }
  return [];
}

/** With CASCADE views of the session may go, and with what a role owns whatever it is: by their names others may be meant then. */
export function mayTakeOwn({ session }: LineageAnalysis, { kind, fields }: Node): boolean {
  const own = [...session.overlay.relations.values()];
  if (kind === 'DropOwnedStmt') return own.length > 0;
  const parts = kind === 'AlterTableStmt' ? nodesOf(fields['cmds']).map((command) => command.fields) : [fields];
  return own.some(({ view }) => view) && parts.some(({ behavior }) => behavior === 'DROP_CASCADE');
}

export function drop(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  const others: string[] = [];
  for (const object of listOf(fields, 'objects')) {
    const node = nodeOf(object);
    const routine = fields['removeType'] === 'OBJECT_FUNCTION' ? strings(node?.fields['objname']) : [];
    if (routine.length === 2 && routine[0] === 'pg_temp') {
      analysis.effects.push({ type: 'drop function', name: routine[1] ?? '' });
      continue;
    }
    const [name = '', schema = ''] = strings(node?.kind === 'List' ? node.fields['items'] : []).toReversed();
    const own = isOwn(analysis, schema, name);
    if (own) analysis.effects.push({ type: 'drop relation', name });
    // Of a table that the catalog has, another may be meant by the name from here on.
    if (!own || analysis.session.overlay.relations.get(name)?.stored) others.push(name);
  }
  if (others.length > 0) analysis.effects.push({ type: 'defined', names: droppedNames(analysis, fields) ?? 'any' });
  return [];
}

/** CREATE INDEX, COMMENT, and GRANT on tables: nothing that a name means. */
export function leavesNames({ catalog, session, effects }: LineageAnalysis, fields: NodeFields): readonly Column[] {
  // The index may call what says anything in an error of a later write.
  const relation = isFields(fields['relation']) ? text(fields['relation'], 'relname') : '';
  const calls = callsUnread(catalog, fields) || (relation !== '' && definesCasts(catalog, session, fields));
  effects.push({ type: 'defined', names: calls ? [relation] : [] });
  return [];
}

/** GRANT on schemas decides which of them are searched. */
export const grant = (analysis: LineageAnalysis, fields: NodeFields): readonly Column[] => {
  granted(analysis, fields);
  return [];
};

/** CREATE TYPE of an enum or a composite. */
export function createType(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  const names = strings(fields['typeName']);
  const name = names.at(-1) ?? (isFields(fields['typevar']) ? text(fields['typevar'], 'relname') : '');
  if (name !== '') analysis.effects.push({ type: 'defined', names: [name, `_${name}`] });
  return [];
}

/** TRUNCATE ONLY leaves the rows of tables that are below. */
export function truncate(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  for (const { fields: relation } of nodesOf(fields['relations'])) {
    const own = relation['inh'] === true && ownRelation(analysis, relation);
    if (own) analysis.effects.push({ type: 'truncate', name: own.name });
  }
  return [];
}

interface MadeRelation
  extends Pick<TemporaryRelation, 'columns' | 'unknown' | 'sequence' | 'reads' | 'query' | 'compares'> {
  readonly onCommit?: unknown;
  readonly view?: boolean;
  /** The session's, whatever its words say: it reads what is the session's. */
  readonly own?: boolean;
  /** IF NOT EXISTS. */
  readonly unlessThere?: boolean;
}

function create(analysis: LineageAnalysis, relation: NodeFields, made: MadeRelation): void {
  const { onCommit, unlessThere, view = false, own = false, ...rest } = made;
  const name = text(relation, 'relname');
  if (!own && !isTemporary(analysis, relation)) {
    createPermanent(analysis, relation, made);
    return;
  }
  // It hides one that is not committed: of two with a name only one is followed.
  if (analysis.session.overlay.relations.get(name)?.permanent !== undefined) {
    analysis.effects.push({ type: 'defined', names: 'any' });
    return;
  }
  // The one that is there stays as it is.
  if (unlessThere && analysis.session.overlay.relations.has(name)) return;
  const dropOnCommit = onCommit === 'ONCOMMIT_DROP';
  const { version } = analysis.catalog;
  analysis.effects.push({ type: 'relation', relation: { ...rest, name, dropOnCommit, view, version } });
}

/** One that nobody else sees until the transaction has ended, when the catalog has it. */
function createPermanent(analysis: LineageAnalysis, relation: NodeFields, made: MadeRelation): void {
  const { columns, unknown, sequence, compares, unlessThere, view = false } = made;
  const name = text(relation, 'relname');
  const schema = text(relation, 'schemaname');
  if (unlessThere && isThere(analysis, schema, name)) analysis.effects.push({ type: 'defined', names: [] });
  else if (!isNew(analysis, name)) analysis.effects.push({ type: 'defined', names: [name] });
  else {
    const more = {
      ...(unknown !== undefined && { unknown }),
      ...(sequence && { sequence }),
      ...(compares && { compares }),
    };
    const { version } = analysis.catalog;
    const own = { name, columns, view, dropOnCommit: true, permanent: schema, version, ...more };
    analysis.effects.push({ type: 'relation', relation: own });
  }
}

/** No relation has the name, in any schema: whatever the path is, nothing else can be meant by it. */
function isNew({ catalog, session }: LineageAnalysis, name: string): boolean {
  const { relations, defined, uncertain } = session.overlay;
  if (uncertain !== undefined || relations.has(name) || defined.has(name)) return false;
  return ![...catalog.schemas].some((schema) => catalog.relation(schema, name));
}

/** IF NOT EXISTS finds one where it would be made. */
function isThere({ catalog, session }: LineageAnalysis, schema: string, name: string): boolean {
  if (session.anyPath !== undefined || session.overlay.defined.has(name)) return false;
  const role = currentRole(session);
  const path = session.searchPath.map((one) => (one === '$user' ? role : one));
  const { defined } = session.overlay;
  const first = schema === '' ? path.find((one) => defined.has(schemaName(one)) || catalog.isOpen(one, role)) : schema;
  return first !== undefined && catalog.relation(first, name) !== undefined;
}

export function columnDef(analysis: LineageAnalysis, fields: NodeFields): Column {
  const type = isFields(fields['typeName']) ? findType(analysis, fields['typeName']) : undefined;
  // serial and its kin are no types.
  const { type: _, ...untyped } = NOTHING;
  const tag = type && typeTag(analysis, type.oid);
  const isKnown = type !== undefined || SERIAL.test(strings(asFields(fields['typeName'])['names']).join('.'));
  const constraints = nodesOf(fields['constraints']).map((one) => one.fields);
  const generated = constraints.some(({ contype }) => contype === 'CONSTR_GENERATED');
  const given = constraints.find(({ contype }) => contype === 'CONSTR_DEFAULT');
  const value = {
    ...(given ? defaultOf(analysis, given['raw_expr']) : untyped),
    ...(type &&
      tag !== undefined && { type: tag, stored: true as const, ...limitedTo(tag, typmodOf(type, fields['typeName'])) }),
  };
  // A domain has a default of its own.
  const unread = isKnown ? undefined : 'reads a column of a type that is not known';
  return {
    name: text(fields, 'colname'),
    value: withUnknown(value, generated ? 'reads a generated column of a temporary table' : unread),
  };
}

const SERIAL = /^(?:small|big)?serial[248]?$/;
const asFields = (value: unknown): NodeFields => (isFields(value) ? value : {});

/** What a row gets that says nothing of the column. Nothing is called yet. */
export function defaultOf(analysis: LineageAnalysis, node: unknown): Value {
  const value = readDefault(analysis, node);
  return isNothing(value) ? EMPTY : computed([value]);
}

const readDefault = (analysis: LineageAnalysis, node: unknown): Value =>
  expression(new LineageAnalysis(analysis.catalog, analysis.session, analysis), EMPTY_SCOPE, node);

/** The expression of DEFAULT, in a ColumnDef. */
export const defaultIn = (fields: NodeFields): unknown =>
  nodesOf(fields['constraints']).find((one) => one.fields['contype'] === 'CONSTR_DEFAULT')?.fields['raw_expr'];

/** What a default reads by a function in SQL gets into rows of the table. What reads what is not known: code of the server. */
export function movesDefault(analysis: LineageAnalysis, name: string, column: string, node: unknown): void {
  if (!isFields(node)) return;
  const value = readDefault(analysis, node);
  if (value.sources.size > 0) analysis.moves({ type: 'table', name, column, temporary: false, bases: [] }, value);
}

function like(analysis: LineageAnalysis, relation: NodeFields): Column[] {
  const schema = text(relation, 'schemaname');
  const columns = columnsOf(analysis, findRelation(analysis, schema, text(relation, 'relname')));
  return columns.map(({ name, value }) => ({
    name,
    // A generated column is generated in the copy as well.
    value: value.kind === 'direct' ? emptied(value) : value,
  }));
}

const EMPTY: Value = { sources: NOTHING.sources, kind: 'direct' };
const emptied = (value: Value): Value => ({ ...EMPTY, ...typeIn(value) });

/** Temporary by word, by schema, or because the first schema of the search path is the session's own. */
function isTemporary({ session, catalog }: LineageAnalysis, relation: NodeFields): boolean {
  const schema = text(relation, 'schemaname');
  if (relation['relpersistence'] === 't' || schema === 'pg_temp') return true;
  const named = session.searchPath.map((name) => (name === '$user' ? currentRole(session) : name));
  const { defined } = session.overlay;
  const first = named.find(
    (name) => name === 'pg_temp' || defined.has(schemaName(name)) || catalog.isOpen(name, currentRole(session)),
  );
  return schema === '' && first === 'pg_temp';
}

const qualified = (relation: NodeFields): string =>
  [text(relation, 'schemaname'), text(relation, 'relname')].filter((part) => part !== '').join('.');

function isOwn({ session, path, catalog }: LineageAnalysis, schema: string, name: string): boolean {
  const found = session.overlay.relations.get(name);
  if (found?.stored) {
    const first = path.find((one) => one === found.permanent || catalog.relation(one, name) !== undefined);
    return found.permanent === (schema === '' ? first : schema);
  }
  if (found?.permanent !== undefined) return schema === '' || found.permanent === '' || schema === found.permanent;
  return found !== undefined && (schema === '' ? path.includes('pg_temp') : schema === 'pg_temp');
}

export function ownRelation(analysis: LineageAnalysis, value: unknown): TemporaryRelation | undefined {
  const relation = isFields(value) ? value : {};
  const name = text(relation, 'relname');
  return isOwn(analysis, text(relation, 'schemaname'), name) ? analysis.session.overlay.relations.get(name) : undefined;
}

/** Whether a relation of the session appears anywhere in a query: more than need be, never less. */
/** What relations of the session read that a query names. */
function readByOwn(analysis: LineageAnalysis, value: unknown): readonly number[] {
  if (Array.isArray(value)) return value.flatMap((one) => readByOwn(analysis, one));
  if (!isFields(value)) return [];
  const own = typeof value['relname'] === 'string' ? ownRelation(analysis, value) : undefined;
  return [...(own?.reads ?? []), ...Object.values(value).flatMap((one) => readByOwn(analysis, one))];
}

function usesTemporary(analysis: LineageAnalysis, value: unknown): boolean {
  if (Array.isArray(value)) return value.some((one) => usesTemporary(analysis, one));
  if (!isFields(value)) return false;
  if (
    typeof value['relname'] === 'string' &&
    ownRelation(analysis, value)?.permanent === undefined &&
    isOwn(analysis, text(value, 'schemaname'), value['relname'])
  )
    return true;
  return Object.values(value).some((one) => usesTemporary(analysis, one));
}
