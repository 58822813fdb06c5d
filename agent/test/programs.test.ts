/** Programs beside an agent: what a list may say, and programs and clients that do what they should not. */
/* oxlint-disable typescript/no-explicit-any -- answers of whatever shape */
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { type AddressInfo, type Server, createServer } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder } from '@sluice/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ProgramLimits, ProgramServer, Programs } from '../src/index.js';

const NODE = process.execPath;

describe('the list', () => {
  const find = (text: string, environment = {}) => new Programs(text, environment).find('one');

  test('has exact command lines, and all of their environment', () => {
    const text = `
# servers
one HOME=/srv env:TOKEN "WORDS=two words" /bin/sh -c "echo \\"$HOME\\" # no comment" x=y # a comment
two /bin/cat
`;
    expect(find(text, { TOKEN: 't', PATH: '/bin' })).toEqual({
      name: 'one',
      file: '/bin/sh',
      args: ['-c', 'echo "$HOME" # no comment', 'x=y'],
      env: { HOME: '/srv', TOKEN: 't', WORDS: 'two words' },
    });
    expect(new Programs(text, { TOKEN: 't' }).lines).toEqual([
      'the program one (/bin/sh)',
      'the program two (/bin/cat)',
    ]);
    expect(find('two /bin/cat')).toBeUndefined();
  });

  test('a variable may have any name, and is nothing of ours', () => {
    expect(find('one __proto__=x constructor=y /bin/cat')?.env).toEqual(
      Object.assign(Object.create(null), { ['__proto__']: 'x', constructor: 'y' }),
    );
  });

  test.each([
    ['one', 'has no command line'],
    ['one A=b', 'has no command line'],
    ['one cat', 'no absolute path'],
    ['one ./cat', 'no absolute path'],
    ['one /bin/../bin/cat', 'no absolute path'],
    ['one /bin/', 'no absolute path|is no file|cannot be run'],
    ['one /bin', 'is no file'],
    ['one /etc/passwd', 'cannot be run'],
    ['one /no/such', 'is not there'],
    ['one env:NONE /bin/cat', 'has no variable NONE'],
    ['one /bin/echo "a', 'double quotes'],
    ['one /bin/echo a"b"', 'double quotes'],
    ['one /bin/echo "a"b', 'double quotes'],
    ['one /bin/echo "\\x"', 'no string of JSON'],
    ['one /bin/echo "a\\u0000b"', 'NUL'],
    ['../one /bin/cat', 'no name of a program'],
    ['one /bin/cat\none /bin/cat', 'already'],
  ])('%j refuses the start', (line, why) => {
    expect(() => new Programs(`two /bin/cat\n${line}`, {})).toThrow(/^line [23] of the programs: /);
    expect(() => new Programs(line, {})).toThrow(new RegExp(why));
  });
});

/** Answers `tools/call` as its arguments say. */
const SERVER = `
const say = (one) => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...one }) + '\\n');
const did = {
  initialize: (id) => say({ id, result: { protocolVersion: '2025-11-25', capabilities: {}, serverInfo: { name: 'x', version: '1' }, instructions: String(process.pid) } }),
  about: (id) => say({ id, result: { env: process.env, args: process.argv.slice(2), cwd: process.cwd(), pid: process.pid } }),
  late: (id) => setTimeout(() => say({ id, result: {} }), 300),
  noise: (id) => { process.stdout.write('hello\\n{"a":1,"a":2}\\n\\n'); say({ id, result: { after: 'noise' } }); },
  hang: (id) => hanging.push(id),
  go: () => hanging.splice(0).forEach((id) => say({ id, result: {} })),
  die: () => process.exit(3),
  ask: () => say({ id: 'mine', method: 'roots/list' }),
  progress: (id, { progressToken }) => { say({ method: 'notifications/progress', params: { progressToken, progress: 1 } }); say({ id, result: {} }); },
  complain: (id) => { process.stderr.write('a \\u001b[31mred\\u001b[0m line\\n'.repeat(50)); setTimeout(() => say({ id, result: {} }), 50); },
};
let rest = '';
const hanging = [];
process.stdin.setEncoding('utf8').on('data', (text) => {
  const lines = (rest + text).split('\\n');
  rest = lines.pop();
  for (const line of lines) {
    const { id, method, params, result, error } = JSON.parse(line);
    if (method && did[method]) did[method](id, params?._meta ?? {});
    if (id === 'mine') say({ method: 'notifications/message', params: { level: 'info', data: { result, error } } });
  }
});
`;

