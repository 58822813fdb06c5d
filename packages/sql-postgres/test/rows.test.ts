import type { Lookup } from '@sluice/contract';
import { type PostgresServer, missingPostgres, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { loadGrammar } from '../src/grammar.js';
import { RowsInForce, isSame, rowsFaults, rowsSql } from '../src/rows.js';

const CONDITION = "owner = current_setting('sluice.principal')";
const ORDERS = [{ table: 'kept.orders', condition: CONDITION }];

describe.each([15, 18] as const)('rows that a login gets, PostgreSQL %i', (major) => {
  const missing = missingPostgres(major);
  let server: PostgresServer;
  let owner: pg.Client;
  let app: pg.Client;
  const faults = (rows = ORDERS, client = app): Promise<string[]> => rowsFaults(lookupBy(client, major), rows);

  beforeAll(async () => {
    if (missing) return;
    server = await startPostgres({ major });
    owner = new pg.Client({ ...server, database: 'postgres' });
    await owner.connect();
    await owner.query(`create role app login;
      create schema kept;
      create table kept.orders (id int primary key, owner text);
      create table kept.parts (id int, owner text) partition by range (id);
      create table kept.parts_low partition of kept.parts for values from (0) to (100) partition by range (id);
      create table kept.parts_lowest partition of kept.parts_low for values from (0) to (10);
      insert into kept.orders values (1, 'dev'), (2, 'ada');
      grant usage on schema kept to app; grant all on kept.orders, kept.parts to app`);
    app = new pg.Client({ ...server, database: 'postgres', user: 'app' });
    await app.connect();
  });
  afterAll(async () => {
    await app?.end();
    await owner?.end();
    await server?.stop();
  });
  const inForce = (): Promise<unknown> => owner.query(rowsSql(ORDERS, 'app'));

  test.skipIf(missing)('are those of the condition, once the policies are there', async () => {
    expect(await faults()).toEqual([
      'row security of kept.orders is not enabled',
      'row security of kept.orders is not forced',
      'kept.orders has no policy sluice_rows_only for the login',
    ]);
    await inForce();
    await inForce();
    expect(await faults()).toEqual([]);
    await app.query("set sluice.principal = 'ada'");
    expect((await app.query('select id from kept.orders')).rows).toEqual([{ id: 2 }]);
    // A policy that lets more through does not.
    await owner.query('create policy wide on kept.orders using (true)');
    expect((await app.query('select id from kept.orders')).rows).toEqual([{ id: 2 }]);
    expect(await faults()).toEqual([]);
  });

  test.skipIf(missing)('are looked at again in time, also where the clock of the machine is set back', async () => {
    await inForce();
    const rows = new RowsInForce();
    let looks = 0;
    const look = (): Promise<void> =>
      rows.check(ORDERS, 'app', 'db', () => {
        looks++;
        return Promise.resolve({ ...lookupBy(app, major), close: () => undefined });
      });
    await look();
    await look();
    expect(looks).toBe(1);
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      vi.setSystemTime(Date.now() - 3_600_000);
      await owner.query('alter table kept.orders no force row level security');
      const later = performance.now() + 31_000;
      vi.spyOn(performance, 'now').mockReturnValue(later);
      await expect(look()).rejects.toThrow('row security of kept.orders is not forced');
      expect(looks).toBe(2);
    } finally {
      vi.restoreAllMocks();
      vi.useRealTimers();
      await inForce();
    }
  });

  const CHANGES: readonly (readonly [change: string, says: RegExp, back: string])[] = [
    ['alter table kept.orders no force row level security', /is not forced/, ''],
    ['alter table kept.orders disable row level security', /is not enabled/, ''],
    ['alter policy sluice_rows_only on kept.orders using (true)', /says "true", which is not the condition/, ''],
    ["alter policy sluice_rows_only on kept.orders with check (owner <> '')", /says "\(owner <> ''::text\)"/, ''],
    [
      "alter policy sluice_rows_only on kept.orders using (owner = current_setting('sluice.principal') or true)",
      /which is not the condition/,
      '',
    ],
    ['alter policy sluice_rows_only on kept.orders to pg_monitor', /has no policy sluice_rows_only/, ''],
    ['drop policy sluice_rows_only on kept.orders', /has no policy sluice_rows_only/, ''],
    [
      'drop policy sluice_rows_only on kept.orders; create policy sluice_rows_only on kept.orders using (true)',
      /is not restrictive/,
      '',
    ],
    [
      `drop policy sluice_rows_only on kept.orders;
       create policy sluice_rows_only on kept.orders as restrictive for select using (${CONDITION})`,
      /is not for all commands/,
      '',
    ],
    ['create role boss bypassrls; grant boss to app', /can act as boss, which has BYPASSRLS/, 'drop role boss'],
    ['create role root superuser; grant root to app', /can act as root, which is a superuser/, 'drop role root'],
    [
      'create role owns; grant owns to app; alter table kept.orders owner to owns',
      /can act as the owner of kept.orders/,
      'alter table kept.orders owner to current_user; drop role owns',
    ],
    [
      'create view kept.shown as select * from kept.orders; grant select on kept.shown to app',
      /can read kept.orders by kept.shown/,
      'drop view kept.shown',
    ],
    [
      `create view kept.below as select * from kept.orders; create view kept.above as select id from kept.below;
       grant select (id) on kept.above to app`,
      /can read kept.orders by kept.above/,
      'drop view kept.above; drop view kept.below',
    ],
    [
      'create view kept.changed as select * from kept.orders; grant delete on kept.changed to app',
      /can read kept.orders by kept.changed/,
      'drop view kept.changed',
    ],
    [
      `create role reads; grant reads to app with admin option; alter role app noinherit;
       create view kept.theirs as select * from kept.orders; grant select on kept.theirs to reads`,
      /can read kept.orders by kept.theirs/,
      'drop view kept.theirs; drop role reads; alter role app inherit',
    ],
    [
      `create role shares; grant shares to app; grant select on kept.orders to shares;
       drop policy if exists wide on kept.orders; create policy wide on kept.orders using (true)`,
      /can act as shares, whom policy sluice_rows_only of kept.orders is not for/,
      'drop owned by shares; drop role shares; drop policy wide on kept.orders',
    ],
    [
      'create table kept.every (id int, owner text); alter table kept.orders inherit kept.every; grant select on kept.every to app',
      /can read kept.orders by kept.every/,
      'alter table kept.orders no inherit kept.every; drop table kept.every',
    ],
    [
      'create materialized view kept.copied as select * from kept.orders; grant select on kept.copied to app',
      /can read kept.orders by kept.copied/,
      'drop materialized view kept.copied',
    ],
  ];
  test.skipIf(missing).each(CHANGES)('not in force: %s', async (change, says, back) => {
    await owner.query(change);
    expect((await faults()).join('; ')).toMatch(says);
    if (back !== '') await owner.query(back);
    await inForce();
    expect(await faults()).toEqual([]);
  });

  test.skipIf(missing)('a role that the policies hold as well is no way around', async () => {
    await owner.query(`create role held; grant held to app; grant usage on schema kept to held; grant select on kept.orders to held;
      create policy wider on kept.orders to app using (true)`);
    expect(await faults()).toEqual([]);
    await app.query("set role held; set sluice.principal = 'ada'");
    expect((await app.query('select id from kept.orders')).rows).toEqual([]);
    await app.query('reset role');
    await owner.query('drop policy wider on kept.orders; drop owned by held; drop role held');
  });

  test.skipIf(missing || major > 15)('before 16 CREATEROLE becomes whatever it likes', async () => {
    await owner.query('alter role app createrole');
    expect((await faults()).join()).toMatch(/can act as app, which has CREATEROLE/);
    await owner.query('alter role app nocreaterole');
  });

  test.skipIf(missing)('a view that reads as whoever asks is no way around', async () => {
    await owner.query(`create view kept.invoked with (security_invoker) as select * from kept.orders;
      alter view kept.invoked set (security_invoker = true); grant select on kept.invoked to app`);
    expect(await faults()).toEqual([]);
    await owner.query('drop view kept.invoked');
  });

  test.skipIf(missing)('of partitions, tables that are not there, and a superuser', async () => {
    const parts = [{ table: 'kept.parts', condition: CONDITION }];
    await owner.query(rowsSql(parts, 'app'));
    expect(await faults(parts)).toEqual([]);
    await owner.query('grant select on kept.parts_lowest to app');
    expect(await faults(parts)).toEqual([
      'the login can read kept.parts by kept.parts_lowest, which its policies do not hold',
    ]);
    expect(await faults([{ table: 'kept.nothing', condition: 'true' }])).toEqual(['there is no table kept.nothing']);
    expect((await faults(ORDERS, owner)).join()).toMatch(/which is a superuser/);
  });
});

