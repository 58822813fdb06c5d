/** What a hostile client or host can do: end its own connection, and nothing else. */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { randomBytes } from 'node:crypto';
import { missingSshd } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type SshStand, openSshStand, until } from './ssh-stand.js';
import { logLines } from './stand.js';

const MIB = 1024 * 1024;

describe.skipIf(missingSshd() !== undefined)('hostile clients', () => {
  let stand: SshStand;

  beforeAll(async () => {
    stand = await openSshStand({ limits: '{ handshake: 2s }' });
  });
  afterAll(() => stand.stop());

  const dial = (): Socket => connect(stand.port, '127.0.0.1').on('error', () => undefined);
  /** Resolves when the gateway has closed it. */
  const closed = (socket: Socket): Promise<void> =>
    new Promise((resolve) => {
      socket.resume();
      socket.once('close', () => resolve());
    });
  const works = async (): Promise<void> => {
    expect((await stand.ssh(['echo works'])).stdout.toString()).toBe('works\n');
  };

  test.each([
    ['no SSH at all', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['bytes at random', randomBytes(4096)],
    ['a version line without an end', Buffer.alloc(300, 'SSH-2.0-')],
    ['a version of its own', Buffer.from('SSH-1.5-old\r\n')],
    ['a packet as large as it can say', Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), Buffer.alloc(64, 0xff)])],
    ['an empty packet', Buffer.concat([Buffer.from('SSH-2.0-x\r\n'), Buffer.alloc(64)])],
    [
      'a key exchange of nonsense',
      Buffer.concat([Buffer.from('SSH-2.0-x\r\n\0\0\x01\xfc\x0a\x14', 'latin1'), randomBytes(600)]),
    ],
  ])('%s ends the connection', async (_, bytes) => {
    const socket = dial();
    socket.write(bytes);
    await closed(socket);
    await works();
  });

  test('a version line that comes byte by byte is read, and waits no longer than a login may take', async () => {
    const socket = dial();
    let said = '';
    socket.on('data', (chunk: Buffer) => (said += chunk.toString('latin1')));
    for (const character of 'SSH-2.0-slow\r\n') {
      socket.write(character);
      await sleep(2);
    }
    // The gateway's own key exchange follows its version line.
    await until(() => said.length > 300, 'the key exchange');
    await closed(socket);
  });

  test('signatures with SHA-1, which are refused, are not on offer', async () => {
    const { stderr } = await stand.ssh(['-vvv', 'true']);
    const [, offered = ''] = /server-sig-algs=<([^>]*)>/.exec(stderr) ?? [];
    expect(offered.split(',')).toContain('rsa-sha2-256');
    expect(offered.split(',').filter((name) => /^ssh-(rsa|dss)$/.test(name))).toEqual([]);
  });

  test('why a connection broke is in the log, in words, and summed beyond a rate', async () => {
    const { log, lines } = logLines();
    const own = await openSshStand({ log });
    for (let n = 0; n < 15; n++) {
      const socket = connect({ port: own.port, host: '127.0.0.1', localAddress: '127.0.0.7' }).on(
        'error',
        () => undefined,
      );
      socket.write('SSH-1.5-old\r\n');
      await closed(socket);
    }
    await own.stop();
    const broken = lines.filter((line) => line.includes('connection broke'));
    expect(broken).toHaveLength(10);
    expect(JSON.parse(broken[0] ?? '{}')).toMatchObject({
      session: expect.stringMatching(/^\w+-\w+$/) as string,
      client: expect.stringMatching(/^127\.0\.0\.7:\d+$/) as string,
      reason: 'Invalid identification string',
    });
    expect(lines.join('')).toContain('5 more broken connections from 127.0.0.7');
  });

  test('a flood before the login keeps nobody out, and is cut', async () => {
    const sockets = Array.from({ length: 400 }, dial);
    const gone = sockets.map(closed);
    await sleep(300);
    await works();
    for (const socket of sockets.slice(0, 100)) socket.write('SSH-2.0-flood\r\n');
    await works();
    await Promise.all(gone);
    await works();
  });
});

/** A host that lets everybody in and then does as it likes: ssh2's own server, with its numbers rewritten. */
test.skipIf(missingSshd() !== undefined)(
  'keys are computed when it is the client’s turn, and not when many finish at one moment',
  async () => {
    // Time enough for a login, however busy the machine is.
    const stand = await openSshStand({ limits: '{ handshake: 50s }' });
    const { handshakes } = stand.gateway;
    const turns: (() => void)[] = [];
    const original = handshakes.turn.bind(handshakes);
    vi.spyOn(handshakes, 'turn').mockImplementation((address, client, kind) =>
      kind === 'keyExchange' ? new Promise((resolve) => turns.push(resolve)) : original(address, client, kind),
    );
    const done: unknown[] = [];
    const many = Array.from({ length: 5 }, async () => done.push((await stand.ssh(['true'])).status));
    await until(() => turns.length === 5, 'five that could finish');
    await sleep(200);
    expect(done).toEqual([]);
    turns[2]?.();
    await until(() => done.length === 1, 'the one whose turn it was');
    await sleep(200);
    expect(done).toEqual([0]);
    for (const turn of turns) turn();
    await Promise.all(many);
    expect(done).toEqual([0, 0, 0, 0, 0]);
    await stand.stop();
  },
);

describe.skipIf(missingSshd() !== undefined)('hostile hosts', () => {
  test('a host that greets without end, or never, is given up', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      const greet = (): void => {
        while (!socket.destroyed && socket.write('hello, this is a greeting\r\n'));
      };
      socket.on('drain', greet);
      greet();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const stand = await openSshStand({ target: { host: '127.0.0.1', port }, limits: '{ upstream_login: 1s }' });
    try {
      const before = process.memoryUsage().rss;
      const ran = await stand.ssh(['echo never']);
      expect(ran.status).toBe(255);
      expect(ran.stderr).toMatch(/sluice: The target (ended the connection|takes too long)/);
      expect(process.memoryUsage().rss - before).toBeLessThan(100 * MIB);
    } finally {
      await stand.stop();
      server.close();
    }
  });

  test('a host that nobody can reach is named as the reason', async () => {
    const stand = await openSshStand({ target: { host: '127.0.0.1', port: 1 } });
    try {
      const ran = await stand.ssh(['echo never']);
      expect(ran).toMatchObject({ status: 255 });
      expect(ran.stderr).toContain('sluice: The target cannot be reached: ');
    } finally {
      await stand.stop();
    }
  });
});
