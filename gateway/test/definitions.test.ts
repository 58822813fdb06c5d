import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

/** Definitions in a transaction: what they have nothing to do with goes on being exact, and what they change shows nothing masked. */

const RULES = `
    - { rule: everything, allow: true }
    - { rule: emails, mask: { columns: [people.email, measures.secret, fresh.hidden], with: redact } }
`;
const SCHEMA = `
create table people (id int primary key, name text, email text);
insert into people values (1, 'Ada', 'canary@example.com'), (2, 'Bob', 'canary@example.org');
create table orders (id int primary key, person int, item text);
insert into orders values (1, 1, 'pen'), (2, 2, 'ink');
create view items as select id, item from orders;
create view more_items as select id, item from items;
create function plf(int) returns int language plpgsql as 'begin return $1; end';
create function sqlf(int) returns int language sql as 'select $1 + 1';
create table measures (id int, part int, secret text) partition by list (part);
create table measures_1 partition of measures for values in (1);
insert into measures values (1, 1, 'canary one');
create role tenant;
create schema empty;
create sequence counter;
create type mood as enum ('ok');
`;
/** One after the other, each committed by itself; and what somebody else asks at once, in a session that was there before. */
const COMMITTED: readonly (readonly [definition: string, ...asked: string[]])[] = [
  [
    'create table fresh (id int primary key, note text)',
    "insert into fresh (id, note) values (1, 'x') returning id, note",
    'select count(*) from fresh',
  ],
  ["insert into fresh values (1, 'x')", 'select * from fresh'],
  [
    'alter table fresh add column more int default 2',
    'select * from fresh',
    'select row_to_json(f) as j, f.more + 1 as n from fresh f',
  ],
  [
    "alter table fresh add column hidden text default 'canary late'",
    'select id, hidden, upper(hidden) as u from fresh',
    'select f.* from fresh f',
  ],
  [
    'alter table fresh owner to tenant; create index on fresh (more)',
    'select id, more from fresh where more = 2',
    'table fresh',
  ],
  ['create unique index on fresh (note)', "insert into fresh (id, note) values (2, 'x')", 'select id from fresh'],
  [
    'alter table fresh add check (more < 9)',
    'update fresh set more = 10',
    'select note from fresh where hidden = $$canary late$$',
  ],
  [
    'create table fresh_child () inherits (fresh)',
    'select hidden, id from fresh_child',
    "insert into fresh_child (id, note) values (3, 'y') returning note, hidden",
  ],
  ['create function fires() returns trigger language plpgsql as $$ begin return new; end $$', 'select id from fresh'],
  [
    'create trigger fires before update on fresh for each row execute function fires()',
    'update fresh set more = 3 where id = 1 returning id, hidden',
  ],
  [
    'alter table fresh rename column note to words',
    'select words, hidden from fresh',
    'select count(*) from fresh_child',
  ],
  [
    'drop table fresh cascade; create table fresh (hidden text, id int)',
    "insert into fresh values ('canary', 4) returning id",
    'select hidden, id from fresh',
  ],
];
/** What none of the definitions is about. */
const UNRELATED = [
  'select count(*)::int as n, max(id) as m from people',
  'select id, upper(name) as u, email is null as e from people where id = 1',
  'select o.item, p.name from orders o join people p on p.id = o.person order by 1',
  "select relname, relkind from pg_class where relname = 'people'",
  "select table_name, column_name from information_schema.columns where table_name = 'people' order by 2",
  "select 1 as one, 'x' as x, json_build_object('id', id, 'name', name) as j from people order by id",
  "insert into people values (3, 'Cy', null) returning id, lower(name) as l",
];
const ABOUT_OTHERS = [
  'create schema made',
  'create schema made authorization tenant',
  "create function made() returns int language plpgsql as 'begin return 1; end'",
  'create or replace function plf(int) returns int language plpgsql as $$ begin return 2; end $$',
  'create procedure made() language plpgsql as $$ begin end $$',
  'create aggregate made (int) (sfunc = int4pl, stype = int)',
  'create extension if not exists plpgsql',
  'create extension if not exists citext',
  'create domain made as text check (length(value) < 9)',
  'create type made as range (subtype = int)',
  "alter type mood add value 'better'",
  'create type made as (a int)',
  'alter sequence counter increment by 2',
  'grant usage on schema public to tenant',
  'grant select on all tables in schema public to tenant',
  'grant execute on function plf(int) to tenant',
  'revoke all on orders from tenant',
  'alter default privileges grant select on tables to tenant',
  'create role made',
  "comment on function plf(int) is 'x'",
  'create or replace view more_items as select id, item from items where id > 0',
  'drop view items cascade',
  'drop schema empty',
  'drop function plf(int)',
  'drop type mood',
  'alter view more_items rename to made',
  'alter view more_items set schema empty',
  'alter function plf(int) owner to tenant',
  'alter function plf(int) rename to made',
  'create table made partition of measures for values in (2)',
  'create table made () inherits (empties)',
  'alter table measures add column more int',
  'alter table empties enable row level security',
  'alter table empties alter column id type bigint',
  'create policy made on empties using (true)',
  'create trigger made after insert on empties for each row execute function suppress_redundant_updates_trigger()',
  'create statistics made on id, more from empties',
  'set local role tenant',
  'set role tenant',
];

