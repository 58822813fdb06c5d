/** What is judged message by message: WebSockets by what is said on them, gRPC by the descriptors of its messages. */
import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Client,
  Metadata,
  type MethodDefinition,
  Server as GrpcServer,
  ServerCredentials,
  credentials,
  status,
} from '@grpc/grpc-js';
import { temporaryFolder } from '@sluice/testkit';
import protobuf from 'protobufjs';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { caller } from './control.js';
import { type HttpStand, type HttpStandOptions, openHttpStand } from './http-stand.js';

const FIXTURES = join(import.meta.dirname, '../../fixtures/grpc');

/** For what happens by itself. */
const PATIENCE = { timeout: 20_000 };

const stops: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function open(options: HttpStandOptions): Promise<HttpStand> {
  const stand = await openHttpStand(options);
  stops.push(stand.stop);
  return stand;
}

describe('a WebSocket', () => {
  /** A gateway in front of a server that says in capitals what it hears. */
  async function openEcho(rules: string, options: HttpStandOptions = {}): Promise<HttpStand & { heard: string[] }> {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    const heard: string[] = [];
    sockets.on('connection', (socket) =>
      socket.on('message', (data: Buffer) => {
        heard.push(String(data));
        socket.send(String(data).toUpperCase());
      }),
    );
    stops.push(() => {
      for (const socket of sockets.clients) socket.terminate();
      sockets.close();
    });
    return { ...(await open({ server, rules, ...options })), heard };
  }

  async function dial(stand: HttpStand, path = '/chat'): Promise<WebSocket> {
    const socket = new WebSocket(`${stand.url.replace('http', 'ws')}${path}`, {
      headers: { authorization: `Bearer ${stand.token}` },
    });
    stops.push(() => socket.terminate());
    await once(socket, 'open');
    return socket;
  }

  const say = async (socket: WebSocket, text: string | Buffer): Promise<string> => {
    socket.send(text);
    return String(((await once(socket, 'message')) as [Buffer])[0]);
  };
  const closing = async (socket: WebSocket): Promise<[number, string]> => {
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    return [code, String(reason)];
  };

  test('is judged by what is said on it: values, kinds, sizes, and what detectors find', async () => {
    const stand = await openEcho(`
    - { rule: no-deletes, when: 'body("/op") == "delete"', deny: Nothing is deleted. }
    - { rule: text-only, when: 'request.message == "binary"', deny: Send text. }
    - { rule: short, when: 'request.message != "" && request.size > 100', deny: Be brief. }
    - { rule: no-cards, when: '"credit_card" in request.found', deny: No cards. }
    - { rule: requests, when: 'true', allow: true }`);
    const socket = await dial(stand);
    expect(await say(socket, '{"op":"read"}')).toBe('{"OP":"READ"}');
    socket.send('{"\\u006fp":"del\\u0065te"}');
    expect(await closing(socket)).toEqual([1008, 'Nothing is deleted.']);
    for (const [message, reason] of [
      [Buffer.from('{"op":"read"}'), 'Send text.'],
      [`{"a":"${'x'.repeat(100)}"}`, 'Be brief.'],
      ['{"card":"4111 1111 1111 1111"}', 'No cards.'],
      // A rule reads it, and nobody can.
      ['{"op":"read","op":"delete"}', /has an object with the same name twice/],
      ['delete', /is no JSON/],
    ] as const) {
      const other = await dial(stand);
      other.send(message);
      const [code, why] = await closing(other);
      expect(code).toBe(1008);
      expect(why).toMatch(reason);
    }
    expect(stand.heard).toEqual(['{"op":"read"}']);
  });

  test('what both say is masked, message by message, however it is cut', async () => {
    const stand = await openEcho(`
    - { rule: sent, mask: { detect: [credit_card], request: true } }
    - { rule: shown, mask: { detect: [email], json: ["/SSN", "/ssn"] } }`);
    const socket = await dial(stand);
    const card = '{"card":"4111 1111 1111 1111", "n": 1.50}';
    expect(await say(socket, card)).toBe('{"CARD":"[MASKED:CREDIT_CARD]", "N": 1.50}');
    expect(stand.heard).toEqual(['{"card":"[masked:CREDIT_CARD]", "n": 1.50}']);
    expect(await say(socket, '{"to":"bob@example.com","ssn":"7"}')).toBe('{"TO":"[masked:EMAIL]","SSN":"[masked]"}');
    expect(await say(socket, '{"to":"nobody"}')).toBe('{"TO":"NOBODY"}');
    // Longer than a frame says in its first two bytes, and cut where nothing shows.
    const long = `{"text":"${'x'.repeat(70_000)} bob@exam`;
    socket.send(long, { fin: false });
    socket.ping();
    socket.send('ple.com"}', { fin: true });
    const [data] = (await once(socket, 'message')) as [Buffer];
    expect(String(data)).toBe(`{"TEXT":"${'X'.repeat(70_000)} [masked:EMAIL]"}`);
    // Places in what has none.
    socket.send('no json');
    expect(await closing(socket)).toEqual([1011, expect.stringContaining('no places that could be masked')]);
  });

  test('a masked message that comes in frames is given whole, and frames of control pass between them', async () => {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    stops.push(() => {
      for (const one of sockets.clients) one.terminate();
      sockets.close();
    });
    sockets.on('connection', (one) => {
      one.send('my mail is bob@ex', { fin: false });
      one.ping('still here');
      one.ping(Buffer.from('bob@example.com\xff', 'latin1'));
      one.ping(Buffer.from([0xff, 0x01]));
      one.send('ample.com', { fin: true });
      one.send('');
      one.send(Buffer.from([0, 1, 2]));
    });
    const stand = await open({
      server,
      rules: `
    - { rule: shown, mask: { detect: [email] } }`,
    });
    const socket = new WebSocket(`${stand.url.replace('http', 'ws')}/chat`, {
      headers: { authorization: `Bearer ${stand.token}` },
    });
    const heard: string[] = [];
    socket
      .on('ping', (data: Buffer) => heard.push(`ping ${data.toString('latin1')}`))
      .on('message', (data) => heard.push(String(data)));
    expect(await closing(socket)).toEqual([1011, expect.stringContaining('masks cannot read')]);
    expect(heard).toEqual(['ping still here', 'ping ', 'ping \xff\x01', 'my mail is [masked:EMAIL]', '']);
  });

  test('binary messages pass where masks leave them alone by choice', async () => {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    stops.push(() => {
      for (const one of sockets.clients) one.terminate();
      sockets.close();
    });
    sockets.on('connection', (one) =>
      one.on('message', (data: Buffer) =>
        String(data) === 'bye' ? one.close(4000, 'not bob@example.com') : one.send(data),
      ),
    );
    const stand = await open({
      server,
      connection: 'unread: { application/octet-stream: pass }',
      credential: '{ bearer: "secret-of-the-target" }',
      rules: `
    - { rule: shown, mask: { detect: [email] } }`,
    });
    const socket = await dial(stand);
    expect(await say(socket, Buffer.from([0, 1, 2]))).toBe('\x00\x01\x02');
    // The credential of the target goes first.
    expect(await say(socket, 'bob@example.com has secret-of-the-target')).toBe(
      '[masked:EMAIL] has ********************',
    );
    // A text under that name is read as one.
    expect(await say(socket, Buffer.from('bob@example.com'))).toBe('[masked:EMAIL]');
    // Why it is closed is a text as well.
    socket.send('bye');
    expect(await closing(socket)).toEqual([4000, 'not [masked:EMAIL]']);
  });

  test.each([
    [`'body("/op") == "tell"'`, 'detect: [email], request: true', 'read [masked:EMAIL]'],
    [`'request.message == "text"'`, 'detect: [email]', 'read bob@example.com'],
  ])('what is masked because of a message is masked from then on: %s, %s', async (when, mask, sent) => {
    const stand = await openEcho(`
    - { rule: mails, when: ${when}, mask: { ${mask} } }
    - { rule: requests, when: 'true', allow: true }`);
    const socket = await dial(stand);
    expect(await say(socket, '{"op":"tell","to":"read bob@example.com"}')).toBe(
      `{"OP":"TELL","TO":"${sent.includes('masked') ? 'READ [MASKED:EMAIL]' : 'READ [masked:EMAIL]'}"}`,
    );
    expect(stand.heard).toEqual([`{"op":"tell","to":"${sent}"}`]);
    expect(await say(socket, '{"op":"other","to":"bob@example.com"}')).toBe('{"OP":"OTHER","TO":"[masked:EMAIL]"}');
  });

  test('a masked message has at most the bytes of limits.message', async () => {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    stops.push(() => {
      for (const one of sockets.clients) one.terminate();
      sockets.close();
    });
    sockets.on('connection', (one) => one.send('x'.repeat(70_000)));
    const stand = await open({
      server,
      limits: '{ message: 64KiB }',
      rules: `
    - { rule: shown, mask: { detect: [email] } }`,
    });
    const socket = new WebSocket(`${stand.url.replace('http', 'ws')}/chat`, {
      headers: { authorization: `Bearer ${stand.token}` },
    });
    expect(await closing(socket)).toEqual([1011, 'a message that is masked has at most 65,536 bytes here']);
  });

  test('is judged message by message where a rule looks at the clock, whatever time it was opened at', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-30T17:59:00Z') });
    stops.push(() => void vi.useRealTimers());
    const stand = await openEcho(`
    - { rule: office-hours, when: 'request.message != "" && now.hour >= 18', deny: Come back tomorrow. }
    - { rule: requests, when: 'true', allow: true }`);
    const socket = await dial(stand);
    expect(await say(socket, 'early')).toBe('EARLY');
    vi.setSystemTime('2026-11-30T18:00:00Z');
    socket.send('late');
    expect(await closing(socket)).toEqual([1008, 'Come back tomorrow.']);
    expect(stand.heard).toEqual(['early']);
  });

  test('a message of fragments without end takes no more memory than limits.message, and ends', async () => {
    const stand = await openEcho(
      `
    - { rule: no-deletes, when: 'body("/op") == "delete"', deny: Nothing is deleted. }
    - { rule: requests, when: 'true', allow: true }`,
      { limits: '{ message: 1MiB }' },
    );
    const whole = await dial(stand);
    for (const piece of '{"op":"read"}') whole.send(piece, { fin: false });
    whole.send('', { fin: true });
    expect(String(((await once(whole, 'message')) as [Buffer])[0])).toBe('{"OP":"READ"}');
    const socket = await dial(stand);
    const closed = closing(socket);
    // Empty ones: a header of six bytes each.
    for (let sent = 0; sent < 200_000; sent++) socket.send('', { fin: false });
    expect(await closed).toEqual([1009, expect.stringContaining('at most 1,048,576 bytes')]);
    expect(stand.heard).toEqual(['{"op":"read"}']);
  });

  test('whose messages no rule reads is not judged by them, and each is on record where one does', async () => {
    const stand = await openEcho(`
    - { rule: no-deletes, when: 'path("/chat") && body("/op") == "delete"', deny: Nothing is deleted. }
    - { rule: requests, when: 'true', allow: true }`);
    const plain = await dial(stand, '/other');
    expect(await say(plain, 'whatever')).toBe('WHATEVER');
    const judged = await dial(stand);
    await say(judged, '{"op":"read","password":"hunter2"}');
    await sleep(400);
    judged.send('{"op":"delete"}');
    await closing(judged);
    plain.terminate();
    const api = caller(stand as never, stand.token);
    const [visit] = await api.get<{ id: string }[]>('/v1/sessions');
    await vi.waitFor(async () => {
      const entries = await api.get<Record<string, unknown>[]>(`/v1/sessions/${visit?.id}/timeline`);
      const commands = entries.filter(({ type }) => type === 'command');
      expect(commands).toMatchObject([
        { text: 'GET /other', decision: 'allow' },
        { text: 'GET /chat', decision: 'allow' },
        { text: 'message /chat', decision: 'allow', request: { message: { kind: 'text', origin: 2 } } },
        {
          text: 'message /chat',
          decision: 'deny',
          rule: 'no-deletes',
          request: { message: { kind: 'text', origin: 2 } },
        },
      ]);
      // So far apart they are replayed.
      const [, , first, second] = commands.map(({ at }) => Number(at));
      expect((second as number) - (first as number)).toBeGreaterThan(350);
      const ends = entries.filter(({ type }) => type === 'response');
      expect(ends.map(({ command }) => command)).toEqual(expect.arrayContaining([1, 2, 3]));
    }, PATIENCE);
    interface Har {
      log: { entries: { request: { url: string }; _webSocketMessages: Record<string, unknown>[] }[] };
    }
    const har = await api.get<Har>(`/v1/sessions/${visit?.id}/export?format=har`);
    expect(JSON.stringify(har)).not.toContain('hunter2');
    const chat = har.log.entries.find(({ request }) => request.url.endsWith('/chat'));
    expect(chat?.['_webSocketMessages']).toMatchObject([
      { type: 'send', opcode: 1, data: expect.stringContaining('"op":"read"') },
      { type: 'receive' },
      { type: 'send', opcode: 1, data: '{"op":"delete"}', _refused: 'no-deletes' },
    ]);
    expect(har.log.entries).toHaveLength(2);
  });

  test('a message waits for people, and what follows it waits too', async () => {
    const stand = await openEcho(`
    - { rule: two-eyes, when: 'body("/op") == "delete"', hold: { approvers: ["user:ada"], timeout: 1m } }
    - { rule: requests, when: 'true', allow: true }`);
    const socket = await dial(stand);
    for (const op of ['read', 'delete', 'list']) socket.send(JSON.stringify({ op, id: 7 }));
    const people = caller(stand as never, stand.ada);
    const list = (): Promise<{ number: number; text: string }[]> => people.get('/v1/approvals');
    await vi.waitFor(async () => expect(await list()).toHaveLength(1), PATIENCE);
    const [asked] = await list();
    expect(asked?.text).toMatch(/^text message to 127\.0\.0\.1\/chat\n[^]*\{"op":"delete","id":7\}$/);
    expect(stand.heard).toEqual(['{"op":"read","id":7}']);
    await people.post(`/v1/approvals/${asked?.number}/approve`, { reason: 'fine' });
    await vi.waitFor(() => expect(stand.heard).toHaveLength(3), PATIENCE);
    expect(stand.heard[1]).toBe('{"op":"delete","id":7}');
  });

  test('that nobody released in time says so; the same message passes once when it has been', async () => {
    const stand = await openEcho(
      `
    - { rule: opening, when: 'request.upgrade == "websocket"', hold: { approvers: ["user:ada"], timeout: 1m } }
    - { rule: two-eyes, when: 'body("/op") == "delete"', hold: { approvers: ["user:ada"], timeout: 1m } }
    - { rule: requests, when: 'true', allow: true }`,
      { connection: 'hold_wait: off' },
    );
    const people = caller(stand as never, stand.ada);
    const refused = new WebSocket(`${stand.url.replace('http', 'ws')}/chat`, {
      headers: { authorization: `Bearer ${stand.token}` },
    });
    refused.on('error', () => undefined);
    const [, answer] = (await once(refused, 'unexpected-response')) as [unknown, { statusCode: number }];
    expect(answer.statusCode).toBe(403);
    refused.terminate();
    await people.post('/v1/approvals/1/approve', { reason: 'fine' });
    // The key of a handshake differs each time, and says nothing.
    const first = await dial(stand);
    first.send('{"op":"delete"}');
    const [code, why] = await closing(first);
    expect([code, why]).toEqual([1008, expect.stringContaining('2')]);
    await people.post('/v1/approvals/2/approve', { reason: 'fine' });
    expect(stand.heard).toEqual([]);
    await expect(dial(stand)).rejects.toThrow();
  });
});

