/** WebSockets between `ws` on both sides, and between peers that break the protocol. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { WebSocket, WebSocketServer } from 'ws';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Answer, EditedAnswer, HttpBody, HttpCommand } from '@sluice/contract';
import { ALLOW, AUTH, RawClient, Rig, TOKEN, listening, rawTarget, until } from './rig.js';
import { type FrameSink, FrameReader, closeFrame, messageFrame } from '../src/websocket/frames.js';

let rig: Rig;
let server: Server;
let sockets: WebSocketServer;
let serve: (socket: WebSocket) => void;

beforeEach(async () => {
  serve = (socket) => socket.on('message', (data: Buffer, binary) => socket.send(data, { binary }));
  server = createServer();
  sockets = new WebSocketServer({ server, perMessageDeflate: true });
  sockets.on('connection', (socket) => serve(socket));
  rig = await Rig.open(await listening(server));
});

afterEach(async () => {
  await rig.close();
  for (const socket of sockets.clients) socket.terminate();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

async function open(path = '/ws', headers: Record<string, string> = {}, own = rig): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${own.port}/svc${path}`, ['chat'], {
    headers: { authorization: `Bearer ${TOKEN}`, ...headers },
  });
  await once(socket, 'open');
  return socket;
}

const next = async (socket: WebSocket): Promise<string> => String(((await once(socket, 'message')) as [Buffer])[0]);

test('messages of every size pass both ways, and are on record', async () => {
  const socket = await open();
  expect([socket.protocol, socket.extensions]).toEqual(['chat', '']);
  for (const size of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) {
    const message = 'x'.repeat(size);
    socket.send(message);
    expect((await next(socket)).length).toBe(size);
  }
  socket.close(4001, 'enough');
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  expect([code, String(reason)]).toEqual([4001, 'enough']);
  await until(() => rig.stay().ended() !== undefined);
  expect(rig.stay().ended()).toMatchObject({
    outcome: 'ok',
    summary: expect.stringMatching(/7 messages sent, 7 received/),
  });
  expect(rig.stay().recorded('head')).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
  expect(rig.stay().recorded('in')).toMatch(/^x{60000}/);
  expect(rig.stay().commands[0]).toMatchObject({ method: 'GET', upgrade: 'websocket' });
});

test('pings, pongs and fragments pass as they are', async () => {
  const seen: string[] = [];
  serve = (socket) => {
    socket.on('ping', (data) => seen.push(`ping ${String(data)}`));
    socket.on('message', (data) => {
      seen.push(String(data));
      socket.send('a', { fin: false });
      socket.send('b', { fin: false });
      socket.ping('p');
      socket.send('c', { fin: true });
    });
  };
  const socket = await open();
  const pinged = once(socket, 'ping');
  socket.ping('hi');
  socket.send('1', { fin: false });
  socket.send('2', { fin: true });
  expect(await next(socket)).toBe('abc');
  expect(String(((await pinged) as [Buffer])[0])).toBe('p');
  expect(seen).toEqual(['ping hi', '12']);
  socket.terminate();
});

test('an editor changes what the target says, across its fragments', async () => {
  const answer = (status: number, headers: EditedAnswer['headers']): EditedAnswer => ({
    headers,
    body: status === 101 ? stars('secret') : undefined,
  });
  rig.judge = () => ({ ...ALLOW, http: { answer } });
  serve = (socket) => {
    socket.send('my sec', { fin: false });
    socket.ping();
    socket.send('ret is se', { fin: true });
    socket.send('next');
  };
  const socket = new WebSocket(`${rig.url.replace('http', 'ws')}/ws`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  const got: string[] = [];
  socket.on('message', (data: Buffer) => got.push(String(data)));
  await until(() => got.length === 2);
  expect(got).toEqual(['my ****** is se', 'next']);
  expect(rig.stay().recorded('out')).toBe('my ****** is senext');
  socket.terminate();
});

describe('messages that rules read', () => {
  const said = (command: { body: HttpBody }): string =>
    command.body.type === 'whole' ? Buffer.from(command.body.bytes).toString() : '';
  const seen: string[] = [];

  beforeEach(() => {
    seen.length = 0;
    serve = (socket) => {
      socket.on('ping', (data) => seen.push(`ping ${String(data)}`));
      socket.on('message', (data: Buffer) => {
        seen.push(String(data));
        socket.send(data);
      });
    };
    rig.judge = (command) => {
      if (command.upgrade) return { ...ALLOW, http: { messages: { about: undefined } } };
      return said(command).includes('drop')
        ? { type: 'deny', rule: 'no-drops', message: 'Nothing is dropped.' }
        : ALLOW;
    };
  });

  test('are asked about one by one, whole, before the target has any of it', async () => {
    const socket = await open();
    socket.send('{"op":', { fin: false });
    socket.ping('between');
    socket.send('"read"}', { fin: true });
    expect(await next(socket)).toBe('{"op":"read"}');
    socket.send(Buffer.from([1, 2]));
    await next(socket);
    socket.send('');
    expect(await next(socket)).toBe('');
    socket.send('dr', { fin: false });
    socket.send('op it', { fin: true });
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    expect([code, String(reason)]).toEqual([1008, 'Nothing is dropped.']);
    expect(seen).toEqual(['ping between', '{"op":"read"}', '\x01\x02', '']);
    expect(rig.stay().commands.slice(1)).toMatchObject([
      { id: 2, type: 'request', text: 'message /ws', path: '/ws', message: { kind: 'text', origin: 1 } },
      { id: 3, message: { kind: 'binary', origin: 1 }, body: { type: 'whole', bytes: Buffer.from([1, 2]) } },
      { id: 4, message: { kind: 'text', origin: 1 } },
      { id: 5, message: { kind: 'text', origin: 1 } },
    ]);
    expect(rig.stay().commands[1]?.upgrade).toBeUndefined();
    expect([2, 3, 4, 5].map((id) => rig.stay().ended(id) !== undefined)).toEqual([true, true, true, false]);
    // Of what nobody is asked about the record has what it says.
    expect(rig.stay().recorded('in')).toBe('between');
  });

  test('wait in order while somebody is asked about one, and the target is heard meanwhile', async () => {
    const { promise, resolve } = Promise.withResolvers<Answer>();
    const judge = rig.judge;
    rig.judge = (command, waiter) => (said(command) === 'held' ? promise : judge(command, waiter));
    const socket = await open();
    for (const message of ['one', 'held', 'three']) socket.send(message);
    socket.ping('late');
    await until(() => seen.length === 1 && rig.stay().commands.length === 3);
    for (const peer of sockets.clients) peer.send('news');
    const got: string[] = [];
    socket.on('message', (data: Buffer) => got.push(String(data)));
    await until(() => got.includes('news'));
    expect(seen).toEqual(['one']);
    resolve(ALLOW);
    await until(() => seen.length === 4);
    expect(seen).toEqual(['one', 'held', 'three', 'ping late']);
    socket.terminate();
  });

  test('a refusal that comes late lets nothing pass that was behind it', async () => {
    const judge = rig.judge;
    const later = (command: HttpCommand): Promise<Answer> =>
      new Promise((resolve) => setTimeout(() => resolve(judge(command, undefined) as Answer), 20));
    rig.judge = (command, waiter) => (command.message ? later(command) : judge(command, waiter));
    const socket = await open();
    for (const message of ['one', 'drop', 'three']) socket.send(message);
    expect(((await once(socket, 'close')) as [number])[0]).toBe(1008);
    expect(seen).toEqual(['one']);
  });

  test('that cannot be judged do not pass', async () => {
    const judge = rig.judge;
    rig.judge = (command, waiter) => {
      if (command.message) throw new Error('a defect');
      return judge(command, waiter);
    };
    const socket = await open();
    socket.send('one');
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    expect([code, String(reason)]).toEqual([1008, 'This message could not be judged, so it was not sent on.']);
    expect(seen).toEqual([]);
  });

  test('and are longer than one may be end it with 1009, on record, however they are cut', async () => {
    for (const send of [
      (socket: WebSocket) => socket.send('x'.repeat(65 * 1024)),
      (socket: WebSocket) => {
        for (let n = 0; n < 70; n++) socket.send('x'.repeat(1024), { fin: false });
      },
    ]) {
      const socket = await open();
      socket.on('error', () => undefined);
      send(socket);
      const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
      expect([code, String(reason)]).toEqual([1009, 'A message here has at most 65,536 bytes, since rules read it.']);
      expect(rig.stay().commands.at(-1)).toMatchObject({ message: { kind: 'text' }, fault: String(reason) });
    }
    expect(seen).toEqual([]);
  });

  test('frames cut at every byte make the same messages', async () => {
    const client = await RawClient.to(rig.port);
    client.write(
      `GET /svc/ws HTTP/1.1\r\nHost: x\r\n${AUTH}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
    );
    await client.until(/101 Switching/);
    const frame = (first: number, text: string): string =>
      String.fromCharCode(first, 0x80 | text.length, 0, 0, 0, 0) + text;
    for (const byte of frame(0x01, 'ab') + frame(0x89, 'p') + frame(0x80, 'cd') + frame(0x81, 'drop')) {
      client.socket.write(byte, 'latin1');
      await new Promise((resolve) => setImmediate(resolve));
    }
    await client.until(/Nothing is dropped/);
    expect(seen).toEqual(['ping p', 'abcd']);
  });
});

test('a page of another origin is refused, the own one and those named are not', async () => {
  const foreign = new WebSocket(`${rig.url.replace('http', 'ws')}/ws`, {
    headers: { authorization: `Bearer ${TOKEN}`, origin: 'https://evil.example' },
  });
  const [, answer] = (await once(foreign, 'unexpected-response')) as [unknown, { statusCode: number }];
  expect(answer.statusCode).toBe(403);
  foreign.on('error', () => undefined);
  foreign.terminate();
  (await open('/ws', { origin: `http://127.0.0.1:${rig.port}` })).terminate();
  expect(rig.stay().commands.map(({ fault }) => fault !== undefined)).toEqual([true, false]);
});

test('the end of a visit is a close frame with a code and a reason', async () => {
  const socket = await open();
  const closed = once(socket, 'close');
  rig.stay().end.abort({ code: 'ended-by-administrator', why: 'enough' });
  const [code, reason] = (await closed) as [number, Buffer];
  expect([code, String(reason)]).toEqual([1008, expect.stringMatching(/enough/)]);
});

test('a gateway that stops says that it goes away', async () => {
  const socket = await open();
  const closed = once(socket, 'close');
  rig.stay().drain.abort({ code: 'shutdown' });
  expect(((await closed) as [number])[0]).toBe(1001);
});

test('a refusal comes before any switching', async () => {
  rig.judge = () => ({ type: 'deny', rule: 'r', message: 'No sockets.' });
  const socket = new WebSocket(`${rig.url.replace('http', 'ws')}/ws`, {
    headers: { authorization: `Bearer ${TOKEN}` },
  });
  socket.on('error', () => undefined);
  const [, answer] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }];
  expect(answer.statusCode).toBe(403);
  socket.terminate();
  expect(rig.stay().dials).toBe(0);
});

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const HANDSHAKE = `GET /svc/ws HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`;

test('a client that breaks the protocol is closed with 1002', async () => {
  for (const frame of [
    '\x81\x02hi',
    '\xc1\x80\0\0\0\0',
    '\x80\x80\0\0\0\0',
    '\x83\x80\0\0\0\0',
    '\x89\xfe\x01\x00\0\0\0\0',
    '\x09\x80\0\0\0\0',
  ]) {
    const client = await RawClient.to(rig.port);
    client.write(HANDSHAKE);
    await client.until(/101 Switching Protocols[^]*\r\n\r\n/);
    client.write(frame);
    await client.until(() => client.ended);
    expect(client.text, JSON.stringify(frame)).toMatch(/\x88.\x03\xea/s);
  }
});

test('a target that switches to what nobody asked for, and a handshake it got wrong', async () => {
  const accept = createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
  for (const [lines, status] of [
    [`Upgrade: h2c\r\n`, 502],
    [`Upgrade: websocket\r\nSec-WebSocket-Accept: ${accept.toLowerCase()}x\r\n`, 502],
    [`Upgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Extensions: permessage-deflate\r\n`, 502],
    [`Upgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n`, 101],
  ] as const) {
    const target = await rawTarget((socket) =>
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n${lines}\r\n`),
    );
    const own = await Rig.open(target.port);
    const client = await RawClient.to(own.port);
    client.write(HANDSHAKE);
    expect(await client.until(/\r\n\r\n/), lines).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    client.socket.destroy();
    await own.close();
    await target.close();
  }
  const target = await rawTarget((socket) =>
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
  );
  const own = await Rig.open(target.port);
  const answer = await fetch(`${own.url}/x`, { headers: { authorization: `Bearer ${TOKEN}` } });
  expect(answer.status).toBe(502);
  await own.close();
  await target.close();
});

test('frames are read alike however they are cut', () => {
  const parts = [
    Buffer.from('\x01\x83abcd', 'latin1'),
    xor('one', 'abcd'),
    Buffer.from('\x89\x80wxyz', 'latin1'),
    Buffer.from('\x80\xfe\x00\x7e1234', 'latin1'),
    xor('y'.repeat(126), '1234'),
    closeFrame(1000, 'done', true),
  ];
  const bytes = Buffer.concat(parts);
  const read = (cuts: readonly number[]): string => {
    const said: string[] = [];
    const sink: FrameSink = {
      header: () => undefined,
      payload: (data, control) => said.push(`${control ? 'c' : 'd'}${data.toString('latin1')}`),
      end: (opcode, last) => said.push(`|${opcode}${String(last)}|`),
    };
    const reader = new FrameReader(true);
    let from = 0;
    for (const to of [...cuts, bytes.length]) {
      if (to > from) reader.read(bytes.subarray(from, to), sink);
      from = to;
    }
    return said
      .join('')
      .replaceAll(/(?<=y)d(?=y)|(?<=[a-z])d(?=[a-z])/g, '')
      .replaceAll(/(?<=[a-z\x03\xe8])c(?=[a-z\xe8])/g, '');
  };
  const whole = read([]);
  expect(whole).toContain('|1false|');
  expect(whole).toContain('|8true|');
  for (let cut = 1; cut < bytes.length; cut++)
    expect(read([cut]).replaceAll(/[cd]/g, ''), `cut at ${cut}`).toBe(whole.replaceAll(/[cd]/g, ''));
});

test.each([0, 1, 3, 4, 63, 200, 70_000])('a payload of %i bytes is unmasked wherever it lies and is cut', (size) => {
  const clear = Buffer.from(Array.from({ length: size }, (_, n) => (n * 7) & 0xff));
  const frame = messageFrame('binary', clear, true);
  for (const offset of [0, 1, 2, 3])
    for (const cut of [1, 7, 15, 16, 17, 18, 19, 20, Math.floor(frame.length / 2)]) {
      const bytes = Buffer.concat([Buffer.alloc(offset), frame]).subarray(offset);
      const pieces: Buffer[] = [];
      const reader = new FrameReader(true);
      const sink: FrameSink = {
        header: () => undefined,
        payload: (data) => pieces.push(Buffer.from(data)),
        end: () => undefined,
      };
      for (const piece of [bytes.subarray(0, cut), bytes.subarray(cut)]) reader.read(piece, sink);
      expect(Buffer.concat(pieces).equals(clear), `${offset}, cut at ${cut}`).toBe(true);
      expect(reader.atBoundary).toBe(true);
    }
});

function xor(text: string, key: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.from(bytes.map((byte, n) => byte ^ key.charCodeAt(n % 4)));
}

/** Stars in place of a word, wherever it is cut. */
function stars(word: string): NonNullable<EditedAnswer['body']> {
  let kept = '';
  const take = (final: boolean): Buffer => {
    const text = kept.replaceAll(word, '*'.repeat(word.length));
    let hold = 0;
    const longest = final ? 0 : word.length - 1;
    for (let size = 1; size <= longest; size++) if (text.endsWith(word.slice(0, size))) hold = size;
    kept = text.slice(text.length - hold);
    return Buffer.from(text.slice(0, text.length - hold), 'latin1');
  };
  return {
    keepsLength: true,
    push(bytes) {
      kept += bytes.toString('latin1');
      return take(false);
    },
    get held() {
      return kept.length;
    },
    maxHoldMs: 1000,
    release: () => take(true),
    end: () => take(true),
  };
}
