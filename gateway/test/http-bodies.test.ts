/** Masks in bodies by HTTP through a whole gateway: what clients get, what is refused in words, and what is on record. */
import { randomBytes } from 'node:crypto';
import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { type IncomingMessage, type ServerResponse, get as httpGet } from 'node:http';
import { join } from 'node:path';
import { brotliCompressSync, constants, createGzip, gzipSync, zstdCompressSync, deflateRawSync } from 'node:zlib';
import { findTool } from '@sluice/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { type HttpStand, openHttpStand } from './http-stand.js';
import { run } from './ssh-stand.js';

let stand: HttpStand;
afterEach(() => stand.stop());

const MAIL = 'ada@example.com';
const RULES = `
    - { rule: places, when: 'path("/users/**")', mask: { json: ["**/ssn", "/*/name"], headers: [X-Owner] } }
    - { rule: found, mask: { detect: [email, credit_card, secret] } }
    - { rule: sent, when: 'path("/sent/**")', mask: { json: ["/card"], detect: [phone], request: true } }
`;

type Answer = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

async function open(
  serve: Answer,
  more: { connection?: string; rules?: string; credential?: string } = {},
): Promise<void> {
  stand = await openHttpStand({ rules: RULES, ...more, serve });
}

type Init = Omit<RequestInit, 'headers'> & { headers?: Readonly<Record<string, string>> };

const get = (path: string, init: Init = {}): Promise<Response> =>
  fetch(`${stand.url}${path}`, { ...init, headers: { authorization: `Bearer ${stand.token}`, ...init.headers } });

const answers =
  (type: string | undefined, body: string | Buffer, headers: Record<string, string> = {}): Answer =>
  (_, response) => {
    if (type !== undefined) response.setHeader('Content-Type', type);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.end(body);
  };

async function journalOf({ gateway, folder }: HttpStand): Promise<string> {
  await gateway.stop();
  return globSync('data/**/*', { cwd: folder, withFileTypes: true })
    .filter((one) => one.isFile())
    .map((one) => readFileSync(join(one.parentPath, one.name), 'latin1'))
    .join('');
}

const detail = async (answer: Response): Promise<string> => ((await answer.json()) as { detail: string }).detail;

