/**
 * Each tool of the compatibility matrix has three databases: one it is run on directly, one through masks on a table that it
 * never reads, one through masks on a column that it does read. Owns: these, and what is compared of a run. Does not: the tools.
 */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { operatorLog } from '@sluice/audit';
import { findTool, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { readConfiguration } from '../../src/configuration.js';
import { Gateway } from '../../src/gateway.js';
import { type CompatibleTool, PROGRAMS } from './tools.js';

const WAYS = ['direct', 'apart', 'read'] as const;
export type Way = (typeof WAYS)[number];

/** What is in each database before the tool comes. */
const BEFORE = readFileSync(join(PROGRAMS, '..', 'before.sql'), 'utf8');
/** What a reader of `people.email` sees of its values. */
const MASKED = [/(?:ada|bob|cleo)@example\.(?:com|org)\b/g, '[masked:EMAIL]'] as const;
const MASKS: Readonly<Record<Way, readonly string[]>> = {
  direct: [],
  apart: ['vault.secrets.*'],
  read: ['people.email', 'vault.secrets.*'],
};
/** A program that has not ended by then has failed. Milliseconds. */
const MAX_RUN_MS = 240_000;

export interface Run {
  readonly status: number | null;
  /** What the program says that it read, one line of JSON each. */
  readonly said: string;
  readonly errors: string;
  readonly schema: string;
  readonly rows: string;
}

interface Server {
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export interface Ways {
  /** All three at once, each in a database of its own. */
  run(tool: CompatibleTool): Promise<Readonly<Record<Way, Run>>>;
  stop(): Promise<void>;
}

const databaseOf = (tool: CompatibleTool, way: Way): string =>
  `${tool.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '_')}_${way}`;

export async function openWays(server: Server, tools: readonly CompatibleTool[]): Promise<Ways> {
  const folder = temporaryFolder('compatibility');
  const file = join(folder.path, 'sluice.yaml');
  writeFileSync(file, JSON.stringify(configuration(server, tools)));
  const gateway = await Gateway.start(
    readConfiguration(file).config,
    operatorLog(true, process.env['SLUICE_LOG'] ?? 'silent'),
  );
  const { token } = await gateway.identity.createToken({ principal: 'dev', name: 'test' });
  const through: Server = {
    port: Number((gateway.addresses.get('postgres') ?? '').split(':').at(-1)),
    user: 'dev',
    password: token,
  };
  await inDatabase(server, 'postgres', (client) => client.query(`create database ${TEMPLATE}`));
  await inDatabase(server, TEMPLATE, (client) => client.query(BEFORE));
  return {
    run: async (tool) => {
      // The server copies a database only while nobody is in it, so one copy is made after another.
      for (const way of WAYS) await prepare(server, databaseOf(tool, way));
      const [direct, apart, read] = await Promise.all(
        WAYS.map((way) => runIn(tool, server, way === 'direct' ? server : through, databaseOf(tool, way))),
      );
      return { direct, apart, read } as Record<Way, Run>;
    },
    stop: async () => {
      await gateway.stop();
      folder.remove();
    },
  };
}

function configuration({ port, user, password }: Server, tools: readonly CompatibleTool[]): unknown {
  const connections = tools.flatMap((tool) =>
    WAYS.filter((way) => way !== 'direct').map((way) => [
      databaseOf(tool, way),
      {
        protocol: 'postgres',
        target: { host: '127.0.0.1', port, database: databaseOf(tool, way), tls: 'disable' },
        credential: { user, password },
        access: ['user:dev'],
        not_followed: 'refuse',
        functions: { trusted: (tool.trusts ?? []).map((name) => ({ name, reads: 'nothing' })) },
        policies: [way],
      },
    ]),
  );
  const rules = (way: Way): unknown[] => [
    { rule: 'everything', allow: true },
    { rule: 'masks', mask: { columns: MASKS[way], with: 'redact' } },
  ];
  return {
    data: 'data',
    listeners: { postgres: { address: '127.0.0.1', port: 0, tls: 'self-signed' } },
    control: { port: 0 },
    principals: { dev: {} },
    connections: Object.fromEntries(connections) as unknown,
    policies: { apart: rules('apart'), read: rules('read') },
  };
}

/** What each database is a copy of. */
const TEMPLATE = 'compatibility_before';

const prepare = (server: Server, database: string): Promise<unknown> =>
  inDatabase(server, 'postgres', (client) => client.query(`create database ${database} template ${TEMPLATE}`));

async function inDatabase<T>(server: Server, database: string, use: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ ...server, host: '127.0.0.1', database });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

async function runIn(tool: CompatibleTool, server: Server, by: Server, database: string): Promise<Run> {
  if (tool.installs) {
    const installed = await execute({ ...tool, command: [...tool.command, ...tool.installs] }, server, database);
    if (installed.status !== 0) throw new Error(installed.errors);
  }
  const ran = await execute(tool, by, database);
  const timed = await timedValues(server, database, ran.status === 0 ? (tool.timed ?? []) : []);
  const [schema, rows] = await Promise.all([
    dump(server, database, ['--schema-only', '--no-owner']),
    dump(server, database, ['--data-only', '--inserts']),
  ]);
  return {
    ...ran,
    said: comparable(ran.said, database),
    schema: comparable(schema, database),
    rows: comparable(numbered(rows, timed), database),
  };
}

/** What a tool has put into columns that it fills by the time of day, and nothing else. */
async function timedValues(server: Server, database: string, columns: readonly string[]): Promise<Set<string>> {
  if (columns.length === 0) return new Set();
  return inDatabase(server, database, async (client) => {
    const values = new Set<string>();
    for (const column of columns) {
      const table = column.slice(0, column.lastIndexOf('.'));
      const { rows } = await client.query<{ value: string }>(`select distinct ${column}::text as value from ${table}`);
      for (const { value } of rows) values.add(value);
    }
    return values;
  });
}

/** Each of the values as a number, by where it stands first: the same value stays the same. */
function numbered(text: string, values: ReadonlySet<string>): string {
  const numbers = new Map<string, number>();
  return text.replaceAll(/'([^'\n]*)'/g, (whole, value: string) => {
    if (!values.has(value)) return whole;
    const number = numbers.get(value) ?? numbers.size + 1;
    numbers.set(value, number);
    return `'TIMED ${number}'`;
  });
}

