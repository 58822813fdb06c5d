/** Logins of clients, packet by packet, and those of the gateway at real servers. */
import { connect } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import type { Admission, Challenge, Gate, Refusal } from '@sluice/contract';
import { type MySqlServer, missingMySql, startMySql } from '@sluice/testkit';
import { hash } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CAPABILITY } from '../src/capabilities.js';
import { isTlsRequest, readGreeting, readResponse } from '../src/handshake.js';
import { openLookup } from '../src/lookup.js';
import { LoginExchange, type LoginStep } from '../src/login.js';
import { PayloadReader } from '../src/packets.js';
import { NATIVE, SHA2, nativeProof, newNonce, sha2Proof } from '../src/scramble.js';
import { openUpstream } from '../src/upstream.js';

const admitted: Admission = {
  type: 'admission',
  principal: 'ana',
  connection: 'shop',
  target: { host: 'x', user: 'u', tls: 'disable', options: {} },
};
const refused: Refusal = { type: 'refusal', reason: { code: 'wrong-proof', user: 'ana', tokens: 8 } };

const verifierOf = (secret: string): { sha1: Buffer; sha256: Buffer } => ({
  sha1: hash('sha1', hash('sha1', secret, 'buffer'), 'buffer'),
  sha256: hash('sha256', hash('sha256', secret, 'buffer'), 'buffer'),
});

function challenge(secrets: readonly string[], more: Partial<Challenge> = {}): Challenge {
  return {
    scram: () => ({ salt: Buffer.alloc(0), iterations: 1, candidates: [], fail: async () => refused }),
    mysql: () => ({
      candidates: secrets.map((secret) => ({ ...verifierOf(secret), admit: async () => admitted })),
      fail: async () => refused,
    }),
    password: async (secret) => (secret === 'a.jwt' ? admitted : refused),
    bearer: async () => refused,
    offers: () => false,
    publicKey: async () => refused,
    interactive: async () => refused,
    ...more,
  };
}

describe('the login of a client', () => {
  const nonce = newNonce();
  const outcome = (step: LoginStep): Promise<unknown> =>
    step.type === 'end' ? step.outcome : Promise.reject(new Error('another packet is wanted'));
  const asksFor = (step: LoginStep): string =>
    step.type === 'send'
      ? step.payload[0] === 0xfe
        ? new PayloadReader(step.payload, 1).terminated().toString()
        : step.payload.toString('hex')
      : 'nothing';

  test('any of the tokens of a name fits, by sha2 and by native', async () => {
    for (const secret of ['one', 'two', 'three']) {
      const exchange = (): LoginExchange => new LoginExchange(challenge(['one', 'two', 'three']), 'open');
      expect(await outcome(exchange().begin({ plugin: SHA2, proof: sha2Proof(secret, nonce), nonce }))).toBe(admitted);
      expect(await outcome(exchange().begin({ plugin: NATIVE, proof: nativeProof(secret, nonce), nonce }))).toBe(
        admitted,
      );
    }
  });

  test('a client of another way is asked for sha2, with a nonce of its own', async () => {
    const exchange = new LoginExchange(challenge(['one']), 'open');
    const asked = exchange.begin({ plugin: 'client_ed25519', proof: Buffer.alloc(64), nonce });
    expect(asksFor(asked)).toBe(SHA2);
    const fresh = asked.type === 'send' ? asked.payload.subarray(-21, -1) : Buffer.alloc(0);
    expect(fresh).not.toEqual(nonce);
    expect(await outcome(exchange.next(sha2Proof('one', fresh)))).toBe(admitted);
  });

  test('the secret itself is asked for over TLS alone', async () => {
    const begin = { plugin: SHA2, proof: sha2Proof('a.jwt', nonce), nonce };
    const tls = new LoginExchange(challenge(['one']), 'tls');
    expect(asksFor(tls.begin(begin))).toBe('0104');
    expect(await outcome(tls.next(Buffer.from('a.jwt\0')))).toBe(admitted);
    for (const channel of ['loopback', 'open'] as const)
      expect(await outcome(new LoginExchange(challenge(['one']), channel).begin(begin))).toBe('needs-tls');
    // Never the key of RSA, which anybody in between could have replaced.
    const other = new LoginExchange(challenge(['one']), 'tls');
    other.begin(begin);
    expect(() => other.next(Buffer.from([0x02]))).toThrow(/NUL/);
  });

  test('the same is asked of a name that does not exist', () => {
    const begin = { plugin: SHA2, proof: sha2Proof('wrong', nonce), nonce };
    for (const channel of ['tls', 'open'] as const)
      expect(asksFor(new LoginExchange(challenge([]), channel).begin(begin))).toBe(
        asksFor(new LoginExchange(challenge(['one']), channel).begin(begin)),
      );
  });

  test('nothing is no proof', async () => {
    for (const plugin of [SHA2, ''])
      expect(
        await outcome(new LoginExchange(challenge(['one']), 'tls').begin({ plugin, proof: Buffer.alloc(0), nonce })),
      ).toBe(refused);
  });
});

