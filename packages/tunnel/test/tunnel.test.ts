import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { MAX_SILENCE_MS, TICK_MS, Tunnel, TunnelError, type TunnelStream, frame } from '../src/index.js';
import { End, all, echo, keep, openPair } from './pair.js';

const HELLO = Buffer.from(JSON.stringify({ versions: [1, 1], window: 1000, streams: 10 }));
const u32 = (value: number): Buffer => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value]);

describe('streams', () => {
  test('data goes both ways, and the end of each way is told apart', async () => {
    const { near } = openPair();
    const { stream, answer } = await near.open(Buffer.from('db:5432'));
    expect(answer.toString()).toBe('yes');
    const sent = randomBytes(3_000_000);
    const got = all(stream);
    stream.end(sent);
    expect((await got).equals(sent)).toBe(true);
    await vi.waitFor(() => expect(near.streams).toBe(0));
  });

  test('a half-close leaves the other direction open', async () => {
    const far: TunnelStream[] = [];
    const { near } = openPair({}, keep(far));
    const { stream } = await near.open(Buffer.alloc(0));
    stream.end('the question');
    expect((await all(far[0] as TunnelStream)).toString()).toBe('the question');
    const got = all(stream);
    far[0]?.end('the answer');
    expect((await got).toString()).toBe('the answer');
  });

  test('a reset arrives as an error with its reason', async () => {
    const far: TunnelStream[] = [];
    const { near, far: tunnel } = openPair({}, keep(far));
    const { stream } = await near.open(Buffer.alloc(0));
    const failed = once(stream, 'error').then(([error]) => (error as Error).message);
    far[0]?.destroy(new Error('read ECONNRESET'));
    expect(await failed).toBe('the far end: read ECONNRESET');
    await vi.waitFor(() => expect([near.streams, tunnel.streams, near.closed]).toEqual([0, 0, undefined]));
  });

  test('data on its way to a stream that was just reset does not harm the tunnel', async () => {
    const far: TunnelStream[] = [];
    const { near, far: tunnel } = openPair({}, keep(far));
    const { stream } = await near.open(Buffer.alloc(0));
    far[0]?.write(randomBytes(100_000));
    stream.destroy();
    await vi.waitFor(() =>
      expect([near.closed, tunnel.closed, near.streams, tunnel.streams]).toEqual([undefined, undefined, 0, 0]),
    );
  });

  test('a refusal has its code and its words', async () => {
    const { near } = openPair({}, ({ refuse }) => refuse({ code: 'denied', message: 'not on the list' }));
    await expect(near.open(Buffer.alloc(0))).rejects.toMatchObject({
      code: 'refused',
      detail: 'denied',
      message: 'not on the list',
    });
  });

  test('a request that is taken back aborts the dial at the other end', async () => {
    const { near, asked } = openPair({}, () => undefined);
    const wish = new AbortController();
    const opening = near.open(Buffer.alloc(0), wish.signal);
    await vi.waitFor(() => expect(asked).toHaveLength(1));
    wish.abort();
    await expect(opening).rejects.toMatchObject({ code: 'cancelled' });
    await vi.waitFor(() => expect(asked[0]?.abandoned.aborted).toBe(true));
    expect(asked[0]?.accept(Buffer.alloc(0))).toBeUndefined();
  });

  test('control messages keep their place among the data', async () => {
    const far: TunnelStream[] = [];
    const { near } = openPair({}, keep(far));
    const { stream } = await near.open(Buffer.alloc(0));
    const seen: string[] = [];
    const [other] = far as [TunnelStream];
    other.onControl = (payload) => seen.push(`control ${payload.toString()} after ${other.bytesReceived}`);
    stream.write('12345');
    stream.sendControl(Buffer.from('tls'));
    await vi.waitFor(() => expect(seen).toEqual(['control tls after 5']));
  });

  test('what is sent arrives, however it is written and however the link cuts it', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1, max: 40 }), async (chunks, cut) => {
        const { near, ends } = openPair({ window: 1500 });
        for (const end of ends)
          end.cut = (bytes) =>
            Array.from({ length: Math.ceil(bytes.length / cut) }, (_, n) => bytes.subarray(n * cut, (n + 1) * cut));
        const { stream } = await near.open(Buffer.alloc(0));
        const got = all(stream);
        const sent = chunks.map((size) => randomBytes(size));
        for (const chunk of sent) stream.write(chunk);
        stream.end();
        expect((await got).equals(Buffer.concat(sent))).toBe(true);
        near.close('done');
      }),
      { numRuns: 40 },
    );
  });
});

