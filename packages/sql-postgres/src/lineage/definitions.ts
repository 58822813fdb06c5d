/**
 * CREATE, ALTER and DROP, where they concern objects of the session; and data that they put into tables. Does not: apply them
 * (lineage/session.ts). Pure.
 */
import { type NodeFields, isFields, nodeOf, nodesOf, strings, text } from '../ast.js';
import { LineageAnalysis, Unsure, listOf } from './analysis.js';
import type { TemporaryRelation } from './effects.js';
import { expression } from './expression.js';
import { readQuery } from './query.js';
import { columnsOf, findRelation } from './relations.js';
import { EMPTY_SCOPE } from './scope.js';
import { currentRole } from './session.js';
import { findType, typeTag } from './types.js';
import {
  type Column,
  NOTHING,
  type Value,
  computed,
  hasFields,
  isNothing,
  withUnknown,
  withoutFields,
} from './value.js';

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
  const plain = fields['inhRelations'] === undefined && fields['ofTypename'] === undefined;
  // The rows of a partition or child are those of its parent as well.
  if (!plain && !isTemporary(analysis, relation)) return [];
  const columns = nodesOf(fields['tableElts']).flatMap(({ kind, fields: element }) => {
    if (kind === 'ColumnDef') return [columnDef(analysis, element)];
    if (kind === 'TableLikeClause' && isFields(element['relation'])) return like(analysis, element['relation']);
    return [];
  });
  create(analysis, relation, {
    onCommit: fields['oncommit'],
    columns,
    unlessThere: fields['if_not_exists'] === true,
    ...(!plain && { unknown: 'reads a temporary table that is made after another' }),
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
  if (isOwnView || isNew(analysis, text(view, 'relname')))
    create(analysis, view, { columns: renamed, view: true, own: isOwnView });
  return [];
}

export function drop(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  const others: string[] = [];
  for (const object of listOf(fields, 'objects')) {
    const node = nodeOf(object);
    const [name = '', schema = ''] = strings(node?.kind === 'List' ? node.fields['items'] : []).toReversed();
    if (isOwn(analysis, schema, name)) analysis.effects.push({ type: 'drop relation', name });
    else others.push(name);
  }
  // With CASCADE others go that it does not name.
  const isFollowed = DROPPED.has(String(fields['removeType'])) && fields['behavior'] !== 'DROP_CASCADE';
  if (others.length > 0 && isFollowed) analysis.effects.push({ type: 'defined', names: others });
  else if (others.length > 0) analysis.effects.push({ type: 'defined', names: 'any' });
  return [];
}

/** ALTER TABLE of a table of the session: columns come and go; whatever else is done to it makes it unknown. */
export function alter(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  const own = ownRelation(analysis, fields['relation']);
  if (!own) {
    const subtypes = nodesOf(fields['cmds']).map(({ fields: command }) => String(command['subtype'] ?? ''));
    if (subtypes.every((one) => HARMLESS.has(one) || one === 'AT_AddColumn' || one === 'AT_DropColumn'))
      changes(analysis, fields['relation'], subtypes.every((one) => HARMLESS.has(one)) ? [] : undefined);
    return [];
  }
  let { columns } = own;
  let { unknown } = own;
  for (const { fields: command } of nodesOf(fields['cmds'])) {
    const subtype = String(command['subtype'] ?? '');
    const definition = nodeOf(command['def']);
    if (subtype === 'AT_AddColumn' && definition) columns = [...columns, columnDef(analysis, definition.fields)];
    else if (subtype === 'AT_DropColumn') columns = columns.filter(({ name }) => name !== text(command, 'name'));
    else if (!HARMLESS.has(subtype)) unknown = 'reads a temporary table that was altered';
  }
  analysis.effects.push({ type: 'relation', relation: { ...own, columns, ...(unknown !== undefined && { unknown }) } });
  forgetFields(analysis, own);
  return [];
}

/** Other relations of the session may hold rows of one whose columns get other names, and documents that are made of them. */
function forgetFields({ session, effects }: LineageAnalysis, own: TemporaryRelation): void {
  for (const relation of session.overlay.relations.values()) {
    if (relation === own || !relation.columns.some(({ value }) => hasFields(value))) continue;
    const columns = relation.columns.map(({ name, value }) => ({ name, value: withoutFields(value) }));
    effects.push({ type: 'relation', relation: { ...relation, columns } });
  }
}

const HARMLESS: ReadonlySet<string> = new Set([
  'AT_AddConstraint',
  'AT_AddIndex',
  'AT_ColumnDefault',
  'AT_DropConstraint',
  'AT_DropNotNull',
  'AT_SetNotNull',
  'AT_SetStatistics',
]);

export function rename(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  const own = ownRelation(analysis, fields['relation']);
  const { renameType } = fields;
  const to = text(fields, 'newname');
  if (!own) {
    if (['OBJECT_TABCONSTRAINT', 'OBJECT_INDEX'].includes(String(renameType)))
      changes(analysis, fields['relation'], []);
    if (renameType === 'OBJECT_COLUMN' && fields['relationType'] === 'OBJECT_TABLE')
      changes(analysis, fields['relation']);
    if (renameType === 'OBJECT_TABLE') changes(analysis, fields['relation'], [to]);
    return [];
  }
  if (renameType === 'OBJECT_COLUMN') {
    const from = text(fields, 'subname');
    const columns = own.columns.map((column) => (column.name === from ? { ...column, name: to } : column));
    analysis.effects.push({ type: 'relation', relation: { ...own, columns } });
    forgetFields(analysis, own);
  } else if (['OBJECT_TABLE', 'OBJECT_VIEW', 'OBJECT_SEQUENCE'].includes(String(renameType))) {
    analysis.effects.push({ type: 'drop relation', name: own.name });
    analysis.effects.push({ type: 'relation', relation: { ...own, name: to } });
  } else if (!['OBJECT_TABCONSTRAINT', 'OBJECT_INDEX'].includes(String(renameType))) {
    throw new Unsure('renames a part of a temporary table in a way that is not understood');
  }
  return [];
}

/** CREATE INDEX, COMMENT, and GRANT on tables: nothing that a name means. */
export function leavesNames(analysis: LineageAnalysis): readonly Column[] {
  analysis.effects.push({ type: 'defined', names: [] });
  return [];
}

/** GRANT on schemas decides which of them are searched. */
export const grant = (analysis: LineageAnalysis, fields: NodeFields): readonly Column[] =>
  fields['targtype'] === 'ACL_TARGET_OBJECT' && ['OBJECT_TABLE', 'OBJECT_SEQUENCE'].includes(String(fields['objtype']))
    ? leavesNames(analysis)
    : [];

/** CREATE TYPE of an enum or a composite. */
export function createType(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  const names = strings(fields['typeName']);
  const name = names.at(-1) ?? (isFields(fields['typevar']) ? text(fields['typevar'], 'relname') : '');
  if (name !== '') analysis.effects.push({ type: 'defined', names: [name, `_${name}`] });
  return [];
}

const DROPPED: ReadonlySet<string> = new Set(['OBJECT_TABLE', 'OBJECT_VIEW', 'OBJECT_INDEX', 'OBJECT_SEQUENCE']);

/**
 * A stored table is changed: its name shows something else until the transaction has ended, and `also` as well. With children
 * nothing is said: theirs would change too.
 *
 * @param also further names; `[]` where no name means anything else
 */
function changes({ catalog, effects }: LineageAnalysis, value: unknown, also?: readonly string[]): void {
  const relation = isFields(value) ? value : {};
  const name = text(relation, 'relname');
  const found = catalog.relations.filter((one) => one.name === name);
  const hasChildren = catalog.relations.some(({ parents }) => found.some(({ oid }) => parents.includes(oid)));
  if (also?.length === 0) effects.push({ type: 'defined', names: [] });
  else if (found.length > 0 && !hasChildren) effects.push({ type: 'defined', names: [name, ...(also ?? [])] });
}

/** TRUNCATE ONLY leaves the rows of tables that are below. */
export function truncate(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  for (const { fields: relation } of nodesOf(fields['relations'])) {
    const own = relation['inh'] === true && ownRelation(analysis, relation);
    if (own) analysis.effects.push({ type: 'truncate', name: own.name });
  }
  return [];
}

interface MadeRelation extends Pick<TemporaryRelation, 'columns' | 'unknown' | 'sequence'> {
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
  const { columns, unknown, sequence, unlessThere, view = false } = made;
  const name = text(relation, 'relname');
  const schema = text(relation, 'schemaname');
  if (unlessThere && isThere(analysis, schema, name)) analysis.effects.push({ type: 'defined', names: [] });
  else if (!isNew(analysis, name)) analysis.effects.push({ type: 'defined', names: [name] });
  else {
    const more = { ...(unknown !== undefined && { unknown }), ...(sequence && { sequence }) };
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
  const first = schema === '' ? path.find((one) => catalog.isOpen(one, role)) : schema;
  return first !== undefined && catalog.relation(first, name) !== undefined;
}

function columnDef(analysis: LineageAnalysis, fields: NodeFields): Column {
  const type = isFields(fields['typeName']) ? findType(analysis, fields['typeName']) : undefined;
  // serial and its kin are no types.
  const { type: _, ...untyped } = NOTHING;
  const tag = type && typeTag(analysis, type.oid);
  const constraints = nodesOf(fields['constraints']).map((one) => one.fields);
  const generated = constraints.some(({ contype }) => contype === 'CONSTR_GENERATED');
  const given = constraints.find(({ contype }) => contype === 'CONSTR_DEFAULT');
  const value = {
    ...(given ? defaultOf(analysis, given['raw_expr']) : untyped),
    ...(tag !== undefined && { type: tag, stored: true as const }),
  };
  return {
    name: text(fields, 'colname'),
    value: withUnknown(value, generated ? 'reads a generated column of a temporary table' : undefined),
  };
}

/** What a row gets that says nothing of the column. Nothing is called yet. */
function defaultOf(analysis: LineageAnalysis, node: unknown): Value {
  const value = expression(new LineageAnalysis(analysis.catalog, analysis.session, analysis), EMPTY_SCOPE, node);
  return isNothing(value) ? EMPTY : computed([value]);
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
const emptied = ({ type, stored }: Value): Value => ({
  ...EMPTY,
  ...(type !== undefined && { type }),
  ...(stored && { stored }),
});

/** Temporary by word, by schema, or because the first schema of the search path is the session's own. */
function isTemporary({ session, catalog }: LineageAnalysis, relation: NodeFields): boolean {
  const schema = text(relation, 'schemaname');
  if (relation['relpersistence'] === 't' || schema === 'pg_temp') return true;
  const named = session.searchPath.map((name) => (name === '$user' ? currentRole(session) : name));
  const first = named.find((name) => name === 'pg_temp' || catalog.isOpen(name, currentRole(session)));
  return schema === '' && first === 'pg_temp';
}

const qualified = (relation: NodeFields): string =>
  [text(relation, 'schemaname'), text(relation, 'relname')].filter((part) => part !== '').join('.');

function isOwn({ session, path }: LineageAnalysis, schema: string, name: string): boolean {
  const found = session.overlay.relations.get(name);
  if (found?.permanent !== undefined) return schema === '' || found.permanent === '' || schema === found.permanent;
  return found !== undefined && (schema === '' ? path.includes('pg_temp') : schema === 'pg_temp');
}

function ownRelation(analysis: LineageAnalysis, value: unknown): TemporaryRelation | undefined {
  const relation = isFields(value) ? value : {};
  const name = text(relation, 'relname');
  return isOwn(analysis, text(relation, 'schemaname'), name) ? analysis.session.overlay.relations.get(name) : undefined;
}

/** Whether a relation of the session appears anywhere in a query: more than need be, never less. */
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
