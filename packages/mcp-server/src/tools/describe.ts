/**
 * `describe`: which tables a database has, and the columns of one. Owns: the questions, which are statements of the caller like any other. What is masked
 * is what the masks say of an empty result.
 */
import { z } from 'zod';
import type { ToolConnection } from '../host.js';
import { DATABASES, SYSTEM_SCHEMAS, quoted } from '../clients/index.js';
import type { Cell } from '../values.js';
import { RUNNING, ToolError, connectionName, connectionOf, tool } from '../tool.js';
import { columnSchema, runStatement } from './query.js';

/** Tables of one list. */
const MAX_TABLES = 1_000;

export const describe = tool({
  name: 'describe',
  title: 'Describe a database',
  description:
    'Lists the tables and views of a database, or the columns of one of them: their types, and which are masked. It asks the database as you, so the rules say what of it you may see.',
  input: z.strictObject({
    connection: connectionName,
    table: z.string().min(1).max(200).optional().describe('A table or view, its name alone. Absent: all are listed.'),
    schema: z.string().min(1).max(200).optional().describe('Of the table; of MySQL its database.'),
    timeout_s: RUNNING.timeout_s,
  }),
  output: z.object({
    tables: z.array(z.object({ schema: z.string(), name: z.string(), kind: z.string() })).optional(),
    columns: z.array(columnSchema).optional(),
    complete: z.boolean().describe('Whether that is all. Else name a schema.'),
  }),
  isFor: (connections) => connections.some(({ protocol }) => DATABASES.includes(protocol)),
  annotations: () => ({ readOnlyHint: true, idempotentHint: true, openWorldHint: false }),
  async run({ connection, table, schema, timeout_s }, call) {
    const found = connectionOf(call.caller, connection, DATABASES);
    // Nobody waits for people to see a list.
    const ask = (sql: string, rows: number) => runStatement(call, found, sql, { wait_s: 0, timeout_s }, rows);
    if (table !== undefined) return columnsOf(await ask(emptyResult(found, schema, table), 1));
    const { statement, page } = await ask(tablesOf(schema), MAX_TABLES);
    statement.close();
    const tables = page.results.flatMap(({ rows }) => rows.map(tableOf));
    return { tables, complete: page.complete };
  },
});

type Ran = Awaited<ReturnType<typeof runStatement>>;

function columnsOf({ statement, page }: Ran): object {
  statement.close();
  const [result] = page.results;
  if (!result) throw new ToolError({ message: 'The database described no columns.' });
  return { columns: result.columns, complete: true };
}

const text = (cell: Cell | undefined): string => String(cell ?? '');

const tableOf = ([schema, name, kind]: readonly Cell[]): object => ({
  schema: text(schema),
  name: text(name),
  kind: text(kind).toLowerCase(),
});

/** No rows, and a description of each column. */
function emptyResult(connection: ToolConnection, schema: string | undefined, table: string): string {
  const names = [...(schema === undefined ? [] : [schema]), table];
  return `SELECT * FROM ${names.map((name) => quoted(name, connection)).join('.')} LIMIT 0`;
}

/** A schema that is no plain word is not looked for by the database, where its quoting would have to be that of the session. */
function tablesOf(schema: string | undefined): string {
  if (schema !== undefined && !/^[\w$. -]+$/.test(schema))
    throw new ToolError({
      message: 'Only schemas whose names are made of letters, digits, _, $, ., - and blanks can be listed.',
    });
  const which = schema === undefined ? `table_schema NOT IN (${SYSTEM_SCHEMAS})` : `table_schema = '${schema}'`;
  return `SELECT table_schema, table_name, table_type FROM information_schema.tables WHERE ${which} ORDER BY table_schema, table_name`;
}
