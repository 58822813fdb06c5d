import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, failure, openStand, targetOf } from './stand.js';

/** What EXPLAIN shows of masked columns: nodes, names, costs and rows as direct, and no constants. */

const RULES = `
    - { rule: emails, mask: { columns: [people.email, people.income], with: redact } }
    - { rule: no-guessing, when: '"other" in masked.asked', deny: Masked columns are compared with whole values only. }
`;
const SCHEMA = `
create table people (id int primary key, name text, email text, income int);
insert into people select n, 'name ' || n, n || '@example.com', n from generate_series(1, 1000) n;
create view rich as select id, email, 'constant of the view' as note from people where income > 731731;
analyze;
`;
/** Of what is compared a width is none, and neither are times. */
const plain = (row: unknown): string =>
  JSON.stringify(row)
    .replaceAll(/width=\d+/g, 'width=0')
    .replaceAll(/(Plan Width\\*"?: ?|<Plan-Width>)\d+/g, '$10');

describe.each([15, 18] as const)('EXPLAIN on PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return;
  let server: PostgresServer;
  let stand: Stand;
  let client: pg.Client;
  let admin: pg.Client;

  beforeAll(async () => {
    server = await startPostgres({ major, settings: { autovacuum: 'off' } });
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

  test.each(['text', 'json', 'yaml', 'xml'])('in the format %s', async (format) => {
    const statement = (inner: string): string => `explain (verbose, format ${format}) ${inner}`;
    const full = "select id, email from people where name = 'of mine' and id > 731731 and email = 'canary'";
    const direct = await admin.query(statement(full));
    expect(plain(direct.rows)).toMatch(/of mine.*|canary/);
    for (const values of [undefined, []]) {
      const through = await client.query({ text: statement(full), ...(values && { values }) });
      const said = plain(through.rows);
      expect(said).not.toMatch(/of mine|canary|731731/);
      const expected = plain(direct.rows)
        .replaceAll(/'(?:of mine|canary)'/g, "'[masked]'")
        .replaceAll('731731', '[masked]');
      expect(said).toBe(expected);
    }
    const view = plain((await client.query(statement('select * from rich'))).rows);
    expect(view).not.toMatch(/constant of the view|731731/);
    expect(view).toMatch(/Seq Scan/);
  });

  test('what masks have no part in is as direct, and conditions inside count as those of the statement itself', async () => {
    const text = "explain select id from people where name = 'of mine' and id > 731731";
    expect((await client.query(text)).rows).toEqual((await admin.query(text)).rows);
    for (const option of ['', 'analyze ', '(format json) '])
      expect(await failure(client.query(`explain ${option}select id from people where email like 'c%'`))).toBe('42501');
    expect(await failure(client.query("explain select id from people where email = 'c'"))).toBe('no error');
  });
});