describe('a stream that stalls', () => {
  test('delays no other: never read, hung dial, and a row of 100 MiB', async () => {
    const { near, far } = openPair({}, (opening) => {
      if (opening.payload.toString() === 'hang') return;
      if (opening.payload.toString() === 'echo') return echo(opening);
      opening.accept(Buffer.alloc(0));
    });
    const hung = near.open(Buffer.from('hang')).catch((error: TunnelError) => error.code);
    const { stream: stalled } = await near.open(Buffer.from('keep'));
    const row = Buffer.alloc(100 * 1024 * 1024);
    expect(stalled.write(row)).toBe(false);
    for (let n = 0; n < 20; n++) {
      const { stream } = await near.open(Buffer.from('echo'));
      const got = all(stream);
      stream.end('hello');
      expect((await got).toString()).toBe('hello');
    }
    // What left of the row is one window: the rest waits at the writer, not in the tunnel.
    expect(near.bytesSent).toBeLessThan(300_000);
    expect(far.bytesReceived).toBeLessThan(300_000);
    near.close('done');
    expect(await hung).toBe('closed');
  });

  test('a thousand streams, two hundred of them stalled: the others get all of theirs', async () => {
    const { near } = openPair({}, (opening) =>
      opening.payload.length > 0 ? echo(opening) : void opening.accept(opening.payload),
    );
    const bytes = randomBytes(20_000);
    const echoes: Promise<Buffer>[] = [];
    for (let n = 0; n < 1000; n++) {
      const { stream } = await near.open(Buffer.from(n % 5 === 0 ? '' : 'echo'));
      if (n % 5 !== 0) echoes.push(all(stream));
      if (n % 5 === 0) stream.write(Buffer.alloc(1_000_000));
      else stream.end(bytes);
    }
    const got = await Promise.all(echoes);
    expect(got.filter((one) => one.equals(bytes))).toHaveLength(800);
    expect(near.streams).toBe(200);
    near.close('done');
  });

  test('busy streams take turns: none waits for another to finish', async () => {
    const far: TunnelStream[] = [];
    const { near, ends } = openPair({ window: 10_000_000 }, keep(far));
    const first = (await near.open(Buffer.alloc(0))).stream;
    const second = (await near.open(Buffer.alloc(0))).stream;
    ends[0].sent.length = 0;
    first.write(Buffer.alloc(1_000_000));
    second.write(Buffer.alloc(1_000_000));
    await vi.waitFor(() => expect(far.map((stream) => stream.bytesReceived)).toEqual([1_000_000, 1_000_000]));
    const order = ends[0].sent.filter((part) => part.length === 8 && part[0] === 5).map((part) => part.readUInt32BE(4));
    expect(order.slice(0, 6)).toEqual([1, 2, 1, 2, 1, 2]);
    near.close('done');
  });

  test('many tiny chunks that nobody reads are joined', async () => {
    const far: TunnelStream[] = [];
    const { near } = openPair({}, keep(far));
    const { stream } = await near.open(Buffer.alloc(0));
    for (let n = 0; n < 5000; n++) stream.write('x');
    await vi.waitFor(() => expect(far[0]?.bytesReceived).toBe(5000));
    expect(far[0]?.readableLength).toBe(0);
    expect((await first(far[0] as TunnelStream)).length).toBeGreaterThan(4000);
    near.close('done');
  });
});

/** The next chunk. */
async function first(stream: TunnelStream): Promise<Buffer> {
  const [chunk] = (await once(stream, 'data')) as [Buffer];
  return chunk;
}

