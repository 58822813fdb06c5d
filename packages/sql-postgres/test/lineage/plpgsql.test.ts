import { missingPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newSession } from '../../src/lineage/index.js';
import { type Catalog, readCatalog } from '../../src/index.js';
import { type Database, startDatabase } from './database.js';

/** Functions of a session in PL/pgSQL: from where the lineage says that a result comes, or that nobody has read the code. */

const SCHEMA = `
create schema p;
create table p.people (id int primary key, email text, boss int references p.people);
create table p.jobs (id serial primary key, kind text, payload json);
create table p.guarded (id int primary key, email text);
create function p.guard() returns trigger language plpgsql as 'begin raise exception ''%'', new.email; end';
create trigger guard before insert on p.guarded for each row execute function p.guard();
create function p.unread(int) returns int language plpgsql as 'begin execute ''select 1''; return 1; end';
`;
const NOTHING: readonly string[] = [];
const UNREAD = 'unread';

/** A signature with its result, the body, the arguments, and the columns that its result comes from. */
const FUNCTIONS: readonly [signature: string, body: string, args: string, from: readonly string[] | typeof UNREAD][] = [
  ['() returns int', 'declare a int := 1; begin return a + 1; end', '', NOTHING],
  ['(a int) returns int', 'begin return a + 1; end', '1', UNREAD],
  ['(a text) returns text', 'begin return upper(a); end', '(select email from p.people limit 1)', UNREAD],
  ['() returns int', 'declare n int; begin select count(*) into n from p.jobs; return n; end', '', NOTHING],
  [
    '() returns text',
    'declare t text; begin select email into t from p.people where id = 1; return t; end',
    '',
    ['email', 'id'],
  ],
  // By which branch it takes, by how often a loop runs, by whether a row was found, in a variable of a variable.
  [
    '() returns int',
    "begin if exists (select from p.people where email like 'a%') then return 1; end if; return 0; end",
    '',
    ['email'],
  ],
  [
    '() returns int',
    'declare n int := 0; r record; begin for r in select email from p.people loop n := n + 1; end loop; return n; end',
    '',
    ['email'],
  ],
  ['() returns bool', "begin perform 1 from p.people where email = 'x'; return found; end", '', ['email']],
  [
    '() returns text',
    'declare a text; b text; begin a := (select max(email) from p.people); b := a; return b; end',
    '',
    ['email'],
  ],
  [
    '() returns text',
    'declare r p.people; begin select * into r from p.people limit 1; return r.email; end',
    '',
    ['boss', 'email', 'id'],
  ],
  ['() returns setof text', 'begin return query select email from p.people; end', '', ['email']],
  ['(out a int, out b text)', 'begin a := 1; select email into b from p.people; end', '', ['email']],
  [
    '() returns text',
    "declare t text; begin update p.jobs set kind = 'x' where id = 1 returning kind into t; return t; end",
    '',
    ['id', 'kind'],
  ],
  [
    '() returns p.jobs',
    `declare j p.jobs; begin
      insert into p.jobs (kind, payload) values ('a', '{}') on conflict do nothing returning * into j;
      return j; end`,
    '',
    ['id', 'kind', 'payload'],
  ],
  // What an error says that is caught.
  [
    '() returns text',
    "begin insert into p.jobs (id) values (1); return ''; exception when unique_violation then return sqlerrm; end",
    '',
    ['id', 'kind', 'payload'],
  ],
  [
    '() returns text',
    "begin update p.people set id = 2; return ''; exception when others then return sqlerrm; end",
    '',
    ['boss', 'email', 'id'],
  ],
  [
    '() returns text',
    "begin insert into p.guarded values (1, 'x'); return ''; exception when others then return sqlerrm; end",
    '',
    UNREAD,
  ],
  // What is not read, wherever it stands.
  ['() returns int', "begin execute 'select 1'; return 1; end", '', UNREAD],
  ['() returns int', 'begin return p.unread(1); end', '', UNREAD],
  ['() returns int', "begin perform set_config('search_path', 'p', false); return 1; end", '', UNREAD],
  ['() returns int', 'begin create temp table t (a int); return 1; end', '', UNREAD],
  ['() returns int', 'begin set local role postgres; return 1; end', '', UNREAD],
  ['() returns int', 'declare c cursor for select 1; n int; begin open c; fetch c into n; return n; end', '', UNREAD],
  ['() returns setof int', "begin return query execute 'select 1'; end", '', UNREAD],
  ['() returns int', '#variable_conflict use_variable\nbegin return 1; end', '', UNREAD],
  ['() returns int', "declare a int[] := '{1}'; begin a[1] := 2; return a[1]; end", '', UNREAD],
  ['() returns int', `begin ${'null; '.repeat(2_000)} return 1; end`, '', UNREAD],
];

const definition = (at: number): string => {
  const [signature, body] = FUNCTIONS[at] ?? ['', ''];
  return `create or replace function pg_temp.f${at}${signature} language plpgsql as $f$${body}$f$`;
};

