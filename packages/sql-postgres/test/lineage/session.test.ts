import { missingPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type Catalog,
  type SessionNames,
  type StatementLineage,
  afterEffects,
  atIdle,
  catalogVersion,
  newSession,
  readCatalog,
} from '../../src/index.js';
import { type Database, startDatabase, withTables } from './database.js';

describe.skipIf(missingPostgres(15) !== undefined)('lineage in a session', () => {
  let database: Database;
  beforeAll(async () => {
    database = await startDatabase(15);
  });
  afterAll(() => database?.stop());

  const start = newSession('postgres', ['app', 'public']);
  const read = (sql: string, session: SessionNames = start): readonly StatementLineage[] =>
    database.lineage.of(sql, database.catalog, session);
  const sources = (sql: string, session?: SessionNames): string[] =>
    read(sql, session).flatMap(({ outputs }) => outputs.flatMap((one) => [...one.sources].map(({ name }) => name)));
  const then = (session: SessionNames, sql: string): SessionNames =>
    read(sql, session).reduce((now, { effects }) => afterEffects(now, effects), session);

  const reasonOf = (sql: string, session: SessionNames): string | undefined => {
    const [one] = read(sql, session);
    return one?.unknown ?? one?.outputs[0]?.unknown;
  };

  test('a schema that the role may not look into is not on its path', () => {
    const reader = { ...newSession('lineage_reader', ['locked', 'other']) };
    expect(sources('select email from customers', reader)).toEqual(['other.customers.email']);
    const owner = newSession('postgres', ['locked', 'other']);
    expect(sources('select email from customers', owner)).toEqual(['locked.customers.email']);
  });

  test('a parameter that is declared as void is no argument', () => {
    const text = 'select * from upper($1, $2) as result';
    const known = (session: SessionNames): boolean => read(text, session)[0]?.outputs[0]?.unknown === undefined;
    const types = (session: SessionNames): (number | undefined)[] =>
      read(text, session)[0]?.outputs.map((one) => one.type) ?? [];
    expect(types({ ...start, voidParameters: [1] })).toEqual([25]);
    expect(known({ ...start, voidParameters: [1] })).toBe(true);
    expect(types(start)).not.toEqual([25]);
  });

  test('sessions with different paths, roles or temporary objects share no verdict', () => {
    const text = 'select email from customers';
    const temporary = then(start, 'create temp table customers as select 1 as email');
    expect(sources(text)).toEqual(['app.customers.email']);
    expect(sources(text, { ...start, searchPath: ['other'] })).toEqual(['other.customers.email']);
    expect(sources(text, temporary)).toEqual([]);
    expect(sources(text)).toEqual(['app.customers.email']);
  });

  test('the same text in the same session is read once', () => {
    expect(read('select name from customers')).toBe(read('select name from customers'));
  });

  test('a table ON COMMIT DROP and a cursor end with their transaction', () => {
    const open = then(start, 'begin; create temp table customers on commit drop as select 1 as email');
    expect(sources('select email from customers', open)).toEqual([]);
    expect(sources('select email from customers', then(open, 'commit'))).toEqual(['app.customers.email']);
    expect(sources('select email from customers', atIdle(open))).toEqual(['app.customers.email']);
  });

  test('what a rolled back transaction did to path and objects is undone, prepared statements stay', () => {
    const now = then(start, 'begin; set search_path to other; prepare p as select email from customers; rollback');
    expect(now.searchPath).toEqual(['app', 'public']);
    expect(sources('execute p', now)).toEqual(['app.customers.email']);
  });

  test('a temporary table that is there stays what it is when it is made IF NOT EXISTS', () => {
    const now = then(start, 'create temp table t as select email from customers');
    for (const again of ['create temp table if not exists t (email text)', 'create temp sequence if not exists t'])
      expect(sources('select email from t', then(now, again))).toEqual(['app.customers.email']);
    const copied = then(now, `create temp table if not exists t as select 'x' as email`);
    expect(sources('select email from t', copied)).toEqual(['app.customers.email']);
  });

  test('predicates tell equality from the rest', () => {
    const [lineage] = read(
      `select 1 from customers c join orders o on o.customer_id = c.id
       where email = $1 and ssn in ('1', '2') and name like 'a%' and phone is not null order by city`,
    );
    const kinds = lineage?.predicates.map(({ column, kind }) => `${column.name.replace('app.', '')} ${kind}`).sort();
    expect(kinds).toEqual([
      'customers.city other',
      'customers.email equality',
      'customers.id other',
      'customers.name other',
      'customers.phone null',
      'customers.ssn equality',
      'orders.customer_id other',
    ]);
  });

  const asked = (condition: string): unknown =>
    read(`select 1 from customers where ${condition}`)[0]
      ?.predicates.filter(({ column }) => column.name === 'app.customers.email')
      .map(({ kind, values, arrays }) => [kind, values, ...arrays.map((number) => `$${number}`)]);

  test.each([
    ["email = 'x'", [['equality', 1]]],
    ["'x' = email", [['equality', 1]]],
    ['email = $1', [['equality', 1]]],
    ['email = $1::text', [['equality', 1]]],
    ["email = 'x' or email = 'y'", [['equality', 2]]],
    ["email in ('x', $1, 'z')", [['equality', 3]]],
    ["email = any ('{x,y,z}')", [['equality', 3]]],
    ["email = any (array['x', 'y'])", [['equality', 2]]],
    ['email = any ($1)', [['equality', 0, '$1']]],
    ['email = any ($1::text[])', [['equality', 0, '$1']]],
    ["email = any (array['x', $1])", [['equality', 1, '$1']]],
    ['email is null', [['null', 0]]],
    ["email || '' = 'x'", [['other', 0]]],
    ["email::text = 'x'", [['other', 0]]],
    ['email collate "C" = \'x\'', [['other', 0]]],
    ['email = name', [['other', 0]]],
    ["email = lower('x')", [['other', 0]]],
    ["email = (select 'x')", [['other', 0]]],
    ['email = any (array(select name from customers))', [['other', 0]]],
    ["email = any (string_to_array('x,y', ','))", [['other', 0]]],
    ["email = any ('1 2'::oidvector::text[])", [['other', 0]]],
    ["email in ('x', random()::text)", [['other', 0]]],
    ["nullif(email, 'x') is null", [['other', 0]]],
    ["email is distinct from 'x'", [['other', 0]]],
    ["(email = 'x') is true", [['other', 0]]],
    ["not email = 'x'", [['other', 0]]],
    ["email operator(pg_catalog.<>) 'x'", [['other', 0]]],
  ])('where %s asks %j', (condition, expected) => {
    expect(asked(condition)).toEqual(expected);
  });

  test.each([
    ['insert into notes (text) select email from customers', 'table public.notes.text'],
    ['update notes set author = (select email from customers limit 1)', 'table public.notes.author'],
    ['create table notes2 as select email from customers', 'table notes2.email'],
    ['create temp table t as select email from customers', 'table pg_temp.t.email'],
    [`select pg_notify('x', email) from customers`, 'notification x'],
    [`select set_config('my.x', email, false) from customers`, 'setting my.x'],
    [`select setval('s', length(email)) from customers`, 'function setval'],
    [`copy (select email from customers) to '/x'`, 'file /x'],
    ['select opaque(email) from customers', 'function opaque'],
    ['with i as (insert into notes (text) select email from customers) select 1', 'table public.notes.text'],
    [
      'merge into notes n using customers c on n.id = c.id when not matched then insert (id, text) values (1, c.email)',
      'table public.notes.text',
    ],
  ])('%s moves e-mail to %s', (sql, target) => {
    const flows = read(sql).flatMap((one) => one.flows);
    const emails = flows.filter(({ value }) => [...value.sources].some(({ name }) => name === 'app.customers.email'));
    const targets = emails.map(({ target: to }) =>
      to.type === 'table' ? `table ${to.name}.${to.column}` : `${to.type} ${to.name}`,
    );
    expect(targets).toEqual([target]);
  });

  test('a sequence that is set to a constant, as restores do it, returns that and runs nothing else', () => {
    const [one] = read(`select pg_catalog.setval('public.s', 3, true)`);
    expect(one?.outputs.map(({ unknown, sources }) => [unknown, sources.size])).toEqual([[undefined, 0]]);
    expect([one?.flows, one?.effects]).toEqual([[], []]);
  });

  test.each(['(((', '', 'select (select (select 1', 'frobnicate'])('never throws: %j', (sql) => {
    for (const { unknown } of read(sql)) expect(unknown).not.toBe('');
  });

  test.each([
    [
      'recursive queries',
      (inner: string) =>
        `(with recursive r as (select 1 a union all select a + ${inner} from r) select a from r limit 1)`,
    ],
    [
      'stars',
      (inner: string) =>
        `(select count(*) from (select *, * from (select *, * from (select *, 1 from customers where id = ${inner}) a) b) c)`,
    ],
  ])('nested %s are read or given up in bounded time', (_, nest) => {
    let text = '1';
    for (let depth = 0; depth < 30; depth++) text = nest(text);
    expect(read(`select ${text}`)).toHaveLength(1);
    const doubled = Array.from({ length: 12 }).reduce<string>((inner) => `select *, * from (${inner}) x`, 'select 1');
    expect(read(doubled)[0]?.unknown).toBe('is too large to be followed');
  });

  test('the version changes with the catalog and only then', async () => {
    const before = await catalogVersion(database.query);
    expect(await catalogVersion(database.query)).toBe(before);
    await database.query('create temp table passing (a int)');
    expect(await catalogVersion(database.query)).toBe(before);
    await database.query('create table app.passing (a int)');
    const after = await catalogVersion(database.query);
    expect(after).not.toBe(before);
    const { relation } = await readCatalog(database.query, database.lineage.parse).then((catalog) => ({
      relation: catalog.relation('app', 'passing'),
    }));
    expect(relation?.columns.map(({ name }) => name)).toEqual(['a']);
    await database.query('drop table app.passing');
    expect(await catalogVersion(database.query)).not.toBe(after);
  });

  test('what is read of a catalog in parts is what is read of it whole, after each definition', async () => {
    let catalog: Catalog = await readCatalog(database.query, database.lineage.parse);
    for (const definition of DEFINITIONS) {
      await database.query(definition);
      catalog = await readCatalog(database.query, database.lineage.parse, catalog);
      const whole = await readCatalog(database.query, database.lineage.parse);
      expect(plain(catalog), definition).toEqual(plain(whole));
    }
  }, 300_000);

  test('what a transaction changed that was open while the catalog was read is in the next reading', async () => {
    const other = await database.connect();
    await other('begin; create table app.open_then (a int)');
    await database.query('create table app.between (a int)');
    await other('alter table app.open_then add column b int');
    const before = await readCatalog(database.query, database.lineage.parse);
    await other('alter table app.open_then add column c int; commit');
    const after = await readCatalog(database.query, database.lineage.parse, before);
    expect([before, after].map((one) => one.relation('app', 'open_then')?.columns.map(({ name }) => name))).toEqual([
      undefined,
      ['a', 'b', 'c'],
    ]);
    expect(plain(after)).toEqual(plain(await readCatalog(database.query, database.lineage.parse)));
    await database.query('drop table app.open_then; drop table app.between');
  });

  test('a table that is altered is read as it becomes, until its transaction has ended', () => {
    const altered = then(start, 'begin; alter table app.customers add column more text, drop column note');
    expect(sources('select email from app.customers', altered)).toEqual(['app.customers.email']);
    expect(read('select more from app.customers', altered)[0]).toMatchObject({ outputs: [{ name: 'more' }] });
    expect(reasonOf('select note from app.customers', altered)).toMatch(/not known/);
    const filled = then(altered, 'update app.customers set more = email');
    expect(sources('select more from app.customers', filled)).toEqual(['app.customers.email']);
    const renamed = then(start, 'begin; alter table app.customers rename column email to shown');
    expect(sources('select shown from app.customers', renamed)).toEqual(['app.customers.email']);
    expect(reasonOf('select more from app.customers', then(filled, 'rollback'))).toMatch(/not known/);
  });

  test('another owner is followed where the catalog does not have the table yet', () => {
    const made = then(start, 'create table app.made_just_now (a int)');
    for (const name of ['app.made_just_now', 'made_just_now', 'app.made_by_others']) {
      const [statement] = read(`alter table ${name} owner to postgres`, made);
      expect(statement).toMatchObject({ effects: [{ type: 'defined', names: [] }] });
      expect(statement?.unknown).toBeUndefined();
    }
    const [both] = read('alter table app.made_just_now owner to postgres, add column b int', made);
    expect(both?.effects).not.toEqual([{ type: 'defined', names: [] }]);
  });

  test('what goes with a table or a column is not taken for what stands behind it on the path', async () => {
    await database.query(`create schema gone; create table gone.owner (a int, c int);
      create sequence gone.customers owned by gone.owner.c;
      create table gone.parts (a int) partition by range (a);
      create table gone.person partition of gone.parts for values from (1) to (2);
      create table gone.above (a int); create table gone.below () inherits (gone.above);
      create view gone.other_customers as select a from gone.below`);
    const catalog = await readCatalog(database.query, database.lineage.parse);
    const path = newSession('postgres', ['gone', 'app']);
    const behind = (definition: string, name: string): string | undefined => {
      const session = database.lineage
        .of(`begin; ${definition}`, catalog, path)
        .reduce((now, { effects }) => afterEffects(now, effects), path);
      const [one] = database.lineage.of(`select x::text from ${name} as x`, catalog, session);
      return one?.unknown ?? one?.outputs[0]?.unknown;
    };
    expect(behind('alter table gone.owner add column b int', 'customers')).toBeUndefined();
    for (const [definition, name] of [
      ['alter table gone.owner drop column c', 'customers'],
      ['alter table gone.owner alter column c drop identity', 'customers'],
      ['drop table gone.owner', 'customers'],
      ['drop table gone.owner cascade', 'customers'],
      ['drop table gone.parts', 'person'],
      ['drop table gone.above cascade', 'below'],
      ['drop table gone.above cascade', 'other_customers'],
      ['alter table gone.above drop column a cascade', 'other_customers'],
    ] as const)
      expect(behind(definition, name), definition).toMatch(/definition in the same transaction/);
    // And once it has ended, it is what stands behind it.
    await database.query('alter table gone.owner drop column c');
    const read = (names: readonly string[]) => withTables(database.query, catalog, names);
    const after = await read(['owner', 'customers']);
    const [one] = after ? database.lineage.of('select email from customers', after, path) : [];
    expect(one?.outputs[0]?.sources.size).toBe(1);
    await database.query('drop schema gone cascade');
  });

  test('an altered table is not taken for one of its name in another schema', () => {
    const altered = then(start, 'begin; alter table other.customers add column more text');
    expect(sources('select email from customers', altered)).toEqual(['app.customers.email']);
    expect(sources('select email from other.customers', altered)).toEqual(['other.customers.email']);
  });
});

