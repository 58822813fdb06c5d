/** Clients of HTTP that people use, through a whole gateway: what they get, what is on record, and what a full disk does. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Client, Metadata, Server as GrpcServer, ServerCredentials, credentials, status } from '@grpc/grpc-js';
import { findTool, missingTool } from '@sluice/testkit';
import { WebSocket, WebSocketServer } from 'ws';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { caller } from './control.js';
import { type HttpStand, type HttpStandOptions, openHttpStand } from './http-stand.js';
import { smallDisk } from './small-disk.js';
import { run } from './ssh-stand.js';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function open(options: HttpStandOptions = {}): Promise<HttpStand> {
  const stand = await openHttpStand(options);
  stops.push(stand.stop);
  return stand;
}

const python = findTool('python3') ?? '';
const hasRequests = ((): boolean => {
  try {
    execFileSync(python, ['-c', 'import requests'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

const SCRIPT = `
import json, os, requests
base, token = os.environ['BASE'], os.environ['TOKEN']
session = requests.Session()
session.headers['Authorization'] = 'Bearer ' + token
out = []
answer = session.get(base + '/a', params={'q': ['1', '2']})
out.append([answer.status_code, answer.json()['url']])
answer = session.post(base + '/form', data={'a': 'b'})
out.append([answer.status_code, answer.json()['body']])
answer = session.put(base + '/chunks', data=(part for part in [b'one ', b'two']))
out.append([answer.status_code, answer.json()['body']])
answer = session.delete(base + '/prod/x')
out.append([answer.status_code, answer.json()['detail']])
answer = requests.get(base + '/a', auth=('any', token))
out.append([answer.status_code, answer.json()['url']])
print(json.dumps(out))
`;

test.skipIf(!hasRequests)('python requests', async () => {
  const stand = await open();
  const {
    status: code,
    stdout,
    stderr,
  } = await run(python, ['-c', SCRIPT], { env: { BASE: stand.url, TOKEN: stand.token } });
  expect([code, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout.toString())).toEqual([
    [200, '/a?q=1&q=2'],
    [200, 'a=b'],
    [200, 'one two'],
    [403, 'Nothing is deleted in prod.'],
    [200, '/a'],
  ]);
});

test.skipIf(missingTool('nghttp'))('nghttp', async () => {
  const stand = await open();
  const words = ['-n', '-v', '-H', `Authorization: Bearer ${stand.token}`, `https://127.0.0.1:${stand.port}/svc/x`];
  const { stdout } = await run(findTool('nghttp') as string, words);
  expect(stdout.toString()).toMatch(/:status: 200/);
});

test.skipIf(missingTool('h2load'))('h2load: a thousand requests on eight connections, by one visit', async () => {
  const stand = await open({ serve: (_request, response) => response.end('x') });
  const words = ['-n', '1000', '-c', '8', '-m', '16', '-H', `authorization: Bearer ${stand.token}`, `${stand.url}/x`];
  const { stdout } = await run(findTool('h2load') as string, words);
  expect(stdout.toString()).toMatch(/1000 succeeded, 0 failed, 0 errored/);
  const sessions = await caller(stand as never, stand.token).get<{ commands: number }[]>('/v1/sessions');
  expect(sessions).toHaveLength(1);
  expect(sessions[0]).toMatchObject({ commands: 1000 });
});

test('ws', async () => {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => socket.on('message', (data: Buffer) => socket.send(String(data).toUpperCase())));
  const stand = await open({ server });
  const socket = new WebSocket(`${stand.url.replace('http', 'ws')}/ws`, {
    headers: { authorization: `Bearer ${stand.token}` },
  });
  await once(socket, 'open');
  socket.send('hello');
  expect(String(((await once(socket, 'message')) as [Buffer])[0])).toBe('HELLO');
  const closed = once(socket, 'close');
  const [session] = await caller(stand as never, stand.token).get<{ id: string }[]>('/v1/sessions');
  await stand.gateway.stop();
  expect(((await closed) as [number])[0]).toBe(1001);
  expect(session?.id).toBeDefined();
  sockets.close();
});

const identity = (bytes: Buffer): Buffer => bytes;
const UNARY = {
  path: '/test.Echo/Unary',
  requestStream: false,
  responseStream: false,
  requestSerialize: identity,
  requestDeserialize: identity,
  responseSerialize: identity,
  responseDeserialize: identity,
} as const;

async function grpcTarget(): Promise<{ port: number; calls: () => number }> {
  const server = new GrpcServer();
  let calls = 0;
  server.addService(
    { unary: UNARY },
    {
      unary: (call: { request: Buffer }, done: (error: null, value: Buffer) => void) => {
        calls++;
        done(null, call.request);
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  onTestFinished(() => server.forceShutdown());
  return { port, calls: () => calls };
}

function unary({ port, token }: HttpStand, body: string): Promise<string> {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  onTestFinished(() => client.close());
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return new Promise((resolve, reject) =>
    client.makeUnaryRequest(`/svc${UNARY.path}`, identity, identity, Buffer.from(body), metadata, (error, value) =>
      error ? reject(error) : resolve(String(value)),
    ),
  );
}

test('grpc-js, with a rule about one method', async () => {
  const target = await grpcTarget();
  const stand = await open({
    target: `{ url: "http://127.0.0.1:${target.port}", http2: true }`,
    rules: `
    - { rule: no-echo, when: 'request.path == "/test.Echo/Drop"', deny: Nothing is dropped. }
    - { rule: requests, when: 'true', allow: true }`,
  });
  expect(await unary(stand, 'hello')).toBe('hello');
  expect(target.calls()).toBe(1);
});

describe('a disk that is full', () => {
  function fill(folder: string): () => void {
    const ballast = join(folder, 'data', 'journal', 'ballast');
    for (const size of [4_000_000, 1_000_000, 100_000, 10_000, 4096])
      for (let n = 0; n < 400; n++)
        try {
          writeFileSync(ballast, Buffer.alloc(size), { flag: 'a' });
        } catch {
          break;
        }
    return () => rmSync(ballast);
  }

  test('nothing arrives at the target by HTTP/1.1, HTTP/2 and WebSocket', async ({ skip }) => {
    const folder = smallDisk() ?? skip('a small file system cannot be mounted here');
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    const opened: string[] = [];
    sockets.on('connection', (socket) => opened.push(socket.url));
    const stand = await open({ server, folder });
    const headers = { authorization: `Bearer ${stand.token}` };
    expect((await fetch(`${stand.url}/before`, { headers })).status).toBe(200);
    const empty = fill(folder);
    // A visit that is open already: what fails is the record of its commands.
    const long = 'x'.repeat(20_000);
    for (let n = 0; n < 3; n++) {
      const answer = await fetch(`${stand.url}/after?${long.slice(0, 8000)}`, { headers }).catch(() => undefined);
      expect(answer?.status ?? 503).toBeGreaterThanOrEqual(500);
    }
    const session = connectHttp2(`http://127.0.0.1:${stand.port}`);
    session.on('error', () => undefined);
    const stream = session.request({ ':path': '/svc/after2', ...headers });
    stream.on('error', () => undefined);
    stream.resume();
    await once(stream, 'close');
    session.destroy();
    const socket = new WebSocket(`${stand.url.replace('http', 'ws')}/ws`, { headers });
    await once(socket, 'error');
    expect(stand.reached).toEqual(['GET /before']);
    expect(opened).toEqual([]);
    empty();
    sockets.close();
  });

  test('nor does a call of gRPC', async ({ skip }) => {
    const folder = smallDisk() ?? skip('a small file system cannot be mounted here');
    const target = await grpcTarget();
    const stand = await open({ folder, target: `{ url: "http://127.0.0.1:${target.port}", http2: true }` });
    expect(await unary(stand, 'before')).toBe('before');
    const empty = fill(folder);
    const error = (await unary(stand, 'x'.repeat(20_000)).catch((one: unknown) => one)) as { code: number };
    expect([status.UNAVAILABLE, status.PERMISSION_DENIED, status.INTERNAL]).toContain(error.code);
    expect(target.calls()).toBe(1);
    empty();
  });
});
