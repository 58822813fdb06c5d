/**
 * ALTER TABLE and RENAME, in the transaction that does them: a table is followed as it becomes, whether it is one of the session or,
 * where nothing else shows its columns, of everybody's. Does not own: CREATE and DROP (`definitions.ts`).
 */
import { type NodeFields, isFields, nodeOf, nodesOf, relationName, text } from '../ast.js';
import type { Catalog } from '../catalog/catalog.js';
import type { Relation } from '../catalog/objects.js';
import { type LineageAnalysis, Unsure } from './analysis.js';
import { columnsIn, constraintsCompare } from './comparing.js';
import { columnDef, defaultIn, defaultOf, movesDefault, ownRelation } from './definitions.js';
import type { TemporaryRelation } from './effects.js';
import { expression } from './expression.js';
import { alteredKeeps } from './keeping.js';
import {
  CODE_BEHIND_WRITES,
  GOES_WITH_IT,
  bodiesInStandard,
  callsUnread,
  descendants,
  ownedByTables,
  renamedNames,
  withReaders,
} from './other-definitions.js';
import { definesCasts } from './reach.js';
import { columnsOf, findRelation } from './relations.js';
import { EMPTY_SCOPE, item } from './scope.js';
import { type Column, computed, hasFields, typeIn, withoutFields } from './value.js';

/** ALTER TABLE: columns come, go and change their types; after whatever else is done to it nothing is known of the table. */
export function alter(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  const commands = nodesOf(fields['cmds']).map((command) => command.fields);
  const subtypes = commands.map(({ subtype }) => String(subtype ?? ''));
  // Of whatever relation: it may be one that the catalog does not have yet.
  if (subtypes.every((one) => one === 'AT_ChangeOwner')) {
    analysis.effects.push({ type: 'defined', names: [] });
    return [];
  }
  const own = ownRelation(analysis, fields['relation']);
  const definitions = commands.flatMap(({ def }) => nodeOf(def) ?? []).filter(({ kind }) => CONSTRAINING.has(kind));
  const compares =
    definitions.length > 0 && constraintsCompare(analysis, columnsIn(analysis, fields['relation']), definitions);
  if (own && !own.stored) {
    changeColumns(analysis, compares ? { ...own, compares } : own, commands);
    return [];
  }
  alteredKeeps(analysis, fields['relation'], commands);
  if (fields['objtype'] !== 'OBJECT_TABLE' || !subtypes.every((one) => HARMLESS.has(one) || OF_ITSELF.has(one)))
    return [];
  const { catalog, session } = analysis;
  const calls = callsUnread(catalog, fields['cmds']) || definesCasts(catalog, session, fields);
  if (commands.some(bindsTables)) analysis.effects.push({ type: 'defined', names: [CODE_BEHIND_WRITES] });
  movesDefaults(analysis, fields['relation'], commands);
  cascades(analysis, fields['relation'], commands);
  // Sequences go with their columns.
  const owned = subtypes.some((one) => DROPS_SEQUENCES.has(one)) ? ownedByTables(catalog) : [];
  if (owned.length > 0) analysis.effects.push({ type: 'defined', names: owned });
  const isFollowed = !calls && subtypes.every((one) => HARMLESS.has(one) || OF_COLUMNS.has(one));
  const before = isFollowed ? (own ?? storedAsOwn(analysis, fields['relation'])) : undefined;
  if (!calls && subtypes.every((one) => HARMLESS.has(one))) changes(analysis, fields['relation'], []);
  else if (before) changeColumns(analysis, before, commands);
  else changes(analysis, fields['relation']);
  return [];
}

/** Nodes of which a definition of a constraint is, or may be a part. */
const CONSTRAINING: ReadonlySet<string> = new Set(['ColumnDef', 'Constraint']);

/** A foreign key: what is deleted or changed elsewhere reaches the table. */
function bindsTables({ def }: NodeFields): boolean {
  const { kind, fields } = nodeOf(def) ?? { kind: '', fields: {} };
  const constraints = kind === 'ColumnDef' ? nodesOf(fields['constraints']) : [{ kind, fields }];
  return constraints.some((one) => one.fields['contype'] === 'CONSTR_FOREIGN');
}

/** Rows get what a default reads, and what ALTER COLUMN TYPE makes of them. */
function movesDefaults(analysis: LineageAnalysis, value: unknown, commands: readonly NodeFields[]): void {
  const name = isFields(value) ? relationName(value) : '';
  for (const command of commands) {
    const { kind, fields } = nodeOf(command['def']) ?? { kind: '', fields: {} };
    const column = text(command, 'name') || text(fields, 'colname');
    if (kind === 'ColumnDef') {
      movesDefault(analysis, name, column, defaultIn(fields));
      movesDefault(analysis, name, column, fields['raw_default']);
    } else if (command['subtype'] === 'AT_ColumnDefault') movesDefault(analysis, name, column, command['def']);
  }
}

