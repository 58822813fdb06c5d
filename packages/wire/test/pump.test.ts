import { createHash } from 'node:crypto';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { Duplex, PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { type Lender, type Loan, type Side, type Wires, connectLender, pump } from '../src/index.js';

const open: { destroy(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.destroy();
});

/** A server on a port of its own, and the first connection to it. */
async function server(): Promise<{ port: number; accepted: Promise<Socket> }> {
  const { promise: accepted, resolve } = Promise.withResolvers<Socket>();
  const listener = createServer((socket) => {
    open.push(socket);
    socket.on('error', () => undefined);
    resolve(socket);
  });
  open.push({ destroy: () => listener.close() });
  const { promise: listening, resolve: ready } = Promise.withResolvers<void>();
  listener.listen(0, '127.0.0.1', ready);
  await listening;
  return { port: (listener.address() as AddressInfo).port, accepted };
}

const passing = (wires: Wires, cuts: readonly number[] = []) => ({
  receive(from: Side, chunk: Buffer) {
    const bounds = [0, ...cuts.filter((cut) => cut < chunk.length), chunk.length];
    for (const [n, start] of bounds.slice(0, -1).entries())
      wires.send(from === 'client' ? 'upstream' : 'client', chunk.subarray(start, bounds[n + 1]));
  },
  ended: () => wires.finish(),
  wants: () => true,
});

/** Client, pump and target, each over a real socket; the target's bytes come by a lender. Chunks are sent on cut at `cuts`. */
async function stand(cuts?: readonly number[]): Promise<{ client: Socket; target: Socket; done: Promise<void> }> {
  const front = await server();
  const back = await server();
  const client = connect(front.port, '127.0.0.1');
  const upstream = connectLender({ host: '127.0.0.1', port: back.port });
  open.push(client, upstream);
  for (const socket of [client, upstream]) socket.on('error', () => undefined);
  const target = await back.accepted;
  // What the login left in the stream comes before what is lent.
  target.write('left over,');
  await sleep(50);
  const done = pump(await front.accepted, upstream, (wires) => passing(wires, cuts));
  return { client, target, done };
}

/** Bytes in which every position differs from its neighbours, so that memory that is used twice shows. */
function pattern(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at + 4 <= size; at += 4) bytes.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, at);
  return bytes;
}

/** Sends pieces of these sizes, over and over, each by itself, and ends. */
async function send(target: Socket, bytes: Buffer, sizes: readonly number[]): Promise<void> {
  for (let at = 0, n = 0; at < bytes.length; n++) {
    const size = sizes[n % sizes.length] as number;
    if (!target.write(bytes.subarray(at, at + size))) await new Promise((resolve) => target.once('drain', resolve));
    await new Promise(setImmediate);
    at += size;
  }
  target.end();
}

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

async function read(client: Socket): Promise<Buffer> {
  const got: Buffer[] = [];
  client.on('data', (chunk: Buffer) => got.push(Buffer.from(chunk)));
  client.resume();
  await new Promise((resolve) => client.once('close', resolve));
  return Buffer.concat(got);
}

// Small reads, and reads of all sizes: the memory that is read into grows and shrinks.
test.each([
  [[3000], []],
  [[17, 4000, 16384, 300_000, 70_000, 1], []],
  [[200_000, 9], []],
  [
    [200_000, 9],
    [200, 300, 20_000, 20_100],
  ],
  [[9000], [200, 300, 5000]],
])(
  'what is lent arrives as it was, also at a client that lets it pile up (pieces of %j, sent on cut at %j)',
  async (sizes, cuts) => {
    for (const pause of [0, 600]) {
      const { client, target, done } = await stand(cuts);
      client.pause();
      const bytes = pattern(12_000_000);
      const sent = send(target, bytes, sizes);
      await sleep(pause);
      const all = await read(client);
      await sent;
      await done;
      expect(all.toString('latin1', 0, 10)).toBe('left over,');
      expect(all.length - 10).toBe(bytes.length);
      expect(digest(all.subarray(10))).toBe(digest(bytes));
    }
  },
);

test('what waits for a client stays what it was while both sides are said goodbye to', async () => {
  const { client, target } = await stand();
  client.pause();
  const bytes = pattern(20_000_000);
  target.write(bytes);
  await sleep(400);
  client.end();
  await sleep(50);
  const all = (await read(client)).subarray(10);
  expect(all.length).toBeGreaterThan(1_000_000);
  expect(digest(all)).toBe(digest(bytes.subarray(0, all.length)));
});

