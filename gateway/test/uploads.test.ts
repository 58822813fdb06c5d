import { spawn } from 'node:child_process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type PostgresServer, findTool, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

/** Much that a client sends at once, to a target over TLS: its writes take a while, and nobody may wait for ever. */
describe.skipIf(missingPostgres(18))('uploads to a target over TLS', () => {
  let server: PostgresServer;
  let stand: Stand;
  let direct: pg.Client;
  beforeAll(async () => {
    server = await startPostgres({ major: 18, tls: true });
    stand = await openStand({ target: { ...targetOf(server), tls: 'require' } });
    direct = new pg.Client({ ...server, database: 'postgres', ssl: false });
    await direct.connect();
    await direct.query('create table lines (line text); create table rows (id int, body text)');
  });
  afterAll(async () => {
    await direct.end();
    await stand.stop();
    await server.stop();
  });
  const connect = (): postgres.Sql =>
    postgres({
      host: '127.0.0.1',
      port: stand.port,
      user: 'dev',
      pass: stand.token,
      db: 'db',
      max: 1,
      ssl: false,
      onnotice: () => undefined,
    });

  test('COPY of many small messages and of large ones', async () => {
    const sql = connect();
    for (const [count, line] of [
      [100_000, 'a line\n'],
      [2_000, `${'x'.repeat(20_000)}\n`],
    ] as const) {
      const lines = Array.from({ length: count }, () => Buffer.from(line));
      await pipeline(Readable.from(lines), await sql`copy lines from stdin`.writable());
      const [row] = await sql`select count(*)::int as n, min(length(line)) as size from lines`;
      expect(row).toEqual({ n: count, size: line.length - 1 });
      await direct.query('truncate lines');
    }
    await sql.end();
  });

  test('pipelined inserts', async () => {
    const sql = connect();
    const bodies = Array.from({ length: 2_000 }, (_, id) => `${id}`.padEnd(1_000 + (id % 20) * 100, '.'));
    await Promise.all(bodies.map((body, id) => sql`insert into rows values (${id}, ${body})`));
    const { rows } = await direct.query('select count(*)::int as n, sum(length(body))::int as size from rows');
    expect(rows).toEqual([{ n: 2_000, size: bodies.reduce((sum, { length }) => sum + length, 0) }]);
    await sql.end();
  });

  test('a client that dies in mid-upload frees its backend', async () => {
    const psql = spawn(findTool('psql') ?? 'psql', ['-qc', '\\copy lines from stdin'], {
      env: {
        ...process.env,
        PGHOST: '127.0.0.1',
        PGPORT: `${stand.port}`,
        PGUSER: 'dev',
        PGPASSWORD: stand.token,
        PGDATABASE: 'db',
        PGSSLMODE: 'require',
      },
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const gone = new Promise((resolve) => psql.once('close', resolve));
    const feeding = new Readable({
      read() {
        this.push('a line of some length\n'.repeat(100));
      },
    });
    feeding.pipe(psql.stdin.on('error', () => undefined));
    const backends = async (): Promise<number> => {
      const { rows } = await direct.query(
        "select count(*)::int as n from pg_stat_activity where query ~* '^copy\\s+lines'",
      );
      return (rows[0] as { n: number }).n;
    };
    await expect.poll(backends).toBe(1);
    psql.kill('SIGKILL');
    await gone;
    feeding.destroy();
    await expect.poll(backends, { interval: 100 }).toBe(0);
  });
});
