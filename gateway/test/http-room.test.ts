/** What one principal has kept in memory by what they send: bodies and messages that are read before they go on. */
import { once } from 'node:events';
import { type Socket, connect } from 'node:net';
import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type HttpStand, openHttpStand } from './http-stand.js';

const KIB = 1024;
let stand: HttpStand;
const sockets: Socket[] = [];
beforeAll(async () => {
  const server = createServer();
  new WebSocketServer({ server }).on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
  stand = await openHttpStand({
    server,
    limits: '{ message: 64KiB }',
    principals: '  eve: { groups: [engineers] }',
    serve: (_, response) => response.end('served'),
    rules: `
    - { rule: read, when: 'body("/op") == "x"', deny: No. }
    - { rule: requests, when: 'true', allow: true }`,
  });
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});
afterAll(() => stand.stop());

interface Sent {
  readonly socket: Socket;
  readonly text: () => string;
}

/** Sends a head that says so many bytes, and so many of them. */
function send(token: string, says: number, body: Buffer | string, more = ''): Sent {
  const socket = connect(stand.port, '127.0.0.1');
  sockets.push(socket);
  let text = '';
  socket.on('data', (bytes) => (text += String(bytes))).on('error', () => undefined);
  socket.write(
    `POST /svc/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n${more}Content-Length: ${says}\r\n\r\n`,
  );
  socket.write(body);
  return { socket, text: () => text };
}

const HALF = `"${'x'.repeat(60 * KIB)}`;

test('is bounded, keeps nobody else out, and is given back', async () => {
  const waiting = [1, 2, 3, 4].map(() => send(stand.token, HALF.length + 1, HALF));
  // One of five is too many, whichever comes last.
  waiting.push(send(stand.token, HALF.length + 1, HALF));
  await expect.poll(() => waiting.filter(({ text }) => text() !== '').length).toBe(1);
  const [late] = waiting.splice(
    waiting.findIndex(({ text }) => text() !== ''),
    1,
  ) as [Sent];
  expect(late.text()).toContain('HTTP/1.1 503 ');
  expect(late.text()).toContain('Too much of what is sent is kept to be judged at once: send it again when other');
  const eve = (await stand.gateway.identity.createToken({ principal: 'eve', name: 'test' })).token;
  const other = send(eve, HALF.length + 1, `${HALF}"`);
  await expect.poll(other.text).toContain('served');
  for (const { socket, text } of waiting) {
    socket.write('"');
    await expect.poll(text).toContain('served');
  }
  for (const { socket } of waiting) socket.destroy();
  for (let round = 0; round < 6; round++) {
    const again = send(stand.token, HALF.length + 1, `${HALF}"`);
    await expect.poll(again.text).toContain('served');
  }
});

test('counts what comes out of a coding', async () => {
  const whole = gzipSync(`"${'x'.repeat(60 * KIB)}"`);
  const coded = 'Content-Encoding: gzip\r\n';
  for (let round = 0; round < 6; round++) {
    const sent = send(stand.token, whole.length, whole, coded);
    await expect.poll(sent.text).toContain('served');
  }
});

test('is bounded for messages of WebSockets as well', async () => {
  const open = async (): Promise<WebSocket> => {
    const socket = new WebSocket(`${stand.url.replace('http', 'ws')}/chat`, {
      headers: { authorization: `Bearer ${stand.token}` },
    });
    await once(socket, 'open');
    return socket;
  };
  const all = await Promise.all([1, 2, 3, 4, 5].map(open));
  const ended = Promise.race(all.map(async (socket) => (await once(socket, 'close')) as [number, Buffer]));
  for (const socket of all) socket.send(HALF, { fin: false });
  const [code, reason] = await ended;
  expect([code, String(reason)]).toEqual([1008, expect.stringContaining('Too much of what is sent is kept')]);
  const left = all.filter(({ readyState }) => readyState === WebSocket.OPEN);
  expect(left).toHaveLength(4);
  for (const socket of left) {
    socket.send('"', { fin: true });
    expect(String(((await once(socket, 'message')) as [Buffer])[0])).toBe(`${HALF}"`);
    socket.send('"again"');
    expect(String(((await once(socket, 'message')) as [Buffer])[0])).toBe('"again"');
    socket.terminate();
  }
});
