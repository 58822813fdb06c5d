import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient } from '@sluice/cli';
import { Journal, listSessions, readJournal, timeline, verify } from '@sluice/recording';
import {
  type MySqlFlavour,
  freePort,
  missingMySql,
  missingPostgres,
  startMySql,
  startPostgres,
  temporaryFolder,
} from '@sluice/testkit';
import { type RowDataPacket, createConnection } from 'mysql2/promise';
import pg from 'pg';
import { expect, test, vi } from 'vitest';

const ROUNDS = 4;
const CLIENTS = 4;
const MAIN = join(import.meta.dirname, '..', 'dist', 'main.js');

/** A server with a table of what has been done, and a client that inserts into it until it is cut off. */
interface LoadedServer {
  /** Members of the connection. */
  readonly connection: string;
  done(): Promise<string[]>;
  /** Inserts into `done`, and says which it was told were done. */
  insertUntilCut(port: number, token: string, prefix: string): Promise<string[]>;
  stop(): Promise<void>;
}

const SERVERS: readonly (readonly [string, string | undefined, () => Promise<LoadedServer>])[] = [
  ['postgres', missingPostgres(18), loadedPostgres],
  ['mariadb', missingMySql('mariadb'), () => loadedMySql('mariadb')],
  ['mysql', missingMySql('mysql'), () => loadedMySql('mysql')],
];

for (const [name, missing, start] of SERVERS)
  test.skipIf(missing)(
    `kill -9 under load at ${name}: no statement that reached the target, or was acknowledged, is missing from the record`,
    async () => {
      const server = await start();
      const { path, remove } = temporaryFolder('kill');
      const [port, control] = [await freePort(), await freePort()];
      const config = join(path, 'sluice.yaml');
      const protocol = name === 'postgres' ? 'postgres' : 'mysql';
      writeFileSync(
        config,
        `data: data
listeners: { ${protocol}: { port: ${port} } }
control: { port: ${control} }
principals: { dev: {} }
connections:
  db:
    protocol: ${protocol}
${server.connection}
    access: ["dev"]
`,
      );
      const acknowledged: string[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const gateway = await startGateway(config, join(path, 'data'));
        const { token } = await ApiClient.find({ data: join(path, 'data') }).post<{ token: string }>('/v1/tokens', {
          principal: 'dev',
        });
        const before = (await server.done()).length;
        const load = Array.from({ length: CLIENTS }, (_, n) => server.insertUntilCut(port, token, `${round}-${n}`));
        // In the middle of the load, however slow the machine is.
        await vi.waitFor(async () => expect((await server.done()).length).toBeGreaterThan(before + 20), {
          timeout: 40_000,
          interval: 20,
        });
        await sleep(Math.random() * 100);
        const gone = new Promise((resolve) => gateway.once('exit', resolve));
        gateway.kill('SIGKILL');
        await gone;
        acknowledged.push(...(await Promise.all(load)).flat());
      }

      const journal = join(path, 'data', 'journal');
      new Journal({ folder: journal }).close();
      expect(verify(journal).problems).toEqual([]);
      const recorded = new Set<string>();
      for (const { header } of readJournal(journal)) {
        if (header.k === 'command' && header.phase === 'run')
          for (const value of header.parameters ?? []) recorded.add(String(value));
      }
      const done = await server.done();
      expect(done.length).toBeGreaterThan(50);
      expect(acknowledged.length).toBeGreaterThan(50);
      expect(done.filter((id) => !recorded.has(id))).toEqual([]);
      expect(acknowledged.filter((id) => !recorded.has(id))).toEqual([]);
      await server.stop();
      remove();
    },
    240_000,
  );

