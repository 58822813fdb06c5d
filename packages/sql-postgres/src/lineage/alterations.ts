/**
 * ALTER TABLE and RENAME, in the transaction that does them: a table is followed as it becomes. Owns: what its columns are then,
 * whether it is one of the session or of everybody's. Does not: CREATE and DROP (`definitions.ts`).
 */
import { type NodeFields, isFields, nodeOf, nodesOf, text } from '../ast.js';
import type { Relation } from '../catalog/objects.js';
import { type LineageAnalysis, Unsure } from './analysis.js';
import { columnDef, isNew, ownRelation, viewsOf } from './definitions.js';
import type { TemporaryRelation } from './effects.js';
import { expression } from './expression.js';
import { columnsOf, findRelation } from './relations.js';
import { EMPTY_SCOPE, item } from './scope.js';
import { type Column, computed, hasFields, withoutFields } from './value.js';

/** ALTER TABLE: columns come, go and change their types; after whatever else is done to it nothing is known of the table. */
export function alter(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  const commands = nodesOf(fields['cmds']).map((command) => command.fields);
  const subtypes = commands.map(({ subtype }) => String(subtype ?? ''));
  if (subtypes.some((one) => INHERITANCE.has(one))) return changesParents(analysis, fields, commands);
  const own = ownRelation(analysis, fields['relation']);
  // With CASCADE views go too.
  if (commands.some(({ behavior }) => behavior === 'DROP_CASCADE'))
    analysis.effects.push({ type: 'defined', names: viewsOf(analysis) });
  if (subtypes.every((one) => HARMLESS.has(one))) {
    const isTemporary = own !== undefined && own.permanent === undefined;
    analysis.effects.push(isTemporary ? { type: 'relation', relation: own } : { type: 'defined', names: [] });
    return [];
  }
  const before = own ?? storedAsOwn(analysis, fields['relation']);
  if (before) changeColumns(analysis, before, commands);
  else if (!changesNames(analysis, fields['relation'])) analysis.effects.push({ type: 'defined', names: 'any' });
  return [];
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
    else if (subtype === 'AT_AlterColumnType' && definition)
      columns = converted(analysis, before, columns, name, definition);
    else if (!HARMLESS.has(subtype)) unknown = 'reads a table that this transaction has altered';
  }
  analysis.effects.push({
    type: 'relation',
    relation: { ...before, columns, ...(unknown !== undefined && { unknown }) },
  });
  forgetFields(analysis, before);
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
  const { type, stored } = made;
  return columns.map((column) => {
    if (column.name !== changed) return column;
    const value =
      using === undefined && column.value.kind === 'direct' ? column.value : computed([column.value, ...put]);
    const { type: _, stored: __, row: ___, element: ____, ...rest } = withoutFields(value);
    return { name: changed, value: { ...rest, ...(type !== undefined && { type }), ...(stored && { stored }) } };
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
  const schema = text(relation, 'schemaname');
  const known = [...catalog.schemas].some((one) => catalog.relation(one, name) !== undefined);
  const found = known ? findRelation(analysis, schema, name) : undefined;
  if (found?.type !== 'stored' || !isAlone(analysis, found.relation)) return undefined;
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

/** An ordinary table without parents, children and rules: nothing else shows its columns, or changes with them. */
const isAlone = ({ catalog }: LineageAnalysis, { kind, oid, parents, rewritten, unread }: Relation): boolean =>
  kind === 'r' &&
  !rewritten &&
  !unread &&
  parents.length === 0 &&
  !catalog.relations.some((one) => one.parents.includes(oid));

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

/** Nothing that a statement reads, neither names nor values, changes by these. */
const HARMLESS: ReadonlySet<string> = new Set(
  `AT_AddConstraint AT_AddIdentity AT_AddIndex AT_AddIndexConstraint AT_AlterConstraint AT_ChangeOwner AT_ClusterOn
   AT_ColumnDefault AT_DisableRowSecurity AT_DisableTrig AT_DisableTrigAll AT_DisableTrigUser AT_DropCluster AT_DropConstraint
   AT_DropIdentity AT_DropNotNull AT_EnableRowSecurity AT_EnableTrig AT_EnableTrigAll AT_EnableTrigUser AT_ForceRowSecurity
   AT_NoForceRowSecurity AT_ReplicaIdentity AT_ResetOptions AT_ResetRelOptions AT_SetAccessMethod AT_SetCompression
   AT_SetIdentity AT_SetLogged AT_SetNotNull AT_SetOptions AT_SetRelOptions AT_SetStatistics AT_SetStorage AT_SetTableSpace
   AT_SetUnLogged AT_ValidateConstraint`.split(/\s+/),
);

const INHERITANCE: ReadonlySet<string> = new Set(
  'AT_AddInherit AT_AttachPartition AT_DetachPartition AT_DetachPartitionFinalize AT_DropInherit'.split(' '),
);

/** A partition or child comes to a parent. One that others see has rows of its own, which then show in views of the parent too. */
function changesParents(
  analysis: LineageAnalysis,
  fields: NodeFields,
  commands: readonly NodeFields[],
): readonly Column[] {
  const parent = isFields(fields['relation']) ? text(fields['relation'], 'relname') : '';
  const children = commands.map(({ subtype, def }) => {
    const partition = subtype === 'AT_AttachPartition' ? nodeOf(def)?.fields['name'] : undefined;
    return isFields(partition) ? text(partition, 'relname') : undefined;
  });
  const { relations } = analysis.session.overlay;
  const isMade = (name: string | undefined): name is string => {
    const made = name === undefined ? undefined : relations.get(name);
    return made?.permanent !== undefined && made.stored === undefined;
  };
  const made = children.filter(isMade);
  if (made.length < children.length) return [];
  for (const name of made) analysis.effects.push({ type: 'drop relation', name });
  analysis.effects.push({ type: 'defined', names: [parent, ...made, ...ancestorsOf(analysis, parent)] });
  return [];
}

function ancestorsOf({ catalog }: LineageAnalysis, name: string): string[] {
  const above = catalog.relations.filter((one) => one.name === name).flatMap(({ parents }) => parents);
  const names: string[] = [];
  for (const oid of above) {
    const relation = catalog.relationByOid(oid);
    if (!relation || names.includes(relation.name)) continue;
    names.push(relation.name);
    above.push(...relation.parents);
  }
  return names;
}

export function rename(analysis: LineageAnalysis, fields: NodeFields): readonly Column[] {
  const renamed = String(fields['renameType']);
  const to = text(fields, 'newname');
  if (LEAVING_NAMES.has(renamed)) {
    analysis.effects.push({ type: 'defined', names: [] });
    return [];
  }
  const ofTable = renamed === 'OBJECT_COLUMN' && fields['relationType'] === 'OBJECT_TABLE';
  const own = ownRelation(analysis, fields['relation']) ?? (ofTable && storedAsOwn(analysis, fields['relation']));
  if (!own) {
    if (ofTable || renamed === 'OBJECT_TABLE') changesNames(analysis, fields['relation'], [to]);
    return [];
  }
  if (renamed === 'OBJECT_COLUMN') {
    const from = text(fields, 'subname');
    const columns = own.columns.map((column) => (column.name === from ? { ...column, name: to } : column));
    analysis.effects.push({ type: 'relation', relation: { ...own, columns } });
    forgetFields(analysis, own);
  } else if (['OBJECT_TABLE', 'OBJECT_VIEW', 'OBJECT_SEQUENCE'].includes(renamed)) {
    // By the name that it had another may be meant now; one of everybody's may hide another by the new one.
    if (own.permanent !== undefined && !isNew(analysis, to)) analysis.effects.push({ type: 'defined', names: 'any' });
    analysis.effects.push({ type: 'drop relation', name: own.name });
    if (own.stored) analysis.effects.push({ type: 'defined', names: [own.name] });
    analysis.effects.push({ type: 'relation', relation: { ...own, name: to } });
  } else {
    throw new Unsure('renames a part of a temporary table in a way that is not understood');
  }
  return [];
}

const LEAVING_NAMES: ReadonlySet<string> = new Set([
  'OBJECT_TABCONSTRAINT',
  'OBJECT_INDEX',
  'OBJECT_TRIGGER',
  'OBJECT_POLICY',
]);

/**
 * A stored table without children is changed in another way: until the transaction has ended its name
 * and `also` are not known.
 *
 * @returns whether that is all
 */
function changesNames(analysis: LineageAnalysis, value: unknown, also: readonly string[] = []): boolean {
  const relation = isFields(value) ? value : {};
  const name = text(relation, 'relname');
  const { catalog } = analysis;
  const found = catalog.relations.filter((one) => one.name === name);
  const hasChildren = catalog.relations.some(({ parents }) => found.some(({ oid }) => parents.includes(oid)));
  if (found.length === 0 || hasChildren) return false;
  analysis.effects.push({ type: 'defined', names: [name, ...also] });
  return true;
}
