/**
 * What a definition costs: from its parse tree, and from the catalog where the types of columns are known. Owns: each kind of
 * definition but ALTER TABLE (alter-table.ts). A lock that hinders nobody's reading or writing, nor other definitions (ACCESS SHARE and
 * the like), counts as none.
 */
import { type NodeFields, type Node, isFields, nodeOf, nodesOf, relationName, strings, text } from '../ast.js';
import { alterTable } from './alter-table.js';
import { type Cost, CostSum, LOCK_MODES } from './cost.js';
import { type Columns, NO_COLUMNS } from './rows.js';

/** What a statement costs; undefined: it is no definition, nor upkeep. */
export function costOf({ kind, fields }: Node, columns: Columns = NO_COLUMNS): Cost | undefined {
  const read = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  if (!read) return undefined;
  const sum = new CostSum();
  read(sum, fields, columns);
  return sum.cost;
}

type Read = (sum: CostSum, fields: NodeFields, columns: Columns) => void;

const nameOf = (relation: unknown): string => {
  const fields = nodeOf(relation)?.fields ?? relation;
  return isFields(fields) ? relationName(fields) : '';
};

const nothing: Read = () => {};
const exclusive =
  (field: string): Read =>
  (sum, fields) =>
    sum.lock('access exclusive', nameOf(fields[field]));

const KINDS: Readonly<Record<string, Read>> = {
  AlterTableStmt: (sum, fields, columns) => {
    if (fields['objtype'] === 'OBJECT_SEQUENCE' || fields['objtype'] === 'OBJECT_TYPE') return;
    if (fields['objtype'] !== 'OBJECT_INDEX') return alterTable(sum, fields, columns);
    // The lock is on the index alone.
    if (!nodesOf(fields['cmds']).some(({ fields: one }) => one['subtype'] === 'AT_SetTableSpace')) return;
    sum.danger('tablespace-copies');
  },
  AlterTableMoveAllStmt: (sum) => {
    sum.lock('access exclusive');
    sum.rewrites = true;
    sum.scans = true;
    sum.danger('tablespace-copies');
  },
  IndexStmt: (sum, fields) => {
    sum.scans = true;
    const concurrent = fields['concurrent'] === true;
    sum.lock(concurrent ? 'share update exclusive' : 'share', nameOf(fields['relation']));
    if (!concurrent) sum.danger('index-blocks-writes');
  },
  CreateStmt: createTable,
  DropStmt: drop,
  RenameStmt: rename,
  AlterObjectSchemaStmt: (sum, fields) => {
    if (!isFields(fields['relation'])) return;
    if (fields['objectType'] !== 'OBJECT_SEQUENCE') sum.lock('access exclusive', nameOf(fields['relation']));
    sum.danger('renames');
  },
  ViewStmt: (sum, fields) => {
    if (fields['replace'] === true) sum.lock('access exclusive', nameOf(fields['view']));
  },
  RefreshMatViewStmt: (sum, fields) => {
    const concurrent = fields['concurrent'] === true;
    sum.lock(concurrent ? 'exclusive' : 'access exclusive', nameOf(fields['relation']));
    sum.scans = true;
    if (concurrent) return;
    sum.rewrites = fields['skipData'] !== true;
    sum.danger('refresh-blocks-reads');
  },
  ClusterStmt: (sum, fields) => rewrite(sum, nameOf(fields['relation'])),
  VacuumStmt: vacuum,
  ReindexStmt: reindex,
  TruncateStmt: (sum, fields) => {
    sum.lock('access exclusive', ...nodesOf(fields['relations']).map(nameOfNode));
    sum.reversible = false;
    sum.danger('truncates');
    if (fields['behavior'] === 'DROP_CASCADE') sum.danger('truncates-more');
  },
  CreateTrigStmt: (sum, fields) => {
    sum.lock('share row exclusive', nameOf(fields['relation']));
    if (isFields(fields['constrrel'])) sum.lock('share row exclusive', nameOf(fields['constrrel']));
  },
  RuleStmt: exclusive('relation'),
  CreatePolicyStmt: exclusive('table'),
  AlterPolicyStmt: exclusive('table'),
  CreateStatsStmt: (sum, fields) => sum.lock('share update exclusive', ...nodesOf(fields['relations']).map(nameOfNode)),
  CommentStmt: (sum, fields) => {
    const path = strings(nodeOf(fields['object'])?.fields['items']);
    if (fields['objtype'] === 'OBJECT_COLUMN') sum.lock('share update exclusive', path.slice(0, -1).join('.'));
    else if (TABLES.has(text(fields, 'objtype'))) sum.lock('share update exclusive', path.join('.'));
  },
  AlterDomainStmt: (sum, fields) => {
    const constraint = nodeOf(fields['def'])?.fields ?? {};
    const subtype = text(fields, 'subtype').replace('AD_', '');
    // Letters until 17, names from 18 on (AlterDomainStmt in parsenodes.h). The tables are not named.
    if (/^(O|SetNotNull)$/.test(subtype) || (/^(C|AddConstraint)$/.test(subtype) && !constraint['skip_validation'])) {
      sum.lock('share');
      sum.scans = true;
      sum.danger('domain-scans');
    } else if (/^(V|ValidateConstraint)$/.test(subtype)) {
      sum.lock('share');
      sum.scans = true;
    }
  },
  // The values of an enum cannot be taken away again.
  AlterEnumStmt: (sum, fields) => {
    sum.reversible = fields['oldVal'] !== undefined;
    if (fields['oldVal'] !== undefined) sum.danger('renames');
  },
  LockStmt: (sum, fields) => {
    const mode = LOCK_MODES[Number(fields['mode'] ?? 8) - 1] ?? 'access exclusive';
    sum.lock(mode, ...nodesOf(fields['relations']).map(nameOfNode));
  },
  CreatePublicationStmt: publication,
  AlterPublicationStmt: publication,
  CreateSchemaStmt: (sum, fields, columns) => {
    for (const { kind, fields: element } of nodesOf(fields['schemaElts'])) KINDS[kind]?.(sum, element, columns);
  },
  DropdbStmt: (sum) => {
    sum.reversible = false;
    sum.danger('drops-database');
  },
  DropOwnedStmt: (sum) => {
    sum.lock('access exclusive');
    sum.reversible = false;
    sum.danger('drops-table');
  },
  CreateSeqStmt: nothing,
  AlterSeqStmt: nothing,
  CompositeTypeStmt: nothing,
  CreateEnumStmt: nothing,
  CreateRangeStmt: nothing,
  CreateDomainStmt: nothing,
  CreateTableAsStmt: nothing,
  GrantStmt: nothing,
  CreateFunctionStmt: nothing,
};

