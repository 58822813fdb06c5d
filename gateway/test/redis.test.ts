import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { timeline } from '@sluice/recording';
import {
  type Speech,
  type TestCertificates,
  conformance,
  findTool,
  freePort,
  makeCertificates,
  missingTool,
  temporaryFolder,
} from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import redis from '../../examples/protocol/index.js';
import { hour, startAgent } from './agents.js';
import { type PackagedStand, LineClient, openPackagedStand } from './packaged-stand.js';

const SOURCE = join(import.meta.dirname, '..', '..', 'examples', 'protocol');
const missing = missingTool('redis-server') ?? missingTool('redis-cli');
const PASSWORD = 'of-the-target';
const RULES = `
    - { rule: private, when: 'action.resources.exists(r, r.type == "object" && r.name.startsWith("private:"))', deny: Private keys stay here. }
    - { rule: no-flush, when: 'action.verb in ["flushdb", "flushall"]', deny: Nothing is flushed here. }
    - { rule: wiping, when: 'action.verb == "unlink"', hold: { approvers: ["group:engineers"], timeout: 10m } }
    - { rule: listening, when: 'action.verb == "subscribe"', allow: true }
    - { rule: mails, when: 'action.verb != "getrange"', mask: { detect: [email, credit_card] } }
`;

interface Server {
  readonly port: number;
  stop(): Promise<void>;
}

