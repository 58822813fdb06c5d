import { setTimeout as sleep } from 'node:timers/promises';
import type { Impact } from '@sluice/approvals';
import { missingPostgres } from '@sluice/testkit';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ServedStand, askedOf, openServedStand } from './served-stand.js';
import type { Stand } from './stand.js';

const RULES = `
    - { rule: changes, when: 'action.effects.exists(e, e in ["write", "destroy", "define"])', hold: { approvers: ["group:engineers"] } }
    - { rule: anything, when: 'action.effects.exists(e, e == "unknown")', allow: true }
`;
const SCHEMA = `
create table customers (id int primary key, name text);
create table orders (id int primary key, customer int references customers on delete cascade);
create table items (id int primary key, "order" int references orders on delete cascade);
create table notes (id int primary key, customer int references customers on delete set null);
insert into customers select n, 'name ' || n from generate_series(1, 1000) n;
insert into orders select n, n from generate_series(1, 500) n;
create function audit() returns trigger language plpgsql as $$ begin return null; end $$;
create trigger audit_orders after delete on orders for each row execute function audit();
create trigger disabled after delete on orders for each row execute function audit();
alter table orders disable trigger disabled;
create view names as select name from customers;
create table called (n int);
create function noted(int) returns int language plpgsql immutable as $$ begin insert into called values ($1); return $1; end $$;
create table indexed (id int);
create index on indexed (noted(id));
create table guarded (id int);
alter table guarded enable row level security;
create policy own on guarded using (noted(1) = 1);
create schema other; create table other.customers (id int);
truncate called;
analyze;
`;
const COUNTRY = 'éé';

describe.skipIf(missingPostgres(15)).each([15, 18] as const)('what approvers are told, on PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return;
  let served: ServedStand;
  let stand: Stand;
  let direct: pg.Client;
  beforeAll(async () => {
    served = await openServedStand(major, [SCHEMA], { rules: RULES });
    ({ stand, direct } = served);
  });
  afterAll(() => served?.stop());

  /** What is said of a statement that is then withdrawn. */
  async function impact(text: string, values?: unknown[], before?: string): Promise<Impact | undefined> {
    const client = await stand.client();
    if (before !== undefined) await client.query(before);
    const request = await askedOf(stand, client, text, values);
    await client.end();
    expect(request.text).toContain(text.slice(0, 20));
    return request.impact;
  }

  test('rows, their share, what cascades and what fires', async () => {
    expect(await impact('delete from orders where id <= 100')).toEqual({
      tables: [
        {
          verb: 'delete',
          table: 'orders',
          rows: 100,
          totalRows: 500,
          bytes: expect.any(Number) as number,
          cascades: ['items'],
          triggers: ['audit_orders'],
        },
      ],
    });
    const all = await impact('delete from customers');
    expect(all?.tables[0]).toMatchObject({ rows: 1000, totalRows: 1000, cascades: ['items', 'notes', 'orders'] });
  });

  test('values are planned with, and not those that only their type can read', async () => {
    const bound = await impact('update customers set name = $2 where id <= $1', ['10', `O'${COUNTRY}`]);
    expect(bound?.tables[0]?.rows).toBe(10);
    const text = await impact('update customers set name = name where name = $1', [Buffer.from('x')]);
    expect(text?.tables[0]?.rows).toBe(1);
    const binary = await impact('update customers set name = name where $1::date is null', [Buffer.alloc(4)]);
    expect(binary).toMatchObject({ unknown: 'its values are in binary format' });
  });

  test('MERGE, and a statement that changes two tables', async () => {
    const merge = await impact(
      'merge into customers c using orders o on o.id = c.id when matched then delete when not matched then do nothing',
    );
    expect(merge?.tables[0]).toMatchObject({ verb: 'merge', table: 'customers', totalRows: 1000 });
    expect(merge?.tables[0]?.rows).toBeGreaterThan(0);
    const two = await impact(
      'with gone as (delete from items returning id) update orders set customer = 1 where id in (select id from gone)',
    );
    expect(two?.tables.map(({ verb, table }) => `${verb} ${table}`).sort()).toEqual(['delete items', 'update orders']);
  });

  test('of what is dropped its size, and what stands on it', async () => {
    const dropped = await impact('drop table customers cascade');
    expect(dropped?.tables[0]).toMatchObject({ totalRows: 1000, cascades: ['names', 'notes', 'orders'], triggers: [] });
    expect((await impact('truncate orders cascade'))?.tables[0]).toMatchObject({ totalRows: 500, cascades: ['items'] });
  });

  test.each([
    ['functions that nobody has vetted', 'delete from customers where id = noted(3)', undefined],
    ['functions of an index', 'delete from indexed where id = 4', undefined],
    ['functions of row security', 'delete from guarded', undefined],
    ['a view', 'delete from names', undefined],
    ['more than one statement', 'delete from items; delete from notes', undefined],
    ['other names', 'delete from customers where id = 3', 'set search_path to other'],
  ])('no plan is made, and nothing runs: %s', async (_, text, before) => {
    const { unknown, tables } = (await impact(text, undefined, before)) ?? {};
    expect(unknown).toBeTypeOf('string');
    expect(tables?.every(({ rows }) => rows === undefined)).toBe(true);
    expect((await direct.query('select from called')).rowCount).toBe(0);
  });

  test('a table that is locked costs no more than a moment', async () => {
    await direct.query('begin; lock table items in access exclusive mode');
    expect((await impact('delete from items where id = 1'))?.unknown).toContain('lock');
    await direct.query('rollback');
  });

  test('the approver sees it', async () => {
    const client = await stand.client();
    const result = client.query('delete from orders where id <= 100').catch((error: unknown) => error);
    let number = 0;
    for (let n = 0; n < 500 && number === 0; n++) {
      number = (await stand.gateway.approvals.recent(1)).find(({ state }) => state === 'pending')?.number ?? 0;
      await sleep(10);
    }
    const answer = await fetch(`${stand.gateway.url}/v1/approvals/${number}`, {
      headers: {
        authorization: `Bearer ${(await stand.gateway.identity.createToken({ principal: 'ada', name: 'see' })).token}`,
      },
    });
    expect(await answer.json()).toMatchObject({ impact: { tables: [{ rows: 100, triggers: ['audit_orders'] }] } });
    stand.gateway.approvals.withdraw(number, 'seen');
    await result;
    await client.end();
  });
});
