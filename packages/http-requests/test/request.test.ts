import { createHash, createHmac } from 'node:crypto';
import type { HttpCommand } from '@sluice/contract';
import { threadCpuMs } from '@sluice/testkit/cpu';
import { describe, expect, test } from 'vitest';
import { BodyUnreadable } from '../src/body.js';
import { BodyRedactor } from '../src/body-redactor.js';
import { comparisonOf } from '../src/differences.js';
import { readJson } from '../src/json.js';
import { redactBody } from '../src/meaning.js';
import { OpenApi } from '../src/openapi.js';
import { compileTemplate, fit, readPath } from '../src/path.js';
import { isSecretHeader, isSecretName, markedWith, redactHead, redactQuery } from '../src/redact.js';
import { PLAIN_READING, Request } from '../src/request.js';
import { requestWritten } from '../src/written.js';

const request = (path: string, more: object = {}, reading = PLAIN_READING): Request =>
  requestWritten({ path, ...more }, reading).request;
const forbidden = (path: string, more: object = {}): string | undefined => request(path, more).facts().forbidden;

describe('a path', () => {
  test('is decoded once', () => {
    expect(readPath('/a%20b/%C3%A9')).toEqual({ path: '/a b/é', segments: ['a b', 'é'] });
  });

  test.each([
    '//a',
    '/a//b',
    '/./a',
    '/a/..',
    '/a/%2e%2e/b',
    '/a%2fb',
    '/a%5cb',
    '/a\\b',
    '/%252e',
    '/%2561',
    '/a;x/..;y/b',
    '/%00',
    '/%0a',
    '/%ff',
    '/%',
  ])('is refused where servers differ: %s', (path) => expect(readPath(path).fault).toBeDefined());

  test('left to the target is refused for what nobody means, and read in both ways by templates', () => {
    expect(readPath('/a%2fb', 'raw').fault).toBeUndefined();
    expect(readPath('/a%00', 'raw').fault).toBeDefined();
    const raw = { ...PLAIN_READING, paths: 'raw' } as const;
    const admin = compileTemplate('/admin/**');
    for (const path of ['/admin/x', '/x/..%2fadmin/x', '/x/../admin/x', '//admin', '/x/..%5cadmin', '/x/..;a/admin'])
      expect(request(path, {}, raw).parameters(admin), path).toBeDefined();
    expect(request('/group%2Fadmin', {}, raw).parameters(admin)).toBeUndefined();
    expect(request('/group%2Fadmin', {}, raw).segments).toEqual(['group/admin']);
  });

  test('gives parameters, whatever its case and end', () => {
    const users = compileTemplate('/users/{id}/keys');
    for (const path of ['/users/7/keys', '/Users/7/KEYS/', '/users/7;v=1/keys'])
      expect(request(path).parameters(users)).toEqual({ id: '7' });
    expect(request('/users/7').parameters(users)).toBeUndefined();
    expect(request('/users//keys').parameters(users)).toBeUndefined();
    expect(() => compileTemplate('users')).toThrow(/begins with a slash/);
    expect(() => compileTemplate('/a/{b')).toThrow(/whole segments/);
  });
});

describe('a suffix', () => {
  const fits = (template: string, path: string): unknown =>
    request(path).parameters(compileTemplate(template), 'alike');

  test.each(['.json', '.', '...', '.x.y', '%20', '%20.', '%2e', '.JSON/', '.json;v=1', ';v=1.json'])(
    'makes no difference where it is asked for so: /users/7/promote%s',
    (suffix) => {
      const path = `/users/7/promote${suffix}`;
      expect(fits('/users/{id}/promote', path)).toEqual({ id: '7' });
      if (!suffix.startsWith(';'))
        expect(request(path).parameters(compileTemplate('/users/{id}/promote'))).toBeUndefined();
    },
  );

  test('is none of a parameter', () => {
    expect(fits('/users/{id}', '/users/root.json')).toEqual({ id: 'root' });
    expect(fits('/users/{id}', '/users/a.b.json')).toEqual({ id: 'a.b' });
    expect(fits('/users/{id}', '/users/root.')).toEqual({ id: 'root' });
    expect(fits('/users/{id}', '/users/.json')).toEqual({ id: '.json' });
    expect(fits('/users/{id}/x', '/users/root.json/x')).toEqual({ id: 'root.json' });
  });

  test('is one only at the end of a path, behind a whole segment', () => {
    for (const path of ['/admins.json', '/admin-x.json', '/x/admin.json', '/admin.d/keys', '/.admin'])
      expect(fits('/admin/**', path), path).toBeUndefined();
    expect(fits('/', '/.json')).toBeUndefined();
    expect(fits('/admin/**', '/admin.json')).toEqual({});
  });

  test('of any length costs what its length does', () => {
    const cost = (size: number): number => {
      const segments = ['users', `${'. '.repeat(size)}x`];
      const template = compileTemplate('/users/{id}');
      const began = threadCpuMs();
      for (let n = 0; n < 20; n++) fit(template, segments, 'alike');
      return threadCpuMs() - began;
    };
    cost(50_000);
    expect(cost(200_000)).toBeLessThan(500);
  });
});