test('approvers see what differs from the last one of that shape that was approved', async () => {
  const stand = await open({
    rules: `
    - { rule: two-eyes, when: 'true', hold: { approvers: ["user:ada"], timeout: 1m } }`,
    connection: 'hold_wait: off',
  });
  const people = caller(stand as never, stand.ada);
  interface Asked {
    since?: { request: number; lines: string[] };
  }
  const ask = async (path: string, body: string, headers: Record<string, string> = {}): Promise<[number, Asked]> => {
    const answer = await fetch(`${stand.url}${path}`, {
      method: 'POST',
      body,
      headers: { authorization: `Bearer ${stand.token}`, 'content-type': 'application/json', ...headers },
    });
    const { request } = (await answer.json()) as { request: number };
    return [request, await people.get<Asked>(`/v1/approvals/${request}`)];
  };
  const approve = (number: number): Promise<unknown> =>
    people.post(`/v1/approvals/${number}/approve`, { reason: 'ok' });
  const [first, shown] = await ask('/users/7/pay', '{"amount":10,"to":{"iban":"A"},"tags":["x"],"password":"one"}');
  expect(shown.since).toBeUndefined();
  // Another shape, and one that was not approved.
  expect((await ask('/orders', '{}'))[1].since).toBeUndefined();
  expect((await ask('/users/8/pay', '{"amount":11}'))[1].since).toBeUndefined();
  await approve(first);
  const [, changed] = await ask('/users/8/pay', '{"amount":99,"to":{"iban":"B"},"tags":["x","y"],"password":"two"}', {
    'x-mode': 'force',
  });
  const { request, lines } = changed.since ?? { request: 0, lines: [] };
  // Whoever asked is told nothing of what somebody else may have asked before.
  const own = await caller(stand as never, stand.token).get<Asked[]>('/v1/approvals');
  expect([own.length, own.filter(({ since }) => since !== undefined)]).toEqual([4, []]);
  expect(request).toBe(first);
  expect(lines).toEqual([
    '- POST 127.0.0.1/users/7/pay',
    '+ POST 127.0.0.1/users/8/pay',
    '- /amount: 10',
    '+ /amount: 99',
    '- /to/iban: "A"',
    '+ /to/iban: "B"',
    expect.stringMatching(/^- \/password: "\[secret/),
    expect.stringMatching(/^\+ \/password: "\[secret/),
    '+ x-mode: force',
    '+ /tags/1: "y"',
  ]);
  // The identical one passes once, and then has to be released again.
  const body = '{"amount":10,"to":{"iban":"A"},"tags":["x"],"password":"one"}';
  const passed = await fetch(`${stand.url}/users/7/pay`, {
    method: 'POST',
    body,
    headers: { authorization: `Bearer ${stand.token}`, 'content-type': 'application/json' },
  });
  expect(passed.status).toBe(200);
  const [, same] = await ask('/users/7/pay', body, { 'x-request-id': '9' });
  expect(same.since).toEqual({ request: first, lines: [] });
  const [latest] = await people.get<Asked[]>('/v1/approvals');
  expect(latest?.since?.request).toBe(first);
});

describe('gRPC with descriptors', () => {
  const root = new protobuf.Root();
  root.addJSON(protobuf.common.get('google/protobuf/any.proto')?.nested ?? {});
  protobuf.parse(readFileSync(join(FIXTURES, 'shop.proto'), 'utf8'), root, { keepCase: true });
  root.resolveAll();

  interface User {
    readonly id?: number;
    readonly large?: number;
    readonly email?: string;
    readonly role?: string;
    readonly tags?: readonly string[];
  }
  const codec = (name: string): { serialize: (value: User) => Buffer; deserialize: (bytes: Buffer) => User } => {
    const type = root.lookupType(name);
    return {
      serialize: (value) => Buffer.from(type.encode(type.fromObject(value)).finish()),
      deserialize: (bytes) => type.toObject(type.decode(bytes), { longs: Number, enums: String }),
    };
  };
  const methodOf = (
    name: string,
    [input, output]: readonly [string, string],
    [requestStream, responseStream]: readonly [boolean, boolean],
  ): MethodDefinition<User, User> => ({
    path: `/shop.Users/${name}`,
    requestStream,
    responseStream,
    requestSerialize: codec(input).serialize,
    requestDeserialize: codec(input).deserialize,
    responseSerialize: codec(output).serialize,
    responseDeserialize: codec(output).deserialize,
  });
  const METHODS = {
    get: methodOf('Get', ['shop.Id', 'shop.User'], [false, false]),
    put: methodOf('Put', ['shop.User', 'shop.Id'], [false, false]),
    watch: methodOf('Watch', ['shop.Id', 'shop.User'], [false, true]),
    import: methodOf('Import', ['shop.User', 'shop.Id'], [true, false]),
    chat: methodOf('Chat', ['shop.User', 'shop.User'], [true, true]),
  };
  const ADA: User = { large: 7, email: 'ada@example.com', role: 'ADMIN', tags: ['bob@example.com', 'x'] };

  type Unary = (error: null, value: User) => void;
  async function target(): Promise<{ port: number; calls: string[]; go: () => void }> {
    const server = new GrpcServer();
    const calls: string[] = [];
    const { promise: mayGoOn, resolve: go } = Promise.withResolvers<void>();
    server.addService(METHODS, {
      get: (_: unknown, done: Unary) => {
        calls.push('get');
        done(null, ADA);
      },
      put: (call: { request: User }, done: Unary) => {
        calls.push(`put ${JSON.stringify(call.request)}`);
        done(null, { id: 1 });
      },
      watch: (call: { write(value: User): void; end(): void }) => {
        calls.push('watch');
        call.write(ADA);
        void mayGoOn.then(() => {
          call.write({ large: 8, email: 'eve@example.com' });
          call.end();
        });
      },
      import: (call: AsyncIterable<User>, done: Unary) =>
        void (async () => {
          let count = 0;
          for await (const _ of call) count++;
          calls.push(`import ${count}`);
          done(null, { id: count });
        })(),
      chat: (call: {
        on(event: string, act: (value: User) => void): void;
        emit(event: string, error: object): void;
        write(value: User): void;
        end(): void;
      }) => {
        calls.push('chat');
        call.on('data', (value) => {
          calls.push(`said ${value.large}${value.tags ? ` ${value.tags.join()}` : ''}`);
          if (value.large === 99) call.emit('error', { code: status.FAILED_PRECONDITION, details: 'enough' });
          else call.write({ ...value, email: 'ada@example.com' });
        });
        call.on('end', () => call.end());
      },
    });
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      ),
    );
    onTestFinished(() => server.forceShutdown());
    return { port, calls, go };
  }

  async function openCalls(rules: string, options: { descriptors?: boolean } = {}) {
    const { port, calls, go } = await target();
    const temporary = temporaryFolder('grpc');
    onTestFinished(() => temporary.remove());
    copyFileSync(join(FIXTURES, 'shop.pb'), join(temporary.path, 'shop.pb'));
    const stand = await open({
      folder: temporary.path,
      target: `{ url: "http://127.0.0.1:${port}", http2: true }`,
      ...(options.descriptors === false ? {} : { connection: 'descriptors: shop.pb' }),
      rules,
    });
    const client = new Client(`127.0.0.1:${stand.port}`, credentials.createInsecure());
    onTestFinished(() => client.close());
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${stand.token}`);
    const call = (name: 'get' | 'put', value: User): Promise<User> => {
      const { path, requestSerialize, responseDeserialize } = METHODS[name];
      return new Promise((resolve, reject) =>
        client.makeUnaryRequest(`/svc${path}`, requestSerialize, responseDeserialize, value, metadata, (error, got) =>
          error ? reject(error) : resolve(got as User),
        ),
      );
    };
    return { stand, calls, client, metadata, call, go };
  }

  const JUDGED = `
    - { rule: no-promotion, when: 'bodies("/role").exists(one, one == "ADMIN")', deny: Nobody becomes an administrator. }
    - { rule: requests, when: 'true', allow: true }`;

  test('rules see the values of messages, also of a client that streams', async () => {
    const { calls, call, client, metadata } = await openCalls(JUDGED);
    expect(await call('put', { large: 1, role: 'USER' })).toEqual({ id: 1 });
    await expect(call('put', { large: 1, role: 'ADMIN' })).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
      details: 'Nobody becomes an administrator.',
    });
    const send = (users: readonly User[]): Promise<User> =>
      new Promise((resolve, reject) => {
        const { path, requestSerialize, responseDeserialize } = METHODS.import;
        const stream = client.makeClientStreamRequest(
          `/svc${path}`,
          requestSerialize,
          responseDeserialize,
          metadata,
          (error, got) => (error ? reject(error) : resolve(got as User)),
        );
        for (const user of users) stream.write(user);
        stream.end();
      });
    expect(await send([{ role: 'USER' }, { role: 'LOST' }])).toEqual({ id: 2 });
    await expect(send([{ role: 'USER' }, { role: 'ADMIN' }])).rejects.toMatchObject({ code: status.PERMISSION_DENIED });
    expect(calls).toEqual([expect.stringContaining('put'), 'import 2']);
  });

  describe('a call that streams in both directions', () => {
    const chatOf = ({ client, metadata }: Awaited<ReturnType<typeof openCalls>>) => {
      const { path, requestSerialize, responseDeserialize } = METHODS.chat;
      const stream = client.makeBidiStreamRequest(`/svc${path}`, requestSerialize, responseDeserialize, metadata);
      stream.on('error', () => undefined);
      stops.push(() => stream.cancel());
      const say = async (value: User): Promise<User> => {
        stream.write(value);
        return ((await once(stream, 'data')) as [User])[0];
      };
      const refused = async (): Promise<{ code: number; details: string }> => {
        const [error] = (await once(stream, 'error')) as [{ code: number; details: string }];
        return { code: error.code, details: error.details };
      };
      return { stream, say, refused };
    };
    const MINE = { email: 'ada@example.com' };

    test('is judged message by message, each answered before the next comes, and ends with a status in words', async () => {
      const opened = await openCalls(JUDGED);
      const { say, stream, refused } = chatOf(opened);
      expect(await say({ large: 1, role: 'USER' })).toEqual({ large: 1, role: 'USER', ...MINE });
      expect(await say({ large: 2 })).toEqual({ large: 2, ...MINE });
      stream.write({ large: 3, role: 'ADMIN' });
      expect(await refused()).toEqual({ code: status.PERMISSION_DENIED, details: 'Nobody becomes an administrator.' });
      await opened.stand.gateway.stop();
      expect(opened.calls).toEqual(['chat', 'said 1', 'said 2']);
    });

    test('ends with the status of a target that has heard enough, while its client still speaks', async () => {
      for (const rules of [JUDGED, "\n    - { rule: requests, when: 'true', allow: true }"]) {
        const { say, stream, refused } = chatOf(await openCalls(rules));
        await say({ large: 1 });
        stream.write({ large: 99 });
        expect(await refused()).toEqual({ code: status.FAILED_PRECONDITION, details: 'enough' });
      }
    });

    test('is refused before it is answered, and ends as the client ends it', async () => {
      const opened = await openCalls(JUDGED);
      const first = chatOf(opened);
      first.stream.write({ role: 'ADMIN' });
      expect(await first.refused()).toMatchObject({ details: 'Nobody becomes an administrator.' });
      const other = chatOf(opened);
      const got: User[] = [];
      other.stream.on('data', (value: User) => got.push(value));
      for (const large of [1, 2, 3]) other.stream.write({ large });
      other.stream.end();
      await once(other.stream, 'end');
      expect(got.map(({ large }) => large)).toEqual([1, 2, 3]);
      expect(opened.calls.filter((one) => one.startsWith('said'))).toEqual(['said 1', 'said 2', 'said 3']);
    });

    test('waits for people with one message, and goes on', async () => {
      const opened = await openCalls(`
    - { rule: two-eyes, when: 'body("/role") == "ADMIN"', hold: { approvers: ["user:ada"], timeout: 1m } }
    - { rule: requests, when: 'true', allow: true }`);
      const { say } = chatOf(opened);
      await say({ large: 1 });
      const held = say({ large: 2, role: 'ADMIN' });
      const people = caller(opened.stand as never, opened.stand.ada);
      await vi.waitFor(async () => expect(await people.get('/v1/approvals')).toHaveLength(1), PATIENCE);
      expect((await people.get<{ text: string }>('/v1/approvals/1')).text).toContain('{"role":"ADMIN","large":2}');
      expect(opened.calls).toEqual(['chat', 'said 1']);
      await people.post('/v1/approvals/1/approve', { reason: 'fine' });
      expect(await held).toMatchObject({ large: 2, role: 'ADMIN' });
    });

    test('is masked both ways', async () => {
      const opened = await openCalls(`
    - { rule: read, when: 'body("/role") == "LOST"', deny: No. }
    - { rule: sent, mask: { json: ["/tags/*"], request: true } }
    - { rule: shown, mask: { detect: [email] } }`);
      const { say } = chatOf(opened);
      expect(await say({ large: 1, tags: ['bob@example.com', 'x'] })).toEqual({
        large: 1,
        tags: ['[masked]', '[masked]'],
        email: '[masked:EMAIL]',
      });
      expect(opened.calls).toEqual(['chat', 'said 1 [masked],[masked]']);
      expect(await opened.call('put', { large: 5, tags: ['y'] })).toEqual({ id: 1 });
      expect(opened.calls.at(-1)).toContain('"tags":["[masked]"]');
    });

    test('does not go on where a rule masks what is answered to one message alone', async () => {
      const opened = await openCalls(`
    - { rule: some, when: 'body("/role") == "ADMIN"', mask: { detect: [email] } }
    - { rule: requests, when: 'true', allow: true }`);
      const { say, stream, refused } = chatOf(opened);
      await say({ large: 1 });
      stream.write({ role: 'ADMIN' });
      expect((await refused()).details).toContain(
        'answers of a call are masked by the rules that match when it begins',
      );
    });
  });

  test('what a client leaves out is what its target reads there', async () => {
    const { calls, call } = await openCalls(`
    - { rule: users-only, when: 'body("/role") == "USER"', deny: Users are made by hand. }
    - { rule: requests, when: 'true', allow: true }`);
    await expect(call('put', { large: 1 })).rejects.toMatchObject({ details: 'Users are made by hand.' });
    expect(await call('put', { large: 2, role: 'ADMIN' })).toEqual({ id: 1 });
    expect(calls).toHaveLength(1);
  });

  test('people see messages as JSON', async () => {
    const { stand, call } = await openCalls(`
    - { rule: two-eyes, when: 'body("/role") == "ADMIN"', hold: { approvers: ["user:ada"], timeout: 1m } }
    - { rule: requests, when: 'true', allow: true }`);
    const answer = call('put', { large: 5, role: 'ADMIN' });
    const people = caller(stand as never, stand.ada);
    await vi.waitFor(async () => expect(await people.get('/v1/approvals')).toHaveLength(1), PATIENCE);
    const asked = await people.get<{ text: string }>('/v1/approvals/1');
    expect(asked.text).toMatch(/^POST 127\.0\.0\.1\/shop\.Users\/Put\n[^]*\{"role":"ADMIN","large":5\}$/);
    await people.post('/v1/approvals/1/approve', { reason: 'fine' });
    expect(await answer).toEqual({ id: 1 });
  });

  const MASKED = `
    - { rule: emails, when: 'true', mask: { json: ["/email"], detect: [email] } }
    - { rule: requests, when: 'true', allow: true }`;

  test('answers are masked message by message, as they come, and what is not masked stays', async () => {
    const { call, client, metadata, go } = await openCalls(MASKED);
    const masked = await call('get', { id: 7 });
    expect(masked).toMatchObject({ large: 7, role: 'ADMIN' });
    expect(JSON.stringify(masked)).not.toContain('example.com');
    expect(masked.tags?.[1]).toBe('x');
    const { path, requestSerialize, responseDeserialize } = METHODS.watch;
    const stream = client.makeServerStreamRequest(
      `/svc${path}`,
      requestSerialize,
      responseDeserialize,
      { id: 1 },
      metadata,
    );
    const got: User[] = [];
    for await (const user of stream) {
      got.push(user as User);
      // The second is sent once the first is here.
      go();
    }
    expect(got.map(({ large }) => large)).toEqual([7, 8]);
    expect(JSON.stringify(got)).not.toContain('example.com');
    const both = METHODS.chat;
    const chat = client.makeBidiStreamRequest(
      `/svc${both.path}`,
      both.requestSerialize,
      both.responseDeserialize,
      metadata,
    );
    chat.write({ large: 3 });
    const [answer] = (await once(chat, 'data')) as [User];
    expect(answer.large).toBe(3);
    expect(answer.email).not.toContain('example.com');
    chat.end();
  });

  test('without descriptors a call whose answers are masked is not made, and is told so', async () => {
    const { calls, call, stand } = await openCalls(MASKED, { descriptors: false });
    await expect(call('get', { id: 7 })).rejects.toMatchObject({
      code: status.PERMISSION_DENIED,
      details: expect.stringMatching(/messages of gRPC pass unread here: it has no "descriptors"/),
    });
    expect(calls).toEqual([]);
    const [visit] = await caller(stand as never, stand.token).get<{ denied: number }[]>('/v1/sessions');
    expect(visit?.denied).toBe(1);
  });

  test('without descriptors a call that rules read is not made, and is told so', async () => {
    const { calls, call } = await openCalls(JUDGED, { descriptors: false });
    await expect(call('put', { role: 'USER' })).rejects.toMatchObject({
      code: status.UNIMPLEMENTED,
      details: expect.stringMatching(/cannot be read without their descriptors/),
    });
    expect(calls).toEqual([]);
  });

  test('a method that the descriptors do not have is not made where anything reads it', async () => {
    const { calls, client, metadata } = await openCalls(MASKED);
    const { requestSerialize, responseDeserialize } = METHODS.get;
    const answer = new Promise((resolve, reject) =>
      client.makeUnaryRequest(
        '/svc/shop.Users/Hidden',
        requestSerialize,
        responseDeserialize,
        { id: 1 },
        metadata,
        (error, got) => (error ? reject(error) : resolve(got)),
      ),
    );
    await expect(answer).rejects.toMatchObject({ code: status.PERMISSION_DENIED, details: /do not have this method/ });
    expect(calls).toEqual([]);
  });
});
