/** What somebody with a good token, or with none, may try by HTTP against rules, holds, the record and everybody else. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { type Socket, connect } from 'node:net';
import { join } from 'node:path';
import { readJournal } from '@sluice/recording';
import { collectGarbage, findTool } from '@sluice/testkit';
import { processCpuMs } from '@sluice/testkit/cpu';
import { buildSchema, execute as executeQuery, parse } from 'graphql';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { caller } from './control.js';
import { type HttpStand, type HttpStandOptions, openHttpStand } from './http-stand.js';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function open(options: HttpStandOptions = {}): Promise<HttpStand> {
  const stand = await openHttpStand(options);
  closers.push(() => stand.stop());
  return stand;
}

const pause = (time: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, time));

const records = (stand: HttpStand): Record<string, unknown>[] => {
  stand.gateway.log.flush();
  return [...readJournal(join(stand.folder, 'data', 'journal'))].map(({ header }) => header as never);
};

function dial(stand: HttpStand): Socket {
  const socket = connect(stand.port, '127.0.0.1');
  socket.on('error', () => undefined);
  closers.push(() => socket.destroy());
  return socket;
}

/** Status and body of one request, as fetch has them. */
async function ask(
  stand: HttpStand,
  path: string,
  init: { method?: string; headers?: Record<string, string>; body?: string | Buffer } = {},
): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${stand.url}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${stand.token}`, ...init.headers },
  } as RequestInit);
  return { status: answer.status, text: await answer.text() };
}

describe('a mask by its place in an answer to GraphQL', () => {
  const MASKED = `
    - { rule: mails, mask: { json: ["/data/users/*/email"] } }
    - { rule: others, when: 'true', allow: true }`;

  /** Answers as a server of GraphQL does, which has two users. */
  async function graphql() {
    const schema = buildSchema(
      'type User { id: ID email: String } type Query { users: [User] } type Mutation { forget: Boolean }',
    );
    const rootValue = { users: [{ id: 1, email: 'ada@example.com' }] };
    const answerTo = async ({ query }: { query: string }) =>
      executeQuery({ schema, document: parse(query), rootValue });
    const stand = await open({
      rules: MASKED,
      serve: (_, response, body) => {
        const asked = JSON.parse(body.toString()) as { query: string } | { query: string }[];
        const answers = Array.isArray(asked) ? Promise.all(asked.map(answerTo)) : answerTo(asked);
        void answers.then((made) => response.setHeader('Content-Type', 'application/json').end(JSON.stringify(made)));
      },
    });
    return { stand, post: (body: unknown) => postJson(stand, '/graphql', body) };
  }
  const postJson = (stand: HttpStand, path: string, body: unknown) =>
    ask(stand, path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  test('holds under whatever name a field is asked for', async () => {
    const { post } = await graphql();
    const said = '{"users":[{"email":"[masked]"}]}';
    const named = async (query: string) => (await post({ query })).text;
    expect(await named('{ users { email } }')).toContain(said);
    expect(await named('{ users { mail: email } }')).toContain(said.replace('email', 'mail'));
    expect(await named('{ people: users { ...F } } fragment F on User { a: email b: email }')).toContain(
      '{"people":[{"a":"[masked]","b":"[masked]"}]}',
    );
    // Another field that only has the name of one stays under masks, and those of others stay as they are.
    expect(await named('{ users { id email: id } }')).toContain('{"id":"1","email":"[masked]"}');
  });

  test('holds in a list of answers', async () => {
    const { post } = await graphql();
    const { text } = await post([{ query: '{ users { email } }' }, { query: '{ users { x: email } }' }]);
    expect(text).toBe('[{"data":{"users":[{"email":"[masked]"}]}},{"data":{"users":[{"x":"[masked]"}]}}]');
  });

  test('has what nobody can place refused before it is asked', async () => {
    const { stand, post } = await graphql();
    for (const body of [
      { extensions: { persistedQuery: { version: 1, sha256Hash: 'a'.repeat(64) } } },
      { query: '{ users { ...F @defer } } fragment F on User { email }' },
      { query: `{ ${Array.from({ length: 600 }, (_, at) => `u${at}: users { email }`).join(' ')} }` },
    ]) {
      const { status, text } = await post(body);
      expect(status, text).toBe(403);
      expect(text).toContain('Rules mask places of this answer');
    }
    expect(stand.reached).toEqual([]);
  });
});

test('a guess at a masked body by its ETag is not answered, and what writes keeps its condition', async () => {
  const body = '{"email":"ada@example.com"}';
  const etag = `"${createHash('md5').update(body).digest('hex')}"`;
  const stand = await open({
    rules: `
    - { rule: mails, mask: { json: ["/email"] } }
    - { rule: others, when: 'true', allow: true }`,
    serve: ({ headers }, response) => {
      response.statusCode = [undefined, etag].includes(headers['if-match']) ? 200 : 412;
      response.setHeader('Content-Type', 'application/json').end(body);
    },
  });
  const status = async (method: string, guess: string) =>
    (await ask(stand, '/users/7', { method, headers: { 'if-match': guess } })).status;
  expect([await status('GET', etag), await status('GET', '"x"'), await status('PUT', '"x"')]).toEqual([200, 200, 412]);
});

test('people who released a request released no other preference of it', async () => {
  const stand = await open();
  const remove = (prefer: string) => ask(stand, '/users/7', { method: 'DELETE', headers: { prefer } });
  expect((await remove('wait=0')).status).toBe(403);
  await caller(stand as never, stand.ada).post('/v1/approvals/1/approve', { reason: 'fine' });
  expect((await remove('resolution=merge-duplicates, wait=0')).status).toBe(403);
  expect(stand.reached).toEqual([]);
  expect((await remove('wait=1')).status).toBe(200);
});

describe('a rule', () => {
  const NO_SALARIES = `
    - { rule: salaries, when: '"salaries" in graphql.fields', deny: Nobody reads salaries. }
    - { rule: others, when: 'true', allow: true }`;

  test('about GraphQL sees a document whose parameter is written in another case', async () => {
    const stand = await open({ rules: NO_SALARIES });
    const answers = await Promise.all(
      ['query', 'Query', 'QUERY'].map((name) => ask(stand, `/graphql?${name}=%7Bsalaries%7D`)),
    );
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403]);
  });

  test('about GraphQL refuses what nobody can read', async () => {
    const stand = await open({ rules: NO_SALARIES });
    const post = (body: string) =>
      ask(stand, '/graphql', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
    const refused = await Promise.all([
      post(JSON.stringify({ query: `{ salaries ${'a: salary '.repeat(8000)} }` })),
      post('{"id":"4711"}'),
      ask(stand, '/graphql?documentId=4711'),
    ]);
    expect(refused.map(({ status }) => status)).toEqual([403, 403, 403]);
    expect(refused[1]?.text).toContain('The rules read the GraphQL of this request');
    expect((await post('{"query":"{ holidays }"}')).status).toBe(200);
    expect((await ask(stand, '/graphql')).status).toBe(200);
  });

  test('about GraphQL is no way to have millions of actions made', async () => {
    const stand = await open({ rules: NO_SALARIES });
    const fields = Array.from({ length: 900 }, (_, at) => `f${at}`).join(' ');
    const operations = Array.from({ length: 2500 }, (_, at) => `query q${at}{...F}`).join(' ');
    const document = `${operations} fragment F on Query { ${fields} }`;
    const body = JSON.stringify(Array.from({ length: 40 }, () => ({ query: document })));
    const began = processCpuMs();
    const { status } = await ask(stand, '/graphql', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(status).toBe(403);
    expect(processCpuMs() - began).toBeLessThan(2_000);
  });

  const ROLE = `
    - { rule: role, when: 'request.method == "POST" && body("/role") == "admin"', deny: Nobody becomes admin. }
    - { rule: others, when: 'true', allow: true }`;
  const part = (name: string, value: string, end = '\r\n', more = ''): string =>
    `--b${end}Content-Disposition: form-data; name="${name}"${more}${end}${end}${value}${end}`;

  test.each([
    ['plain', `${part('role', 'admin')}--b--\r\n`],
    ['behind the end', `${part('a', 'b')}--b--\r\n${part('role', 'admin')}--b--\r\n`],
    ['lines that end in LF', `${part('a', `b\n${part('role', 'admin', '\n')}`)}--b--\r\n`],
    ['base64', `${part('role', 'YWRtaW4=', '\r\n', '\r\nContent-Transfer-Encoding: base64')}--b--\r\n`],
    [
      'another charset',
      `${part('role', 'a\0d\0m\0i\0n\0', '\r\n', '\r\nContent-Type: text/plain; charset=utf-16le')}--b--\r\n`,
    ],
  ])('about a field sees it in a form with uploads: %s', async (_, body) => {
    const stand = await open({ rules: ROLE });
    const headers = { 'content-type': 'multipart/form-data; boundary=b' };
    const { status, text } = await ask(stand, '/users', { method: 'POST', headers, body });
    expect(text).not.toContain('rawHeaders');
    expect(status).toBe(403);
    const plain = await ask(stand, '/users', { method: 'POST', headers, body: `${part('role', 'user')}--b--\r\n` });
    expect(plain.status).toBe(200);
  });

  test('about a path is not passed by a suffix, unless the connection tells them apart', async () => {
    const rules = `
    - { rule: promote, when: 'path("/users/{id}/promote")', deny: Nobody is promoted. }
    - { rule: others, when: 'true', allow: true }`;
    const [stand, apart] = [await open({ rules }), await open({ rules, connection: 'suffixes: apart' })];
    for (const end of ['', '/', '.json', '.', '%20', '.json;jsessionid=1']) {
      expect((await ask(stand, `/users/7/promote${end}`, { method: 'POST' })).status, end).toBe(403);
      const isOther = /^[.%]/.test(end);
      expect((await ask(apart, `/users/7/promote${end}`, { method: 'POST' })).status, end).toBe(isOther ? 200 : 403);
    }
    expect((await ask(stand, '/users/7/promoters.json', { method: 'POST' })).status).toBe(200);
  });

  test('about the host is not passed by the dot of the root', async () => {
    const stand = await open({
      connection: 'hosts: [svc.test]',
      rules: `
    - { rule: host, when: 'request.host == "svc.test"', deny: Not here. }
    - { rule: others, when: 'true', allow: true }`,
    });
    for (const host of ['svc.test', 'svc.test.', 'SVC.test.:80']) {
      const socket = dial(stand);
      socket.write(
        `GET /x HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${stand.token}\r\nConnection: close\r\n\r\n`,
      );
      let text = '';
      for await (const chunk of socket) text += String(chunk);
      expect(`${host} ${text.split('\r\n')[0]}`).toBe(`${host} HTTP/1.1 403 Forbidden`);
    }
  });
});

describe('one client', () => {
  test('that sends requests and reads no answers is not read any further', async () => {
    const stand = await open();
    const socket = dial(stand);
    socket.pause();
    const many = 'GET /svc/x HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(2000);
    let taken = 0;
    const more = (): void =>
      void socket.write(many, (error) => {
        taken += many.length;
        if (!error && taken < 100_000_000) more();
      });
    more();
    // Sooner or later the kernel takes no more either.
    let before = -1;
    const isStill = (): boolean => {
      const still = taken === before;
      before = taken;
      return still;
    };
    await expect.poll(isStill, { interval: 4_000, timeout: 40_000 }).toBe(true);
    expect(taken).toBeLessThan(100_000_000);
  });

  test('that sends a body in pieces of one byte takes no more memory than its bytes', async () => {
    const stand = await open();
    const socket = dial(stand);
    socket.write(
      `POST /svc/form HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${stand.token}\r\nContent-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const used = (): number => {
      collectGarbage();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const before = used();
    const pieces = '1\r\na\r\n'.repeat(10_000);
    for (let count = 0; count < 100; count++)
      if (!socket.write(pieces)) await new Promise((resolve) => socket.once('drain', resolve));
    await pause(500);
    expect(used() - before).toBeLessThan(30e6);
  });
});

