/** Bodies of a gigabyte, and readers that are slow: memory stays flat, and what is compressed or streamed is not kept back. */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { EditedAnswer } from '@sluice/contract';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AUTH, RawClient, Rig, TOKEN, connected, listening, until } from './rig.js';

const GIB = 1024 * 1024 * 1024;
const MIB = 1024 * 1024;
let rig: Rig;
let server: Server;
let serve: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  server = createServer((request, response) => serve(request, response));
  rig = await Rig.open(await listening(server));
});

afterEach(async () => {
  await rig.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** How much the process has grown at most while something ran, in bytes. */
async function growth(act: () => Promise<void>): Promise<number> {
  const before = process.memoryUsage().rss;
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, process.memoryUsage().rss)), 20);
  await act();
  clearInterval(timer);
  return most - before;
}

const PIECE = Buffer.alloc(256 * 1024, 'x');

/** Writes so many bytes and no more than the other side takes. */
function pour(into: NodeJS.WritableStream, size: number): void {
  let left = size;
  const more = (): void => {
    while (left > 0) {
      left -= PIECE.length;
      if (!into.write(PIECE)) return void into.once('drain', more);
    }
    into.emit('poured');
  };
  more();
}

test('a gigabyte down, by chunks and to a client that stops reading now and then', { timeout: 180_000 }, async () => {
  serve = (_request, response) => {
    pour(response, GIB);
    response.on('poured', () => response.end());
  };
  const grown = await growth(async () => {
    const socket = await connected(rig.port);
    let got = 0;
    let slowed = 0;
    socket.on('data', (bytes: Buffer) => {
      got += bytes.length;
      if (got / (64 * MIB) < slowed) return;
      slowed++;
      socket.pause();
      setTimeout(() => socket.resume(), 50);
    });
    socket.write(`GET /svc/x HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\nConnection: close\r\n\r\n`);
    await new Promise((resolve) => socket.once('end', resolve));
    expect(got).toBeGreaterThan(GIB);
  });
  expect(grown).toBeLessThan(128 * MIB);
  await until(() => rig.stay().ended() !== undefined);
  expect(rig.stay().ended()).toMatchObject({
    outcome: 'ok',
    bytes: GIB,
    bodies: { answer: { bytes: GIB, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } },
  });
  expect(rig.stay().recorded('out').length).toBe(64 * 1024);
});

test('a gigabyte up, to a target that stops reading now and then', { timeout: 180_000 }, async () => {
  let got = 0;
  serve = (request, response) => {
    let slowed = 0;
    request.on('data', (bytes: Buffer) => {
      got += bytes.length;
      if (got / (64 * MIB) < slowed) return;
      slowed++;
      request.pause();
      setTimeout(() => request.resume(), 50);
    });
    request.on('end', () => response.end('all of it'));
  };
  const grown = await growth(async () => {
    const client = await RawClient.to(rig.port);
    client.write(`PUT /svc/x HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\nContent-Length: ${GIB}\r\n\r\n`);
    pour(client.socket, GIB);
    await client.until(/all of it/, 170_000);
    client.socket.destroy();
  });
  expect(got).toBe(GIB);
  expect(grown).toBeLessThan(128 * MIB);
});

test('by HTTP/2 a client that does not read keeps nothing but its window here', { timeout: 60_000 }, async () => {
  let sent = 0;
  serve = (_request, response) => {
    const timer = setInterval(() => {
      while (response.write(PIECE)) sent += PIECE.length;
    }, 5);
    response.on('close', () => clearInterval(timer));
  };
  const session = connectHttp2(`http://127.0.0.1:${rig.port}`);
  session.on('error', () => undefined);
  const stream = session.request({ ':path': '/svc/x', authorization: `Bearer ${TOKEN}` });
  stream.on('error', () => undefined);
  await new Promise((resolve) => stream.once('response', resolve));
  await sleep(500);
  expect(sent).toBeLessThan(32 * MIB);
  session.destroy();
  await until(() => rig.stay().ended() !== undefined);
});