describe('JSON', () => {
  test('is masked by place and by detector, and its head stays true', async () => {
    const body = JSON.stringify([{ name: 'Ada', ssn: 1, mail: `write to ${MAIL}`, n: 1.5 }]);
    await open(
      answers('application/json', body, {
        ETag: '"1"',
        'Last-Modified': 'Sun, 29 Nov 2026 10:00:00 GMT',
        'Content-MD5': 'x',
        'Accept-Ranges': 'bytes',
        'Cache-Control': 'public, max-age=60',
        'X-Owner': 'Ada',
        'X-Contact': MAIL,
        Link: `<https://x.example/?mail=ada%40example.com>; rel=next`,
      }),
    );
    const answer = await get('/users/', { headers: { Range: 'bytes=0-3', 'If-None-Match': '"1"' } });
    expect(answer.status).toBe(200);
    const headers = Object.fromEntries(answer.headers);
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-owner': '[masked]',
      'x-contact': '[masked:EMAIL]',
      link: '[masked:EMAIL]',
    });
    for (const name of ['etag', 'last-modified', 'content-md5', 'accept-ranges', 'content-length'])
      expect(headers).not.toHaveProperty(name);
    expect(await answer.text()).toBe('[{"name":"[masked]","ssn":null,"mail":"write to [masked:EMAIL]","n":1.5}]');
  });

  test('asks the target for no coding and no piece', async () => {
    let seen: IncomingMessage['headers'] = {};
    await open((request, response) => {
      seen = request.headers;
      response.setHeader('Content-Type', 'application/json');
      response.end('{}');
    });
    await get('/x', {
      headers: { Range: 'bytes=0-3', 'If-None-Match': '"1"', 'If-Modified-Since': 'x', 'Accept-Encoding': 'gzip' },
    });
    expect(seen['accept-encoding']).toBe('identity');
    for (const name of ['range', 'if-none-match', 'if-modified-since']) expect(seen).not.toHaveProperty(name);
  });

  test('HEAD says no length and no validator', async () => {
    await open(answers('application/json', `{"m":"${MAIL}"}`, { ETag: '"1"', 'Content-Length': '23' }));
    const answer = await get('/x', { method: 'HEAD' });
    expect([answer.status, answer.headers.get('etag'), answer.headers.get('content-length')]).toEqual([
      200,
      null,
      null,
    ]);
  });

  test('an error has its masks too, and so have trailers', async () => {
    await open((_, response) => {
      response.writeHead(500, { 'Content-Type': 'application/json', Trailer: 'X-Who' });
      response.write(`{"error":"no mail to ${MAIL}"}`);
      response.addTrailers({ 'X-Who': MAIL });
      response.end();
    });
    const { stdout } = await run(findTool('curl') as string, [
      '-sS',
      '--raw',
      '-H',
      `Authorization: Bearer ${stand.token}`,
      `${stand.url}/x`,
    ]);
    expect(stdout.toString()).toContain('no mail to [masked:EMAIL]');
    expect(stdout.toString()).toContain('X-Who: [masked:EMAIL]');
    expect(stdout.toString()).not.toContain(MAIL);
  });

  test.each([
    ['text/html', `{"m":"ada\\u0040example.com"}`],
    ['text/plain', `  {"m":"ada\\u0040example.com"}`],
    [undefined, `["ada\\u0040example.com"]`],
    ['application/problem+json', `\ufeff{"m":"ada\\u0040example.com"}`],
  ])('is what its bytes say, as %s', async (type, body) => {
    await open(answers(type, body));
    const text = await (await get('/x')).text();
    expect(text).toContain('[masked:EMAIL]');
    expect(text).not.toContain('0040');
  });

  test.each([
    ['4 MB without a finding are', 4_000_000, false],
    ['100 MB with one finding are, but for that,', 100_000_000, true],
  ])('%s byte for byte the same', async (_, size, finds) => {
    const item = `{"id":12345678,"text":"${'lorem ipsum '.repeat(40)}","more":[1,2.50,-0,1E400,null]}`;
    const piece = Array.from({ length: 200 }, () => item).join(',\n');
    const count = Math.ceil(size / piece.length);
    const pieces = function* (found: string): Generator<string> {
      for (let n = 0; n < count; n++) {
        yield `${n === 0 ? '[' : ',\n'}${piece}`;
        if (finds && n === Math.floor(count / 2)) yield `,"${found}"`;
      }
      yield ']';
    };
    await open((_request, response) => {
      response.setHeader('Content-Type', 'application/json');
      Readable.from(pieces(MAIL)).pipe(response);
    });
    const wanted = createHash('sha256');
    for (const one of pieces('[masked:EMAIL]')) wanted.update(one);
    const got = createHash('sha256');
    for await (const chunk of (await get('/x')).body as unknown as AsyncIterable<Uint8Array>) got.update(chunk);
    expect(got.digest('hex')).toBe(wanted.digest('hex'));
  });
});

/** As good as the best takes far longer. */
const QUICK = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };

describe('content codings', () => {
  test.each([
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
    ['zstd', zstdCompressSync],
    ['deflate', deflateRawSync],
  ] as const)('%s is decoded although nobody asked for it', async (coding, compress) => {
    await open(answers('application/json', compress(Buffer.from(`{"m":"${MAIL}"}`)), { 'Content-Encoding': coding }));
    const answer = await get('/x');
    expect(answer.headers.get('content-encoding')).toBeNull();
    expect(await answer.text()).toBe('{"m":"[masked:EMAIL]"}');
  });

  test.each([
    ['gzip', gzipSync],
    ['br', (bytes: Buffer) => brotliCompressSync(bytes, QUICK)],
    ['zstd', zstdCompressSync],
    ['deflate', deflateRawSync],
  ] as const)('a bomb of %s ends', async (coding, compress) => {
    const bomb = compress(
      Buffer.concat([Buffer.from('{"a":"'), Buffer.alloc(64 * 1024 * 1024, ' '), Buffer.from('"}')]),
    );
    await open(answers('application/json', bomb, { 'Content-Encoding': coding }));
    const before = process.memoryUsage.rss();
    const answer = await get('/x');
    // Where the machine is busy the head has gone before: then the body breaks off.
    if (answer.status === 502) expect(await detail(answer)).toMatch(/far longer|more than 16777216 bytes/);
    else await expect(answer.text()).rejects.toThrow();
    expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 * 1024);
  });
});

