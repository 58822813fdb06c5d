/**
 * What a request by HTTP costs the gateway, beside nginx as a proxy: CPU of the proxy's process for each, in rounds whose order is random. Lives
 * here: the load and the table. Does not: the relay of WebSockets that ours is measured with (`http-peer.ts`).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findTool, missingTool, temporaryFolder } from '@sluice/testkit';
import { WebSocket } from 'ws';
import { type Way, compare, run, startNginx, wrk } from './http-load.js';
import { atRest } from './at-rest.js';
import { machine } from './measure.js';
import { type RunningGateway, end, spawnGateway } from './setting.js';

/** For wrk: no path comes twice, so that no judgement is one that is remembered. */
const NEW_PATHS = `local n = 0
request = function()
  n = n + 1
  return wrk.format("GET", wrk.path .. "/" .. os.time() .. "/" .. n)
end
`;
const BODY = 'x'.repeat(540);
/**
 * Sockets that lie idle, and visits from addresses of their own, while memory is measured: as many as a gateway takes that may open 20,000 files.
 */
const IDLE = 1500;
const VISITS = 1500;
/** Of either before that, for which the heap takes its size. */
const FIRST_OPENED = 500;
const SETTLED_MS = 8_000;
/** Messages of so many bytes each by WebSocket, and how many are under way at once on each of the sockets. */
interface EchoLoad {
  readonly bytes: number;
  readonly messages: number;
  readonly atOnce: number;
}
const SOCKETS = 8;
const SMALL: EchoLoad = { bytes: 200, messages: 20_000, atOnce: 1 };
/** As what has a feed says: prices, or the words of a model. */
const STREAMED: EchoLoad = { bytes: 200, messages: 160_000, atOnce: 32 };
const LARGE: EchoLoad = { bytes: 64 * 1024, messages: 3_000, atOnce: 1 };

interface Peer {
  readonly child: ChildProcess;
  readonly echo: number;
  readonly relay: number;
}

interface BareRelays {
  readonly child: ChildProcess;
  readonly h1: number;
  readonly h2: number;
  readonly ws: number;
}