/** With certificates it speaks TLS, and nothing else. */
async function startRedis(password?: string, certificates?: TestCertificates): Promise<Server> {
  const { path, remove } = temporaryFolder('redis');
  const port = await freePort();
  const words = ['--port', String(port), '--bind', '127.0.0.1', '--dir', path, '--save', '', '--appendonly', 'no'];
  if (certificates) {
    const [key, cert] = [join(path, 'server.key'), join(path, 'server.crt')];
    writeFileSync(key, certificates.key);
    writeFileSync(cert, certificates.certificate);
    words.push('--port', '0', '--tls-port', String(port), '--tls-key-file', key, '--tls-cert-file', cert);
    words.push('--tls-ca-cert-file', certificates.caFile, '--tls-auth-clients', 'no');
  }
  const child = spawn(findTool('redis-server') ?? '', [...words, ...(password ? ['--requirepass', password] : [])], {
    stdio: 'ignore',
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await once(child, 'exit');
    remove();
  };
  for (let left = 200; left > 0; left--) {
    const socket = connect(port, '127.0.0.1');
    const [is] = await Promise.race([
      once(socket, 'connect').then(() => [true]),
      once(socket, 'error').then(() => [false]),
    ]).catch(() => [false]);
    socket.destroy();
    if (is) return { port, stop };
    await sleep(25);
  }
  await stop();
  throw new Error('redis-server does not start');
}

describe.skipIf(missing !== undefined)(
  `Redis through the example of a protocol${missing ? ` (${missing})` : ''}`,
  () => {
    let server: Server;
    let stand: PackagedStand;

    beforeAll(async () => {
      if (missing) return;
      server = await startRedis(PASSWORD);
      stand = await openPackagedStand({
        source: SOURCE,
        name: '@acme/sluice-redis',
        targetPort: server.port,
        rules: RULES,
        options: '{ database: 3 }',
        credential: `{ password: ${PASSWORD} }`,
        tls: 'self-signed',
        limits: '{ message: 2MiB }',
      });
    });
    afterAll(async () => {
      await stand?.stop();
      await server?.stop();
    });

    const cli = (words: readonly string[], input = '', port = stand.port): Promise<string> =>
      said(
        spawn(findTool('redis-cli') ?? '', ['-h', '127.0.0.1', '-p', String(port), ...words], {
          env: { ...process.env, REDISCLI_AUTH: port === stand.port ? stand.token : PASSWORD },
          stdio: 'pipe',
        }),
        input,
      );
    const through = (...words: string[]): Promise<string> => cli(['--user', 'cache', ...words]);
    const directly = (...words: string[]): Promise<string> => cli(['-n', '3', ...words], '', server.port);

    test('redis-cli works as it does directly, in the database of the connection', async () => {
      expect(await through('SET', 'greeting', 'hello you')).toBe('OK\n');
      expect(await directly('GET', 'greeting')).toBe('hello you\n');
      for (const words of [
        ['GET', 'greeting'],
        ['STRLEN', 'greeting'],
        ['GET', 'nothing'],
        ['PING'],
        ['LPOS', 'greeting', 'x'],
      ])
        expect(await through(...words)).toBe(await directly(...words));
      expect(await cli(['--user', 'cache', '--no-raw'], 'RPUSH list a "b c" d\nLRANGE list 0 -1\n')).toContain(
        '2) "b c"',
      );
    });

    test('over TLS as well', async () => {
      expect(await through('--tls', '--insecure', 'PING')).toBe('PONG\n');
    });

    test.skipIf(missingTool('openssl') !== undefined)('over TLS to the target, which is verified', async () => {
      const certificates = makeCertificates(['127.0.0.1']);
      const secured = await startRedis(undefined, certificates);
      onTestFinished(async () => {
        await secured.stop();
        certificates.remove();
      });
      for (const [ca, expected] of [
        [`, ca: ${certificates.caFile}`, '+OK'],
        ['', 'self-signed certificate'],
      ]) {
        const target = { targetPort: secured.port, targetTls: `verify-full${ca}`, rules: ' []' };
        const other = await openPackagedStand({ source: SOURCE, name: '@acme/sluice-redis', ...target });
        const one = new LineClient(other.port);
        expect(await one.say(`AUTH cache ${other.token}`)).toContain(expected);
        one.socket.destroy();
        await other.stop();
      }
    });

    test('through an agent that has the password', async () => {
      const other = await openPackagedStand({
        source: SOURCE,
        name: '@acme/sluice-redis',
        targetPort: server.port,
        rules: ' []',
        credential: '{ secret: "agent:cache" }',
        via: 'dc1',
      });
      onTestFinished(() => other.stop());
      const password = join(other.folder, 'password');
      writeFileSync(password, PASSWORD, { mode: 0o600 });
      const allow = `127.0.0.1:${server.port}`;
      const { agent, done } = startAgent(other, {
        allow,
        token: await other.gateway.agents.token('dc1', hour()),
        ca: readFileSync(join(other.folder, 'data', 'gateway.crt'), 'utf8'),
        secrets: `cache ${allow} file:${password}`,
      });
      done.catch(() => undefined);
      onTestFinished(() => agent.stop(0));
      while (other.gateway.agents.links().length === 0) await sleep(20);
      const one = new LineClient(other.port);
      expect(await one.say(`AUTH cache ${other.token}`)).toBe('+OK');
      expect(await one.say('PING')).toBe('+PONG');
      one.socket.destroy();
    });

    test('a wrong token, no connection, no login: in the words of Redis', async () => {
      const one = new LineClient(stand.port);
      expect(await one.say('GET x')).toBe('-NOAUTH Authentication required.');
      expect(await one.say('AUTH cache wrong')).toMatch(/^-WRONGPASS /);
      expect(await one.say('AUTH onlyone')).toMatch(/^-WRONGPASS write AUTH CONNECTION TOKEN/);
      expect(await one.say(`AUTH elsewhere ${stand.token}`)).toContain('connection "elsewhere" does not exist');
      expect(await one.say('HELLO 3')).toMatch(/^-NOPROTO/);
      expect(await one.say(`AUTH cache ${stand.token}`)).toBe('+OK');
      one.socket.destroy();
    });

    test('what a rule refuses does not reach the target, however it is written', async () => {
      await directly('SET', 'private:1', 'secret');
      for (const words of [
        ['GET', 'private:1'],
        ['get', 'private:1'],
        ['MGET', 'a', 'private:1'],
        ['COPY', 'private:1', 'b'],
        ['MSET', 'a', '1', 'private:1', '2'],
      ])
        expect(await through(...words)).toBe('NOPERM Private keys stay here.\n\n');
      expect(await through('FLUSHALL')).toContain('Nothing is flushed here.');
      for (const words of [['EVAL', 'return 1', '0'], ['CONFIG', 'GET', '*'], ['FUNCTION', 'LIST'], ['NEWCOMMAND']])
        expect(await through(...words)).toContain('has effects that its protocol does not name');
      expect(await directly('GET', 'private:1')).toBe('secret\n');
    });

    test('what would break the order of answers is not carried, even where a rule allows it', async () => {
      expect(await through('SUBSCRIBE', 'news')).toContain('SUBSCRIBE is not carried by this gateway');
      expect(await through('MONITOR')).toContain('NOPERM');
    });

    test('answers are masked: texts, numbers, arrays, and those that come with EXEC', async () => {
      await directly('MSET', 'mail', 'write to ada@example.com today', 'card', '4111111111111111');
      await directly('DEL', 'all');
      await directly('HSET', 'all', 'mail', 'bob@example.com', 'name', 'bob');
      expect(await through('GET', 'mail')).toBe('write to [masked:EMAIL] today\n');
      expect(await through('HGETALL', 'all')).toBe('mail\n[masked:EMAIL]\nname\nbob\n');
      expect(await through('INCRBY', 'card', '0')).not.toContain('4111111111111111');
      expect(await through('ECHO', 'ada@example.com')).toBe('[masked:EMAIL]\n');
      const all = await cli(['--user', 'cache'], 'MULTI\nGET mail\nHGETALL all\nGET greeting\nEXEC\n');
      expect(all).toContain('write to [masked:EMAIL] today');
      expect(all).not.toContain('@example.com');
      expect(await through('SET', 'mail', '[masked:EMAIL]')).toContain('would write a masked value over a real one');
    });

    test('people are asked, and the client waits', async () => {
      await directly('SET', 'wiped', '1');
      const waiting = through('UNLINK', 'wiped');
      for (;;) {
        const found = (await stand.gateway.approvals.recent(10)).find(({ state }) => state === 'pending');
        if (found) {
          expect(found.text).toBe('UNLINK wiped');
          expect(await directly('EXISTS', 'wiped')).toBe('1\n');
          const ada = { name: 'ada', kind: 'person', groups: ['engineers'], roles: ['approver'] } as const;
          await stand.gateway.approvals.decide(found.number, ada, 'approve', 'because');
          break;
        }
        await sleep(10);
      }
      expect(await waiting).toBe('1\n');
      expect(await directly('EXISTS', 'wiped')).toBe('0\n');
    });

    test('a client that hangs up while it waits withdraws its request', async () => {
      const one = new LineClient(stand.port);
      expect(await one.say(`AUTH cache ${stand.token}`)).toBe('+OK');
      one.socket.write('UNLINK left\r\n');
      const found = async (state: string): Promise<boolean> =>
        (await stand.gateway.approvals.recent(10)).some((one) => one.text === 'UNLINK left' && one.state === state);
      while (!(await found('pending'))) await sleep(5);
      one.socket.end();
      while (!(await found('withdrawn'))) await sleep(5);
    });

    test('large values pass; one that is masked and longer than what is read whole is refused in words', async () => {
      const large = 'x'.repeat(3_000_000);
      await cli(['-n', '3', '-x', 'SET', 'large'], large, server.port);
      expect((await through('GETRANGE', 'large', '0', '-1')).length).toBe(large.length + 1);
      const one = new LineClient(stand.port);
      await one.say(`AUTH cache ${stand.token}`);
      expect(await one.say('GET large')).toBe(
        '-ERR this answer is masked here, and longer than the 2097152 bytes that can be',
      );
      expect(await one.line()).toBe('(closed)');
      expect((await through('SET', 'large', 'y'.repeat(10))).length).toBe(3);
    });

    test('a client that takes no answers is ended with its session', async () => {
      await cli(['-n', '3', '-x', 'SET', 'flood'], 'x'.repeat(3_000_000), server.port);
      const one = new LineClient(stand.port);
      await one.say(`AUTH cache ${stand.token}`);
      one.socket.pause();
      const [session] = [...stand.gateway.sessions.values()].slice(-1);
      one.socket.write('GETRANGE flood 0 -1\r\n'.repeat(20));
      // Until nothing more can be written to it.
      for (let before = -1, now = 0; before !== now; now = session?.commands ?? 0) {
        before = now;
        await sleep(500);
      }
      const since = Date.now();
      session?.end({ code: 'ended-by-administrator' });
      while (stand.gateway.sessions.has(session?.id ?? '')) await sleep(20);
      // By itself, and not because the gateway cuts off who lingers (5 s).
      expect(Date.now() - since).toBeLessThan(4_500);
      one.socket.destroy();
    });

    test('what the target says unasked is the answer to nothing', async () => {
      const target = createServer((socket) => {
        socket.on('error', () => undefined);
        // Two answers to one command.
        socket.on('data', () => socket.write('+first\r\n+second\r\n'));
      });
      await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
      const { port: targetPort } = target.address() as AddressInfo;
      const other = await openPackagedStand({ source: SOURCE, name: '@acme/sluice-redis', targetPort, rules: ' []' });
      onTestFinished(async () => {
        await other.stop();
        target.close();
      });
      const one = new LineClient(other.port);
      expect(await one.say(`AUTH cache ${other.token}`)).toBe('+OK');
      expect(await one.say('GET a')).toBe('+first');
      expect(await one.say('GET b')).toBe('-ERR the target has said something that nobody asked for');
      expect(await one.line()).toBe('(closed)');
    });

    test('a hundred commands that come at once are answered in order', async () => {
      const one = new LineClient(stand.port);
      await one.say(`AUTH cache ${stand.token}`);
      one.socket.write(
        Array.from({ length: 100 }, (_, n) => `*2\r\n$4\r\nECHO\r\n$${String(n).length}\r\n${n}\r\n`).join(''),
      );
      const answers = [];
      for (let n = 0; n < 100; n++) {
        await one.line();
        answers.push(Number(await one.line()));
      }
      expect(answers).toEqual(Array.from({ length: 100 }, (_, n) => n));
      one.socket.destroy();
    });

    test.each([
      ['a length that is none', '*x\r\n', /^-ERR Protocol error: invalid length/],
      ['too many arguments', '*9999999\r\n', /^-ERR Protocol error: invalid length/],
      ['a bulk beyond the limit', '*1\r\n$99999999999\r\n', /^-ERR Protocol error: invalid length/],
      ['no bulk', '*1\r\n:1\r\n', /^-ERR Protocol error: expected '\$'/],
      ['an open quote', 'GET "x\r\n', /^-ERR Protocol error: unbalanced quotes/],
      ['a line without end', 'x'.repeat(70_000), /^-ERR Protocol error: too big inline request/],
    ])('%s ends the connection, in words', async (_, bytes, words) => {
      for (const isLoggedIn of [false, true]) {
        const one = new LineClient(stand.port);
        if (isLoggedIn) await one.say(`AUTH cache ${stand.token}`);
        one.socket.write(bytes);
        expect(await one.line()).toMatch(words);
        expect(await one.line()).toBe('(closed)');
      }
    });

    test('commands and answers are on record', async () => {
      await through('GET', 'mail');
      stand.gateway.log.flush();
      const entries = [...timeline(join(stand.folder, 'data', 'journal'), await lastSession())];
      expect(entries.find(({ type }) => type === 'command')).toMatchObject({ text: 'GET mail', decision: 'allow' });
      const output = entries.flatMap((entry) => (entry.type === 'output' ? [entry.data.toString()] : [])).join('');
      expect(output).toContain('write to [masked:EMAIL] today');
      expect(output).not.toContain('ada@example.com');
      expect(entries.find(({ type }) => type === 'response')).toMatchObject({ outcome: 'ok' });
    });
    const lastSession = async (): Promise<string> => (await stand.gateway.readings.list('', { limit: 1 }))[0]?.id ?? '';
  },
);

describe.skipIf(missing !== undefined)(
  `the example does what every protocol has to${missing ? ` (${missing})` : ''}`,
  () => {
    let server: Server;
    beforeAll(async () => {
      if (!missing) server = await startRedis();
    });
    afterAll(() => server?.stop());

    const dial = async (): Promise<Socket> => {
      const socket = connect(server.port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    };
    const open = async (stream: Duplex, secret: string): Promise<Speech> => {
      const lines = new Answers(stream);
      const run = async (line: string): Promise<string> => {
        stream.write(`${line}\r\n`);
        const first = await lines.next();
        if (first.startsWith('-')) throw new Error(first);
        return first.startsWith('$') ? lines.next() : first;
      };
      await run(`AUTH target ${secret}`).catch((error: unknown) => {
        // As clients do; Redis itself would let them try again.
        stream.destroy();
        throw error;
      });
      return {
        run,
        close: async () => {
          stream.end();
          await once(stream, 'close').catch(() => undefined);
        },
      };
    };
    const specimen = {
      protocol: redis,
      speaker: { open },
      target: { host: '127.0.0.1', user: '', tls: 'disable' as const },
      dial,
      command: (marker: string) => `ECHO ${marker}`,
    };
    for (const { name, run } of conformance(specimen)) test(name, run);
  },
);

/** Lines of a stream, one after the other. Rejects when there are no more. */
class Answers {
  #text = '';
  #over = false;
  #wake: () => void = () => undefined;

  constructor(stream: Duplex) {
    stream.on('data', (bytes: Buffer) => {
      this.#text += bytes.toString('latin1');
      this.#wake();
    });
    for (const event of ['end', 'close', 'error'])
      stream.on(event, () => {
        this.#over = true;
        this.#wake();
      });
  }

  async next(): Promise<string> {
    for (;;) {
      const at = this.#text.indexOf('\r\n');
      if (at >= 0) {
        const line = this.#text.slice(0, at);
        this.#text = this.#text.slice(at + 2);
        return line;
      }
      if (this.#over) throw new Error('the stream ended');
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

async function said(child: ChildProcess, input: string): Promise<string> {
  let text = '';
  child.stdout?.on('data', (bytes: Buffer) => (text += bytes.toString()));
  child.stderr?.on('data', (bytes: Buffer) => {
    if (!bytes.toString().startsWith('Warning:')) text += bytes.toString();
  });
  // Who reads nothing may be done before it is asked to.
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  await once(child, 'close');
  return text;
}
