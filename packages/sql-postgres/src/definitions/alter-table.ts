/**
 * What ALTER TABLE costs, by its actions. Locks are those of AlterTableGetLockLevel (tablecmds.c), whether rows are written
 * anew follows ATExecAddColumn and ATColumnChangeRequiresRewrite. Does not: judge what a definition means.
 */
import { type NodeFields, isFields, nodeOf, nodesOf, relationName, text } from '../ast.js';
import type { CostSum, LockMode } from './cost.js';
import { type Columns, keepsRows, mayDiffer } from './rows.js';

/** What an action of one kind costs, where it is always the same. The lock is on the table. */
const LOCKS: Readonly<Record<string, LockMode>> = {
  AT_SetStatistics: 'share update exclusive',
  AT_SetOptions: 'share update exclusive',
  AT_ResetOptions: 'share update exclusive',
  AT_ClusterOn: 'share update exclusive',
  AT_DropCluster: 'share update exclusive',
  AT_ValidateConstraint: 'share update exclusive',
  AT_AttachPartition: 'share update exclusive',
  AT_EnableTrig: 'share row exclusive',
  AT_EnableAlwaysTrig: 'share row exclusive',
  AT_EnableReplicaTrig: 'share row exclusive',
  AT_EnableTrigAll: 'share row exclusive',
  AT_EnableTrigUser: 'share row exclusive',
  AT_DisableTrig: 'share row exclusive',
  AT_DisableTrigAll: 'share row exclusive',
  AT_DisableTrigUser: 'share row exclusive',
};

/** Options of a table that the server changes while it is read and written (reloptions.c). The others are not. */
const LIGHT_OPTIONS =
  /^(fillfactor|toast_tuple_target|parallel_workers|log_autovacuum_min_duration|vacuum_index_cleanup|vacuum_truncate|vacuum_max_eager_freeze_failure_rate|autovacuum_\w+)$/;

export function alterTable(sum: CostSum, fields: NodeFields, columns: Columns): void {
  const table = isFields(fields['relation']) ? relationName(fields['relation']) : '';
  for (const { fields: command } of nodesOf(fields['cmds'])) action(sum, table, command, columns);
}

function action(sum: CostSum, table: string, command: NodeFields, columns: Columns): void {
  const subtype = text(command, 'subtype');
  const definition = nodeOf(command['def'])?.fields ?? {};
  if (command['behavior'] === 'DROP_CASCADE') sum.danger('drops-more');
  if (subtype === 'AT_AddConstraint') return constraint(sum, table, definition);
  if (subtype === 'AT_SetRelOptions' || subtype === 'AT_ResetRelOptions')
    return sum.lock(lightOptions(command['def']) ? 'share update exclusive' : 'access exclusive', table);
  sum.lock(LOCKS[subtype] ?? 'access exclusive', table);
  ACTIONS[subtype]?.(sum, { table, column: text(command, 'name'), definition, columns });
}

interface About {
  readonly table: string;
  readonly column: string;
  readonly definition: NodeFields;
  readonly columns: Columns;
}

const ACTIONS: Readonly<Record<string, (sum: CostSum, about: About) => void>> = {
  AT_AddColumn: (sum, { table, definition, columns }) => addColumn(sum, table, definition, columns),
  AT_DropColumn: (sum) => {
    sum.reversible = false;
    sum.danger('drops-column');
  },
  AT_AlterColumnType: (sum, { table, column, definition, columns }) => {
    sum.reversible = false;
    // Under another collation its indexes are built anew.
    if (isFields(definition['collClause'])) sum.scans = true;
    if (keepsRows(columns, columns.typeOf(table, column), definition)) return;
    sum.rewrites = true;
    sum.scans = true;
    sum.danger('type-rewrites');
  },
  AT_SetNotNull: (sum) => {
    sum.scans = true;
    sum.danger('not-null-scans');
  },
  // All values are computed anew (17 and later).
  AT_SetExpression: (sum) => {
    sum.rewrites = true;
    sum.scans = true;
    sum.reversible = false;
    sum.danger('storage-rewrites');
  },
  AT_ValidateConstraint: (sum) => {
    sum.scans = true;
  },
  AT_SetLogged: rewritesAll,
  AT_SetUnLogged: rewritesAll,
  AT_SetAccessMethod: rewritesAll,
  AT_SetTableSpace: (sum) => {
    sum.rewrites = true;
    sum.scans = true;
    sum.danger('tablespace-copies');
  },
  AT_AttachPartition: (sum, { definition }) => {
    // Locked before it is one of its partitions. A default partition is locked as well.
    if (isFields(definition['name'])) sum.lock('access exclusive', relationName(definition['name']));
    sum.scans = true;
    sum.danger('attach-scans');
  },
  AT_DetachPartition: (sum, { table, definition }) => {
    const partition = isFields(definition['name']) ? relationName(definition['name']) : '';
    if (definition['concurrent'] !== true) {
      sum.lock('access exclusive', partition);
      return sum.danger('detach-blocks');
    }
    sum.lock('access exclusive', table, partition);
  },
  AT_AddInherit: (sum, { table }) => sum.lock('access exclusive', table),
};