test('kill -9 between a request by HTTP and its answer: the request is on record, and so is each that was answered before', async () => {
  const asked: string[] = [];
  const service = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url !== '/last') response.end(`answer to ${request.url}`);
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const { path, remove } = temporaryFolder('kill');
  const [port, control] = [await freePort(), await freePort()];
  const config = join(path, 'sluice.yaml');
  writeFileSync(
    config,
    `data: data
listeners: { http: { address: 127.0.0.1, port: ${port}, tls: self-signed, require_tls: false } }
control: { port: ${control} }
principals: { dev: {} }
connections:
  svc:
    protocol: http
    target: { url: "http://127.0.0.1:${(service.address() as AddressInfo).port}" }
    access: ["dev"]
`,
  );
  const gateway = await startGateway(config, join(path, 'data'));
  const { token } = await ApiClient.find({ data: join(path, 'data') }).post<{ token: string }>('/v1/tokens', {
    principal: 'dev',
  });
  const ask = (what: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${port}/svc/${what}`, { headers: { authorization: `Bearer ${token}` } });
  for (let n = 0; n < 20; n++) expect(await (await ask(String(n))).text()).toBe(`answer to /${n}`);
  // Longer than answers lie in memory.
  await sleep(100);
  const last = ask('last').catch(() => 'cut off');
  await vi.waitFor(() => expect(asked).toContain('/last'));
  const gone = new Promise((resolve) => gateway.once('exit', resolve));
  gateway.kill('SIGKILL');
  await gone;
  expect(await last).toBe('cut off');
  service.closeAllConnections();
  service.close();

  const journal = join(path, 'data', 'journal');
  new Journal({ folder: journal }).close();
  expect(verify(journal).problems).toEqual([]);
  const session = listSessions(journal).find(({ connection }) => connection === 'svc')?.id ?? '';
  const entries = timeline(journal, session);
  const paths = entries.flatMap((entry) => (entry.type === 'command' ? [entry.request?.path] : []));
  expect(paths).toEqual(asked);
  const bodies = entries.flatMap((entry) =>
    entry.type === 'output' && entry.stream === 'out' ? [entry.data.toString()] : [],
  );
  expect(bodies).toEqual(asked.slice(0, -1).map((one) => `answer to ${one}`));
  expect(entries.filter(({ type }) => type === 'response')).toHaveLength(20);
  remove();
}, 60_000);

async function loadedPostgres(): Promise<LoadedServer> {
  const server = await startPostgres({ major: 18, auth: 'trust' });
  const direct = new pg.Client({ host: server.host, port: server.port, user: server.user, database: 'postgres' });
  await direct.connect();
  await direct.query('create table done (id text primary key)');
  return {
    connection: `    target: { host: 127.0.0.1, port: ${server.port}, database: postgres, tls: disable }
    credential: { user: postgres }`,
    done: async () => (await direct.query<{ id: string }>('select id from done')).rows.map(({ id }) => id),
    insertUntilCut: (port, password, prefix) => {
      const client = new pg.Client({ host: '127.0.0.1', port, user: 'dev', password, database: 'db' });
      client.on('error', () => undefined);
      return untilCut(prefix, async () => {
        await client.connect();
        return (id) => client.query('insert into done values ($1)', [id]);
      });
    },
    stop: async () => {
      await direct.end();
      await server.stop();
    },
  };
}

async function loadedMySql(flavour: MySqlFlavour): Promise<LoadedServer> {
  const server = await startMySql({ flavour });
  const { host, user, password, database } = server;
  const direct = await createConnection({ host, port: server.port, user, password, database });
  await direct.query('create table done (id varchar(40) primary key)');
  return {
    connection: `    target: { host: 127.0.0.1, port: ${server.port}, database: ${database}, tls: disable }
    credential: { user: ${user}, password: ${password} }`,
    done: async () => {
      const [rows] = await direct.query<RowDataPacket[]>('select id from done');
      return rows.map((row) => String(row['id']));
    },
    insertUntilCut: (port, token, prefix) =>
      untilCut(prefix, async () => {
        const client = await createConnection({ host: '127.0.0.1', port, user: 'dev%db', password: token });
        client.on('error', () => undefined);
        return (id) => client.execute('insert into done values (?)', [id]);
      }),
    stop: async () => {
      direct.destroy();
      await server.stop();
    },
  };
}

/** What `insert` was told is done. */
async function untilCut(prefix: string, connect: () => Promise<(id: string) => Promise<unknown>>): Promise<string[]> {
  const acknowledged: string[] = [];
  try {
    const insert = await connect();
    for (let n = 0; ; n++) {
      const id = `${prefix}-${n}`;
      await insert(id);
      acknowledged.push(id);
    }
  } catch {
    // The cut is what the test is about.
    return acknowledged;
  }
}

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