/** One of each kind that a part of the catalog stands for. */
const DEFINITIONS: readonly string[] = [
  'create table app.parted (a int, b text generated always as (upper(c)) stored, c text)',
  'create view app.parted_view as select b, c from app.parted',
  'alter table app.parted rename column c to d',
  'alter table app.parted add column e int default 3',
  'alter table app.parted alter column e set default 4',
  'alter table app.parted alter column e drop default',
  'create table app.parted_bare (a int)',
  'alter table app.parted_bare drop column a',
  'create or replace view app.parted_view as select b, d as c, 1 as more from app.parted',
  'create function app.parted_sum(int) returns int begin atomic select a + $1 from app.parted; end',
  'alter table app.parted rename column a to z',
  "create type app.parted_kind as enum ('one')",
  'create domain app.parted_domain as text',
  "create function app.parted_cast(app.parted_kind) returns int language plpgsql as 'begin return 1; end'",
  'create cast (app.parted_kind as int) with function app.parted_cast(app.parted_kind) as assignment',
  "create function app.parted_rule() returns trigger language plpgsql as 'begin return new; end'",
  'create trigger parted instead of insert on app.parted_view for each row execute function app.parted_rule()',
  'create table app.parted_child () inherits (app.parted)',
  'create schema parted',
  'alter table app.parted_child set schema parted',
  'create role parted_role',
  'revoke all on schema parted from public',
  'revoke all on schema public from public',
  'alter database postgres owner to parted_role',
  'create extension pg_trgm with schema parted',
  'begin; alter schema parted rename to parted_old; create schema parted; commit',
  'alter schema parted rename to parted_too',
  'drop extension pg_trgm',
  'drop trigger parted on app.parted_view',
  'drop function app.parted_sum',
  'create table app.replaced (name text, note text)',
  'create or replace view information_schema.information_schema_catalog_name as select name::information_schema.sql_identifier as catalog_name from app.replaced',
  'alter table app.replaced rename column name to other; alter table app.replaced rename column note to name',
  'drop schema parted_too cascade',
  'drop schema parted_old cascade',
  'drop table app.parted cascade',
];

const plain = ({ contents }: Catalog): unknown => ({
  ...contents,
  moment: undefined,
  guards: { ...contents.guards, read: contents.guards.read.pairs, written: contents.guards.written.pairs },
  schemas: [...contents.schemas].map(String).sort(),
  extensions: [...contents.extensions].sort(),
  closed: [...contents.closed].map(([schema, roles]) => `${schema}: ${[...roles].sort().join()}`).sort(),
  relations: byOid(contents.relations),
  types: byOid(contents.types),
  routines: byOid(contents.routines),
  operators: contents.operators.map((one) => JSON.stringify(one)).sort(),
  casts: contents.casts.map((one) => JSON.stringify(one)).sort(),
});
const byOid = <T extends { readonly oid: number }>(objects: readonly T[]): T[] =>
  [...objects].sort((one, other) => one.oid - other.oid);
