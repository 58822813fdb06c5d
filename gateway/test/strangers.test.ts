/** What people who have proven nothing can cost: of the record, the log, sockets and time, on the PostgreSQL and control ports. */
import { once } from 'node:events';
import { readdirSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { Socket, connect } from 'node:net';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { readJournal } from '@sluice/recording';
import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Stand, type StandOptions, failure, logLines, openStand, targetOf } from './stand.js';
import { SSL_REQUEST, dial, startup, wrongLogin } from './strangers.js';

const journalOf = ({ folder }: Stand): string => join(folder, 'data', 'journal');
const journalBytes = (stand: Stand): number => {
  stand.gateway.log.flush();
  return readdirSync(journalOf(stand)).reduce((sum, file) => sum + statSync(join(journalOf(stand), file)).size, 0);
};

/** A socket of a client behind the address that strangers come from. */
class FromNextDoor extends Socket {
  override connect(...[port, host]: unknown[]): this {
    return super.connect({ port: port as number, host: host as string, localAddress: '127.0.0.2' });
  }
}

/** What TLS is spoken over, while the socket can still be written to beside it. */
class Joined extends Duplex {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
    socket.on('data', (chunk) => this.push(chunk)).on('close', () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.#socket.write(chunk, done);
  }
}

describe.skipIf(missingPostgres(18))('strangers', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
  });
  afterAll(async () => server.stop());

  const open = async (options: Partial<StandOptions> = {}): Promise<Stand> => {
    const stand = await openStand({ target: targetOf(server), ...options });
    onTestFinished(() => stand.stop());
    return stand;
  };
  const works = async (stand: Stand): Promise<void> => {
    const client = await stand.client();
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await client.end();
  };

  describe('who fill the record with names of 8,500 control characters', () => {
    test('write a hundred short records in a window, and one sum for each address', async () => {
      const { log, lines } = logLines();
      const stand = await openStand({ target: targetOf(server), log });
      const before = journalBytes(stand);
      for (let n = 0; n < 30; n++) {
        await Promise.all(
          Array.from({ length: 20 }, (_, at) =>
            wrongLogin(stand.port, `${n}-${at}`.padEnd(8_500, '\u0001'), `127.0.0.${2 + (at % 10)}`),
          ),
        );
      }
      await works(stand);
      // Whoever has proven who they are is on record, whatever strangers do meanwhile.
      const { token } = await stand.gateway.identity.createToken({ principal: 'robot', name: 'test' });
      expect(await failure(stand.client({ user: 'robot', password: token }))).toBe('42501');
      const folder = journalOf(stand);
      stand.gateway.log.flush();
      const grown = journalBytes(stand) - before;
      await stand.gateway.stop();
      const logins = [...readJournal(folder)].flatMap(({ header }) => (header.k === 'login' ? [header] : []));
      const refused = logins.filter((login) => login.refused === 'credentials');
      expect(logins.filter((login) => login.refused === 'access')).toMatchObject([{ user: 'robot' }]);
      const sums = [...readJournal(folder)].flatMap(({ header }) =>
        header.k === 'admin' && header.action === 'login.refused' ? [header.detail] : [],
      );
      await stand.stop();
      // A slow machine may see more than one window.
      const windows = Math.ceil(refused.length / 100);
      expect(refused.length).toBeLessThanOrEqual(200);
      expect(grown).toBeLessThan(windows * 150_000);
      expect(refused.every(({ user }) => Buffer.byteLength(user) <= 255)).toBe(true);
      const summed = sums.reduce((total, detail) => total + Number(/^[\d,]+/.exec(detail)?.[0].replaceAll(',', '')), 0);
      expect(refused.length + summed).toBe(600);
      expect(sums[0]).toMatch(/^\d+ more failed logins from 127\.0\.0\.\d+$/);
      expect(lines.join('').length).toBeLessThan(windows * 150_000);
      expect(lines.filter((line) => line.includes('more failed logins')).length).toBe(sums.length);
    });

    test('write no token that they typed as a name', async () => {
      const stand = await open();
      await wrongLogin(stand.port, stand.token);
      stand.gateway.log.flush();
      const users = [...readJournal(journalOf(stand))].flatMap(({ header }) =>
        header.k === 'login' ? [header.user] : [],
      );
      expect(users).toEqual([expect.stringMatching(/^sluice_[a-z2-7]{10}_\[hidden\]$/)]);
    });
  });

  describe('who hold sockets open', () => {
    test('make room for others: the oldest silent one of the most crowded address goes first', async () => {
      const stand = await open({ limits: '{ logins: 30, logins_per_address: 20, handshake: 60s }' });
      const member = await stand.client();
      const silent = Array.from({ length: 60 }, (_, at) => dial(stand.port, `127.0.0.${2 + (at % 2)}`));
      await vi.waitFor(() => expect(stand.gateway.strangers.evicted).toBe(30));
      expect(stand.gateway.strangers.size).toBe(30);
      expect(await (await fetch(`${stand.gateway.url}/metrics`, { headers: { connection: 'close' } })).text()).toMatch(
        /^sluice_strangers_evicted_total 3\d$/m,
      );
      const said = await (silent[0] as (typeof silent)[0]).closed;
      expect(said).toContain('Too many logins at once');
      // From their own address as well.
      await works(stand);
      const neighbour = await stand.client({ stream: () => new FromNextDoor() });
      await neighbour.end();
      expect((await member.query('select 2 as two')).rows).toEqual([{ two: 2 }]);
      await member.end();
      for (const { socket } of silent) socket.destroy();
      await vi.waitFor(() => expect(stand.gateway.strangers.size).toBe(0));
    });

    test('take no place of those who are logged in, whose number has a limit of its own', async () => {
      const stand = await open({ limits: '{ connections: 2, logins: 5 }' });
      const silent = Array.from({ length: 5 }, () => dial(stand.port));
      const [one, two] = [await stand.client(), await stand.client()];
      expect(await failure(stand.client())).toBe('53300');
      await one.end();
      await vi.waitFor(() => works(stand));
      await two.end();
      for (const { socket } of silent) socket.destroy();
    });

    test('and stop in the middle of a TLS handshake, deaf to its end, are cut off after the deadline', async () => {
      const stand = await open({ limits: '{ handshake: 2s }' });
      const socket = connect({ port: stand.port, host: '127.0.0.1', allowHalfOpen: true });
      socket.on('error', () => undefined);
      const answered = once(socket, 'data');
      socket.write(SSL_REQUEST);
      expect(String(await answered)).toBe('S');
      socket.resume();
      socket.write(Buffer.from([0x16, 3, 1, 1, 0, 1]));
      expect(stand.gateway.sessions.size).toBe(1);
      await vi.waitFor(() => expect(stand.gateway.sessions.size).toBe(0), { timeout: 20_000, interval: 100 });
      socket.destroy();
    });
  });

  describe('who come without TLS', () => {
    const LISTENER = '{ address: 127.0.0.1, port: 0, tls: self-signed, require_tls: true }';

    test('are told to use it where it is required; those who do are let in', async () => {
      const stand = await open({ listener: LISTENER });
      await expect(stand.client()).rejects.toMatchObject({
        code: '28000',
        message: 'the gateway takes connections over TLS only, and this one has none',
        hint: expect.stringContaining('sslmode=require') as string,
      });
      const client = await stand.client({ ssl: { rejectUnauthorized: false } });
      await client.end();
    });
  });

  test('forty clients that come at once by TLS, each waiting for its turn, are all let in', async () => {
    const stand = await open();
    const clients = await Promise.all(
      Array.from({ length: 40 }, () => stand.client({ ssl: { rejectUnauthorized: false } })),
    );
    for (const client of clients) expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    await Promise.all(clients.map((client) => client.end()));
  });

  describe('who speak TLS', () => {
    const secured = (stand: Stand, options: object): Promise<ReturnType<typeof connectTls>> =>
      new Promise((resolve, reject) => {
        const socket = connect(stand.port, '127.0.0.1', () => socket.write(SSL_REQUEST));
        socket.once('data', () => {
          const tls = connectTls({ socket, rejectUnauthorized: false, ...options }, () => resolve(tls));
          tls.once('error', reject);
        });
      });

    test.each([
      ['CBC with SHA-1', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0' }],
      ['CBC with SHA-256', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0' }],
      ['TLS 1.1', { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT:@SECLEVEL=0' }],
    ])('get no %s', async (_, options) => {
      const stand = await open();
      await expect(secured(stand, options)).rejects.toThrow();
    });

    test('get AES-GCM by TLS 1.2, and no second handshake on the same connection', async () => {
      const stand = await open();
      const tls = await secured(stand, { maxVersion: 'TLSv1.2' });
      expect(tls.getCipher().name).toMatch(/GCM|CHACHA20/);
      const again = new Promise((resolve) => {
        tls.once('error', resolve);
        tls.renegotiate({}, resolve);
      });
      expect(await again).toBeInstanceOf(Error);
      tls.destroy();
    });

    test('and fail, leave a line in words and no stack, summed beyond a rate', async () => {
      const { log, lines } = logLines();
      const stand = await openStand({ target: targetOf(server), log });
      await expect(secured(stand, { ALPNProtocols: ['h2'] })).rejects.toThrow();
      await vi.waitFor(() => expect(lines.join('')).toContain('the TLS handshake failed: no application protocol'));
      const garbage = (): Promise<string> => {
        const { socket, closed } = dial(stand.port, '127.0.0.3', SSL_REQUEST);
        socket.once('data', () => socket.write('no TLS at all, but some text that is long enough'));
        return closed;
      };
      for (let n = 0; n < 30; n++) await garbage();
      await stand.stop();
      const broken = lines.filter((line) => line.includes('connection broke'));
      expect(broken.length).toBeLessThanOrEqual(11);
      expect(lines.join('')).toContain('20 more broken connections from 127.0.0.3');
      expect(lines.join('')).not.toMatch(/\\n\s+at |a session failed/);
    });
  });

  test('who reset a connection, or break off TLS after the handshake, leave a line in words and no stack', async () => {
    const { log, lines } = logLines();
    const stand = await openStand({ target: targetOf(server), log });
    const first = startup({ user: 'dev', database: 'db' });
    for (const bytes of [SSL_REQUEST, first.subarray(0, 20), first]) {
      const { socket, closed } = dial(stand.port, '127.0.0.4', bytes);
      await sleep(100);
      socket.resetAndDestroy();
      await closed;
    }
    // Below TLS, a record that nobody encrypted.
    const raw = connect(stand.port, '127.0.0.1', () => raw.write(SSL_REQUEST));
    const secured = await new Promise<ReturnType<typeof connectTls>>((resolve) =>
      raw.once('data', () => {
        const tls = connectTls({ socket: new Joined(raw), rejectUnauthorized: false }, () => resolve(tls));
        tls.on('error', () => undefined);
      }),
    );
    raw.write(Buffer.from([23, 3, 3, 0, 32, ...Buffer.alloc(32, 1)]));
    await new Promise((resolve) => raw.once('close', resolve));
    secured.destroy();
    await vi.waitFor(() => expect(stand.gateway.sessions.size).toBe(0));
    await stand.stop();
    expect(lines.join('')).not.toMatch(/\\n\s+at |a session failed/);
    const broken = lines.filter((line) => line.includes('connection broke'));
    expect(broken.some((line) => /bad record mac|decryption failed/.test(line))).toBe(true);
    expect(broken.some((line) => line.includes('ECONNRESET'))).toBe(true);
  });

  describe('at the control API', () => {
    const raw = (stand: Stand, text: string): Promise<string> =>
      dial(Number(new URL(stand.gateway.url).port), '127.0.0.1', Buffer.from(text)).closed;
    const get = (
      stand: Stand,
      path: string,
      headers: Record<string, string> = {},
    ): Promise<{ status: number; headers: object; body: string }> =>
      new Promise((resolve, reject) => {
        const { port } = new URL(stand.gateway.url);
        const sent = request({ port, host: '127.0.0.1', path, headers }, (answer) => {
          let body = '';
          answer.on('data', (chunk: Buffer) => (body += chunk.toString()));
          answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body }));
        });
        sent.on('error', reject).end();
      });

    test('heads and bodies that do not come in time end the connection', async () => {
      const stand = await open();
      const started = performance.now();
      const body = raw(
        stand,
        `POST /v1/tokens HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${stand.token}\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{`,
      );
      const head = await raw(stand, 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
      expect(head).toContain('408');
      expect(JSON.parse(head.slice(head.indexOf('{')))).toEqual({ message: 'The request did not arrive in time.' });
      expect(performance.now() - started).toBeLessThan(15_000);
      expect(await body).toContain('408');
    }, 60_000);

    test('a body of somebody without a token is not waited for', async () => {
      const stand = await open();
      const started = performance.now();
      const answer = await raw(
        stand,
        'POST /v1/tokens HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{',
      );
      expect(answer).toContain('401');
      expect(performance.now() - started).toBeLessThan(5_000);
    });

    test('silent sockets make room for others, also for callers with a token', async () => {
      const stand = await open({ limits: '{ logins: 10, logins_per_address: 10 }' });
      const port = Number(new URL(stand.gateway.url).port);
      const silent = Array.from({ length: 50 }, () => dial(port, '127.0.0.1'));
      expect((await get(stand, '/v1/whoami', { authorization: `Bearer ${stand.token}` })).status).toBe(200);
      await vi.waitFor(() => expect(stand.gateway.strangers.evicted).toBeGreaterThanOrEqual(40));
      await works(stand);
      for (const { socket } of silent) socket.destroy();
    });

    test('somebody with a token who keeps sockets open keeps nobody else out, and is told why', async () => {
      const stand = await open({ principals: '  root: { roles: [admin] }' });
      const { port } = new URL(stand.gateway.url);
      const head = `GET /v1/whoami HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${stand.token}\r\n\r\n`;
      const hoard = Array.from({ length: 64 }, () => connect(Number(port), '127.0.0.1'));
      for (const socket of hoard) {
        socket.write(head);
        expect(String((await once(socket, 'data'))[0])).toContain('200 OK');
      }
      const last = await get(stand, '/v1/whoami', { authorization: `Bearer ${stand.token}` });
      const message = '"dev" has 64 connections open to the control API, which is the most there may be.';
      expect([last.status, JSON.parse(last.body)]).toEqual([503, { message }]);
      const { token } = await stand.gateway.identity.createToken({ principal: 'root', name: 'test' });
      expect((await get(stand, '/v1/whoami', { authorization: `Bearer ${token}` })).status).toBe(200);
      for (const socket of hoard) socket.destroy();
      await vi.waitFor(async () =>
        expect((await get(stand, '/v1/whoami', { authorization: `Bearer ${stand.token}` })).status).toBe(200),
      );
    });

    test('a name that is not ours is refused, so that no page of another site reaches the API', async () => {
      const stand = await open();
      for (const host of ['evil.example', 'evil.example:7432', 'localhost.evil.example'])
        expect((await get(stand, '/healthz', { host })).status).toBe(421);
      for (const host of ['localhost', 'localhost:7432', '127.0.0.1', '[::1]:7432'])
        expect((await get(stand, '/healthz', { host })).status).toBe(200);
    });

    test('every answer has the headers that browsers need, and one shape when it says no', async () => {
      const stand = await open();
      for (const [path, status] of [
        ['/healthz', 200],
        ['/login/AAAA-AAAA', 200],
        ['/nothing', 404],
        ['/%ff', 400],
        ['/v1/whoami', 401],
      ] as const) {
        const answer = await get(stand, path);
        expect([path, answer.status]).toEqual([path, status]);
        expect(answer.headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
        if (status < 400) continue;
        expect(Object.keys(JSON.parse(answer.body) as object).filter((key) => key !== 'hint')).toEqual(['message']);
      }
      expect(await raw(stand, 'no HTTP\r\n\r\n')).toContain(
        '{"message":"This is no request of HTTP that can be read."}',
      );
    });
  });
});