describe.each([15, 18] as const)('definitions in a transaction of PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return;
  let server: PostgresServer;
  let stand: Stand;
  let client: pg.Client;
  let admin: pg.Client;

  beforeAll(async () => {
    server = await startPostgres({ major });
    admin = new pg.Client({ ...server, database: 'postgres' });
    await admin.connect();
    await admin.query(`${SCHEMA} create table empties (id int, more int); grant all on all tables in schema public to tenant;
      grant create on schema public to tenant`);
    stand = await openStand({ target: targetOf(server), rules: RULES });
    client = await stand.client();
  }, 60_000);
  afterAll(async () => {
    await client.end();
    await admin.end();
    await stand.stop();
    await server.stop();
  });

  test('what is committed is known to others at once, and masked', async () => {
    const other = await stand.client();
    await other.query('select 1');
    const said = async (on: pg.Client, text: string): Promise<unknown> =>
      ((await on.query(text).catch((error: Error) => error.message)) as pg.QueryResult).rows;
    for (const [definition, ...asked] of COMMITTED) {
      await client.query(definition);
      for (const text of asked) {
        await admin.query('begin');
        const direct = await said(admin, text);
        await admin.query('rollback');
        await other.query('begin');
        const masked = await said(other, text);
        await other.query('rollback');
        const hidden = JSON.stringify(direct)
          ?.replaceAll(/canary late|canary/g, '[masked]')
          .replaceAll('CANARY LATE', '[masked]');
        expect(JSON.stringify(masked), `${definition}: ${text}`).toBe(hidden);
      }
    }
    await admin.query('drop table fresh; drop function fires()');
    await other.end();
  }, 60_000);

  const answers = async (on: pg.Client, texts: readonly string[]): Promise<unknown[]> => {
    const said: unknown[] = [];
    await on.query('begin');
    try {
      for (const text of texts) said.push((await on.query(text)).rows);
    } finally {
      await on.query('rollback');
    }
    return said;
  };

  test.each(ABOUT_OTHERS)('leave the rest as it is: %s', async (definition) => {
    const direct = await answers(admin, [definition, ...UNRELATED]);
    // Whether a masked column is NULL is not shown of what is computed from it.
    const shown = JSON.parse(JSON.stringify(direct).replaceAll('"e":false', '"e":null')) as unknown[];
    expect(await answers(client, [definition, ...UNRELATED])).toEqual(shown);
    const behindSavepoint = await answers(client, ['savepoint s', definition, ...UNRELATED.slice(0, 3)]);
    expect(behindSavepoint.slice(2)).toEqual(shown.slice(1, 4));
    // In one text as well.
    const [, ...one] = (await client.query(
      `begin; ${definition}; ${UNRELATED.slice(0, 3).join('; ')}`,
    )) as unknown as pg.QueryResult[];
    await client.query('rollback');
    expect(one.slice(1).map(({ rows }) => rows)).toEqual(shown.slice(1, 4));
  });

  const TELLS = '(select string_agg(email, $q$ $q$) from public.people)';
  test.each([
    [`create function made(int) returns text language plpgsql as 'begin return ${TELLS}; end'`, 'select made(1)'],
    [
      `create function first_of(orders) returns text language plpgsql as 'begin return ${TELLS}; end'`,
      'select o.first_of from orders o',
    ],
    [
      `create or replace function plf(int) returns int language plpgsql as 'begin return ascii(${TELLS}); end'`,
      'select plf(1)',
    ],
    [`create or replace function sqlf(int) returns int language sql as 'select ascii(${TELLS})'`, 'select sqlf(1)'],
    [
      `create function lower(int) returns text language plpgsql as 'begin return ${TELLS}; end'`,
      'select lower(id) from orders',
    ],
    [
      'create or replace view items as select id, email as item from people',
      'select upper(item), item from more_items',
    ],
    [
      'drop view items cascade',
      'create view items as select id, email as item from people',
      'select upper(item) from items',
    ],
    [
      'create schema made',
      'create table made.orders as select id, email as item from people',
      'set search_path = made, public',
      'select upper(item), item from orders',
    ],
    [
      'create schema made',
      'set search_path = made, pg_temp, public',
      'create table if not exists orders as select id, email as item from people',
      'select upper(item), item from orders',
    ],
    [
      'create table made partition of measures for values in (2)',
      "insert into measures values (5, 2, 'canary')",
      'select upper(secret), secret from made',
      'select secret from measures',
    ],
    [
      'alter table orders rename item to x',
      'alter table people rename email to item',
      'select upper(item), item from people',
    ],
    [
      `create function made() returns trigger language plpgsql as 'begin new.item := ${TELLS}; return new; end'`,
      'create trigger made before insert on orders for each row execute function made()',
      "insert into orders values (9, 1, 'x') returning item, upper(item)",
    ],
    [
      'alter table people rename to folk',
      'create view people as select id, email as name from folk',
      'select upper(name), name from people',
    ],
    [
      'alter function sqlf(int) rename to made',
      `create function sqlf(int) returns int language plpgsql as 'begin return ascii(${TELLS}); end'`,
      'select sqlf(1)',
    ],
  ])('show nothing of a masked value: %s; %s', async (...texts) => {
    const direct = await answers(
      admin,
      texts.filter((text) => text !== undefined),
    );
    const through = await answers(
      client,
      texts.filter((text) => text !== undefined),
    );
    const last = JSON.stringify(through.at(-1));
    expect(JSON.stringify(direct.at(-1))).toMatch(/canary|CANARY|99/);
    expect(last).not.toMatch(/canary|CANARY|99/);
    await client.query('reset search_path');
    await admin.query('reset search_path');
  });
});
