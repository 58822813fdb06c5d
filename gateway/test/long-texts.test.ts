/**
 * Texts of more than 64 Ki characters through masks, as clients send them that write their values into the statement (psycopg2, Django,
 * bulk inserts of ORMs): what is shown, asked and stored is the same as of short ones.
 */
import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, failure, openStand, targetOf } from './stand.js';

const RULES = `
    - { rule: everything, allow: true }
    - { rule: mails, mask: { columns: [people.email], with: redact } }
    - { rule: no-guessing, when: '"other" in masked.asked', deny: Masked columns are compared with whole values only. }
`;
const SCHEMA = `
create table people (id serial primary key, name text, email text unique, photo bytea);
insert into people (name, email) values ('Ada', 'ada@example.com'), ('Bob', 'bob@example.com');
create table notes (id serial primary key, body text, kind text);
create view mails as select id, email as body from people;
`;
const BIG = `it''s /* long */ ${'ü\\ '.repeat(30_000)}`;

describe.skipIf(missingPostgres(15))('long texts through masks', () => {
  let server: PostgresServer;
  let stand: Stand;
  let client: pg.Client;
  let direct: pg.Client;
  beforeAll(async () => {
    server = await startPostgres({ major: 15 });
    direct = new pg.Client({ ...server, database: 'postgres' });
    await direct.connect();
    await direct.query(SCHEMA);
    stand = await openStand({ target: targetOf(server), rules: RULES, notFollowed: 'refuse' });
    client = await stand.client();
  });
  afterAll(async () => {
    await client.end();
    await direct.end();
    await stand.stop();
    await server.stop();
  });
  const rows = async (on: pg.Client, text: string): Promise<unknown[]> =>
    (await on.query({ text, rowMode: 'array' })).rows as unknown[];
  const list = (from: number, count: number): string => Array.from({ length: count }, (_, at) => from + at).join();

  test('a long value is stored as it is, and what is RETURNING comes', async () => {
    expect(await rows(client, `insert into notes (body) values ('${BIG}') returning id`)).toEqual([[1]]);
    const bytes = Buffer.alloc(50_000, '\0\u00ff').toString('hex');
    const insert = `insert into people (name, email, photo) values ('Cy', 'cy@example.com', '\\x${bytes}'::bytea)`;
    expect(await rows(client, `${insert} returning id, email`)).toEqual([[3, '[masked:EMAIL]']]);
    const update = `update notes set body = '${BIG}', kind = 'a' where id = 1 and body = '${BIG}' returning kind`;
    expect(await rows(client, update)).toEqual([['a']]);
    expect(await rows(direct, 'select body from notes')).toEqual([[BIG.replaceAll("''", "'")]]);
    expect(await rows(direct, "select encode(photo, 'hex') from people where id = 3")).toEqual([[bytes]]);
  });

  test('many rows, many keys', async () => {
    const values = Array.from({ length: 4_000 }, (_, at) => `('a longer text ${at}', 'k')`).join();
    const added = await rows(client, `insert into notes (body, kind) values ${values} returning id`);
    expect(added.length).toBe(4_000);
    expect(await rows(client, `select count(*)::int from notes where id in (${list(2, 12_000)})`)).toEqual([[4_000]]);
    const found = `select name, email from people where id = any(array[${list(1, 12_000)}]) order by id limit 1`;
    expect(await rows(client, found)).toEqual([['Ada', '[masked:EMAIL]']]);
    const moved = `update notes n set body = v.body from (values ${values}) v (body, kind) where n.kind = v.kind and n.id = 2`;
    expect((await client.query(moved)).rowCount).toBe(1);
  });

  test('a comment of a client and a text with the beginning of one', async () => {
    const text = `insert into notes (body) values ('${'Accept: */*, a/*b '.repeat(300)}') returning body like 'Accept%' /*app='shop'*/`;
    expect(await rows(client, text)).toEqual([[true]]);
  });

  test('what is masked in a short text is masked in a long one', async () => {
    const keys = `id in (${list(1, 12_000)})`;
    for (const shown of ['email', 'upper(email)', '(select p.email)', "email || ''"])
      expect(JSON.stringify(await rows(client, `select ${shown} from people p where ${keys}`)), shown).not.toMatch(/@/);
    expect(JSON.stringify(await rows(client, `select body from mails where ${keys}`))).not.toMatch(/@/);
    const stolen = `insert into notes (body, kind) select email, '${BIG}' from people returning body`;
    await client.query('begin');
    await client.query(stolen).then(
      ({ rows: shown }) => expect(JSON.stringify(shown)).not.toMatch(/@/),
      (error: pg.DatabaseError) => expect(error.code).toBe('42501'),
    );
    await client.query('rollback');
  });

  test('what a short text may not ask a long one may not', async () => {
    const mails = Array.from({ length: 200 }, (_, at) => `'${at}${'a'.repeat(400)}@example.com'`);
    expect(await failure(client.query(`select 1 from people where email in (${mails.join()})`))).toBe('42501');
    expect(await failure(client.query(`select 1 from people where email > 'b${'a'.repeat(70_000)}'`))).toBe('42501');
    expect(await rows(client, `select id from people where email in (${mails.slice(0, 2).join()}, '${BIG}')`)).toEqual(
      [],
    );
    const keys = mails.map((mail) => `(${mail})`).join();
    const upsert = (values: string): Promise<string> =>
      failure(client.query(`insert into people (email) values ${values} on conflict (email) do nothing`));
    expect(await upsert(keys)).toBe(await upsert(keys.replaceAll('a'.repeat(400), '')));
  });
});
