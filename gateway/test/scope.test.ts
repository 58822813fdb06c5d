/**
 * A token that is for certain connections only, held against every route of the control API. Lives here: what somebody who
 * found such a token would try. Does not: what it opens as a login, see access.test.ts.
 */
import type { ApprovalRow, ConnectionRow, FoundCommand, Rules, SessionRow, TokenRow } from '@sluice/api';
import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Caller, caller } from './control.js';
import { type Stand, openStand, targetOf } from './stand.js';

const RULES = `
    - { rule: deletes, when: 'action.verb == "delete"', hold: { approvers: ["group:engineers"], timeout: 10m } }
`;

type Made = TokenRow & { token: string };

describe.skipIf(missingPostgres(18))('a token for one connection', () => {
  let server: PostgresServer;
  let stand: Stand;
  let whole: Caller;
  let narrow: Caller;
  /** What there is of the other connection: a request, a session, a token. */
  let number: number;
  let session: string;
  let other: Made;

  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
    const { port, user, password } = server;
    stand = await openStand({
      target: targetOf(server),
      rules: RULES,
      agents: '{ address: 127.0.0.1, port: 0, tls: self-signed }',
      sections: 'roles: { admin: ["user:ada"], auditor: ["user:ada"], user: ["user:ada", "user:dev"] }',
      connection: `policies: [production]
  other:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${port}, database: postgres, tls: disable }
    credential: { user: ${user}, password: "${password}" }
    access: ["group:engineers"]`,
    });
    const made = await stand.gateway.identity.createToken({ principal: 'ada', name: 'whole' });
    whole = caller(stand, made.token);
    const scoped = await whole.post<Made>('/v1/tokens', { connections: ['db'] });
    narrow = caller(stand, scoped.token);
    other = await whole.post<Made>('/v1/tokens', { connections: ['other'] });
    const client = await stand.client({ database: 'other' });
    await client.query('create table t (id int)');
    void client.query('delete from t where id = 1').catch(() => undefined);
    await vi.waitFor(() => expect(stand.gateway.approvals.pending).toBe(1), { timeout: 20_000 });
    const [row] = await whole.get<ApprovalRow[]>('/v1/approvals');
    number = row?.number ?? 0;
    session = row?.session ?? '';
  });
  afterAll(async () => {
    await stand?.stop();
    await server?.stop();
  });

  test('decides, reads and administers nothing of another connection, by any route', async () => {
    const body = { connection: 'other', sql: 'select 1' };
    /** The route, what an attacker sends, and the status. 403 unless it is about the caller, or a list that leaves things out. */
    const attempts: Record<string, [path: string, body: object | undefined, status: number]> = {
      'GET /v1/agents': ['/v1/agents', undefined, 403],
      'POST /v1/agents/tokens': ['/v1/agents/tokens', { name: 'mine' }, 403],
      'DELETE /v1/agents/{id}': ['/v1/agents/none', undefined, 403],
      'GET /v1/approvals': ['/v1/approvals', undefined, 200],
      'GET /v1/approvals/{number}/context': [`/v1/approvals/${number}/context`, undefined, 403],
      'GET /v1/approvals/{number}': [`/v1/approvals/${number}`, undefined, 403],
      'POST /v1/approvals/{number}/approve': [`/v1/approvals/${number}/approve`, {}, 403],
      'POST /v1/approvals/{number}/deny': [`/v1/approvals/${number}/deny`, { reason: 'no' }, 403],
      'POST /v1/approvals/{number}/revoke': [`/v1/approvals/${number}/revoke`, {}, 403],
      'POST /v1/approvals/{number}/question': [`/v1/approvals/${number}/question`, { decision: 'approve' }, 403],
      'POST /v1/approvals/{number}/break-glass': [`/v1/approvals/${number}/break-glass`, { reason: 'mine' }, 403],
      'POST /v1/approvals/{number}/review': [`/v1/approvals/${number}/review`, { reason: 'mine' }, 403],
      'GET /v1/budgets': ['/v1/budgets', undefined, 403],
      'POST /v1/budgets/reset': ['/v1/budgets/reset', { rule: 'few', of: 'dev', reason: 'mine' }, 403],
      'GET /v1/freezes': ['/v1/freezes', undefined, 403],
      'POST /v1/freezes': ['/v1/freezes', { subject: 'connection:other', reason: 'mine' }, 403],
      'DELETE /v1/freezes/{subject}': ['/v1/freezes/connection:other', { reason: 'mine' }, 403],
      'GET /v1/grants': ['/v1/grants', undefined, 200],
      // Of a connection that it is not for it is told of none.
      'DELETE /v1/grants/{connection}': ['/v1/grants/other', undefined, 404],
      'GET /v1/connections': ['/v1/connections', undefined, 200],
      'GET /v1/connections/{connection}/clients': ['/v1/connections/other/clients', undefined, 403],
      // What it is told of is no more than what it sees.
      'GET /v1/events': ['/v1/events', undefined, 200],
      'POST /v1/login': ['/v1/login', { connection: 'other' }, 403],
      'GET /v1/whoami': ['/v1/whoami', undefined, 200],
      'POST /v1/logins': ['/v1/logins', undefined, 200],
      'DELETE /v1/logins': ['/v1/logins', undefined, 200],
      'POST /v1/logins/confirm': ['/v1/logins/confirm', { code: 'AAAA-AAAA', as: 'dev' }, 403],
      'GET /v1/logins/waiting/{code}': ['/v1/logins/waiting/AAAA-AAAA', undefined, 404],
      'GET /v1/security-keys': ['/v1/security-keys', undefined, 403],
      'DELETE /v1/security-keys/{id}': ['/v1/security-keys/none', undefined, 403],
      'GET /v1/client-config/ssh': ['/v1/client-config/ssh', undefined, 404],
      'POST /v1/policy/explain': ['/v1/policy/explain', body, 403],
      'POST /v1/reload': ['/v1/reload', undefined, 403],
      'GET /v1/policy/rules': ['/v1/policy/rules?connection=db', undefined, 200],
      'GET /v1/people': ['/v1/people', undefined, 403],
      'GET /v1/status': ['/v1/status', undefined, 403],
      'GET /v1/status/day': ['/v1/status/day', undefined, 403],
      'POST /v1/doctor': ['/v1/doctor', undefined, 403],
      'GET /v1/sessions': ['/v1/sessions', undefined, 200],
      'GET /v1/commands': ['/v1/commands', undefined, 200],
      'GET /v1/sessions/{id}': [`/v1/sessions/${session}`, undefined, 403],
      'DELETE /v1/sessions/{id}': [`/v1/sessions/${session}`, undefined, 403],
      'GET /v1/sessions/{id}/timeline': [`/v1/sessions/${session}/timeline`, undefined, 403],
      'GET /v1/sessions/{id}/export': [`/v1/sessions/${session}/export`, undefined, 403],
      'GET /v1/sessions/{id}/watch': [`/v1/sessions/${session}/watch`, undefined, 403],
      'GET /v1/tokens': ['/v1/tokens', undefined, 200],
      'POST /v1/tokens': ['/v1/tokens', { principal: 'dev' }, 403],
      'GET /v1/tokens/{id}': [`/v1/tokens/${other.id}`, undefined, 403],
      'DELETE /v1/tokens/{id}': [`/v1/tokens/${other.id}`, undefined, 403],
    };
    const { paths }: { paths: Record<string, Record<string, { security?: unknown[] }>> } = JSON.parse(
      await (await fetch(`${stand.gateway.url}/v1/openapi.json`)).text(),
    );
    const routes = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, { security }]) =>
        security === undefined ? [`${method.toUpperCase()} ${path}`] : [],
      ),
    );
    expect(Object.keys(attempts).toSorted()).toEqual(routes.toSorted());
    for (const [name, [path, sent, status]] of Object.entries(attempts)) {
      const [method = ''] = name.split(' ');
      expect([name, await narrow.status(method, path, sent)]).toEqual([name, status]);
    }
    expect(await stand.gateway.approvals.find(number)).toMatchObject({ state: 'pending', words: [] });
    expect(stand.gateway.sessions.has(session)).toBe(true);
  });

  test('sees in lists what is of its connection, and nothing else', async () => {
    expect(await narrow.get<ApprovalRow[]>('/v1/approvals')).toEqual([]);
    expect(await narrow.get<SessionRow[]>('/v1/sessions')).toEqual([]);
    expect(await narrow.get<FoundCommand[]>('/v1/commands')).toEqual([]);
    const { rules } = await narrow.get<Rules>('/v1/policy/rules');
    expect(rules.every(({ connection }) => connection === 'db')).toBe(true);
    expect((await narrow.get<ConnectionRow[]>('/v1/connections')).map(({ name }) => name)).toEqual(['db']);
    const tokens = await narrow.get<TokenRow[]>('/v1/tokens');
    expect(tokens.length).toBeGreaterThan(0);
    expect(tokens.every(({ connections }) => connections?.join() === 'db')).toBe(true);
  });

  test('makes no token for more than it is for, and revokes none', async () => {
    expect(await narrow.status('POST', '/v1/tokens', { connections: ['db', 'other'] })).toBe(403);
    expect((await narrow.post<Made>('/v1/tokens')).connections).toEqual(['db']);
    const all = (await whole.get<TokenRow[]>('/v1/tokens')).find(({ name }) => name === 'whole');
    expect(await narrow.status('DELETE', `/v1/tokens/${all?.id}`)).toBe(403);
    expect(await narrow.status('DELETE', `/v1/tokens/${other.id}?children=true`)).toBe(403);
  });

  test('decides about its own connection as before', async () => {
    const scoped = caller(stand, (await whole.post<Made>('/v1/tokens', { connections: ['other'] })).token);
    expect((await scoped.get<ApprovalRow[]>('/v1/approvals')).map((row) => row.number)).toEqual([number]);
    expect(await scoped.post<ApprovalRow>(`/v1/approvals/${number}/approve`)).toMatchObject({ state: 'approved' });
  });
});