const nameOfNode = ({ fields }: Node): string => relationName(fields);

const TABLES: ReadonlySet<string> = new Set(['OBJECT_TABLE', 'OBJECT_VIEW', 'OBJECT_MATVIEW', 'OBJECT_FOREIGN_TABLE']);

function rewrite(sum: CostSum, ...relations: readonly string[]): void {
  sum.lock('access exclusive', ...relations);
  sum.rewrites = true;
  sum.scans = true;
  sum.danger('storage-rewrites');
}

function createTable(sum: CostSum, fields: NodeFields): void {
  const partition = isFields(fields['partbound']);
  for (const parent of nodesOf(fields['inhRelations'])) {
    sum.lock(partition ? 'access exclusive' : 'share update exclusive', relationName(parent.fields));
    // A default partition may have rows for it.
    if (partition) sum.scans = true;
  }
  const elements = [...nodesOf(fields['tableElts']), ...nodesOf(fields['constraints'])];
  for (const { kind, fields: element } of elements) {
    const constraints = kind === 'Constraint' ? [element] : nodesOf(element['constraints']).map((one) => one.fields);
    for (const { contype, pktable } of constraints)
      if (contype === 'CONSTR_FOREIGN') sum.lock('share row exclusive', nameOf(pktable));
  }
}