test('events of a stream reach the client one by one', async () => {
  const seen: number[] = [];
  let next = (): void => undefined;
  serve = (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    // None is sent before the last one has been seen.
    next = () => void (seen.length === 10 ? response.end() : response.write(`data: ${seen.length}\n\n`));
    next();
  };
  const answer = await fetch(`${rig.url}/events`, { headers: { authorization: `Bearer ${TOKEN}` } });
  let text = '';
  for await (const bytes of answer.body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(bytes).toString();
    if (!text.endsWith('\n\n')) continue;
    seen.push(Number(/^data: (\d+)\n\n$/.exec(text)?.[1]));
    text = '';
    next();
  }
  expect(seen).toEqual(Array.from({ length: 10 }, (_, at) => at));
});

test('a compressed answer goes through its editor in the clear, and one that is no gzip is cut off', async () => {
  const answer = (_status: number, headers: EditedAnswer['headers']): EditedAnswer => ({
    headers,
    body: {
      keepsLength: true,
      held: 0,
      maxHoldMs: 0,
      push: upper,
      release: () => Buffer.alloc(0),
      end: () => Buffer.alloc(0),
    },
  });
  rig.judge = () => ({ type: 'allow', facts: { actions: [], confidence: 'parsed', statements: [] }, http: { answer } });
  serve = (request, response) => {
    const body = request.url === '/good' ? gzipSync('hello world') : Buffer.from('this is no gzip');
    response.writeHead(200, { 'Content-Encoding': 'gzip', ETag: '"a"', 'Repr-Digest': 'sha-256=:x=:' });
    response.write(body);
    response.addTrailers({ 'Content-Digest': 'sha-256=:x=:', ETag: '"a"', 'X-Rows': '1' });
    response.end();
  };
  const headers = { authorization: `Bearer ${TOKEN}` };
  const good = await fetch(`${rig.url}/good`, { headers });
  expect(await good.text()).toBe('HELLO WORLD');
  const heads = ['content-encoding', 'etag', 'repr-digest'].map((name) => good.headers.get(name));
  expect(heads).toEqual([null, 'W/"a"', null]);
  const raw = await RawClient.to(rig.port);
  raw.write(`GET /svc/good HTTP/1.1\r\nHost: x\r\n${AUTH}\r\nTE: trailers\r\nConnection: close\r\n\r\n`);
  expect(await raw.until(() => raw.ended)).toMatch(/\r\n0\r\nETag: W\/"a"\r\nX-Rows: 1\r\n\r\n$/);
  const bad = await fetch(`${rig.url}/bad`, { headers });
  await expect(bad.text()).rejects.toThrow();
});

test('what an editor keeps goes on when nothing follows it', async () => {
  let kept: Buffer = Buffer.alloc(0);
  const take = (): Buffer => {
    const bytes = kept;
    kept = Buffer.alloc(0);
    return bytes;
  };
  const body: NonNullable<EditedAnswer['body']> = {
    keepsLength: true,
    get held() {
      return kept.length;
    },
    maxHoldMs: 50,
    push: (bytes) => {
      kept = Buffer.concat([kept, bytes]);
      return Buffer.alloc(0);
    },
    release: take,
    end: take,
  };
  const answer = (_status: number, headers: EditedAnswer['headers']): EditedAnswer => ({ headers, body });
  rig.judge = () => ({ type: 'allow', facts: { actions: [], confidence: 'parsed', statements: [] }, http: { answer } });
  let end: (() => void) | undefined;
  serve = (_request, response) => {
    response.write('data: 1\n\n');
    end = () => response.end('data: 2\n\n');
  };
  const client = await RawClient.to(rig.port);
  client.write(`GET /svc/x HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\n\r\n`);
  await client.until(/data: 1/);
  end?.();
  await client.until(/data: 2/);
  client.socket.destroy();
});

const upper = (bytes: Buffer): Buffer => Buffer.from(bytes.toString().toUpperCase());
