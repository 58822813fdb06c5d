import type { ConnectionRow, TokenRow, WhoAmI } from '@sluice/api';
import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Caller, caller } from './control.js';
import { TestIssuer } from './issuer.js';
import { type Stand, failure, openStand, targetOf } from './stand.js';

const missing = missingPostgres(18);
const check = missing ? test.skip : test;

let server: PostgresServer;
let issuer: TestIssuer;
let stand: Stand;

beforeAll(async () => {
  issuer = await TestIssuer.open();
  if (missing) return;
  server = await startPostgres({ major: 18 });
  stand = await openStand({
    target: targetOf(server),
    access: '["group:engineers", "claim:department=eng"]',
    principals: '  keeper: { roles: [user, admin] }',
    sections: `issuers: { corp: { issuer: "${issuer.url}", audience: sluice, groups: groups, client_id: cli, tokens: 1h } }
roles: { approver: ["group:dba"], auditor: ["group:security"], admin: ["group:admins"] }`,
  });
});

afterAll(async () => {
  await stand?.stop();
  await server?.stop();
  issuer.close();
});

const as = async (sub: string, ...groups: string[]): Promise<Caller> =>
  caller(stand, await issuer.token({ sub, groups }));
type Made = TokenRow & { token: string };

describe('who may ask what of the control API', () => {
  check('tokens of an issuer say who calls, with roles by group', async () => {
    expect(await (await as('ana', 'engineers', 'dba')).get<WhoAmI>('/v1/whoami')).toMatchObject({
      name: 'ana',
      by: 'issuer',
      issuer: 'corp',
      groups: ['engineers', 'dba'],
      roles: ['user', 'approver'],
    });
  });

  check('a token that will not do is nobody', async () => {
    const expired = await issuer.token({ exp: 1 });
    for (const token of [expired, 'nonsense', 'a.b.c']) {
      expect(await caller(stand, token).status('GET', '/v1/whoami')).toBe(401);
    }
  });

  check.each<[string, string, string, Record<string, number>]>([
    ['list agents', 'GET', '/v1/agents', { user: 403, approver: 403, auditor: 200, admin: 200 }],
    ['end sessions', 'DELETE', '/v1/sessions/none', { user: 403, approver: 403, auditor: 403, admin: 404 }],
    ['enrol agents', 'POST', '/v1/agents/tokens', { user: 403, approver: 403, auditor: 403, admin: 400 }],
    ['decide', 'POST', '/v1/approvals/999/approve', { user: 403, approver: 404, auditor: 403, admin: 403 }],
    ['see requests of others', 'GET', '/v1/approvals', { user: 200, approver: 200, auditor: 200, admin: 200 }],
    ['make tokens for others', 'POST', '/v1/tokens', { user: 403, approver: 403, auditor: 403, admin: 200 }],
  ])('to %s', async (_, method, path, expected) => {
    const groups: Record<string, string[]> = { user: [], approver: ['dba'], auditor: ['security'], admin: ['admins'] };
    const body = method === 'POST' ? (path === '/v1/tokens' ? { principal: 'robot' } : {}) : undefined;
    for (const [role, status] of Object.entries(expected))
      expect([role, await (await as('ana', ...(groups[role] ?? []))).status(method, path, body)]).toEqual([
        role,
        status,
      ]);
  });

  check('only who looks after the rules asks what they say to others', async () => {
    const wish = { sql: 'select 1', connection: 'db' };
    const explain = async (groups: string[], more: object = {}): Promise<number> =>
      (await as('ana', ...groups)).status('POST', '/v1/policy/explain', { ...wish, ...more });
    expect(await explain(['engineers'])).toBe(200);
    expect(await explain([])).toBe(404);
    expect(await explain(['engineers'], { principal: 'dev' })).toBe(403);
    expect(await explain(['security'], { principal: 'dev' })).toBe(200);
  });

  check('a long text keeps nobody else waiting while it is explained', async () => {
    const user = await as('ana', 'engineers');
    // As long as an explained text may be.
    const sql = `select ${'1,'.repeat(32_000)}1`;
    const explained = user.status('POST', '/v1/policy/explain', { sql, connection: 'db' });
    let meanwhile = 0;
    const healthy = async (): Promise<undefined> => {
      await fetch(new URL('/healthz', stand.gateway.url)).then((answer) => answer.text());
      meanwhile++;
    };
    let status: number | undefined;
    while (status === undefined) status = await Promise.race([explained, healthy()]);
    expect(status).toBe(200);
    expect(meanwhile).toBeGreaterThan(1);
  });

  check('issuers are told to who has no token yet, without secrets of the gateway', async () => {
    const rows = await (await fetch(new URL('/v1/issuers', stand.gateway.url))).json();
    expect(rows).toEqual([
      { name: 'corp', issuer: issuer.url, clientId: 'cli', scopes: ['openid', 'profile', 'email'], token: 'id_token' },
    ]);
  });
});

