/** Tripwires and freezes: who is frozen by what, that nobody stops others by it, who may thaw, and that it lasts. */
import { type PostgresServer, missingPostgres, startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { CountNotes } from '@sluice/store';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Stand, failure, openStand, targetOf } from './stand.js';

const PRINCIPALS = `
  ben: { groups: [engineers] }
  cleo: { groups: [engineers] }
  out: { groups: [others] }
  boss: { groups: [engineers], roles: [admin, approver, user] }
  codex: { kind: agent, groups: [engineers] }
  claude: { kind: agent, groups: [engineers] }`;

const ended = (client: pg.Client): Promise<void> => new Promise((resolve) => void client.once('end', resolve));

/** The control API as somebody sees it. */
const calling =
  ({ gateway }: Stand, token: string) =>
  async (method: string, path: string, body?: object): Promise<{ status: number; body: unknown }> => {
    const response = await fetch(new URL(path, gateway.url), {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: await response.json() };
  };

const missing = missingPostgres(18);

describe.skipIf(missing !== undefined)(`freezes${missing === undefined ? '' : ` (${missing})`}`, () => {
  let server: PostgresServer;
  const stops: (() => Promise<void> | void)[] = [];

  beforeAll(async () => {
    server = await startPostgres({ major: 18 });
  });
  afterAll(() => server.stop());
  afterEach(async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  });

  async function open(rules: string, folder?: string): Promise<Stand> {
    const all = `
    - { rule: no-drops, when: '"destroy" in action.effects', deny: Nothing is dropped. }${rules}`;
    const stand = await openStand({
      target: targetOf(server),
      rules: all,
      principals: PRINCIPALS,
      ...(folder !== undefined && { folder }),
    });
    stops.push(stand.stop);
    return stand;
  }

  const tokenOf = async (stand: Stand, principal: string): Promise<string> =>
    (await stand.gateway.identity.createToken({ principal, name: 'test' })).token;

  async function connected(stand: Stand, user: string, token?: string): Promise<pg.Client> {
    const password = token ?? (await tokenOf(stand, user));
    const client = await stand.client({ user, password });
    stops.push(() => client.end().catch(() => undefined));
    return client;
  }

  const refused = async (client: pg.Client, times: number): Promise<void> => {
    for (let n = 0; n < times; n++) await client.query('DROP TABLE t').catch(() => undefined);
  };
  const frozen = (stand: Stand): string[] => stand.gateway.admissions.all().map(({ subject }) => subject);
  const message = async (attempt: Promise<unknown>): Promise<string> => {
    try {
      await attempt;
      return 'no error';
    } catch (error) {
      return (error as Error).message;
    }
  };

  test('so many refusals freeze their principal: sessions end, logins are refused in words, others go on', async () => {
    const stand = await open(`
    - { rule: trip, tripwire: { refusals: 5, within: 10m } }`);
    const dev = await connected(stand, 'dev', stand.token);
    const second = await connected(stand, 'dev', stand.token);
    const ben = await connected(stand, 'ben');
    const ends = [ended(dev), ended(second)];
    await refused(dev, 4);
    expect(frozen(stand)).toEqual([]);
    // Slips of the pen are none.
    await dev.query('SELEC 1').catch(() => undefined);
    await dev.query('SELECT * FROM nothing_there').catch(() => undefined);
    expect(frozen(stand)).toEqual([]);
    await refused(dev, 1);
    await Promise.all(ends);
    expect(frozen(stand)).toEqual(['user:dev']);
    const why = 'user:dev is frozen: tripwire "trip": 5 refusals within 10 min';
    expect(await message(stand.client())).toBe(why);
    // By another token of the same person as well.
    expect(await message(stand.client({ password: await tokenOf(stand, 'dev') }))).toBe(why);
    expect((await ben.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    const record = stand.gateway.admissions.all()[0];
    expect(record).toMatchObject({ by: 'tripwire trip', why: 'tripwire "trip": 5 refusals within 10 min' });
  });

  test('tables that somebody never touched before freeze them, before the command that is one too many', async () => {
    const { path: folder, remove } = temporaryFolder('new-tables');
    stops.push(() => remove());
    const rules = `
    - { rule: trip, tripwire: { new_tables: 3, within: 1h, learn: off } }`;
    const stand = await open(rules, folder);
    const dev = await connected(stand, 'dev', stand.token);
    await dev.query('CREATE TABLE IF NOT EXISTS seen1 (n int)');
    const ends = ended(dev);
    for (let n = 0; n < 20; n++) await dev.query('SELECT * FROM seen1');
    await dev.query('CREATE TABLE IF NOT EXISTS seen2 (n int)');
    // Catalogs are what clients read for themselves.
    await dev.query('SELECT count(*) FROM pg_catalog.pg_class, information_schema.schemata');
    expect(frozen(stand)).toEqual([]);
    const failed = await dev.query('SELECT * FROM (SELECT * FROM seen1) s, seen3').catch((error: Error) => error);
    expect((failed as Error).message).toBe('user:dev is frozen: tripwire "trip": 3 new tables within 1 h.');
    await ends;
    expect(frozen(stand)).toEqual(['user:dev']);
    stops.splice(stops.indexOf(stand.stop), 1);
    await stand.stop();
    // What was touched is known after a restart.
    const again = await open(rules, folder);
    await again.gateway.admissions.thaw('user:dev', { actor: 'boss' } as never, 'test');
    const other = await connected(again, 'dev', again.token);
    for (const table of ['seen1', 'seen2', 'seen3', 'seen4', 'seen5'])
      await other.query(`SELECT * FROM ${table}`).catch(() => 0);
    expect(frozen(again)).toEqual([]);
  });

  test('a table counts whatever it is called: only those of the server itself do not', async () => {
    const stand = await open(`
    - { rule: trip, tripwire: { new_tables: 4, within: 1h, learn: off } }`);
    const dev = await connected(stand, 'dev', stand.token);
    const ends = ended(dev);
    for (const table of [
      'pg_class',
      'pg_stat_activity',
      'pg_catalog.pg_roles',
      'information_schema.tables',
      '"pg_type"',
    ])
      await dev.query(`SELECT count(*) FROM ${table}`);
    const own = ['pg_wages', '"PG_CLASS"', 'public.pg_class'];
    const direct = new pg.Client({ ...server, host: '127.0.0.1', database: 'postgres' });
    await direct.connect();
    for (const table of [...own, 'public.pg_proc_notes']) await direct.query(`CREATE TABLE ${table} (n int)`);
    await direct.end();
    for (const table of own) await dev.query(`SELECT * FROM ${table}`);
    expect(frozen(stand)).toEqual([]);
    const failed = await message(dev.query('SELECT * FROM public.pg_proc_notes'));
    expect(failed).toBe('user:dev is frozen: tripwire "trip": 4 new tables within 1 h.');
    await ends;
  });

  test('a copy of one by its own name is no table of the session before it is made', async () => {
    const stand = await open(`
    - { rule: trip, tripwire: { new_tables: 1, learn: off } }`);
    const dev = await connected(stand, 'dev', stand.token);
    const ends = ended(dev);
    const failed = await message(dev.query('CREATE TEMP TABLE pays AS SELECT * FROM pays'));
    expect(failed).toBe('user:dev is frozen: tripwire "trip": 1 new tables within 10 min.');
    await ends;
  });

  test('a newcomer learns first: what they touch then is known, and freezes nobody', async () => {
    const stand = await open(`
    - { rule: trip, tripwire: { new_tables: 1, learn: 1h } }`);
    const dev = await connected(stand, 'dev', stand.token);
    for (let n = 0; n < 30; n++) await dev.query(`SELECT * FROM t${n}`).catch(() => 0);
    expect(frozen(stand)).toEqual([]);
  });

  test('what a tripwire cannot count ends the session, and nobody gets in until it can', async () => {
    const stand = await open(`
    - { rule: trip, tripwire: { refusals: 5 } }`);
    const dev = await connected(stand, 'dev', stand.token);
    // As on a disk that is full.
    const notes = vi.spyOn(CountNotes.prototype, 'add').mockReturnValue(false);
    const ends = ended(dev);
    await refused(dev, 1);
    await ends;
    expect(await message(stand.client())).toBe(
      'What tripwire "trip" counts cannot be counted at the moment, so nobody gets in here',
    );
    notes.mockRestore();
    await (await stand.client()).end();
  });

  test('a wrong token freezes nobody, however often it is tried in the name of somebody', async () => {
    const stand = await open(`
    - { rule: trip, tripwire: { failed_logins: 3 } }`);
    for (let n = 0; n < 6; n++) expect(await failure(stand.client({ password: 'wrong' }))).toBe('28P01');
    expect(frozen(stand)).toEqual([]);
    const token = await tokenOf(stand, 'out');
    for (let n = 0; n < 3; n++) await stand.client({ user: 'out', password: token }).catch(() => undefined);
    expect(frozen(stand)).toEqual(['user:out']);
    await (await stand.client()).end();
  });

  test('an agent is frozen with all agents of its owner, and the owner is not', async () => {
    const stand = await open(`
    - { rule: trip, when: principal.kind == "agent", tripwire: { refusals: 3, freeze: owner } }`);
    const madeWith = await stand.gateway.identity.authenticate(stand.token, 'dev');
    if (!madeWith) throw new Error('the token is worth nothing');
    const makes = async (principal: string): Promise<string> =>
      (await stand.gateway.identity.createToken({ principal, name: 'by dev', madeWith })).token;
    const [codex, claude] = [await makes('codex'), await makes('claude')];
    const own = await connected(stand, 'dev', stand.token);
    const other = await connected(stand, 'claude', claude);
    const otherEnds = ended(other);
    const agent = await connected(stand, 'codex', codex);
    await refused(agent, 3);
    await otherEnds;
    expect(frozen(stand)).toEqual(['owner:dev']);
    expect(await message(stand.client({ user: 'codex', password: codex }))).toMatch(/^owner:dev is frozen/);
    // The same agent by a token that somebody else has made is of somebody else.
    await connected(stand, 'codex');
    await refused(own, 9);
    expect((await own.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  });

  test('an agent that several people have is frozen for the one alone', async () => {
    const stand = await open(`
    - { rule: trip, tripwire: { refusals: 3 } }`);
    const tokenBy = async (name: string): Promise<string> => {
      const madeWith = await stand.gateway.identity.authenticate(await tokenOf(stand, name), name);
      if (!madeWith) throw new Error('the token is worth nothing');
      return (await stand.gateway.identity.createToken({ principal: 'codex', name: 'shared', madeWith })).token;
    };
    const [ofDev, ofBen] = [await tokenBy('dev'), await tokenBy('ben')];
    const other = await connected(stand, 'codex', ofBen);
    await refused(await connected(stand, 'codex', ofDev), 3);
    expect(frozen(stand)).toEqual(['agent:codex of dev']);
    expect(await message(stand.client({ user: 'codex', password: ofDev }))).toMatch(/^agent:codex of dev is frozen/);
    expect((await other.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
    // Neither the agent nor its owner thaws it.
    const { status } = await calling(stand, await tokenOf(stand, 'dev'))(
      'DELETE',
      `/v1/freezes/${encodeURIComponent('agent:codex of dev')}?reason=mine`,
    );
    expect(status).toBe(403);
  });

  test('one person alone freezes no connection, by however many tokens; several together do', async () => {
    const stand = await open(`
    - { rule: trip, tripwire: { refusals: 9, people: 3, freeze: connection } }`);
    const dev = await connected(stand, 'dev', stand.token);
    await refused(dev, 40);
    await refused(await connected(stand, 'dev', await tokenOf(stand, 'dev')), 40);
    expect(frozen(stand)).toEqual([]);
    const ben = await connected(stand, 'ben');
    await refused(ben, 40);
    expect(frozen(stand)).toEqual([]);
    const ends = ended(dev);
    await refused(await connected(stand, 'cleo'), 3);
    expect(frozen(stand)).toEqual(['connection:db']);
    await ends;
    expect(await message(stand.client())).toMatch(/^connection:db is frozen/);
  });

  test('ends of budgets and guesses count', async () => {
    const stand = await open(`
    - { rule: few, when: 'action.verb == "select"', budget: { statements: 2 } }
    - { rule: trip, tripwire: { budget_ends: 3 } }`);
    const dev = await connected(stand, 'dev', stand.token);
    for (let n = 0; n < 4; n++) await dev.query('SELECT 1').catch(() => undefined);
    expect(frozen(stand)).toEqual([]);
    await dev.query('SELECT 1').catch(() => undefined);
    expect(frozen(stand)).toEqual(['user:dev']);
  });

  test('logins have a budget', async () => {
    const stand = await open(`
    - { rule: logins, budget: { logins: 2, ask: "Ask ada." } }`);
    for (let n = 0; n < 2; n++) await (await stand.client()).end();
    expect(await message(stand.client())).toBe('Budget "logins" is used up: 2 of 2 logins today.');
    await connected(stand, 'ben');
  });

  test('logins that a budget has no room for are no failed ones', async () => {
    const stand = await open(`
    - { rule: logins, budget: { logins: 1 } }
    - { rule: trip, tripwire: { failed_logins: 2 } }`);
    await (await stand.client()).end();
    for (let n = 0; n < 4; n++) expect(await message(stand.client())).toMatch(/^Budget "logins" is used up/);
    expect(frozen(stand)).toEqual([]);
  });

  test('what somebody follows who is frozen ends', async () => {
    const stand = await open('');
    const authorization = `Bearer ${await tokenOf(stand, 'boss')}`;
    const { status, body } = await fetch(new URL('/v1/events', stand.gateway.url), { headers: { authorization } });
    expect([status, body !== null]).toEqual([200, true]);
    await stand.gateway.admissions.freeze('user:boss', 'ada', 'looks odd');
    // For ever, if it did not end.
    for await (const _ of body ?? []);
  });

  test('what somebody has approved who is frozen by then passes nothing', async () => {
    const stand = await open(`
    - { rule: two-eyes, when: '"write" in action.effects', hold: { approvers: ["user:boss", "user:ada"], on_timeout: deny } }`);
    const dev = await connected(stand, 'dev', stand.token);
    await dev.query('SET sluice.hold = fail');
    const attempt = (): Promise<string> => message(dev.query('CREATE TABLE frozen_words AS SELECT 1 AS n'));
    const asked = async (): Promise<number> => Number(/request (\d+)/i.exec(await attempt())?.[1]);
    const approve = async (who: string, number: number): Promise<number> =>
      (await calling(stand, await tokenOf(stand, who))('POST', `/v1/approvals/${number}/approve`, {})).status;
    const first = await asked();
    expect(await approve('boss', first)).toBe(200);
    await stand.gateway.admissions.freeze('user:boss', 'ada', 'looks odd');
    const second = await asked();
    expect(second).toBeGreaterThan(first);
    expect((await stand.gateway.approvals.find(first))?.state).toBe('withdrawn');
    expect(await approve('boss', second)).toBe(403);
    // Others are not held up by it.
    expect(await approve('ada', second)).toBe(200);
    expect(await attempt()).toBe('no error');
  });

  test('who may freeze and thaw: by the API, with reasons, on record, never oneself', async () => {
    const { path: folder, remove } = temporaryFolder('freezes');
    stops.push(remove);
    const stand = await open('', folder);
    const api = async (who: string) => calling(stand, await tokenOf(stand, who));
    const [boss, ada, dev] = [await api('boss'), await api('ada'), await api('dev')];
    const freeze = (by: typeof boss, subject: string) => by('POST', '/v1/freezes', { subject, reason: 'looks odd' });
    expect((await freeze(dev, 'agent:codex')).status).toBe(403);
    expect((await freeze(ada, 'user:dev')).status).toBe(403);
    expect((await freeze(ada, 'connection:db')).status).toBe(403);
    expect((await freeze(boss, 'user:operator')).status).toBe(403);
    expect((await freeze(boss, 'somebody')).status).toBe(400);
    expect((await freeze(ada, 'agent:codex')).status).toBe(200);
    expect((await freeze(boss, 'user:ada')).status).toBe(200);
    const thaw = (by: typeof boss, subject: string) =>
      by('DELETE', `/v1/freezes/${encodeURIComponent(subject)}?reason=fine`);
    // Whoever is frozen can do nothing but ask who they are.
    expect((await thaw(ada, 'agent:codex')).status).toBe(403);
    expect((await ada('GET', '/v1/freezes')).status).toBe(403);
    expect((await ada('GET', '/v1/whoami')).body).toMatchObject({ frozen: 'looks odd' });
    expect((await freeze(boss, 'user:boss')).status).toBe(200);
    expect((await thaw(boss, 'user:boss')).status).toBe(403);
    await stand.gateway.stop();
    const again = await open('', folder);
    expect(frozen(again)).toEqual(['agent:codex', 'user:ada', 'user:boss']);
    expect(await message(again.client({ user: 'codex', password: await tokenOf(again, 'codex') }))).toBe(
      'agent:codex is frozen: looks odd',
    );
    // The operator's own file is always good.
    const operator = calling(again, await tokenOf(again, 'operator'));
    expect((await operator('DELETE', '/v1/freezes/user%3Aada')).status).toBe(400);
    expect((await operator('DELETE', '/v1/freezes/user%3Aada?reason=fine')).status).toBe(200);
    expect((await operator('DELETE', '/v1/freezes/user%3Aada?reason=fine')).status).toBe(404);
    const adaAgain = calling(again, await tokenOf(again, 'ada'));
    expect((await adaAgain('DELETE', '/v1/freezes/agent%3Acodex?reason=fine')).status).toBe(200);
    await connected(again, 'codex');
  });

  test('budgets are listed, shown to whose they are, and reset by somebody else', async () => {
    const stand = await open(`
    - { rule: few, when: 'action.verb == "select"', budget: { statements: 3, within: 1h } }
    - { rule: all, budget: { statements: 100, per: [] } }`);
    const dev = await connected(stand, 'dev', stand.token);
    for (let n = 0; n < 4; n++) await dev.query('SELECT 1').catch(() => undefined);
    const boss = calling(stand, await tokenOf(stand, 'boss'));
    const rows = [
      { rule: 'few', unit: 'statements', of: 'dev', used: 3, limit: 3, within: 'within 1 h', free: expect.any(String) },
      { rule: 'all', unit: 'statements', of: 'all', used: 3, limit: 100, within: 'today' },
    ];
    const listed = (await boss('GET', '/v1/budgets')).body;
    expect(listed).toHaveLength(2);
    expect(listed).toEqual(expect.arrayContaining(rows));
    const own = calling(stand, stand.token);
    expect((await own('GET', '/v1/budgets')).status).toBe(403);
    expect((await own('GET', '/v1/whoami')).body).toMatchObject({ budgets: expect.arrayContaining(rows) });
    expect((await boss('POST', '/v1/budgets/reset', { rule: 'few' })).status).toBe(403);
    expect((await boss('POST', '/v1/budgets/reset', { rule: 'few', of: 'ben' })).status).toBe(404);
    expect((await boss('POST', '/v1/budgets/reset', { rule: 'few', of: 'dev' })).body).toEqual({ reset: 1 });
    expect((await dev.query('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  });

  test('nobody resets what they have used up themselves, however it is counted', async () => {
    const stand = await open(`
    - { rule: each, budget: { statements: 9, per: [agent] } }
    - { rule: groups, budget: { statements: 9, per: [group] } }
    - { rule: both, budget: { statements: 9, per: [principal, group] } }
    - { rule: all, budget: { statements: 9, per: [] } }`);
    for (const who of ['boss', 'dev']) await (await connected(stand, who, await tokenOf(stand, who))).query('SELECT 1');
    const boss = calling(stand, await tokenOf(stand, 'boss'));
    const reset = async (rule: string, of: string): Promise<number> =>
      (await boss('POST', '/v1/budgets/reset', { rule, of })).status;
    expect(await reset('each', 'agent:boss')).toBe(403);
    expect(await reset('groups', 'group:engineers')).toBe(403);
    expect(await reset('both', 'boss in group:engineers')).toBe(403);
    expect(await reset('all', 'all')).toBe(403);
    expect(await reset('each', 'agent:dev')).toBe(200);
    expect(await reset('both', 'dev in group:engineers')).toBe(200);
    const operator = calling(stand, await tokenOf(stand, 'operator'));
    const { body } = await operator('POST', '/v1/budgets/reset', { rule: 'all' });
    expect(body).toEqual({ reset: 1 });
  });
});
