/**
 * What a statement would do to the tables of MySQL or MariaDB, for those who decide about it: rows by the optimizer's estimate, the
 * size of the table, what cascades and which triggers fire. Does not own: how long may be looked (approvals).
 */
import { type ChangedTable, type Impact, type TableImpact, estimated } from '@sluice/approvals';
import type { Facts, Lookup, MySqlDialect, SqlCommand } from '@sluice/contract';

const PLANNED: ReadonlySet<string> = new Set(['update', 'delete']);
/** Tables of one statement that are looked at. */
const MAX_TABLES = 10;
/** Triggers, and tables that refer to one. */
const MAX_NAMES = 20;

/** Which rule of a foreign key acts, and for which event triggers fire. */
const EVENTS: Readonly<Record<string, { readonly rule: string; readonly event: string }>> = {
  delete: { rule: 'delete_rule', event: 'DELETE' },
  replace: { rule: 'delete_rule', event: 'INSERT' },
  update: { rule: 'update_rule', event: 'UPDATE' },
  insert: { rule: 'update_rule', event: 'INSERT' },
  'load data': { rule: 'update_rule', event: 'INSERT' },
};

/**
 * Asked on a connection of the gateway's own that changes nothing. The statement is planned (EXPLAIN) only where no function can run
 * that nobody has vetted: EXPLAIN runs stored functions in derived tables and subqueries.
 *
 * @param sameNames names mean to the gateway's connection what they mean to the session
 * @returns undefined for a statement that changes nothing; never rejects
 */
export const impactOf = (
  command: SqlCommand,
  facts: Facts,
  sameNames: boolean,
  open: () => Promise<Lookup>,
): Promise<Impact | undefined> =>
  estimated(facts, sameNames, open, (lookup, changed) => lookAt(lookup, command, facts, changed));

async function lookAt(
  lookup: Lookup,
  command: SqlCommand,
  facts: Facts,
  changed: readonly ChangedTable[],
): Promise<Impact> {
  const { dialect } = command;
  if (dialect.name !== 'mysql') throw new TypeError(`${dialect.name} is no dialect of MySQL`);
  await lookup.query('set session transaction read only');
  await lookup.query('set session lock_wait_timeout = 1');
  if (dialect.database !== undefined) await lookup.query(`use ${quoted(dialect.database)}`);
  const tables: TableImpact[] = [];
  for (const one of distinct(changed)) {
    const table = await tableOf(lookup, one, dialect.database);
    if (table) tables.push(table);
  }
  if (!changed.some(({ verb }) => PLANNED.has(verb))) return { tables };
  const unplanned = await whyNot(lookup, command, facts, dialect);
  if (unplanned !== undefined) return { tables, unknown: unplanned };
  const rows = await planned(lookup, command.text, dialect).catch(() => undefined);
  // The target's words may quote a value, which approvers may not be shown.
  if (!rows) return { tables, unknown: 'the target cannot plan it' };
  return { tables: tables.map((table) => ({ ...table, ...rowsOf(table, tables, rows) })) };
}

/** The plan names tables by their aliases: an estimate is given where only one table is changed. */
function rowsOf(
  table: TableImpact,
  tables: readonly TableImpact[],
  rows: ReadonlyMap<string, number>,
): { rows?: number } {
  const plain = table.table.slice(table.table.lastIndexOf('.') + 1);
  const only = tables.length === 1 && rows.size === 1 ? [...rows.values()][0] : undefined;
  const estimate = rows.get(plain) ?? only;
  return estimate === undefined ? {} : { rows: estimate };
}