const ANSWERED = [{ jsonrpc: '2.0', id: 1, result: {} }];

interface Stand {
  readonly server: ProgramServer;
  readonly log: string[];
  /** A client of `owner`. */
  client(owner?: string): Client;
}

interface Answer {
  readonly status: number;
  readonly session: string | undefined;
  readonly messages: readonly Record<string, any>[];
}

class Client {
  readonly url: string;
  session: string | undefined;

  constructor(url: string) {
    this.url = url;
  }

  fetch(method: string, body?: string, signal?: AbortSignal): Promise<Response> {
    const named = this.session === undefined ? {} : { 'Mcp-Session-Id': this.session };
    const json = { 'Content-Type': 'application/json' };
    return fetch(this.url, {
      method,
      headers: { ...named, ...json },
      ...(body !== undefined && { body }),
      ...(signal && { signal }),
    });
  }

  async post(message: object): Promise<Answer> {
    const answer = await this.fetch('POST', JSON.stringify(message));
    return read(answer);
  }

  ask(method: string, id: number | string = method, params: object = {}): Promise<Answer> {
    return this.post({ jsonrpc: '2.0', id, method, params });
  }

  /** A call that has no answer before `go`. It has reached its program before another one can. */
  async hang(id: number): Promise<() => Promise<Answer>> {
    const answer = await this.fetch('POST', JSON.stringify({ jsonrpc: '2.0', id, method: 'hang' }));
    return () => read(answer);
  }

  /** Everything that hangs is answered. */
  go(): Promise<Answer> {
    return this.post({ jsonrpc: '2.0', method: 'go' });
  }

  async initialize(): Promise<this> {
    const { session } = await this.ask('initialize');
    this.session = session;
    return this;
  }
}

async function read(answer: Response): Promise<Answer> {
  const text = await answer.text();
  const events = [...text.matchAll(/^data: (.*)$/gm)].map(([, data = '']) => data);
  const messages = (events.length > 0 ? events : text === '' ? [] : [text]).map((one) => JSON.parse(one));
  return { status: answer.status, session: answer.headers.get('mcp-session-id') ?? undefined, messages };
}

async function open(line: string, limits: Partial<ProgramLimits> = {}): Promise<Stand> {
  const program = new Programs(`one ${line}`, {}).find('one');
  if (!program) throw new Error('no program');
  const log: string[] = [];
  const server = new ProgramServer((message) => log.push(message), limits);
  const ports: Server[] = [];
  const urls = new Map<string, string>();
  for (const owner of ['ann', 'bob']) {
    const port = createServer({ allowHalfOpen: true }, (socket) => server.accept(socket, program, owner));
    await new Promise<void>((resolve) => port.listen(0, '127.0.0.1', resolve));
    urls.set(owner, `http://127.0.0.1:${(port.address() as AddressInfo).port}/mcp`);
    ports.push(port);
  }
  onTestFinished(async () => {
    for (const port of ports) port.close();
    await server.stop();
    expect(server.running).toBe(0);
  });
  return { server, log, client: (owner = 'ann') => new Client(urls.get(owner) ?? '') };
}

const script = (text = SERVER): string => {
  const { path, remove } = temporaryFolder('program');
  onTestFinished(remove);
  const file = join(path, 'server.js');
  writeFileSync(file, text);
  return file;
};
/** Whoever has ended may be there until somebody has asked how. */
const isAlive = (pid: number): boolean => {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};
let asked = 1000;
const pidOf = async (client: Client): Promise<number> =>
  (await client.ask('about', asked++)).messages[0]?.['result'].pid;