describe('what cannot be read', () => {
  test.each<[string, string | undefined, string | Buffer, Record<string, string>, RegExp]>([
    [
      'a picture',
      'image/png',
      Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
      {},
      /a type that masks cannot read \(image\/png\)/,
    ],
    ['gRPC', 'application/grpc', Buffer.alloc(9), {}, /a type that masks cannot read \(application\/grpc\)/],
    ['JSON that is none', 'application/json', '{"a":1,}', {}, /is no JSON where JSON is expected/],
    ['JSON that is cut off', 'application/json', '{"a":1', {}, /has no end where JSON is expected/],
    ['a name twice', 'application/json', '{"a":1,"a":2}', {}, /the same name twice/],
    ['another charset', 'text/plain; charset=utf-16', 'a', {}, /a charset that is not read here \(utf-16\)/],
    ['another charset of JSON', 'application/json; charset=ibm037', '{}', {}, /not read here \(ibm037\)/],
    ['two types', 'text/plain, text/html', 'a', {}, /says twice what it is/],
    ['two types behind a parameter', 'text/plain; a="b,c", text/html', 'a', {}, /says twice what it is/],
    [
      'UTF-16 without a word',
      'text/plain',
      Buffer.from(`\ufeff${MAIL}`, 'utf16le'),
      {},
      /charset that is not read here/,
    ],
    [
      'a coding of no name',
      'application/json',
      '{}',
      { 'Content-Encoding': 'compress' },
      /content coding that is not read/,
    ],
  ])('%s is refused in words', async (_, type, body, headers, why) => {
    await open(answers(type, body, headers));
    const answer = await get('/x');
    expect(answer.status).toBe(502);
    expect(await detail(answer)).toMatch(why);
  });

  test('a piece that nobody asked for', async () => {
    await open((_, response) => {
      response.writeHead(206, { 'Content-Type': 'application/json', 'Content-Range': 'bytes 0-1/9' });
      response.end('{}');
    });
    expect(await detail(await get('/x'))).toMatch(/is a piece of something/);
  });

  test('a text where places are masked', async () => {
    await open(answers('text/plain', 'Ada'));
    expect(await detail(await get('/users/1'))).toMatch(/no places to mask \(text\/plain\)/);
  });

  test('passes by choice, and a text under such a name is looked at', async () => {
    const picture = Buffer.from(`\x89PNG\r\n\x1a\n\0\0 ${MAIL}`, 'latin1');
    await open(
      (request, response) => {
        response.setHeader('Content-Type', request.url === '/raw' ? 'application/octet-stream' : 'image/png');
        response.end(request.url === '/x' ? picture : `mail ${MAIL}`);
      },
      { connection: 'unread: { "image/*": pass, application/octet-stream: text }' },
    );
    expect(Buffer.from(await (await get('/x')).arrayBuffer())).toEqual(picture);
    expect(await (await get('/y')).text()).toBe('mail [masked:EMAIL]');
    expect(await (await get('/raw')).text()).toBe('mail [masked:EMAIL]');
  });
});

test('the record has what the client was given, and not what was there', async () => {
  await open(answers('application/json', `{"m":"${MAIL}","password":"hunter2!"}`));
  await (await get('/x')).text();
  const journal = await journalOf(stand);
  expect(journal).toContain('[masked:EMAIL]');
  expect(journal).not.toContain(MAIL);
  expect(journal).not.toContain('hunter2');
});

