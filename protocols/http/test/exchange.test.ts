/** One request after the other by HTTP/1.1: what passes, what is refused, and what each side gets of it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { processCpuMs } from '@sluice/testkit/cpu';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ALLOW, AUTH, OTHER_TOKEN, RawClient, Rig, TOKEN, listening, rawTarget, until } from './rig.js';

let rig: Rig;
let server: Server;
let serve: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  serve = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (bytes: Buffer) => chunks.push(bytes));
    request.on('end', () => {
      const { method, url, rawHeaders, rawTrailers } = request;
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify({ method, url, rawHeaders, rawTrailers, body: Buffer.concat(chunks).toString() }));
    });
  };
  server = createServer((request, response) => serve(request, response));
  rig = await Rig.open(await listening(server));
});

afterEach(async () => {
  await rig.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const authorized = { authorization: `Bearer ${TOKEN}` };
const seen = async (answer: Response): Promise<{ method: string; url: string; rawHeaders: string[]; body: string }> =>
  (await answer.json()) as never;

describe('what passes', () => {
  test('a GET arrives without the proof and without the prefix, with its headers as they were', async () => {
    const client = await RawClient.to(rig.port);
    client.write(
      `GET /svc/a%20b?x=1&x=2 HTTP/1.1\r\nHost: gw\r\nX-One: 1\r\nx-one: 2\r\n${AUTH}\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n`,
    );
    const text = await client.until(/\}$/);
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    const { method, url, rawHeaders } = JSON.parse(text.slice(text.indexOf('{'))) as {
      method: string;
      url: string;
      rawHeaders: string[];
    };
    expect({ method, url }).toEqual({ method: 'GET', url: '/a%20b?x=1&x=2' });
    expect(rawHeaders).toEqual(['Host', rig.target.authority, 'X-One', '1', 'x-one', '2']);
    const [command] = rig.stay().commands;
    expect(command).toMatchObject({
      method: 'GET',
      host: 'gw',
      path: '/a%20b',
      query: 'x=1&x=2',
      text: 'GET /a%20b?x=1&x=2',
      body: { type: 'none' },
    });
    client.socket.destroy();
  });

  test('a body of known length and one in chunks', async () => {
    const first = await fetch(`${rig.url}/up`, { method: 'POST', headers: authorized, body: 'hello' });
    expect(await seen(first)).toMatchObject({ method: 'POST', url: '/up', body: 'hello' });
    const stream = new ReadableStream({
      async start(controller) {
        for (const part of ['one ', 'two ', 'three']) {
          controller.enqueue(Buffer.from(part));
          await sleep(5);
        }
        controller.close();
      },
    });
    const second = await fetch(`${rig.url}/up`, {
      method: 'POST',
      headers: authorized,
      body: stream,
      duplex: 'half',
    } as RequestInit);
    expect((await seen(second)).body).toBe('one two three');
    expect(rig.stay().recorded('request', 1)).toBe('hello');
    expect(rig.stay().recorded('request', 2)).toBe('one two three');
    expect(rig.stay().dials).toBe(1);
  });

  test('the answer is on record as the client got it', async () => {
    serve = (_request, response) => {
      response.writeHead(201, 'Made', { 'X-Answer': 'a', Connection: 'keep-alive' });
      response.end('body of it');
    };
    const answer = await fetch(`${rig.url}/x`, { headers: authorized });
    expect([answer.status, answer.statusText, await answer.text()]).toEqual([201, 'Made', 'body of it']);
    const stay = rig.stay();
    await until(() => stay.ended() !== undefined);
    expect(stay.recorded('head')).toMatch(/^HTTP\/1\.1 201 Made\r\nX-Answer: a\r\n[^]*\r\n\r\n$/);
    expect(stay.recorded('out')).toBe('body of it');
    expect(stay.ended()).toMatchObject({ outcome: 'ok', summary: '201 Created', bytes: 10 });
  });

  test('an answer that is whole at once is one record, and one that comes in pieces has them as they come', async () => {
    const kinds = (command: number): string[] =>
      rig.stay().events.flatMap((event): string[] => {
        if (event.command !== command) return [];
        if (event.type === 'part') return [`part ${event.stream}`];
        return [`end of ${(event.parts ?? []).map(({ stream }) => stream).join(' and ')}`];
      });
    serve = (_request, response) => response.end('all of it');
    expect(await (await fetch(`${rig.url}/x`, { headers: authorized })).text()).toBe('all of it');
    await until(() => rig.stay().ended(1) !== undefined);
    expect(kinds(1)).toEqual(['end of head and out']);

    let rest: (() => void) | undefined;
    serve = (_request, response) => {
      response.write('one');
      rest = () => response.end('two');
    };
    const answer = await fetch(`${rig.url}/x`, { headers: authorized });
    // What the client has is on record, whatever becomes of the rest.
    expect(kinds(2)).toEqual(['part head', 'part out']);
    rest?.();
    expect(await answer.text()).toBe('onetwo');
    await until(() => rig.stay().ended(2) !== undefined);
    expect(kinds(2)).toEqual(['part head', 'part out', 'part out', 'end of ']);

    const large = 'x'.repeat(200_000);
    serve = (_request, response) => response.end(large);
    expect(await (await fetch(`${rig.url}/x`, { headers: authorized })).text()).toBe(large);
    await until(() => rig.stay().ended(3) !== undefined);
    expect(kinds(3).at(0)).toBe('part head');
    expect(rig.stay().recorded('out', 3)).toBe('x'.repeat(64 * 1024));
    expect(rig.stay().ended(3)).toMatchObject({ bytes: 200_000, bodies: { answer: { bytes: 200_000 } } });
  });

  test('nothing of an answer passes that cannot be recorded', async () => {
    serve = (_request, response) => {
      rig.isRecording = false;
      response.end('not on record');
    };
    const answer = await fetch(`${rig.url}/x`, { headers: authorized });
    const text = await answer.text();
    expect(answer.status).toBe(503);
    expect(text).toContain('record');
    expect(text).not.toContain('not on record');
  });

  test('50 requests in one write are answered in order while the third is held', async () => {
    let release: (() => void) | undefined;
    rig.judge = ({ path }) => (path === '/3' ? new Promise((resolve) => (release = () => resolve(ALLOW))) : ALLOW);
    const client = await RawClient.to(rig.port);
    client.write(
      Array.from({ length: 50 }, (_, n) => `GET /svc/${n + 1} HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\n\r\n`).join(''),
    );
    await client.until(/"url":"\/2"/);
    await sleep(50);
    expect(client.text).not.toContain('"/3"');
    release?.();
    await client.until(/"url":"\/50"/);
    const order = Array.from(client.text.matchAll(/"url":"\/(\d+)"/g), ([, n]) => Number(n));
    expect(order).toEqual(Array.from({ length: 50 }, (_, n) => n + 1));
    client.socket.destroy();
  });

  test('two principals alternate on one connection, and each has connections of its own to the target', async () => {
    const client = await RawClient.to(rig.port);
    for (const [n, token] of [TOKEN, OTHER_TOKEN, TOKEN, OTHER_TOKEN].entries()) {
      client.write(`GET /svc/${n} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer ${token}\r\n\r\n`);
      await client.until(new RegExp(`"url":"/${n}"`));
    }
    expect(rig.stay('alice').commands.map(({ path }) => path)).toEqual(['/0', '/2']);
    expect(rig.stay('bob').commands.map(({ path }) => path)).toEqual(['/1', '/3']);
    expect([rig.stay('alice').dials, rig.stay('bob').dials]).toEqual([1, 1]);
    client.socket.destroy();
  });

  test('a half-closed client gets its answer', async () => {
    serve = (_request, response) => void setTimeout(() => response.end('late'), 100);
    const client = await RawClient.to(rig.port);
    client.write(`GET /svc/x HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\n\r\n`);
    client.socket.end();
    expect(await client.until(() => client.ended)).toMatch(/late/);
  });

  test('trailers pass both ways, but for those that frame', async () => {
    serve = (request, response) => {
      request.resume();
      request.on('end', () => {
        response.writeHead(200, { Trailer: 'X-Sum' });
        response.write('body');
        response.addTrailers({ 'X-Sum': String(request.trailers['x-in']), Location: '/elsewhere' } as never);
        response.end();
      });
    };
    const client = await RawClient.to(rig.port);
    client.write(
      `POST /svc/x HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: X-In\r\n\r\n2\r\nhi\r\n0\r\nX-In: 7\r\nCookie: a=b\r\n\r\n`,
    );
    const text = await client.until(/0\r\n[^]*\r\n\r\n$/);
    expect(text).toMatch(/\r\n0\r\nX-Sum: 7\r\n\r\n$/);
    client.socket.destroy();
  });

  test('Expect: the body is asked for by the target, and a refused one is never read', async () => {
    const client = await RawClient.to(rig.port);
    client.write(`PUT /svc/x HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n`);
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    client.write('abc');
    expect(await client.until(/\}$/)).toContain('"body":"abc"');
    client.socket.destroy();
    rig.judge = () => ({ type: 'deny', rule: 'none', message: 'No uploads.' });
    const second = await RawClient.to(rig.port);
    second.write(`PUT /svc/x HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n`);
    const text = await second.until(() => second.ended);
    expect(text).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(text).toMatch(/Connection: close/);
    expect(text).not.toContain('100 Continue');
  });

  test('early hints pass, and what nobody asked for does not', async () => {
    serve = (_request, response) => {
      response.writeProcessing();
      response.writeEarlyHints({ link: '</a.css>; rel=preload' });
      response.end('x');
    };
    const client = await RawClient.to(rig.port);
    client.write(`GET /svc/x HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\n\r\n`);
    const text = await client.until(/200 OK/);
    expect(text).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK/);
    client.socket.destroy();
  });

  test('HTTP/1.0 gets its answer without chunks, and the end of the connection ends it', async () => {
    serve = (_request, response) => {
      response.write('one ');
      setTimeout(() => response.end('two'), 20);
    };
    const client = await RawClient.to(rig.port);
    client.write(`GET /svc/x HTTP/1.0\r\nHost: gw\r\n${AUTH}\r\n\r\n`);
    const text = await client.until(() => client.ended);
    expect(text).toMatch(/^HTTP\/1\.1 200 OK[^]*Connection: close\r\n\r\none two$/);
  });

  test('an answer to HTTP/1.0 that the target breaks off ends in a reset, and not as if it were whole', async () => {
    serve = (_request, response) => {
      response.writeHead(200, { 'Content-Length': '100' });
      response.write('half');
      setTimeout(() => response.destroy(), 50);
    };
    const client = await RawClient.to(rig.port);
    client.write(`GET /svc/x HTTP/1.0\r\nHost: gw\r\n${AUTH}\r\n\r\n`);
    await client.until(/half/);
    // It had a length: that tells already.
    await client.until(() => client.closed);
    serve = (_request, response) => {
      response.write('half');
      setTimeout(() => response.destroy(), 50);
    };
    const second = await RawClient.to(rig.port);
    const reset = new Promise<NodeJS.ErrnoException>((resolve) => second.socket.once('error', resolve));
    second.write(`GET /svc/x HTTP/1.0\r\nHost: gw\r\n${AUTH}\r\n\r\n`);
    await second.until(/half/);
    expect((await reset).code).toBe('ECONNRESET');
  });

  test('a defect of ours costs one request, and not the process', async () => {
    const answer = (): never => {
      throw new Error('a defect');
    };
    rig.judge = ({ path }) => (path === '/bad' ? ({ ...ALLOW, type: 'allow', http: { answer } } as never) : ALLOW);
    expect((await fetch(`${rig.url}/bad`, { headers: authorized })).status).toBe(502);
    expect((await fetch(`${rig.url}/good`, { headers: authorized })).status).toBe(200);
    expect(rig.broke.join()).toContain('a defect');
  });

  test('HEAD, 204 and 304 have no body, whatever they announce', async () => {
    serve = (request, response) => {
      if (request.url === '/304') response.writeHead(304, { 'Content-Length': '100', ETag: '"x"' });
      else
        response.writeHead(
          request.url === '/204' ? 204 : 200,
          request.url === '/204' ? {} : { 'Content-Length': '100' },
        );
      response.end();
    };
    const client = await RawClient.to(rig.port);
    for (const [method, path] of [
      ['HEAD', 'h'],
      ['GET', '204'],
      ['GET', '304'],
      ['HEAD', 'again'],
    ])
      client.write(`${method} /svc/${path} HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\n\r\n`);
    await client.until(() => (client.text.match(/HTTP\/1\.1 /g)?.length ?? 0) === 4);
    client.socket.destroy();
  });
});

describe('what is refused', () => {
  test('without a proof, with a wrong one, and at a route that is none: the same answer', async () => {
    const ask = async (path: string, headers: Record<string, string>): Promise<[number, string | null, string]> => {
      const answer = await fetch(`http://127.0.0.1:${rig.port}${path}`, { headers });
      return [answer.status, answer.headers.get('www-authenticate'), await answer.text()];
    };
    const none = await ask('/svc/x', {});
    expect(none[0]).toBe(401);
    expect(none[1]).toContain('Bearer realm="sluice"');
    expect(await ask('/svc/x', { authorization: 'Bearer wrong' })).toEqual(none);
    expect(await ask('/nowhere', { authorization: 'Bearer wrong' })).toEqual(none);
    const [status, , body] = await ask('/nowhere', authorized);
    expect(status).toBe(404);
    expect(JSON.parse(body)).toMatchObject({ connections: ['svc'] });
  });

  test('every place of a proof reaches the same principal, and none goes on', async () => {
    const basic = `Basic ${Buffer.from(`any:${TOKEN}`).toString('base64')}`;
    for (const headers of [
      authorized,
      { authorization: basic },
      { 'sluice-token': TOKEN },
      { 'x-api-key': TOKEN },
      { 'api-key': TOKEN },
    ]) {
      const answer = await fetch(`${rig.url}/x`, { headers: headers as Record<string, string> });
      const { rawHeaders } = await seen(answer);
      expect(rawHeaders.join('\n')).not.toMatch(/token-A|authorization|api-key|sluice/i);
    }
    expect(rig.stay('alice').commands).toHaveLength(5);
    expect(JSON.stringify(rig.stay('alice').commands)).not.toContain(TOKEN);
  });

  test('a page of another origin, where a browser proves by itself who its user is', async () => {
    const basic = { authorization: `Basic ${Buffer.from(`any:${TOKEN}`).toString('base64')}` };
    const status = async (headers: Record<string, string>): Promise<number> => {
      const client = await RawClient.to(rig.port);
      const lines = Object.entries(headers).map((one) => `${one.join(': ')}\r\n`);
      client.write(`POST /svc/x HTTP/1.1\r\nHost: gw\r\n${lines.join('')}Content-Length: 0\r\n\r\n`);
      await client.until(/\r\n\r\n/);
      client.socket.destroy();
      return Number(client.text.slice(9, 12));
    };
    expect(await status({ ...basic, origin: 'https://evil.example' })).toBe(403);
    expect(await status({ ...basic, 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await status({ ...basic, origin: 'https://gw' })).toBe(200);
    expect(await status({ ...basic })).toBe(200);
    expect(await status({ ...authorized, origin: 'https://evil.example' })).toBe(200);
  });

  test('a preflight has its answer where the page is named, and a 401 where it is not', async () => {
    const own = await Rig.open(1, { target: { origins: ['https://app.example'] } });
    const ask = async (port: number, path: string, origin: string): Promise<string> => {
      const client = await RawClient.to(port);
      client.write(
        `OPTIONS ${path} HTTP/1.1\r\nHost: gw\r\nOrigin: ${origin}\r\nAccess-Control-Request-Method: DELETE\r\nAccess-Control-Request-Headers: authorization\r\n\r\n`,
      );
      const head = await client.until(/\r\n\r\n/);
      client.socket.destroy();
      return head;
    };
    try {
      const answer = await ask(own.port, '/svc/x', 'https://app.example');
      for (const line of [
        'HTTP/1.1 204 No Content',
        'Access-Control-Allow-Origin: https://app.example',
        'Access-Control-Allow-Credentials: true',
        'Access-Control-Allow-Methods: DELETE',
        'Access-Control-Allow-Headers: authorization',
      ])
        expect(answer.split('\r\n')).toContain(line);
      expect(await ask(own.port, '/svc/x', 'https://evil.example')).toMatch(/^HTTP\/1.1 401/);
      expect(await ask(own.port, '/none/x', 'https://app.example')).toMatch(/^HTTP\/1.1 401/);
      expect(await ask(rig.port, '/svc/x', 'https://app.example')).toMatch(/^HTTP\/1.1 401/);
      expect(own.stays.size).toBe(0);
    } finally {
      await own.close();
    }
  });

  test('proofs that differ, and a proof in the query', async () => {
    const differ = await fetch(`${rig.url}/x`, { headers: { ...authorized, 'x-api-key': OTHER_TOKEN } });
    expect(differ.status).toBe(401);
    const query = await fetch(`${rig.url}/x?access_token=${TOKEN}`, { headers: authorized });
    expect(query.status).toBe(400);
    expect(rig.stays.get('alice')?.commands ?? []).toEqual([]);
  });

  test('by a rule, in problem details that a program can read', async () => {
    rig.judge = () => ({ type: 'deny', rule: 'no-delete', message: 'Nobody deletes here.', hint: 'Ask ops.' });
    const answer = await fetch(`${rig.url}/x`, { method: 'DELETE', headers: authorized });
    expect(answer.status).toBe(403);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.headers.get('sluice-command')).toBe('1');
    expect(await answer.json()).toEqual({
      type: 'urn:sluice:problem:refused',
      title: 'Forbidden',
      status: 403,
      detail: 'Nobody deletes here.',
      hint: 'Ask ops.',
      rule: 'no-delete',
      command: 1,
    });
  });

  test('a request that waits for people: later, with the number; as the client prefers', async () => {
    const waits: (number | undefined)[] = [];
    rig.judge = (_command, waiter) => {
      waits.push(waiter?.maxWaitMs);
      return {
        type: 'deny',
        rule: 'ask',
        message: 'x',
        reason: { code: 'approval-needed', request: 7, approvers: 'one of ops' },
      };
    };
    const plain = await fetch(`${rig.url}/x`, { method: 'DELETE', headers: authorized });
    expect([plain.status, plain.headers.get('retry-after'), plain.headers.get('sluice-request')]).toEqual([
      403,
      '30',
      '7',
    ]);
    expect(await plain.json()).toMatchObject({ type: 'urn:sluice:problem:approval-needed', request: 7 });
    const answered = await fetch(`${rig.url}/x`, {
      method: 'DELETE',
      headers: { ...authorized, prefer: 'respond-async' },
    });
    expect([answered.status, answered.headers.get('location')]).toEqual([202, '/.sluice/requests/7']);
    await fetch(`${rig.url}/x`, { method: 'DELETE', headers: { ...authorized, prefer: 'wait=10' } });
    await fetch(`${rig.url}/x`, { method: 'DELETE', headers: { ...authorized, prefer: 'wait=9999' } });
    expect(waits).toEqual([45_000, 0, 10_000, 45_000]);
  });

  test('a client that hangs up while it waits is known to have gone', async () => {
    let gone: unknown;
    rig.judge = (_command, waiter) =>
      new Promise((resolve) => {
        waiter?.signal.addEventListener('abort', () => {
          gone = waiter.signal.reason;
          resolve({ type: 'deny', rule: 'ask', message: 'gone' });
        });
      });
    const client = await RawClient.to(rig.port);
    client.write(`DELETE /svc/x HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\n\r\n`);
    await until(() => rig.stay().commands.length === 1);
    client.socket.destroy();
    await until(() => gone !== undefined);
    expect(gone).toBe('gone');
  });

  test('paths and headers that servers read in different ways', async () => {
    const bad = [
      '/svc/a%2fb',
      '/svc/../x',
      '/svc/a//b',
      '/svc/%2e%2e/x',
      '/svc/a%00',
      '/svc/a%5cb',
      '/svc/a;x/..;/b',
      '/svc/%zz',
    ];
    for (const path of bad) {
      const client = await RawClient.to(rig.port);
      client.write(`GET ${path} HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\nConnection: close\r\n\r\n`);
      expect(await client.until(() => client.ended), path).toMatch(/^HTTP\/1\.1 400 /);
    }
    for (const name of ['X-HTTP-Method-Override: DELETE', 'X-Method-Override: DELETE', 'Connection: authorization']) {
      const client = await RawClient.to(rig.port);
      client.write(`POST /svc/x HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\n${name}\r\nContent-Length: 0\r\n\r\n`);
      expect(await client.until(/\r\n\r\n/), name).toMatch(/^HTTP\/1\.1 400 /);
      client.socket.destroy();
    }
    // They are on record, and have been nowhere else.
    const { commands = [] } = rig.stays.get('alice') ?? {};
    expect(commands.length).toBe(bad.length + 3);
    expect(commands.filter(({ fault }) => fault === undefined)).toEqual([]);
  });
});

test("the gateway's own paths: small bodies, none, and one that is too long", async () => {
  rig.own = ({ method, path, query, body, proofs }) =>
    Promise.resolve({
      status: 200,
      headers: [['Content-Type', 'text/plain']],
      body: `${method} ${path} ${query} ${Buffer.from(body).toString()} ${proofs.length}`,
    });
  const ask = async (body?: BodyInit): Promise<[number, string]> => {
    const url = `http://127.0.0.1:${rig.port}/.sluice/token?a=b`;
    const answer = await fetch(url, { method: 'POST', headers: authorized, ...(body !== undefined && { body }) });
    return [answer.status, await answer.text()];
  };
  expect(await ask()).toEqual([200, 'POST /.sluice/token a=b  1']);
  expect(await ask('x=y')).toEqual([200, 'POST /.sluice/token a=b x=y 1']);
  expect((await ask(Buffer.alloc(100_000)))[0]).toBe(413);
});

describe('bodies that rules read', () => {
  test('are read before the verdict, decoded, and go on as they were judged', async () => {
    rig.needsBody = () => true;
    const { gzipSync } = await import('node:zlib');
    const answer = await fetch(`${rig.url}/x`, {
      method: 'POST',
      headers: { ...authorized, 'content-encoding': 'gzip', 'content-type': 'application/json' },
      body: gzipSync('{"a":1}'),
    });
    const { body, rawHeaders } = await seen(answer);
    expect(body).toBe('{"a":1}');
    expect(rawHeaders.join('\n')).not.toMatch(/content-encoding/i);
    const [command] = rig.stay().commands;
    expect(command?.body).toMatchObject({ type: 'whole', media: 'application/json' });
    expect(command?.body.type === 'whole' && Buffer.from(command.body.bytes).toString()).toBe('{"a":1}');
  });

  test('a longer one is asked about unread, and its bytes do not go on before the verdict', async () => {
    rig.needsBody = () => true;
    rig.judge = ({ body }) =>
      body.type === 'stream'
        ? { type: 'deny', rule: 'gateway', message: 'too long', reason: { code: 'body-too-long', limit: 65536 } }
        : ALLOW;
    const answer = await fetch(`${rig.url}/x`, { method: 'POST', headers: authorized, body: Buffer.alloc(1_000_000) });
    expect(answer.status).toBe(413);
    expect(rig.stay().dials).toBe(0);
  });

  test('a body that becomes huge when it is decoded is refused before it is', async () => {
    rig.needsBody = () => true;
    const { gzipSync } = await import('node:zlib');
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const began = processCpuMs();
    const answer = await fetch(`${rig.url}/x`, {
      method: 'POST',
      headers: { ...authorized, 'content-encoding': 'gzip' },
      body: bomb,
    });
    expect(answer.status).toBe(413);
    expect(processCpuMs() - began).toBeLessThan(1_000);
  });
});

describe('ends', () => {
  test('a target that stops in the middle is an error to the client, never a whole answer', async () => {
    for (const head of ['Content-Length: 100\r\n', 'Transfer-Encoding: chunked\r\n']) {
      const body = head.startsWith('T') ? '5\r\nhello\r\n' : 'hello';
      const target = await rawTarget((socket) => socket.end(`HTTP/1.1 200 OK\r\n${head}\r\n${body}`));
      const own = await Rig.open(target.port);
      const answer = await fetch(`${own.url}/x`, { headers: authorized });
      await expect(answer.text()).rejects.toThrow();
      await until(() => own.stay().ended() !== undefined);
      expect(own.stay().ended()).toMatchObject({ outcome: 'lost' });
      await own.close();
      await target.close();
    }
  });

  test('a target that is not there, and one that says what is no HTTP', async () => {
    const closed = await Rig.open(1);
    expect((await fetch(`${closed.url}/x`, { headers: authorized })).status).toBe(502);
    await closed.close();
    const target = await rawTarget((socket) => socket.end('SSH-2.0-nonsense\r\n\r\n'));
    const own = await Rig.open(target.port);
    expect((await fetch(`${own.url}/x`, { headers: authorized })).status).toBe(502);
    await own.close();
    await target.close();
  });

  test('a visit that ends ends its requests with a sentence', async () => {
    serve = () => undefined;
    const answer = fetch(`${rig.url}/x`, { headers: authorized });
    await until(() => rig.stay().commands.length === 1);
    rig.stay().end.abort({ code: 'ended-by-administrator', why: 'enough' });
    const got = await answer;
    expect(got.status).toBe(403);
    expect(((await got.json()) as { detail: string }).detail).toMatch(/enough/);
  });

  test('while it drains an answer says that the connection ends', async () => {
    const client = await RawClient.to(rig.port);
    client.write(`GET /svc/1 HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\n\r\n`);
    await client.until(/\}$/);
    serve = (_request, response) => {
      rig.draining.abort({ code: 'shutdown' });
      response.end('x');
    };
    client.write(`GET /svc/2 HTTP/1.1\r\nHost: gw\r\n${AUTH}\r\n\r\n`);
    const text = await client.until(() => client.ended);
    expect(text).toMatch(/Connection: close\r\n\r\nx$/);
  });
});

/** Ends a connection that has been idle for a while, in another process: this one may be busy. */
const SHORT_LIVED = `
const server = require('node:net').createServer((socket) => {
  let timer;
  socket.on('error', () => undefined);
  socket.on('data', (bytes) => {
    clearTimeout(timer);
    socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok');
    timer = setTimeout(() => socket.destroy(), 300);
  });
}).listen(0, '127.0.0.1', () => console.log(server.address().port));`;

test('a POST that was judged for longer than its target keeps a connection arrives', async () => {
  const child = spawn(process.execPath, ['-e', SHORT_LIVED], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const other = await Rig.open(Number(line.toString()));
  try {
    const post = (): Promise<Response> => fetch(`${other.url}/x`, { method: 'POST', headers: authorized, body: 'x' });
    expect((await post()).status).toBe(200);
    other.judge = () => {
      const until = performance.now() + 800;
      while (performance.now() < until);
      return ALLOW;
    };
    const answer = await post();
    expect([answer.status, await answer.text()]).toEqual([200, 'ok']);
    expect(other.stay().dials).toBe(2);
  } finally {
    await other.close();
    child.kill();
  }
});
