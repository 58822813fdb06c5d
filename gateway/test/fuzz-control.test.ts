/**
 * Random and damaged requests to the control API of a gateway that runs as a process of its own, by people of each role and by
 * strangers. No answer is a failure of the gateway, shows a stack, or has another shape than the API promises; nobody gets
 * what their role may not have; the gateway lives on, says nothing of failures in its log, and keeps no more memory.
 *
 * `pnpm fuzz control [--seconds N] [--seed S]` runs it for longer.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ApiClient } from '@sluice/cli';
import { freePort, missingPostgres, random, startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { MAIN } from './agents.js';
import {
  type FuzzRequest,
  type Operation,
  operationsOf,
  randomRequest,
  rawConversation,
} from './control-fuzz/requests.js';

const SECONDS = Number(process.env['SLUICE_FUZZ_SECONDS'] ?? 3);
const FIXED = 20_261;
const FRESH = Number(process.env['SLUICE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const FIXED_RUNS = 150;
/** Streams of events have no end of their own. */
const MAX_ANSWER_MS = 600;
/** Whoever hears nothing for so long was forgotten. */
const MAX_SILENCE_MS = 30_000;
const MAX_GROWTH_BYTES = 400 * 1024 * 1024;
/** Statuses that say that the gateway failed. 503 is what a route says that cannot answer now, and is described as such. */
const isFailure = (status: number): boolean => status >= 500 && status !== 503;
/** A line of a stack, or a place in somebody's file system. */
const STACK = /\n\s+at |node_modules|\.[jt]s:\d+/;

interface Caller {
  readonly name: string;
  readonly roles: readonly string[];
  /** Empty: shows none. */
  readonly token: string;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

let gateway: ChildProcess;
let url: string;
let log = '';
let operations: Operation[];
let callers: Caller[];
let ids: string[];
let stop: () => Promise<void>;

beforeAll(async () => {
  const { path, remove } = temporaryFolder('fuzz-control');
  const server = missingPostgres(18) === undefined ? await startPostgres({ major: 18 }) : undefined;
  const [port, control] = [await freePort(), await freePort()];
  const file = join(path, 'sluice.yaml');
  writeFileSync(
    file,
    `data: data
listeners: { postgres: { port: ${port} } }
control: { port: ${control} }
principals:
  dev: { groups: [engineers] }
  ada: { groups: [engineers], roles: [user, approver] }
  eve: { roles: [auditor] }
  max: { roles: [admin] }
  robot: { kind: agent, groups: [robots] }
connections:
  db:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${server?.port ?? 1}, database: postgres, tls: disable }
    credential: { user: ${server?.user ?? 'nobody'}, password: "${server?.password ?? 'x'}" }
    access: ["group:engineers"]
    policies: [production]
policies:
  production:
    - { rule: deletes, when: 'action.verb == "delete"', hold: { approvers: ["group:engineers"], timeout: 10m } }
`,
  );
  gateway = spawn(process.execPath, [MAIN, 'up', '--config', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [gateway.stdout, gateway.stderr]) stream?.on('data', (text: Buffer) => (log += text.toString()));
  const data = join(path, 'data');
  await vi.waitFor(() => expect(existsSync(join(data, 'gateway.json'))).toBe(true), { timeout: 40_000 });
  url = `http://127.0.0.1:${control}`;
  const api = ApiClient.find({ data });
  const tokenOf = async (principal: string, more: object = {}): Promise<{ id: string; token: string }> =>
    api.post('/v1/tokens', { principal, ...more });
  const caller = async (principal: string, roles: string[], more: object = {}): Promise<Caller> => ({
    name: `${principal} ${JSON.stringify(more)}`,
    roles,
    token: (await tokenOf(principal, more)).token,
  });
  callers = [
    { name: 'nobody', roles: [], token: '' },
    { name: 'a liar', roles: [], token: `sluice_${'a'.repeat(10)}_${'b'.repeat(32)}` },
    await caller('dev', ['user']),
    await caller('ada', ['user', 'approver']),
    await caller('ada', ['user'], { roles: ['user'], connections: ['db'] }),
    await caller('eve', ['auditor']),
    await caller('max', ['admin']),
    await caller('robot', ['user']),
  ];
  operations = operationsOf(await (await fetch(`${url}/v1/openapi.json`)).json());
  const victims = await Promise.all([tokenOf('dev'), tokenOf('dev', { name: 'other' })]);
  ids = victims.map(({ id }) => id);
  const clients: pg.Client[] = [];
  if (server) {
    const { token } = await tokenOf('dev');
    const client = new pg.Client({ host: '127.0.0.1', port, user: 'dev', password: token, database: 'db' });
    client.on('error', () => undefined);
    clients.push(client);
    await client.connect();
    await client.query('create table if not exists things (id int)');
    client.query('delete from things').catch(() => undefined);
    const held = (): Promise<{ number: number }[]> => api.get('/v1/approvals');
    await vi.waitFor(async () => expect(await held()).not.toEqual([]), { timeout: 20_000 });
    const sessions = await api.get<{ id: string }[]>('/v1/sessions');
    ids.push(...(await held()).map(({ number }) => String(number)), ...sessions.map(({ id }) => id));
  }
  stop = async () => {
    const ended = new Promise((resolve) => gateway.once('exit', resolve));
    gateway.kill('SIGKILL');
    await ended;
    for (const client of clients) await client.end().catch(() => undefined);
    await server?.stop();
    remove();
  };
}, 120_000);
afterAll(async () => stop?.());

/** Sends it as it is written: `fetch` would mend its path and its headers. */
function send(
  { operation, target, body, contentType }: FuzzRequest,
  { token }: Caller,
  chunked: boolean,
): Promise<Answer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
  const { hostname, port } = new URL(url);
  const headers: Record<string, string> = {};
  if (token !== '') headers['authorization'] = `Bearer ${token}`;
  if (body && contentType !== '') headers['content-type'] = contentType;
  if (body && chunked) headers['transfer-encoding'] = 'chunked';
  else if (body) headers['content-length'] = String(body.length);
  const sent = request({ hostname, port, method: operation.method, path: target, headers }, (reply) => {
    const parts: Buffer[] = [];
    const answer = (): void =>
      resolve({
        status: reply.statusCode ?? 0,
        type: reply.headers['content-type'] ?? '',
        body: Buffer.concat(parts).toString(),
      });
    reply
      .on('data', (part: Buffer) => parts.push(part))
      .on('error', answer)
      .on('close', answer);
    reply.setTimeout(MAX_ANSWER_MS, () => reply.destroy());
  });
  // The gateway may close while a body is on its way that it does not want.
  sent.on('error', () => resolve(undefined));
  // A timer of its own: a timeout of the request and one of the reply are both that of the socket.
  const silence = setTimeout(() => {
    resolve({ status: 599, type: '', body: 'nothing came' });
    sent.destroy();
  }, MAX_SILENCE_MS);
  sent.on('response', () => clearTimeout(silence));
  sent.on('close', () => clearTimeout(silence));
  sent.end(body);
  return promise;
}

/** Sends bytes and gives what came back until both were silent. */
function exchange(bytes: Buffer): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const { hostname, port } = new URL(url);
  let got = '';
  const socket = connect({ host: hostname, port: Number(port) }, () => socket.write(bytes));
  socket.setTimeout(150, () => socket.destroy());
  socket.on('data', (part) => (got += part.toString('latin1')));
  socket.on('error', () => undefined);
  socket.on('close', () => resolve(got));
  return promise;
}