test('only what is sent of the chunk itself keeps its memory', () => {
  // Whatever is written waits.
  const client = new Duplex({ read: () => undefined, write: () => undefined });
  let receive: ((chunk: Buffer) => Loan) | undefined;
  const lend: Lender['lend'] = (to) => {
    receive = to;
  };
  const upstream = Object.assign(new Duplex({ read: () => undefined, write: () => undefined }), { lend });
  open.push(client, upstream);
  let made = (chunk: Buffer): Buffer => chunk;
  void pump(client, upstream, (wires) => ({
    receive: (_, chunk) => wires.send('client', made(chunk)),
    ended: () => undefined,
    wants: () => true,
  }));
  const chunk = Buffer.allocUnsafeSlow(6000);
  expect(receive?.(chunk)).toBe('kept');
  made = (bytes) => bytes.subarray(10, 5000);
  expect(receive?.(chunk)).toBe('kept');
  made = (bytes) => Buffer.from(bytes);
  expect(receive?.(chunk)).toBe('free');
});

test('what is short leaves at the end of the turn, as it was and in its order', async () => {
  const writes: string[] = [];
  const client = new Duplex({
    read: () => undefined,
    writev(chunks, done) {
      writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)).toString('latin1'));
      done();
    },
  });
  let receive: ((chunk: Buffer) => Loan) | undefined;
  const lend: Lender['lend'] = (to) => {
    receive = to;
  };
  const upstream = Object.assign(new Duplex({ read: () => undefined, write: () => undefined }), { lend });
  open.push(client, upstream);
  let wires: Wires | undefined;
  void pump(client, upstream, (made) => passing((wires = made)));
  const memory = Buffer.allocUnsafeSlow(8000);
  /** As a socket reads: into the memory of the read before. */
  const read = (text: string): Loan | undefined => receive?.(memory.subarray(0, memory.write(text, 'latin1')));

  expect([read('one,'), read('two,')]).toEqual(['free', 'free']);
  expect(writes).toEqual([]);
  await new Promise(setImmediate);
  expect(writes).toEqual(['one,two,']);

  // Nothing overtakes it: not what is long, nor what is sent beside a chunk, and whoever asks for all has it too.
  const long = 'x'.repeat(5000);
  read('three,');
  read(long);
  expect(writes.slice(1)).toEqual(['three,', long]);
  read('four,');
  wires?.send('client', Buffer.from('five,'));
  expect(writes.slice(3)).toEqual(['four,', 'five,']);
  read('six,');
  await wires?.flushed('client');
  expect(writes[5]).toBe('six,');
  // As much as that does not wait.
  for (let n = 0; n < 5; n++) read(`${n}${'y'.repeat(999)}`);
  expect(writes.slice(6).join('')).toHaveLength(5000);
  read('last');
  wires?.finish();
  expect(writes.at(-1)).toBe('last');
});

test('what is sent for one chunk leaves in one write, and in its order', async () => {
  const writes: string[] = [];
  const front = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      writes.push(chunk.toString());
      done();
    },
    writev(chunks, done) {
      writes.push(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)).toString());
      done();
    },
  });
  const back = new PassThrough();
  open.push(front, back);
  const done = pump(front, back, (wires) => ({
    ...passing(wires, [2, 3]),
    ended() {
      wires.send('client', Buffer.from('bye'));
      wires.finish();
    },
  }));
  back.push('abcdef');
  await sleep(20);
  expect(writes).toEqual(['abcdef']);
  back.push(null);
  await sleep(20);
  expect(writes).toEqual(['abcdef', 'bye']);
  front.destroy();
  await done;
});

test('what is sent before an end in the same chunk arrives before it', async () => {
  const got: string[] = [];
  const front = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      got.push(chunk.toString());
      done();
    },
    final(done) {
      got.push('end');
      done();
    },
  });
  const back = new PassThrough();
  open.push(front, back);
  pump(front, back, (wires) => ({
    ...passing(wires),
    receive(_from: Side, chunk: Buffer) {
      wires.send('client', chunk);
      wires.send('client', Buffer.from('bye'));
      wires.finish();
    },
  })).catch(() => undefined);
  back.push('last words, ');
  await sleep(20);
  expect(got.join('')).toBe('last words, byeend');
});
