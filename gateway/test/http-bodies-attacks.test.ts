/**
 * Ways around masks in bodies by HTTP that are no form of a value (fixtures/guardrails/bodies has those): what else is true of a body as its target
 * has it, and names and fields in another charset.
 */
import { type IncomingMessage, type ServerResponse, request as ask } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HttpStand, openHttpStand } from './http-stand.js';

let stand: HttpStand;
let serve: (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;
beforeAll(async () => {
  stand = await openHttpStand({
    serve: (...all) => serve(...all),
    rules: `
    - { rule: places, when: 'path("/places")', mask: { json: ["**/größe"] } }
    - { rule: found, when: 'path("/found")', mask: { detect: [email] } }
    - { rule: sent, when: 'path("/sent")', mask: { detect: [email], request: true } }
    - { rule: requests, when: 'true', allow: true }`,
  });
});
afterAll(() => stand.stop());

interface Got {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly trailers: IncomingMessage['trailers'];
  readonly body: string;
}

const send = (path: string, headers: Record<string, string> = {}, method = 'GET', body = ''): Promise<Got> =>
  new Promise((resolve, reject) => {
    const all = { ...headers, authorization: `Bearer ${stand.token}` };
    const sent = ask(`${stand.url}${path}`, { method, headers: all }, (answer) => {
      let text = '';
      answer.setEncoding('latin1').on('data', (piece: string) => (text += piece));
      answer.on('end', () => {
        const { statusCode: status = 0, trailers } = answer;
        resolve({ status, headers: answer.headers, trailers, body: text });
      });
    });
    sent.on('error', reject).end(body);
  });

const SUMS = [
  'content-md5',
  'digest',
  'content-digest',
  'repr-digest',
  'x-amz-checksum-sha256',
  'x-amz-content-sha256',
  'x-goog-hash',
  'x-goog-stored-content-length',
  'x-ms-content-crc64',
  'x-checksum-sha1',
  'docker-content-digest',
  'oc-checksum',
  'x-linked-etag',
];

describe('what is true of the body that the target has', () => {
  test.each(['/found', '/places'])('is neither in the head nor in the trailers of a masked one: %s', async (path) => {
    serve = (_, response) => {
      response.writeHead(200, {
        'Content-Type': 'application/json',
        'X-Commit-Sha': 'kept',
        ...Object.fromEntries(SUMS.map((name) => [name, 'sum'])),
      });
      response.write('{"a":"ada@example.com","größe":1}');
      response.addTrailers({ ...Object.fromEntries([...SUMS, 'ETag'].map((name) => [name, 'sum'])), 'X-Rows': '1' });
      response.end();
    };
    const { headers, trailers } = await send(path, { te: 'trailers' });
    for (const name of SUMS) expect(headers).not.toHaveProperty(name);
    expect(headers).toHaveProperty('x-commit-sha', 'kept');
    expect(trailers).toEqual({ 'x-rows': '1' });
    const plain = await send('/plain', { te: 'trailers' });
    expect(Object.keys(plain.trailers)).toEqual([...SUMS, 'etag', 'x-rows']);
    for (const name of SUMS) expect(plain.headers).toHaveProperty(name, 'sum');
  });

  test('is not asked by a condition of WebDAV', async () => {
    serve = (request, response) => {
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify(request.headers.if ?? 'none'));
    };
    const headers = { If: '(["guessed"])' };
    expect((await send('/found', headers)).body).toBe('"none"');
    expect((await send('/plain', headers)).body).toBe('"([\\"guessed\\"])"');
    // What writes must not, where it does not hold.
    expect((await send('/found', headers, 'PUT', '{}')).body).toBe('"([\\"guessed\\"])"');
  });

  test('does not go to the target with a body that is masked on its way', async () => {
    serve = (request, response, body) => response.end(JSON.stringify([Object.keys(request.headers), String(body)]));
    const sums = Object.fromEntries(SUMS.map((name) => [name, 'sum']));
    const [names, body] = JSON.parse(
      (await send('/sent', { 'Content-Type': 'application/json', ...sums }, 'POST', '{"a":"ada@example.com"}')).body,
    ) as [string[], string];
    expect(body).toBe('{"a":"[masked:EMAIL]"}');
    expect(names.filter((name) => SUMS.includes(name))).toEqual([]);
  });
});

describe('in another charset', () => {
  const latin = (text: string): Buffer => Buffer.from(text, 'latin1');
  const part = (head: string, value: Buffer): Buffer =>
    Buffer.concat([latin(`--b\r\n${head}\r\n\r\n`), value, latin('\r\n--b--\r\n')]);
  const form = 'multipart/form-data; boundary=b';
  const named = 'Content-Disposition: form-data; name="größe"';
  const answers = (type: string, body: Buffer): void => {
    serve = (_, response) => {
      response.setHeader('Content-Type', type);
      response.end(body);
    };
  };

  test.each([
    ['text/csv; charset=iso-8859-1', latin('größe,n\r\nHIDDEN,1\r\n')],
    ['text/csv', latin('n,"größe"\r\n1,HIDDEN\r\n')],
    ['text/xml', latin('<?xml version="1.0" encoding="ISO-8859-1"?><a><größe>HIDDEN</größe></a>')],
    ['application/xml', latin('<?xml version="1.0" encoding="ISO-8859-1"?><a größe="HIDDEN"/>')],
    ['application/x-www-form-urlencoded', latin('n=1&gr%F6%DFe=HIDDEN')],
    [form, part(named, latin('HIDDEN'))],
  ])('a name that may be one to mask does not pass: %s', async (type, body) => {
    answers(type, body);
    const got = await send('/places');
    expect(got.body).not.toContain('HIDDEN');
    expect(got.body).toContain('has a name that is no UTF-8 text, and may be one to mask');
  });

  test.each([
    ['text/csv; charset=utf-8', Buffer.from('größe,n\r\nHIDDEN,1\r\n')],
    ['text/xml', Buffer.from('<a größe="HIDDEN"><größe>HIDDEN</größe></a>')],
    ['application/x-www-form-urlencoded', Buffer.from('n=1&gr%C3%B6%C3%9Fe=HIDDEN')],
    [form, part(Buffer.from(named).toString('latin1'), latin('HIDDEN'))],
  ])('and in UTF-8 it is masked: %s', async (type, body) => {
    answers(type, body);
    const got = await send('/places');
    expect([got.status, got.body.includes('HIDDEN')]).toEqual([200, false]);
    expect(decodeURIComponent(got.body)).toContain('[masked]');
  });

  test.each([
    ['says so', part('Content-Disposition: form-data; name=a\r\nContent-Type: text/plain; charset=utf-16le', wide())],
    ['has a mark that says so', part('Content-Disposition: form-data; name=a', wide('\ufeff'))],
    ['has zeros that say so', part('Content-Disposition: form-data; name=a', wide())],
    [
      'is said so by another',
      Buffer.concat([
        latin('--b\r\nContent-Disposition: form-data; name="_charset_"\r\n\r\nutf-16le\r\n'),
        part('Content-Disposition: form-data; name=a', latin('x')),
      ]),
    ],
  ])('a field of a form that %s does not pass', async (_, body) => {
    answers(form, body);
    expect((await send('/found')).body).toMatch(/in a charset that is not read here/);
  });
});

function wide(mark = ''): Buffer {
  return Buffer.from(`${mark}ada@example.com`, 'utf16le');
}
