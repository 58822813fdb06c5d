/**
 * What a request by HTTP costs the gateway, beside nginx as a proxy: CPU of the proxy's process for each, in rounds whose order is random. Lives
 * here: the load and the table. Does not: the relay of WebSockets that ours is measured with (`http-peer.ts`).
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { findTool, freePort, missingTool, temporaryFolder } from '@sluice/testkit';
import { WebSocket } from 'ws';
import { cpuOf, machine, median, memoryOf, shuffled, spread } from './measure.js';
import { type RunningGateway, accepting, end, spawnGateway } from './setting.js';

/** For wrk: no path comes twice, so that no judgement is one that is remembered. */
const NEW_PATHS = `local n = 0
request = function()
  n = n + 1
  return wrk.format("GET", wrk.path .. "/" .. os.time() .. "/" .. n)
end
`;
const BODY = 'x'.repeat(540);
/** Sockets that lie idle, and visits from addresses of their own, while memory is measured. */
const IDLE = 2000;
const VISITS = 250;
const MESSAGES = 20_000;
const WARM_UP_S = 8;

/** A proxy under load: what a client connects to, and whose CPU counts. */
interface Way {
  readonly name: string;
  readonly pid: number;
  run(seconds: number): Promise<number>;
}

interface Peer {
  readonly child: ChildProcess;
  readonly echo: number;
  readonly relay: number;
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
  const all = [peer.child, backend.child, plain.child, http2.child, gateway.child];
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
    ];
    const script = join(path, 'paths.lua');
    writeFileSync(script, NEW_PATHS);
    const paths = h1.map((way, at) => ({
      ...way,
      run: (time: number) => wrk(at === 0 ? `http://127.0.0.1:${plain.port}/x` : base, auth, time, script),
    }));
    const h2 = [
      {
        name: 'nginx',
        pid: http2.child.pid as number,
        run: (time: number) => h2load(`http://127.0.0.1:${http2.port}/x`, auth, time),
      },
      { name: 'sluice', pid: gateway.child.pid as number, run: (time: number) => h2load(base, auth, time) },
    ];
    const ws = [
      { name: 'ws', pid: peer.child.pid as number, run: () => echo(`ws://127.0.0.1:${peer.relay}`, '') },
      {
        name: 'sluice',
        pid: gateway.child.pid as number,
        run: () => echo(`ws://127.0.0.1:${gateway.port}/ws/x`, gateway.token),
      },
    ];
    const rows = [
      await compare('GET of 540 B by HTTP/1.1, 32 connections', h1, 'nginx', { rounds, seconds }),
      await compare('the same, each with a path of its own', paths, 'nginx', { rounds, seconds }),
      await compare('GET of 540 B by HTTP/2, 8 connections of 16 streams', h2, 'nginx', { rounds, seconds }),
      await compare('message of 200 B by WebSocket and its echo', ws, 'ws', { rounds, seconds }),
    ];
    const memory = await memoryEach(gateway);
    const text = `# HTTP, beside nginx and ws

\`pnpm bench http\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; loopback without TLS, ${rounds} rounds of ${seconds} s, order random in each. Medians; in brackets the middle half. The machine is shared: trust the ratios.

The gateway checks a token, judges by two rules and writes the journal, with each request and answer. CPU is that of the proxy's process.

| load | other | CPU of it, µs | CPU of sluice, µs | ratio |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

## Memory

An idle connection takes ${(memory.socket / 1024).toFixed(1)} KB (of ${IDLE}), a visit with its connection and one to the target ${(memory.visit / 1024).toFixed(1)} KB (of ${VISITS}).
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

/** Load on each way in turn, and the median CPU of a unit of it. */
async function compare(
  title: string,
  ways: readonly Way[],
  other: string,
  { rounds, seconds }: { rounds: number; seconds: number },
): Promise<string> {
  const costs = new Map<string, number[]>(ways.map(({ name }) => [name, []]));
  // Cold code costs many times as much.
  for (const { run } of ways) await run(WARM_UP_S);
  for (let round = 0; round < rounds; round++)
    for (const { name, pid, run } of shuffled(ways)) {
      const before = cpuOf(pid);
      const units = await run(seconds);
      costs.get(name)?.push((cpuOf(pid) - before) / units);
    }
  const theirs = costs.get(other) ?? [];
  const ours = costs.get('sluice') ?? [];
  const ratios = ours.map((cost, at) => cost / (theirs[at] ?? Number.NaN));
  return `| ${title} | ${other} | ${figure(theirs)} | ${figure(ours)} | **${figure(ratios, 2)}** |`;
}

function figure(values: readonly number[], digits = 1): string {
  const [low, high] = spread(values);
  return `${median(values).toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
}