describe('HTTP/2', () => {
  test('carries an answer whose headers are there twice, and one with a status of its own', async () => {
    const stand = await open({
      serve: (request, response) => {
        response.setHeader('X-Content-Type-Options', ['nosniff', 'nosniff']);
        response.setHeader('constructor', 'x');
        response.writeHead(request.url === '/odd' ? 999 : 200);
        response.end('here');
      },
    });
    const session = connectHttp2(`http://127.0.0.1:${stand.port}`);
    closers.push(() => session.destroy());
    session.on('error', () => undefined);
    const get = (path: string): Promise<string> =>
      new Promise((resolve) => {
        const stream = session.request({ ':path': path, authorization: `Bearer ${stand.token}` });
        let text = '';
        stream.on('response', (fields) => (text += `${String(fields[':status'])} `));
        stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
        stream.on('error', (error) => (text += String(error)));
        stream.on('close', () => resolve(text));
        stream.end();
      });
    expect(await get('/svc/x')).toBe('200 here');
    expect(await get('/svc/odd')).toContain('502 {');
    expect(await get('/svc/odd')).toContain('status 999');
  });
});

describe('a hold', () => {
  test('that is approved lets one request through, of however many that wait', async () => {
    const stand = await open();
    const waiting = [1, 2, 3].map(() => ask(stand, '/users/7', { method: 'DELETE', headers: { prefer: 'wait=10' } }));
    await expect.poll(() => stand.gateway.approvals.pending).toBe(1);
    // The others come to it as well, or find it used.
    await pause(500);
    await caller(stand as never, stand.ada).post('/v1/approvals/1/approve', { reason: 'fine' });
    const answers = await Promise.all(waiting);
    expect(answers.filter(({ status }) => status === 403)).toHaveLength(2);
    expect(stand.reached.length).toBe(1);
  }, 60_000);
});