describe('a program', () => {
  test('has nothing but what its line says, and one of its own for each session', async () => {
    const file = script();
    const { client } = await open(`A=b ${NODE} ${file} "two words" "$HOME;id"`);
    const one = await client().initialize();
    const two = await client().initialize();
    const { messages } = await one.ask('about');
    expect(messages).toEqual([
      {
        jsonrpc: '2.0',
        id: 'about',
        result: { env: { A: 'b' }, args: ['two words', '$HOME;id'], cwd: '/', pid: expect.any(Number) },
      },
    ]);
    expect(await pidOf(two)).not.toBe(await pidOf(one));
    // The other one's id, and a session of another principal.
    const stranger = client('bob');
    stranger.session = one.session;
    expect((await stranger.ask('about')).status).toBe(404);
    expect((await stranger.fetch('GET')).status).toBe(404);
    expect((await stranger.fetch('DELETE')).status).toBe(404);
    expect((await one.ask('about', 7)).status).toBe(200);
  });

  test('several messages, one id, progress, what it asks, and what is no message', async () => {
    const file = script();
    const { client, log } = await open(`${NODE} ${file}`);
    const one = await client().initialize();
    const hanging = await one.hang(1);
    expect((await one.ask('about', 1)).status).toBe(400);
    await one.go();
    expect((await hanging()).messages).toEqual(ANSWERED);
    expect(
      (
        await one.post([
          { jsonrpc: '2.0', id: 1, method: 'late' },
          { jsonrpc: '2.0', id: '1', method: 'noise' },
        ])
      ).messages,
    ).toEqual([
      { jsonrpc: '2.0', id: '1', result: { after: 'noise' } },
      { jsonrpc: '2.0', id: 1, result: {} },
    ]);
    expect(log.filter((line) => line.includes('it is left out'))).toHaveLength(1);
    const { messages } = await one.ask('progress', 2, { _meta: { progressToken: 'p' } });
    expect(messages.map(({ method, id }) => method ?? id)).toEqual(['notifications/progress', 2]);
    expect((await one.post({ jsonrpc: '2.0', method: 'ask' })).status).toBe(202);
    expect((await one.fetch('POST', '{')).status).toBe(400);
    expect((await one.ask('initialize')).status).toBe(400);
    expect((await client().fetch('GET')).status).toBe(405);
    expect((await client().fetch('PUT', '{}')).status).toBe(405);
    // What it asked while nobody listened waits for who does.
    const leaving = new AbortController();
    const stream = (await one.fetch('GET', undefined, leaving.signal)).body?.getReader();
    const { value } = (await stream?.read()) ?? {};
    expect(Buffer.from(value ?? []).toString()).toBe(
      'event: message\ndata: {"jsonrpc":"2.0","id":"mine","method":"roots/list"}\n\n',
    );
    leaving.abort();
  });

  test('what it asks within one of several calls is asked of nobody', async () => {
    const { client } = await open(`${NODE} ${script()}`);
    const one = await client().initialize();
    const calls = [await one.hang(1), await one.hang(2)];
    await one.post({ jsonrpc: '2.0', method: 'ask' });
    await one.go();
    for (const call of calls) expect((await call()).messages).toHaveLength(1);
    const leaving = new AbortController();
    const stream = (await one.fetch('GET', undefined, leaving.signal)).body?.getReader();
    await one.post({ jsonrpc: '2.0', method: 'ask' });
    expect(Buffer.from((await stream?.read())?.value ?? []).toString()).toContain('roots/list');
    leaving.abort();
  });

  test('that dies says so to all who wait, and its session is over', async () => {
    const { client, log, server } = await open(`${NODE} ${script()}`);
    const one = await client().initialize();
    const waiting = await one.hang(1);
    const [dead] = (await one.ask('die', 2)).messages;
    expect(dead).toMatchObject({
      id: 2,
      error: { code: -32603, message: expect.stringContaining('has ended with code 3') },
    });
    expect((await waiting()).messages[0]?.['error'].message).toContain('code 3');
    expect((await one.ask('about')).status).toBe(404);
    expect(server.running).toBe(0);
    expect(log).toContain('program one has ended with code 3');
  });

  test('that is none, and one that ends at once', async () => {
    const { path, remove } = temporaryFolder('none');
    onTestFinished(remove);
    const file = join(path, 'none');
    writeFileSync(file, 'neither a script nor a program', { mode: 0o755 });
    const { client } = await open(file);
    expect((await client().ask('initialize')).messages[0]?.['error'].message).toMatch(/cannot be started|has ended/);
    const { client: other } = await open('/bin/true');
    expect((await other().ask('initialize')).messages[0]?.['error'].message).toContain('has ended with code 0');
  });

  test('whose line has no end is ended', async () => {
    const { client, server } = await open(
      `${NODE} -e "process.stdin.once('data', () => require('fs').createReadStream('/dev/zero').pipe(process.stdout))"`,
    );
    const { messages } = await client().ask('initialize');
    expect(messages[0]?.['error'].message).toMatch(/has written a line of more than \d+ bytes/);
    await expect.poll(() => server.running).toBe(0);
  });

  test('whose lines have no end waits for whoever reads them', async () => {
    const count = join(script(), '..', 'count');
    const flood = `process.stdin.once('data', () => {
      let n = 0;
      const line = JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x'.repeat(60000) } }) + '\\n';
      const more = () => { for (let i = 0; i < 20; i++) { n++; require('fs').writeFileSync(${JSON.stringify(count)}, String(n)); if (!process.stdout.write(line)) return process.stdout.once('drain', more); } setImmediate(more); };
      more();
    })`;
    const { client, server } = await open(`${NODE} ${script(flood)}`);
    const leaving = new AbortController();
    const answer = await client().fetch('POST', '{"jsonrpc":"2.0","id":1,"method":"initialize"}', leaving.signal);
    const written = (): string => (existsSync(count) ? readFileSync(count, 'utf8') : '0');
    // Nobody reads: sooner or later it writes no more.
    let before = '';
    await expect
      .poll(
        () => {
          const now = written();
          const same = now !== '0' && now === before;
          before = now;
          return same;
        },
        { interval: 300 },
      )
      .toBe(true);
    expect(Number(written())).toBeLessThan(500);
    leaving.abort();
    await answer.text().catch(() => undefined);
    expect(server.running).toBe(1);
  });

  test('that writes what nobody can take for ever is ended', async () => {
    const { client, server, log } = await open(`/bin/sh -c "read x; while :; do echo hello; done"`);
    const { messages } = await client().ask('initialize');
    expect(messages[0]?.['error'].message).toContain('has written 10000 lines that are for nobody');
    await expect.poll(() => server.running).toBe(0);
    expect(log.filter((line) => line.includes('it is left out'))).toHaveLength(1);
  });

  test('that will not go is killed, with what it has started', async () => {
    const pids = join(script(), '..', 'pids');
    const { client, server } = await open(
      `/bin/sh -c "trap '' TERM; /bin/sleep 1000 & echo $! > ${pids}; echo $$ >> ${pids}; while :; do /bin/sleep 1000; done"`,
    );
    const leaving = new AbortController();
    const answer = client().fetch('POST', '{"jsonrpc":"2.0","id":1,"method":"initialize"}', leaving.signal);
    const session = (await answer).headers.get('mcp-session-id') ?? undefined;
    await expect.poll(() => existsSync(pids) && readFileSync(pids, 'utf8').trim().split('\n').length).toBe(2);
    const one = client();
    one.session = session;
    expect((await one.fetch('DELETE')).status).toBe(200);
    expect((await one.ask('about')).status).toBe(404);
    await expect.poll(() => server.running).toBe(0);
    // They are killed in one go, and what each of them leaves the kernel clears away by itself.
    for (const pid of readFileSync(pids, 'utf8').trim().split('\n'))
      await expect.poll(() => isAlive(Number(pid))).toBe(false);
    leaving.abort();
  });

  test('whose output somebody else holds open is over all the same', async () => {
    const { client, server } = await open(
      `${NODE} -e "require('child_process').spawn('/bin/sleep', ['4'], { detached: true, stdio: 'inherit' }).unref()"`,
    );
    expect((await client().ask('initialize')).messages[0]?.['error'].message).toContain('has ended with code 0');
    expect(server.running).toBe(0);
  });

  test('complains in the log, and not for ever', async () => {
    const { client, log } = await open(`${NODE} ${script()}`);
    await (await client().initialize()).ask('complain');
    // Its complaints come by another pipe than its answer.
    const lines = (): string[] => log.filter((line) => line.startsWith('one: '));
    await expect.poll(lines).toHaveLength(21);
    expect(lines()[0]).toBe('one: a \\x1b[31mred\\x1b[0m line');
  });
});