/** Shows raw frames to a tunnel that has sent its hello. Returns what it was closed with. */
async function attacked(
  bytes: readonly Buffer[],
  answer = keep([]),
): Promise<{ error: TunnelError | undefined; told: string | undefined }> {
  const end = new End();
  const errors: TunnelError[] = [];
  const tunnel = new Tunnel({
    transport: end,
    peer: 'the peer',
    onOpen: answer,
    onClose: (error) => errors.push(error),
    streams: 10,
    window: 1000,
  });
  for (const one of bytes) end.receive(one);
  await sleep(1);
  tunnel.close('over');
  return { error: errors[0], told: end.closedWith };
}

describe('a hostile peer is cut off, with a reason', () => {
  const hello = frame('hello', 0, HELLO);
  const open = (id: number): Buffer => frame('open', id);
  const giant = frame('data', 1, Buffer.alloc(0));
  giant.writeUIntBE(65_537, 1, 3);
  test.each<[string, string, RegExp, readonly Buffer[]]>([
    ['an unknown type', 'protocol', /unknown type 99/, [hello, Buffer.from([99, 0, 0, 0, 0, 0, 0, 0])]],
    ['a giant frame, at its header', 'protocol', /data frame of 65537 bytes/, [hello, giant]],
    ['an empty data frame', 'protocol', /data frame of 0 bytes/, [hello, open(1), frame('data', 1)]],
    ['an unknown stream', 'protocol', /unknown stream 7/, [hello, frame('data', 7, Buffer.from('x'))]],
    ['credit for an unknown stream', 'protocol', /unknown stream 7/, [hello, frame('credit', 7, u32(1))]],
    ['a window overrun', 'overrun', /more data than stream 1/, [hello, open(1), frame('data', 1, Buffer.alloc(1001))]],
    ['a credit that no window has', 'overrun', /more credit/, [hello, open(1), frame('credit', 1, u32(2 ** 32 - 1))]],
    [
      'a flood of opens',
      'flood',
      /more than 10 streams/,
      [hello, ...Array.from({ length: 11 }, (_, n) => open(n + 1))],
    ],
    ['opens out of order', 'protocol', /out of order/, [hello, open(2)]],
    [
      'data after the end',
      'protocol',
      /after the end/,
      [hello, open(1), frame('fin', 1), frame('data', 1, Buffer.from('x'))],
    ],
    ['a stream frame for stream 0', 'protocol', /for stream 0/, [hello, frame('data', 0, Buffer.from('x'))]],
    ['frames before the hello', 'protocol', /before the hello/, [open(1)]],
    ['two hellos', 'protocol', /second hello/, [hello, hello]],
    ['a hello that is none', 'protocol', /no JSON/, [frame('hello', 0, Buffer.from('???'))]],
    [
      'a version of the future',
      'version',
      /versions 7 to 9/,
      [frame('hello', 0, Buffer.from('{"versions":[7,9],"window":1,"streams":1}'))],
    ],
    ['a pong without a ping', 'protocol', /pong without/, [hello, frame('pong', 0, Buffer.alloc(8, 255))]],
    ['a control message nobody asked for', 'protocol', /nobody waits/, [hello, open(1), frame('control', 1)]],
    ['an answer to nothing', 'protocol', /not waiting/, [hello, open(1), frame('accept', 1)]],
  ])('%s', async (_, code, words, bytes) => {
    const { error, told } = await attacked(bytes);
    expect(error?.code).toBe(code);
    expect(error?.message).toMatch(words);
    expect(told).toMatch(words);
  });

  test('a peer that asks and does not read', async () => {
    const end = new End();
    end.held = true;
    const errors: TunnelError[] = [];
    const tunnel = new Tunnel({ transport: end, peer: 'the peer', onClose: (error) => errors.push(error) });
    end.receive(frame('hello', 0, HELLO));
    await sleep(1);
    const pings = Buffer.concat(Array.from({ length: 1000 }, () => frame('ping', 0, Buffer.alloc(8))));
    for (let n = 0; n < 100 && errors.length === 0; n++) end.receive(pings);
    expect(errors).toEqual([tunnel.closed]);
    expect(errors[0]?.code).toBe('flood');
  });

  test('an accepting end that asks for streams itself', async () => {
    const end = new End();
    const errors: TunnelError[] = [];
    const tunnel = new Tunnel({ transport: end, peer: 'the peer', onClose: (error) => errors.push(error) });
    end.receive(Buffer.concat([frame('hello', 0, HELLO), frame('open', 1)]));
    expect(tunnel.closed).toBe(errors[0]);
    expect(errors[0]?.message).toMatch(/does not open streams/);
  });

  test('a request that is answered with a reset is rejected, and does not wait for ever', async () => {
    const end = new End();
    const tunnel = new Tunnel({ transport: end, peer: 'the peer' });
    end.receive(frame('hello', 0, HELLO));
    const opening = tunnel.open(Buffer.alloc(0));
    await sleep(1);
    end.receive(frame('reset', 1, Buffer.from('{"code":"x","message":"y"}')));
    await expect(opening).rejects.toMatchObject({ code: 'protocol' });
    expect(end.closedWith).toMatch(/a reset in place of an answer/);
  });

  test('whatever bytes come, a tunnel closes or goes on: it never throws', async () => {
    const types = fc.integer({ min: 0, max: 13 });
    const frames = fc.array(fc.tuple(types, fc.integer({ min: 0, max: 3 }), fc.uint8Array({ maxLength: 20 })), {
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(frames, fc.boolean(), async (list, asWritten) => {
        const bytes = list.map(([type, id, payload]) => {
          const one = frame('data', id, payload);
          one[0] = type;
          return asWritten ? one : Buffer.from(payload);
        });
        const { error } = await attacked([hello, open(1), ...bytes], echo);
        expect(error).toBeInstanceOf(TunnelError);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the link', () => {
  afterEach(() => void vi.useRealTimers());

  test('a dead one is found within 15 s, and its streams end with an error', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const { near, ends } = openPair();
    const { stream } = await near.open(Buffer.alloc(0));
    for (const end of ends) end.peer = undefined;
    for (let waited = 0; waited < 15_000; waited += 1000) vi.advanceTimersByTime(1000);
    expect(near.closed?.code).toBe('silent');
    expect(stream.errored?.message).toMatch(/tunnel to the far end was closed: nothing came for too long/);
    expect(MAX_SILENCE_MS + TICK_MS).toBeLessThanOrEqual(15_000);
  });

  test('a quiet one stays, and its round trip is measured', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    const { near, far } = openPair();
    await near.ready;
    for (let waited = 0; waited < 60_000; waited += 1000) {
      vi.advanceTimersByTime(1000);
      for (let n = 0; n < 6; n++) await new Promise((resolve) => setImmediate(resolve));
    }
    expect([near.closed, far.closed]).toEqual([undefined, undefined]);
    expect(near.roundTrip).toBeGreaterThanOrEqual(0);
    near.close('done');
  });

  test('when it is lost, all streams end with an error that says so', async () => {
    const { near, ends } = openPair();
    const { stream } = await near.open(Buffer.alloc(0));
    ends[0].lose('read ECONNRESET');
    expect(stream.errored?.message).toBe('the tunnel to the far end was lost: read ECONNRESET');
    await expect(near.open(Buffer.alloc(0))).rejects.toThrow('read ECONNRESET');
  });

  test('a drain names the time, lets running streams finish, and takes no new ones', async () => {
    const heard: unknown[] = [];
    const { near, far } = openPair({ onGoaway: (goaway) => heard.push(goaway) });
    const { stream } = await near.open(Buffer.alloc(0));
    const drained = far.drain({ deadline: 60_000, retry: 1000, reason: 'restart' });
    await vi.waitFor(() => expect(heard).toEqual([{ deadline: 60_000, retry: 1000, reason: 'restart' }]));
    await expect(near.open(Buffer.alloc(0))).rejects.toMatchObject({ code: 'draining' });
    const got = all(stream);
    stream.end('last words');
    expect((await got).toString()).toBe('last words');
    await drained;
    expect(far.closed?.message).toMatch(/drained/);
  });

  test('a drain ends what runs on after its deadline', async () => {
    const { near, far } = openPair();
    const { stream } = await near.open(Buffer.alloc(0));
    await far.drain({ deadline: 10, retry: 0, reason: 'restart' });
    await vi.waitFor(() => expect(stream.errored?.message).toMatch(/restart/));
  });
});