/** With CASCADE views of the table may go too: by their names others may be meant then. */
function cascades({ catalog, effects }: LineageAnalysis, value: unknown, commands: readonly NodeFields[]): void {
  if (!commands.some(({ behavior }) => behavior === 'DROP_CASCADE')) return;
  const name = isFields(value) ? text(value, 'relname') : '';
  const children = descendants(catalog, name);
  const readers = [name, ...children].flatMap((one) => withReaders(catalog, one)).filter((one) => one !== name);
  effects.push({ type: 'defined', names: [GOES_WITH_IT, ...readers, ...bodiesInStandard(catalog)] });
}

function changeColumns(analysis: LineageAnalysis, before: TemporaryRelation, commands: readonly NodeFields[]): void {
  let { columns, unknown } = before;
  for (const command of commands) {
    const subtype = String(command['subtype'] ?? '');
    const name = text(command, 'name');
    const definition = nodeOf(command['def'])?.fields;
    if (subtype === 'AT_AddColumn' && definition) {
      const added = columnDef(analysis, definition);
      if (!columns.some((one) => one.name === added.name)) columns = [...columns, added];
    } else if (subtype === 'AT_DropColumn') columns = columns.filter((one) => one.name !== name);
    else if (subtype === 'AT_AlterColumnType' && definition && before.stored)
      columns = converted(analysis, before, columns, name, definition);
    else if (!HARMLESS.has(subtype)) unknown = 'reads a temporary table that was altered';
  }
  analysis.effects.push({
    type: 'relation',
    relation: { ...before, columns, ...(unknown !== undefined && { unknown }) },
  });
  forgetFields(analysis, before);
  takesDefaults(analysis, before, commands);
}

/** From now on rows may get what a new default computes, also where views of the session show them. */
function takesDefaults(analysis: LineageAnalysis, { name }: TemporaryRelation, commands: readonly NodeFields[]): void {
  const columns = commands
    .filter(({ subtype, def }) => subtype === 'AT_ColumnDefault' && def !== undefined)
    .map((command) => ({ name: text(command, 'name'), value: defaultOf(analysis, command['def']) }));
  if (columns.length > 0) analysis.effects.push({ type: 'taint', name, columns });
}

/** ALTER COLUMN TYPE: the column is computed from what it was, or from any of its table by USING. */
function converted(
  analysis: LineageAnalysis,
  { name }: TemporaryRelation,
  columns: readonly Column[],
  changed: string,
  definition: NodeFields,
): readonly Column[] {
  const scope = { ...EMPTY_SCOPE, items: [item(name, columns, { stored: true })] };
  const using = definition['raw_default'];
  const put = using === undefined ? [] : [expression(analysis, scope, using)];
  const { value: made } = columnDef(analysis, { ...definition, colname: changed, raw_default: undefined });
  return columns.map((column) => {
    if (column.name !== changed) return column;
    const value =
      using === undefined && column.value.kind === 'direct' ? column.value : computed([column.value, ...put]);
    const { type: _, stored: __, limited: ___, ...rest } = withoutFields(value);
    return { name: changed, value: { ...rest, ...typeIn(made) } };
  });
}

/** A table of everybody's as one of the session, which it is until its transaction has ended; undefined where it cannot be. */
function storedAsOwn(analysis: LineageAnalysis, value: unknown): TemporaryRelation | undefined {
  const relation = isFields(value) ? value : {};
  const name = text(relation, 'relname');
  const { catalog, session } = analysis;
  const { relations, defined, uncertain } = session.overlay;
  if (uncertain !== undefined || session.anyPath !== undefined || relations.has(name) || defined.has(name))
    return undefined;
  const isKnown = [...catalog.schemas].some((one) => catalog.relation(one, name) !== undefined);
  const found = isKnown ? findRelation(analysis, text(relation, 'schemaname'), name) : undefined;
  if (found?.type !== 'stored' || !isAlone(catalog, found.relation)) return undefined;
  return {
    name,
    columns: columnsOf(analysis, found),
    dropOnCommit: true,
    view: false,
    permanent: found.relation.schema,
    stored: found.relation,
    version: catalog.version,
  };
}

/** An ordinary table without parents, children and rules: none else shows its columns by their names. */
const isAlone = (catalog: Catalog, { kind, oid, parents, rewritten, unread }: Relation): boolean =>
  kind === 'r' && !rewritten && !unread && parents.length === 0 && catalog.childrenOf(oid).length === 0;

/**
 * Other relations may hold rows of one whose columns get other names, and documents that are made of them: those of the session,
 * and of one that others see, stored columns and views too. Naming its array type as defined makes all of these be taken whole.
 */
