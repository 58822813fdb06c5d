import { type PostgresServer, missingPostgres, missingTool, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Bouncer, startBouncer } from './bouncer.js';
import { RULES, type Stand, failure, openStand, targetOf } from './stand.js';

/** Targets behind a real pgbouncer, and clients behind one. */

const MASKED = `
    - { rule: everything, allow: true }
    - { rule: emails, mask: { columns: ["public.people.email"], with: redact } }
`;
const SCHEMA = `
create table people (id int primary key, name text, email text);
insert into people values (1, 'Ada', 'ada@example.com');
create schema tenant1;
create table tenant1.people (id int primary key, name text, email text);
insert into tenant1.people values (1, 'Tina', 'tina@tenant1.example');
`;
const EMAIL = 'ada@example.com';
const missing = missingPostgres(15) ?? missingTool('pgbouncer');

describe.skipIf(missing !== undefined)(`pgbouncer${missing === undefined ? '' : ` (${missing})`}`, () => {
  let server: PostgresServer;
  const closing: (() => Promise<unknown>)[] = [];
  beforeAll(async () => {
    server = await startPostgres({ major: 15 });
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(SCHEMA);
    await direct.end();
  });
  afterEach(async () => {
    for (const close of closing.splice(0).toReversed()) await close();
  });
  afterAll(() => server.stop());

  const bouncer = async (
    mode: 'session' | 'transaction',
    behind = server as Parameters<typeof startBouncer>[0],
  ): Promise<Bouncer> => {
    const started = await startBouncer(behind, mode);
    closing.push(() => started.stop());
    return started;
  };
  const standFor = async (target: Pick<Bouncer, 'port' | 'user'>, pooled?: string, rules = MASKED): Promise<Stand> => {
    const stand = await openStand({ target: { ...target, ...(pooled && { pooled }) }, rules });
    closing.push(() => stand.stop());
    return stand;
  };
  const clientOf = async (stand: Stand): Promise<pg.Client> => {
    const client = await stand.client();
    closing.push(() => client.end().catch(() => undefined));
    return client;
  };
  const read = async (client: pg.Client, text: string): Promise<unknown[]> =>
    (await client.query({ text, rowMode: 'array' })).rows.flat();

  describe.each(['session', 'transaction'] as const)('before the database, in %s mode', (mode) => {
    test('a masked connection whose configuration does not say so is refused, and told why', async () => {
      const stand = await standFor(await bouncer(mode));
      const attempt = stand.client();
      expect(await failure(attempt)).toBe('08004');
      await expect(attempt).rejects.toThrow(/a pooler between the gateway and the database/);
      await expect(attempt).rejects.toMatchObject({ hint: expect.stringContaining('target.pooled') });
    });

    test('a connection without masks works as before', async () => {
      const stand = await standFor(await bouncer(mode), undefined, RULES);
      expect(await read(await clientOf(stand), 'select id, email from people')).toEqual([1, EMAIL]);
    });
  });

  describe('before the database, in session mode, and the configuration says so', () => {
    test('everything is as without one', async () => {
      const client = await clientOf(await standFor(await bouncer('session'), 'session'));
      await client.query('set search_path = tenant1; prepare p as select lower(email) from public.people');
      expect(await read(client, 'select lower(email) from people')).toEqual(['tina@tenant1.example']);
      expect(await read(client, 'execute p')).toEqual(['[masked:EMAIL]']);
      await client.query('create temp table kept as select email from public.people');
      expect(await read(client, 'select email from kept')).toEqual(['[masked:EMAIL]']);
    });

    test('a pooler by transaction that is said to be one by session is found out', async () => {
      const behind = await bouncer('transaction');
      const client = await clientOf(await standFor(behind, 'session'));
      const ended = new Promise<Error>((resolve) => client.once('error', resolve));
      expect(await read(client, 'select id from people')).toEqual([1]);
      // Somebody else takes the process that served this session.
      const other = new pg.Client({ host: '127.0.0.1', port: behind.port, user: behind.user, database: 'postgres' });
      await other.connect();
      closing.push(() => other.end());
      await other.query('begin');
      await new Promise((resolve) => setTimeout(resolve, 2_100));
      const outcome = await Promise.race([
        read(client, 'select email from people').catch((error: Error) => error),
        ended,
      ]);
      expect(String(outcome)).toMatch(/Another process of the server|terminated/);
    });
  });

  test('a direct target is asked once, at the login', async () => {
    const client = await clientOf(await standFor(targetOf(server)));
    expect(await read(client, 'select id, email from people')).toEqual([1, '[masked:EMAIL]']);
  });

  describe('before the gateway', () => {
    test.each(['session', 'transaction'] as const)(
      'in %s mode, no state of one client shows what another may not see',
      async (mode) => {
        const stand = await standFor(targetOf(server));
        const front = await bouncer(mode, { port: stand.port, user: 'dev', password: stand.token, database: 'db' });
        const clients = await Promise.all(
          [1, 2, 3].map(async () => {
            const client = new pg.Client({ host: '127.0.0.1', port: front.port, user: 'dev', database: 'db' });
            await client.connect();
            closing.push(() => client.end());
            return client;
          }),
        );
        const [p, q, r] = clients as [pg.Client, pg.Client, pg.Client];
        const seen: unknown[] = [];
        const attempt = async (client: pg.Client, text: string): Promise<void> => {
          seen.push(await read(client, text).catch((error: Error) => error.message));
        };
        await attempt(p, "prepare zz as select '' || name from people");
        await attempt(p, 'begin');
        await attempt(q, "prepare zz as select '' || email from people");
        await attempt(q, 'set search_path = tenant1');
        await attempt(p, 'rollback');
        await attempt(r, 'begin');
        await attempt(p, 'execute zz');
        await attempt(p, 'select lower(email) from people');
        await attempt(r, 'rollback');
        for (const client of clients) await attempt(client, 'execute zz');
        for (const client of clients) await attempt(client, 'select lower(email) from public.people');
        expect(JSON.stringify(seen)).not.toContain(EMAIL);
        expect(JSON.stringify(seen)).toContain('[masked:EMAIL]');
      },
    );
  });
});