describe('access by claim', () => {
  check('is for those who have it', async () => {
    const login = async (department: string): Promise<string> =>
      failure(
        stand
          .client({ user: 'ana', password: await issuer.token({ department }), options: '-c sluice.login=password' })
          .then((client) => client.end()),
      );
    expect(await login('eng')).toBe('no error');
    expect(await login('sales')).toBe('42501');
  });
});

describe('tokens that people make for themselves', () => {
  check('log in without the issuer, with the groups of when they were made', async () => {
    const ana = await as('ana', 'engineers');
    const { token, id } = await ana.post<Made>('/v1/tokens', { name: 'laptop' });
    const client = await stand.client({ user: 'ana', password: token });
    const ended = new Promise<Error>((resolve) => client.once('error', resolve));
    expect((await client.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    expect((await ana.get<TokenRow[]>('/v1/tokens')).find((row) => row.id === id)?.lastUsed).toBeDefined();
    await ana.delete(`/v1/tokens/${id}`);
    expect((await ended).message).toMatch(/token of this session was revoked/);
    expect(await failure(stand.client({ user: 'ana', password: token }))).toBe('28P01');
  });

  check('last no longer than the issuer allows, nor than the token they are made with', async () => {
    const ana = await as('ana', 'engineers');
    expect(await ana.status('POST', '/v1/tokens', { expires: '2h' })).toBe(403);
    const { token, expires } = await ana.post<Made>('/v1/tokens', { expires: '10m' });
    expect(Date.parse(expires ?? '') - Date.now()).toBeLessThanOrEqual(600_000);
    const narrow = caller(stand, token);
    expect(await narrow.status('POST', '/v1/tokens', { expires: '11m' })).toBe(403);
    const child = await narrow.post<Made>('/v1/tokens');
    expect(Date.parse(child.expires ?? '')).toBeLessThanOrEqual(Date.parse(expires ?? '') + 1000);
  });

  check('have no roles that their owner has not, and pass none on that they have not', async () => {
    const ana = await as('ana', 'engineers', 'dba');
    expect(await ana.status('POST', '/v1/tokens', { roles: ['admin'] })).toBe(403);
    const { token } = await ana.post<Made>('/v1/tokens', { roles: ['user'] });
    const narrow = caller(stand, token);
    expect((await narrow.get<WhoAmI>('/v1/whoami')).roles).toEqual(['user']);
    expect(await narrow.status('POST', '/v1/approvals/999/approve')).toBe(403);
    expect(await narrow.status('POST', '/v1/tokens', { roles: ['approver'] })).toBe(403);
    expect((await narrow.post<Made>('/v1/tokens')).roles).toEqual(['user']);
  });

  check('without the role of a user, open no session', async () => {
    const ana = await as('ana', 'engineers', 'dba');
    const { token } = await ana.post<Made>('/v1/tokens', { roles: ['approver'] });
    expect(await failure(stand.client({ user: 'ana', password: token }))).toBe('42501');
    expect(await caller(stand, token).status('POST', '/v1/login', { connection: 'db' })).toBe(403);
  });

  check('for no connections do not reach one by way of another token', async () => {
    const admin = await as('root', 'admins', 'engineers');
    expect(await admin.status('POST', '/v1/tokens', { connections: ['elsewhere'] })).toBe(404);
    const { token } = await admin.post<Made>('/v1/login', { connection: 'db' });
    const narrow = caller(stand, token);
    expect(await narrow.get<ConnectionRow[]>('/v1/connections')).toHaveLength(1);
    expect((await narrow.get<WhoAmI>('/v1/whoami')).roles).toEqual(['user']);
    expect((await narrow.post<Made>('/v1/tokens')).connections).toEqual(['db']);
  });

  check('are for their owner to revoke, and for administrators', async () => {
    const { id } = await (await as('ana', 'engineers')).post<Made>('/v1/tokens');
    expect(await (await as('ben', 'engineers')).status('DELETE', `/v1/tokens/${id}`)).toBe(404);
    expect(await (await as('root', 'admins')).delete<TokenRow>(`/v1/tokens/${id}`)).toHaveProperty('revoked');
  });
});

check('revoking a token ends the sessions of tokens that were made with it', async () => {
  const { token: parent, stored } = await stand.gateway.identity.createToken({ principal: 'dev', name: 'parent' });
  const { token } = await caller(stand, parent).post<{ token: string }>('/v1/login', { connection: 'db' });
  const client = await stand.client({ password: token });
  const ended = new Promise<Error>((resolve) => client.once('error', resolve));
  await (await as('root', 'admins')).delete(`/v1/tokens/${stored.id}`);
  expect((await ended).message).toMatch(/token of this session was revoked/);
});

/** Whoever can read the data folder. */
const operator = async (): Promise<Caller> =>
  caller(stand, (await stand.gateway.identity.createToken({ principal: 'operator', name: 'the file' })).token);
const life = ({ expires = '' }: TokenRow): number => (Date.parse(expires) - Date.now()) / 86_400_000;

describe('a minute of administration is not for ever', () => {
  check('a token that an admin token made goes when that goes, and the next one too', async () => {
    const file = await operator();
    const brief = await file.post<Made>('/v1/tokens', { principal: 'keeper', expires: '1m' });
    const keeper = caller(stand, brief.token);
    expect(await keeper.status('POST', '/v1/tokens', { principal: 'robot', expires: '1h' })).toBe(403);
    const child = await keeper.post<Made>('/v1/tokens', { principal: 'robot' });
    expect(Date.parse(child.expires ?? '')).toBeLessThanOrEqual(Date.parse(brief.expires ?? '') + 1000);
    expect(child).toMatchObject({ madeBy: 'keeper', madeWith: brief.id });
    expect(await keeper.status('POST', '/v1/tokens', { principal: 'operator' })).toBe(403);
  });

  check('a login at the issuer makes tokens for others for as long as "tokens" says', async () => {
    const root = await as('root', 'admins');
    expect(await root.status('POST', '/v1/tokens', { principal: 'robot', expires: '2h' })).toBe(403);
    expect(life(await root.post<Made>('/v1/tokens', { principal: 'robot' }))).toBeLessThanOrEqual(1 / 24);
  });

  check('nor does a token that an agent enrols with outlive it', async () => {
    const file = await operator();
    const brief = await file.post<Made>('/v1/tokens', { principal: 'keeper', expires: '1m' });
    const keeper = caller(stand, brief.token);
    expect(await keeper.status('POST', '/v1/agents/tokens', { name: 'office', expires: '2h' })).toBe(403);
    expect(await file.status('POST', '/v1/agents/tokens', { name: 'office', expires: '31d' })).toBe(403);
    // No agent can dial in here; that comes after the bounds.
    expect(await keeper.status('POST', '/v1/agents/tokens', { name: 'office' })).toBe(409);
  });

  check('what the operator makes has an end too', async () => {
    const file = await operator();
    expect(life(await file.post<Made>('/v1/tokens', { principal: 'robot' }))).toBeCloseTo(30, 1);
    expect(life(await file.post<Made>('/v1/tokens', { principal: 'robot', expires: '365d' }))).toBeCloseTo(365, 1);
    expect(await file.status('POST', '/v1/tokens', { principal: 'robot', expires: '366d' })).toBe(403);
  });

  check('what it made for others is listed with its maker, and revoked with it on request', async () => {
    const file = await operator();
    const whoami = async (token: string): Promise<number> => caller(stand, token).status('GET', '/v1/whoami');
    const parent = await file.post<Made>('/v1/tokens', { principal: 'keeper' });
    const keeper = caller(stand, parent.token);
    const [robot, second] = [
      await keeper.post<Made>('/v1/tokens', { principal: 'robot' }),
      await keeper.post<Made>('/v1/tokens', { principal: 'robot' }),
    ];
    const rows = await file.get<TokenRow[]>('/v1/tokens');
    expect(rows.filter(({ madeWith }) => madeWith === parent.id).map(({ id }) => id)).toEqual([robot.id, second.id]);
    const own = await keeper.post<Made>('/v1/tokens');
    await file.delete(`/v1/tokens/${own.id}`);
    expect(await whoami(robot.token)).toBe(200);
    await file.delete(`/v1/tokens/${parent.id}?children=true`);
    expect([await whoami(robot.token), await whoami(second.token)]).toEqual([401, 401]);
  });
});

check('a login that somebody else confirmed stays that of whom it was confirmed for', async () => {
  const { identity } = stand.gateway;
  const { stored } = await identity.createToken({ principal: 'keeper', name: 'shown' });
  const dev = identity.principal('dev');
  // Such a session has the token of who confirmed it.
  expect(dev && identity.current({ principal: dev, tokenId: stored.id })?.name).toBe('dev');
});

check('a token for a service is made by an administrator, and is what a service has', async () => {
  const made = await operator().then((one) => one.post<Made>('/v1/tokens', { principal: 'robot', expires: '90d' }));
  expect(await caller(stand, made.token).get<WhoAmI>('/v1/whoami')).toMatchObject({
    name: 'robot',
    kind: 'agent',
    by: 'token',
  });
  expect(await (await as('root', 'admins')).status('POST', '/v1/tokens', { principal: 'ana' })).toBe(404);
});
