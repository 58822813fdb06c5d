import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentRow } from '@sluice/api';
import { ApiClient } from '@sluice/cli';
import { Journal, verify } from '@sluice/recording';
import { freePort, missingPostgres, startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { expect, onTestFinished, test, vi } from 'vitest';
import { MAIN } from './agents.js';
import { failure } from './stand.js';

const ENVIRONMENT = { ...process.env, SLUICE_LOG: process.env['SLUICE_LOG'] ?? 'silent' };
const OUTPUT = process.env['SLUICE_LOG'] ? 'inherit' : 'ignore';

interface Place {
  readonly folder: string;
  readonly gatewayHost: string;
  readonly targetHost: string;
  /** What programs inside the private network are started with. */
  readonly inside: readonly string[];
}

/** A gateway and an agent as processes of their own, with one target that only the agent is told of. */
async function open(place: Place, server: { port: number; user: string; password: string }) {
  const { folder, gatewayHost, targetHost, inside } = place;
  const [port, control, agents] = [await freePort(), await freePort(), await freePort()];
  const config = join(folder, 'sluice.yaml');
  const data = join(folder, 'data');
  writeFileSync(
    config,
    `data: data
listeners: { postgres: { port: ${port} }, agents: { address: "${gatewayHost}", port: ${agents} } }
control: { port: ${control} }
limits: { drain: 1s }
principals: { dev: {} }
connections:
  db:
    protocol: postgres
    target: { host: ${targetHost}, port: ${server.port}, database: postgres, tls: disable }
    credential: { user: ${server.user}, password: ${server.password} }
    via: private
    access: ["dev"]
`,
  );
  const children: ChildProcess[] = [];
  onTestFinished(() => children.forEach((child) => void child.kill('SIGKILL')));
  const api = (): ApiClient => ApiClient.find({ data });
  const startGateway = async (): Promise<ChildProcess> => {
    rmSync(join(data, 'gateway.json'), { force: true });
    const child = spawn(process.execPath, [MAIN, 'up', '--config', config], { stdio: OUTPUT, env: ENVIRONMENT });
    children.push(child);
    await vi.waitFor(() => expect(existsSync(join(data, 'gateway.json'))).toBe(true), { timeout: 20_000 });
    await vi.waitFor(() => api().get('/v1/agents'));
    return child;
  };
  const startAgent = async (): Promise<void> => {
    const { token } = await api().post<{ token: string }>('/v1/agents/tokens', { name: 'private' });
    writeFileSync(join(folder, 'allow'), `${targetHost}:${server.port}\n`);
    const [program = '', ...first] = [...inside, process.execPath, MAIN, 'agent'];
    const args = ['--gateway', `wss://${gatewayHost}:${agents}`, '--allow', join(folder, 'allow'), '--token', token];
    const files = ['--key', join(folder, 'agent.key'), '--ca', join(data, 'gateway.crt')];
    children.push(spawn(program, [...first, ...args, ...files], { stdio: OUTPUT, env: ENVIRONMENT }));
  };
  const connected = async (timeout = 15_000): Promise<void> => {
    await vi.waitFor(
      async () => expect((await api().get<AgentRow[]>('/v1/agents')).map(({ state }) => state)).toEqual(['connected']),
      { timeout, interval: 100 },
    );
  };
  const login = async (): Promise<string> =>
    (await api().post<{ token: string }>('/v1/tokens', { principal: 'dev' })).token;
  const client = async (password: string): Promise<pg.Client> => {
    const made = new pg.Client({ host: '127.0.0.1', port, user: 'dev', password, database: 'db' });
    made.on('error', () => undefined);
    await made.connect();
    return made;
  };
  return { startGateway, startAgent, connected, login, client, data, api };
}

const one = async (client: pg.Client): Promise<unknown> => (await client.query('select 1 as one')).rows;

test.skipIf(missingPostgres(18))(
  'kill -9 of the gateway under load: the agent comes back by itself, with the key that it enrolled',
  async () => {
    const server = await startPostgres({ major: 18, auth: 'scram-sha-256' });
    const { path, remove } = temporaryFolder('agent-kill');
    onTestFinished(async () => {
      await server.stop();
      remove();
    });
    const place = { folder: path, gatewayHost: '127.0.0.1', targetHost: '127.0.0.1', inside: [] };
    const { startGateway, startAgent, connected, login, client, data } = await open(place, server);
    const first = await startGateway();
    await startAgent();
    await connected();
    const token = await login();
    const counts = [0, 0, 0, 0];
    const load = counts.map(async (_, at) => {
      const busy = await client(token);
      while ((await failure(busy.query('select 1'))) === 'no error') counts[at] = (counts[at] ?? 0) + 1;
    });
    await vi.waitFor(() => expect(Math.min(...counts)).toBeGreaterThan(10), { timeout: 30_000 });
    first.kill('SIGKILL');
    await Promise.all(load);
    const second = await startGateway();
    await connected();
    const again = await client(token);
    expect(await one(again)).toEqual([{ one: 1 }]);
    await again.end();
    const gone = new Promise((resolve) => second.once('exit', resolve));
    second.kill('SIGTERM');
    expect(await gone).toBe(0);
    expect(verify(join(data, 'journal')).problems).toEqual([]);
  },
  60_000,
);

/** Why network namespaces cannot be used here; false when they can. */
function withoutNamespaces(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  try {
    execFileSync('ip', ['netns', 'add', 'sluice-probe'], { stdio: 'ignore' });
    execFileSync('ip', ['netns', 'del', 'sluice-probe'], { stdio: 'ignore' });
    return false;
  } catch {
    return 'no network namespaces here';
  }
}

const unable = missingPostgres(18) ?? withoutNamespaces();
const title = 'two networks with nothing but the agent in both: work, a cut link, and its return';

test.skipIf(unable)(
  unable ? `${title} (${unable})` : title,
  async () => {
    const space = `sluice-${process.pid}`;
    const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: 'pipe' });
    const [outside, within] = [`slo${process.pid % 10_000}`, `sli${process.pid % 10_000}`];
    // Of this process alone: another run on this machine may have networks of its own, or have left some behind.
    const subnet = (process.pid % 16_384) * 4;
    const [gatewayHost, agentHost] = [1, 2].map((host) => `198.18.${subnet >> 8}.${(subnet & 255) + host}`) as [
      string,
      string,
    ];
    const { path, remove } = temporaryFolder('agent-network');
    mkdirSync(path, { recursive: true });
    ip('netns', 'add', space);
    onTestFinished(() => {
      ip('netns', 'del', space);
      remove();
    });
    ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', within, 'netns', space);
    ip('addr', 'add', `${gatewayHost}/30`, 'dev', outside);
    ip('link', 'set', outside, 'up');
    for (const args of [
      ['addr', 'add', `${agentHost}/30`, 'dev', within],
      ['link', 'set', within, 'up'],
      ['link', 'set', 'lo', 'up'],
    ])
      ip('-n', space, ...args);
    // A server in the private network: this one answers there only, by a relay on its loopback.
    const server = await startPostgres({ major: 18, auth: 'scram-sha-256' });
    onTestFinished(() => server.stop());
    const inside = ['ip', 'netns', 'exec', space];
    const relayed = await relayInto(space, server, path);
    const place = { folder: path, gatewayHost, targetHost: '127.0.0.1', inside };
    const target = { port: relayed, user: server.user, password: server.password };
    const { startGateway, startAgent, connected, login, client, data, api } = await open(place, target);
    const gateway = await startGateway();
    await startAgent();
    await connected();
    const token = await login();
    const working = await client(token);
    expect(await one(working)).toEqual([{ one: 1 }]);

    const cutOff = working.query('select pg_sleep(60)').catch((error: pg.DatabaseError) => error);
    await sleep(200);
    ip('link', 'set', outside, 'down');
    const error = (await cutOff) as pg.DatabaseError;
    expect(error.code).toBe('08006');
    expect(error.message).toMatch(/tunnel to agent "private"/);
    await vi.waitFor(async () => expect((await api().get<AgentRow[]>('/v1/agents'))[0]?.state).toBe('away'));
    await expect(client(token)).rejects.toThrow(/agent "private" is not connected/);

    ip('link', 'set', outside, 'up');
    await connected(40_000);
    const again = await client(token);
    expect(await one(again)).toEqual([{ one: 1 }]);
    await again.end();
    const gone = new Promise((resolve) => gateway.once('exit', resolve));
    gateway.kill('SIGTERM');
    await gone;
    new Journal({ folder: join(data, 'journal') }).close();
    expect(verify(join(data, 'journal')).problems).toEqual([]);
  },
  120_000,
);

