import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

/** Code of the database that runs beside a statement and keeps a masked value in a setting, which the session then reads. */

const RULES = `
    - { rule: everything, allow: true }
    - { rule: emails, mask: { columns: ["public.people.email"], with: redact } }
`;
const EMAIL = 'ada@example.com';
const KEPT = "perform set_config('my.kept', (select email from public.people limit 1), false)";
const SCHEMA = `
create table people (id int primary key, name text, email text);
insert into people values (1, 'Ada', '${EMAIL}');
create table plain (id int);
create function keeps() returns text language plpgsql as $$ begin ${KEPT}; return 'x'; end $$;
create function by_name() returns text language plpgsql as 'begin return public.keeps(); end';
create function put_together() returns text language plpgsql as $$
  begin execute 'select set_' || 'config(''my.kept'', (select email from public.people limit 1), false)'; return 'x'; end $$;
create function in_sql() returns text language sql as $$ select set_config('my.kept', (select email from public.people limit 1), false) $$;
create function in_body() returns text language sql begin atomic select set_config('my.kept', (select email from people limit 1), false); end;
create function fires() returns trigger language plpgsql as $$ begin ${KEPT}; return coalesce(new, old); end $$;
create function fires_quietly() returns trigger language plpgsql as $$ begin new.t := 'quiet'; return new; end $$;
create function is_kept(text) returns boolean language plpgsql immutable as $$ begin perform public.keeps(); return true; end $$;
create function of_text(text) returns text language plpgsql immutable as $$ begin perform public.keeps(); return $1; end $$;

create table with_trigger (id int, t text);
create trigger t before insert or update or delete on with_trigger for each row execute function fires();
create table with_deferred (id int);
create constraint trigger t after insert on with_deferred deferrable initially deferred for each row execute function fires();
create table with_statement_trigger (id int);
create trigger t after truncate on with_statement_trigger for each statement execute function fires();
create table writes_on (id int);
create function writes_on() returns trigger language plpgsql as $$ begin insert into public.with_trigger values (1); return new; end $$;
create trigger t after insert on writes_on for each row execute function writes_on();
create table parent (id int primary key);
create table child (id int references parent on delete cascade);
create trigger t after delete on child for each row execute function fires();
create table parts (id int) partition by range (id);
create table part_1 partition of parts for values from (0) to (100);
create trigger t before insert on part_1 for each row execute function fires();

create table with_default (id int, t text default keeps());
create table with_default_by_name (id int, t text default by_name());
create table with_default_put_together (id int, t text default put_together());
create table with_default_in_sql (id int, t text default in_sql());
create table with_default_in_body (id int, t text default in_body());
create table with_generated (id int, n text, t text generated always as (of_text(n)) stored);
create domain checked as text check (is_kept(value));
create table with_domain (id int, t checked);
create domain defaulted as text default in_sql();
create table with_domain_default (id int, t defaulted);
create table with_check (id int, t text check (is_kept(t)));
create table with_direct_check (id int, email text check (set_config('my.kept', email, false) is not null));
create table with_policy (id int);
insert into with_policy values (1);
create policy p on with_policy using (keeps() is not null);
create table with_direct_policy (id int);
insert into with_direct_policy values (1);
create policy p on with_direct_policy using (set_config('my.kept', (select email from people limit 1), false) is not null);
alter table with_policy enable row level security;
alter table with_direct_policy enable row level security;
create table with_rule (id int);
create rule r as on insert to with_rule do also select keeps();
create table with_index (id int, t text);
create index on with_index (of_text(t));
create view as_view as select id, t from with_trigger;
create view with_instead as select 1 as id;
create trigger t instead of insert on with_instead for each row execute function fires();

create schema own;
create function own.is_like(text, text) returns boolean language plpgsql as 'begin perform public.keeps(); return true; end';
create operator own.=== (leftarg = text, rightarg = text, function = own.is_like);
create table with_operator (id int, t text, check (t operator(own.===) 'x'));
create type own.level as enum ('low');
create function own.to_level(int) returns own.level language plpgsql as $$ begin perform public.keeps(); return 'low'; end $$;
create cast (int as own.level) with function own.to_level(int) as assignment;
create table with_cast (id int, l own.level);
create table moves (id int);
create function moves() returns trigger language plpgsql as $$ begin set search_path = other, public; return new; end $$;
create trigger t before insert on moves for each row execute function moves();
create schema other;
create view other.plain as select email as id from people;
insert into plain values (7);
create table quiet (id int, t text);
create trigger t before insert on quiet for each row execute function fires_quietly();
create view all_settings as select * from pg_settings;
create view "Our Settings" as select name, setting from all_settings;
create function updates() returns trigger language plpgsql as $$ begin
  update public.all_settings set setting = (select email from public.people limit 1) where name = 'application_name'; return new; end $$;
create table with_view (id int);
create trigger t before insert on with_view for each row execute function updates();
create function updates_further() returns trigger language plpgsql as $$ begin
  update public."Our Settings" set setting = (select email from public.people limit 1) where name = 'application_name'; return new; end $$;
create table with_view_of_it (id int);
create trigger t before insert on with_view_of_it for each row execute function updates_further();
create role reader login password 'reader';
grant all on all tables in schema public, other to reader;
grant usage on schema own, other to reader;
`;