/** Size, cascades and triggers; undefined for a name that is no table there, as a spelling in lower case may be. */
async function tableOf(
  lookup: Lookup,
  { verb, name }: ChangedTable,
  database: string | undefined,
): Promise<TableImpact | undefined> {
  const where = placeOf(name, database);
  const [found] = await lookup.query(
    `select table_rows, data_length + index_length from information_schema.tables
     where table_schema = ${where.schema} and table_name = ${where.table}`,
  );
  if (!found) return undefined;
  const event = EVENTS[verb];
  const triggers = event
    ? await lookup.query(
        `select trigger_name from information_schema.triggers where event_object_schema = ${where.schema}
         and event_object_table = ${where.table} and event_manipulation = '${event.event}' order by 1 limit ${MAX_NAMES}`,
      )
    : [];
  const acting = event ? `and ${event.rule} in ('CASCADE', 'SET NULL', 'SET DEFAULT')` : '';
  const referring = await lookup.query(
    `select concat(constraint_schema, '.', table_name) from information_schema.referential_constraints
     where unique_constraint_schema = ${where.schema} and referenced_table_name = ${where.table} ${acting}
     order by 1 limit ${MAX_NAMES}`,
  );
  return {
    verb,
    table: name,
    bytes: Number(found[1] ?? 0),
    totalRows: Number(found[0] ?? 0),
    cascades: referring.map(([text]) => text ?? ''),
    triggers: triggers.map(([text]) => text ?? ''),
  };
}

/** Why the statement is not planned: a phrase. */
async function whyNot(
  lookup: Lookup,
  { parameters = [] }: SqlCommand,
  facts: Facts,
  { database }: MySqlDialect,
): Promise<string | undefined> {
  if (facts.statements.length !== 1) return 'the text has more than one statement';
  if (facts.actions.some(({ effects }) => effects.some((effect) => effect === 'unknown' || effect === 'execute')))
    return 'it uses functions that nobody has vetted';
  if (facts.actions.length !== 1) return 'it stands in another statement';
  if (parameters.length > 0) return 'its values come apart from its text';
  for (const name of facts.actions.flatMap(({ resources }) => tablesIn(resources))) {
    const { schema, table } = placeOf(name, database);
    const [view] = await lookup.query(
      `select 1 from information_schema.views where table_schema = ${schema} and table_name = ${table}`,
    );
    if (view) return `${name} is a view`;
  }
  return undefined;
}

const tablesIn = (resources: Facts['actions'][number]['resources']): string[] =>
  resources.filter(({ type }) => type === 'table').map(({ name }) => name);

/** Rows that are looked at, by the name that the plan has for a table. */
async function planned(lookup: Lookup, text: string, { flavour }: MySqlDialect): Promise<Map<string, number>> {
  // Changes are not even planned in a session that may only read. What runs by mistake is rolled back when the connection is closed.
  await lookup.query('set session transaction read write');
  await lookup.query('start transaction');
  const format = flavour === 'mysql' ? 'format=traditional ' : '';
  const plan = await lookup.query(`explain ${format}${text.replace(/[;\s]+$/, '')}`);
  // id, select_type, table, [partitions of MySQL], type, possible_keys, key, key_len, ref, rows
  const column = flavour === 'mysql' ? 9 : 8;
  const rows = new Map<string, number>();
  for (const one of plan) {
    const estimate = Number(one[column] ?? Number.NaN);
    if (one[2] && Number.isFinite(estimate)) rows.set(one[2], (rows.get(one[2]) ?? 0) + estimate);
  }
  return rows;
}

/** Names of facts as texts that the catalog is compared with. */
function placeOf(name: string, database: string | undefined): { readonly schema: string; readonly table: string } {
  const dot = name.indexOf('.');
  const schema = dot < 0 ? database : name.slice(0, dot);
  return { schema: schema === undefined ? 'database()' : hex(schema), table: hex(name.slice(dot + 1)) };
}

/** A text that nothing can end, whatever the sql_mode. */
const hex = (text: string): string => `convert(x'${Buffer.from(text).toString('hex')}' using utf8mb4)`;
const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

function distinct(all: readonly ChangedTable[]): ChangedTable[] {
  return [...new Map(all.map((one) => [`${one.verb} ${one.name}`, one])).values()].slice(0, MAX_TABLES);
}

/** Which commands it is for. */
export const IMPACT = { dialect: 'mysql', impactOf } as const;
