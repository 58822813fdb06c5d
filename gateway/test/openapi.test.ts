import { Validator } from '@seriousme/openapi-schema-validator';
import { missingPostgres, startPostgres } from '@sluice/testkit';
import { type RouteOptions, fastify } from 'fastify';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type App, addRoutes, apiDocument } from '@sluice/control';
import { type Stand, openStand, targetOf } from './stand.js';

/** Machines are busy. */
const WAIT = { timeout: 20_000 };

interface Operation {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly description?: string;
  readonly security?: readonly unknown[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean }[];
  readonly requestBody?: { readonly content: object };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content: object }>>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>>; readonly securitySchemes: object };
  readonly tags: readonly { readonly name: string }[];
}

const RULES = `
    - { rule: deletes, when: 'action.verb == "delete"', hold: { approvers: ["group:engineers"], timeout: 10m } }
`;

describe('the description of the control API', () => {
  let stand: Stand;
  let app: App;
  let document: Document;
  const routes: RouteOptions[] = [];
  /** What handlers gave, before a schema saw it. */
  let given: unknown;

  beforeAll(async () => {
    // No command is run, so that no server need be there.
    stand = await openStand({ target: { port: 1, user: 'nobody' } });
    app = fastify();
    app.addHook('onRoute', (route) => void routes.push(route));
    await addRoutes(app, stand.gateway);
    document = JSON.parse(await (await fetch(`${stand.gateway.url}/v1/openapi.json`)).text());
  });
  afterAll(async () => {
    await app?.close();
    await stand?.stop();
  });

  const operations = (): [string, Operation][] =>
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, one]): [string, Operation] => [`${method.toUpperCase()} ${path}`, one]),
    );

  test('is the one that is published', async () => {
    expect(document).toEqual(JSON.parse(await apiDocument()));
  });

  test('has every route, and no other', () => {
    const registered = routes
      .flatMap(({ method, url }) => [method].flat().map((one) => `${one} ${url.replace(/:(\w+)/g, '{$1}')}`))
      // The documentation is for browsers, and no part of the API.
      .filter((one) => !/^HEAD |^GET \/docs/.test(one));
    expect(registered).toContain('DELETE /v1/sessions/{id}');
    expect(operations().map(([name]) => name)).toEqual(expect.arrayContaining(registered));
    expect(operations()).toHaveLength(registered.length);
  });

  test('is OpenAPI 3.1 by the schema of the standard, and every reference leads somewhere', async () => {
    expect(document.openapi).toBe('3.1.0');
    expect(await new Validator().validate({ ...structuredClone(document) })).toEqual({ valid: true });
    const { paths: _, ...broken } = structuredClone(document);
    expect((await new Validator().validate({ ...broken, paths: { 'no-slash': {} } })).valid).toBe(false);
    const names = Array.from(JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g), ([, name]) => name);
    expect(new Set(names)).toEqual(new Set(Object.keys(document.components.schemas)));
  });

  test('says of each route what it is, whom it is for, and how it says no', () => {
    const tags = document.tags.map(({ name }) => name);
    for (const [
      name,
      { summary, tags: [tag] = [], security, responses, parameters = [], description },
    ] of operations()) {
      expect(summary, name).toMatch(/^[A-Z].*[^.]$/);
      expect(tags, name).toContain(tag);
      expect(responses, name).toHaveProperty('200');
      expect(JSON.stringify(responses), name).not.toContain('Default Response');
      expect('401' in responses, name).toBe(security === undefined);
      if (description?.includes('For the role')) expect(responses, name).toHaveProperty('403');
      const inPath = Array.from(name.matchAll(/\{(\w+)\}/g), ([, one]) => one);
      expect(
        parameters.filter((one) => one.in === 'path').map((one) => one.name),
        name,
      ).toEqual(inPath);
      for (const [status, { content }] of Object.entries(responses).filter(([status]) => Number(status) >= 400)) {
        const schema = { $ref: '#/components/schemas/Problem' };
        if (name !== 'GET /readyz' || status !== '503')
          expect(content, `${name} ${status}`).toEqual({ 'application/json': { schema } });
      }
    }
    const open = operations().filter(([, { security }]) => security !== undefined);
    expect(open.map(([name]) => name).toSorted()).toEqual([
      'GET /healthz',
      'GET /login/{code}',
      'GET /metrics',
      'GET /readyz',
      'GET /v1/issuers',
      'GET /v1/openapi.json',
      'POST /v1/logins/exchange',
      'POST /v1/setup',
    ]);
    expect(document.paths['/v1/agents']?.['get']?.description).toBe('For the role admin or auditor.');
  });

  test('all but the open routes want a token, and ask for it before they look at what was sent', async () => {
    for (const [name, { security, requestBody }] of operations()) {
      const [method = '', path = ''] = name.split(' ');
      const answer = await fetch(`${stand.gateway.url}${path.replace(/\{\w+\}/g, '1')}`, {
        method,
        ...(requestBody && { body: '{"not": "JSON"', headers: { 'content-type': 'application/json' } }),
      });
      expect([name, answer.status === 401]).toEqual([name, security === undefined]);
    }
  });

  test.each<[string, string, object | undefined, string]>([
    ['POST', '/v1/policy/explain', {}, '"connection" in the body of the request is wrong: expected string'],
    ['POST', '/v1/policy/explain', { sql: 1, connection: 'db' }, '"sql" in the body of the request is wrong'],
    ['POST', '/v1/tokens', { roles: ['user', 'king'] }, '"roles[1]" in the body of the request is wrong: expected one'],
    ['POST', '/v1/tokens', { nmae: 'x' }, 'The body of the request is wrong: unrecognized key: "nmae".'],
    ['POST', '/v1/tokens', undefined, 'The body of the request is wrong: expected object'],
    ['POST', '/v1/agents/tokens', { name: '-' }, '"name" in the body of the request is wrong: a name begins with'],
    [
      'GET',
      '/v1/sessions?limit=many',
      undefined,
      '"limit" in the query of the request is wrong: expected number, received NaN.',
    ],
    ['GET', '/v1/approvals/first', undefined, '"number" in the path of the request is wrong: a request is named by'],
    ['DELETE', '/v1/sessions/1?reason=a&reason=b', undefined, '"reason" in the query of the request is wrong'],
  ])('%s %s %j is refused by the name of what is wrong', async (method, url, body, message) => {
    const { token } = await stand.gateway.identity.createToken({ principal: 'operator', name: 'test' });
    const answer = await fetch(`${stand.gateway.url}${url}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    expect(answer.status).toBe(400);
    const problem: { message: string } = JSON.parse(await answer.text());
    expect(problem.message).toContain(message);
    expect(Object.keys(problem)).toEqual(['message']);
  });

  test('what is optional as a whole may be left out, and what has a default gets it', async () => {
    const { token } = await stand.gateway.identity.createToken({ principal: 'ada', name: 'test' });
    const send = async (body?: string): Promise<[number, unknown]> => {
      const headers = { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) };
      const options = { method: 'POST', headers, ...(body && { body }) };
      const answer = await fetch(`${stand.gateway.url}/v1/approvals/1/deny`, options);
      return [answer.status, JSON.parse(await answer.text())];
    };
    const unreasoned = [400, { message: 'A denial needs a reason.' }];
    expect(await send()).toEqual(unreasoned);
    expect(await send('{}')).toEqual(unreasoned);
    expect(await send('{"reason": "  "}')).toEqual(unreasoned);
    expect((await send('{"reason": "no"}'))[0]).toBe(404);
  });

  test('an answer with a field that is not described is not sent, and the log says which', async () => {
    const log = vi.spyOn(stand.gateway.log.operator, 'error');
    const ready = vi.spyOn(stand.gateway, 'ready', 'get');
    try {
      const more = { ok: true, password: 'hunter2' };
      ready.mockReturnValue(more);
      const answer = await fetch(`${stand.gateway.url}/readyz`);
      expect(answer.status).toBe(500);
      expect(await answer.text()).toBe('{"message":"The gateway failed to answer; its log says why."}');
      expect(log.mock.calls[0]?.[0]).toMatchObject({ wrong: expect.stringContaining('"password"') });
    } finally {
      ready.mockRestore();
      log.mockRestore();
    }
  });

  test.skipIf(missingPostgres(18))('nothing of what a route gives is lost on the way', async () => {
    const server = await startPostgres({ major: 18 });
    const busy = await openStand({
      target: targetOf(server),
      rules: RULES,
      agents: '{ address: 127.0.0.1, port: 0, tls: self-signed }',
      sections: 'issuers: {}',
    });
    const { gateway } = busy;
    const own: App = fastify();
    own.addHook('preSerialization', async (_request, _reply, payload) => {
      given = payload;
      return payload;
    });
    await addRoutes(own, gateway);
    try {
      const token = async (principal: string): Promise<string> =>
        (await gateway.identity.createToken({ principal, name: 'test', expires: Date.now() + 3_600_000 })).token;
      const [admin, ada] = [await token('operator'), await token('ada')];
      type Method = 'GET' | 'POST' | 'DELETE';
      const whole = async <T>(method: Method, url: string, body?: object, as = admin): Promise<T> => {
        given = undefined;
        const headers = { authorization: `Bearer ${as}` };
        const answer = await own.inject({ method, url, headers, ...(body && { payload: body }) });
        expect([url, answer.statusCode]).toEqual([url, 200]);
        expect(answer.json(), url).toEqual(JSON.parse(JSON.stringify(given)));
        return answer.json();
      };
      const client = await busy.client();
      await client.query('create table t (id int); insert into t values (1), (2)');
      await client.query('select id, $1::text from t', ['x']);
      const held = client.query('delete from t where id = 1');
      held.catch(() => undefined);
      const [{ number } = { number: 0 }] = await vi.waitFor(async () => {
        const rows = await whole<{ number: number }[]>('GET', '/v1/approvals');
        expect(rows).toHaveLength(1);
        return rows;
      }, WAIT);
      await whole('GET', `/v1/approvals/${number}`);
      await whole('GET', '/v1/sessions');
      await whole('POST', `/v1/approvals/${number}/approve`, { reason: 'ticket 7' }, ada);
      await held;
      await client.query('drop nonsense').catch(() => undefined);
      const [session] = await whole<{ id: string }[]>('GET', '/v1/sessions?state=open');
      // Its entries are held against their description in the thread that reads them, and come as text.
      const headers = { authorization: `Bearer ${admin}` };
      const timeline = await own.inject({ url: `/v1/sessions/${session?.id}/timeline`, headers });
      expect(timeline.statusCode).toBe(200);
      expect(timeline.json<{ type: string }[]>().map(({ type }) => type)).toContain('response');
      await whole('DELETE', `/v1/sessions/${session?.id}?reason=test`);
      await vi.waitFor(() => expect(gateway.sessions.size).toBe(0));
      expect(await whole('GET', '/v1/sessions')).toMatchObject([{ state: 'ended', reason: expect.any(String) }]);
      const made = await whole<{ id: string; token: string }>('POST', '/v1/tokens', {
        connections: ['db'],
        roles: ['admin'],
        expires: '30m',
      });
      await whole('GET', '/v1/whoami', undefined, made.token);
      await whole('GET', '/v1/tokens');
      await whole('GET', `/v1/tokens/${made.id}`);
      await whole('DELETE', `/v1/tokens/${made.id}`);
      await whole('GET', '/v1/connections');
      await whole('POST', '/v1/login', { connection: 'db', user: 'dev' });
      await whole('POST', '/v1/logins');
      await whole('DELETE', '/v1/logins');
      for (const sql of ['delete from t', 'select 1'])
        await whole('POST', '/v1/policy/explain', { sql, connection: 'db' });
      await whole('POST', '/v1/agents/tokens', { name: 'office' });
      for (const url of ['/v1/agents', '/v1/issuers', '/healthz', '/readyz', '/v1/openapi.json'])
        await whole('GET', url);
      await client.end().catch(() => undefined);
    } finally {
      await own.close();
      await busy.stop();
      await server.stop();
    }
  });
});