/**
 * Offers the server's port on the loopback of a namespace, through a socket file that both sides see. Stands for a server
 * that lives in there: the gateway's side has no route to it.
 */
async function relayInto(space: string, server: { port: number }, folder: string): Promise<number> {
  const file = join(folder, 'relay.sock');
  const portFile = join(folder, 'relay.port');
  const { connect, createServer } = await import('node:net');
  const near = createServer((socket) => {
    const upstream = connect(server.port, '127.0.0.1');
    for (const side of [socket, upstream]) side.on('error', () => undefined);
    socket.pipe(upstream).pipe(socket);
  });
  near.listen(file);
  const script = `const net = require('node:net'), fs = require('node:fs');
const far = net.createServer((socket) => {
  const near = net.connect(${JSON.stringify(file)});
  for (const side of [socket, near]) side.on('error', () => {});
  socket.pipe(near).pipe(socket);
});
far.listen(0, '127.0.0.1', () => fs.writeFileSync(${JSON.stringify(portFile)}, String(far.address().port)));`;
  const child = spawn('ip', ['netns', 'exec', space, process.execPath, '-e', script], { stdio: 'ignore' });
  onTestFinished(() => {
    child.kill('SIGKILL');
    near.close();
  });
  await vi.waitFor(() => expect(existsSync(portFile)).toBe(true));
  await vi.waitFor(() => expect(Number(readFileSync(portFile, 'utf8'))).toBeGreaterThan(0));
  return Number(readFileSync(portFile, 'utf8'));
}