function rewritesAll(sum: CostSum): void {
  sum.rewrites = true;
  sum.scans = true;
  sum.danger('storage-rewrites');
}

function addColumn(sum: CostSum, table: string, definition: NodeFields, columns: Columns): void {
  const constraints = nodesOf(definition['constraints']).map((one) => one.fields);
  const differs = mayDiffer(columns, definition, constraints);
  if (differs) {
    sum.rewrites = true;
    sum.scans = true;
    sum.danger('default-rewrites');
  }
  const types = constraints.map((one) => text(one, 'contype'));
  const filled = differs || types.some((type) => FILLS.has(type));
  if (types.includes('CONSTR_NOTNULL') && !filled) sum.danger('not-null-without-default');
  for (const one of constraints) if (!INSIDE.has(text(one, 'contype'))) constraint(sum, table, one, filled);
}

const FILLS: ReadonlySet<string> = new Set(['CONSTR_DEFAULT', 'CONSTR_IDENTITY', 'CONSTR_GENERATED']);
/** Part of the column itself, or of the constraint before. */
const INSIDE: ReadonlySet<string> = new Set([
  ...FILLS,
  'CONSTR_NULL',
  'CONSTR_NOTNULL',
  'CONSTR_ATTR_DEFERRABLE',
  'CONSTR_ATTR_NOT_DEFERRABLE',
  'CONSTR_ATTR_DEFERRED',
  'CONSTR_ATTR_IMMEDIATE',
  'CONSTR_ATTR_ENFORCED',
  'CONSTR_ATTR_NOT_ENFORCED',
]);

/** `filled`: there is something in the rows that it would have to be checked for. */
function constraint(sum: CostSum, table: string, fields: NodeFields, filled = true): void {
  // NOT VALID, or NOT ENFORCED (18).
  const unchecked = fields['skip_validation'] === true;
  switch (fields['contype']) {
    case 'CONSTR_FOREIGN': {
      const other = isFields(fields['pktable']) ? relationName(fields['pktable']) : '';
      sum.lock('share row exclusive', table, other);
      if (unchecked || !filled) return;
      sum.scans = true;
      return sum.danger('foreign-key-blocks-writes');
    }
    case 'CONSTR_UNIQUE':
    case 'CONSTR_PRIMARY':
      sum.lock('access exclusive', table);
      if (text(fields, 'indexname') !== '') return;
      sum.scans = true;
      return sum.danger('unique-blocks');
    case 'CONSTR_EXCLUSION':
      sum.lock('access exclusive', table);
      sum.scans = true;
      return sum.danger('exclusion-blocks');
    default:
      sum.lock('access exclusive', table);
      if (unchecked) return;
      sum.scans = true;
      sum.danger(fields['contype'] === 'CONSTR_NOTNULL' ? 'not-null-scans' : 'check-scans');
  }
}

const lightOptions = (options: unknown): boolean => {
  const list = nodeOf(options)?.kind === 'List' ? nodeOf(options)?.fields['items'] : options;
  return nodesOf(list).every(({ fields }) => LIGHT_OPTIONS.test(text(fields, 'defname')));
};
