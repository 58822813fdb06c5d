/**
 * What it costs to change an answer on its way, beside nginx's `sub_filter` and mitmproxy: CPU of the proxy's process for each answer. Lives here:
 * the answer, the three ways and the table. Does not: what masks cost without sockets (`bodies.ts`).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { findTool, freePort, missingTool, temporaryFolder } from '@sluice/testkit';
import { eventDelays } from './http-events.js';
import { type Way, compare, startNginx, wrk } from './http-load.js';
import { machine } from './measure.js';
import { accepting, end, spawnGateway } from './setting.js';

const MAIL = 'ada@example.com';
const ROWS = 400;
const MAX_TRIES = 5;
/** An answer as of a service: one row in ten has the address. */
const ANSWER = Buffer.from(
  JSON.stringify(
    Array.from({ length: ROWS }, (_, n) => ({
      id: n,
      name: `Ada Lovelace ${n % 97}`,
      status: 'active',
      note: 'The quick brown fox jumps over the lazy dog, and nobody minds.',
      email: n % 10 === 0 ? MAIL : 'none given',
      ref: 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    })),
  ),
);

/** Writes the results file and returns it. */
export async function benchMasked({ rounds, seconds }: { rounds: number; seconds: number }): Promise<string> {
  for (const tool of ['nginx', 'wrk', 'mitmdump'] as const) {
    const missing = missingTool(tool);
    if (missing !== undefined) throw new Error(missing);
  }
  const { path, remove } = temporaryFolder('bench-masked');
  const service = createServer((_, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end(ANSWER);
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const { port } = service.address() as AddressInfo;
  const nginx = await startNginx(join(path, 'nginx'), (own) => nginxOf(own, port));
  const mitmproxy = await startMitmproxy(join(path, 'mitmproxy'), port);
  const gateway = await spawnGateway(join(path, 'gateway'), gatewayOf(port), { protocol: 'http' });
  const token = `Authorization: Bearer ${gateway.token}`;
  const way = (name: string, child: ChildProcess, url: string): Way => ({
    name,
    pid: child.pid as number,
    run: (time) => wrk(url, token, time),
  });
  try {
    const at = `http://127.0.0.1:${gateway.port}`;
    const others = [
      way('sub_filter', nginx.child, `http://127.0.0.1:${nginx.port}/x`),
      way('mitmproxy', mitmproxy.child, `http://127.0.0.1:${mitmproxy.port}/x`),
    ];
    const rows: string[] = [];
    for (const other of others)
      for (const [connection, title] of [
        ['none', 'no mask'],
        ['one', 'detector of addresses'],
        ['all', 'all detectors'],
      ] as const) {
        if (connection !== 'none') await changes(`${at}/${connection}/x`, gateway.token, '[masked:EMAIL]');
        await changes(
          `http://127.0.0.1:${other === others[0] ? nginx.port : mitmproxy.port}/x`,
          gateway.token,
          '[masked]',
        );
        const ways = [other, way('sluice', gateway.child, `${at}/${connection}/x`)];
        rows.push(await compare(title, ways, other.name, { rounds, seconds }));
      }
    const text = `# Answers that are changed, beside nginx and mitmproxy

\`pnpm bench http-masked\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; loopback without TLS, ${rounds} rounds of ${seconds} s, order random in each. Medians; in brackets the middle half. The machine is shared: trust the ratios.

A GET of JSON, ${ANSWER.length} bytes with ${ROWS / 10} addresses, 32 connections. nginx replaces one text that it is told beforehand, mitmproxy what one regular expression finds; the
gateway looks for nothing, for addresses, or for all that it knows, value by value, checks a token, judges, and writes the answer to the journal. CPU is that of the proxy's process.

| sluice with | other | CPU of it, µs | CPU of sluice, µs | ratio |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
${await eventDelays({ rounds })}`;
    writeFileSync(join(import.meta.dirname, '..', 'results', 'http-masked.md'), text);
    return text;
  } finally {
    await Promise.all([nginx.child, mitmproxy.child, gateway.child].map((child) => end(child)));
    service.closeAllConnections();
    service.close();
    remove();
  }
}

/** Each of them has to do its work, or its figure says nothing. */
async function changes(url: string, token: string, mark: string): Promise<void> {
  const answer = await (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).text();
  if (answer.includes(MAIL) || !answer.includes(mark)) throw new Error(`${url} changes nothing`);
}

const nginxOf = (own: number, port: number): string =>
  `upstream target { server 127.0.0.1:${port}; keepalive 64; keepalive_requests 100000000; }
server { listen 127.0.0.1:${own}; access_log off; keepalive_requests 100000000;
  location / { proxy_pass http://target; proxy_http_version 1.1; proxy_set_header Connection "";
    sub_filter_types application/json; sub_filter_once off; sub_filter "${MAIL}" "[masked]"; } }`;

async function startMitmproxy(folder: string, target: number): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  const words = [
    '--mode',
    `reverse:http://127.0.0.1:${target}`,
    '--listen-host',
    '127.0.0.1',
    '-p',
    String(port),
    '-q',
  ];
  const masked = ['--modify-body', '/~s/[A-Za-z0-9._+-]+@[A-Za-z0-9-]+[.][A-Za-z]+/[masked]'];
  const child = spawn(findTool('mitmdump') as string, [...words, '--set', `confdir=${folder}`, ...masked], {
    stdio: 'ignore',
  });
  // Python reads all of its modules first, which takes a while on a busy machine.
  for (let tries = 0; ; tries++)
    try {
      await accepting(port);
      return { child, port };
    } catch (error) {
      if (tries === MAX_TRIES || child.exitCode !== null) throw error;
    }
}

const gatewayOf = (port: number): string => `connections:
  none: { protocol: http, target: { url: "http://127.0.0.1:${port}" }, access: ["group:engineers"], policies: [none] }
  one: { protocol: http, target: { url: "http://127.0.0.1:${port}" }, access: ["group:engineers"], policies: [one] }
  all: { protocol: http, target: { url: "http://127.0.0.1:${port}" }, access: ["group:engineers"], policies: [all] }
policies:
  none:
    - { rule: reads, when: 'request.method == "GET"', allow: true }
  one:
    - { rule: addresses, mask: { detect: [email] } }
  all:
    - { rule: everything, mask: { detect: [email, phone, credit_card, iban, us_ssn, jwt, private_key, api_key, connection_string, secret] } }
`;
