import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

/** What RETURNING shows where rules and INSTEAD OF triggers do something else, also of what is below a view: nothing that is masked. */

const RULES = `
    - { rule: everything, allow: true }
    - { rule: emails, mask: { columns: [people.email], with: redact } }
`;
const SCHEMA = `
create table people (id int primary key, name text, email text);
insert into people values (1, 'Ada', 'canary@example.com');
create table instead (id int, note text);
create rule other as on insert to instead do instead update people set name = name returning id, email;
create view instead_of as select id, note from instead;
create table several (id int, note text);
create rule first as on insert to several do instead update people set name = name returning id, email;
create rule second as on insert to several do also select 1 as one, lower(email) as two from people;
create view several_of as select id, note from several;
create table notes (id int, note text);
create view fired as select id, note from notes;
create function fires() returns trigger language plpgsql as
  $$ begin new.note := (select email from people); return new; end $$;
create trigger fires instead of insert on fired for each row execute function fires();
create view fired_of as select id, note from fired;
create table passing (id int);
create table passed (id int);
create rule on_ as on delete to passing do also insert into passed values (1);
create rule on_ as on insert to passed do also select email from people;
create table late (id int, note text);
create view late_of as select id, note from late;
`;
const CANARY = /canary/;

describe.each([15, 18] as const)('rules of PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return;
  let server: PostgresServer;
  let stand: Stand;
  let admin: pg.Client;
  let client: pg.Client;

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

  /** The rows of the last of these texts. */
  const rowsOf = async (on: pg.Client, texts: readonly string[]): Promise<unknown[]> => {
    let rows: unknown[] = [];
    for (const text of texts) {
      const results = await on.query({ text, rowMode: 'array' });
      rows = [results].flat().flatMap((result) => result.rows as unknown[]);
    }
    for (const text of ['rollback', 'discard all']) await on.query(text);
    return rows;
  };

  test.each([
    'insert into instead values (1) returning note',
    'insert into instead_of values (1) returning note, id',
    'insert into instead_of values (1) returning instead_of::text as whole',
    ['create temp view own as select * from instead_of', 'insert into own values (1) returning note'],
    ...(major >= 18 ? ['insert into instead values (1) returning old.note'] : []),
    "insert into several values (1) returning 1 as one, 'x'::text as two",
    "insert into several_of values (1) returning 1 as one, 'x'::text as two",
    'insert into fired values (1) returning note',
    'insert into fired_of values (1) returning note',
    ['create temp view own as select note as n from fired', "insert into own values ('x') returning n"],
    ['insert into passing values (1)', 'delete from passing'],
    [
      'create temp view own as select * from late',
      'begin',
      'create rule other as on insert to late do instead update people set name = name returning id, email',
      'insert into own values (1) returning note',
    ],
    [
      'begin',
      'create rule other as on insert to late do instead update people set name = name returning id, email',
      'insert into late_of values (1) returning note',
    ],
  ])('shows nothing masked: %s', async (given) => {
    const texts = [given].flat();
    const direct = await rowsOf(admin, texts);
    expect(JSON.stringify(direct)).toMatch(CANARY);
    const shown = await rowsOf(client, texts);
    expect(shown).toHaveLength(direct.length);
    expect(JSON.stringify(shown)).not.toMatch(CANARY);
  });

  test.each([
    'insert into notes values (1, $$x$$) returning id, note',
    ['create temp table own (id int, note text)', 'insert into own values (1, $$x$$) returning id, note'],
  ])('shows what is not rewritten: %s', async (given) => {
    expect(await rowsOf(client, [given].flat())).toEqual([[1, 'x']]);
  });
});
