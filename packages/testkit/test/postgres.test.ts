import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { missingPostgres, missingTool, type PostgresServer, startPostgres, temporaryFolder } from '../src/index.js';

async function ask(server: PostgresServer, sql: string, more: pg.ClientConfig = {}): Promise<unknown[]> {
  const { host, port, user, password, database } = server;
  const client = new pg.Client({ host, port, user, password, database, ...more });
  await client.connect();
  try {
    return (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows.flat();
  } finally {
    await client.end();
  }
}

describe.each([18, 15] as const)('PostgreSQL %i', (major) => {
  const missing = missingPostgres(major);
  test.skipIf(missing)('starts, answers, stops and leaves nothing behind', async () => {
    const server = await startPostgres({ major, settings: { application_name: "it's set" } });
    expect(
      await ask(server, "select current_setting('server_version_num')::int / 10000, current_setting('fsync')"),
    ).toEqual([major, 'off']);
    expect(() => process.kill(server.pid, 0)).not.toThrow();
    await server.stop();
    expect(() => process.kill(server.pid, 0)).toThrow();
    expect(existsSync(server.folder)).toBe(false);
  });

  test.skipIf(missing).each(['scram-sha-256', 'md5', 'password'] as const)(
    'asks for the password by %s',
    async (auth) => {
      const server = await startPostgres({ major, auth });
      try {
        expect(await ask(server, 'select 1')).toEqual([1]);
        await expect(ask(server, 'select 1', { password: 'wrong' })).rejects.toMatchObject({ code: '28P01' });
        const [stored] = await ask(server, "select left(rolpassword, 3) from pg_authid where rolname = 'postgres'");
        expect(stored).toBe(auth === 'md5' ? 'md5' : 'SCR');
      } finally {
        await server.stop();
      }
    },
  );

  test.skipIf(missing ?? missingTool('openssl'))('speaks TLS with a certificate of its own', async () => {
    const server = await startPostgres({ major, tls: true });
    try {
      const ssl = { ca: server.ca ?? '' };
      expect(await ask(server, 'select ssl from pg_stat_ssl where pid = pg_backend_pid()', { ssl })).toEqual([true]);
    } finally {
      await server.stop();
    }
  });
});

describe.skipIf(missingPostgres(18))('data that is kept', () => {
  /** Starts a server from a process that is then killed, so that nobody stops the server. */
  async function abandoned(folder: string): Promise<number> {
    const testkit = pathToFileURL(join(import.meta.dirname, '..', 'dist', 'index.js')).href;
    const file = join(folder, 'starter.mjs');
    const lines = [
      `import { startPostgres } from ${JSON.stringify(testkit)};`,
      `const { pid } = await startPostgres({ major: 18, folder: ${JSON.stringify(folder)} });`,
      'console.log(pid);',
      'setInterval(() => undefined, 1000);',
    ];
    writeFileSync(file, lines.join('\n'));
    const starter = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
    const pid = await new Promise<number>((resolve) => starter.stdout.once('data', (text) => resolve(Number(text))));
    starter.kill('SIGKILL');
    await new Promise((resolve) => starter.once('exit', resolve));
    return pid;
  }

  test('survives a stop, a killed server, and a killed starter', async () => {
    const { path: folder, remove } = temporaryFolder('kept');
    const open = (): Promise<PostgresServer> => startPostgres({ major: 18, folder });
    try {
      const first = await open();
      expect(first.fresh).toBe(true);
      expect(await ask(first, 'create table t as select 1 as n')).toEqual([]);
      expect(await ask(first, "select current_setting('fsync')")).toEqual(['on']);
      await expect(open()).rejects.toThrow('already running');
      await first.stop();

      const second = await open();
      expect(second.fresh).toBe(false);
      expect(await ask(second, 'insert into t values (2) returning n')).toEqual([2]);
      process.kill(second.pid, 'SIGKILL');
      await sleep(50);

      const third = await open();
      expect(await ask(third, 'select n from t order by n')).toEqual([1, 2]);
      await third.stop();

      const orphan = await abandoned(folder);
      expect(() => process.kill(orphan, 0)).not.toThrow();
      const started = performance.now();
      const fourth = await open();
      expect(performance.now() - started).toBeLessThan(5000);
      expect(fourth.pid).not.toBe(orphan);
      expect(await ask(fourth, 'select count(*)::int from t')).toEqual([2]);
      await fourth.stop();
      expect(readFileSync(join(folder, 'server.log'), 'utf8')).toContain('database system is shut down');
    } finally {
      remove();
    }
  });
});
