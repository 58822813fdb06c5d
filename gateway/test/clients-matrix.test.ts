import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PostgresServer, findTool, missingPostgres, missingTool, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type RunningAgent, hour, startAgent } from './agents.js';
import { type Stand, openStand } from './stand.js';

/**
 * Client libraries over all ways to a target, with masks and without, in bulk and pipelined: what each makes of the
 * answers is what it makes of them without the gateway. The programs are in `clients-matrix/`.
 */
const ROWS = 1_500;
const DEPTHS = [1, 20, 250];
const OPEN = `
    - { rule: everything, allow: true }`;
const MASKED = `${OPEN}
    - { rule: emails, mask: { columns: ["people.email"], with: redact } }`;
const PYTHON = '/usr/bin/python3';
const PACKAGES = '/usr/lib/python3/dist-packages';
const JDBC = '/usr/share/java/postgresql.jar';

interface Client {
  readonly name: string;
  readonly command: readonly string[];
  readonly missing: string | undefined;
}

const unless = (file: string, name: string): string | undefined =>
  existsSync(file) ? undefined : `not installed: ${name}`;
const CLIENTS: readonly Client[] = [
  { name: 'node-postgres', command: [process.execPath, '--no-deprecation', 'node-postgres.mjs'], missing: undefined },
  { name: 'postgres.js', command: [process.execPath, 'postgres-js.mjs'], missing: undefined },
  {
    name: 'psycopg 3',
    command: [PYTHON, 'psycopg3.py'],
    missing: unless(join(PACKAGES, 'psycopg'), 'python3-psycopg'),
  },
  {
    name: 'asyncpg',
    command: [PYTHON, 'with-asyncpg.py'],
    missing: unless(join(PACKAGES, 'asyncpg'), 'python3-asyncpg'),
  },
  {
    name: 'pgjdbc',
    command: ['/usr/bin/java', '-XX:TieredStopAtLevel=1', '-cp', JDBC, 'Jdbc.java'],
    missing: unless(JDBC, 'libpostgresql-jdbc-java') ?? unless('/usr/bin/javac', 'openjdk-17-jdk-headless'),
  },
  { name: 'libpq', command: [process.execPath, 'libpq.mjs'], missing: missingTool('psql') ?? missingTool('pgbench') },
];

interface Way {
  readonly name: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

const unavailable = missingPostgres(18);

describe.skipIf(unavailable)('client libraries, over every way', () => {
  let server: PostgresServer;
  const stands: Stand[] = [];
  const agents: RunningAgent[] = [];
  const ways: Way[] = [];

  beforeAll(async () => {
    server = await startPostgres({ major: 18, auth: 'scram-sha-256', tls: true });
    const { user, password, port } = server;
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(`
      create table source as select id, repeat('row ', id % 90) || id as body, id / 7.0 as amount,
        timestamptz '2024-01-01 00:00:00+00' + id * interval '1 minute' as made from generate_series(1, ${ROWS}) id;
      create table people (id int, name text, email text);
      insert into people values (1, 'Ada', 'ada@example.com'), (2, 'Bob', null);
      -- NULL as it is, so that only the warning differs where its column is hidden.
      create function unread(int) returns int language plpgsql as 'begin return null; end';
      ${CLIENTS.map((_, at) => `create table sink${at} (id int, body text)`).join(';')}`);
    await direct.end();
    ways.push({ name: 'direct', port, user, password, database: 'postgres' });
    const target = { port, user, password, host: 'localhost' };
    for (const [masks, rules] of [
      ['', OPEN],
      [' masked', MASKED],
    ] as const) {
      for (const way of ['plain', 'tls', 'agent'] as const) {
        const stand = await openStand({
          target: { ...target, tls: way === 'plain' ? 'disable' : 'require' },
          rules,
          ...(way === 'agent' && { agents: '{ port: 0 }', via: 'site' }),
        });
        stands.push(stand);
        if (way === 'agent') await bring(stand, `localhost:${port}`);
        ways.push({ name: way + masks, port: stand.port, user: 'dev', password: stand.token, database: 'db' });
      }
    }
  });
  afterAll(async () => {
    await Promise.all(agents.map(({ agent }) => agent.stop(0)));
    for (const stand of stands) await stand.stop();
    await server?.stop();
  });

  async function bring(stand: Stand, allow: string): Promise<void> {
    const token = await stand.gateway.agents.token('site', hour());
    const ca = readFileSync(join(stand.folder, 'data', 'gateway.crt'), 'utf8');
    const running = startAgent(stand, { allow, token, ca });
    running.done.catch(() => undefined);
    agents.push(running);
    await vi.waitFor(() => expect(stand.gateway.agents.links()).toHaveLength(1));
  }

  /** What a program said, by way and cell. One that hangs is ended, and what it has said until then is what there is. */
  async function run({ command: [program = '', ...options] }: Client, table: string): Promise<Map<string, Cells>> {
    const child = spawn(program, options, {
      cwd: join(import.meta.dirname, 'clients-matrix'),
      env: {
        ...process.env,
        MATRIX_WAYS: JSON.stringify(ways),
        MATRIX_TABLE: table,
        MATRIX_ROWS: String(ROWS),
        MATRIX_DEPTHS: JSON.stringify(DEPTHS),
        MATRIX_PSQL: findTool('psql'),
        MATRIX_PGBENCH: findTool('pgbench'),
      },
      timeout: 170_000,
      killSignal: 'SIGKILL',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const output = Buffer.concat(await child.stdout.toArray()).toString();
    const found = new Map<string, Cells>();
    for (const line of output.split('\n').filter((text) => text !== '')) {
      const { way, cell, value } = JSON.parse(line) as { way: string; cell: string; value: unknown };
      found.set(way, { ...found.get(way), [cell]: value });
    }
    return found;
  }

  for (const [at, client] of CLIENTS.entries()) {
    const title = client.missing === undefined ? client.name : `${client.name} (${client.missing})`;
    test.skipIf(client.missing)(
      title,
      async () => {
        const found = await run(client, `sink${at}`);
        const expected = found.get('direct') ?? {};
        expect(JSON.stringify(expected)).not.toContain('error: ');
        expect(Object.keys(expected).length).toBeGreaterThan(DEPTHS.length + 4);
        expect(JSON.stringify(expected)).toContain('ada@example.com');
        const masked = JSON.parse(JSON.stringify(expected).replaceAll('ada@example.com', '[masked:EMAIL]')) as Cells;
        for (const { name } of ways) {
          const cells = { way: name, ...found.get(name) };
          expect(cells).toEqual({ way: name, ...(name.endsWith('masked') ? masked : expected) });
        }
      },
      180_000,
    );
  }
});

type Cells = Readonly<Record<string, unknown>>;
