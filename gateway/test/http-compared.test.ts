/** Clients that people use, against one service direct and through the gateway: both times they see the same. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  Client,
  type ClientReadableStream,
  Metadata,
  type MethodDefinition,
  Server as GrpcServer,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type StatusObject,
  credentials,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { findTool, missingTool, temporaryFolder } from '@sluice/testkit';
import { WebSocket, WebSocketServer } from 'ws';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HttpStand, openHttpStand } from './http-stand.js';
import { run } from './ssh-stand.js';

/** Of the connection, of the moment, and what only one of both ways has. */
const PASSING = /^(?:date|connection|keep-alive|host|authorization|transfer-encoding|referer)$/i;

const PATHS: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {
  '/gone': (_, response) => void response.writeHead(410, 'Gone for good', { 'content-type': 'text/plain' }).end('gone'),
  '/big': ({ method }, response) => {
    if (method === 'HEAD') {
      response.setHeader('Content-Length', 1_000_000).end();
      return;
    }
    response.setHeader('Trailer', 'X-Sum');
    for (let n = 0; n < 10; n++) response.write(Buffer.alloc(100_000, 97 + n));
    response.addTrailers({ 'X-Sum': 'abc' });
    response.end();
  },
  '/none': (_, response) => void response.writeHead(204, { 'X-Mine': 'yes' }).end(),
  '/fresh': (_, response) => void response.writeHead(304, { ETag: '"1"' }).end(),
  '/redirect': (_, response) => void response.writeHead(302, { Location: '/echo?to=1' }).end(),
  '/gzip': (_, response) =>
    void response
      .writeHead(200, { 'Content-Type': 'text/plain', 'Content-Encoding': 'gzip' })
      .end(gzipSync('compressed '.repeat(100))),
  '/cookies': (_, response) => void response.writeHead(200, { 'Set-Cookie': ['a=1', 'b=2; HttpOnly'] }).end('set'),
  '/pieces': (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/plain' });
    for (let n = 0; n < 5; n++)
      setTimeout(() => (n === 4 ? response.end('last') : response.write(`piece ${n} `)), n * 10);
  },
  '/cut': (_, response) => {
    response.writeHead(200, { 'Content-Length': 100 });
    response.write('0123456789', () => setTimeout(() => response.destroy(), 50));
  },
};

/** With its prefix, where the gateway has not taken it off. */
function serve(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const { method, url = '/', rawHeaders, rawTrailers } = request;
  const act = PATHS[new URL(url, 'http://x').pathname];
  if (act) return act(request, response);
  const headers = rawHeaders.filter((_, at) => !PASSING.test(rawHeaders[at - (at % 2)] as string));
  const digest = createHash('sha256').update(body).digest('hex');
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ method, url, headers, trailers: rawTrailers, bytes: body.length, digest }));
}

let stand: HttpStand;
let direct: string;
let server: Server;
let sockets: WebSocketServer;

beforeAll(async () => {
  server = createServer();
  sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket, { url }) => {
    socket.on('ping', (data) => socket.send(`pinged ${String(data)}`));
    socket.on('message', (data: Buffer, binary) => {
      if (String(data) === 'bye') return socket.close(4002, 'as you wish');
      socket.send(data, { binary });
      socket.send(`${url} ${data.length} ${binary}`);
    });
  });
  stand = await openHttpStand({
    server,
    serve,
    rules: `
    - { rule: requests, when: 'true', allow: true }`,
  });
  direct = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  sockets.close();
  await stand.stop();
});

