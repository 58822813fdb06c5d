import { missingPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeOf } from '../../src/ast.js';
import { withNamed } from '../../src/catalog/named.js';
import { type Analyzer, type Catalog, loadPostgres, newSession, readCatalog } from '../../src/index.js';
import { changedNames, namedIn } from '../../src/masks/changed-tables.js';
import { type Database, startDatabase } from './database.js';

/** What definitions say that they change, read anew, is what it is where all is read. */

const BEFORE = `
create function own.unread(int) returns boolean language plpgsql immutable as 'begin return true; end';
create function own.fires() returns trigger language plpgsql as 'begin return new; end';
create function own.keeps() returns trigger language plpgsql as $$ begin perform set_config('a.b', new.name, false); return new; end $$;
create function own.named_by_text() returns int language plpgsql as 'begin return own.comes_later(); end';
create function own.dear(text) returns text language sql as 'select $1';
create domain own.guarded as int check (own.unread(value));
create table own.first (id int primary key, name text, twice int generated always as (id * 2) stored);
create table own.second (id int, first int references own.first, name text);
create table own.kept (id int, name text);
create trigger keeps before insert on own.kept for each row execute function own.keeps();
create table own.above (id int, name text);
create table own.below () inherits (own.above);
create view own.seen as select id, name from own.first;
create view own.over as select name from own.seen;
create view own.mixed as select s.id, f.name from own.second s join own.first f on f.id = s.first;
create view own.of_kept as select name from own.kept;
create view own.calling as select own.dear(name) as dear from own.first;
create view own.counting as select nextval('own.counter'::regclass) as n, 'own.first'::regclass as r;
create type own.mood as enum ('ok');
create type own.pair as (a int, b text);
create table own.rowed (id int, pair own.pair);
create table own.row_of (id int);
create table own.has_row (id int, part own.row_of);
create function own.takes_row(own.seen) returns int language plpgsql as 'begin return 1; end';
`;

/** Each with its names in words of `Named`, or that all is read. */
const DEFINITIONS: readonly (readonly [definition: string, changes: 'these' | 'all'])[] = [
  ['alter table own.first rename column name to title', 'these'],
  ['alter table own.above rename column name to title', 'these'],
  ['alter table own.first rename to erste', 'these'],
  ['alter table own.erste rename to first', 'these'],
  ['alter index own.first rename to zuerst', 'these'],
  ['alter table own.zuerst rename to first', 'these'],
  ['alter view own.seen rename to watched', 'these'],
  ['alter view own.watched rename to seen', 'these'],
  ['alter view own.seen rename column name to shown', 'these'],
  ['alter sequence own.counter rename to teller', 'these'],
  ['alter table own.first rename constraint first_pkey to first_key', 'these'],
  ['alter table own.first set schema other', 'these'],
  ['alter table other.first set schema own', 'these'],
  ['alter view own.over set schema other', 'these'],
  ['alter table own.kept rename to kept_by_others', 'all'],
  ['create function own.added(a int, out b text) language plpgsql as $$ begin b := a; end $$', 'these'],
  ['create or replace function own.added(a int, out b text) language plpgsql as $$ begin b := 1; end $$', 'these'],
  ['create function own.added(a text default 1) returns text language sql as $$ select a $$', 'these'],
  [`create or replace function own.dear(text) returns text language sql as 'select upper($1)'`, 'these'],
  ['create or replace function own.dear(text) returns text language sql as $$ select name from own.second $$', 'these'],
  // What counts from now on, and nothing runs it yet; or something may.
  [`create function own.sets() returns text language sql as $$ select set_config('a.b', 'c', false) $$`, 'these'],
  ['create function own.by_name() returns text language plpgsql as $$ begin return own.sets(); end $$', 'these'],
  [
    `create or replace function own.fires() returns trigger language plpgsql as $$ begin perform own.sets(); return new; end $$`,
    'all',
  ],
  [`create function own.comes_later() returns text language sql as $$ select set_config('a.b', 'c', false) $$`, 'all'],
  ['create function own.standard() returns int begin atomic select 1; end', 'all'],
  ['drop function own.standard()', 'these'],
  ['create function own.reading() returns text begin atomic select id::text from own.rowed; end', 'all'],
  ['alter table own.rowed rename column id to key', 'all'],
  ['alter table own.rowed rename column key to id', 'all'],
  ['drop function own.reading()', 'these'],
  [`create function own.compiled(float8) returns float8 language internal as 'dsin'`, 'all'],
  ['create function own.of_kept_rows(own.of_kept) returns int language plpgsql as $$ begin return 1; end $$', 'these'],
  ['alter function own.added(text) immutable', 'these'],
  ['alter function own.added(text) rename to added_too', 'all'],
  ['drop function own.added(int)', 'these'],
  ['drop function if exists own.nothing(int)', 'these'],
  [`create type own.state as enum ('on', 'off')`, 'these'],
  ['create type own.triple as (a int, b text, c own.state)', 'these'],
  ['create type own.bad_pair as (a own.guarded)', 'all'],
  ['create domain own.short as text check (length(value) < 9)', 'these'],
  ['create domain own.bad as own.guarded', 'all'],
  [`create domain own.setting as text check (set_config('a.b', value, false) is not null)`, 'all'],
  [`alter type own.mood add value 'better'`, 'these'],
  ['create type own.span as range (subtype = int)', 'all'],
  ['drop type own.span', 'all'],
  ['drop type own.triple', 'these'],
  ['drop type own.state, own.mood', 'these'],
  ['drop domain own.short', 'these'],
  ['create trigger fires after update on own.second for each row execute function own.unheard()', 'these'],
  ['create trigger instead instead of insert on own.mixed for each row execute function own.unheard()', 'these'],
  ['create trigger keeps before insert on own.rowed for each row execute function own.keeps()', 'all'],
  ['drop trigger fires on own.second', 'these'],
  ['create policy mine on own.second using (own.unread(id))', 'these'],
  ['alter table own.second enable row level security', 'these'],
  ['alter policy mine on own.second using (true)', 'these'],
  ['drop policy mine on own.second', 'these'],
  ['create sequence own.late_counter', 'these'],
  [`comment on table own.first is 'x'`, 'these'],
  ['grant select on own.first to lineage_reader', 'these'],
  ['grant execute on function own.unread(int) to lineage_reader', 'these'],
  ['grant usage on schema locked to lineage_reader', 'these'],
  ['revoke usage on schema locked from lineage_reader', 'these'],
  ['create view own.late_view as select id, name from own.second', 'these'],
  ['create view own.late_over as select * from own.late_view', 'these'],
  ['create or replace view own.late_view as select id, name, first from own.second', 'these'],
  ['drop view own.late_view cascade', 'these'],
  ['drop view own.seen cascade', 'all'],
  ['drop table own.row_of cascade', 'all'],
  ['drop table own.first cascade', 'these'],
  ['drop table own.above cascade', 'these'],
  ['create table own."with blank" (a int)', 'all'],
  ['alter table own."with blank" rename to without_blank', 'all'],
];