describe('first packets', () => {
  test('a request for TLS is one only with its flag and its length', () => {
    const bytes = Buffer.alloc(32);
    expect(isTlsRequest(bytes)).toBe(false);
    bytes.writeUInt32LE(CAPABILITY.tls, 0);
    expect(isTlsRequest(bytes)).toBe(true);
    expect(isTlsRequest(Buffer.concat([bytes, bytes]))).toBe(false);
  });

  test.each([
    Buffer.alloc(0),
    Buffer.alloc(31),
    Buffer.alloc(32),
    Buffer.alloc(400, 0xff),
    Buffer.from('GET / HTTP/1.1\r\n\r\n'.repeat(3)),
  ])('what is no response is refused: %#', (bytes) => expect(() => readResponse(bytes)).toThrow());

  test.each([Buffer.alloc(0), Buffer.from([10]), Buffer.from('SSH-2.0-OpenSSH\r\n'), Buffer.alloc(1000, 10)])(
    'what is no greeting is refused: %#',
    (bytes) => expect(() => readGreeting(bytes)).toThrow(),
  );
});

describe.each(['mariadb', 'mysql'] as const)('the login of the gateway at %s', (flavour) => {
  const missing = missingMySql(flavour);
  if (missing !== undefined) {
    test.skip(missing);
    return;
  }
  let server: MySqlServer;
  beforeAll(async () => {
    const settings = flavour === 'mariadb' ? ['plugin-load-add=auth_ed25519'] : [];
    server = await startMySql({ flavour, tls: true, settings });
    const { host, port, user, password } = server;
    const admin = await createConnection({ host, port, user, password });
    if (flavour === 'mariadb') {
      await admin.query("CREATE USER signer@'%' IDENTIFIED VIA ed25519 USING PASSWORD('a secret')");
      await admin.query("CREATE USER native@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('a secret')");
    } else {
      await admin.query("CREATE USER fresh@'%' IDENTIFIED WITH caching_sha2_password BY 'a secret'");
      await admin.query("CREATE USER again@'%' IDENTIFIED WITH caching_sha2_password BY 'a secret'");
    }
    await admin.end();
  }, 90_000);
  afterAll(() => server.stop());

  const open = async (user: string, password: string, tls: 'disable' | 'require'): Promise<string> => {
    const gate: Pick<Gate, 'dial' | 'secure' | 'limits'> = {
      dial: async () => connect({ host: server.host, port: server.port }),
      secure: async (stream) => {
        const secured = tlsConnect({ socket: stream as never, rejectUnauthorized: false });
        await new Promise<void>((done, failed) => secured.once('secureConnect', done).once('error', failed));
        return { stream: secured };
      },
      limits: { message: 0, recordedAnswer: 0, terminal: 0, upstreamLogin: 5_000 },
    };
    const target = { host: server.host, user, password, tls, options: {} };
    const wishes = {
      capabilities: CAPABILITY.deprecateEof,
      charset: 45,
      database: undefined,
      attributes: undefined,
      extended: 0,
    };
    const opened = await openUpstream(gate, target, wishes);
    opened.stream.destroy();
    return opened.server.flavour;
  };
  test('the gateway looks things up on a connection of its own', async () => {
    const { host, user, password } = server;
    const gate = {
      dial: async () => connect({ host: server.host, port: server.port }),
      secure: () => Promise.reject(new Error('no TLS here')),
      limits: { message: 0, recordedAnswer: 0, terminal: 0, upstreamLogin: 5_000 },
    };
    const lookup = await openLookup(gate, { host, user, password, tls: 'disable', options: {} });
    expect(await lookup.query("SELECT 1, NULL, 'x' UNION SELECT 2, 'y', ''")).toEqual([
      ['1', null, 'x'],
      ['2', 'y', ''],
    ]);
    expect(await lookup.query('SET @a = 1')).toEqual([]);
    await expect(lookup.query('SELECT * FROM test.nowhere')).rejects.toMatchObject({
      name: 'QueryError',
      sqlstate: '42S02',
    });
    expect(await lookup.query('SELECT @a')).toEqual([['1']]);
    // Whoever asks meanwhile has an answer of their own.
    const asked = ['SELECT sleep(0.05), 1', 'SELECT * FROM test.nowhere', 'SELECT 2'].map((text) => lookup.query(text));
    expect((await Promise.allSettled(asked)).map((one) => ('value' in one ? one.value : one.status))).toEqual([
      [['0', '1']],
      'rejected',
      [['2']],
    ]);
    lookup.close();
  });

  const users = { mariadb: ['signer', 'native'], mysql: ['fresh', 'again'] }[flavour];

  test.each(users)('%s, with TLS and without, and not with another secret', async (user) => {
    // Without TLS a full login by sha2 goes by the server's own key; behind it the server knows the proof.
    const ways = user === 'again' ? (['require', 'disable'] as const) : (['disable', 'require'] as const);
    for (const tls of ways) expect(await open(user, 'a secret', tls)).toBe(flavour);
    for (const tls of ways) await expect(open(user, 'another', tls)).rejects.toThrow(/credential that is configured/);
  });

  test('a target that is full or has blocked the gateway is quoted', async () => {
    const full: Pick<Gate, 'dial' | 'secure' | 'limits'> = {
      dial: async () => {
        const { duplexPair } = await import('node:stream');
        const [near, far] = duplexPair();
        far.write(Buffer.from('\x17\0\0\0\xff\x10\x04Too many connections', 'latin1'));
        return near;
      },
      secure: () => Promise.reject(new Error('no TLS here')),
      limits: { message: 0, recordedAnswer: 0, terminal: 0, upstreamLogin: 1_000 },
    };
    const target = { host: 'x', user: 'u', password: 'p', tls: 'disable' as const, options: {} };
    const wishes = { capabilities: 0, charset: 45, database: undefined, attributes: undefined, extended: 0 };
    await expect(openUpstream(full, target, wishes)).rejects.toThrow(/Too many connections/);
  });
});
