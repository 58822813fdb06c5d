import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { Tunnel, WEBSOCKET_LIMITS, webSocketTransport, withoutMask } from '@sluice/tunnel';
import { WebSocket, createWebSocketStream } from 'ws';
import { benchChain } from './chain.js';
import { cpuOf, machine, median, memoryOf, shuffled, spread } from './measure.js';

const OPTIONS = { ...WEBSOCKET_LIMITS, generateMask: withoutMask };
const BULK = 512 * 1024 * 1024;
const TRIPS = 3000;
const STREAMS = 1000;
const EACH = 256 * 1024;
const MANY_ROUNDS = 11;
/** Four windows. Of more, what the kernel holds for 200 sockets (3.6 MB each here) would be measured along. Bytes, in words. */
const STALL = String(1024 * 1024);

interface Ports {
  readonly target: number;
  readonly tunnel: number;
  readonly bare: number;
}

/** A way to the target. */
interface Way {
  readonly name: string;
  open(): Promise<Duplex>;
}

/** Bulk and round trips: direct, by a bare WebSocket, and through a tunnel; then a thousand streams, some of them stalled. */
export async function benchTunnel({ rounds }: { rounds: number }): Promise<string> {
  const peer = spawn(process.execPath, [join(import.meta.dirname, 'tunnel-peer.js')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(peer.stdout, 'data')) as [Buffer];
  const ports = JSON.parse(line.toString()) as Ports;
  const tunnel = await openTunnel(ports);
  try {
    // First, while the memory of both processes is what they need and no more.
    const stalled = await stalledRead(ports, peer.pid as number);
    const ways: Way[] = [
      { name: 'direct', open: async () => tcp(ports.target) },
      { name: 'bare WebSocket', open: async () => createWebSocketStream(await webSocket(ports.bare)) },
      { name: 'tunnel', open: async () => (await tunnel.open(Buffer.alloc(0))).stream },
    ];
    const speed = new Map<string, number[]>();
    const cpu = new Map<string, number[]>();
    const trips = new Map<string, number[]>();
    const add = (to: Map<string, number[]>, name: string, value: number): void =>
      void to.set(name, [...(to.get(name) ?? []), value]);
    for (let round = 0; round < rounds; round++) {
      for (const way of shuffled(ways)) {
        const before = cpuOf(process.pid) + cpuOf(peer.pid as number);
        const started = performance.now();
        await drain(await way.open(), BULK);
        add(speed, way.name, BULK / 1e6 / ((performance.now() - started) / 1000));
        add(cpu, way.name, (cpuOf(process.pid) + cpuOf(peer.pid as number) - before) / 1000 / (BULK / 1e9));
        add(trips, way.name, await roundTrips(await way.open()));
      }
    }
    const many = await manyStreams(ports, rounds);
    const row = ({ name }: Way): string =>
      `| ${name} | ${figure(speed.get(name))} | ${figure(cpu.get(name))} | ${figure(trips.get(name), 1)} |`;
    const text = `# The tunnel, beside a direct connection and a bare WebSocket

\`pnpm bench tunnel\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; two processes on loopback without TLS, ${rounds} rounds, order random in each. Medians; in brackets the middle half. The machine is shared: trust the ratios.

One stream of ${BULK / 2 ** 20} MiB from a TCP target, and ${TRIPS} round trips of 100 bytes. CPU is that of both processes, target and reader included.

| way | MB/s | CPU ms/GB | round trip, µs |
| --- | --- | --- | --- |
${ways.map(row).join('\n')}

## ${STREAMS} streams on one tunnel, 200 of them stalled

800 streams carry ${EACH / 1024} KiB each: **${many.ratio.toFixed(2)}** (${many.spread}) of the throughput that they have when the other 200 do not stall but idle.

## A stalled read of 1 GB

The reader stops after 0.3 s, with its window grown: within 2 s the memory of the sending process grows by ${(stalled.peer / 1e6).toFixed(1)} MB, that of the reading one by ${(stalled.own / 1e6).toFixed(1)} MB.

${(await benchChain({ rounds })).join('\n')}`;
    mkdirSync(join(import.meta.dirname, '..', 'results'), { recursive: true });
    writeFileSync(join(import.meta.dirname, '..', 'results', 'tunnel.md'), text);
    return text;
  } finally {
    tunnel.close('done');
    peer.kill();
  }
}

async function openTunnel(ports: Ports): Promise<Tunnel> {
  const { promise, resolve, reject } = Promise.withResolvers<Tunnel>();
  const socket = new WebSocket(`ws://127.0.0.1:${ports.tunnel}`, OPTIONS).once('error', reject);
  // In the same turn: the peer's hello may be behind its answer to the upgrade already.
  socket.once('open', () => resolve(new Tunnel({ transport: webSocketTransport(socket), peer: 'the peer' })));
  const tunnel = await promise;
  await tunnel.ready;
  return tunnel;
}

/** The reading end is the client, as the target's process would be behind an agent's dial; masks are as the agent's. */
async function webSocket(port: number): Promise<WebSocket> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`, OPTIONS);
  await once(socket, 'open');
  return socket;
}

async function tcp(port: number): Promise<Duplex> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return socket;
}

/** Asks for so many bytes and counts them. */
async function drain(stream: Duplex, bytes: number): Promise<void> {
  stream.write(String(bytes));
  let left = bytes;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  stream.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left === 0) resolve();
  });
  stream.on('close', () => reject(new Error(`the stream closed with ${left} bytes to come`)));
  stream.on('error', reject);
  await promise;
  stream.destroy();
}

/** The median of a round trip, in microseconds. */
async function roundTrips(stream: Duplex): Promise<number> {
  const samples: number[] = [];
  stream.on('error', () => undefined);
  stream.write('0');
  await once(stream, 'data');
  const message = Buffer.alloc(100);
  for (let n = 0; n < TRIPS; n++) {
    const started = performance.now();
    stream.write(message);
    await once(stream, 'data');
    samples.push((performance.now() - started) * 1000);
  }
  stream.destroy();
  return median(samples);
}

/** 800 streams at work, with 200 that idle or that stall with their windows full. */
async function manyStreams(ports: Ports, rounds: number): Promise<{ ratio: number; spread: string }> {
  const ratios: number[] = [];
  // One run takes a second and the machine is shared: it takes many to tell. The first is not counted: whichever comes first
  // in it runs code that is not compiled yet.
  for (let round = 0; round <= Math.max(MANY_ROUNDS, rounds); round++) {
    const times = new Map<boolean, number>();
    for (const stalling of shuffled([true, false])) {
      const tunnel = await openTunnel(ports);
      const open = async (): Promise<Duplex> => (await tunnel.open(Buffer.alloc(0))).stream;
      for (let n = 0; n < STREAMS / 5; n++) (await open()).write(stalling ? STALL : '0');
      const working = await Promise.all(Array.from({ length: (STREAMS * 4) / 5 }, open));
      await quiet(tunnel);
      const started = performance.now();
      await Promise.all(working.map((stream) => drain(stream, EACH)));
      times.set(stalling, performance.now() - started);
      tunnel.close('done');
    }
    if (round > 0) ratios.push((times.get(false) as number) / (times.get(true) as number));
  }
  return {
    ratio: median(ratios),
    spread: spread(ratios)
      .map((ratio) => ratio.toFixed(2))
      .join('–'),
  };
}

/** Until nothing comes any more: the streams that stall have filled their windows. */
async function quiet(tunnel: Tunnel): Promise<void> {
  for (let before = -1; before !== tunnel.bytesReceived; ) {
    before = tunnel.bytesReceived;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

async function stalledRead(ports: Ports, peer: number): Promise<{ own: number; peer: number }> {
  const tunnel = await openTunnel(ports);
  const { stream } = await tunnel.open(Buffer.alloc(0));
  const before = { own: memoryOf(process.pid), peer: memoryOf(peer) };
  stream.write(String(1e9));
  stream.on('data', () => undefined);
  await new Promise((resolve) => setTimeout(resolve, 300));
  stream.pause();
  const peak = { own: 0, peer: 0 };
  for (let n = 0; n < 20; n++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    peak.own = Math.max(peak.own, memoryOf(process.pid) - before.own);
    peak.peer = Math.max(peak.peer, memoryOf(peer) - before.peer);
  }
  tunnel.close('done');
  return peak;
}

const figure = (values: readonly number[] = [], digits = 0): string =>
  `${median(values).toFixed(digits)} (${spread(values)
    .map((value) => value.toFixed(digits))
    .join('–')})`;