function forgetFields({ session, effects }: LineageAnalysis, own: TemporaryRelation): void {
  if (own.stored) effects.push({ type: 'defined', names: [`_${own.stored.name}`] });
  for (const relation of session.overlay.relations.values()) {
    if (relation === own || !relation.columns.some(({ value }) => hasFields(value))) continue;
    const columns = relation.columns.map(({ name, value }) => ({ name, value: withoutFields(value) }));
    effects.push({ type: 'relation', relation: { ...relation, columns } });
  }
}

const HARMLESS: ReadonlySet<string> = new Set([
  'AT_AddConstraint',
  'AT_AddIndex',
  'AT_ChangeOwner',
  'AT_ColumnDefault',
  'AT_DropConstraint',
  'AT_DropNotNull',
  'AT_SetNotNull',
  'AT_SetStatistics',
]);

const DROPS_SEQUENCES: ReadonlySet<string> = new Set(['AT_DropColumn', 'AT_DropIdentity']);

/** What they change are columns, and they are followed. */
const OF_COLUMNS: ReadonlySet<string> = new Set(['AT_AddColumn', 'AT_DropColumn', 'AT_AlterColumnType']);

/** What they change is the table, and nothing else. */
const OF_ITSELF: ReadonlySet<string> = new Set(
  `AT_AddColumn AT_DropColumn AT_AlterColumnType AT_EnableRowSecurity AT_DisableRowSecurity
   AT_ForceRowSecurity AT_NoForceRowSecurity AT_EnableTrig AT_EnableTrigAll AT_EnableTrigUser AT_DisableTrig AT_DisableTrigAll
   AT_DisableTrigUser AT_SetRelOptions AT_ResetRelOptions AT_ReplicaIdentity AT_AddIdentity AT_SetIdentity AT_DropIdentity
   AT_DropExpression AT_SetStorage AT_ClusterOn AT_DropCluster AT_ValidateConstraint`.split(/\s+/),
);

export function rename(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  const to = text(fields, 'newname');
  const mine = ownRelation(analysis, fields['relation']);
  const relation = isFields(fields['relation']) ? text(fields['relation'], 'relname') : '';
  // ALTER INDEX renames whatever has the name.
  const isIndex = fields['renameType'] === 'OBJECT_INDEX';
  const isTable = isIndex && (mine !== undefined || analysis.catalog.relationsNamed(relation).length > 0);
  const renamed = isTable ? 'OBJECT_TABLE' : String(fields['renameType']);
  const ofTable = renamed === 'OBJECT_COLUMN' && fields['relationType'] === 'OBJECT_TABLE';
  // Of a table of everybody's only its columns are followed.
  const own = (mine?.stored && !ofTable ? undefined : mine) ?? (ofTable && storedAsOwn(analysis, fields['relation']));
  if (!own) {
    if (['OBJECT_TABCONSTRAINT', 'OBJECT_INDEX'].includes(renamed)) changes(analysis, fields['relation'], []);
    if (ofTable) changes(analysis, fields['relation']);
    if (renamed === 'OBJECT_TABLE') changes(analysis, fields['relation'], [to]);
    const others = renamedNames(analysis, fields);
    if (others) analysis.effects.push({ type: 'defined', names: others });
    return [];
  }
  if (renamed === 'OBJECT_COLUMN') {
    const from = text(fields, 'subname');
    const columns = own.columns.map((column) => (column.name === from ? { ...column, name: to } : column));
    analysis.effects.push({ type: 'relation', relation: { ...own, columns } });
    forgetFields(analysis, own);
  } else if (['OBJECT_TABLE', 'OBJECT_VIEW', 'OBJECT_SEQUENCE'].includes(renamed)) {
    analysis.effects.push({ type: 'drop relation', name: own.name });
    analysis.effects.push({ type: 'relation', relation: { ...own, name: to } });
  } else if (!['OBJECT_TABCONSTRAINT', 'OBJECT_INDEX'].includes(renamed)) {
    throw new Unsure('renames a part of a temporary table in a way that is not understood');
  }
  return [];
}

/**
 * A stored table is changed: its name shows something else until the transaction has ended, and `also` as well. So do its children.
 *
 * @param also further names; `[]` where no name means anything else
 */
function changes({ catalog, effects }: LineageAnalysis, value: unknown, also?: readonly string[]): void {
  const relation = isFields(value) ? value : {};
  const name = text(relation, 'relname');
  const found = catalog.relationsNamed(name);
  if (also?.length === 0) effects.push({ type: 'defined', names: [] });
  else if (found.length > 0)
    effects.push({ type: 'defined', names: [name, ...descendants(catalog, name), ...(also ?? [])] });
}