describe('another method than it is', () => {
  test.each([
    ['header', { method: 'POST', headers: ['X-HTTP-Method-Override: DELETE'] }],
    ['form', { method: 'POST', body: '_method=delete' }],
    ['form, as PHP names it', { method: 'POST', body: '.method=delete' }],
    ['form, with what PHP cuts off', { method: 'POST', body: '+_method%00x=delete' }],
    ['form, in letters of ASP.NET', { method: 'POST', body: '%u005fmethod=delete' }],
    ['form, of Salesforce', { method: 'POST', body: '_HttpMethod=DELETE' }],
    ['query, as Firebase has it', { method: 'POST', path: '/a?x-http-method-override=DELETE' }],
    ['query, behind a semicolon', { method: 'POST', path: '/a?x=1;_method=delete' }],
    [
      'a form in letters of another charset',
      {
        method: 'POST',
        headers: ['Content-Type: application/x-www-form-urlencoded; charset=ibm037'],
        body: '%6D%94%85%A3%88%96%84=x',
      },
    ],
    [
      'a form that is cut apart in several ways',
      { method: 'POST', headers: ['Content-Type: multipart/form-data; boundary=x'], body: 'y--x' },
    ],
    ['JSON that is none', { method: 'POST', headers: ['Content-Type: application/json'], body: "{'_method':'x'}" }],
    ['JSON, escaped', { method: 'POST', headers: ['Content-Type: application/json'], body: '{"\\u005fmethod":"x"}' }],
  ])('by %s is refused', (_, more: object) => expect(forbidden('/a', more)).toMatch(/another method/));

  test('and a body that is said to be two things', () => {
    const headers = ['Content-Type: text/plain', 'content-type: application/x-www-form-urlencoded'];
    expect(forbidden('/a', { method: 'POST', headers, body: 'a=b' })).toMatch(/twice/);
  });

  test('in an upload that is not read is not seen, where the connection says so', () => {
    const head = { method: 'POST', host: 'h', path: '/a', query: '', headers: [] };
    const upload = { type: 'stream', media: 'multipart/form-data; boundary=x', length: 9 } as const;
    expect(() => new Request(head, upload).facts()).toThrow(/has not been read/);
    expect(new Request(head, upload, '', { ...PLAIN_READING, uploads: 'stream' }).facts().forbidden).toBeUndefined();
  });
});

describe('what a server makes of a form or a query', () => {
  const body = (text: string, pointer = '/role'): readonly string[] =>
    request('/a', { method: 'POST', body: text }).bodyValues(pointer);

  test('is seen in what is wrongly encoded in one place', () => {
    expect(body('role=%61dmin%FF')).toEqual(['admin\ufffd']);
    expect(body('r%6fle%=x&r%6fle=%72m%zz')).toEqual(['rm%zz']);
    expect(body('role=é%61%FF')).toEqual(['éa\ufffd']);
    expect(request('/a?cmd=%72m+-rf%FF').queryValues('cmd')).toEqual(['rm -rf\ufffd']);
  });

  test('is seen by the names that PHP and ASP.NET give', () => {
    expect(body('is.admin=1', '/is_admin')).toEqual(['1']);
    expect(body('+role%00x=admin')).toEqual(['admin']);
    expect(body('r%u006fle=%u0061dmin')).toEqual(['admin']);
    expect(request('/a?is+admin=1').queryValues('is_admin')).toEqual(['1']);
    expect(request('/a?role[0]=admin&role[]=user').queryValues('role')).toEqual(['admin', 'user']);
    expect(body('roles=x&my.role=y')).toEqual([]);
  });

  test('is not read in a charset that a field of it names', () => {
    expect(() => body('_charset_=utf-7&role=+AGEAZABtAGkAbg-')).toThrow(/in a charset/);
    expect(body('_charset_=UTF-8&role=admin')).toEqual(['admin']);
  });
});