describe('a body that people would release unseen', () => {
  test('is refused: the approval would let any other body through', async () => {
    const stand = await open({
      limits: '{ message: 64KiB }',
      rules: `
    - { rule: two-eyes, when: 'request.method == "POST"', hold: { approvers: ["user:ada"], timeout: 1m } }`,
    });
    const body = 'x'.repeat(100_000);
    const headers = { prefer: 'wait=1', 'content-type': 'text/plain' };
    const { status, text } = await ask(stand, '/x', { method: 'POST', headers, body });
    expect(status).toBe(413);
    expect(text).toContain('body-too-long');
    expect((await ask(stand, '/x', { method: 'PUT', headers, body })).status).toBe(200);
    expect(stand.reached).toEqual(['PUT /x']);
  });
});

describe('the record', () => {
  test('has requests that are refused before any rule', async () => {
    const stand = await open();
    const tries: [string, Record<string, string>][] = [
      ['/a%2fb', {}],
      ['/x', { 'x-http-method-override': 'DELETE' }],
      ['/x', { upgrade: 'websocket', connection: 'upgrade' }],
    ];
    for (const [path, headers] of tries) {
      const socket = dial(stand);
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(
        `GET /svc${path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${stand.token}\r\n${lines.join('')}\r\n`,
      );
      const answer = await new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(String(bytes))));
      expect(answer).toMatch(/^HTTP\/1\.1 4[0-9]{2} [^]*\r\nSluice-Command: [0-9]+\r\n/);
      socket.destroy();
    }
    expect(stand.reached).toEqual([]);
    expect(records(stand).filter(({ k }) => k === 'command').length).toBe(3);
  });
});

