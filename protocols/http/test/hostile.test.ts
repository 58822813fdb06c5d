/** Clients and targets that mean harm: smuggling in both directions, floods, and what never ends. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { processCpuMs } from '@sluice/testkit/cpu';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AUTH, OTHER_TOKEN, RawClient, Rig, TOKEN, listening, rawTarget, until } from './rig.js';

const authorized = { authorization: `Bearer ${TOKEN}` };
const HEAD = `Host: gw\r\n${AUTH}\r\n`;

describe('clients', () => {
  let rig: Rig;
  let server: Server;
  let served = 0;

  beforeEach(async () => {
    served = 0;
    server = createServer((request, response) => {
      served++;
      request.resume();
      request.on('end', () => response.end('ok'));
    });
    rig = await Rig.open(await listening(server));
  });

  afterEach(async () => {
    await rig.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const SMUGGLING: Readonly<Record<string, string>> = {
    'both lengths': `POST /svc/x HTTP/1.1\r\n${HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'both lengths, the other way round': `POST /svc/x HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
    'two lengths': `POST /svc/x HTTP/1.1\r\n${HEAD}Content-Length: 0\r\nContent-Length: 5\r\n\r\n`,
    'two lengths that are the same': `POST /svc/x HTTP/1.1\r\n${HEAD}Content-Length: 0\r\nContent-Length: 0\r\n\r\n`,
    'a list of lengths': `POST /svc/x HTTP/1.1\r\n${HEAD}Content-Length: 0, 0\r\n\r\n`,
    'a signed length': `POST /svc/x HTTP/1.1\r\n${HEAD}Content-Length: +0\r\n\r\n`,
    'a length in hexadecimal digits': `POST /svc/x HTTP/1.1\r\n${HEAD}Content-Length: 0x0\r\n\r\n`,
    'an empty length': `POST /svc/x HTTP/1.1\r\n${HEAD}Content-Length:\r\n\r\n`,
    'a huge length': `POST /svc/x HTTP/1.1\r\n${HEAD}Content-Length: 99999999999999999999\r\n\r\n`,
    'a coding that is not chunked': `POST /svc/x HTTP/1.1\r\n${HEAD}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
    'gzip, chunked': `POST /svc/x HTTP/1.1\r\n${HEAD}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
    'two codings': `POST /svc/x HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`,
    'a coding in HTTP/1.0': `POST /svc/x HTTP/1.0\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    'a blank before the colon': `POST /svc/x HTTP/1.1\r\n${HEAD}Content-Length : 0\r\n\r\n`,
    'a vertical tab before the value': `POST /svc/x HTTP/1.1\r\n${HEAD}Transfer-Encoding:\x0bchunked\r\n\r\n`,
    'a tab behind the value, and a blank': `POST /svc/x HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\t \r\n\r\n0\r\n\r\n`,
    'a folded line': `POST /svc/x HTTP/1.1\r\n${HEAD}X-A: 1\r\n Transfer-Encoding: chunked\r\n\r\n`,
    'a bare CR': `POST /svc/x HTTP/1.1\r\n${HEAD}X-A: 1\rTransfer-Encoding: chunked\r\n\r\n`,
    'a bare LF': `POST /svc/x HTTP/1.1\r\n${HEAD}X-A: 1\nTransfer-Encoding: chunked\r\n\r\n`,
    'NUL in a value': `GET /svc/x HTTP/1.1\r\n${HEAD}X-A: a\0b\r\n\r\n`,
    'an underscore in a name': `POST /svc/x HTTP/1.1\r\n${HEAD}Content_Length: 5\r\n\r\n`,
    'no host': `GET /svc/x HTTP/1.1\r\n${AUTH}\r\n\r\n`,
    'two hosts': `GET /svc/x HTTP/1.1\r\nHost: gw\r\n${HEAD}\r\n`,
    'a path in the host': `GET /svc/x HTTP/1.1\r\nHost: gw/evil\r\n${AUTH}\r\n\r\n`,
    'a user in the host': `GET /svc/x HTTP/1.1\r\nHost: u@gw\r\n${AUTH}\r\n\r\n`,
    'another host in the request line': `GET http://other/svc/x HTTP/1.1\r\n${HEAD}\r\n`,
    'no version': `GET /svc/x\r\n${HEAD}\r\n`,
    'HTTP/2.0 on HTTP/1.1': `GET /svc/x HTTP/2.0\r\n${HEAD}\r\n`,
    'HTTP/1.2': `GET /svc/x HTTP/1.2\r\n${HEAD}\r\n`,
    'a method in small letters': `get /svc/x HTTP/1.1\r\n${HEAD}\r\n`,
    'a method that is not known': `FROB /svc/x HTTP/1.1\r\n${HEAD}\r\n`,
    'OPTIONS *': `OPTIONS * HTTP/1.1\r\n${HEAD}\r\n`,
    CONNECT: `CONNECT gw:443 HTTP/1.1\r\n${HEAD}\r\n`,
    TRACE: `TRACE /svc/x HTTP/1.1\r\n${HEAD}\r\n`,
    'a fragment': `GET /svc/x#y HTTP/1.1\r\n${HEAD}\r\n`,
    'a backslash': `GET /svc\\x HTTP/1.1\r\n${HEAD}\r\n`,
    'a chunk size with 0x': `POST /svc/x HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n`,
    'a chunk size with a blank': `POST /svc/x HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n1 \r\na\r\n0\r\n\r\n`,
    'a chunk line with a bare LF': `POST /svc/x HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n`,
    'a chunk that is longer than it says': `POST /svc/x HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n`,
    'a length in the trailers': `POST /svc/x HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nContent-Length: 4\r\n\r\n`,
    'a huge chunk size': `POST /svc/x HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n`,
    'h2c asked for by Upgrade goes no further than that': `GET /svc/x HTTP/1.1\r\nHost: gw gw\r\n${AUTH}\r\n\r\n`,
  };

  test.each(Object.entries(SMUGGLING))('%s', async (_name, bytes) => {
    const client = await RawClient.to(rig.port);
    // What would be smuggled is a request of its own: it must never be answered.
    client.write(`${bytes}GET /svc/smuggled HTTP/1.1\r\n${HEAD}\r\n`);
    await client.until(() => client.ended);
    expect(client.text).toMatch(/^HTTP\/1\.1 (400|405|431|501|505) /);
    expect(client.text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(rig.stay().commands.some(({ path }) => path === '/smuggled')).toBe(false);
    expect(served).toBeLessThanOrEqual(bytes.includes('chunked') ? 1 : 0);
    client.socket.destroy();
  });

  test('a body that was refused is not taken for the next request', async () => {
    rig.judge = () => ({ type: 'deny', rule: 'r', message: 'No.' });
    const client = await RawClient.to(rig.port);
    const inner = `GET /svc/smuggled HTTP/1.1\r\n${HEAD}\r\n`;
    client.write(`POST /svc/x HTTP/1.1\r\n${HEAD}Content-Length: ${inner.length}\r\n\r\n${inner}`);
    await client.until(() => client.ended);
    expect(client.text.match(/HTTP\/1\.1 /g)).toHaveLength(1);
    expect(rig.stay().commands).toHaveLength(1);
  });

  test('a head that never ends, and too many headers', async () => {
    const long = await RawClient.to(rig.port);
    long.write(`GET /svc/x HTTP/1.1\r\n${HEAD}X: ${'a'.repeat(100_000)}`);
    expect(await long.until(() => long.ended)).toMatch(/^HTTP\/1\.1 431 /);
    const many = await RawClient.to(rig.port);
    many.write(`GET /svc/x HTTP/1.1\r\n${HEAD}${'X: 1\r\n'.repeat(300)}\r\n`);
    expect(await many.until(() => many.ended)).toMatch(/^HTTP\/1\.1 431 /);
  });

  test('a head that comes byte by byte costs no more than its length', async () => {
    const client = await RawClient.to(rig.port);
    const head = `GET /svc/x HTTP/1.1\r\n${HEAD}X: ${'a'.repeat(12_000)}\r\n\r\n`;
    const began = processCpuMs();
    for (let at = 0; at < head.length; at += 1) client.socket.write(head[at] as string);
    await client.until(/200 OK/, 20_000);
    expect(processCpuMs() - began).toBeLessThan(5_000);
    client.socket.destroy();
  });

  test('two thousand slow clients leave a good one quick', async () => {
    const slow = await Promise.all(Array.from({ length: 2000 }, () => RawClient.to(rig.port)));
    try {
      for (const client of slow) client.write(`GET /svc/x HTTP/1.1\r\nHost`);
      let began = 0;
      // What they have sent is read with the first of these, by both ends in this process.
      for (let n = 0; n < 21; n++) {
        await (await fetch(`${rig.url}/x`, { headers: authorized })).text();
        if (n === 0) began = processCpuMs();
      }
      expect((processCpuMs() - began) / 20).toBeLessThan(100);
    } finally {
      for (const client of slow) client.socket.destroy();
    }
  });

  test('a client that sends no head in time is told so, and ends', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    try {
      const client = await RawClient.to(rig.port);
      client.write(`GET /svc/x HTTP/1.1\r\nHost`);
      while (rig.connections === 0) await sleep(5);
      await sleep(50);
      for (let n = 0; n < 20; n++) vi.advanceTimersByTime(3_000);
      for (let n = 0; n < 100 && client.text === ''; n++) await sleep(20);
      expect(client.text).toMatch(/^HTTP\/1\.1 408 /);
    } finally {
      vi.useRealTimers();
    }
  });

  test('what is piped behind a request at work is not read without end', async () => {
    rig.judge = () => new Promise(() => undefined);
    const client = await RawClient.to(rig.port);
    client.write(`GET /svc/x HTTP/1.1\r\n${HEAD}\r\n`);
    let sent = 0;
    for (let n = 0; n < 400; n++) {
      if (!client.socket.write(Buffer.alloc(64 * 1024, 65))) await sleep(2);
      sent += 64 * 1024;
    }
    await sleep(100);
    expect(client.socket.writableLength).toBeGreaterThan(sent / 4);
    client.socket.destroy();
  });

  test('a flood of CONTINUATION frames ends the connection', async () => {
    const client = await RawClient.to(rig.port);
    client.socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    client.socket.write(frame(4, 0, 0, Buffer.alloc(0)));
    client.socket.write(frame(1, 0, 1, Buffer.alloc(100, 0x40)));
    for (let n = 0; n < 5_000 && !client.closed; n++) {
      client.socket.write(frame(9, 0, 1, Buffer.from('4001610162'.repeat(100), 'hex')));
      if (n % 100 === 0) await sleep(1);
    }
    await until(() => client.closed);
    expect((await fetch(`${rig.url}/x`, { headers: authorized })).status).toBe(200);
  });
});

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

test('a client that resets before its first byte is no defect of ours', async () => {
  const rig = await Rig.open(1);
  const client = await RawClient.to(rig.port);
  await until(() => rig.connections === 1);
  client.socket.resetAndDestroy();
  await until(() => rig.broke.length === 1);
  expect(rig.broke).toEqual(['read ECONNRESET']);
  expect(rig.failed).toBeUndefined();
  await rig.close();
});

describe('targets', () => {
  const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

  test('a second answer that nobody asked for reaches nobody', async () => {
    const target = await rawTarget((socket) =>
      socket.write(`${ANSWER}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`),
    );
    const rig = await Rig.open(target.port);
    for (const token of [TOKEN, OTHER_TOKEN, TOKEN]) {
      const answer = await fetch(`${rig.url}/x`, { headers: { authorization: `Bearer ${token}` } });
      expect(await answer.text()).toBe('ok');
    }
    expect(rig.stay('alice').dials).toBe(2);
    await rig.close();
    await target.close();
  });

  test.each([
    ['both lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok'],
    ['a folded line', 'HTTP/1.1 200 OK\r\nX: 1\r\n y\r\n\r\n'],
    ['a bare LF', 'HTTP/1.1 200 OK\nContent-Length: 0\n\n'],
    ['a status that is none', 'HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n'],
    ['another version', 'HTTP/3.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['a control character', 'HTTP/1.1 200 OK\r\nX: a\x07b\r\nContent-Length: 0\r\n\r\n'],
    ['a head without end', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(200_000)}`],
    ['100 without end', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(1000)],
  ])('%s is a 502', async (_name, bytes) => {
    const target = await rawTarget((socket) => socket.write(bytes));
    const rig = await Rig.open(target.port);
    const client = await RawClient.to(rig.port);
    client.write(`GET /svc/x HTTP/1.1\r\n${HEAD}\r\n`);
    await client.until(/HTTP\/1\.1 502 Bad Gateway/);
    client.socket.destroy();
    await rig.close();
    await target.close();
  });

  test.each(['GET', 'POST'])('an idle connection that breaks under a %s', async (method) => {
    // The first connection answers once and closes when it is asked again; every other one answers.
    let connections = 0;
    const numbers = new WeakMap<object, number>();
    const target = await rawTarget((socket) => {
      const number = numbers.get(socket);
      if (number === undefined) numbers.set(socket, ++connections);
      if (number === 1) socket.destroy();
      else socket.write(ANSWER);
    });
    const rig = await Rig.open(target.port);
    const ask = (): Promise<Response> => fetch(`${rig.url}/x`, { method, headers: authorized });
    expect((await ask()).status).toBe(200);
    // What may have been carried out already is not sent twice.
    expect((await ask()).status).toBe(method === 'GET' ? 200 : 502);
    expect(rig.stay().dials).toBe(method === 'GET' ? 2 : 1);
    expect(rig.stay().events.filter(({ type }) => type === 'end')).toHaveLength(2);
    await rig.close();
    await target.close();
  });
});