/** What a program printed, and how it ended. */
async function heard(program: string, words: readonly string[], env: Record<string, string>): Promise<unknown> {
  const { status, stdout, stderr } = await run(program, words, { env });
  if (status !== 0) throw new Error(`${program} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout.toString());
}

const statusesOf = (heardAll: unknown): unknown[] => (heardAll as unknown[][]).map(([status]) => status);

const python = findTool('python3') ?? '';
const hasRequests = ((): boolean => {
  try {
    execFileSync(python, ['-c', 'import requests'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

test.skipIf(!hasRequests)('python requests', async () => {
  const words = [join(import.meta.dirname, 'http-clients/client.py')];
  const wanted = await heard(python, words, { BASE: direct, TOKEN: stand.token });
  expect(statusesOf(wanted)).toEqual([200, 200, 200, 200, 200, 410, 200, 200, 204, 304, 200, 200, 200, 200, 200]);
  expect(await heard(python, words, { BASE: stand.url, TOKEN: stand.token })).toEqual(wanted);
  const secure = stand.url.replace('http:', 'https:');
  expect(await heard(python, words, { BASE: secure, TOKEN: stand.token })).toEqual(wanted);
});

test.skipIf(missingTool('go'))('net/http of Go, by HTTP/1.1 and HTTP/2', { timeout: 180_000 }, async () => {
  const { path, remove } = temporaryFolder('go');
  try {
    const program = join(path, 'client');
    const source = join(import.meta.dirname, 'http-clients/client.go');
    const env = { ...process.env, GO111MODULE: 'off', GOCACHE: join(path, 'cache'), GOFLAGS: '' };
    execFileSync(findTool('go') as string, ['build', '-o', program, source], { env, stdio: 'pipe' });
    const wanted = await heard(program, [], { BASE: direct, TOKEN: stand.token });
    expect(statusesOf(wanted)).toEqual([200, 200, 200, 200, 410, 200, 200, 204, 304, 200, 200, 200, 200, 200]);
    expect((wanted as unknown[][]).at(-1)?.at(-1)).toBe('broken off');
    expect(await heard(program, [], { BASE: stand.url, TOKEN: stand.token })).toEqual(wanted);
    const secure = { BASE: stand.url.replace('http:', 'https:'), TOKEN: stand.token };
    expect(await heard(program, [], secure)).toEqual(wanted);
    const http2 = await heard(program, [], { ...secure, HTTP2: '1' });
    expect(statusesOf(http2)).toEqual(statusesOf(wanted));
    expect((http2 as unknown[][]).map((one) => one.at(-1))).toEqual((wanted as unknown[][]).map((one) => one.at(-1)));
  } finally {
    remove();
  }
});

/** A library chooses another boundary each time. */
const PARTS = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n';

describe('curl', () => {
  const CALLS: Readonly<Record<string, readonly string[]>> = {
    'a query': ['/echo?q=1&q=2', '-H', 'X-Twice: a', '-H', 'X-Twice: b', '-H', 'x-lower: c'],
    'a form': ['/echo', '-d', 'a=b', '-d', 'c=d'],
    'an upload in chunks': ['/echo', '-T', '-', '-H', 'Transfer-Encoding: chunked', '-H', 'Expect:'],
    'an upload that waits to be asked': [
      '/echo',
      '--data-binary',
      'x'.repeat(2000),
      '-H',
      'Expect: 100-continue',
      '-H',
      'Content-Type: text/plain',
    ],
    'several parts': ['/echo', '--data-binary', PARTS, '-H', 'Content-Type: multipart/form-data; boundary=x'],
    'a reason of its own': ['/gone', '-X', 'DELETE'],
    'a head alone': ['/big', '-I'],
    trailers: ['/big', '-o', '/dev/null'],
    'no body': ['/none'],
    'one that has not changed': ['/fresh', '-H', 'If-None-Match: "1"'],
    'another place': ['/redirect', '-L'],
    'a coding': ['/gzip', '--compressed'],
    cookies: ['/cookies'],
    pieces: ['/pieces', '-N'],
    'an answer that breaks off': ['/cut'],
    'HTTP/1.0': ['/cookies', '-0'],
  };

  /** Exit code, head and body. The boundary of parts is curl's own choice each time, and so is what depends on it. */
  async function ask(base: string, [path = '', ...words]: readonly string[]): Promise<unknown> {
    const always = ['-sS', '--max-time', '20', '-D', '-', '-H', `Authorization: Bearer ${stand.token}`];
    const { status, stdout, stderr } = await run(findTool('curl') as string, [...always, ...words, base + path], {
      input: 'sent',
    });
    const lines = stdout.toString().split('\r\n');
    // A target is asked by HTTP/1.1, and says there how long its answer is.
    const gone = words.includes('-0') ? /^(?:content-length|location):/i : /^location:/i;
    const kept = lines.filter((line) => !PASSING.test(line.split(':', 1)[0] ?? '') && !gone.test(line));
    return { status, kept, stderr: stderr.replaceAll(/\d+ (?:out of )?bytes/g, 'bytes') };
  }

  test.skipIf(missingTool('curl')).each(Object.entries(CALLS))('%s', async (_name, words) => {
    const wanted = await ask(direct, words);
    expect(await ask(stand.url, words)).toEqual(wanted);
    if (words[0] === '/cut') expect(wanted).toMatchObject({ status: 18 });
  });
});

describe('fetch', () => {
  async function ask(base: string, path: string, init: RequestInit = {}): Promise<unknown> {
    const headers = { authorization: `Bearer ${stand.token}`, ...(init.headers as Record<string, string>) };
    const answer = await fetch(base + path, { ...init, headers, redirect: 'follow' });
    const shown = [...answer.headers].filter(([name]) => !PASSING.test(name));
    try {
      const text = await answer.text();
      return {
        status: answer.status,
        reason: answer.statusText,
        shown,
        text: text.length > 20_000 ? text.length : text,
      };
    } catch {
      return { status: answer.status, shown, broken: true };
    }
  }

  test.each<[string, RequestInit?]>([
    ['/echo?q=1&q=2'],
    ['/echo', { method: 'POST', body: '{"a":1}', headers: { 'content-type': 'application/json' } }],
    ['/echo', { method: 'PUT', body: new Uint8Array(300_000) }],
    ['/echo', { method: 'POST', body: new Blob(['streamed']).stream(), duplex: 'half' } as RequestInit],
    ['/gone', { method: 'DELETE' }],
    ['/big', { method: 'HEAD' }],
    ['/big'],
    ['/none'],
    ['/redirect'],
    ['/gzip'],
    ['/cookies'],
    ['/pieces'],
    ['/cut'],
  ])('%s %j', async (path, init) => {
    // A stream is read once.
    const again = (): RequestInit =>
      init?.body instanceof ReadableStream ? { ...init, body: new Blob(['streamed']).stream() } : (init ?? {});
    expect(await ask(stand.url, path, again())).toEqual(await ask(direct, path, again()));
  });
});

test.skipIf(missingTool('nghttp'))('nghttp, by HTTP/2: what curl has by HTTP/1.1', async () => {
  const target = new URL(stand.url);
  const ask = async (...words: string[]): Promise<string> => {
    const all = ['-H', `Authorization: Bearer ${stand.token}`, ...words];
    return (await run(findTool('nghttp') as string, all)).stdout.toString();
  };
  const plain = (path: string): Promise<string> =>
    fetch(`${direct}${path}`, { headers: { authorization: `Bearer ${stand.token}` } }).then((answer) => answer.text());
  expect(await ask(`http://${target.host}/svc/pieces`)).toBe(await plain('/pieces'));
  expect(await ask(`https://${target.host}/svc/pieces`)).toBe(await plain('/pieces'));
  const several = await ask('-v', '-m', '5', '--no-verify-peer', `https://${target.host}/svc/big`);
  expect(several.match(/:status: 200/g)).toHaveLength(5);
  expect(several.match(/x-sum: abc/g)).toHaveLength(5);
});

