/** HTTP/2: in front by ALPN and by its preface, and to targets that speak gRPC. Clients and servers are Node's and grpc-js. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import {
  type ClientHttp2Session,
  type Http2Server,
  connect,
  constants,
  createServer as createHttp2Server,
} from 'node:http2';
import { once } from 'node:events';
import { createServer as createRawServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Client,
  type ClientDuplexStream,
  Metadata,
  Server as GrpcServer,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceError,
  credentials,
  status,
} from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ALLOW, AUTH, OTHER_TOKEN, RawClient, Rig, TOKEN, listening, until } from './rig.js';

interface Got {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly trailers: Record<string, unknown>;
  readonly body: string;
}

async function ask(session: ClientHttp2Session, headers: Record<string, string>, body?: Buffer | string): Promise<Got> {
  const stream = session.request({ authorization: `Bearer ${TOKEN}`, ...headers }, { endStream: body === undefined });
  let got: Record<string, unknown> = {};
  let trailers: Record<string, unknown> = {};
  const chunks: Buffer[] = [];
  stream.on('response', (fields) => (got = fields));
  stream.on('trailers', (fields) => (trailers = fields as Record<string, unknown>));
  stream.on('data', (bytes: Buffer) => chunks.push(bytes));
  if (body !== undefined) stream.end(body);
  await new Promise<void>((resolve, reject) => {
    stream.once('error', reject);
    // Node's client has no 'close' for a stream that was reset with NO_ERROR behind its answer while it still writes.
    stream.once('close', () => resolve());
    stream.once('end', () => setImmediate(() => stream.rstCode === 0 && resolve()));
  });
  return { status: Number(got[':status']), headers: got, trailers, body: Buffer.concat(chunks).toString() };
}

describe('what HTTP/2 has no place for', () => {
  const HEAD = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n';
  test.each([
    ['in a head whose body comes later', [`${HEAD}HTTP2-Settings: AAMAAABk\r\n\r\n`, '2\r\nok\r\n0\r\n\r\n']],
    ['in a head with all of its body', [`${HEAD}HTTP2-Settings: AAMAAABk\r\n\r\n2\r\nok\r\n0\r\n\r\n`]],
    ['in trailers', [`${HEAD}\r\n2\r\nok\r\n0\r\nHTTP2-Settings: AAMAAABk\r\n\r\n`]],
  ])('%s stays behind', async (_, pieces) => {
    const target = createRawServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', () => {
        pieces.forEach((piece, at) => setTimeout(() => socket.write(piece), at * 50));
      });
    });
    const rig = await Rig.open(await listening(target));
    const session = connect(`http://127.0.0.1:${rig.port}`);
    session.on('error', () => undefined);
    try {
      const got = await ask(session, { ':path': '/svc/x' });
      expect(got).toMatchObject({ status: 200, body: 'ok' });
      expect({ ...got.headers, ...got.trailers }).not.toHaveProperty('http2-settings');
    } finally {
      session.destroy();
      await rig.close();
      target.close();
    }
  });
});

test('a trailer that HTTP/2 has no place for does not go on to a target', async () => {
  const target = createHttp2Server();
  let trailers: object = {};
  target.on('stream', (stream) => {
    stream.on('trailers', (fields) => (trailers = fields));
    stream.on('end', () => {
      stream.respond({ ':status': 200 });
      stream.end('ok');
    });
    stream.resume();
  });
  const rig = await Rig.open(await listening(target), { target: { http2: true } });
  try {
    const client = await RawClient.to(rig.port);
    client.write(`POST /svc/x HTTP/1.1\r\nHost: x\r\n${AUTH}\r\nTransfer-Encoding: chunked\r\n\r\n`);
    client.write('2\r\nhi\r\n0\r\nX-Sum: 7\r\nHTTP2-Settings: AAMAAABk\r\n\r\n');
    await client.until(/\r\n\r\n[^]*ok/);
    expect(client.text).toContain('200 OK');
    expect(Object.keys(trailers)).toEqual(['x-sum']);
  } finally {
    await rig.close();
    target.close();
  }
});

describe('in front of a target that speaks HTTP/1.1', () => {
  let rig: Rig;
  let server: Server;
  let session: ClientHttp2Session;

  beforeEach(async () => {
    server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (bytes: Buffer) => chunks.push(bytes));
      request.on('end', () => {
        if (request.url === '/slow') {
          setTimeout(() => response.end('slow'), 200);
          return;
        }
        if (request.url === '/never') return;
        if (request.url === '/cut') {
          response.writeHead(200, { 'content-length': '100' });
          response.write('part');
          setTimeout(() => response.destroy(), 20);
          return;
        }
        response.setHeader('X-Seen', request.rawHeaders.join(','));
        response.setHeader('Trailer', 'X-Sum');
        response.write(`${request.method} ${request.url} ${Buffer.concat(chunks).toString()}`);
        response.addTrailers({ 'X-Sum': '7' });
        response.end();
      });
    });
    rig = await Rig.open(await listening(server));
    session = connect(`http://127.0.0.1:${rig.port}`);
    session.on('error', () => undefined);
  });

  afterEach(async () => {
    session.destroy();
    await rig.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  test('a request, its body, and the trailers of the answer', async () => {
    const got = await ask(
      session,
      { ':path': '/svc/a?b=c', ':method': 'POST', 'x-one': '1', 'content-type': 'text/plain' },
      'hello',
    );
    expect(got).toMatchObject({ status: 200, body: 'POST /a?b=c hello', trailers: { 'x-sum': '7' } });
    expect(got.headers['x-seen']).toContain('x-one,1');
    expect(got.headers['x-seen']).not.toMatch(/token-A|authorization/);
    expect(rig.stay().commands[0]).toMatchObject({ method: 'POST', path: '/a', query: 'b=c', host: '127.0.0.1' });
  });

  test('two principals at once on one connection, and a hold delays nobody else', async () => {
    let release: (() => void) | undefined;
    rig.judge = ({ path }) => (path === '/held' ? new Promise((resolve) => (release = () => resolve(ALLOW))) : ALLOW);
    const held = ask(session, { ':path': '/svc/held' });
    await until(() => release !== undefined);
    const other = await ask(session, { ':path': '/svc/x', authorization: `Bearer ${OTHER_TOKEN}` });
    expect(other.body).toBe('GET /x ');
    release?.();
    expect((await held).body).toBe('GET /held ');
    expect(rig.stay('bob').commands.map(({ path }) => path)).toEqual(['/x']);
  });

  test('a refusal leaves the connection to others', async () => {
    rig.judge = ({ method }) => (method === 'DELETE' ? { type: 'deny', rule: 'r', message: 'No.' } : ALLOW);
    const [no, yes] = await Promise.all([
      ask(session, { ':path': '/svc/x', ':method': 'DELETE' }),
      ask(session, { ':path': '/svc/y' }),
    ]);
    expect([no.status, JSON.parse(no.body).detail, yes.status]).toEqual([403, 'No.', 200]);
    const upload = await ask(session, { ':path': '/svc/x', ':method': 'DELETE' }, Buffer.alloc(1_000_000));
    expect(upload.status).toBe(403);
    expect((await ask(session, { ':path': '/svc/z' })).status).toBe(200);
  });

  test('an answer that breaks off resets the stream', async () => {
    await expect(ask(session, { ':path': '/svc/cut' })).rejects.toThrow(/INTERNAL_ERROR/);
    expect((await ask(session, { ':path': '/svc/z' })).status).toBe(200);
  });

  test('what HTTP/1.1 has no like of is refused', async () => {
    expect((await ask(session, { ':path': '/svc/x', x_y: '1' })).status).toBe(400);
    expect((await ask(session, { ':path': '/svc/x', ':method': 'TRACE' })).status).toBe(405);
    expect((await ask(session, { ':path': '/svc/x', ':method': 'get' })).status).toBe(501);
    expect((await ask(session, { ':path': '/svc/x', ':authority': 'one', host: 'other' })).status).toBe(400);
  });

  test('a client that resets streams as fast as it can is cut off, and others are served', async () => {
    const before = process.memoryUsage().rss;
    const flood = connect(`http://127.0.0.1:${rig.port}`);
    flood.on('error', () => undefined);
    const state = { over: false };
    flood.on('close', () => (state.over = true));
    for (let n = 0; n < 10_000 && !state.over; n++) {
      try {
        const stream = flood.request({ ':path': '/svc/slow', authorization: `Bearer ${TOKEN}` });
        stream.on('error', () => undefined);
        stream.close(constants.NGHTTP2_CANCEL);
      } catch {
        break;
      }
      if (n % 50 === 0) await sleep(1);
    }
    await until(() => state.over);
    expect((await ask(session, { ':path': '/svc/z' })).status).toBe(200);
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 * 1024);
    flood.destroy();
  });

  test('draining sends GOAWAY and finishes what is under way', async () => {
    const slow = ask(session, { ':path': '/svc/slow' });
    await until(() => rig.stay().commands.length === 1);
    const gone = once(session, 'goaway');
    rig.draining.abort({ code: 'shutdown' });
    await gone;
    expect((await slow).body).toBe('slow');
  });

  test('a client that goes away takes its request with it', async () => {
    const stream = session.request({ ':path': '/svc/never', authorization: `Bearer ${TOKEN}` });
    stream.on('error', () => undefined);
    await until(() => rig.stay().commands.length === 1);
    stream.close(constants.NGHTTP2_CANCEL);
    await until(() => rig.stay().ended() !== undefined);
    expect(rig.stay().ended()).toMatchObject({ outcome: 'lost' });
  });
});

const identity = { serialize: (bytes: Buffer) => bytes, deserialize: (bytes: Buffer) => bytes };
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: identity.serialize,
  requestDeserialize: identity.deserialize,
  responseSerialize: identity.serialize,
  responseDeserialize: identity.deserialize,
});

describe('gRPC, by HTTP/2 to the target', () => {
  let rig: Rig;
  let server: GrpcServer;
  let client: Client;
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${TOKEN}`);
  let cancelled = 0;

  beforeEach(async () => {
    cancelled = 0;
    server = new GrpcServer();
    server.addService(
      {
        unary: method('Unary', false, false),
        fail: method('Fail', false, false),
        many: method('Many', false, true),
        sum: method('Sum', true, false),
        chat: method('Chat', true, true),
        never: method('Never', false, false),
      },
      {
        unary: (call: { request: Buffer; metadata: Metadata }, done: (error: null, value: Buffer) => void) =>
          done(
            null,
            Buffer.from(
              `${call.request.length}:${call.metadata.get('x-mine').join()}:${call.metadata.get('authorization').join()}`,
            ),
          ),
        fail: (_call: unknown, done: (error: object) => void) =>
          done({ code: status.FAILED_PRECONDITION, details: 'schön nicht' }),
        many: (call: { write(bytes: Buffer): void; end(): void }) => {
          for (let n = 0; n < 5; n++) call.write(Buffer.from(String(n)));
          call.end();
        },
        sum: (call: AsyncIterable<Buffer>, done: (error: null, value: Buffer) => void) => {
          void (async () => {
            let size = 0;
            for await (const bytes of call) size += bytes.length;
            done(null, Buffer.from(String(size)));
          })();
        },
        chat: (call: ServerDuplexStream<Buffer, Buffer>) => {
          call.on('data', (bytes: Buffer) => call.write(bytes));
          call.on('end', () => call.end());
        },
        never: (call: { on(name: string, act: () => void): void }) => call.on('cancelled', () => void cancelled++),
      },
    );
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    rig = await Rig.open(port, { target: { http2: true } });
    client = new Client(`127.0.0.1:${rig.port}`, credentials.createInsecure());
  });

  afterEach(async () => {
    client.close();
    await rig.close();
    server.forceShutdown();
  });

  const unary = (name: string, body: Buffer, options = {}): Promise<string> =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        `/svc/test.Echo/${name}`,
        identity.serialize,
        identity.deserialize,
        body,
        metadata,
        options,
        (error, value) => (error ? reject(error) : resolve((value as Buffer).toString())),
      );
    });

  test('unary, with metadata and 3 MB', async () => {
    metadata.set('x-mine', 'yes');
    expect(await unary('Unary', Buffer.alloc(3_000_000))).toBe('3000000:yes:');
    expect(rig.stay().commands[0]).toMatchObject({
      method: 'POST',
      path: '/test.Echo/Unary',
      body: { type: 'stream', media: 'application/grpc' },
    });
    expect(rig.stay().dials).toBe(1);
    await until(() => rig.stay().ended() !== undefined);
    expect(rig.stay().recorded('head')).toMatch(/grpc-status: 0/i);
  });

  test('an error with its details', async () => {
    await expect(unary('Fail', Buffer.alloc(1))).rejects.toMatchObject({
      code: status.FAILED_PRECONDITION,
      details: 'schön nicht',
    });
  });

  test('server streaming, client streaming and both', async () => {
    const many = client.makeServerStreamRequest(
      '/svc/test.Echo/Many',
      identity.serialize,
      identity.deserialize,
      Buffer.alloc(0),
      metadata,
    );
    const got: string[] = [];
    for await (const bytes of many) got.push(String(bytes));
    expect(got).toEqual(['0', '1', '2', '3', '4']);
    const sum = await new Promise<string>((resolve, reject) => {
      const call = client.makeClientStreamRequest(
        '/svc/test.Echo/Sum',
        identity.serialize,
        identity.deserialize,
        metadata,
        (error, value) => (error ? reject(error) : resolve(String(value))),
      );
      for (let n = 0; n < 10; n++) call.write(Buffer.alloc(1000));
      call.end();
    });
    expect(sum).toBe('10000');
    const chat: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(
      '/svc/test.Echo/Chat',
      identity.serialize,
      identity.deserialize,
      metadata,
    );
    const echoed: string[] = [];
    chat.on('data', (bytes: Buffer) => {
      echoed.push(String(bytes));
      if (echoed.length < 3) chat.write(Buffer.from(`m${echoed.length}`));
      else chat.end();
    });
    chat.write(Buffer.from('m0'));
    await once(chat, 'end');
    expect(echoed).toEqual(['m0', 'm1', 'm2']);
  });

  test('a deadline and a cancel reach the target', async () => {
    await expect(unary('Never', Buffer.alloc(1), { deadline: Date.now() + 200 })).rejects.toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });
    await until(() => cancelled === 1);
  });

  test('a refusal is a status, which libraries do not repeat', async () => {
    rig.judge = () => ({ type: 'deny', rule: 'r', message: 'Nö, not 100%.', hint: 'Ask.' });
    const error = (await unary('Unary', Buffer.alloc(1)).catch((one: unknown) => one)) as ServiceError;
    expect([error.code, error.details]).toEqual([status.PERMISSION_DENIED, 'Nö, not 100%. Ask.']);
    expect(rig.stay().commands).toHaveLength(1);
  });

  test('where rules read bodies it is refused, in words', async () => {
    rig.needsBody = () => true;
    const error = (await unary('Unary', Buffer.alloc(1)).catch((one: unknown) => one)) as ServiceError;
    expect([error.code, error.details]).toEqual([status.UNIMPLEMENTED, expect.stringMatching(/descriptors/)]);
  });
});

test('a target that does not speak HTTP/2 is said to be none', async () => {
  const server: Http2Server | Server = createServer();
  const rig = await Rig.open(await listening(server), { target: { http2: true } });
  const answer = await fetch(`${rig.url}/x`, { headers: { authorization: `Bearer ${TOKEN}` } });
  expect(answer.status).toBe(502);
  await rig.close();
  await new Promise((resolve) => server.close(resolve));
});

test('HTTP/1.1 in front and HTTP/2 behind: lengths, and answers without a body', async () => {
  const server = createHttp2Server();
  server.on('stream', (stream, headers) => {
    switch (headers[':path']) {
      case '/length':
        stream.respond({ ':status': 200, 'x-a': 'b', 'content-length': 3 });
        return headers[':method'] === 'HEAD' ? stream.end() : stream.end('two');
      case '/none':
        stream.respond({ ':status': 204 });
        return stream.end();
      default:
        stream.respond({ ':status': 200, 'sluice-request': '9' });
        return stream.end('two');
    }
  });
  const rig = await Rig.open(await listening(server), { target: { http2: true } });
  const client = await RawClient.to(rig.port);
  for (const [line, answer] of [
    ['GET /svc/length', /^HTTP\/1\.1 200 OK\r\nx-a: b\r\ncontent-length: 3\r\ndate: [^\r]*\r\n\r\ntwo$/],
    ['HEAD /svc/length', /^HTTP\/1\.1 200 OK\r\nx-a: b\r\ncontent-length: 3\r\ndate: [^\r]*\r\n\r\n$/],
    ['GET /svc/none', /^HTTP\/1\.1 204 No Content\r\ndate: [^\r]*\r\n\r\n$/],
    ['GET /svc/x', /^HTTP\/1\.1 200 OK\r\ndate: [^\r]*\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n$/],
  ] as const) {
    client.text = '';
    client.write(`${line} HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\n\r\n`);
    await client.until(answer);
  }
  client.socket.destroy();
  await rig.close();
  server.close();
});
