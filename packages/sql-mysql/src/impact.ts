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
  const tables: FoundTable[] = [];
  for (const one of distinct(changed)) {
    const [place, ...others] = await placesOf(lookup, one.name, dialect.database);
    if (others.length > 0) return { tables: [], unknown: `${one.name} may be one of several tables` };
    if (place) tables.push(await tableOf(lookup, one, place));
  }
  const impacts = tables.map(({ impact }) => impact);
  if (!changed.some(({ verb }) => PLANNED.has(verb))) return { tables: impacts };
  const unplanned = await whyNot(lookup, command, facts, dialect);
  if (unplanned !== undefined) return { tables: impacts, unknown: unplanned };
  const rows = await planned(lookup, command.text, dialect).catch(() => undefined);
  // The target's words may quote a value, which approvers may not be shown.
  if (!rows) return { tables: impacts, unknown: 'the target cannot plan it' };
  return { tables: tables.map((table) => ({ ...table.impact, ...rowsOf(table, tables, rows) })) };
}

/** The plan names tables by their aliases: an estimate is given where only one table is changed. */
function rowsOf(
  { plain }: FoundTable,
  tables: readonly FoundTable[],
  rows: ReadonlyMap<string, number>,
): { rows?: number } {
  const only = tables.length === 1 && rows.size === 1 ? [...rows.values()][0] : undefined;
  const estimate = rows.get(plain) ?? only;
  return estimate === undefined ? {} : { rows: estimate };
}

/** Size, cascades and triggers. */
async function tableOf(
  lookup: Lookup,
  { verb, name }: ChangedTable,
  { schema, table, rows, bytes }: Place,
): Promise<FoundTable> {
  const where = { schema: hex(schema), table: hex(table) };
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
  const cascades = referring.map(([text]) => text ?? '');
  const impact = {
    verb,
    table: name,
    bytes,
    totalRows: rows,
    cascades,
    triggers: triggers.map(([text]) => text ?? ''),
  };
  return { impact, plain: table };
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
    const [view] = await lookup.query(
      `select 1 from information_schema.views where ${isNamed(name, database)} limit 1`,
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

/** What a name of facts is found to be in the catalog. */
interface Place {
  readonly schema: string;
  readonly table: string;
  /** By the target's own count. */
  readonly rows: number;
  readonly bytes: number;
}

/** `plain`: without its schema. */
interface FoundTable {
  readonly impact: TableImpact;
  readonly plain: string;
}

/** None for a name that is no table there, as a spelling in lower case may be; several where a dot in it is one of a part. */
async function placesOf(lookup: Lookup, name: string, database: string | undefined): Promise<Place[]> {
  const found = await lookup.query(
    `select table_schema, table_name, table_rows, data_length + index_length from information_schema.tables
     where ${isNamed(name, database)} limit 2`,
  );
  return found.map(([schema, table, rows, bytes]) => ({
    schema: schema ?? '',
    table: table ?? '',
    rows: Number(rows ?? 0),
    bytes: Number(bytes ?? 0),
  }));
}

/** Of the catalog's columns: a table that has this name in facts. Each of its dots may stand between schema and table, or within one of them. */
function isNamed(name: string, database: string | undefined): string {
  const own = database === undefined ? 'database()' : hex(database);
  const ways = [`(table_schema = ${own} and table_name = ${hex(name)})`];
  for (let at = name.indexOf('.'); at >= 0; at = name.indexOf('.', at + 1))
    ways.push(`(table_schema = ${hex(name.slice(0, at))} and table_name = ${hex(name.slice(at + 1))})`);
  return `(${ways.join(' or ')})`;
}

/** A text that nothing can end, whatever the sql_mode. */
const hex = (text: string): string => `convert(x'${Buffer.from(text).toString('hex')}' using utf8mb4)`;
const quoted = (name: string): string => `\`${name.replaceAll('`', '``')}\``;

function distinct(all: readonly ChangedTable[]): ChangedTable[] {
  return [...new Map(all.map((one) => [`${one.verb} ${one.name}`, one])).values()].slice(0, MAX_TABLES);
}

/** Which commands it is for. */
export const IMPACT = { dialect: 'mysql', impactOf } as const;