describe('GraphQL that names a document of the server', () => {
  const asked = (body: object): unknown =>
    request('/graphql', { method: 'POST', headers: ['Content-Type: application/json'], body: JSON.stringify(body) })
      .graphql;
  const query = '{ me }';
  const sha256Hash = createHash('sha256').update(query).digest('hex');

  test('beside one of its own is unknown, unless it is the same', () => {
    const persisted = (hash: string): object => ({
      query,
      extensions: { persistedQuery: { version: 1, sha256Hash: hash } },
    });
    expect(asked(persisted(sha256Hash))).toMatchObject([{ fields: ['me'] }]);
    for (const one of [persisted('0'.repeat(64)), { query, documentId: '7' }, { query, doc_id: 7 }])
      expect(asked(one), JSON.stringify(one)).toBeInstanceOf(BodyUnreadable);
  });

  test('is GraphQL also behind a dot', () => {
    const body = '{"query":"mutation { deleteAll }"}';
    expect(request('/api/graphql.json', { method: 'POST', body }).facts().actions[0]).toMatchObject({
      verb: 'mutation',
      effects: ['destroy'],
    });
  });
});

test('what a request would do follows its method, and what it switches to', () => {
  const effects = (method: string): readonly string[] | undefined =>
    request('/a', { method }).facts().actions[0]?.effects;
  expect(['GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE'].map(effects)).toEqual([
    ['read'],
    ['read'],
    ['read'],
    ['write'],
    ['write'],
    ['write'],
    ['destroy'],
  ]);
  expect(effects('PROPFIND')).toEqual(['unknown']);
  expect(request('/a', { upgrade: 'websocket' }).facts().actions[0]).toMatchObject({
    verb: 'websocket',
    effects: ['read', 'write'],
  });
  expect(forbidden('/a', { method: 'TRACE' })).toMatch(/do not pass/);
});

describe('a form that servers cut apart differently', () => {
  const PART = 'Content-Disposition: form-data; name="role"\r\n\r\nuser';
  const form = (head: string, type = 'multipart/form-data; boundary=x'): Request =>
    request('/a', {
      method: 'POST',
      headers: [`Content-Type: ${type}`],
      body: ['', `--x\r\n${PART}`, `--x\r\n${head}\r\n\r\nadmin`, '--x--\r\n'].join('\r\n').slice(2),
    });

  test('has a value where it is clear', () => {
    expect(form('Content-Disposition: form-data; name="other"; filename="a;b.txt"').bodyValue('/role')).toBe('user');
    expect(form('content-disposition:form-data;filename="C:\\a.txt";name=other;').bodyValue('/role')).toBe('user');
  });

  test.each([
    'form-data; x1="; a="; name="role"; x2="; name=other"',
    'form-data; x1="; a="; name="role"; x3="; b="; filename="b"; x2="; name=other"',
  ])('has the name that %s says, and not one within a value', (disposition) =>
    expect(() => form(`Content-Disposition: ${disposition}`).bodyValue('/role')).toThrow(/it has 2 of them/),
  );

  test.each([
    ['a quote behind a backslash', 'form-data; a="x\\"; name=role; c="; name="other"'],
    ['a name behind a backslash', 'form-data; name="ro\\le"'],
    ['a word of mail', 'form-data; name="=?utf-8?B?cm9sZQ==?="'],
    ['a name in pieces', 'form-data; name*0="ro"; name*1="le"'],
    ['a value without an end', 'form-data; name="other'],
    ['another head in it', 'form-data; name="other"; x="\nContent-Disposition: form-data; name=role; y="'],
    ['another end of its head', 'form-data; name="other"; x="\n\n'],
  ])('is not read with %s', (_, disposition) =>
    expect(() => form(`Content-Disposition: ${disposition}`).bodyValue('/role')).toThrow(/read the body/),
  );

  test('is not read with another boundary in pieces', () => {
    const read = () => form(PART, 'multipart/form-data; boundary=x; boundary*0=y').bodyValue('/role');
    expect(read).toThrow(/read the body/);
  });
});

test('a value of a body is found however it is spelled, and several are no one value', () => {
  const json = (body: string): Request => request('/a', { headers: ['Content-Type: application/json'], body });
  expect(json('{"r\\u006fle":"\\u0061"}').bodyValue('/role')).toBe('a');
  expect(json('{"a":{"b":[1,2.50]}}').bodyValues('/a/b/*')).toEqual(['1', '2.50']);
  expect(() => json('{"a":1,"a":2}').bodyValue('/a')).toThrow(/same name twice/);
  expect(() => json('{"a":1,"A":2}').bodyValue('/a')).toThrow(/2 of them/);
  expect(() => json('{"a":1} x').bodyValue('/a')).toThrow(/behind its JSON/);
  const form = request('/a', { body: 'user%5Brole%5D=x&b.c=y&d[]=z' });
  expect([form.bodyValue('/user/role'), form.bodyValue('/b/c'), form.bodyValue('/d')]).toEqual(['x', 'y', 'z']);
});

