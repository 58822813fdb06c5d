import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectLender, isLender } from '@sluice/wire';
import { afterEach, expect, test, vi } from 'vitest';
import { HeldStream, type Wait } from '../src/held-stream.js';

const open: { destroy(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.destroy();
});

/** A held stream over a real socket, what the target got, and the barrier in the test's hands. */
async function stand(): Promise<{
  held: HeldStream;
  target: Socket;
  got: () => string;
  release: (failure?: Error) => void;
  waiting: () => number;
}> {
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer((socket) => accepted.resolve(socket.on('error', () => undefined)));
  open.push({ destroy: () => server.close() });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const inner = connectLender({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  await once(inner, 'connect');
  const releases: Parameters<Wait>[0][] = [];
  const held = new HeldStream(inner, (release) => releases.push(release));
  const target = await accepted.promise;
  open.push(held, target);
  const chunks: Buffer[] = [];
  target.on('data', (chunk: Buffer) => chunks.push(chunk));
  return {
    held,
    target,
    got: () => Buffer.concat(chunks).toString(),
    release: (failure) => releases.splice(0).forEach((one) => one(failure)),
    waiting: () => releases.length,
  };
}

const soon = (): Promise<void> => sleep(30);

test('nothing leaves before it is released, whatever the writer does', async () => {
  const { held, got, release } = await stand();
  held.cork();
  held.write('a');
  held.uncork();
  held.uncork();
  held.write(Buffer.from('b'));
  held.write('63', 'hex');
  held.end('d');
  await soon();
  expect(got()).toBe('');
  release();
  await expect.poll(got).toBe('abcd');
});

test('what is written after a release waits for the next one', async () => {
  const { held, got, release } = await stand();
  held.write('a');
  release();
  held.write('b');
  await expect.poll(got).toBe('a');
  await soon();
  expect(got()).toBe('a');
  release();
  await expect.poll(got).toBe('ab');
});

test('every form of write and end calls back, once its bytes have left', async () => {
  const { held, release } = await stand();
  const called: string[] = [];
  held.write('a', () => called.push('a'));
  held.write('b', 'utf8', () => called.push('b'));
  held.write(Buffer.alloc(0), () => called.push('empty'));
  await soon();
  expect(called).toEqual([]);
  release();
  await expect.poll(() => called).toEqual(['a', 'b', 'empty']);
  held.end('c', () => called.push('end'));
  release();
  await expect.poll(() => called).toEqual(['a', 'b', 'empty', 'end']);
});

test('a writer that was told to wait hears when there is room again', async () => {
  const { held, target, release, waiting } = await stand();
  target.pause();
  let told = 0;
  while (held.write(Buffer.alloc(100_000, told))) told++;
  let drained = false;
  held.once('drain', () => {
    drained = true;
  });
  release();
  // The peer does not read: more than its socket takes waits here.
  for (let at = 0; at < 200; at++) held.write(Buffer.alloc(100_000, 1));
  release();
  await soon();
  expect(drained).toBe(false);
  target.resume();
  await expect.poll(() => (waiting() > 0 && release(), drained)).toBe(true);
});

test('bytes and texts, with and without callbacks, stay in their order over any releases', async () => {
  const { held, target, got, release } = await stand();
  let expected = '';
  for (let at = 0; at < 2000; at++) {
    const text = `${at};`;
    expected += text;
    const form = (at * 7919) % 5;
    if (form < 3) held.write(Buffer.from(text));
    else if (form === 3) held.write(text);
    else held.write(Buffer.from(text), () => undefined);
    if (at % 3 === 0) release();
    if (at % 97 === 0) await soon();
  }
  held.write(Buffer.from('last;'));
  held.end();
  const ended = once(target, 'end');
  const releasing = setInterval(release, 5);
  await ended;
  clearInterval(releasing);
  expect(got()).toBe(`${expected}last;`);
});

test('large pieces leave in order, uncopied, between small ones and texts, and who waits for room is told', async () => {
  const { held, got, release } = await stand();
  const pieces = Array.from({ length: 40 }, (_, at) => Buffer.alloc(at % 7 === 6 ? 3 : 16 * 1024, `${at % 10}`));
  const concat = vi.spyOn(Buffer, 'concat');
  for (const piece of pieces) held.write(piece);
  const drained = once(held, 'drain');
  release();
  expect(concat).not.toHaveBeenCalled();
  concat.mockRestore();
  held.write('text');
  for (const piece of pieces) held.write(piece);
  release();
  await drained;
  const all = Buffer.concat(pieces).toString();
  await expect.poll(() => got().length).toBe(2 * all.length + 4);
  expect(got()).toBe(`${all}text${all}`);
});

test('what waits counts as length, here and in the stream beneath', async () => {
  const { held, target, release } = await stand();
  target.pause();
  held.write(Buffer.alloc(1000));
  expect(held.writableLength).toBe(1000);
  release();
  expect(held.writableLength).toBe(0);
  held.write(Buffer.alloc(30_000_000));
  release();
  await soon();
  expect(held.writableLength).toBeGreaterThan(1_000_000);
  target.resume();
  await expect.poll(() => held.writableLength).toBe(0);
});

test('whoever wrote bytes and is told to wait hears of room, also where a text was written behind them', async () => {
  const { held, release } = await stand();
  expect(held.write(Buffer.alloc(300_000))).toBe(false);
  held.write('behind');
  const drained = once(held, 'drain');
  release();
  await drained;
});

test('bytes that a failed journal forbids never leave, and nothing is held for them', async () => {
  const { held, got, release } = await stand();
  held.on('error', () => undefined);
  held.write(Buffer.from('never'));
  release(new Error('no space'));
  await soon();
  expect(got()).toBe('');
  expect(held.writableLength).toBe(0);
});

test('a failed journal destroys the stream, and writers are told', async () => {
  const { held, got, release } = await stand();
  const failed: string[] = [];
  held.on('error', (error) => failed.push(error.message));
  held.write('a', (error: Error | null | undefined) => failed.push(`write: ${error?.message}`));
  release(new Error('no space'));
  held.write('b', (error: NodeJS.ErrnoException | null | undefined) => failed.push(`late: ${error?.code}`));
  await expect.poll(() => failed.toSorted()).toEqual(['late: ERR_STREAM_DESTROYED', 'no space', 'write: no space']);
  await soon();
  expect(got()).toBe('');
});

test('a target that resets ends the stream, and writers are told', async () => {
  const { held, target, release } = await stand();
  let error: NodeJS.ErrnoException | null | undefined;
  target.resetAndDestroy();
  await new Promise((resolve) => held.once('close', resolve));
  held.write('a', (why: NodeJS.ErrnoException | null | undefined) => {
    error = why;
  });
  release();
  await expect.poll(() => error?.code).toBe('ERR_STREAM_DESTROYED');
});

test('what was read before it is lent comes first, and pauses hold', async () => {
  const { held, target } = await stand();
  target.write('early,');
  await soon();
  if (!isLender(held)) throw new Error('it does not lend');
  const seen: string[] = [];
  held.lend((chunk) => (seen.push(chunk.toString()), 'free'));
  held.pause();
  target.write('late');
  await soon();
  expect(seen).toEqual([]);
  held.resume();
  await expect.poll(() => seen.join('')).toBe('early,late');
  let ended = false;
  held.on('end', () => {
    ended = true;
  });
  target.end();
  await once(held, 'close');
  expect(ended).toBe(true);
});

test('lending starts by itself, unless the stream is paused', async () => {
  const { held, target } = await stand();
  if (!isLender(held)) throw new Error('it does not lend');
  const seen: string[] = [];
  held.lend((chunk) => (seen.push(chunk.toString()), 'free'));
  target.write('first');
  await expect.poll(() => seen).toEqual(['first']);
  held.pause();
  target.write('second');
  await soon();
  expect(seen).toEqual(['first']);
});

test('a stream that cannot lend reads through, with what is left after its end', async () => {
  const inner = new Duplex({
    read() {
      this.push('last words');
      this.push(null);
    },
    write: (_chunk, _encoding, callback) => callback(),
  });
  const held = new HeldStream(inner, () => undefined);
  expect(isLender(held)).toBe(false);
  await soon();
  const chunks = await held.toArray();
  expect(Buffer.concat(chunks).toString()).toBe('last words');
});

test('bytes that TLS would not protect stop the handing over', async () => {
  const { held, target, release } = await stand();
  held.write('waiting');
  expect(() => held.handOver()).toThrow('still wait');
  release();
  await expect.poll(() => held.writableLength).toBe(0);
  target.write('injected');
  held.read(0);
  await expect.poll(() => held.readableLength).toBeGreaterThan(0);
  expect(() => held.handOver()).toThrow('before TLS');
});

test('node:http2, which writes to the handle of a socket, finds none to write past the journal with', async () => {
  const { held, got, release } = await stand();
  const session = connectHttp2('http://target', { createConnection: () => held });
  session.on('error', () => undefined);
  session.request({ ':path': '/' }).on('error', () => undefined);
  await soon();
  expect(got()).toBe('');
  release(new Error('the journal cannot be written'));
  await soon();
  expect(got()).toBe('');
  session.destroy();
});

test('node:http2 says all that it has to say once the journal has it', async () => {
  const { held, got, release } = await stand();
  const session = connectHttp2('http://target', { createConnection: () => held });
  session.on('error', () => undefined);
  session.request({ ':path': '/' }).on('error', () => undefined);
  await soon();
  expect(got()).toBe('');
  await expect.poll(() => (release(), got())).toMatch(/^PRI \* HTTP\/2\.0\r\n/);
  session.destroy();
});
