/**
 * The databases that lineage is tried on: one, and for each of its columns a twin in which that column alone has other values.
 * Owns: them, and running a text in each. Does not: what is asked of them (differential.ts).
 */
import { readCatalog } from '@sluice/sql-mysql';
import { type MySqlFlavour, startMySql } from '@sluice/testkit';
import { type Connection, type RowDataPacket, createConnection } from 'mysql2/promise';

const TABLES = {
  people: ['id', 'nick', 'mail', 'born', 'wage', 'doc'],
  visits: ['id', 'person', 'place', 'day', 'wage'],
  tags: ['person', 'place', 'label'],
} as const;
export const DATABASE = 'lineage';
/** The same as that in all its values. */
const CONTROL = 'control';

/** A column by table and name. */
export const COLUMNS = Object.entries(TABLES).flatMap(([table, columns]) =>
  columns.map((column) => ({ table, column })),
);
/** USE, SET and the text. */
const STATEMENTS_EACH = 3;
const twinOf = (column: { table: string; column: string }): string => `twin_${column.table}_${column.column}`;

const SCHEMA = [
  `create table people (id int primary key, nick varchar(20), mail varchar(40), born date, wage int, doc json,
     host varchar(40) as (substring_index(mail, '@', -1)) virtual)`,
  'create table visits (id int primary key, person int, place varchar(20), day date, wage int)',
  'create table tags (person int, place varchar(20), label varchar(20))',
  `create view contacts as select p.id, concat(p.nick, ' ', p.mail) as label, p.wage from people p`,
  // Without conditions: what they choose is not what the outputs name.
  'create view journeys as select c.label, v.place, (select max(t.label) from tags t) as tag from contacts c, visits v',
];

