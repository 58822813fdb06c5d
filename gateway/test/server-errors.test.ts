import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

/** What the server says of a statement that fails: as it says it, unless a value of a masked column can be in it. */

const RULES = `
    - { rule: everything, allow: true }
    - { rule: emails, mask: { columns: [people.email, letters.to_whom], with: redact } }
`;
const SCHEMA = `
create table people (id int primary key, name text, email text unique);
insert into people values (1, 'Ada', 'canary@example.com'), (2, 'Bob', 'canary@example.org');
create table orders (id int primary key, total numeric check (total > 0), item text not null);
insert into orders values (1, 5, 'canary ordinary');
create table items (id int primary key, order_id int references orders deferrable initially deferred);
create table logged (id int);
create table audited (id int unique);
create table guarded (id int);
create table checked (id int);
create table noted (id int);
create table below (id int references audited (id) on delete cascade);
create table measured (id int);
create table parted (id int, part int) partition by list (part);
create table parted_1 partition of parted for values in (1);
insert into audited values (1);
insert into below values (1);
insert into guarded values (1);
create function tell() returns boolean language plpgsql as
  $$ begin raise exception 'told %', (select string_agg(email, ' ') from public.people); return true; end $$;
create function tell_of(int) returns boolean language plpgsql immutable as $$ begin return public.tell(); end $$;
create function tell_names() returns trigger language plpgsql as $$ declare secret text; begin
  select email into secret from people where id = 1;
  raise exception 'told' using table = secret, column = secret, constraint = secret, schema = secret, datatype = secret; end $$;
create function tell_by_trigger() returns trigger language plpgsql as $$ begin perform tell(); return null; end $$;
create trigger tells after insert on logged for each row execute function tell_by_trigger();
create trigger tells after delete on below for each row execute function tell_by_trigger();
create trigger tells after insert on noted for each row execute function tell_names();
create trigger tells after insert on parted_1 for each row execute function tell_by_trigger();
create policy tells on guarded using (tell_of(id));
alter table guarded enable row level security;
alter table guarded force row level security;
create domain told as int check (tell_of(value));
create table converted (id told);
alter table checked add check (tell_of(id)) not valid;
create index on measured (tell_of(id));
create function later(int) returns int language plpgsql immutable as $$ begin if current_setting('my.loud', true) = 'on'
  then perform public.tell(); end if; return 1; end $$;
create function compared(int, int) returns int language plpgsql immutable as
  $$ begin perform public.later(1); return case when $1 < $2 then -1 when $1 > $2 then 1 else 0 end; end $$;
create function added(int, int) returns int language plpgsql as $$ begin perform public.tell(); return 1; end $$;
create aggregate all_of (int) (sfunc = added, stype = int, initcond = '0');
create function same(int, int) returns boolean language plpgsql immutable as $$ begin return public.tell(); end $$;
create operator === (leftarg = int, rightarg = int, function = same);
create operator class told_ops for type int4 using btree as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=,
  operator 5 >, function 1 compared(int4, int4);
create domain deeper as int check (value::told is not null);
create table folded (id int); create index on folded ((id + later(1)));
create table folded_check (id int check (id + later(1) > 0));
create table compares (id int); create index on compares (id told_ops); insert into compares values (1);
create table deep (id deeper);
create view below_domain as select id from orders where id::deeper > 0;
create view below_aggregate as select id from orders where id > (select all_of(id) from orders);
create materialized view aggregated as select all_of(id) as n from orders with no data;
create type hue as enum ('red');
create function hue_of(inet) returns hue language plpgsql immutable as $$ begin perform public.tell_once(); return 'red'; end $$;
create cast (inet as hue) with function hue_of(inet) as implicit;
create type tone as enum ('dark');
create function text_of(tone) returns text language plpgsql immutable as $$ begin perform public.tell_once(); return ''; end $$;
create cast (tone as text) with function text_of(tone) as implicit;
create function tell_once() returns void language plpgsql as
  $$ begin if coalesce(current_setting('my.quiet', true), '') <> 'on' then perform public.tell(); end if; end $$;
create table netted (at inet); insert into netted values ('10.0.0.1');
create table hued (h hue); insert into hued values ('red');
create table hues (h hue) partition by list (h);
create table toned (t tone); insert into toned values ('dark');
create table plain (id int primary key, n int, word text); insert into plain values (1, 1, 'x');
create table cascaded (id int); insert into cascaded values (1);
create trigger tells after delete on cascaded for each row execute function tell_by_trigger();
create domain short as text;
create table shorts (word short);
create table parts (id int, part int) partition by list (part);
create table parts_1 partition of parts for values in (1);
create view below_condition as select id from people where email::int > 0;
create view below_function as select id from orders where tell_of(id);
create domain mail as text;
create table letters (id int, to_whom mail);
insert into letters values (1, 'canary@example.net');
grant all on all tables in schema public to public;
`;
const CANARY = /canary@/;