describe.each([15, 18] as const)('settings that code of the database fills, on PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return test.skip(`needs PostgreSQL ${major}`, () => undefined);
  let server: PostgresServer;
  let stand: Stand;
  let client: pg.Client;
  beforeAll(async () => {
    server = await startPostgres({ major });
    const direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(SCHEMA);
    await direct.end();
    // Row security is for others than the owner.
    stand = await openStand({ target: targetOf({ ...server, user: 'reader', password: 'reader' }), rules: RULES });
  });
  afterAll(async () => {
    await stand.stop();
    await server.stop();
  });
  beforeEach(async () => {
    client = await stand.client();
  });
  afterEach(() => client.end());
  const KEPT_NOW = "select current_setting('my.kept', true)";
  const values = async (on: pg.Client, text: string): Promise<unknown[]> => {
    const results = await on.query({ text, rowMode: 'array' });
    return [results].flat().flatMap(({ rows }) => rows.flat() as unknown[]);
  };

  const RUNNING: readonly (readonly [string, string])[] = [
    ['a trigger', "insert into with_trigger values (1, 'a')"],
    ['a trigger of an UPDATE', "update with_trigger set t = 'b'; insert into with_trigger values (2)"],
    ['a trigger behind a view', 'insert into as_view values (3)'],
    ['a trigger in place of a view', 'insert into with_instead values (3)'],
    ['a deferred trigger', 'insert into with_deferred values (1)'],
    ['a trigger of TRUNCATE', 'truncate with_statement_trigger'],
    ['a trigger that another one fires', 'insert into writes_on values (1)'],
    [
      'a trigger by way of a foreign key',
      'insert into parent values (1); insert into child values (1); delete from parent',
    ],
    ['a trigger of a partition', 'insert into parts values (1)'],
    ['COPY', 'copy with_trigger from stdin'],
    ['a default', 'insert into with_default values (1)'],
    ['a default that calls it by name', 'insert into with_default_by_name values (1)'],
    ['a default with a text that is put together', 'insert into with_default_put_together values (1)'],
    ['a default in SQL', 'insert into with_default_in_sql values (1)'],
    ['a default in SQL, read as it was made', 'insert into with_default_in_body values (1)'],
    ['a generated column', "insert into with_generated values (1, 'a')"],
    ['a check of a domain', "insert into with_domain values (1, 'a')"],
    ['a default of a domain', 'insert into with_domain_default values (1)'],
    ['a check', "insert into with_check values (1, 'a')"],
    ['a check that calls set_config', `insert into with_direct_check select id, email from people`],
    ['a policy', 'select id from with_policy'],
    ['a policy that calls set_config', 'select id from with_direct_policy'],
    ['a rule', 'insert into with_rule values (1)'],
    ['an expression of an index', "insert into with_index values (1, 'a')"],
    ['an operator', "insert into with_operator values (1, 'x')"],
    ['a cast by assignment', 'insert into with_cast values (1, 2)'],
  ];

  test.each(RUNNING)('%s', async (_, text) => {
    // It would show without a mask.
    const direct = new pg.Client({ ...server, user: 'reader', password: 'reader', database: 'postgres' });
    await direct.connect();
    await direct.query('begin');
    if (!text.startsWith('copy')) {
      await direct.query(text);
      await direct.query('set constraints all immediate');
      expect(await values(direct, KEPT_NOW)).toEqual([EMAIL]);
    }
    await direct.end();

    await client.query("select set_config('my.kept', 'mine', false)");
    expect(await values(client, KEPT_NOW)).toEqual(['mine']);
    if (text.startsWith('copy')) await copied(client, text);
    else await client.query(text);
    for (const shown of [KEPT_NOW, 'show my.kept']) expect(await values(client, shown), shown).toEqual([null]);
    // What the client sets itself is known again.
    await client.query("set my.kept = 'mine'");
    expect(await values(client, KEPT_NOW)).toEqual(['mine']);
  });

  test.each(['with_view', 'with_view_of_it'])(
    'an UPDATE of a view of pg_settings, by a trigger of %s',
    async (table) => {
      const direct = new pg.Client({ ...server, user: 'reader', password: 'reader', database: 'postgres' });
      await direct.connect();
      await direct.query(`insert into ${table} values (1)`);
      expect(await values(direct, "select current_setting('application_name')")).toEqual([EMAIL]);
      await direct.end();

      await client.query("set application_name = 'mine'");
      expect(await values(client, "select current_setting('application_name')")).toEqual(['mine']);
      await client.query(`insert into ${table} values (1)`);
      expect(await values(client, "select current_setting('application_name')")).toEqual([null]);
      expect(await values(client, "select setting from pg_settings where name = 'application_name'")).toEqual([null]);
      expect(await values(client, 'show application_name')).toEqual([null]);
    },
  );

  test('in the same statement, and in the same text', async () => {
    for (const text of [
      "insert into with_trigger values (1, 'a') returning current_setting('my.kept', true)",
      "with new as (insert into with_trigger values (1, 'a') returning id) select current_setting('my.kept', true) from new",
      "select current_setting('my.kept', true) from with_policy",
    ]) {
      await client.query('discard all');
      expect(await values(client, text), text).toEqual([null]);
    }
    await client.query('discard all');
    expect(await values(client, `insert into with_trigger values (1, 'a'); ${KEPT_NOW}`)).toEqual([null]);
  });

  test('at the end of a transaction, behind what was set in it', async () => {
    await client.query('begin');
    await client.query('insert into with_deferred values (2)');
    await client.query("set my.kept = 'mine'");
    expect(await values(client, KEPT_NOW)).toEqual(['mine']);
    await client.query('commit');
    expect(await values(client, KEPT_NOW)).toEqual([null]);
  });

  test('a search path that a trigger sets is looked at', async () => {
    expect(await values(client, 'select id from plain')).toEqual([7]);
    await client.query('insert into moves values (1)');
    expect(await values(client, 'select id from plain')).toEqual(['[masked:EMAIL]']);
    await client.query('reset search_path');
    expect(await values(client, 'select id from plain')).toEqual([7]);
  });

  test('code that keeps nothing changes nothing', async () => {
    await client.query("select set_config('my.kept', 'mine', false)");
    await client.query("insert into quiet values (1, 'a')");
    await client.query('select * from with_trigger');
    await client.query('insert into plain select id from with_trigger');
    expect(await values(client, KEPT_NOW)).toEqual(['mine']);
    await client.query('create temp table own_copies as select id from plain');
    expect((await values(client, 'select id from own_copies'))[0]).toBe(7);
  });

  describe('definitions, which compute at once or bind code to a table', () => {
    let owners: Stand;
    beforeAll(async () => {
      owners = await openStand({ target: targetOf(server), rules: RULES });
    });
    afterAll(() => owners.stop());

    test.each([
      "alter table people alter name type text using set_config('my.kept', email, false)",
      "alter table people add check (set_config('my.kept', email, false) is not null)",
      'alter table people add check (is_kept(email))',
      'create index on plain (of_text(id::text))',
      'create trigger t before insert on plain for each row execute function fires(); insert into plain values (9)',
      'alter table plain add t text default keeps(); insert into plain values (9)',
      'create view pg_temp.v as select keeps() as k; select * from v',
      'create materialized view m as select keeps() as k',
      'analyze with_index',
    ])('%s', async (text) => {
      const owner = await owners.client();
      try {
        await owner.query("begin; set local my.kept = 'mine'");
        for (const one of text.split('; ')) await owner.query(one);
        // Of what is followed it is the mask.
        expect([null, '', 'mine', '[masked:EMAIL]']).toContain((await values(owner, KEPT_NOW))[0]);
      } finally {
        await owner.end();
      }
    });

    test('event triggers', async () => {
      const direct = new pg.Client({ ...server, database: 'postgres' });
      await direct.connect();
      await direct.query(`create function on_event() returns event_trigger language plpgsql as $$ begin ${KEPT}; end $$;
        create event trigger e on ddl_command_end execute function on_event()`);
      const owner = await owners.client();
      // Within two seconds.
      await new Promise((resolve) => setTimeout(resolve, 2_100));
      expect(await values(owner, 'select 1')).toEqual([1]);
      await owner.query("set my.kept = 'mine'");
      await owner.query('create table made (id int)');
      expect(await values(owner, KEPT_NOW)).toEqual([null]);
      await direct.query('drop event trigger e; drop table made');
      await direct.end();
      await owner.end();
    });
  });

  test('a text that is too long to be followed', async () => {
    const rows = Array.from({ length: 20_000 }, (_, at) => `(${at})`).join();
    await client.query("select set_config('my.kept', 'mine', false)");
    await client.query(`insert into with_deferred values ${rows}`);
    expect(await values(client, KEPT_NOW)).toEqual([null]);
  }, 60_000);
});

/** COPY FROM STDIN of one row. */
async function copied(client: pg.Client, text: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const copy = new pg.Query(text, [], (error: Error | undefined) => (error ? reject(error) : resolve()));
  const handleCopyInResponse = (connection: { sendCopyFromChunk(chunk: Buffer): void; endCopyFrom(): void }): void => {
    connection.sendCopyFromChunk(Buffer.from('1\ta\n'));
    connection.endCopyFrom();
  };
  client.query(Object.assign(copy, { handleCopyInResponse }));
  await promise;
}
