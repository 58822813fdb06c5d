import { missingPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Catalog, type SessionNames, type StatementLineage, newSession, readCatalog } from '../../src/index.js';
import { type Database, startDatabase } from './database.js';

/**
 * Operators and functions that share their name with others: what is known of a result is what is known of the one that is meant, and
 * where that is open, of all that can be.
 */

const OWN = `
create function app.emailed(integer, text) returns text language sql stable
  as 'select email from app.customers where id = $1 and name = $2';
create operator app.|| (leftarg = integer, rightarg = text, function = app.emailed);
create function app.joined(text, boolean) returns text language sql immutable as 'select $1 || $2::text';
create operator app.|| (leftarg = text, rightarg = boolean, function = app.joined);
create function app.is_like(text, integer) returns boolean language plpgsql as 'begin return true; end';
create operator app.= (leftarg = text, rightarg = integer, function = app.is_like);
create operator app.~~ (leftarg = text, rightarg = integer, function = app.is_like);
create operator app.>= (leftarg = text, rightarg = integer, function = app.is_like);
create function app.negated(text) returns text language plpgsql as 'begin return $1; end';
create operator app.- (rightarg = text, function = app.negated);
create function app.reverse(boolean) returns text language plpgsql as 'begin return null; end';
create function app.md5(integer) returns text language sql stable as 'select email from app.customers where id = $1';
-- A type of the same name: what no function takes is a cast to it.
create domain app.short as text;
create function app.short(integer) returns text language sql immutable return 'x';
`;

describe.skipIf(missingPostgres(15) !== undefined)('operators and functions of one name', () => {
  let database: Database;
  let catalog: Catalog;
  beforeAll(async () => {
    database = await startDatabase(15);
    await database.query(OWN);
    catalog = await readCatalog(database.query, database.lineage.parse);
  });
  afterAll(() => database?.stop());

  const start = newSession('postgres', ['app', 'public']);
  const read = (sql: string, session: SessionNames = start): StatementLineage => {
    const [one] = database.lineage.of(sql, catalog, session);
    if (!one) throw new Error('There is no statement.');
    return one;
  };
  const UNREAD = /runs code that nobody has read/;

  test.each([
    // The server's own is meant: the others take something else.
    [`name || email`, ['email', 'name']],
    [`name || 'x'`, ['name']],
    [`name like 'x%'`, ['name']],
    [`name in ('x', email)`, ['email', 'name']],
    [`name between 'a' and email`, ['email', 'name']],
    [`case name when email then 1 end`, ['email', 'name']],
    [`nullif(name, email)`, ['email', 'name']],
    [`name = any (tags)`, ['name', 'tags']],
    [`name = any (select email from customers)`, ['email', 'name']],
    [`- id`, ['id']],
    [`reverse(name)`, ['name']],
    [`reverse(upper(name))`, ['name']],
    [`reverse(coalesce(name, email))`, ['email', 'name']],
    [`reverse((array[name, 'x'])[1])`, ['name']],
    [`reverse(name collate "C")`, ['name']],
    [`md5(name)`, ['name']],
    // One in SQL is: it is read.
    [`id || name`, ['email']],
    [`name || (id > 1)`, ['id', 'name']],
    [`md5(id)`, ['email']],
    // It is open: all that can be meant.
    [`md5($1)`, ['email']],
    [`name || $1`, ['name']],
    [`short(name)`, ['name']],
    [`short(id)`, []],
    [`short($1)`, []],
  ])('select %s comes from %j', (expression, expected) => {
    const [output] = read(`select ${expression} as x from customers`).outputs;
    expect(output?.unknown).toBeUndefined();
    expect([...(output?.sources ?? [])].map(({ name }) => name.replace('app.customers.', '')).sort()).toEqual(expected);
  });

  test.each([
    `name = id`,
    `name like 1`,
    `name in (1, 2)`,
    `name in ('x', id)`,
    `name between 1 and 2`,
    `name = any (array[1, 2])`,
    `name = any (select id from customers)`,
    `name not in (select id from customers)`,
    `case name when 1 then 1 end`,
    `name is distinct from id`,
    `nullif(name, id)`,
    `(name, id) = (id, id)`,
    `(name, id) in ((1, 2))`,
    `- name`,
    `name = any ($1)`,
    `reverse(id = 1)`,
    `reverse($1)`,
  ])('select %s is not known', (expression) => {
    const { outputs, effects } = read(`select ${expression} as x from customers`);
    expect(outputs[0]?.unknown).toMatch(UNREAD);
    // What such code leaves behind in the session is not known either.
    expect(effects.map(({ type }) => type)).toContain('code');
  });

  test('conditions and joins ask what decides them', () => {
    const asked = (sql: string): unknown => {
      const { predicates, conditionsOnUnknown } = read(sql);
      return [
        predicates.map(({ column, kind }) => `${column.name.replace('app.', '')} ${kind}`).sort(),
        conditionsOnUnknown.length,
      ];
    };
    expect(asked(`select 1 from customers where email = 'x'`)).toEqual([['customers.email equality'], 0]);
    expect(asked(`select 1 from customers where email = 1`)).toEqual([['customers.email other'], 1]);
    expect(asked(`select 1 from customers join (select id as name from orders) o using (name)`)).toEqual([
      ['customers.name other', 'orders.id other'],
      1,
    ]);
    expect(asked(`select 1 from customers where (id || name) = 'x'`)).toEqual([
      ['customers.email other', 'customers.id other', 'customers.name other'],
      0,
    ]);
  });

  test('a value goes where the code of its operator puts it', () => {
    const { flows } = read('select 1 from customers where email = 1');
    expect(flows.map(({ target, value }) => [target, [...value.sources].map(({ name }) => name)])).toEqual([
      [{ type: 'function', name: 'is_like' }, ['app.customers.email']],
    ]);
  });

  test('a row that is compared with the row of a query comes from all its columns', () => {
    const { outputs } = read(`select (1, 'x') = (select id, email from customers limit 1) as x`);
    expect([...(outputs[0]?.sources ?? [])].map(({ name }) => name).sort()).toEqual([
      'app.customers.email',
      'app.customers.id',
    ]);
    const asked = read(`select 1 where (1, 'x') = (select id, email from customers limit 1)`).predicates;
    expect(asked.map(({ column, kind }) => `${column.name} ${kind}`).sort()).toEqual([
      'app.customers.email other',
      'app.customers.id other',
    ]);
  });

  test('a name that may be found in any schema stands for all of them', () => {
    const anyPath = { ...start, searchPath: [], anyPath: 'is not known' };
    expect(read('select (c).name || true as x from app.customers c', anyPath).outputs[0]?.unknown).toBeUndefined();
    expect(read('select - c.name as x from app.customers c', anyPath).outputs[0]?.unknown).toMatch(UNREAD);
  });
});