type Said = Readonly<Record<string, unknown>>;

describe.each([15, 18] as const)('errors of PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return;
  let server: PostgresServer;
  let stand: Stand;
  let client: pg.Client;
  let admin: pg.Client;

  beforeAll(async () => {
    server = await startPostgres({ major });
    admin = new pg.Client({ ...server, database: 'postgres' });
    await admin.connect();
    await admin.query(SCHEMA);
    stand = await openStand({ target: targetOf(server), rules: RULES });
    client = await stand.client();
  }, 60_000);
  afterAll(async () => {
    await client.end();
    await admin.end();
    await stand.stop();
    await server.stop();
  });

  /** The last error of these texts, with all its fields. */
  const errorOf = async (on: pg.Client, texts: readonly string[], values?: unknown[]): Promise<Said> => {
    let said: Said = {};
    for (const text of texts) {
      await on.query({ text, ...(values && { queryMode: 'extended' }) }).catch((error: pg.DatabaseError) => {
        said = { ...Object.fromEntries(Object.entries(error)), message: error.message };
      });
    }
    await on.query('rollback');
    return said;
  };

  test.each([
    'selec 1',
    'select 1 from',
    'select 1; selec 2',
    'select * from orders fetch first 1 row with ties',
    "select 'open",
    'select 123abc',
    'create function f() returns int language sql begin atomic select 1; selec; end',
  ])('a syntax error has all the fields of the server: %s', async (text) => {
    const direct = await errorOf(admin, [text]);
    expect(direct['code']).toBe('42601');
    expect(await errorOf(client, [text])).toEqual(direct);
    expect(await errorOf(client, [text], [])).toEqual(await errorOf(admin, [text], []));
    // Also where values of masked columns were read before.
    const behind = ['begin', 'select email from people', text];
    expect(await errorOf(client, behind)).toEqual(await errorOf(admin, behind));
  });

  test('where the server gives the mistake another SQLSTATE the words are ours', async () => {
    const text = 'create table f (a int, foreign key (a) references orders no inherit)';
    expect((await errorOf(admin, [text]))['code']).toBe('0A000');
    for (const values of [undefined, []]) {
      const said = await errorOf(client, [text], values);
      expect(said).toMatchObject({ code: '42501', message: expect.stringContaining('cannot be marked NO INHERIT') });
    }
  });

  test('the transaction fails as it would direct, and what was prepared before is still there', async () => {
    for (const on of [admin, client]) {
      await on.query('begin');
      await on.query('selec 1').catch(() => undefined);
      await expect(on.query('select 1')).rejects.toMatchObject({ code: '25P02' });
      await on.query('rollback');
      await on.query({ name: 'kept', text: 'select 1 as one' });
      await on.query({ text: 'selec 1', queryMode: 'extended' } as pg.QueryConfig).catch(() => undefined);
      expect((await on.query({ name: 'kept', text: 'select 1 as one' })).rows).toEqual([{ one: 1 }]);
    }
  });

  /** Nothing masked can be in it. */
  test.each([
    ["insert into orders values (1, 5, 'x')", '23505'],
    ["insert into orders values (2, -1, 'x')", '23514'],
    ['insert into orders (id, total) values (3, 1)', '23502'],
    ["insert into orders values ('x', 1, 'x')", '22P02'],
    ['select 1 / (id - 1) from orders', '22012'],
    ['select item::int from orders', '22P02'],
    ['drop table nope', '42P01'],
    ['refresh materialized view nope', '42P01'],
    ['create table orders (a int)', '42P07'],
    ['alter table orders add check (total > 100)', '23514'],
    ['alter table orders alter item type int using item::int', '22P02'],
    ['create function f() returns int language sql as $$ select no_such() $$', '42883'],
    ['create role postgres', '42710'],
    ['select id from logged where id = 1 / 0', '22012'],
    ['begin; insert into items values (1, 7); commit', '23503'],
    [['begin', 'select email from people', "insert into orders values (1, 5, 'x')"], '23505'],
    [['begin', 'select email from people', 'select 1 / 0', 'select 1'], '25P02'],
    [['begin', 'insert into items values (1, 7)', 'commit'], '23503'],
  ] as [string | string[], string][])('an error passes as it is: %s', async (given, code) => {
    const texts = [given].flat();
    const direct = await errorOf(admin, texts);
    expect(direct['code']).toBe(code);
    expect(await errorOf(client, texts)).toEqual(direct);
  });

  /** What the server says of definitions and upkeep names what there is, also where code has run before it. */
  test.each([
    'create publication p for table nope',
    'alter publication nope add table orders',
    'create extension nope',
    'create extension plpgsql',
    'vacuum nope',
    'analyze orders (nope)',
    ['begin', 'vacuum orders'],
    'reindex index nope',
    'cluster orders',
    'copy nope to stdout',
    'copy nope from stdin',
    'alter function nope() volatile',
    'create aggregate ag (int) (sfunc = nope, stype = int)',
    'create cast (int as hue) with function nope(int)',
    'create server s foreign data wrapper nope',
    'create trigger tells after insert on logged for each row execute function nope()',
    'alter system set nope = 1',
    'drop database nope',
    'do language nope $$x$$',
    ['do $$ begin end $$', 'create table orders ()'],
    ['begin', 'do $$ begin end $$', 'create sequence s increment 0'],
    ['begin', 'do $$ begin end $$', 'alter table orders drop column nope'],
    ['begin', 'do $$ begin end $$', 'create function f() returns int language plpgsql as $$ begin selec; end $$'],
    ['set role unprivileged', 'select email from people'],
  ])('an error of names passes as it is: %s', async (given) => {
    const texts = [given].flat();
    await admin.query('drop role if exists unprivileged; create role unprivileged; revoke all on people from public');
    const direct = await errorOf(admin, texts);
    expect(direct['code']).toBeDefined();
    expect(await errorOf(client, texts)).toEqual(direct);
    await Promise.all([admin.query('discard all'), client.query('discard all')]);
  });

  test.each([
    'vacuum (verbose, analyze) orders',
    'reindex (verbose) table orders',
    'create extension if not exists plpgsql',
    'drop database if exists nope',
    'create table if not exists orders ()',
  ])('notices of definitions and upkeep pass as they are: %s', async (text) => {
    const heard = async (on: pg.Client): Promise<string[]> => {
      const all: string[] = [];
      const hear = ({ message }: { message?: string | undefined }): void =>
        void all.push(message?.split('\n')[0] ?? '');
      on.on('notice', hear);
      await on.query(text);
      on.off('notice', hear);
      return all.map((one) => one.replaceAll(/\d+/g, '0'));
    };
    const direct = await heard(admin);
    expect(direct.length).toBeGreaterThan(0);
    expect(await heard(client)).toEqual(direct);
  });

  /** Each gets a masked value into an error when it is sent directly. */
  test.each([
    "insert into people values (3, 'Eve', 'canary@example.com')",
    'select email::int from people',
    'select email::regclass from people',
    'copy (select email::regclass from people) to stdout',
    'select pg_database_size(email::name) from people',
    'select pg_extension_update_paths(email::name) from people',
    [
      'create temp table named as select email from people',
      'alter table named alter email type regclass using email::regclass',
    ],
    ['create temp table kept as select email from people', 'alter table kept alter email type int using email::int'],
    ['create temp table twice as select e.email from people e, people', 'create unique index on twice (email)'],
    ['create temp view within as select id from people where email::int > 0', 'select id from within'],
    'select id from below_condition',
    'select id from below_function',
    'insert into logged values (1)',
    'insert into parted values (1, 1)',
    'delete from audited where id = 1',
    'insert into noted values (1)',
    'insert into converted values (1)',
    'select 1::told',
    'insert into checked values (1)',
    'insert into measured values (1)',
    'alter domain mail add check (value::int > 0)',
    ['begin', 'declare c cursor for select id from people where email::int > 0', 'select 1', 'fetch c'],
    ['begin', 'declare c cursor for select id from below_condition', 'fetch c'],
    ['prepare p as select id from below_condition', 'execute p'],
    'copy (select id from below_condition) to stdout',
    'create table made as select id from below_condition',
    'create index on audited (tell_of(id))',
    // Values of which nothing is known, in conditions only.
    [
      "do $$ begin perform set_config('my.x', email, false) from people where id = 1; end $$",
      "select 1 where current_setting('my.x')::int > 0",
    ],
    ['begin', 'create domain own as int check (tell_of(value))', 'select 1 where 1::own > 0'],
    // Domains in domains, and where no cast is written.
    'select 1::deeper',
    'select 1 where 1::deeper > 0',
    'insert into deep values (1)',
    'select count(*) from below_domain',
    "select 1 from xmltable('/a' passing '<a>1</a>' columns x told path '.')",
    ['prepare p (told) as select 1 where $1 > 0', 'execute p (1)'],
    'alter table plain add column more told',
    'alter table plain add check (n::told > 0)',
    'create index on plain (id) where n::told > 0',
    // Operators, aggregates, operator classes.
    'select id from plain where n === 1',
    'alter table plain add check (n === 1)',
    'create index on plain ((n === 1))',
    ['begin', 'alter table plain add check (n === 1) not valid', 'insert into plain values (2, 2)'],
    'select id from below_aggregate',
    'refresh materialized view aggregated',
    ["set my.loud = 'on'", 'insert into compares values (2)'],
    // Computed as a statement is planned that only reads the table.
    ["set my.loud = 'on'", 'select id from folded'],
    ["set my.loud = 'on'", 'set constraint_exclusion = on', 'select id from folded_check where id = 1'],
    // What this transaction has put behind other tables.
    [
      'begin',
      'create trigger tells after insert on parts for each row execute function tell_by_trigger()',
      'insert into parts_1 values (1, 1)',
    ],
    [
      'begin',
      'alter table cascaded add foreign key (id) references plain on delete cascade',
      'delete from plain where id = 1',
    ],
    // Casts by code, also where none is written.
    'alter table netted alter at type hue',
    'alter table netted alter at type hue using at',
    'alter table netted alter at type hue using at::hue',
    'create index on netted ((at::hue))',
    'create index on toned (lower(t))',
    'create index on toned (t) where t::text > 0::text',
    'alter table netted add check (at::hue is not null)',
    "alter table toned add check (lower(t) <> '')",
    "create table hues_1 partition of hues for values in ('10.0.0.1'::inet)",
    "alter table hued add column more hue default '10.0.0.1'::inet",
    "insert into hued values ('10.0.0.1'::inet)",
    'insert into hued select at from netted',
    'update hued set h = at from netted',
    'select lower(t) from toned',
    "select 1 from toned where lower(t) <> ''",
    'create table made as select lower(t) from toned',
    ...[
      ['create index on netted ((at::hue))', "insert into netted values ('10.0.0.2')"],
      ['alter table netted add check (at::hue is not null)', "insert into netted values ('10.0.0.3')"],
      ["alter table hued alter h set default '10.0.0.1'::inet", 'insert into hued values (default)'],
    ].map(([definition = '', behind = '']) => ["set my.quiet = 'on'", definition, 'reset my.quiet', behind]),
    [
      "set my.quiet = 'on'",
      'begin',
      'create index on toned (lower(t))',
      'reset my.quiet',
      "insert into toned values ('dark')",
    ],
    ['begin', 'alter domain short add check (tell_of(length(value))) not valid', "insert into shorts values ('x')"],
  ])('an error that can hold a masked value does not: %s', async (given) => {
    const texts = [given].flat();
    const direct = await errorOf(admin, texts);
    expect(JSON.stringify(direct)).toMatch(CANARY);
    await client.query('discard all');
    const said = await errorOf(client, texts);
    expect(said['code']).toBe(direct['code']);
    expect(JSON.stringify(said)).not.toMatch(CANARY);
    expect(said['hint']).toContain('a masked column is involved');
    await Promise.all([admin.query('discard all'), client.query('discard all')]);
  });

  test('a name that was never given is for the server to refuse, and not for the gateway', async () => {
    const strict = await openStand({ target: targetOf(server), rules: RULES, notFollowed: 'refuse' });
    const own = await strict.client();
    for (const texts of [
      ['execute nope'],
      ['execute nope (1)'],
      ['fetch all from nope'],
      ['begin', 'fetch nope'],
      ['deallocate nope'],
      ['prepare p as select 1', 'deallocate p', 'execute p'],
      ['begin', 'declare c cursor for select email from people', 'close c', 'fetch c'],
      ['begin', 'declare d cursor for select email from people', 'commit', 'fetch d'],
      ['prepare q (int) as select $1', 'execute q (1, 2)'],
    ]) {
      const direct = await errorOf(admin, texts);
      expect(direct['code']).toBeDefined();
      expect(await errorOf(own, texts)).toEqual(direct);
    }
    // And it has become no other session by that.
    expect((await own.query('show search_path')).rows).toEqual((await admin.query('show search_path')).rows);
    await Promise.all([admin.query('discard all'), own.query('discard all')]);
    // A message of the protocol, or code, may have made one.
    await own.query({ name: 'named', text: 'select email from people' });
    await expect(own.query('execute named')).rejects.toMatchObject({ code: '42501' });
    const other = await strict.client();
    await other.query(`do $$ begin execute 'prepare made as select email from people'; end $$`);
    await expect(other.query('execute made')).rejects.toMatchObject({ code: '42501' });
    await Promise.all([own.end(), other.end()]);
    await strict.stop();
  });

  test('row security and event triggers are code as well', async () => {
    const reader = new pg.Client({ ...server, user: 'reader', password: 'reader', database: 'postgres' });
    await admin.query("create role reader login password 'reader'; grant all on people to reader");
    await reader.connect();
    await expect(reader.query('select id from guarded')).rejects.toThrow(CANARY);
    await reader.end();
    await client.query('set role reader');
    const said = await errorOf(client, ['select id from guarded']);
    expect(said['code']).toBe('P0001');
    expect(JSON.stringify(said)).not.toMatch(CANARY);
    await client.query('reset role');
    await admin.query(
      `create function tell_of_definitions() returns event_trigger language plpgsql as $$ begin perform tell(); end $$`,
    );
    await admin.query('create event trigger tells on ddl_command_end execute function tell_of_definitions()');
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    await expect(admin.query('create table any_table ()')).rejects.toThrow(CANARY);
    const defined = await errorOf(client, ['create table any_table ()']);
    expect(defined['code']).toBe('P0001');
    expect(JSON.stringify(defined)).not.toMatch(CANARY);
    await admin.query('drop event trigger tells');
  });
});