test('conditions are the same where only the way is another that the server writes them', async () => {
  const parse = await loadGrammar(18);
  for (const [one, other] of [
    [CONDITION, "(owner = current_setting('sluice.principal'::text))"],
    ["pg_catalog.lower(owner) = 'x'", "(lower(owner) = 'x'::text)"],
    ['a and (b or c)', '(a AND (b OR c))'],
  ] as const)
    expect([one, isSame(one, other, parse)]).toEqual([one, true]);
  for (const [one, other] of [
    [CONDITION, `${CONDITION} or true`],
    [CONDITION, "owner = current_setting('sluice.session')"],
    ['owner::int = 1', 'owner = 1'],
    ['true) union select 1 where (true', 'true) union select 1 where (true'],
    ['true) limit all --', 'true) limit all --'],
    ['', ''],
    ['a and b', 'a or b'],
  ] as const)
    expect([one, isSame(one, other, parse)]).toEqual([one, false]);
});

const lookupBy = (client: pg.Client, major: number): Lookup => ({
  major,
  query: async (text) => {
    const types = { getTypeParser: () => (value: string) => value };
    const { rows } = await client.query<(string | null)[]>({ text, rowMode: 'array', types } as pg.QueryArrayConfig);
    return rows;
  },
  close: () => undefined,
});
