import { setTimeout as sleep } from 'node:timers/promises';
import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

/** What others make, past the gateway or through it, keeps nobody from what has nothing to do with it. */

const RULES = `
    - { rule: everything, allow: true }
    - { rule: customer-data, mask: { columns: [customers.email], with: redact } }
    - { rule: no-guessing, when: 'size(masked.asked) > 0', deny: Masked values are not compared. }
`;
const SCHEMA = `drop schema public cascade; create schema public;
create table customers (id int primary key, name text, email text);
insert into customers values (1, 'Ada', 'ada@example.com');
create table plain (a int);
create table counted (n int unique deferrable initially deferred)`;

describe.skipIf(missingPostgres(15)).each(['mask', 'refuse'] as const)('what is not followed: %s', (notFollowed) => {
  let server: PostgresServer;
  let stand: Stand;
  let direct: pg.Client;
  let one: pg.Client;
  let other: pg.Client;
  beforeAll(async () => {
    server = await startPostgres({ major: 15 });
    direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(SCHEMA);
    stand = await openStand({ target: targetOf(server), rules: RULES, notFollowed });
    one = await stand.client();
    other = await stand.client();
  });
  afterAll(async () => {
    await Promise.all([one, other, direct].map((client) => client.end()));
    await stand.stop();
    await server.stop();
  });
  beforeEach(async () => {
    await one.query('rollback');
  });

  test('a view that was made past the gateway is known at once, also behind a reading that began before', async () => {
    await one.query('create table known (a int)');
    await other.query('create type ranged as range (subtype = int)');
    const locker = new pg.Client({ ...server, database: 'postgres' });
    await locker.connect();
    await direct.query('create table made_directly (a int)');
    await locker.query('begin; lock table pg_catalog.pg_event_trigger in access exclusive mode');
    // Reads all, and waits there.
    const reading = other.query('select name from customers');
    await vi.waitFor(
      async () => {
        const { rows } = await locker.query('select from pg_locks where not granted');
        expect(rows).toHaveLength(1);
      },
      { timeout: 5_000, interval: 10 },
    );
    await direct.query('create view seen as select name as shown, email as secret from customers');
    const asked = one.query('select shown, secret from seen');
    await sleep(100);
    await locker.query('rollback');
    await locker.end();
    expect((await reading).rows).toEqual([{ name: 'Ada' }]);
    expect((await asked).rows).toEqual([{ shown: 'Ada', secret: '[masked:EMAIL]' }]);
  });

  test('a name that nobody knows is the one of which the target says so', async () => {
    await one.query('create table made (a int)');
    await expect(one.query('select * from nonsense')).rejects.toThrow('relation "nonsense" does not exist');
  });

  test.each([
    ['a function', 'create function twice(int) returns int language sql as $$ select 2 * $1 $$'],
    ['a schema', 'create schema apart'],
    ['a view', 'create view away as select a from plain'],
  ])('errors of others keep their words behind %s', async (_, define) => {
    await one.query('begin');
    await one.query('select name from customers');
    await other.query(define);
    await one.query('savepoint s');
    await expect(one.query("select a from plain where a = 'abc'")).rejects.toThrow(
      'invalid input syntax for type integer: "abc"',
    );
    await one.query('rollback');
    await expect(one.query("insert into plain values ('abc')")).rejects.toThrow('"abc"');
  });

  test.each([
    ['a function', 'create function thrice(int) returns int language sql as $$ select 3 * $1 $$'],
    ['a schema', 'create schema aside'],
  ])('so does the error of a COMMIT behind %s', async (_, define) => {
    await one.query('begin');
    await one.query('insert into counted values (7), (7)');
    await other.query(define);
    await expect(one.query('commit')).rejects.toMatchObject({ detail: 'Key (n)=(7) already exists.' });
  });
});
