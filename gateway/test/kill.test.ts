import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient } from '@sluice/cli';
import { Journal, readJournal, verify } from '@sluice/recording';
import { freePort, missingPostgres, startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { expect, test, vi } from 'vitest';

const ROUNDS = 4;
const CLIENTS = 4;
const MAIN = join(import.meta.dirname, '..', 'dist', 'main.js');

test.skipIf(missingPostgres(18))(
  'kill -9 under load: no statement that reached the target is missing from the record',
  async () => {
    const server = await startPostgres({ major: 18, auth: 'trust' });
    const { path, remove } = temporaryFolder('kill');
    const [port, control] = [await freePort(), await freePort()];
    const config = join(path, 'sluice.yaml');
    writeFileSync(
      config,
      `data: data
listeners: { postgres: { port: ${port} } }
control: { port: ${control} }
principals: { dev: {} }
connections:
  db:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${server.port}, database: postgres, tls: disable }
    credential: { user: postgres }
    access: ["dev"]
`,
    );
    const direct = new pg.Client({ host: server.host, port: server.port, user: server.user, database: 'postgres' });
    await direct.connect();
    await direct.query('create table done (id text primary key)');
    const done = async (): Promise<number> =>
      Number((await direct.query<{ count: string }>('select count(*) from done')).rows[0]?.count);

    for (let round = 0; round < ROUNDS; round++) {
      const gateway = await startGateway(config, join(path, 'data'));
      const { token } = await ApiClient.find({ data: join(path, 'data') }).post<{ token: string }>('/v1/tokens', {
        principal: 'dev',
      });
      const load = Array.from({ length: CLIENTS }, (_, n) => insertUntilCut(port, token, `${round}-${n}`));
      // In the middle of the load, however slow the machine is.
      await vi.waitFor(async () => expect(await done()).toBeGreaterThan(20 * (round + 1)), {
        timeout: 40_000,
        interval: 20,
      });
      await sleep(Math.random() * 100);
      const gone = new Promise((resolve) => gateway.once('exit', resolve));
      gateway.kill('SIGKILL');
      await Promise.all([gone, ...load]);
    }

    const journal = join(path, 'data', 'journal');
    new Journal({ folder: journal }).close();
    expect(verify(journal).problems).toEqual([]);
    const recorded = new Set<string>();
    for (const { header } of readJournal(journal)) {
      if (header.k === 'command' && header.phase === 'run')
        for (const value of header.parameters ?? []) recorded.add(String(value));
    }
    const { rows } = await direct.query<{ id: string }>('select id from done');
    expect(rows.length).toBeGreaterThan(50);
    expect(rows.filter(({ id }) => !recorded.has(id))).toEqual([]);
    await direct.end();
    await server.stop();
    remove();
  },
  240_000,
);

async function startGateway(config: string, data: string): Promise<ChildProcess> {
  const beacon = join(data, 'gateway.json');
  rmSync(beacon, { force: true });
  const child = spawn(process.execPath, [MAIN, 'up', '--config', config], {
    stdio: 'ignore',
    env: { ...process.env, SLUICE_LOG: 'silent' },
  });
  while (!existsSync(beacon)) {
    if (child.exitCode !== null) throw new Error('the gateway did not start');
    await sleep(30);
  }
  await sleep(50);
  return child;
}

async function insertUntilCut(port: number, password: string, prefix: string): Promise<void> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'dev', password, database: 'db' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    for (let n = 0; ; n++) await client.query('insert into done values ($1)', [`${prefix}-${n}`]);
  } catch {
    // The cut is what the test is about.
  }
}