describe("the target's credential", () => {
  test('does not come back in a reason phrase, where some servers quote what they were sent', async () => {
    const stand = await open({
      credential: '{ query: { name: key, value: a-key-of-the-target } }',
      serve: (request, response) => {
        response.writeHead(400, `Bad request ${request.url}`);
        response.end();
      },
    });
    const answer = await fetch(`${stand.url}/x`, { headers: { authorization: `Bearer ${stand.token}` } });
    expect(answer.status).toBe(400);
    expect(answer.statusText).toBe('Bad request /x?key=*******************');
  });

  test('does not come back in why a target closes a WebSocket, or in its pings', async () => {
    const server = createServer();
    const sockets = new WebSocketServer({ server });
    closers.push(() => sockets.close());
    sockets.on('connection', (socket, { url }) => {
      socket.send('a-key-of', { fin: false });
      socket.ping(`ping of ${url}`);
      socket.send('-the-target');
      socket.close(1008, `no ${url}`);
    });
    const stand = await open({ server, credential: '{ query: { name: key, value: a-key-of-the-target } }' });
    const socket = new WebSocket(`${stand.url.replace('http', 'ws')}/x`, {
      headers: { authorization: `Bearer ${stand.token}` },
    });
    const said: string[] = [];
    socket.on('message', (data: Buffer) => said.push(String(data)));
    socket.on('ping', (data: Buffer) => said.push(String(data)));
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    expect(said).toEqual(['ping of /x?key=*******************', '*******************']);
    expect([code, String(reason)]).toEqual([1008, 'no /x?key=*******************']);
  });
});