export async function benchHttp({ rounds, seconds }: { rounds: number; seconds: number }): Promise<string> {
  for (const tool of ['nginx', 'wrk', 'h2load'] as const) {
    const missing = missingTool(tool);
    if (missing !== undefined) throw new Error(missing);
  }
  const { path, remove } = temporaryFolder('bench-http');
  const peer = await startPeer();
  const backend = await startNginx(
    join(path, 'backend'),
    (port) =>
      `server { listen 127.0.0.1:${port}; access_log off; keepalive_requests 100000000; location / { default_type text/plain; return 200 "${BODY}"; } }`,
  );
  const proxied = `location / { proxy_pass http://target; proxy_http_version 1.1; proxy_set_header Connection ""; }`;
  const upstream = `upstream target { server 127.0.0.1:${backend.port}; keepalive 64; keepalive_requests 100000000; }`;
  const plain = await startNginx(
    join(path, 'plain'),
    (port) =>
      `${upstream} server { listen 127.0.0.1:${port}; access_log off; keepalive_requests 100000000; ${proxied} }`,
  );
  const http2 = await startNginx(
    join(path, 'http2'),
    (port) =>
      `${upstream} server { listen 127.0.0.1:${port} http2; access_log off; keepalive_requests 100000000; ${proxied} }`,
  );
  const gateway = await spawnGateway(join(path, 'gateway'), gatewayOf(backend.port, peer.echo), { protocol: 'http' });
  const unused = await spawnGateway(join(path, 'unused'), gatewayOf(backend.port, peer.echo), {
    protocol: 'http',
    collects: true,
  });
  const bare = await startScript<BareRelays>('http-bare.js', [backend.port, peer.echo].map(String));
  const all = [peer.child, backend.child, plain.child, http2.child, gateway.child, unused.child, bare.child];
  const bareWay = (run: Way['run']): Way => ({ name: 'bare', pid: bare.child.pid as number, run });
  try {
    const base = `http://127.0.0.1:${gateway.port}/svc/x`;
    const auth = `Authorization: Bearer ${gateway.token}`;
    const h1 = [
      {
        name: 'nginx',
        pid: plain.child.pid as number,
        run: (time: number) => wrk(`http://127.0.0.1:${plain.port}/x`, auth, time),
      },
      { name: 'sluice', pid: gateway.child.pid as number, run: (time: number) => wrk(base, auth, time) },
      bareWay((time) => wrk(`http://127.0.0.1:${bare.h1}/x`, auth, time)),
    ];
    const script = join(path, 'paths.lua');
    writeFileSync(script, NEW_PATHS);
    const targets = [`http://127.0.0.1:${plain.port}/x`, base, `http://127.0.0.1:${bare.h1}/x`];
    const paths = h1.map((way, at) => ({
      ...way,
      run: (time: number) => wrk(targets[at] as string, auth, time, script),
    }));
    const h2 = [
      {
        name: 'nginx',
        pid: http2.child.pid as number,
        run: (time: number) => h2load(`http://127.0.0.1:${http2.port}/x`, auth, time),
      },
      { name: 'sluice', pid: gateway.child.pid as number, run: (time: number) => h2load(base, auth, time) },
      bareWay((time) => h2load(`http://127.0.0.1:${bare.h2}/x`, auth, time)),
    ];
    const ws = (load: EchoLoad): Way[] => [
      { name: 'ws', pid: peer.child.pid as number, run: () => echo(`ws://127.0.0.1:${peer.relay}`, '', load) },
      {
        name: 'sluice',
        pid: gateway.child.pid as number,
        run: () => echo(`ws://127.0.0.1:${gateway.port}/ws/x`, gateway.token, load),
      },
      bareWay(() => echo(`ws://127.0.0.1:${bare.ws}`, '', load)),
    ];
    const rows = [
      await compare('GET of 540 B by HTTP/1.1, 32 connections', h1, 'nginx', { rounds, seconds }),
      await compare('the same, each with a path of its own', paths, 'nginx', { rounds, seconds }),
      await compare('GET of 540 B by HTTP/2, 8 connections of 16 streams', h2, 'nginx', { rounds, seconds }),
      await compare('message of 200 B by WebSocket and its echo', ws(SMALL), 'ws', { rounds, seconds }),
      await compare('the same with 32 messages under way on each socket', ws(STREAMED), 'ws', { rounds, seconds }),
      await compare('message of 64 KiB by WebSocket and its echo', ws(LARGE), 'ws', {
        rounds,
        seconds,
        warmUpUnits: LARGE.messages * 2,
      }),
    ];
    const memory = await memoryEach(unused);
    const text = `# HTTP, beside nginx and ws

\`pnpm bench http\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; loopback without TLS, ${rounds} rounds of ${seconds} s, order random in each. Medians; in brackets the middle half. The machine is shared: trust the ratios.

The gateway checks a token, judges by two rules and writes the journal, with each request and answer. CPU is that of the proxy's process. "Node alone": a relay that looks at nothing, which is the least that there can be here; by HTTP/2 it is node:http2
with a head and a body for each stream. Messages of WebSocket go by ${SOCKETS} sockets, one at a time on each where nothing else is said.

| load | other | CPU of it, µs | Node alone, µs | CPU of sluice, µs | Node alone, ratio | ratio |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

## Memory

RSS of a gateway at rest, behind a collection of its garbage. An idle connection takes ${(memory.socket / 1024).toFixed(1)} KB (of ${IDLE}), a visit with its connection and one to the target ${(memory.visit / 1024).toFixed(1)} KB (of ${VISITS}).
`;
    mkdirSync(join(import.meta.dirname, '..', 'results'), { recursive: true });
    writeFileSync(join(import.meta.dirname, '..', 'results', 'http.md'), text);
    return text;
  } finally {
    await Promise.all(all.map((child) => end(child)));
    remove();
  }
}