describe.each([15, 18] as const)('names in definitions of PostgreSQL %i', (major) => {
  const unavailable = missingPostgres(major) !== undefined;
  let database: Database;
  let catalog: Catalog;
  let analyzer: Analyzer;
  beforeAll(async () => {
    if (unavailable) return;
    database = await startDatabase(major);
    // A CASCADE may take these away.
    await database.query('drop function app.atomic(int), app.returned(text); create schema own');
    await database.query(`create sequence own.counter; create sequence other.counter;${BEFORE}`);
    await database.query(
      'create function own.unheard() returns trigger language plpgsql as $$ begin return new; end $$',
    );
    catalog = await readCatalog(database.query, database.lineage.parse);
    analyzer = await loadPostgres(major);
  });
  afterAll(() => database?.stop());

  test.skipIf(unavailable).each(DEFINITIONS)('%s', async (definition, changes) => {
    const [lineage] = database.lineage.of(definition, catalog, newSession('postgres', ['own']));
    const parsed = database.lineage.parse(definition);
    const node = parsed.ok ? nodeOf(parsed.statements[0]?.['stmt']) : undefined;
    const names = changedNames(lineage, analyzer.analyze(definition), 0, node, catalog);
    await database.query(definition);
    const read = names && (await withNamed(database.query, catalog, namedIn(names)));
    const whole = await readCatalog(database.query, database.lineage.parse, catalog);
    catalog = whole;
    if (read) {
      expect(plain(read)).toEqual(plain(whole));
      const { names: all, counted, exists } = read.guards.settingCode;
      expect(exists || !whole.guards.settingCode.exists).toBe(true);
      expect([...whole.guards.settingCode.names].filter((name) => !all.has(name))).toEqual([]);
      expect([...whole.guards.settingCode.counted].filter((one) => !counted.has(one))).toEqual([]);
      expect([...whole.guards.code].filter((one) => !read.guards.code.has(one))).toEqual([]);
    }
    expect(read ? 'these' : 'all').toBe(changes);
  });
});

const byOid = <T extends { readonly oid: number }>(list: readonly T[]): T[] =>
  [...list].sort((one, other) => one.oid - other.oid);
const pairs = (list: readonly (readonly [number, number])[]): string[] => [...new Set(list.map(String))].sort();
const numbers = (list: Iterable<number>): number[] => [...list].sort((one, other) => one - other);

/** What guards have of dropped relations goes when all is read. */
function plain(read: Catalog): unknown {
  const { relations, types, guards, everyRoutine, functionTexts, schemas } = read;
  const oids = new Set(relations.map(({ oid }) => oid));
  const there = (set: ReadonlySet<number>): number[] => numbers([...set].filter((oid) => oids.has(oid)));
  const both = ({ pairs: all }: typeof guards.read): string[] =>
    pairs(all.filter((pair) => pair.every((oid) => oids.has(oid))));
  const routines = everyRoutine.filter(({ schema }) => schema !== 'pg_catalog');
  return {
    relations: byOid(relations),
    types: byOid(types),
    routines: byOid(routines),
    found: routines.map(({ schema, name }) => numbers(read.routines(schema, name).map(({ oid }) => oid)).join()).sort(),
    texts: byOid(functionTexts),
    onRead: there(guards.onRead),
    onWrite: there(guards.onWrite),
    read: both(guards.read),
    // A foreign key to a table that was dropped.
    written: both(guards.written),
    settings: [there(guards.settingCode.onRead), there(guards.settingCode.onWrite)],
    domains: numbers(guards.domains),
    open: [...schemas].filter((schema) => read.isOpen(schema, 'lineage_reader')).sort(),
  };
}