test('what a client says in pings, and why it closes a WebSocket, is on record', async () => {
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  closers.push(() => sockets.close());
  const heard: string[] = [];
  sockets.on('connection', (socket) => socket.on('ping', (data: Buffer) => heard.push(String(data))));
  const stand = await open({ server });
  const socket = new WebSocket(`${stand.url.replace('http', 'ws')}/x`, {
    headers: { authorization: `Bearer ${stand.token}` },
  });
  await once(socket, 'open');
  socket.ping('rows of customers');
  socket.close(1000, 'more rows');
  await once(socket, 'close');
  expect(heard).toEqual(['rows of customers']);
  stand.gateway.log.flush();
  const said = [...readJournal(join(stand.folder, 'data', 'journal'))]
    .filter(({ header }) => header.k === 'part' && header.st === 'in')
    .map(({ payload }) => String(payload));
  expect(said.join('')).toBe('rows of customersmore rows');
});

describe('trailers of a request', () => {
  test('carry no proof to the target, and nothing that rules and people would not see', async () => {
    const seen: string[][] = [];
    const stand = await open({
      serve: (request, response) => {
        seen.push(request.rawTrailers);
        response.end();
      },
    });
    const socket = dial(stand);
    socket.write(
      `POST /svc/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${stand.token}\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Api-Key: ${stand.token}\r\nX-Checksum: 7\r\nX-More: ${stand.token}\r\nX-Original-URL: /b\r\n\r\n`,
    );
    await new Promise((resolve) => socket.once('data', resolve));
    expect(seen).toEqual([['X-Checksum', '7']]);
  });
});