describe('what is sent', () => {
  /** Says what it was sent, with dots between the letters, in which nothing is found again. */
  const echo: Answer = (request, response, body) => {
    const { 'content-length': length, 'content-digest': digest = 'none' } = request.headers;
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ length, digest, said: body.toString().split('').join('.') }));
  };
  const came = async (answer: Promise<Response>): Promise<unknown> => {
    const { said, ...rest } = (await (await answer).json()) as { said: string };
    return { ...rest, said: said.replaceAll('.', '') };
  };
  const post = async (path: string, type: string, body: string, method = 'POST'): Promise<Response> =>
    get(path, { method, body, headers: { 'Content-Type': type, 'Content-Digest': 'sha-256=:x:' } });
  const RULES = `
    - { rule: sent, when: 'path("/sent/**")', mask: { json: ["/card", "/items/*/pin"], detect: [phone, email], request: true } }
    - { rule: shown, mask: { detect: [jwt] } }
`;

  test('is masked before the target has it, and on record so', async () => {
    await open(echo, { rules: RULES });
    const body = `{"card":"x","items":[{"pin":1}],"text":"call +49 30 12345678 or ${MAIL}"}`;
    const wanted = '{"card":"[masked]","items":[{"pin":null}],"text":"call [masked:PHONE] or [masked:EMAIL]"}';
    expect(await came(post('/sent/x', 'application/json', body))).toEqual({
      length: String(wanted.length),
      digest: 'none',
      said: wanted,
    });
    expect(await came(post('/other', 'application/json', body))).toEqual({
      length: String(body.length),
      digest: 'sha-256=:x:',
      said: body.replaceAll('.', ''),
    });
    await post('/sent/only', 'application/json', '{"card":"4711-0815"}');
    const journal = await journalOf(stand);
    expect(journal).toContain('[masked:PHONE]');
    expect(journal).not.toContain('4711-0815');
  });

  test.each([
    ['application/json', '{"card":"4711-0815",}', /this body is no JSON where JSON is expected/],
    ['image/png', 'x', /this body is of a type that masks cannot read/],
    ['text/plain', 'x', /no places to mask/],
  ])('%s %s is refused in words', async (type, body, why) => {
    await open(echo, { rules: RULES });
    const answer = await post('/sent/x', type, body);
    expect(answer.status).toBe(403);
    expect(await detail(answer)).toMatch(why);
    expect(stand.reached).toEqual([]);
    expect(await journalOf(stand)).not.toContain('4711-0815');
  });

  test('a masked value does not replace a real one', async () => {
    await open(echo, { rules: RULES });
    for (const body of ['{"mail":"[masked:EMAIL]"}', '{"mail":"tok_abcdefghijklmnopqrst"}']) {
      const answer = await post('/other', 'application/json', body, 'PUT');
      expect(answer.status).toBe(403);
      expect(await detail(answer)).toMatch(/would write a masked value over a real one/);
    }
    expect(stand.reached).toEqual([]);
    expect((await post('/other', 'application/json', '{"mail":"[masked:EMAIL]"}')).status).toBe(200);
    expect((await post('/other', 'application/json', '{"mail":"x"}', 'PUT')).status).toBe(200);
  });
});

test.each([
  ['application/x-www-form-urlencoded', 'mail=%5Bmasked%3AEMAIL%5D'],
  ['application/json', '{"mail":"\\u005bmasked:EMAIL]"}'],
  ['application/json', `{"mail":"${Buffer.from('[masked:EMAIL]').toString('base64')}"}`],
  ['application/json', `{"mail":"${Buffer.from('tok_abcdefghijklmnopqrst').toString('base64url')}"}`],
  ['application/xml', '<mail>&#91;masked:EMAIL]</mail>'],
])('a mark does not replace what it stands for, as %s %s', async (type, body) => {
  await open(answers('text/plain', 'done'));
  const put = (said: string): Promise<Response> =>
    get('/x', { method: 'PUT', headers: { 'Content-Type': type }, body: said });
  expect((await put(body)).status).toBe(403);
  expect(stand.reached).toEqual([]);
  expect((await put('{"mail":"%5Bx%5D \\u0041 &amp; W21hc2s="}')).status).toBe(200);
});

