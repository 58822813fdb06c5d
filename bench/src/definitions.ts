/**
 * What definitions cost through masks: each is followed by a statement that has to know of it. Owns: the schema, the measurement
 * and its page. Does not own: the gateway's process (`setting.ts`).
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findTool, startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { cpuOf, machine, median, shuffled, spread } from './measure.js';
import { end, spawnGateway } from './setting.js';

const run = promisify(execFile);
const TABLES = 1000;
/** Of each kind, in one round. */
const DEFINITIONS = 20;

interface Way {
  readonly name: 'direct' | 'masked';
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** What is defined, and a statement that has to know of it. `n` is another number each time. */
const KINDS: Readonly<Record<string, (n: string) => readonly [definition: string, behind: string]>> = {
  'ALTER TABLE ADD': (n) => [`alter table t1 add c${n} int`, `select c${n} from t1 limit 1`],
  'CREATE TABLE': (n) => [`create table made${n} (id int primary key, name text)`, `select id from made${n}`],
  'CREATE INDEX': (n) => [`create index i${n} on t2 (b)`, 'select b from t2 limit 1'],
};

export async function benchDefinitions({ rounds }: { readonly rounds: number }): Promise<string> {
  const server = await startPostgres({ major: 15, settings: { synchronous_commit: 'off', autovacuum: 'off' } });
  const { path, remove } = temporaryFolder('definitions');
  const base = { user: server.user, password: server.password, database: 'postgres' };
  const direct: Way = { name: 'direct', port: server.port, ...base };
  const extensions = await fill(direct);
  const gateway = await spawnGateway(join(path, 'gateway'), configuration(server.port));
  const masked: Way = {
    name: 'masked',
    port: gateway.port,
    user: 'bench',
    password: gateway.token,
    database: 'target',
  };
  try {
    const report = [
      '# Definitions through masks',
      '',
      `\`pnpm bench definitions\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; PostgreSQL 15, ${TABLES} tables of 10 columns, ${extensions}; one column masked; ${rounds} rounds of ${DEFINITIONS} definitions of each kind, order random in each. Each definition is committed by itself, and a statement behind it reads what it has made. Medians; in brackets the middle half. Machines are shared: trust the ratios.`,
      '',
      '| definition and the statement behind it | direct ms | masked ms | more ms | CPU ms of the gateway |',
      '| --- | --- | --- | --- | --- |',
      ...(await definitions([direct, masked], gateway.child.pid ?? 0, rounds)),
      '',
      ...(await restored(path, [direct, masked], rounds)),
    ];
    const text = `${report.join('\n')}\n`;
    writeFileSync(join(import.meta.dirname, '..', 'results', 'definitions.md'), text);
    return text;
  } finally {
    await end(gateway.child);
    await server.stop();
    remove();
  }
}

const configuration = (port: number): string => `connections:
  target:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${port}, database: postgres, tls: disable }
    credential: { user: postgres }
    access: ["group:engineers"]
    policies: [masks]
policies:
  masks:
    - { rule: everything, allow: true }
    - { rule: emails, mask: { columns: [people.email], with: redact } }
`;

async function connected<T>(
  { port, user, password, database }: Way,
  use: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database });
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
}

/** @returns the extensions that there are, for people: postgis where this machine has it */
const fill = (way: Way): Promise<string> =>
  connected(way, async (client) => {
    const columns = Array.from({ length: 8 }, (_, at) => `c_${at} ${at % 2 === 0 ? 'int' : 'text'}`).join(', ');
    for (let n = 1; n <= TABLES; n++) await client.query(`create table t${n} (id int primary key, b int, ${columns})`);
    await client.query('create table people (id int primary key, email text)');
    const wanted = ['postgis', 'citext', 'hstore', 'pg_trgm', 'ltree'];
    const { rows } = await client.query<{ name: string }>(
      'select name from pg_available_extensions where name = any ($1) order by 1',
      [wanted],
    );
    for (const { name } of rows) await client.query(`create extension ${name}`);
    return rows.map(({ name }) => name).join(', ');
  });

async function definitions(ways: readonly Way[], pid: number, rounds: number): Promise<string[]> {
  const times = new Map<string, number[]>();
  const cpu = new Map<string, number[]>();
  let n = 0;
  for (let round = 0; round < rounds; round++) {
    for (const [kind, make] of shuffled(Object.entries(KINDS))) {
      for (const way of shuffled(ways)) {
        await connected(way, async (client) => {
          await client.query('select 1');
          const before = cpuOf(pid);
          for (let at = 0; at < DEFINITIONS; at++) {
            const [definition, behind] = make(String(++n));
            const started = performance.now();
            await client.query(definition);
            await client.query(behind);
            const key = `${kind} ${way.name}`;
            times.set(key, [...(times.get(key) ?? []), performance.now() - started]);
          }
          if (way.name === 'masked')
            cpu.set(kind, [...(cpu.get(kind) ?? []), (cpuOf(pid) - before) / 1000 / DEFINITIONS]);
        });
      }
    }
  }
  return Object.keys(KINDS).map((kind) => {
    const [direct, masked] = (['direct', 'masked'] as const).map((way) => times.get(`${kind} ${way}`) ?? []) as [
      number[],
      number[],
    ];
    return `| ${kind} | ${figure(direct)} | ${figure(masked)} | **${(median(masked) - median(direct)).toFixed(1)}** | ${figure(cpu.get(kind) ?? [])} |`;
  });
}

/** A dump of the schema, put into a schema of its own by psql: each statement by itself, as pg_restore and psql send them. */
async function restored(folder: string, ways: readonly Way[], rounds: number): Promise<string[]> {
  const psql = findTool('psql');
  if (psql === undefined) return ['No psql here: nothing was restored.'];
  const times = new Map<string, number[]>();
  for (let round = 0; round < rounds; round++) {
    for (const way of shuffled(ways)) {
      const name = `restored_${round}_${way.name}`;
      const file = join(folder, `${name}.sql`);
      writeFileSync(file, dumpOf(name));
      const { port, user, password, database } = way;
      const options = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-p', String(port), '-U', user];
      const started = performance.now();
      await run(psql, [...options, '-f', file, database], { env: { ...process.env, PGPASSWORD: password } });
      times.set(way.name, [...(times.get(way.name) ?? []), performance.now() - started]);
    }
  }
  const [direct, masked] = [times.get('direct') ?? [], times.get('masked') ?? []];
  const ratio = median(masked) / median(direct);
  return [
    `A dump of 50 tables with rows, indexes and constraints, restored by psql: direct ${figure(direct)} ms, masked ${figure(masked)} ms, **${ratio.toFixed(2)}** times.`,
  ];
}

/** As pg_dump writes it. */
function dumpOf(schema: string): string {
  const tables = Array.from({ length: 50 }, (_, at) => `${schema}.d${at}`);
  const rows = Array.from({ length: 100 }, (_, at) => `${at}\trow ${at}\n`).join('');
  return [
    "set statement_timeout = 0; set client_min_messages = warning;\nselect pg_catalog.set_config('search_path', '', false);",
    `create schema ${schema};`,
    ...tables.map(
      (table) => `create table ${table} (id int not null, name text);\nalter table ${table} owner to postgres;`,
    ),
    ...tables.map((table) => `copy ${table} (id, name) from stdin;\n${rows}\\.\n`),
    ...tables.map((table) => `alter table only ${table} add primary key (id);\ncreate index on ${table} (name);`),
  ].join('\n');
}

const figure = (values: readonly number[]): string => {
  const [low, high] = spread(values);
  return `${median(values).toFixed(1)} (${low.toFixed(1)}–${high.toFixed(1)})`;
};
