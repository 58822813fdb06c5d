/**
 * Requests that repeat: what is remembered of a proof, of headers and of a judgement never outlives what it hangs on. And what else a rule may not
 * miss of a request, or change of it.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, type ServerResponse, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJournal } from '@sluice/recording';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { readConfiguration } from '../src/configuration.js';
import { caller } from './control.js';
import { type HttpStand, type HttpStandOptions, openHttpStand } from './http-stand.js';
import { TestIssuer } from './issuer.js';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function open(options: HttpStandOptions = {}): Promise<HttpStand> {
  const stand = await openHttpStand(options);
  closers.push(() => stand.stop());
  return stand;
}

/** One socket, from an address of its own. */
function socketOf(localAddress = '127.0.0.1'): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, localAddress });
  closers.push(() => agent.destroy());
  return agent;
}

interface Sent {
  readonly status: number;
  readonly text: string;
}

function send(
  stand: HttpStand,
  path: string,
  agent: Agent,
  token = stand.token,
  method = 'GET',
  body?: string,
): Promise<Sent> {
  const headers = {
    authorization: `Bearer ${token}`,
    ...(body !== undefined && {
      'content-type': 'application/json',
      'content-length': String(Buffer.byteLength(body)),
    }),
  };
  return new Promise((resolve, reject) => {
    const asked = httpRequest(`${stand.url}${path}`, { method, headers, agent }, (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => (text += chunk.toString()));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/** The same request so often that all of it is remembered. */
async function repeat(stand: HttpStand, path: string, agent: Agent, status = 200): Promise<void> {
  for (let count = 0; count < 5; count++) expect((await send(stand, path, agent)).status).toBe(status);
}

const idOf = (token: string): string => /^sluice_([a-z2-7]+)_/.exec(token)?.[1] ?? '';

async function change(stand: HttpStand, from: string, to: string): Promise<void> {
  const file = join(stand.folder, 'sluice.yaml');
  const text = readFileSync(file, 'utf8');
  expect(text).toContain(from);
  writeFileSync(file, text.replace(from, to));
  await stand.gateway.reload(readConfiguration(file).config, 'test');
}

const texts = (stand: HttpStand): unknown[] => {
  stand.gateway.log.flush();
  return [...readJournal(join(stand.folder, 'data', 'journal'))].flatMap(({ header }) =>
    header.k === 'command' ? [header.text] : [],
  );
};

describe('a request that repeats', () => {
  test('is judged anew where a rule looks at the clock', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-30T17:59:00Z') });
    closers.push(() => vi.useRealTimers());
    const stand = await open({
      rules: `
    - { rule: office-hours, when: 'now.hour >= 18', deny: Come back tomorrow. }
    - { rule: requests, when: 'true', allow: true }`,
    });
    const agent = socketOf();
    await repeat(stand, '/same', agent);
    vi.setSystemTime('2026-11-30T18:00:00Z');
    await repeat(stand, '/same', agent, 403);
    vi.setSystemTime('2026-12-01T08:00:00Z');
    await repeat(stand, '/same', agent);
  });

  test('is on record each time, as a command of its own', async () => {
    const stand = await open();
    await repeat(stand, '/same', socketOf());
    expect(texts(stand)).toEqual(Array.from({ length: 5 }, () => 'GET /same'));
    expect(stand.reached).toHaveLength(5);
  });

  test('is refused at once when its token is revoked', async () => {
    const stand = await open();
    const agent = socketOf();
    await repeat(stand, '/a', agent);
    await caller(stand as never, stand.token).delete(`/v1/tokens/${idOf(stand.token)}`);
    expect((await send(stand, '/a', agent)).status).toBe(401);
    expect(stand.reached).toHaveLength(5);
  });

  test('is refused at once when its principal is gone, or may not use the connection any more', async () => {
    const stand = await open();
    const agent = socketOf();
    await repeat(stand, '/a', agent);
    await change(stand, 'access: ["group:engineers"]', 'access: ["user:ada"]');
    expect((await send(stand, '/a', agent)).status).toBe(403);
    await change(stand, '  dev: { groups: [engineers] }', '  else: {}');
    expect((await send(stand, '/a', agent)).status).toBe(401);
    expect(stand.reached).toHaveLength(5);
  });

  test('is judged by the rules of now', async () => {
    const stand = await open();
    const agent = socketOf();
    await repeat(stand, '/a', agent);
    await repeat(stand, '/prod/x?method=DELETE', agent);
    await change(stand, 'request.method == "DELETE"\', deny', 'request.method == "GET"\', deny');
    await repeat(stand, '/prod/x?method=DELETE', agent, 403);
    expect((await send(stand, '/a', agent)).status).toBe(200);
    expect((await send(stand, '/prod/x', agent, stand.token, 'HEAD')).status).toBe(200);
  });

  test('is kept out on every socket of its owner, when one visit of theirs is ended', async () => {
    const stand = await open();
    const [here, there] = [socketOf(), socketOf('127.0.0.2')];
    await repeat(stand, '/a', here);
    await repeat(stand, '/b', there);
    const operator = caller(stand as never, readFileSync(join(stand.folder, 'data', 'admin.token'), 'utf8').trim());
    const visits = await operator.get<{ id: string; client: string }[]>('/v1/sessions?state=open');
    const visit = visits.find(({ client }) => client.startsWith('127.0.0.1:'));
    await operator.delete(`/v1/sessions/${visit?.id}?keepOut=30`);
    expect((await send(stand, '/b', there)).status).toBe(403);
  });

  test('by another principal with the same headers otherwise is theirs', async () => {
    const stand = await open({
      principals: '  eve: { groups: [engineers] }',
      rules: `
    - { rule: own, when: 'principal.name == "dev"', deny: Not for dev. }
    - { rule: requests, when: 'true', allow: true }
`,
    });
    const agent = socketOf();
    const eve = (await stand.gateway.identity.createToken({ principal: 'eve', name: 'test' })).token;
    for (let count = 0; count < 4; count++) {
      expect((await send(stand, '/a', agent, stand.token)).status).toBe(403);
      expect((await send(stand, '/a', agent, eve)).status).toBe(200);
    }
  });
});

test('an idle visit ends, the socket stays, and the next request begins another', { timeout: 30_000 }, async () => {
  const stand = await open({ limits: '{ idle: 1s }' });
  const agent = socketOf();
  let sockets = 0;
  agent.on('free', () => sockets++);
  await repeat(stand, '/a', agent);
  await vi.waitFor(() => expect(stand.gateway.sessions.size).toBe(0));
  expect((await send(stand, '/b', agent)).status).toBe(200);
  expect(Object.values(agent.freeSockets).flat().length + Object.values(agent.sockets).flat().length).toBe(1);
  stand.gateway.log.flush();
  const opened = [...readJournal(join(stand.folder, 'data', 'journal'))].filter(({ header }) => header.k === 'opened');
  expect(opened).toHaveLength(2);
});

test('a token that runs out in the middle of a stream: the stream finishes, the next request is refused', async () => {
  const issuer = await TestIssuer.open();
  closers.push(() => issuer.close());
  let stream: ServerResponse | undefined;
  const stand = await open({
    sections: `issuers:
  ci: { issuer: "${issuer.url}", audience: sluice, kind: agent, principal_prefix: "ci:", groups: groups }`,
    serve: (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write('data: first\n\n');
      stream = response;
    },
  });
  const token = await issuer.token({ exp: Math.floor(Date.now() / 1000) + 3, groups: ['engineers'] });
  const whole = send(stand, '/events', socketOf(), token);
  await vi.waitFor(() => expect(stream).toBeDefined());
  await sleep(4_000);
  expect((await send(stand, '/later', socketOf(), token)).status).toBe(401);
  stream?.end('data: last\n\n');
  expect(await whole).toEqual({ status: 200, text: 'data: first\n\ndata: last\n\n' });
});

describe('a body', () => {
  const ADMIN = `
    - { rule: no-admin, when: 'body("/role") == "admin"', deny: Nobody becomes admin here. }
    - { rule: requests, when: 'true', allow: true }
`;

  test('of a GET is judged with it', async () => {
    const stand = await open({ rules: ADMIN });
    expect((await send(stand, '/x', socketOf(), stand.token, 'GET', '{"role":"admin"}')).status).toBe(403);
    const passed = await send(stand, '/x', socketOf(), stand.token, 'GET', '{"role":"user"}');
    expect(JSON.parse(passed.text)).toMatchObject({ method: 'GET', body: '{"role":"user"}' });
    expect(stand.reached).toHaveLength(1);
  });

  test('is seen however its value is spelled', async () => {
    const stand = await open({ rules: ADMIN });
    for (const body of ['{"r\\u006fle":"\\u0061dmin"}', ' {"role" :\n"admin"}', '{"a":[{"role":"x"}],"role":"admin"}'])
      expect((await send(stand, '/x', socketOf(), stand.token, 'POST', body)).status).toBe(403);
    expect(stand.reached).toHaveLength(0);
  });

  test('that a rule only observes goes on with the bytes that it came with', async () => {
    const stand = await open({ rules: ADMIN.replace('rule: no-admin,', 'rule: no-admin, mode: observe,') });
    const body = ' { "role" : "admin",\t"n": 1.50, "u": "\\u00e9" }\n';
    const passed = await send(stand, '/x', socketOf(), stand.token, 'POST', body);
    expect(passed.status).toBe(200);
    expect((JSON.parse(passed.text) as { body: string }).body).toBe(body);
  });
});
