import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, failure, openStand, targetOf } from './stand.js';

/** What rules ask of the target: `action.estimated_rows` and `action.meant_tables`. */

const ESTIMATES = `
    - { rule: many, when: 'action.verb in ["update", "delete", "insert", "merge", "truncate"] && action.estimated_rows > 100', deny: Too many rows. }
`;
const MASKED = `
    - { rule: totals, mask: { columns: [orders.total], with: redact } }
    - { rule: guesses, when: 'masked.guesses > 3', deny: Too many guesses. }
`;
const MEANT = `
    - { rule: hr, when: 'action.meant_tables.exists(t, t.startsWith("hr."))', deny: Not hr. }
    - { rule: code, when: 'action.verb == "do"', allow: true }
`;
const SIZES = `
    - { rule: large, when: 'action.table_rows > 500 && action.lock == "access exclusive"', deny: A large table. }
    - { rule: bytes, when: 'action.verb == "create index" && action.table_bytes > 40000', deny: A large table. }
    - { rule: used, when: 'action.verb == "truncate" && action.table_traffic > 50', deny: A table in use. }
`;
const REFUSED = '42501';
const PASSED = 'no error';

describe.each([15, 18] as const)('what rules ask of PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return;
  let server: PostgresServer;
  let admin: pg.Client;
  let estimates: Stand;
  let meant: Stand;
  let masked: Stand;

  beforeAll(async () => {
    server = await startPostgres({ major });
    admin = new pg.Client({ ...server, database: 'postgres' });
    await admin.connect();
    await admin.query(`create table orders (id int primary key, state text, total int);
      insert into orders select g, 'new', g from generate_series(1, 1000) g;
      create table other (id int, note text);
      create schema hr; create table hr.salaries (id int, amount int); insert into hr.salaries values (1, 7);
      create table hr.parts (id int) partition by range (id);
      create table public.part partition of hr.parts for values from (0) to (10);
      create table doubles (id int); create table hr.doubles (id int); create view options as select * from pg_settings;
      create table family (id int); create table hr.child () inherits (family); create table kin () inherits (family);
      create view pay as select id, amount from hr.salaries;
      create view twice as select * from pay;
      create function paid() returns bigint language sql stable as 'select sum(amount) from hr.salaries';
      create table ran (n int); create function note(text) returns text language plpgsql immutable as
        $$ begin insert into ran values (1); return $1; end $$;
      create function lower(int) returns text language plpgsql immutable as $$ begin insert into ran values (2); return 'x'; end $$;
      analyze`);
    const connection = 'functions: { trusted: [public.paid] }';
    const principals = '  eve: { groups: [engineers] }';
    estimates = await openStand({ target: targetOf(server), rules: ESTIMATES, connection, principals });
    masked = await openStand({
      target: targetOf(server),
      rules: `${ESTIMATES}${MASKED}`,
    });
    meant = await openStand({ target: targetOf(server), rules: MEANT, connection });
  }, 60_000);
  afterAll(async () => {
    await admin.end();
    for (const stand of [estimates, meant, masked]) await stand.stop();
    await server.stop();
  });

  test('how large and how used a table is that a definition is about', async () => {
    await admin.query(`create table "a.b" (id int); insert into "a.b" select generate_series(1, 1000);
      create table used (id int); create index small_id on other (id); create index large_id on orders (id); analyze`);
    await admin.query('insert into used select generate_series(1, 100)');
    // Statistics are there once the session that made them is idle.
    const counted = "select pg_stat_force_next_flush(), pg_stat_get_tuples_inserted('used'::regclass)::int as n";
    for (;;) if ((await admin.query<{ n: number }>(counted)).rows[0]?.n === 100) break;
    const stand = await openStand({ target: targetOf(server), rules: SIZES });
    expect(
      await outcomes(stand, [
        'alter table orders add column more int',
        'alter table public.orders drop column state',
        'alter table "a.b" add column more int',
        'drop index large_id',
        'create index on orders (total)',
        'create trigger nobody before insert on orders for each row execute function nothing()',
        'truncate used',
      ]),
    ).toEqual([REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED, REFUSED]);
    expect(
      await outcomes(stand, [
        'alter table other add column more int',
        'drop index small_id',
        'create index on other (note)',
        'create table fresh (id int)',
        'drop table if exists nowhere',
        'select count(*) from orders',
        'update orders set total = 1 where id = 1',
      ]),
    ).toEqual(Array(7).fill(PASSED));
    expect(await words(stand, 'alter table other add column again int', 'set search_path = hr, public')).toMatch(
      /A rule asks how large a table is, and that is not known: the session has changed what names mean/,
    );
    await stand.stop();
  });

  async function outcomes(stand: Stand, texts: readonly (string | pg.QueryConfig)[]): Promise<string[]> {
    const client = await stand.client();
    const found: string[] = [];
    for (const text of texts) found.push(await failure(client.query(text as string)));
    await client.end();
    return found;
  }
  async function words(stand: Stand, text: string, before?: string): Promise<string> {
    const client = await stand.client();
    try {
      if (before !== undefined) await client.query(before);
      await client.query(text);
      return 'passed';
    } catch (error) {
      return (error as Error).message;
    } finally {
      await client.end();
    }
  }

  describe('estimated rows', () => {
    test('decide where a rule asks for them', async () => {
      expect(
        await outcomes(estimates, [
          'begin',
          "update orders set state = 'x' where id < 20",
          'delete from orders where id = 5',
          { text: 'delete from orders where id = $1', values: [6] },
          'insert into other select id, state from orders where id < 10',
          'select * from orders',
          'set application_name = x',
          'explain delete from orders',
          'rollback',
        ]),
      ).toEqual(Array.from({ length: 9 }, () => PASSED));
      for (const text of [
        "update orders set state = 'x'",
        'delete from orders where id > 20',
        'with gone as (delete from orders where total > 5 returning id) select count(*) from gone',
        'insert into other select id, state from orders',
        'merge into other o using orders s on s.id = o.id when not matched then insert values (s.id)',
      ])
        expect(await words(estimates, text)).toBe('Too many rows.');
      expect(await outcomes(estimates, [{ text: 'delete from orders where id > $1', values: [6] }])).toEqual([REFUSED]);
    });

    test('are of bound values, in either format', async () => {
      const client = await estimates.client();
      const run = (value: number): Promise<string> =>
        failure(
          client.query({
            text: 'delete from orders where id > $1::int',
            values: [Buffer.from([0, 0, (value >> 8) & 255, value & 255])],
            binary: true,
          } as pg.QueryConfig),
        );
      expect([await run(990), await run(1)]).toEqual([PASSED, REFUSED]);
      await client.end();
      await admin.query('insert into orders select g, $1, g from generate_series(991, 1000) g', ['new']);
    });

    test('that there are not refuse, in words', async () => {
      for (const [text, why, before] of [
        ['truncate orders', /no estimate: there is none for truncate/],
        ['explain analyze delete from orders', /no estimate/],
        ['delete from orders where id = 1; delete from orders where id = 2', /more than one statement/],
        ['update pay set amount = 1', /pay is a view/],
        ['delete from orders where id = 1', /changed what names mean/, 'set search_path = public'],
        ['execute p', /executes what was prepared before/, 'prepare p as delete from orders'],
        ['delete from nowhere', /cannot plan it/],
      ] as const)
        expect(await words(estimates, text, before), text).toMatch(why);
    });

    test('run nothing that nobody has vetted', async () => {
      for (const text of [
        "delete from orders where state = note('a') and id = 1",
        'delete from orders where state = lower(5) and id = 1',
        'select * from orders where state = lower(5)',
      ])
        await words(estimates, text);
      await admin.query('create operator ### (leftarg = text, rightarg = text, function = textcat)');
      await admin.query(
        'create function bad(text, text) returns text language plpgsql immutable as $$ begin insert into ran values (3); return $1; end $$',
      );
      await admin.query('create operator %%% (leftarg = text, rightarg = text, function = bad)');
      expect(await words(estimates, "delete from orders where state = 'a' %%% 'b' and id = 1")).toMatch(
        /nobody has vetted/,
      );
      await admin.query('drop operator %%% (text, text)');
      const { rows } = await admin.query('select n from ran');
      expect(rows).toEqual([]);
    });

    test('are in policy explain', async () => {
      const asked = async (sql: string): Promise<{ decision: string; message?: string }> => {
        const response = await fetch(`${estimates.gateway.url}/v1/policy/explain`, {
          method: 'POST',
          headers: { authorization: `Bearer ${estimates.token}`, 'content-type': 'application/json' },
          body: JSON.stringify({ connection: 'db', sql }),
        });
        return (await response.json()) as { decision: string };
      };
      expect(await asked('delete from orders where id = 1')).toMatchObject({ decision: 'allow' });
      expect(await asked('delete from orders')).toMatchObject({ decision: 'deny', rule: 'many' });
      expect(await asked('truncate orders')).toMatchObject({
        decision: 'deny',
        message: expect.stringMatching(/no estimate/) as string,
      });
    });

    test('one person who asks for many does not keep another waiting', async () => {
      const greedy = await Promise.all(Array.from({ length: 40 }, () => estimates.client()));
      const flood = greedy.flatMap((client) => [
        failure(client.query('delete from orders where id = 0')),
        failure(client.query('delete from orders where id = 0')),
      ]);
      const { token } = await estimates.gateway.identity.createToken({ principal: 'eve', name: 'test' });
      const eve = await estimates.client({ user: 'eve', password: token });
      expect(await failure(eve.query('delete from orders where id = 0'))).toBe(PASSED);
      await eve.end();
      await Promise.all(flood);
      for (const client of greedy) await client.end();
    });
  });

  describe('estimates beside masks', () => {
    test('tell nothing of masked columns, and whole values are counted', async () => {
      for (const bound of [5, 500, 995])
        expect(await words(masked, `delete from orders where total > ${bound}`)).toMatch(
          /would tell something of masked/,
        );
      expect(await words(masked, 'delete from orders where id > 20')).toBe('Too many rows.');
      expect(await words(masked, 'delete from orders where id = -1')).toBe('passed');
      for (const total of [-1, -2, -3])
        expect(await words(masked, `delete from orders where total = ${total}`)).toBe('passed');
      expect(await words(masked, 'delete from orders where total = 4')).toBe('Too many guesses.');
    });

    test('nor does policy explain', async () => {
      for (const condition of ['total > 5', 'total > 995', 'total = 7', 'total = -7']) {
        const sql = `delete from orders where ${condition}`;
        const response = await fetch(`${masked.gateway.url}/v1/policy/explain`, {
          method: 'POST',
          headers: { authorization: `Bearer ${masked.token}`, 'content-type': 'application/json' },
          body: JSON.stringify({ connection: 'db', sql }),
        });
        expect(((await response.json()) as { message: string }).message).toMatch(/would tell something of masked/);
      }
    });
  });

  describe('meant tables', () => {
    test('are those that names mean', async () => {
      const path = 'set search_path = hr, public';
      for (const texts of [
        ['select * from hr.salaries'],
        ['select amount from pay'],
        ['select amount from twice'],
        ['select paid()'],
        ['select * from part'],
        [path, 'select * from salaries'],
        ["select set_config('search_path', 'hr', false)", 'select * from salaries'],
        ["select set_config('search_path', 'h' || 'r', false)", 'select * from salaries'],
        ['begin', 'set local search_path = hr', 'select * from salaries'],
        ['set search_path = hr; select * from salaries'],
        [path, 'prepare p as select 1; select * from salaries'],
        [path, 'select * from orders where id in (select id from salaries)'],
        [path, 'create table x (id int, check (id > 0)); insert into x select id from salaries'],
        [path, 'truncate salaries'],
        [path, 'lock table salaries'],
        [path, 'drop table salaries'],
        [path, 'copy salaries to stdout'],
        [path, 'insert into salaries values (1, 2)'],
        [path, 'alter table salaries add column x int'],
        [path, 'create view seen as select * from salaries'],
        [path, 'create temp table seen as table salaries'],
        [path, 'create temp table salaries as table salaries'],
        [path, 'create temp table pay as select * from public.pay'],
        [path, 'prepare p as select * from salaries'],
        [path, 'declare c cursor with hold for select * from salaries'],
        [path, 'explain select * from salaries'],
        [path, 'create table anew (a int)'],
        // The same name is there twice, and means two tables.
        [path, 'lock table public.doubles, doubles'],
        [path, 'truncate public.doubles, doubles'],
        [path, 'drop table public.doubles, doubles'],
        [path, 'create table orders as select * from public.orders'],
        [path, 'select * into orders from public.orders'],
        ['set search_path = hr; lock table doubles'],
        ['select * from family'],
        ["update options set setting = 'hr' where name = 'search_path'; select * from doubles"],
        ["update options set setting = 'hr' where name = 'search_path'", 'select * from doubles'],
        ["do $$ begin perform set_config('search_path', 'hr', false); end $$", 'select * from salaries'],
      ])
        expect((await outcomes(meant, texts)).at(-1), texts.join('; ')).toBe(REFUSED);
    });

    test('and no others', async () => {
      expect(
        await outcomes(meant, [
          'select * from orders where id = 1',
          'select 1',
          'select * from kin',
          'drop table if exists nothing_of_the_name',
          'begin',
          'create temp table salaries (a int)',
          'insert into salaries values (1)',
          'select * from salaries',
          'create table hrm (a int)',
          'rollback',
          { text: 'select * from orders where id = $1', values: [1] },
          'set search_path = public, hr',
          'select id from other',
          'show search_path',
          'set search_path = hr, public',
          'create temp table own (a int)',
          'create temp view seen as select * from other',
          'create temp sequence counted',
          'create temp table copied as select id from other',
          'select id into temp chosen from other',
          'insert into own values (1)',
          'drop table own',
        ]),
      ).toEqual(Array.from({ length: 22 }, () => PASSED));
    });

    test('are followed without changing what comes', async () => {
      expect(await words(meant, "insert into other values (1, '[masked]')")).toBe('passed');
    });

    test('that are not known refuse', async () => {
      expect(await words(meant, 'select * from nowhere')).toMatch(/which tables this statement means/);
    });
  });
});
