/** `query`: a text of SQL in a session of its own, and its rows in pages. Does not: judge it, or know a database. */
import { z } from 'zod';
import type { OpenCall } from '../call-gate.js';
import { DATABASES, openStatements } from '../clients/index.js';
import type { ToolConnection } from '../host.js';
import { CURSOR_IDLE_MS, MAX_PAGE_CHARACTERS, type Page, RunningStatement } from '../pages.js';
import { readsOnly } from '../reads-only.js';
import { type Bounds, bounded, inSession, inWords } from '../running.js';
import {
  DEFAULT_CALL_S,
  RUNNING,
  type ToolCall,
  ToolError,
  connectionName,
  connectionOf,
  failedError,
  tool,
} from '../tool.js';

const MAX_ROWS = 2_000;
const DEFAULT_ROWS = 200;

const cell = z.union([z.string(), z.number(), z.boolean(), z.null()]);

export const columnSchema = z.object({
  name: z.string(),
  type: z.string().describe('As the database calls it.'),
  values: z
    .enum(['string', 'number', 'boolean', 'base64'])
    .describe('How its values are written. "number": a string where JSON does not hold it exactly. NULL is null.'),
  masked: z.literal(true).optional().describe('Its values are masked: they are not those of the table.'),
});

const output = z.object({
  results: z.array(
    z.object({
      columns: z.array(columnSchema),
      rows: z.array(z.array(cell)),
      summary: z.string().optional().describe('What the database says of it, "SELECT 3"; absent: it has not ended.'),
      cut: z
        .array(z.object({ row: z.int(), column: z.string(), characters: z.int() }))
        .optional()
        .describe('Values of which only the start is given, and how long they are.'),
      omitted: z.int().optional().describe('So many further rows are not given.'),
    }),
  ),
  complete: z.boolean().describe('All of it is here. Else "cursor" has the next page.'),
  cursor: z.string().optional(),
  notices: z.array(z.string()).optional(),
  note: z.string().optional(),
});

export const query = tool({
  name: 'query',
  title: 'Query a database',
  description:
    'Runs SQL on a database and gives the rows. Each call is a session of its own: settings, temporary tables and open transactions end with it, so put a whole transaction into one call. Rows come in pages: a result that is not complete has a cursor, which is good once and for a minute. A refusal says by which rule and what to do.',
  input: z.strictObject({
    connection: connectionName.optional(),
    sql: z.string().min(1).optional().describe('What to run. Needs "connection".'),
    cursor: z.string().max(100).optional().describe('Instead of both: the next page of an earlier call.'),
    max_rows: z.int().min(1).max(MAX_ROWS).default(DEFAULT_ROWS).describe('Rows of one page.'),
    ...RUNNING,
  }),
  output,
  isFor: (connections) => connections.some(({ protocol }) => DATABASES.includes(protocol)),
  annotations: ({ principal, connections }) => {
    const databases = connections().filter(({ protocol }) => DATABASES.includes(protocol));
    const only = databases.every((one) => readsOnly(one, principal));
    return { readOnlyHint: only, ...(!only && { destructiveHint: true }), idempotentHint: only, openWorldHint: false };
  },
  async run(input, call) {
    const { connection, sql, cursor } = input;
    if (cursor !== undefined && connection === undefined && sql === undefined) return nextPage(cursor, input, call);
    if (cursor !== undefined || connection === undefined || sql === undefined)
      throw new ToolError({ message: 'Give "connection" and "sql", or "cursor" alone.' });
    const found = connectionOf(call.caller, connection, DATABASES);
    const { statement, page } = await runStatement(call, found, sql, input, input.max_rows);
    return given(page, { statement, open: openOf.get(statement) }, call);
  },
});

/** Runs a text and gives its first page. */
export function runStatement(
  call: ToolCall,
  connection: ToolConnection,
  sql: string,
  bounds: Bounds,
  maxRows: number,
): Promise<{ readonly statement: RunningStatement; readonly page: Page }> {
  const { name: user } = call.caller.principal;
  return inSession(call, connection, bounds, 'statement', async (open) => {
    const client = await openStatements(open, connection, user);
    const { heard } = open;
    const statement = new RunningStatement({
      events: client.run(sql),
      masked: heard.masked,
      mayPause: () => !heard.changes,
      close: () => client.close(),
    });
    openOf.set(statement, open);
    const page = await statement.page(maxRows);
    const { failure } = page;
    if (failure) {
      statement.close();
      // A text that does not parse fails as the database would fail it.
      throw heard.denied && !heard.denied.syntaxError ? inWords(undefined, open, 'statement') : failedError(failure);
    }
    return { statement, page };
  });
}

/** The session of a statement. */
const openOf = new WeakMap<RunningStatement, OpenCall>();

async function nextPage(
  cursor: string,
  { max_rows: maxRows, timeout_s: timeout = DEFAULT_CALL_S }: { readonly max_rows: number; readonly timeout_s: number },
  call: ToolCall,
): Promise<object> {
  const statement = call.cursors.take(call.caller.key, cursor);
  const open = statement && openOf.get(statement);
  if (!open)
    throw new ToolError({
      message: 'There is no such cursor of yours.',
      hint: `A cursor is good once, and for ${CURSOR_IDLE_MS / 1000} s. Run the statement again.`,
    });
  try {
    const { signal } = call;
    const page = await bounded(open, { signal, timeout }, () => statement.page(maxRows));
    if (page.failure) throw failedError(page.failure);
    return given(page, { statement, open }, call);
  } catch (error) {
    statement.close();
    throw inWords(error, open, 'statement');
  }
}

function given(
  { results, notices, complete }: Page,
  { statement, open }: { readonly statement: RunningStatement; readonly open: OpenCall | undefined },
  { cursors, caller }: ToolCall,
): object {
  const omitted = results.some((one) => one.omitted !== undefined);
  return {
    results: results.map(({ cut, ...rest }) => ({ ...rest, ...(cut.length > 0 && { cut }) })),
    complete,
    ...(!complete && { cursor: cursors.keep(caller.key, statement, open?.ended ?? AbortSignal.abort()) }),
    ...(notices.length > 0 && { notices }),
    ...(omitted && { note: OMITTED }),
    ...(!complete && { note: MORE }),
  };
}

const OMITTED =
  'Not all rows are given. A text that may change something is run to its end, and has one page: ask for fewer rows in RETURNING, or SELECT them afterwards.';
const MORE = `There are more rows: "cursor" gives the next page within ${CURSOR_IDLE_MS / 1000} s. A page has at most max_rows rows and about ${MAX_PAGE_CHARACTERS / 1024} Ki characters. A narrower statement costs less than many pages.`;