function expectGood(answer: Answer, asked: FuzzRequest, caller: Caller, name: string): void {
  const { status, body, type } = answer;
  const { operation, faithful } = asked;
  expect(isFailure(status), `${name}: ${status} ${body.slice(0, 300)}`).toBe(false);
  expect(body.slice(0, 100_000), name).not.toMatch(STACK);
  if (status >= 400 && operation.path !== '/readyz') {
    expect(type, `${name}: ${status} ${body.slice(0, 300)}`).toContain('application/json');
    const { message, hint, ...more } = JSON.parse(body) as Record<string, unknown>;
    expect([typeof message, ['string', 'undefined'].includes(typeof hint), more], name).toEqual(['string', true, {}]);
  }
  if (operation.open || !faithful) return;
  const known = caller.roles.length > 0;
  const permitted =
    known && (operation.roles === undefined || operation.roles.some((role) => caller.roles.includes(role)));
  if (!known) expect(status, name).toBe(401);
  else if (!permitted) expect(status, name).toBe(403);
}

/** Bytes of memory that the gateway has; undefined where that cannot be read. */
function residentBytes(): number | undefined {
  const file = `/proc/${gateway.pid}/status`;
  if (!existsSync(file)) return undefined;
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(file, 'utf8'))?.[1]) * 1024;
}

test.each([
  ['fixed', FIXED],
  ['fresh', FRESH],
])(
  'damaged requests, %s seed %i',
  async (_, seed) => {
    const pick = random(seed);
    const before = residentBytes() ?? 0;
    let done = 0;
    const until = Date.now() + (SECONDS * 1000) / 2;
    // The fixed seed runs a fixed number, so that what it finds it finds everywhere.
    for (let n = 0; seed === FIXED ? n < FIXED_RUNS : Date.now() < until; n++) {
      const caller = callers[pick(callers.length)] as Caller;
      if (pick(4) === 0) {
        const name = `run ${n} of seed ${seed}, raw`;
        const got = await exchange(rawConversation(pick, caller.token));
        const statuses = Array.from(got.matchAll(/^HTTP\/1\.1 (\d{3})/gm), ([, status]) => Number(status));
        expect(statuses.filter(isFailure), `${name}: ${got.slice(0, 500)}`).toEqual([]);
        expect(got, name).not.toMatch(STACK);
        if (caller.roles.length === 0)
          expect(
            statuses.filter((status) => status >= 200 && status < 400),
            name,
          ).toEqual([]);
      } else {
        const asked = randomRequest(pick, operations, ids);
        const name = `run ${n} of seed ${seed}: ${caller.name} ${asked.operation.method} ${asked.target.slice(0, 200)} ${asked.body?.toString('utf8', 0, 200)}`;
        const chunked = pick(3) === 0;
        let answer = await send(asked, caller, chunked);
        // Whoever asks that often is told to wait, and learns nothing else.
        while (answer?.status === 429 && answer.body.includes('more often than')) {
          await sleep(1_000);
          answer = await send(asked, caller, chunked);
        }
        if (answer) expectGood(answer, asked, caller, name);
        if (asked.operation.method !== 'GET' && !asked.operation.open && answer && answer.status < 300) done++;
      }
      expect(gateway.exitCode, `run ${n} of seed ${seed}: the gateway has ended\n${log.slice(-2000)}`).toBeNull();
    }
    // Requests that are all refused at the door would try nothing behind it.
    if (seed === FIXED) expect(done).toBeGreaterThan(0);
    expect(log).not.toMatch(/a control request failed|unhandled|uncaught/i);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const after = residentBytes();
    if (after !== undefined) expect(after - before).toBeLessThan(MAX_GROWTH_BYTES);
  },
  SECONDS * 1000 + 180_000,
);

test('the description that the requests are made from has roles and open routes', () => {
  expect(operations.filter(({ open }) => open).length).toBeGreaterThan(4);
  expect(operations.filter(({ roles }) => roles !== undefined).length).toBeGreaterThan(4);
});