const gatewayOf = (
  port: number,
  echoPort: number,
): string => `limits: { sessions_per_principal: 5000, connections: 20000 }
connections:
  svc:
    protocol: http
    target: { url: "http://127.0.0.1:${port}" }
    access: ["group:engineers"]
    policies: [production]
  ws:
    protocol: http
    target: { url: "http://127.0.0.1:${echoPort}" }
    access: ["group:engineers"]
    policies: [production]
policies:
  production:
    - { rule: no-delete, when: 'request.method == "DELETE" && request.path.startsWith("/prod/")', deny: Nothing is deleted in prod. }
    - { rule: all, when: 'true', allow: true }
`;

async function h2load(url: string, header: string, seconds: number): Promise<number> {
  const { stdout } = await run(findTool('h2load') as string, ['-c8', '-m16', `-D${seconds}`, '-H', header, url]);
  const [, done = '0', failed = '0'] = /, (\d+) done, \d+ succeeded, (\d+) failed/.exec(stdout) ?? [];
  const [, good = '0'] = /status codes: (\d+) 2xx/.exec(stdout) ?? [];
  if (Number(failed) > 0 || Number(good) < Number(done) / 2) throw new Error(`h2load was refused: ${stdout}`);
  return Number(good);
}

/** On each of the sockets a message follows each that comes back. */
async function echo(url: string, token: string, { bytes, messages, atOnce }: EchoLoad): Promise<number> {
  const message = 'x'.repeat(bytes);
  const one = async (): Promise<void> => {
    const socket = new WebSocket(url, {
      headers: token === '' ? {} : { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
    });
    await once(socket, 'open');
    const { promise, resolve } = Promise.withResolvers<void>();
    let unsent = messages / SOCKETS;
    let unheard = unsent;
    const send = (): void => {
      if (unsent-- > 0) socket.send(message);
    };
    socket.on('message', () => (--unheard > 0 ? send() : resolve()));
    for (let n = 0; n < atOnce; n++) send();
    await promise;
    socket.close();
  };
  await Promise.all(Array.from({ length: SOCKETS }, one));
  return messages;
}

/**
 * In a gateway that has done nothing else: after load a heap becomes smaller, by more than all of this takes. It collects its garbage before each
 * look, as V8 does by itself in a process that has grown quiet: what is left is what sockets and visits take while they lie idle.
 */
async function memoryEach({ child, port, token }: RunningGateway): Promise<{ socket: number; visit: number }> {
  const sockets: Socket[] = [];
  let visits = 0;
  const open = async (count: number, isVisit: boolean): Promise<number> => {
    for (let n = 0; n < count; n++) {
      if (isVisit) visits++;
      const localAddress = isVisit ? `127.0.${1 + Math.floor(visits / 250)}.${1 + (visits % 250)}` : '127.0.0.1';
      const socket = connect({ host: '127.0.0.1', port, localAddress });
      sockets.push(socket);
      await once(socket, 'connect');
      socket.write(`GET /svc/x HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer ${token}\r\n\r\n`);
      const [head] = (await once(socket, 'data')) as [Buffer];
      if (!head.toString('latin1').startsWith('HTTP/1.1 200 ')) throw new Error(`a request was refused: ${head}`);
    }
    return atRest(child.pid as number);
  };
  // By then its threads have begun.
  await sleep(SETTLED_MS);
  await open(FIRST_OPENED, false);
  const empty = await open(FIRST_OPENED, true);
  const idle = await open(IDLE, false);
  const all = await open(VISITS, true);
  for (const socket of sockets) socket.destroy();
  return { socket: (idle - empty) / IDLE, visit: (all - idle) / VISITS };
}

const startPeer = (): Promise<Peer> => startScript('http-peer.js', []);

/** A program of this folder that says on its first line what it has opened. */
async function startScript<Opened extends { readonly child: ChildProcess }>(
  name: string,
  words: readonly string[],
): Promise<Opened> {
  const child = spawn(process.execPath, [join(import.meta.dirname, name), ...words], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, ...JSON.parse(line.toString()) } as Opened;
}
