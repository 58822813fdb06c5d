/**
 * What restores of dumps cost through masks: a schema alone, and a whole dump. Owns: the dumps, and the runs of psql. Does not own: the
 * gateway and the page (`definitions.ts`).
 */
import { execFile, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { findTool, freePort } from '@sluice/testkit';
import { median, shuffled, spread } from './measure.js';
import { accepting } from './setting.js';

const run = promisify(execFile);

export interface Way {
  readonly name: 'direct' | 'masked' | 'relay';
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** The least that a relay costs in Node (`mysql/relay.ts`), and the port that it listens on. */
export async function startRelay(target: number): Promise<{ readonly port: number; end(): void }> {
  const port = await freePort();
  const program = join(import.meta.dirname, 'mysql', 'relay.js');
  const child = spawn(process.execPath, [program, `${port}`, `${target}`], { stdio: ['ignore', 'ignore', 'inherit'] });
  await accepting(port);
  return { port, end: () => void child.kill() };
}

const SCHEMA_TABLES = 1000;
/** So much that a restore takes seconds: some 100 MB. */
const DATA_TABLES = 20;
const ROWS = 50_000;

/** Two lines for people: dumps put into schemas of their own by psql, each statement by itself, as pg_dump has them. */
export async function restored(folder: string, ways: readonly Way[], rounds: number): Promise<string[]> {
  const psql = findTool('psql');
  if (psql === undefined) return ['No psql here: nothing was restored.'];
  const lines: string[] = [];
  for (const [what, dump] of [
    [`The schema of ${SCHEMA_TABLES} tables`, schemaDump],
    [`A whole dump of ${DATA_TABLES} tables, ${(DATA_TABLES * ROWS) / 1e6} million rows`, wholeDump],
  ] as const) {
    const times = new Map<string, number[]>();
    let size = 0;
    for (let round = 0; round < rounds; round++) {
      const file = join(folder, `dump_${round}.sql`);
      size = await written(file, dump('restored'));
      for (const way of shuffled(ways)) {
        const { port, user, password, database } = way;
        const options = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-p', String(port), '-U', user];
        // TLS on each way: psql would speak it to the gateway alone, where the server has none.
        const env = { ...process.env, PGPASSWORD: password, PGSSLMODE: 'require' };
        const started = performance.now();
        await run(psql, [...options, '-f', file, database], { env });
        times.set(way.name, [...(times.get(way.name) ?? []), performance.now() - started]);
        const [direct] = ways;
        if (direct) await emptied(psql, direct);
      }
    }
    const of = (name: Way['name']): readonly number[] => times.get(name) ?? [];
    const ratio = (name: Way['name']): string => (median(of(name)) / median(of('direct'))).toFixed(2);
    lines.push(
      `${what} (${(size / 1e6).toFixed(1)} MB), restored by psql with TLS on each way: direct ${figure(of('direct'))} ms, masked ${figure(of('masked'))} ms, **${ratio('masked')}** times; a relay that copies bytes ${figure(of('relay'))} ms, ${ratio('relay')} times.`,
      '',
    );
  }
  return lines;
}

/** Some tables at a time: a transaction locks what it drops. */
async function emptied(psql: string, { port, user, password, database }: Way): Promise<void> {
  const drops = `set client_min_messages = warning; select format('drop table restored.%I cascade', relname) from pg_class
    where relnamespace = 'restored'::regnamespace and relkind = 'r' \\gexec\ndrop schema restored cascade;\ncheckpoint;\n`;
  const child = spawn(psql, ['-X', '-q', '-h', '127.0.0.1', '-p', String(port), '-U', user, database], {
    env: { ...process.env, PGPASSWORD: password },
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  child.stdin.end(drops);
  await once(child, 'exit');
}

/** @returns its size in bytes */
async function written(file: string, parts: Iterable<string>): Promise<number> {
  const stream = createWriteStream(file);
  for (const part of parts) if (!stream.write(part)) await once(stream, 'drain');
  stream.end();
  await finished(stream);
  return stream.bytesWritten;
}

const HEAD = `set statement_timeout = 0;
set lock_timeout = 0;
set client_encoding = 'UTF8';
set standard_conforming_strings = on;
select pg_catalog.set_config('search_path', '', false);
set check_function_bodies = false;
set client_min_messages = warning;
set row_security = off;
`;

/** As `pg_dump --schema-only` writes it. */
function* schemaDump(schema: string): Generator<string> {
  const tables = Array.from({ length: SCHEMA_TABLES }, (_, at) => `${schema}.d${at}`);
  yield `${HEAD}create schema ${schema};\n`;
  for (const table of tables)
    yield `create table ${table} (\n    id integer not null,\n    name text,\n    parent integer,\n    made timestamp with time zone\n);\nalter table ${table} owner to postgres;\n`;
  for (const table of tables)
    yield `alter table only ${table} add constraint ${constraint(table)}_pkey primary key (id);\n`;
  for (const table of tables) yield `create index ${constraint(table)}_name on ${table} using btree (name);\n`;
  for (const [at, table] of tables.entries())
    if (at % 4 === 0)
      yield `alter table only ${table} add constraint ${constraint(table)}_fkey foreign key (parent) references ${tables[(at + 1) % tables.length]}(id);\n`;
}

/** As `pg_dump` writes it: tables, rows, then constraints and indexes. */
function* wholeDump(schema: string): Generator<string> {
  const tables = Array.from({ length: DATA_TABLES }, (_, at) => `${schema}.d${at}`);
  yield `${HEAD}create schema ${schema};\n`;
  for (const table of tables)
    yield `create table ${table} (\n    id integer not null,\n    name text,\n    note text,\n    amount numeric(12,2),\n    made timestamp with time zone\n);\nalter table ${table} owner to postgres;\n`;
  for (const table of tables) {
    yield `copy ${table} (id, name, note, amount, made) from stdin;\n`;
    for (let at = 0; at < ROWS; at += 1000) yield rows(at);
    yield '\\.\n\n';
  }
  for (const table of tables)
    yield `alter table only ${table} add constraint ${constraint(table)}_pkey primary key (id);\n`;
  for (const table of tables) yield `create index ${constraint(table)}_name on ${table} using btree (name);\n`;
}

const rows = (from: number): string =>
  Array.from({ length: 1000 }, (_, at) => {
    const n = from + at;
    return `${n}\tname ${(n * 7919) % 100_003}\tsome words that somebody wrote about number ${n}\t${n % 9973}.25\t2026-01-${String((n % 28) + 1).padStart(2, '0')} 12:00:00+00\n`;
  }).join('');

const constraint = (table: string): string => table.slice(table.indexOf('.') + 1);

const figure = (values: readonly number[]): string => {
  const [low, high] = spread(values);
  return `${median(values).toFixed(0)} (${low.toFixed(0)}–${high.toFixed(0)})`;
};
