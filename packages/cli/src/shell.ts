/**
 * A prompt for those who have no psql. Owns: where a statement ends, and its output. Does not: connect elsewhere than to the
 * gateway.
 */
import { createInterface } from 'node:readline/promises';
import pg from 'pg';
import { note, oneLine, paint, print, table } from './output.js';

/** A prompt for those who have no psql: statements end in ";", `\q` leaves. Returns the exit status. */
export async function shell(options: pg.ClientConfig, command?: string): Promise<number> {
  const client = new pg.Client(options);
  // A killed session is told by the statement that fails; without a listener it would end the process instead.
  client.on('error', () => undefined);
  client.on('notice', (notice) => note(paint.yellow(`${notice.severity}: ${notice.message ?? ''}`)));
  try {
    await client.connect();
  } catch (error) {
    printError(error);
    return 2;
  }
  try {
    if (command !== undefined) return (await run(client, command)) ? 0 : 1;
    return await interact(client, options.database ?? '');
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function interact(client: pg.Client, name: string): Promise<number> {
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: `${name}=> ` });
  let statement = '';
  let ok = true;
  lines.prompt();
  for await (const line of lines) {
    if (statement === '' && /^\s*(\\q|exit|quit)\s*$/.test(line)) break;
    statement += `${line}\n`;
    if (/;\s*$/.test(statement)) {
      ok = await run(client, statement);
      statement = '';
    }
    lines.setPrompt(statement.trim() === '' ? `${name}=> ` : `${name}-> `);
    lines.prompt();
  }
  lines.close();
  return ok ? 0 : 1;
}

async function run(client: pg.Client, text: string): Promise<boolean> {
  try {
    const result = (await client.query({ text, rowMode: 'array' })) as unknown as
      | pg.QueryArrayResult
      | pg.QueryArrayResult[];
    for (const one of Array.isArray(result) ? result : [result]) printOne(one);
    return true;
  } catch (error) {
    printError(error);
    return false;
  }
}

function printOne(result: pg.QueryArrayResult): void {
  if (result.fields.length === 0) return print(`${result.command} ${result.rowCount ?? ''}`.trim());
  const rows = result.rows.map((row: unknown[]) => row.map((cell) => (cell === null ? '' : oneLine(String(cell), 60))));
  print(
    table(
      result.fields.map((field) => oneLine(field.name, 60)),
      rows,
    ),
  );
  print(paint.dim(`(${rows.length} ${rows.length === 1 ? 'row' : 'rows'})`));
}

function printError(error: unknown): void {
  const { severity = 'ERROR', message, detail, hint } = error as pg.DatabaseError;
  note(paint.red(`${severity}:  ${message}`));
  if (detail) note(`DETAIL:  ${detail}`);
  if (hint) note(`HINT:  ${hint}`);
}