/** Rows of a table; those of `changed` have other values. */
function rowsOf(table: string, changed: string): string[] {
  const value = (column: string, plain: string | number, other: string | number): string =>
    JSON.stringify(column === changed ? other : plain)
      .replaceAll("'", "''")
      .replaceAll(/^"|"$/g, "'")
      .replaceAll('\\"', '"');
  return [1, 2, 3].map((n) => {
    switch (table) {
      case 'people': {
        const doc = (key: string): string => `{"a": "${key}${n}", "b": [${n}, ${n + 1}]}`;
        const born = [value('born', `19${60 + n}-0${n}-1${n}`, `20${10 + n}-1${n % 3}-2${n}`)];
        const own = [
          value('id', n, n + 40),
          value('nick', `nick${n}`, `other${n * 7}`),
          value('mail', `m${n}@a${n}.test`, `q${n}@z${n * 3}.test`),
        ];
        return [
          ...own,
          ...born,
          value('wage', n * 100 + n, 9000 - n * 13),
          `'${changed === 'doc' ? doc('y').replace(`[${n}`, `[${n * 50}`) : doc('x')}'`,
        ].join(', ');
      }
      case 'visits':
        return [
          value('id', n, n + 60),
          value('person', n, 5 - n),
          value('place', `place${n}`, `there${n * 5}`),
          value('day', `2024-0${n}-0${n}`, `2025-1${n % 3}-1${n}`),
          value('wage', n * 7, 500 + n),
        ].join(', ');
      default:
        return [
          value('person', n, n + 90),
          value('place', `place${n}`, `else${n}`),
          value('label', `label${n}`, `mark${n * 3}`),
        ].join(', ');
    }
  });
}

/** A join of everything with everything would fill the memory, in each twin. */
const MAX_ROWS = 500;

export interface LineageServer {
  readonly catalog: Awaited<ReturnType<typeof readCatalog>>;
  /** The values of each column of the result, in no order; undefined where the server refuses the text. */
  run(text: string, twin?: { table: string; column: string }): Promise<readonly (readonly string[])[] | undefined>;
  /** The same in another database that has the same values. */
  runControl(text: string): Promise<readonly (readonly string[])[] | undefined>;
  /** The same in the twin of each column, in one round trip; undefined where the server refuses the text in one of them. */
  runInTwins(text: string): Promise<readonly (readonly (readonly string[])[])[] | undefined>;
  /** A query of so many columns as the server keeps it for a view; undefined where it makes none of it. */
  asView(text: string, columns: number): Promise<string | undefined>;
  /** What the server has made of a text by preparing it, which runs nothing; undefined where it refuses or does not say. */
  asPrepared(text: string): Promise<string | undefined>;
  /** The server's own word for why it refused the last text. */
  readonly refusal: string;
  stop(): Promise<void>;
}

export async function startLineageServer(flavour: MySqlFlavour): Promise<LineageServer> {
  const server = await startMySql({ flavour });
  const { host, port, user, password } = server;
  const connection = await createConnection({
    host,
    port,
    user,
    password,
    dateStrings: true,
    jsonStrings: true,
    multipleStatements: true,
  });
  try {
    await make(connection, DATABASE, undefined);
    for (const column of COLUMNS) await make(connection, twinOf(column), column);
    await make(connection, CONTROL, undefined);
    const query = async (text: string): Promise<(string | null)[][]> => {
      const [rows] = await connection.query<RowDataPacket[][]>({ sql: text, rowsAsArray: true });
      return Array.isArray(rows)
        ? rows.map((row) => row.map((one: unknown) => (one === null ? null : String(one))))
        : [];
    };
    const catalog = await readCatalog(query);
    const seconds = flavour === 'mariadb' ? 'max_statement_time = 2' : 'max_execution_time = 2000';
    await connection.query(
      `set session sql_mode = '', session group_concat_max_len = 10000, session ${seconds}, session sql_select_limit = ${MAX_ROWS + 1}`,
    );
    let refusal = '';
    const runIn = async (databases: readonly string[], text: string): Promise<string[][][] | undefined> => {
      const sql = databases.map((one) => `use ${one}; set @v0 = null, @v1 = null, @v2 = null; ${text}`).join('; ');
      try {
        const [results, fields] = await connection.query<RowDataPacket[][]>({ sql, rowsAsArray: true });
        const rowsIn = (at: number): unknown[][] => results[STATEMENTS_EACH * at + 2] as unknown as unknown[][];
        if (databases.some((_, at) => rowsIn(at).length > MAX_ROWS)) throw new Error('the result is too large');
        return databases.map((_, at) => {
          const rows = rowsIn(at);
          const columns = fields[STATEMENTS_EACH * at + 2] as unknown as unknown[];
          return columns.map((__, column) => rows.map((row) => JSON.stringify(row[column])).toSorted());
        });
      } catch (error) {
        refusal = error instanceof Error ? error.message : String(error);
        return undefined;
      }
    };
    return {
      catalog,
      get refusal() {
        return refusal;
      },
      run: async (text, twin) => (await runIn([twin ? twinOf(twin) : DATABASE], text))?.[0],
      runControl: async (text) => (await runIn([CONTROL], text))?.[0],
      runInTwins: (text) => runIn(COLUMNS.map(twinOf), text),
      asView: async (text, columns) => {
        const names = Array.from({ length: columns }, (_, at) => `o${at}`).join(', ');
        try {
          await connection.query(`use ${DATABASE}; create or replace view ${VIEW} (${names}) as ${text}`);
          const [[definition]] = (await query(
            `select view_definition from information_schema.views where table_schema = '${DATABASE}' and table_name = '${VIEW}'`,
          )) as [[string]];
          return definition;
        } catch (error) {
          refusal = error instanceof Error ? error.message : String(error);
          return undefined;
        }
      },
      asPrepared: async (text) => {
        try {
          await connection.query(`use ${DATABASE}; set optimizer_trace = 'enabled=on'`);
          const statement = await connection.prepare(text);
          const [traced] = await query('select query, trace from information_schema.optimizer_trace');
          await statement.close();
          connection.unprepare(text);
          const [of, trace] = traced ?? [];
          // A statement that leaves no trace leaves the one before it.
          return of === text && typeof trace === 'string' ? expandedQuery(JSON.parse(trace)) : undefined;
        } catch (error) {
          refusal = error instanceof Error ? error.message : String(error);
          return undefined;
        }
      },
      stop: async () => {
        connection.destroy();
        await server.stop();
      },
    };
  } catch (error) {
    connection.destroy();
    await server.stop();
    throw error;
  }
}

/** The first text of the whole statement in a trace: names are resolved in it, and nothing is optimised yet. */
function expandedQuery(trace: unknown): string | undefined {
  if (typeof trace !== 'object' || trace === null) return undefined;
  const { expanded_query: expanded } = trace as { expanded_query?: unknown };
  if (typeof expanded === 'string' && WHOLE.test(expanded)) return expanded;
  for (const part of Object.values(trace)) {
    const found = expandedQuery(part);
    if (found !== undefined) return found;
  }
  return undefined;
}
/** MySQL numbers the parts of a statement in comments. */
const WHOLE = /^(?:\/\* select#1 \*\/ )?(?:\(|select|with)/i;
const VIEW = 'tried';

async function make(
  connection: Connection,
  database: string,
  changed: { table: string; column: string } | undefined,
): Promise<void> {
  await connection.query(`create database ${database}`);
  await connection.query(`use ${database}`);
  for (const text of SCHEMA) await connection.query(text);
  for (const [table, columns] of Object.entries(TABLES)) {
    const rows = rowsOf(table, changed?.table === table ? changed.column : '');
    await connection.query(
      `insert into ${table} (${columns.join(', ')}) values ${rows.map((row) => `(${row})`).join(', ')}`,
    );
  }
}
