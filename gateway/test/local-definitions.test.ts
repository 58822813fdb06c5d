import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

/** Definitions after which only what they name is read anew: a mask follows each at once, whoever asks. */

const RULES = `
    - { rule: everything, allow: true }
    - { rule: emails, mask: { columns: [people.email], with: redact } }
`;
// With a function that may set anything: then it is looked at what new code runs behind.
const SCHEMA = `
create schema other;
create schema third;
create table people (id int primary key, name text, email text);
insert into people values (1, 'Ada', 'canary@example.com'), (2, 'Bob', 'canary@example.org');
create table third.crowd (id int, email text);
insert into third.crowd values (1, 'canary of the crowd');
create view contacts as select id, name, email as mail from people;
create view mails as select mail from contacts;
create table other.mails (mail text);
create function shows(int) returns text language sql as 'select name from people where id = $1';
create function fires() returns trigger language plpgsql as 'begin return new; end';
create function sets() returns text language plpgsql as $$ begin execute 'select 1'; return ''; end $$;
create type mood as enum ('ok');
`;

/** One after the other; and what is asked behind it. */
const DEFINITIONS: readonly (readonly [definition: string, ...asked: string[]])[] = [
  [
    'alter table people rename name to called',
    'select * from contacts order by id',
    'select called, email from people',
  ],
  ['alter view contacts rename to reached', 'select mail from reached order by 1', 'select mail from mails'],
  ['alter view reached rename column mail to post', 'select post from reached', 'select mail from mails'],
  ['alter view reached set schema other', 'select post from other.reached', 'select mail from mails'],
  [
    'create function tells(int) returns text language sql as $$ select email from people where id = $1 $$',
    'select tells(1)',
  ],
  [
    'create or replace function shows(int) returns text language sql as $$ select email from people where id = $1 $$',
    'select shows(1)',
  ],
  ['create domain post as text', 'select email::post as e from people where id = 1'],
  ['create type pair as (a int, b text)', 'select (row(id, email)::pair).b as b from people where id = 1'],
  ['create sequence numbers', "select nextval('numbers') > 0 as n, email from people where id = 1"],
  [`alter type mood add value 'better'`, 'select email from people where id = 1'],
  ["comment on column people.email is 'x'", 'select email from people where id = 1'],
  ['grant select on people to public', 'select email, called from people where id = 1'],
  [
    'create trigger fires before update on people for each row execute function fires()',
    'update people set called = called where id = 1 returning id, email',
  ],
  ['drop trigger fires on people', 'update people set called = called where id = 1 returning email'],
  ['create policy all_of_it on people using (true)', 'select email from people where id = 1'],
  ['alter table third.crowd rename to people', 'select id, email from third.people'],
  ['alter index third.people rename to crowd', 'select id from third.crowd'],
  ['alter index third.crowd rename to people', 'select id, email from third.people'],
  ['alter table people set schema other', 'select email, called from other.people', 'select mail from mails'],
  ['alter table other.people set schema public', 'select email from people', 'select mail from mails'],
  ['drop view other.reached cascade', 'select mail from mails', 'select mail from other.mails'],
  ['create view mails as select called as mail from people', 'select mail from mails'],
  ['create or replace view mails as select email as mail from people', 'select mail from mails'],
  ['drop view mails cascade', 'select 1 as one from people where id = 1'],
  ['create table spare (email text); create view of_spare as select email from spare', 'select email from of_spare'],
  ['drop table spare cascade', 'select count(*) from people'],
  ['drop function shows(int)', 'select tells(1)'],
];

describe.each([15, 18] as const)('definitions that are read in part, of PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return;
  let server: PostgresServer;
  let stand: Stand;
  let admin: pg.Client;

  beforeAll(async () => {
    server = await startPostgres({ major });
    admin = new pg.Client({ ...server, database: 'postgres' });
    await admin.connect();
    await admin.query(SCHEMA);
    stand = await openStand({ target: targetOf(server), rules: RULES });
  }, 60_000);
  afterAll(async () => {
    await admin.end();
    await stand.stop();
    await server.stop();
  });

  const said = async (on: pg.Client, text: string): Promise<unknown> => {
    try {
      return (await on.query(text)).rows;
    } catch (error) {
      return String(error);
    }
  };

  test('a mask follows them', async () => {
    const [client, other] = [await stand.client(), await stand.client()];
    await other.query('select 1');
    for (const [definition, ...asked] of DEFINITIONS) {
      await client.query('begin; savepoint before');
      await client.query(definition);
      for (const text of asked) {
        await client.query('savepoint asked');
        expect(JSON.stringify(await said(client, text)), `${definition}, inside: ${text}`).not.toMatch(/canary/i);
        await client.query('rollback to asked');
      }
      await client.query('rollback to before');
      for (const text of asked) {
        await client.query('savepoint asked');
        expect(JSON.stringify(await said(client, text)), `${definition}, taken back: ${text}`).not.toMatch(/canary/i);
        await client.query('rollback to asked');
      }
      await client.query(definition);
      await client.query('commit');
      for (const text of asked) {
        const direct = JSON.stringify(await said(admin, text));
        const shown = direct.replaceAll(/canary(?:@example.(?:com|org)| of the crowd)/g, '[masked:EMAIL]');
        for (const one of [other, client])
          expect(JSON.stringify(await said(one, text)), `${definition}: ${text}`).toBe(shown);
      }
    }
    await Promise.all([client.end(), other.end()]);
  }, 60_000);
});