test('an OpenAPI document names operations', () => {
  const spec = new OpenApi({
    openapi: '3.1.0',
    paths: {
      '/users/{id}': { get: { operationId: 'getUser' }, delete: {} },
      '/users/me': { get: { operationId: 'me' } },
    },
  });
  const operation = (path: string, method = 'GET'): string =>
    request(path, { method }, { ...PLAIN_READING, spec }).operation;
  expect([operation('/users/7'), operation('/users/me'), operation('/users/7', 'DELETE'), operation('/x')]).toEqual([
    'getUser',
    'me',
    'DELETE /users/{id}',
    '',
  ]);
});

test('JSON of more values than anybody reads is none, in no time', () => {
  const text = `[${'[],'.repeat(8_000_000)}[]]`;
  const began = threadCpuMs();
  expect(() => readJson(text)).toThrow('has more than');
  expect(threadCpuMs() - began).toBeLessThan(2_000);
});

describe('secrets by name', () => {
  const mark = markedWith(Buffer.from('key'));

  test.each([
    ['application/json', (at: number) => `{"a":"${'x'.repeat(at)}","password":"hunter2 and, \\" more","b":"kept"}`],
    ['application/x-www-form-urlencoded', (at: number) => `a=${'x'.repeat(at)}&pass%77ord=hunter2&b=kept`],
  ])('are out of a body of %s that passes in pieces, wherever it is cut', (media, body) => {
    for (let at = 65_700; at < 65_810; at++) {
      const redactor = new BodyRedactor(media, mark);
      const bytes = Buffer.from(body(at));
      const pieces: Buffer[] = [];
      for (let from = 0; from < bytes.length; from += 997) pieces.push(redactor.push(bytes.subarray(from, from + 997)));
      const text = Buffer.concat([...pieces, redactor.flush()]).toString();
      expect(text, String(at)).not.toMatch(/hunter|ter2|more/);
      expect(text.length).toBeGreaterThan(at);
      expect(text).toContain('kept');
    }
  });

  test.each([1, 32, 64, 65, 200])('have a mark that is an HMAC under a key of %i bytes', (length) => {
    const key = Buffer.alloc(length, 'k');
    const digest = createHmac('sha256', key).update('secret').digest('hex');
    expect(markedWith(key)('secret')).toBe(`[secret ${digest.slice(0, 8)}]`);
  });

  test('are out of a text that is cut within an escape, or has one before a line break', () => {
    const body = '{"private_key":"BEGIN\\nMIIE\\nEND"}';
    for (let end = body.indexOf('BEGIN'); end <= body.length; end++)
      expect(redactBody(body.slice(0, end), 'application/json', mark)).not.toMatch(/BEGIN|MIIE/);
    expect(redactBody('{"password":"hunter\\\n2"}', 'application/json', mark)).not.toContain('hunter');
  });

  test.each(['"', '":"', '"a":', '"a" :"', '"\\', '\\', '"a":"\\"', '"token":"\\', `"a"${' '.repeat(300)}`])(
    'are looked for in no time: %s',
    (unit) => {
      const body = unit.repeat(Math.ceil((1024 * 1024) / unit.length));
      const began = threadCpuMs();
      redactBody(body, 'application/json', mark);
      const redactor = new BodyRedactor('application/json', mark);
      for (let from = 0; from < body.length; from += 65_536)
        redactor.push(Buffer.from(body.slice(from, from + 65_536)));
      expect(threadCpuMs() - began).toBeLessThan(6_000);
    },
  );

  test('a body that is full of secrets takes no time, and shows none of them', () => {
    const body = `{${'"token":"hunter2",'.repeat(500_000)}"a":"b"}`;
    const began = threadCpuMs();
    const text = redactBody(body, 'application/json', mark);
    expect(threadCpuMs() - began).toBeLessThan(2_000);
    expect(text).not.toContain('hunter2');
    expect(text).toMatch(/"token":"\[secret\]","a":"b"\}$/);
  });

  test('a secret that is longer than what is kept is left out whole', () => {
    const redactor = new BodyRedactor('application/json', mark);
    const bytes = Buffer.from(`{"token":"${'s'.repeat(300_000)}","b":"kept"}`);
    const pieces: Buffer[] = [];
    for (let from = 0; from < bytes.length; from += 10_000)
      pieces.push(redactor.push(bytes.subarray(from, from + 10_000)));
    const text = Buffer.concat([...pieces, redactor.flush()]).toString();
    expect(text).not.toContain('sss');
    expect(text).toContain('"b":"kept"');
  });

  test.each(['access_token', 'apiKey', 'api-key', 'client_secret', 'password', 'X-Auth-Token', 'sig', 'sessionId'])(
    '%s is one',
    (name) => expect(isSecretName(name)).toBe(true),
  );
  test.each(['author', 'tokens_used', 'passwords_changed', 'design', 'sigma', 'keyboard', 'page_count'])(
    '%s is none',
    (name) => expect(isSecretName(name)).toBe(false),
  );

  test('are out of queries, heads and addresses in them, and equal ones look the same', () => {
    expect(redactQuery('a=1&access%5Ftoken=x&token=x', mark)).toMatch(
      /^a=1&access%5Ftoken=(\[secret \w{8}\])&token=\1$/,
    );
    const head = redactHead(
      'HTTP/1.1 302 Found\r\nSet-Cookie: s=1\r\nLocation: /cb?code=1&token=x#id_token=y\r\nServer: x',
      mark,
    );
    expect(head).not.toMatch(/s=1|token=x|id_token=y/);
    expect(head).toContain('code=1');
    expect(head).toContain('Server: x');
    expect(isSecretHeader('COOKIE')).toBe(true);
  });
});