async function execute(
  { command: [program = '', ...options] }: CompatibleTool,
  { port, user, password }: Server,
  database: string,
): Promise<Pick<Run, 'status' | 'said' | 'errors'>> {
  const child = spawn(program, options, {
    cwd: PROGRAMS,
    env: {
      ...process.env,
      PGHOST: '127.0.0.1',
      PGPORT: String(port),
      PGUSER: user,
      PGPASSWORD: password,
      PGDATABASE: database,
      TZ: 'UTC',
    },
    timeout: MAX_RUN_MS,
    killSignal: 'SIGKILL',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  const [said, errors] = await Promise.all([child.stdout.toArray(), child.stderr.toArray()]);
  const text = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString();
  return { status: await closed, said: text(said), errors: text(errors) };
}

async function dump(server: Server, database: string, options: readonly string[]): Promise<string> {
  const child = spawn(
    findTool('pg_dump') ?? '',
    [...options, '-h', '127.0.0.1', '-p', String(server.port), '-U', server.user, database],
    {
      env: { ...process.env, PGPASSWORD: server.password },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  return Buffer.concat(await child.stdout.toArray()).toString();
}

/** Differ from run to run: times, random identifiers, how long something took, and the name of the database. */
const VOLATILE: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d(?::?\d\d)?)?/g, 'TIME'],
  [/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'UUID'],
  [/\b1[6-9]\d{8,11}\b/g, 'EPOCH'],
  [/\b0x[0-9a-f]{8,16}\b/g, 'ADDRESS'],
  [/\b\d+(?:\.\d+)? ?m?s\b/g, 'DURATION'],
  [/^\\(?:un)?restrict .*\n/gm, ''],
];

const comparable = (text: string, database: string): string =>
  VOLATILE.reduce((before, [pattern, name]) => before.replaceAll(pattern, name), text.replaceAll(database, 'DATABASE'));

/** Where two runs differ, a few lines of each part: nothing where they are alike. */
export function differences(expected: Run, run: Run): string[] {
  const parts = (['said', 'schema', 'rows'] as const).flatMap((part) => {
    const [wanted, found] = [expected[part].split('\n'), run[part].split('\n')];
    const missing = wanted.filter((line) => !found.includes(line)).slice(0, MAX_LINES);
    const more = found.filter((line) => !wanted.includes(line)).slice(0, MAX_LINES);
    const lines = [...missing.map((line) => `${part} - ${line}`), ...more.map((line) => `${part} + ${line}`)];
    return lines.length === 0 && expected[part] !== run[part] ? [`${part}: another order`] : lines;
  });
  return expected.status === run.status ? parts : [`status ${run.status}: ${run.errors}`, ...parts];
}

/** Why the gateway refused what a program failed for, in its own words; undefined where it failed for something else. */
export const refusalIn = (errors: string): string | undefined =>
  /This (?:was not run, because|(?:command|statement) would) [^\n]*/
    .exec(errors)?.[0]
    .replaceAll('|', '\\|')
    .slice(0, MAX_REASON_CHARACTERS);

const MAX_REASON_CHARACTERS = 200;

/** Of each part of a run. */
const MAX_LINES = 5;

/** What the same program says where masks hide what it reads. */
export const asMasked = (said: string): string => said.replaceAll(...MASKED);