describe('whoever leaves', () => {
  test('takes the program along', async () => {
    const { client, server } = await open(`${NODE} ${script()}`, { leftMs: 50 });
    const one = await client().initialize();
    const pid = await pidOf(one);
    const leaving = new AbortController();
    await one.fetch('GET', undefined, leaving.signal);
    expect(isAlive(pid)).toBe(true);
    leaving.abort();
    await expect.poll(() => isAlive(pid)).toBe(false);
    expect((await one.ask('about')).status).toBe(404);
    await expect.poll(() => server.running).toBe(0);
  });

  test('and had no session takes along what was for that connection alone', async () => {
    const { client, server } = await open(`${NODE} ${script()}`);
    const named = await client().initialize();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const about = async (id: number): Promise<number> => {
      const options = { agent, method: 'POST', headers: { 'Content-Type': 'application/json' } };
      const sent = request(client().url, options).end(JSON.stringify({ jsonrpc: '2.0', id, method: 'about' }));
      const [answer] = (await once(sent, 'response')) as [AsyncIterable<Buffer>];
      let text = '';
      for await (const chunk of answer) text += chunk.toString();
      return JSON.parse(text.split('data: ')[1] ?? '').result.pid;
    };
    const pid = await about(1);
    expect([await about(2), server.running]).toEqual([pid, 2]);
    agent.destroy();
    await expect.poll(() => isAlive(pid)).toBe(false);
    expect((await named.ask('about')).status).toBe(200);
  });

  test('and says nothing is noticed in time', async () => {
    const { client } = await open(`${NODE} ${script()}`, { idleMs: 500 });
    const [started] = (await client().ask('initialize')).messages;
    const pid = Number(started?.['result'].instructions);
    await expect.poll(() => isAlive(pid)).toBe(false);
  });
});

test('nobody has more than their share, and nobody’s work is ended for another one', async () => {
  const { client, server } = await open(`${NODE} ${script()}`, { most: 3, mostOfOne: 2 });
  const bob = await client('bob').initialize();
  const one = await client().initialize();
  const working = await one.hang(1);
  const two = await client().initialize();
  // The idle one of their own makes room.
  const three = await client().initialize();
  expect(three.session).toBeDefined();
  expect((await two.ask('about')).status).toBe(404);
  expect((await bob.ask('about')).status).toBe(200);
  await expect.poll(() => server.running).toBe(3);
  // All of theirs are at work.
  const busy = await three.hang(1);
  const refused = await client().ask('initialize');
  expect(refused.status).toBe(503);
  expect(refused.messages[0]?.['error'].message).toContain('you have 2 of them');
  await one.go();
  await three.go();
  expect([(await working()).messages, (await busy()).messages]).toEqual([ANSWERED, ANSWERED]);
});