describe('cookies, which browsers send to every port and, by their path, to other connections', () => {
  const OF_THE_HOST = ['Clear-Site-Data', 'NEL', 'Report-To', 'Strict-Transport-Security'];
  const OURS = '__Host-sluice-session=a-login; sluice-session=another';
  let stand: HttpStand;
  beforeAll(async () => {
    stand = await openHttpStand({
      target: (port) => `{ url: "http://127.0.0.1:${port}/base" }`,
      serve: ({ headers }, response) => {
        response.setHeader('Set-Cookie', [
          'a=1',
          'b=2; Path=/; Secure',
          'c=3; path=/base/in; Domain=example.org',
          'd=4; PATH=/other; Path',
          '__Host-sluice-session=of-the-target; Path=/; Secure',
          'Sluice-login=of-the-target; Path=/',
        ]);
        response.setHeader('Service-Worker-Allowed', '/');
        for (const name of OF_THE_HOST) response.setHeader(name, name === 'Clear-Site-Data' ? '"*"' : 'max-age=1');
        response.end(headers.cookie ?? 'none');
      },
    });
  });
  afterAll(() => stand.stop());

  const get = async (path: string, cookie?: string): Promise<{ set: string[]; text: string }> => {
    const headers = { Authorization: `Bearer ${stand.token}`, ...(cookie !== undefined && { Cookie: cookie }) };
    const answer = await fetch(`${stand.url}${path}`, { headers });
    return { set: answer.headers.getSetCookie(), text: await answer.text() };
  };

  test('a login to the console goes to no target, whatever else the browser sends', async () => {
    expect((await get('/x', OURS)).text).toBe('none');
    expect((await get('/x', `sid=1; ${OURS};  other="2"`)).text).toBe('sid=1;  other="2"');
    expect((await get('/x', 'sid=sluice-session=1; my-sluice-x=2')).text).toBe('sid=sluice-session=1; my-sluice-x=2');
    expect((await get('/x', '__Secure-sluice-login=1;__HOST-SLUICE-GRANT=2; a=b')).text).toBe('a=b');
  });

  test('a target says nothing to browsers about the host that it shares with others', async () => {
    const { headers } = await fetch(`${stand.url}/sw.js`, { headers: { Authorization: `Bearer ${stand.token}` } });
    expect(OF_THE_HOST.filter((name) => headers.has(name))).toEqual([]);
    expect(headers.get('service-worker-allowed')).toBe('/svc/');
  });

  test('a target gives its clients no cookie of the gateway, and none that another connection would have', async () => {
    const own = ['b=2; Path=/svc; Secure', 'c=3; Path=/svc/in', 'd=4; Path=/svc/other; Path=/svc'];
    expect((await get('/x/y')).set).toEqual(['a=1', ...own]);
    // Without a path browsers take the folder of the address: of one step that is the root.
    expect((await get('')).set).toEqual(['a=1; Path=/svc', ...own]);
  });
});

test('a client says to no target who a proxy has logged in', async () => {
  const stand = await open();
  const said = {
    'Remote-User': 'root',
    'X-WEBAUTH-USER': 'admin',
    'X-Auth-Request-Email': 'a@b.example',
    'X-Ms-Client-Principal': 'e30=',
    'X-Goog-Authenticated-User-Email': 'a',
    'X-Amzn-Oidc-Data': 'a',
    'Cf-Access-Jwt-Assertion': 'a',
    'Client-Cert': ':AA==:',
    'X-SSL-Client-Verify': 'SUCCESS',
  };
  // A credential of the client's own for what stands before the target.
  const own = { 'CF-Access-Client-Id': 'id', 'X-User-Agent': 'grpc' };
  const { text } = await ask(stand, '/x', { headers: { ...said, ...own } });
  const { rawHeaders } = JSON.parse(text) as { rawHeaders: string[] };
  const names = rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
  expect(Object.keys(said).filter((name) => names.includes(name.toLowerCase()))).toEqual([]);
  expect(names).toEqual(expect.arrayContaining(['cf-access-client-id', 'x-user-agent']));
});

/** What TLS sends before its handshake is over, somebody else may send once more. */
test.skipIf(!findTool('openssl'))('no request is taken in early data of TLS', async () => {
  const stand = await open();
  const [session, early] = [join(stand.folder, 'session.pem'), join(stand.folder, 'early.txt')];
  const request = `POST /svc/early HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer ${stand.token}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
  writeFileSync(early, request);
  const client = async (...words: string[]): Promise<string> => {
    const child = spawn(findTool('openssl') as string, ['s_client', '-connect', `127.0.0.1:${stand.port}`, ...words]);
    closers.push(() => child.kill());
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (said += String(bytes)));
    child.stdin.on('error', () => undefined);
    child.stdin.write(request.replace('/svc/early', '/svc/late'));
    // Tickets and what became of early data come before the answer.
    child.stdout.on('data', () => said.includes('HTTP/1.1 200') && child.kill());
    await once(child, 'close');
    return said;
  };
  expect(await client('-tls1_3', '-ign_eof', '-sess_out', session)).toContain('HTTP/1.1 200');
  const again = await client('-tls1_3', '-ign_eof', '-sess_in', session, '-early_data', early);
  expect(again).toContain('Reused, TLSv1.3');
  expect(again).toMatch(/Early data was (?:not sent|rejected)/);
  expect(stand.reached).not.toContain('POST /early');
});
