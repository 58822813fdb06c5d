import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

/** What the server says of a statement that fails: as it says it, unless a value of a masked column can be in it. */

const RULES = `
    - { rule: everything, allow: true }
    - { rule: emails, mask: { columns: [people.email], with: redact } }
`;
const SCHEMA = `
create table people (id int primary key, name text, email text unique);
insert into people values (1, 'Ada', 'canary@example.com'), (2, 'Bob', 'canary@example.org');
create table orders (id int primary key, total numeric check (total > 0), item text not null);
insert into orders values (1, 5, 'canary ordinary');
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
      await on.query({ text, ...(values && { values }) }).catch((error: pg.DatabaseError) => {
        said = { ...error, message: error.message };
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
      await on.query({ text: 'selec 1', values: [] }).catch(() => undefined);
      expect((await on.query({ name: 'kept', text: 'select 1 as one' })).rows).toEqual([{ one: 1 }]);
    }
  });
});