describe.each([15, 18] as const)('functions in PL/pgSQL, on PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return test.skip(`needs PostgreSQL ${major}`, () => undefined);
  let database: Database;
  let catalog: Catalog;
  beforeAll(async () => {
    database = await startDatabase(major);
    await database.query(SCHEMA);
    await database.query("create function p.f0(int) returns int language plpgsql as 'begin return 1; end'");
    catalog = await readCatalog(database.query, database.lineage.parse);
  });
  afterAll(() => database.stop());
  /** The last statement of a text. */
  const read = (...texts: string[]): ReturnType<Database['lineage']['of']>[number] =>
    database.lineage.of(texts.join(';'), catalog, newSession('postgres')).at(-1) as ReturnType<
      Database['lineage']['of']
    >[number];
  const columns = (sources: Iterable<{ readonly name: string }>): string[] =>
    [...new Set([...sources].map(({ name }) => name.split('.').at(-1) ?? ''))].sort();

  test.each(FUNCTIONS.map((one, at) => [at, ...one] as const))('%i: %s, %.80s', async (at, _, __, args, from) => {
    // The server takes it as well.
    await database
      .query(`begin; ${definition(at)}; select pg_temp.f${at}(${args}); rollback`)
      .catch(() => database.query('rollback'));
    for (const text of [`select pg_temp.f${at}(${args}) as x`, `select * from pg_temp.f${at}(${args}) x`]) {
      const { outputs, unknown, effects } = read(definition(at), text);
      const reasons = [unknown, ...outputs.map((output) => output.unknown)].filter((one) => one !== undefined);
      if (from === UNREAD) {
        expect(reasons.join()).toMatch(/runs code that nobody has read|not known/);
        expect(effects.map(({ type }) => type)).toContain('code');
        continue;
      }
      expect(reasons).toEqual([]);
      expect(effects).toEqual([]);
      for (const { sources, kind } of outputs) {
        expect(columns(sources)).toEqual(from);
        expect(kind).not.toBe('direct');
      }
    }
  });

  test('what it writes is told with all that it may hold, and asked about', () => {
    const { flows, predicates } = read(
      `create function pg_temp.g() returns int language plpgsql as 'declare t text; begin
        select email into t from p.people; insert into p.jobs (kind) values (t); return 1; end'`,
      'select pg_temp.g()',
    );
    expect(flows.map(({ target }) => target)).toMatchObject([{ name: 'p.jobs' }]);
    for (const { value } of flows) expect(columns(value.sources)).toContain('email');
    expect(predicates.map(({ column, kind }) => [column.name, kind])).toContainEqual(['p.people.email', 'other']);
  });

  const F0 = 'pg_temp.f0()';
  test.each([
    ['those of others, which may be replaced while a statement runs', ['select p.f0(1)']],
    ['what runs later: a view', [definition(0), `create temp view v as select ${F0} as a`, 'select a from v']],
    ['a cursor', [definition(0), 'begin', `declare c cursor for select ${F0}`, 'fetch c']],
    [
      'a default',
      [definition(0), `create temp table t (a int, b int default ${F0})`, 'insert into t values (1) returning b'],
    ],
    ['beside code that could replace it', [definition(0), `select ${F0} as a, p.f0(1) as b`]],
    ['behind code', [definition(0), 'do $$ begin end $$', `select ${F0}`]],
    ['behind a drop', [definition(0), 'drop function pg_temp.f0()', `select ${F0}`]],
    [
      'of two that take other arguments',
      [definition(0), "create function pg_temp.f0(text) returns int language sql as 'select 1'", `select ${F0}`],
    ],
    ['in a later transaction, when others may have replaced it', ['begin', definition(0), 'commit', `select ${F0}`]],
    ['rolled back', ['begin', 'savepoint a', definition(0), 'rollback to a', `select ${F0}`]],
    ['renamed to it', [definition(0), 'alter function pg_temp.f5() rename to f0', `select ${F0}`]],
    [
      'made on the path',
      [
        definition(0),
        'set search_path = pg_temp, p',
        "create or replace function f0() returns int language plpgsql as 'begin return (select max(email) from p.people); end'",
        `select ${F0}`,
      ],
    ],
    [
      'with settings',
      [
        "create function pg_temp.g() returns int language plpgsql set search_path = p as 'begin return 1; end'",
        'select pg_temp.g()',
      ],
    ],
  ])('not read: %s', (_, texts) => {
    const { outputs, unknown } = read(...texts);
    expect([unknown, ...outputs.map((output) => output.unknown)].filter((one) => one !== undefined)).not.toEqual([]);
  });

  test('as Sequelize sends it, to find or create', () => {
    const text = `CREATE OR REPLACE FUNCTION pg_temp.testfunc(OUT response "p"."jobs", OUT sequelize_caught_exception text) RETURNS RECORD AS $func_1$
      BEGIN INSERT INTO "p"."jobs" ("id","kind") VALUES (DEFAULT,'a') RETURNING * INTO response; EXCEPTION WHEN unique_violation THEN
      GET STACKED DIAGNOSTICS sequelize_caught_exception = PG_EXCEPTION_DETAIL; END $func_1$ LANGUAGE plpgsql;
      SELECT (testfunc.response)."id", (testfunc.response)."kind", testfunc.sequelize_caught_exception FROM pg_temp.testfunc();
      DROP FUNCTION IF EXISTS pg_temp.testfunc()`;
    const [, called] = database.lineage.of(text, catalog, newSession('postgres'));
    expect(called?.unknown).toBeUndefined();
    expect(called?.effects).toEqual([]);
    expect(called?.outputs.map(({ name, unknown }) => [name, unknown])).toEqual([
      ['id', undefined],
      ['kind', undefined],
      ['sequelize_caught_exception', undefined],
    ]);
    for (const { sources } of called?.outputs ?? []) expect(columns(sources)).toEqual(['id', 'kind', 'payload']);
  });

  test('it is made, called and dropped in one transaction, again and again', () => {
    const once = [definition(0), `select ${F0}`, 'drop function pg_temp.f0()'];
    const all = database.lineage.of(['begin', ...once, ...once].join(';'), catalog, newSession('postgres'));
    for (const at of [2, 5]) expect(all[at]?.outputs[0]?.unknown).toBeUndefined();
  });
});