test('ws: messages, fragments, pings and codes', async () => {
  async function ask(base: string): Promise<unknown> {
    const socket = new WebSocket(`${base.replace('http', 'ws')}/ws?a=1`, {
      headers: { authorization: `Bearer ${stand.token}` },
    });
    const got: unknown[] = [];
    socket.on('message', (data: Buffer, binary) => got.push([data.length > 100 ? data.length : String(data), binary]));
    await once(socket, 'open');
    socket.send('hello');
    socket.send(Buffer.from([1, 2, 3]));
    socket.send('in ', { fin: false });
    socket.ping('now');
    socket.send('pieces', { fin: true });
    socket.send('x'.repeat(200_000));
    socket.send('');
    socket.send('bye');
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    return {
      got: got.map((one) => JSON.stringify(one)).toSorted((a, b) => a.localeCompare(b)),
      code,
      reason: String(reason),
    };
  }
  const wanted = await ask(direct);
  expect(wanted).toMatchObject({ code: 4002, reason: 'as you wish' });
  expect(await ask(stand.url)).toEqual(wanted);
});

describe('grpc-js', () => {
  const same = (bytes: Buffer): Buffer => bytes;
  const method = (name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<Buffer, Buffer> => ({
    path: `/test.Echo/${name}`,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  });
  const trailers = (): Metadata => {
    const metadata = new Metadata();
    metadata.set('x-after', 'yes');
    metadata.set('x-bytes-bin', Buffer.from([0, 255]));
    return metadata;
  };

  async function startServer(): Promise<{ port: number; stop: () => void }> {
    const echo = new GrpcServer();
    echo.addService(
      {
        unary: method('Unary', false, false),
        fail: method('Fail', false, false),
        many: method('Many', false, true),
        sum: method('Sum', true, false),
        chat: method('Chat', true, true),
        never: method('Never', false, false),
      },
      {
        unary: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
          call.sendMetadata(trailers());
          done(null, Buffer.from(`${call.request.length} ${call.metadata.get('x-mine').join()}`), trailers());
        },
        fail: (_: unknown, done: sendUnaryData<Buffer>) =>
          done({ code: status.FAILED_PRECONDITION, details: 'schön nicht', metadata: trailers() }),
        many: (call: ServerWritableStream<Buffer, Buffer>) => {
          for (let n = 0; n < 5; n++) call.write(Buffer.from(String(n)));
          call.end(trailers());
        },
        sum: (call: ServerReadableStream<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
          let size = 0;
          call.on('data', (bytes: Buffer) => (size += bytes.length));
          call.on('end', () => done(null, Buffer.from(String(size))));
        },
        chat: (call: ServerDuplexStream<Buffer, Buffer>) => {
          call.on('data', (bytes: Buffer) => call.write(bytes));
          call.on('end', () => call.end());
        },
        never: () => undefined,
      },
    );
    const port = await new Promise<number>((resolve, reject) =>
      echo.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    return { port, stop: () => echo.forceShutdown() };
  }

  /** All that four kinds of calls, an error and a deadline give to the program that makes them. */
  async function ask(port: number, prefix: string, token: string): Promise<unknown> {
    const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    metadata.set('x-mine', 'mine');
    const shown = (one: Metadata): unknown => {
      const { date: _, ...rest } = one.getMap() as Record<string, unknown>;
      return rest;
    };
    const unary = (name: string, deadline = 10_000): Promise<unknown> =>
      new Promise((resolve) => {
        const seen: unknown[] = [];
        const call = client.makeUnaryRequest(
          `${prefix}/test.Echo/${name}`,
          same,
          same,
          Buffer.alloc(100_000),
          metadata,
          { deadline: Date.now() + deadline },
          (error, value) => {
            const why = error && {
              code: error.code,
              details: error.code === status.DEADLINE_EXCEEDED ? '' : error.details,
            };
            seen.push(why ?? String(value));
          },
        );
        call.on('metadata', (one) => seen.push(shown(one)));
        call.on('status', (one) => {
          seen.push(one.code === status.DEADLINE_EXCEEDED ? one.code : [one.code, one.details, shown(one.metadata)]);
          resolve(seen);
        });
      });
    const heardOn = async (stream: ClientReadableStream<Buffer>): Promise<unknown> => {
      const got: unknown[] = [];
      stream.on('data', (bytes: Buffer) => got.push(String(bytes)));
      stream.on('error', () => undefined);
      const [ended] = (await once(stream, 'status')) as [StatusObject];
      return [got, ended.code, shown(ended.metadata)];
    };
    try {
      const many = client.makeServerStreamRequest(`${prefix}/test.Echo/Many`, same, same, Buffer.alloc(0), metadata);
      const chat = client.makeBidiStreamRequest(`${prefix}/test.Echo/Chat`, same, same, metadata);
      const heardMany = heardOn(many);
      const heardChat = heardOn(chat);
      for (const word of ['one', 'two', 'x'.repeat(50)]) chat.write(Buffer.from(word));
      chat.end();
      const sum = new Promise((resolve) => {
        const call = client.makeClientStreamRequest(`${prefix}/test.Echo/Sum`, same, same, metadata, (error, value) =>
          resolve(error?.code ?? String(value)),
        );
        for (let n = 0; n < 10; n++) call.write(Buffer.alloc(10_000));
        call.end();
      });
      return [
        await unary('Unary'),
        await unary('Fail'),
        await heardMany,
        await heardChat,
        await sum,
        await unary('Never', 300),
      ];
    } finally {
      client.close();
    }
  }

  test('four kinds of calls, an error, a deadline, and trailers', async () => {
    const target = await startServer();
    const own = await openHttpStand({
      target: `{ url: "http://127.0.0.1:${target.port}", http2: true }`,
      rules: `
    - { rule: requests, when: 'true', allow: true }`,
    });
    try {
      const wanted = await ask(target.port, '', own.token);
      expect(wanted).toMatchObject([
        [{ 'x-after': 'yes' }, '100000 mine', [0, 'OK', { 'x-after': 'yes' }]],
        [{ code: status.FAILED_PRECONDITION, details: 'schön nicht' }, [9, 'schön nicht', { 'x-after': 'yes' }]],
        [['0', '1', '2', '3', '4'], 0, { 'x-after': 'yes' }],
        [['one', 'two', 'x'.repeat(50)], 0, {}],
        '100000',
        [{ code: status.DEADLINE_EXCEEDED }, status.DEADLINE_EXCEEDED],
      ]);
      expect(await ask(own.port, '/svc', own.token)).toEqual(wanted);
    } finally {
      await own.stop();
      target.stop();
    }
  });
});
