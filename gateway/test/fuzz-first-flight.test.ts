/**
 * The first bytes of strangers on each port: at random, and real ones damaged, in pieces, left half-way, never closed. Whatever
 * they are, each connection ends in time, no error of ours has a stack in the log, the record grows by no more than its bound, and
 * who means well logs in.
 *
 * `pnpm fuzz first-flight [--seconds N] [--seed S]` runs it for longer.
 */
import { readdirSync, statSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { random } from '@sluice/testkit';
import { expect, test, vi } from 'vitest';
import { failure, logLines, openStand } from './stand.js';
import { SSL_REQUEST, passwordMessage, startup } from './strangers.js';

const SECONDS = Number(process.env['SLUICE_FUZZ_SECONDS'] ?? 2);
const SEED = Number(process.env['SLUICE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
/** Connections a second. */
const RATE = 200;
/** What each port gives a stranger at most: 10 s for a head or a login, and 5 s to go. */
const PATIENCE_MS = 40_000;

/** A ClientHello of TLS 1.3, as far as it matters: record, handshake, version, random, one cipher. */
const HELLO = Buffer.concat([
  Buffer.from([22, 3, 1, 0, 47, 1, 0, 0, 43, 3, 3]),
  Buffer.alloc(32, 7),
  Buffer.from([0, 0, 2, 0x13, 1, 1, 0, 0, 0]),
]);
const UPGRADE =
  'GET /v1/tunnel HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sluice-tunnel.1\r\n\r\n';

const FLIGHTS: readonly Buffer[] = [
  SSL_REQUEST,
  Buffer.concat([SSL_REQUEST, HELLO]),
  HELLO,
  startup({ user: 'dev', database: 'db' }),
  startup({ user: '\u0001'.repeat(8_000), database: 'x'.repeat(1_500), options: '-c sluice.login=password' }),
  Buffer.concat([startup({ user: 'dev', database: 'db', options: '-c sluice.login=password' }), passwordMessage('no')]),
  Buffer.from([0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 1, 0, 0, 0, 2]),
  Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'),
  Buffer.concat([Buffer.from('SSH-2.0-x\r\n\0\0\x01\xfc\x0a\x14', 'latin1'), Buffer.alloc(500, 1)]),
  Buffer.from(UPGRADE),
  Buffer.from('GET /v1/whoami HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer eyJhbGciOiJub25lIn0.e30.\r\n\r\n'),
  Buffer.from('POST /v1/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n{'),
  Buffer.from('GET /db/x HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer no\r\n\r\n'),
  Buffer.from('POST /.sluice/token HTTP/1.1\r\nHost: gw\r\nTransfer-Encoding: chunked\r\n\r\nff\r\ngrant_type='),
  // SETTINGS, and HEADERS of a GET of / by index.
  Buffer.from(
    `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x07\x01\x05\0\0\0\x01\x82\x84\x86\x41\x02gw`,
    'latin1',
  ),
  Buffer.from('GET /%ff HTTP/1.1\r\nHost: evil.example\r\n\r\n'),
];

type Pick = (below: number) => number;

const bytesAtRandom = (length: number, pick: Pick): Buffer => Buffer.from(Array.from({ length }, () => pick(256)));

function flight(pick: Pick): Buffer {
  if (pick(5) === 0) return bytesAtRandom(pick(600), pick);
  let bytes = Buffer.from(FLIGHTS[pick(FLIGHTS.length)] as Buffer);
  for (let left = pick(4); left > 0; left--) {
    const at = pick(bytes.length + 1);
    switch (pick(5)) {
      case 0:
        if (at < bytes.length) bytes[at] = pick(256);
        break;
      case 1:
        bytes = bytes.subarray(0, at);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, at), bytesAtRandom(pick(40), pick), bytes.subarray(at)]);
        break;
      case 3:
        if (bytes.length >= 4) bytes.writeInt32BE(pick(2) ? pick(70_000) : -pick(70_000), pick(bytes.length - 3));
        break;
      default:
        bytes = Buffer.concat([bytes, FLIGHTS[pick(FLIGHTS.length)] as Buffer]);
    }
  }
  return bytes;
}

/** Opens one connection and sends a flight, in pieces. Some never close their half. */
async function attack(port: number, pick: Pick): Promise<Socket> {
  const socket = connect({
    port,
    host: '127.0.0.1',
    localAddress: `127.0.0.${2 + pick(10)}`,
    allowHalfOpen: pick(2) === 0,
  });
  socket.on('error', () => undefined);
  if (pick(4) > 0) socket.resume();
  const bytes = flight(pick);
  const cut = pick(bytes.length + 1);
  socket.write(bytes.subarray(0, cut));
  await sleep(pick(20));
  socket.write(bytes.subarray(cut));
  const ending = pick(9);
  if (ending < 3) socket.end();
  else if (ending < 5) socket.destroy();
  else if (ending < 7) socket.resetAndDestroy();
  return socket;
}

test(
  `first bytes of strangers: nothing hangs, nothing breaks, the record stays small (seed ${SEED})`,
  async () => {
    const { log, lines } = logLines();
    const stand = await openStand({
      target: { port: 1, user: 'nobody' },
      listener: '{ port: 0, tls: self-signed }, ssh: { port: 0 }, http: { port: 0, tls: self-signed }',
      agents: '{ port: 0 }',
      limits: '{ handshake: 2s, logins: 100, logins_per_address: 50 }',
      log,
    });
    const { gateway } = stand;
    const ports = [
      ...[...gateway.addresses.values()].map((address) => Number(address.split(':').at(-1))),
      Number(new URL(gateway.url).port),
    ];
    expect(ports).toHaveLength(5);
    const pick = random(SEED);
    const started = Date.now();
    const attacks: Promise<Socket>[] = [];
    while (Date.now() - started < SECONDS * 1_000) {
      attacks.push(attack(ports[pick(ports.length)] as number, pick));
      await sleep(1_000 / RATE);
    }
    const sockets = await Promise.all(attacks);
    // The target is not there: whoever is told so was let in.
    expect(await failure(stand.client())).toBe('08001');
    const answer = await fetch(`${gateway.url}/v1/whoami`, { headers: { authorization: `Bearer ${stand.token}` } });
    expect(answer.status).toBe(200);
    await vi.waitFor(() => expect([gateway.strangers.size, gateway.sessions.size]).toEqual([0, 0]), {
      timeout: PATIENCE_MS,
      interval: 100,
    });
    gateway.log.flush();
    const folder = join(stand.folder, 'data', 'journal');
    const recorded = readdirSync(folder).reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
    for (const socket of sockets) socket.destroy();
    await stand.stop();
    // A window of 10 s has 100 failed logins of up to 1.5 KB, and 100 agents.
    expect(recorded).toBeLessThan(100_000 + (2 + (Date.now() - started) / 10_000) * 250_000);
    expect(lines.filter((line) => /\\n\s+at /.test(line))).toEqual([]);
  },
  SECONDS * 1_000 + PATIENCE_MS + 30_000,
);