test('rules that read the text of the request have its body read', async () => {
  await open((_, response, body) => response.end(body.toString().split('').join('.')), {
    rules: `
    - { rule: sent, when: 'command.text.startsWith("POST /x")', mask: { detect: [email], request: true } }
    - { rule: shown, when: 'command.text == "PUT /x?a=1"', mask: { detect: [email] } }
    - { rule: two-eyes, when: 'command.text == "POST /held"', hold: { approvers: ["user:ada"], timeout: 1m } }
`,
  });
  const headers = { 'Content-Type': 'text/plain', Prefer: 'respond-async' };
  const post = await get('/x', { method: 'POST', headers, body: MAIL });
  expect((await post.text()).replaceAll('.', '')).toBe('[masked:EMAIL]');
  expect((await get('/x?a=1', { method: 'PUT', headers, body: '[masked:EMAIL]' })).status).toBe(403);
  expect((await get('/held', { method: 'POST', headers, body: 'x' })).status).toBe(202);
});

test.each([
  [204, {}],
  [202, { 'Content-Length': '0' }],
  [302, { 'Content-Length': '0', Location: '/svc/y' }],
])('%i without a body passes, whatever type it has', async (status, headers) => {
  await open((_, response) => response.writeHead(status, { 'Content-Type': 'text/html', ...headers }).end());
  const answer = await get('/users/1', { method: 'DELETE', redirect: 'manual' });
  expect([answer.status, await answer.text()]).toEqual([status, '']);
});

test('a header that is masked is masked as a trailer, whatever the body', async () => {
  await open(
    (_, response) => {
      response.writeHead(200, { 'Content-Type': 'image/png', Trailer: 'X-Owner' });
      response.write('x');
      response.addTrailers({ 'X-Owner': 'Ada' });
      response.end();
    },
    { rules: '\n    - { rule: owner, mask: { headers: [X-Owner] } }\n' },
  );
  const trailers = await new Promise((resolve, reject) => {
    httpGet(`${stand.url}/x`, { headers: { authorization: `Bearer ${stand.token}` } }, (answer) =>
      answer.resume().on('end', () => resolve(answer.trailers)),
    ).on('error', reject);
  });
  expect(trailers).toEqual({ 'x-owner': '[masked]' });
});

test('a coded body in small pieces reaches a client that is slow', async () => {
  const pieces = Array.from({ length: 12 }, () => `"${randomBytes(1_500).toString('hex')}${' '.repeat(900_000)}",`);
  await open((_, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.setHeader('Content-Encoding', 'gzip');
    const coder = createGzip();
    coder.pipe(response);
    const [first = '', ...others] = pieces;
    coder.write(`[${first}`);
    const next = (): void => {
      const piece = others.shift();
      if (piece === undefined) return void coder.end('1]');
      coder.write(piece);
      coder.flush(() => setTimeout(next, 20));
    };
    coder.flush(next);
  });
  const size = await new Promise<number>((resolve, reject) => {
    httpGet(`${stand.url}/x`, { headers: { authorization: `Bearer ${stand.token}` } }, (answer) => {
      let bytes = 0;
      setTimeout(() => {
        answer.on('data', (chunk: Buffer) => (bytes += chunk.length));
        answer.on('end', () => resolve(bytes));
      }, 1_000);
    }).on('error', reject);
  });
  expect(size).toBe(pieces.join('').length + 3);
});

test('the credential of the target is hidden beside masks', async () => {
  await open(
    (request, response) => {
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ seen: request.headers.authorization, mail: MAIL }));
    },
    { credential: '{ bearer: "k3y-of-the-service" }' },
  );
  expect(await (await get('/x')).text()).toBe('{"seen":"Bearer ******************","mail":"[masked:EMAIL]"}');
});

test('the credential is hidden beside masks also where it comes in two pieces', async () => {
  const secret = 'k3y-of-the-service-0123456789';
  await open(
    (_, response) => {
      response.setHeader('Content-Type', 'text/plain');
      response.write(`your key is ${secret.slice(0, 20)}`);
      setTimeout(() => response.end(`${secret.slice(20)}, ${MAIL}\n`), 300);
    },
    { credential: `{ bearer: "${secret}" }` },
  );
  expect(await (await get('/x')).text()).toBe(`your key is ${'*'.repeat(secret.length)}, [masked:EMAIL]\n`);
});