function drop(sum: CostSum, fields: NodeFields): void {
  const type = text(fields, 'removeType');
  const names = nodesOf(fields['objects']).map(({ kind, fields: object }) =>
    kind === 'List' ? strings(object['items']) : [],
  );
  const cascade = fields['behavior'] === 'DROP_CASCADE';
  if (cascade) {
    sum.lock('access exclusive');
    sum.danger('drops-more');
  }
  if (TABLES.has(type)) sum.lock('access exclusive', ...names.map((name) => name.join('.')));
  // Of these the last name is their own, and those before name the table.
  if (ON_TABLES.has(type)) sum.lock('access exclusive', ...names.map((name) => name.slice(0, -1).join('.')));
  if (type === 'OBJECT_STATISTIC_EXT') sum.lock('share update exclusive');
  if (type === 'OBJECT_INDEX' && fields['concurrent'] === true) sum.lock('share update exclusive');
  else if (type === 'OBJECT_INDEX') {
    sum.lock('access exclusive');
    sum.danger('drop-index-blocks');
  }
  if (type === 'OBJECT_TABLE' || (type === 'OBJECT_SCHEMA' && cascade)) {
    sum.reversible = false;
    sum.danger('drops-table');
  }
  // The place where it stood is lost, and with it whatever a type or an extension kept.
  if (['OBJECT_SEQUENCE', 'OBJECT_EXTENSION'].includes(type) || (cascade && type === 'OBJECT_TYPE'))
    sum.reversible = false;
}

const ON_TABLES: ReadonlySet<string> = new Set(['OBJECT_TRIGGER', 'OBJECT_RULE', 'OBJECT_POLICY']);

function rename(sum: CostSum, fields: NodeFields): void {
  const type = text(fields, 'renameType');
  if (isFields(fields['relation']) && type !== 'OBJECT_INDEX' && type !== 'OBJECT_SEQUENCE')
    sum.lock('access exclusive', nameOf(fields['relation']));
  if (NAMED_IN_CODE.has(type)) sum.danger('renames');
}

const NAMED_IN_CODE: ReadonlySet<string> = new Set(
  'TABLE VIEW MATVIEW FOREIGN_TABLE COLUMN ATTRIBUTE SCHEMA FUNCTION PROCEDURE ROUTINE TYPE DOMAIN SEQUENCE DATABASE ROLE'
    .split(' ')
    .map((type) => `OBJECT_${type}`),
);

function vacuum(sum: CostSum, fields: NodeFields): void {
  const relations = nodesOf(fields['rels']).map(({ fields: one }) => nameOf(one['relation']));
  if (fields['is_vacuumcmd'] === true && isOn(fields['options'], 'full')) return rewrite(sum, ...relations);
  sum.lock('share update exclusive', ...relations);
  sum.scans = true;
}

function reindex(sum: CostSum, fields: NodeFields): void {
  const kind = text(fields, 'kind');
  const concurrent = isOn(fields['params'], 'concurrently');
  const tables = kind === 'REINDEX_OBJECT_TABLE' ? [nameOf(fields['relation'])] : [];
  sum.lock(concurrent ? 'share update exclusive' : 'share', ...tables);
  sum.scans = true;
  if (!concurrent) sum.danger('reindex-blocks-writes');
}

function publication(sum: CostSum, fields: NodeFields): void {
  const tables = nodesOf(fields['pubobjects']).flatMap(({ fields: object }) =>
    isFields(object['pubtable']) ? [nameOf(object['pubtable']['relation'])] : [],
  );
  if (tables.length > 0) sum.lock('share update exclusive', ...tables);
}

/** An option is on unless it is plainly switched off. */
const isOn = (options: unknown, name: string): boolean =>
  nodesOf(options).some(({ fields }) => {
    if (text(fields, 'defname').toLowerCase() !== name) return false;
    const { kind, fields: value } = nodeOf(fields['arg']) ?? { kind: '', fields: {} };
    const written = kind === 'Integer' ? String(value['ival'] ?? 0) : text(value, 'sval').toLowerCase();
    return !['false', 'off', '0'].includes(written);
  });
