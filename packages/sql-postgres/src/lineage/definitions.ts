/** CREATE, ALTER and DROP, where they concern objects of the session; and data that they put into tables. */
import { type Fields, isFields, nodeOf, nodesOf, strings, text } from '../ast.js';
import { type Analysis, Unsure, listOf } from './analysis.js';
import type { TemporaryRelation } from './effects.js';
import { readQuery } from './query.js';
import { columnsOf, findRelation } from './relations.js';
import { EMPTY_SCOPE } from './scope.js';
import { currentRole } from './session.js';
import { findType, typeTag } from './types.js';
import { type Column, NOTHING, type Value, withUnknown } from './value.js';

/** CREATE TABLE AS, SELECT INTO and CREATE MATERIALIZED VIEW. */
export function createTableAs(analysis: Analysis, into: Fields, columns: readonly Column[], unlessThere = false): void {
  const relation = isFields(into['rel']) ? into['rel'] : {};
  const names = strings(into['colNames']);
  const renamed = columns.map(({ name, value }, index) => ({ name: names[index] ?? name, value }));
  const temporary = isTemporary(analysis, relation);
  const name = temporary ? `pg_temp.${text(relation, 'relname')}` : qualified(relation);
  for (const column of renamed) {
    analysis.moves({ type: 'table', name, column: column.name, temporary, bases: [] }, column.value);
  }
  if (temporary) create(analysis, relation, { onCommit: into['onCommit'], columns: renamed, unlessThere });
}

