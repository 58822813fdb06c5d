import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PostgresServer, missingPostgres, startPostgres, temporaryFolder } from '@sluice/testkit';
import { readJournal } from '@sluice/recording';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { hour, spawnAgent, startAgent } from './agents.js';
import { running } from './running.js';
import { type Stand, type StandOptions, failure, openStand } from './stand.js';
import { dial } from './strangers.js';

const SECRET_FILE = 'password';

describe.skipIf(missingPostgres(18))('a target behind an agent', () => {
  let server: PostgresServer;
  let stand: Stand;
  const clients: pg.Client[] = [];
  const through = (options: Partial<StandOptions> = {}): Promise<Stand> =>
    openStand({
      target: { port: server.port, user: server.user, password: server.password, host: 'localhost' },
      agents: '{ port: 0 }',
      via: 'dc1',
      ...options,
    });
  const connect = async (): Promise<pg.Client> => {
    const client = await stand.client();
    clients.push(client);
    return client;
  };
  const here = (count = 1): Promise<void> => vi.waitFor(() => expect(stand.gateway.agents.links()).toHaveLength(count));
  const allow = (): string => `localhost:${server.port}`;
  const ca = (): string => readFileSync(join(stand.folder, 'data', 'gateway.crt'), 'utf8');
  const start = async (options: Partial<Parameters<typeof startAgent>[1]> = {}) => {
    const before = stand.gateway.agents.links().length;
    const token = await stand.gateway.agents.token('dc1', hour());
    const running = startAgent(stand, { allow: allow(), token, ca: ca(), ...options });
    running.done.catch(() => undefined);
    onTestFinished(() => running.agent.stop(0));
    await here(before + 1);
    return running;
  };
  const admin = (): string[] => {
    stand.gateway.log.flush();
    return [...readJournal(join(stand.folder, 'data', 'journal'))].flatMap(({ header }) =>
      header.k === 'admin' ? [`${header.actor.replace(/ \(.*/, '')} ${header.action} ${header.detail}`] : [],
    );
  };

  beforeAll(async () => {
    server = await startPostgres({ major: 18, auth: 'scram-sha-256', tls: true });
  });
  afterAll(async () => {
    await server.stop();
  });
  beforeEach(async () => {
    stand = await through();
    return async () => {
      await Promise.all(clients.splice(0).map((client) => client.end().catch(() => undefined)));
      await stand.stop();
    };
  });

  test('works as without one: queries, a transaction, COPY-sized answers, an error', async () => {
    await start();
    const client = await connect();
    await client.query('create temporary table t (n int)');
    await client.query('begin');
    await client.query('insert into t select generate_series(1, 1000)');
    await client.query('commit');
    expect((await client.query('select sum(n)::int as sum from t')).rows).toEqual([{ sum: 500_500 }]);
    const { rows } = await client.query("select repeat('x', 1000) as x from generate_series(1, 20000)");
    expect(rows).toHaveLength(20_000);
    expect(await failure(client.query('select 1 / 0'))).toBe('22012');
    expect(await failure(client.query('drop table t'))).toBe('42501');
    expect(stand.gateway.agents.links()[0]?.tunnel.streams).toBe(1);
  });

  test('a cancel reaches the target', async () => {
    await start();
    const client = await connect();
    const sleeping = failure(client.query('select pg_sleep(30)'));
    await running(server, 'select pg_sleep(30)');
    const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
    const { connect: dial } = await import('node:net');
    const packet = Buffer.alloc(16);
    [16, 80877102, processID, secretKey].forEach((value, at) => packet.writeInt32BE(value, at * 4));
    dial(stand.port, '127.0.0.1').end(packet).resume();
    expect(await sleeping).toBe('57014');
  });

  test('TLS with the target is made and verified by the agent, with channel binding', async () => {
    await stand.stop();
    const authority = join(temporaryFolder('ca').path, 'ca.pem');
    writeFileSync(authority, server.ca ?? '');
    const target = {
      port: server.port,
      user: server.user,
      password: server.password,
      host: 'localhost',
      tls: 'verify-full',
    };
    stand = await through({ target: { ...target, ca: authority } });
    await start();
    const client = await connect();
    const { rows } = await client.query('select ssl, version from pg_stat_ssl where pid = pg_backend_pid()');
    expect(rows).toEqual([{ ssl: true, version: 'TLSv1.3' }]);
    await client.end();
    await stand.stop();
    stand = await through({ target });
    await start();
    await expect(connect()).rejects.toThrow(/TLS with the target failed/);
  });

  test('the agent holds the password: it comes with the dial, for that target only', async () => {
    await stand.stop();
    const { path, remove } = temporaryFolder('secrets');
    onTestFinished(remove);
    writeFileSync(join(path, SECRET_FILE), `${server.password}\n`);
    stand = await through({
      target: { port: server.port, user: server.user, host: 'localhost', secret: 'agent:shop' },
    });
    const running = await start({ secrets: `shop localhost:${server.port} file:${join(path, SECRET_FILE)}` });
    expect((await (await connect()).query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await running.agent.stop(1000);
    await here(0);
    await start({ key: 'other.key', secrets: `shop elsewhere:5432 file:${join(path, SECRET_FILE)}` });
    await expect(connect()).rejects.toThrow(/no secret "shop" for localhost/);
  });

  test('what is not on its list it does not dial, and that is on record', async () => {
    await start({ allow: 'localhost:1' });
    await expect(connect()).rejects.toThrow(/agent "dc1": localhost:\d+ is not on the allow-list/);
    expect(admin()).toContainEqual(expect.stringMatching(/^agent dc1 agent.dial-refused denied: .* for session/));
  });

  test('without an agent, the client hears which hop is missing', async () => {
    await expect(connect()).rejects.toThrow(/no agent "dc1" has enrolled/);
    const { agent } = await start();
    await agent.stop(0);
    await here(0);
    await expect(connect()).rejects.toThrow(/agent "dc1" is not connected to the gateway/);
  });

  test('losing the agent ends its sessions with 08006, which names it; the agent comes back by itself', async () => {
    await start();
    const client = await connect();
    const running = client.query('select pg_sleep(30)').catch((error: pg.DatabaseError) => error);
    await vi.waitFor(() => expect([...stand.gateway.sessions.values()][0]?.commands).toBe(1));
    stand.gateway.agents.links()[0]?.tunnel.close('a cut');
    const error = (await running) as pg.DatabaseError;
    expect([error.code, error.message]).toEqual([
      '08006',
      expect.stringMatching(/tunnel to agent "dc1" was closed: a cut/),
    ]);
    await here();
    expect((await (await connect()).query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    const [agent] = stand.gateway.agents.all();
    expect(stand.gateway.agents.connects.get(agent?.id ?? '')).toBe(2);
  });

  test('a token is good once, a key for ever, until it is revoked: then its tunnel is cut at once', async () => {
    const token = await stand.gateway.agents.token('dc1', hour());
    const first = await start({ token });
    const thief = startAgent(stand, { key: 'thief.key', allow: allow(), token, ca: ca() });
    await expect(thief.done).rejects.toThrow(/token is not valid/);
    await first.agent.stop(0);
    await here(0);
    const { token: _, ...known } = { token, allow: allow(), ca: ca() };
    const second = startAgent(stand, known);
    await here();
    const client = await connect();
    const gone = new Promise((resolve) => client.once('end', resolve));
    const [agent] = stand.gateway.agents.all();
    stand.gateway.agents.revoke(agent?.id ?? '');
    expect(stand.gateway.agents.links()).toEqual([]);
    await gone;
    await expect(second.done).rejects.toThrow(/this agent was revoked/);
    const actions = admin().map((line) => line.replace(/ from .*/, ''));
    expect(actions).toContain('agent dc1 agent.enrol');
    expect(actions).toContain('agent dc1 agent.connect');
    expect(statSync(join(stand.folder, 'agent.key')).mode & 0o777).toBe(0o600);
  });

  test('sockets of strangers, silent or not, keep no agent from logging in', async () => {
    const own = await through({ limits: '{ logins: 20, logins_per_address: 20 }' });
    const port = Number((own.gateway.addresses.get('agents') ?? '').split(':').at(-1));
    const strangers = Array.from({ length: 60 }, (_, at) =>
      dial(port, '127.0.0.1', at % 2 ? Buffer.from([22, 3, 1]) : undefined),
    );
    const token = await own.gateway.agents.token('dc1', hour());
    const running = startAgent(own, {
      allow: allow(),
      token,
      ca: readFileSync(join(own.folder, 'data', 'gateway.crt'), 'utf8'),
    });
    running.done.catch(() => undefined);
    await vi.waitFor(() => expect(own.gateway.agents.links()).toHaveLength(1));
    const client = await own.client();
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    // The agent's own socket counts no more.
    for (const { socket } of strangers) socket.destroy();
    await vi.waitFor(() => expect(own.gateway.strangers.size).toBe(0));
    await client.end();
    await running.agent.stop(0);
    await own.stop();
  });

  test('what is no agent is told so once, and the connection closed', async () => {
    const own = await through({ agents: '{ port: 0, tls: off }' });
    const port = Number((own.gateway.addresses.get('agents') ?? '').split(':').at(-1));
    for (const path of ['/', '/v1/tunnel']) {
      const said = await dial(port, '127.0.0.1', Buffer.from(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`)).closed;
      expect(said).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
    }
    await own.stop();
  });

  test('agents that are refused are on record ten times in a window, then in a sum', async () => {
    const own = await through({ agents: '{ port: 0, tls: off }' });
    for (let n = 0; n < 14; n++)
      await expect(startAgent(own, { allow: allow(), key: `${n}.key` }).done).rejects.toThrow(/has not enrolled/);
    const journal = join(own.folder, 'data', 'journal');
    own.gateway.log.stop();
    own.gateway.log.flush();
    const refused = [...readJournal(journal)].flatMap(({ header }) =>
      header.k === 'admin' && header.action === 'agent.refused' ? [header.detail] : [],
    );
    await own.stop();
    expect(refused).toHaveLength(11);
    expect(refused.at(-1)).toBe('4 more refused agents from 127.0.0.1');
  });

  test('an agent that trusts another authority sends nothing', async () => {
    const token = await stand.gateway.agents.token('dc1', hour());
    const running = startAgent(stand, { allow: allow(), token });
    await vi.waitFor(() => expect(running.log.join()).toMatch(/--ca/));
    await running.agent.stop(0);
    expect(stand.gateway.agents.all()).toEqual([]);
  });

  test('two agents of one identity both serve, the less busy one first', async () => {
    await start();
    await start();
    const [one, two] = [await connect(), await connect()];
    expect(stand.gateway.agents.links().map(({ tunnel }) => tunnel.streams)).toEqual([1, 1]);
    stand.gateway.agents.links()[0]?.tunnel.close('a cut');
    const alive = await Promise.all([one, two].map((client) => failure(client.query('select 1'))));
    expect(alive.filter((outcome) => outcome === 'no error')).toHaveLength(1);
  });

  test('a stopped agent lets its sessions finish and takes no new ones', async () => {
    const { agent } = await start();
    const client = await connect();
    const stopped = agent.stop(20_000);
    await vi.waitFor(() => expect(stand.gateway.agents.links()[0]?.tunnel.draining).toBe(true));
    await expect(connect()).rejects.toThrow(/agent "dc1"/);
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
    await stopped;
  });

  test('a client that stops reading a gigabyte costs a window, and nobody else waits', async () => {
    await start();
    const stalled = await connect();
    const { stream } = (stalled as unknown as { connection: { stream: NodeJS.ReadableStream } }).connection;
    stalled.query("select repeat('x', 1000) from generate_series(1, 1000000)").catch(() => undefined);
    stream.pause();
    const [link] = stand.gateway.agents.links();
    let carried = -1;
    await vi.waitFor(
      () => {
        const now = link?.tunnel.bytesReceived ?? 0;
        const still = now === carried && now > 100_000;
        carried = now;
        expect(still).toBe(true);
      },
      { timeout: 20_000, interval: 300 },
    );
    const other = await connect();
    expect((await other.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    // The windows of tunnel and sockets, which the kernel grows to some megabytes each; not the gigabyte.
    expect(link?.tunnel.bytesReceived).toBeLessThan(64 * 1024 * 1024);
    (stream as unknown as { destroy(): void }).destroy();
  });

  test('metrics say what goes through the agents', async () => {
    await start();
    const client = await connect();
    await client.query('select 1');
    const text = await (await fetch(`${stand.gateway.url}/metrics`)).text();
    expect(text).toMatch(/^sluice_agent_streams\{agent="[^"]+",name="dc1"\} 1$/m);
    expect(text).toMatch(/^sluice_commands_total\{decision="allow"\} [1-9]\d*$/m);
    expect(text).toMatch(/^sluice_sessions\{connection="db"\} 1$/m);
    expect(text).toMatch(/^sluice_ready 1$/m);
  });

  test('kill -9 of an agent in a process of its own, under load: the next one serves', async () => {
    const token = await stand.gateway.agents.token('dc1', hour());
    const certificate = join(stand.folder, 'data', 'gateway.crt');
    const address = stand.gateway.addresses.get('agents') ?? '';
    const first = spawnAgent(stand.folder, address, allow(), token, certificate);
    await here();
    const connected = await Promise.all(Array.from({ length: 4 }, connect));
    const load = connected.map(async (client) => {
      // What comes between two statements is an event, and the next statement says no more than that there was one.
      let event: Error | undefined;
      client.once('error', (error) => (event = error));
      for (;;) {
        const outcome = await failure(client.query('select 1'));
        if (outcome !== 'no error') return event ? await failure(Promise.reject(event)) : outcome;
      }
    });
    await vi.waitFor(() => expect(stand.gateway.agents.links()[0]?.tunnel.streams).toBe(4));
    first.kill('SIGKILL');
    const outcomes = await Promise.all(load);
    for (const outcome of outcomes) expect(outcome).toMatch(/^08006$|terminated|closed/i);
    const second = spawnAgent(stand.folder, address, allow(), token, certificate);
    await here();
    expect((await (await connect()).query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    const gone = once(second, 'exit');
    second.kill('SIGTERM');
    await Promise.all(clients.splice(0).map((client) => client.end().catch(() => undefined)));
    expect(await gone).toEqual([0, null]);
  });
});
