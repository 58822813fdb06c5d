import { type PostgresServer, missingPostgres, missingTool, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import type { Logger } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Bouncer, startBouncer } from './bouncer.js';
import { RULES, type Stand, failure, logLines, openStand, targetOf } from './stand.js';

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
  const standFor = async (
    target: Pick<Bouncer, 'port' | 'user'>,
    pooled?: string,
    rules = MASKED,
    log?: Logger,
  ): Promise<Stand> => {
    const stand = await openStand({
      target: { ...target, ...(pooled && { pooled }) },
      rules,
      ...(log && { log }),
    });
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
      const { log, lines } = logLines();
      const stand = await standFor(await bouncer(mode), undefined, MASKED, log);
      const attempt = stand.client();
      expect(await failure(attempt)).toBe('08004');
      await expect(attempt).rejects.toThrow(/a pooler between the gateway and the database/);
      await expect(attempt).rejects.toMatchObject({ hint: expect.stringContaining('target.pooled') });
      await failure(stand.client());
      // One line for whoever runs the gateway, however often somebody tries.
      const refused = lines.filter((line) => line.includes('sessions are refused because of the target'));
      expect(refused.map((line) => JSON.parse(line) as unknown)).toMatchObject([
        {
          connection: 'db',
          reason: expect.stringContaining('a pooler between'),
          hint: expect.stringContaining('target.pooled'),
        },
      ]);
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

  describe('before the database, in transaction mode, and the configuration says so', () => {
    /** A client through the gateway, and a way past it to each of so many processes of the server. */
    const setting = async (
      servers: number,
    ): Promise<{ stand: Stand; client: pg.Client; everywhere: (text: string) => Promise<void> }> => {
      const behind = await startBouncer(server, 'transaction', servers);
      closing.push(() => behind.stop());
      const others = Array.from(
        { length: servers },
        () => new pg.Client({ host: '127.0.0.1', port: behind.port, user: behind.user, database: 'postgres' }),
      );
      for (const other of others) {
        other.on('error', () => undefined);
        await other.connect();
        closing.push(() => other.end());
      }
      const everywhere = async (text: string): Promise<void> => {
        for (const step of ['begin', text, 'commit']) await Promise.all(others.map((other) => other.query(step)));
      };
      const stand = await standFor(behind, 'transaction');
      return { stand, client: await clientOf(stand), everywhere };
    };

    test.each(['set transaction isolation level serializable', "SET LOCAL transaction_isolation = 'serializable';"])(
      'a transaction may be told how it is isolated: %s',
      async (text) => {
        const { client } = await setting(2);
        await client.query('begin');
        await client.query(text);
        expect(await read(client, 'select id, lower(email) from people')).toEqual([1, '[masked:EMAIL]']);
        await client.query('commit');
        await client.query('begin');
        await client.query({ text, queryMode: 'extended' } as pg.QueryConfig);
        expect(await read(client, 'show transaction_isolation')).toEqual(['serializable']);
        await client.query('commit');
      },
    );

    test('names with a schema are known, and those without one in a transaction', async () => {
      const { client } = await setting(5);
      expect(await read(client, 'select id, name, upper(email), count(*) over () from public.people')).toEqual([
        1,
        'Ada',
        '[masked:EMAIL]',
        '1',
      ]);
      expect(await failure(read(client, 'select id from people'))).toBe('42501');
      await expect(read(client, 'select id from people')).rejects.toMatchObject({
        message: expect.stringContaining('people without its schema'),
        hint: expect.stringContaining('begin a transaction'),
      });
      await client.query('begin');
      expect(await read(client, 'select id, lower(email) from people')).toEqual([1, '[masked:EMAIL]']);
      await client.query('set local search_path = tenant1');
      expect(await read(client, 'select lower(email) from people')).toEqual(['tina@tenant1.example']);
      await client.query('commit');
      expect(await failure(read(client, 'select id from people'))).toBe('42501');
      expect(await failure(read(client, 'begin; select lower(email) from people; commit'))).toBe('42501');
      await client.query('rollback');
    });

    test('what others have left in the server process does not matter', async () => {
      const { client, everywhere } = await setting(2);
      await everywhere('set search_path = tenant1');
      await client.query('begin');
      expect(await read(client, 'select lower(email) from people')).toEqual(['tina@tenant1.example']);
      await client.query('commit');
      expect(await read(client, 'select lower(email) from public.people')).toEqual(['[masked:EMAIL]']);
      await everywhere(
        'reset search_path; create temp table people as select email as name, email, id from public.people',
      );
      await everywhere('create temp table pg_class as select * from pg_catalog.pg_class limit 0');
      await client.query('begin');
      for (const text of ['select name from people', "select name || '' from people", 'select p from people p'])
        expect(JSON.stringify(await read(client, text)), text).not.toContain(EMAIL);
      await client.query('commit');
      await client.query('do $$ begin perform 1; end $$');
      expect(await read(client, 'select name, lower(email) from public.people')).toEqual(['Ada', '[masked:EMAIL]']);
      await everywhere("select set_config('my.kept', email, false) from public.people");
      expect(await read(client, "select current_setting('my.kept')")).toEqual([null]);
    });

    test('sessions that have taken all processes of the pooler do not wait for the gateway for ever', async () => {
      const { client } = await setting(1);
      expect(await read(client, 'select id from public.people')).toEqual([1]);
      await client.query('begin');
      await new Promise((resolve) => setTimeout(resolve, 2_100));
      await expect(read(client, 'select id from people')).rejects.toMatchObject({
        message: expect.stringContaining('the catalog of the target cannot be read'),
      });
      await client.query('rollback');
      // What is prepared takes the process as well, so it is prepared once the catalog is known.
      for (let round = 0; round < 3; round++) {
        expect(
          (await client.query({ text: 'select name, $1::int from public.people', values: [1], rowMode: 'array' })).rows,
        ).toEqual([['Ada', 1]]);
        await new Promise((resolve) => setTimeout(resolve, 2_100));
      }
    });

    test('a slow statement that has taken the last of them is answered', async () => {
      const { client } = await setting(1);
      // So long that the pooler does not take all of it before anybody reads.
      const { rows } = await client.query(`with late as materialized (select pg_sleep(0.7))
        select name, lower(email) as email, repeat('x', 1000) from public.people, late, generate_series(1, 20000)`);
      expect(rows).toHaveLength(20_000);
      expect(rows.at(-1)).toMatchObject({ name: 'Ada', email: '[masked:EMAIL]' });
    });

    test.each([
      'set search_path = tenant1',
      'reset all',
      "select set_config('search_path', 'tenant1', false)",
      "select set_config('my.x', 'y', false)",
      'prepare p as select 1',
      'execute p',
      'deallocate all',
      'discard all',
      'listen x',
      'begin; declare c cursor with hold for select 1',
      'create temp table t (a int)',
      'select 1 as a into temp t',
      'create temp view v as select 1 as a',
    ])('%s is refused, with a sentence', async (text) => {
      const { client } = await setting(1);
      await expect(client.query(text)).rejects.toMatchObject({
        code: '42501',
        message: expect.stringContaining('gives each transaction another server process'),
        hint: expect.stringMatching(/\w+/),
      });
    });

    test('what lasts no longer than its transaction passes', async () => {
      const { client } = await setting(1);
      await client.query('begin');
      await client.query('create temp table mine on commit drop as select email, name from people');
      expect(await read(client, 'select email, name from mine')).toEqual(['[masked:EMAIL]', 'Ada']);
      await client.query('declare c cursor for select upper(email) from people');
      expect(await read(client, 'fetch 1 from c')).toEqual(['[masked:EMAIL]']);
      await client.query("select set_config('my.x', 'y', true)");
      await client.query('commit');
    });

    test('a statement prepared under a name is refused, one without a name is not', async () => {
      const { client } = await setting(1);
      const text = 'select name, $1::int from public.people';
      expect(await failure(client.query({ name: 's', text, values: [1] }))).toBe('0A000');
      expect((await client.query({ text, values: [1], rowMode: 'array' })).rows).toEqual([['Ada', 1]]);
    });

    test('a statement that another client has prepared is not run in place of the one that was judged', async () => {
      const { stand } = await setting(3);
      const [p, q, r] = [await clientOf(stand), await clientOf(stand), await clientOf(stand)];
      const seen: unknown[] = [];
      const attempt = async (client: pg.Client, text: string): Promise<void> => {
        seen.push(await read(client, text).catch((error: Error) => error.message));
      };
      await attempt(p, "prepare zz as select '' || name from public.people");
      await attempt(p, 'begin');
      await attempt(q, "prepare zz as select '' || email from public.people");
      await attempt(p, 'rollback');
      await attempt(r, 'begin');
      await attempt(p, 'execute zz');
      await attempt(p, 'begin; execute zz');
      expect(JSON.stringify(seen)).not.toContain(EMAIL);
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