/** CREATE TABLE. A temporary one is empty, but has columns. */
export function createTable(analysis: Analysis, fields: Fields): readonly Column[] {
  const relation = isFields(fields['relation']) ? fields['relation'] : {};
  if (!isTemporary(analysis, relation)) return [];
  const plain = fields['inhRelations'] === undefined && fields['ofTypename'] === undefined;
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
export function createSequence(analysis: Analysis, fields: Fields): readonly Column[] {
  const sequence = isFields(fields['sequence']) ? fields['sequence'] : {};
  const columns = ['last_value', 'log_cnt', 'is_called'].map((name) => ({ name, value: NOTHING }));
  const unlessThere = fields['if_not_exists'] === true;
  if (isTemporary(analysis, sequence)) create(analysis, sequence, { columns, unlessThere, sequence: true });
  return [];
}

/** CREATE VIEW. One over objects of the session is the session's. */
export function createView(analysis: Analysis, fields: Fields): readonly Column[] {
  const view = isFields(fields['view']) ? fields['view'] : {};
  const columns = readQuery(analysis, EMPTY_SCOPE, fields['query']);
  if (!isTemporary(analysis, view) && !usesTemporary(analysis, fields['query'])) return [];
  const names = strings(fields['aliases']);
  const renamed = columns.map(({ name, value }, index) => ({ name: names[index] ?? name, value }));
  create(analysis, view, { columns: renamed, view: true });
  return [];
}

export function drop(analysis: Analysis, fields: Fields): readonly Column[] {
  for (const object of listOf(fields, 'objects')) {
    const node = nodeOf(object);
    const [name = '', schema = ''] = strings(node?.kind === 'List' ? node.fields['items'] : []).toReversed();
    if (isOwn(analysis, schema, name)) analysis.effects.push({ type: 'drop relation', name });
  }
  return [];
}

/** ALTER TABLE of a table of the session: columns come and go; whatever else is done to it makes it unknown. */
export function alter(analysis: Analysis, fields: Fields): readonly Column[] {
  const own = ownRelation(analysis, fields['relation']);
  if (!own) return [];
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
  return [];
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

export function rename(analysis: Analysis, fields: Fields): readonly Column[] {
  const own = ownRelation(analysis, fields['relation']);
  if (!own) return [];
  const { renameType } = fields;
  const to = text(fields, 'newname');
  if (renameType === 'OBJECT_COLUMN') {
    const from = text(fields, 'subname');
    const columns = own.columns.map((column) => (column.name === from ? { ...column, name: to } : column));
    analysis.effects.push({ type: 'relation', relation: { ...own, columns } });
  } else if (['OBJECT_TABLE', 'OBJECT_VIEW', 'OBJECT_SEQUENCE'].includes(String(renameType))) {
    analysis.effects.push({ type: 'drop relation', name: own.name });
    analysis.effects.push({ type: 'relation', relation: { ...own, name: to } });
  } else if (!['OBJECT_TABCONSTRAINT', 'OBJECT_INDEX'].includes(String(renameType))) {
    throw new Unsure('renames a part of a temporary table in a way that is not understood');
  }
  return [];
}

/** TRUNCATE ONLY leaves the rows of tables that are below. */
export function truncate(analysis: Analysis, fields: Fields): readonly Column[] {
  for (const { fields: relation } of nodesOf(fields['relations'])) {
    const own = relation['inh'] === true && ownRelation(analysis, relation);
    if (own) analysis.effects.push({ type: 'truncate', name: own.name });
  }
  return [];
}

interface Made extends Pick<TemporaryRelation, 'columns' | 'unknown' | 'sequence'> {
  readonly onCommit?: unknown;
  readonly view?: boolean;
  /** IF NOT EXISTS. */
  readonly unlessThere?: boolean;
}

function create(analysis: Analysis, relation: Fields, { onCommit, unlessThere, view = false, ...rest }: Made): void {
  const name = text(relation, 'relname');
  // The one that is there stays as it is.
  if (unlessThere && analysis.session.overlay.relations.has(name)) return;
  const made: TemporaryRelation = { ...rest, name, dropOnCommit: onCommit === 'ONCOMMIT_DROP', view };
  analysis.effects.push({ type: 'relation', relation: made });
}

function columnDef(analysis: Analysis, fields: Fields): Column {
  const type = isFields(fields['typeName']) ? findType(analysis, fields['typeName']) : undefined;
  // serial and its kin are no types.
  const { type: _, ...untyped } = NOTHING;
  const tag = type && typeTag(analysis, type.oid);
  const generated = nodesOf(fields['constraints']).some((one) => one.fields['contype'] === 'CONSTR_GENERATED');
  const value = tag === undefined ? untyped : { ...untyped, type: tag };
  return {
    name: text(fields, 'colname'),
    value: withUnknown(value, generated ? 'reads a generated column of a temporary table' : undefined),
  };
}

function like(analysis: Analysis, relation: Fields): Column[] {
  const schema = text(relation, 'schemaname');
  const columns = columnsOf(analysis, findRelation(analysis, schema, text(relation, 'relname')));
  return columns.map(({ name, value }) => ({
    name,
    // A generated column is generated in the copy as well.
    value: value.kind === 'direct' ? { ...EMPTY, ...(value.type !== undefined && { type: value.type }) } : value,
  }));
}

const EMPTY: Value = { sources: NOTHING.sources, kind: 'direct' };

/** Temporary by word, by schema, or because the first schema of the search path is the session's own. */
function isTemporary({ session, catalog }: Analysis, relation: Fields): boolean {
  const schema = text(relation, 'schemaname');
  if (relation['relpersistence'] === 't' || schema === 'pg_temp') return true;
  const named = session.searchPath.map((name) => (name === '$user' ? currentRole(session) : name));
  const first = named.find((name) => name === 'pg_temp' || catalog.isOpen(name, currentRole(session)));
  return schema === '' && first === 'pg_temp';
}

const qualified = (relation: Fields): string =>
  [text(relation, 'schemaname'), text(relation, 'relname')].filter((part) => part !== '').join('.');

const isOwn = ({ session, path }: Analysis, schema: string, name: string): boolean =>
  (schema === '' ? path.includes('pg_temp') : schema === 'pg_temp') && session.overlay.relations.has(name);

function ownRelation(analysis: Analysis, value: unknown): TemporaryRelation | undefined {
  const relation = isFields(value) ? value : {};
  const name = text(relation, 'relname');
  return isOwn(analysis, text(relation, 'schemaname'), name) ? analysis.session.overlay.relations.get(name) : undefined;
}

/** Whether a relation of the session appears anywhere in a query: more than need be, never less. */
function usesTemporary(analysis: Analysis, value: unknown): boolean {
  if (Array.isArray(value)) return value.some((one) => usesTemporary(analysis, one));
  if (!isFields(value)) return false;
  if (typeof value['relname'] === 'string' && isOwn(analysis, text(value, 'schemaname'), value['relname'])) return true;
  return Object.values(value).some((one) => usesTemporary(analysis, one));
}