const run = promisify(execFile);

/** Requests that were answered with 200. */
async function wrk(url: string, header: string, seconds: number, script?: string): Promise<number> {
  const words = ['-t1', '-c32', `-d${seconds}s`, '-H', header, ...(script === undefined ? [] : ['-s', script]), url];
  const { stdout } = await run(findTool('wrk') as string, words);
  if (/Non-2xx/.test(stdout)) throw new Error(`wrk was refused: ${stdout}`);
  return Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0);
}

async function h2load(url: string, header: string, seconds: number): Promise<number> {
  const { stdout } = await run(findTool('h2load') as string, ['-c8', '-m16', `-D${seconds}`, '-H', header, url]);
  const [, done = '0', failed = '0'] = /, (\d+) done, \d+ succeeded, (\d+) failed/.exec(stdout) ?? [];
  const [, good = '0'] = /status codes: (\d+) 2xx/.exec(stdout) ?? [];
  if (Number(failed) > 0 || Number(good) < Number(done) / 2) throw new Error(`h2load was refused: ${stdout}`);
  return Number(good);
}

/** One message at a time on each of eight sockets. */
async function echo(url: string, token: string): Promise<number> {
  const message = 'x'.repeat(200);
  const one = async (): Promise<void> => {
    const socket = new WebSocket(url, {
      headers: token === '' ? {} : { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
    });
    await once(socket, 'open');
    const { promise, resolve } = Promise.withResolvers<void>();
    let left = MESSAGES / 8;
    socket.on('message', () => (--left > 0 ? socket.send(message) : resolve()));
    socket.send(message);
    await promise;
    socket.close();
  };
  await Promise.all(Array.from({ length: 8 }, one));
  return MESSAGES;
}

async function memoryEach({ child, port, token }: RunningGateway): Promise<{ socket: number; visit: number }> {
  const pid = child.pid as number;
  const ask = async (address: string): Promise<Socket> => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: address });
    await once(socket, 'connect');
    socket.write(`GET /svc/x HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    await once(socket, 'data');
    return socket;
  };
  const sockets = [await ask('127.0.0.1')];
  await sleep(1000);
  const empty = memoryOf(pid);
  for (let n = 0; n < IDLE; n++) sockets.push(await ask('127.0.0.1'));
  await sleep(1000);
  const idle = memoryOf(pid);
  for (let n = 0; n < VISITS; n++) sockets.push(await ask(`127.0.1.${n + 1}`));
  await sleep(1000);
  const visits = memoryOf(pid);
  for (const socket of sockets) socket.destroy();
  return { socket: (idle - empty) / IDLE, visit: (visits - idle) / VISITS };
}

async function startPeer(): Promise<Peer> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'http-peer.js')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, ...(JSON.parse(line.toString()) as { echo: number; relay: number }) };
}

/** nginx with one process. `server`: what it serves on a port. */
async function startNginx(
  folder: string,
  server: (port: number) => string,
): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log /dev/null;
events { worker_connections 4096; }
http { client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c; uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
${server(port)} }
`,
  );
  const child = spawn(findTool('nginx') as string, ['-c', join(folder, 'nginx.conf'), '-e', '/dev/null'], {
    stdio: 'ignore',
  });
  await accepting(port);
  return { child, port };
}