test.each([
  ['application/x-www-form-urlencoded', `password=hunter2${'x'.repeat(700)}&c=d`],
  ['application/json', `{"password"${' '.repeat(700)}:"hunter2"}`],
])('a secret of %s is found wherever the body is cut', (media, body) => {
  for (let cut = 1; cut < body.length; cut++) {
    const redactor = new BodyRedactor(media, () => '***');
    const pieces = [redactor.push(Buffer.from(body.slice(0, cut))), redactor.push(Buffer.from(body.slice(cut)))];
    expect(Buffer.concat([...pieces, redactor.flush()]).toString()).not.toMatch(/hunt|ter2/);
  }
});

test('bytes without fields are written down as they come', () => {
  const bytes = Buffer.from('message');
  expect(new BodyRedactor('application/grpc+proto', () => '***').push(bytes)).toEqual(bytes);
});

describe('how one request differs from another', () => {
  const command = (path: string, text = '{}'): HttpCommand => ({
    type: 'request',
    id: 1,
    text: '',
    method: 'POST',
    host: 'api',
    path,
    query: '',
    headers: [],
    body: { type: 'whole', media: 'application/json', bytes: Buffer.from(text) },
  });
  const shape = (path: string): string | undefined => comparisonOf(command(path), '')?.shape;
  const differences = (before: string, now: string): readonly string[] =>
    comparisonOf(command('/a'), `POST api/a\n\n${now}`)?.differences(`POST api/a\n\n${before}`) ?? [];

  test('is about requests whose paths differ in what stands for one of many', () => {
    expect(shape('/users/7/pay')).toBe(shape('/users/81b2/pay'));
    expect(shape('/v1/users/7')).not.toBe(shape('/v2/users/7'));
    expect(shape('/users/7')).not.toBe(shape('/orders/7'));
  });

  test.each([
    ['{"a":1}', '{"a":1}', []],
    ['{"a":[1,2]}', '{"a":[1]}', ['- /a/1: 2']],
    ['{"a":[]}', '{"a":{}}', ['- /a: []', '+ /a: {}']],
    ['{"a/b":null}', '{"a/b":"null"}', ['- /a~1b: null', '+ /a~1b: "null"']],
    ['a\na\nb', 'a\nb\nb', ['- a', '+ b']],
    ['{"a":1}', 'a=1', ['- /a: 1', '+ a=1']],
    ['a', '', ['- a']],
  ])('%s and %s', (before, now, lines) => {
    expect(differences(before, now)).toEqual(lines);
  });

  test('is bounded, and found in no time', () => {
    const many = differences('', Array.from({ length: 500 }, (_, n) => `line ${n}`).join('\n'));
    expect([many.length, many.at(-1)]).toEqual([41, 'and 460 more']);
    expect(differences('', 'x'.repeat(10_000))[0]?.length).toBeLessThan(400);
    const began = threadCpuMs();
    differences('a\n'.repeat(8_000), 'b\n'.repeat(8_000));
    expect(threadCpuMs() - began).toBeLessThan(1_000);
  });
});
