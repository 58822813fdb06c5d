import { missingPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { nodeOf } from '../../src/ast.js';
import { changedNames } from '../../src/masks/changed-tables.js';
import { Catalog } from '../../src/catalog/catalog.js';
import type { BaseColumn, Relation } from '../../src/catalog/objects.js';
import { loadPostgres, newSession, readCatalog } from '../../src/index.js';
import { type Database, startDatabase, withTables } from './database.js';

/** Tables that are read anew by their names are what they are where all is read, and so is what guards them. */

const BEFORE = `
create function app.unread(int) returns boolean language plpgsql immutable as 'begin return true; end';
create function app.fires() returns trigger language plpgsql as 'begin return new; end';
create domain app.guarded as int check (app.unread(value));
create table app.first (id int primary key, name text);
create table app.parts (id int) partition by range (id);
`;

/** What is defined, and the names of the tables that it changes. */
const DEFINITIONS: readonly (readonly [definition: string, ...names: string[]])[] = [
  ['create table app.second (id serial primary key, name text not null, kept app.guarded)', 'second'],
  ['alter table app.second add column more int default 3', 'second'],
  ['alter table app.second alter column more type text using more::text', 'second'],
  ['alter table app.second drop column name', 'second'],
  ['alter table app.second add check (app.unread(id))', 'second'],
  ['create index on app.first (app.unread(id))', 'first'],
  ['alter table app.second add foreign key (id) references app.first', 'second', 'first'],
  ['alter table app.first enable row level security', 'first'],
  ['create trigger fires before insert on app.first for each row execute function app.fires()', 'first'],
  ['create table app.part partition of app.parts for values from (1) to (9)', 'part', 'parts'],
  ['create table app.below (extra text) inherits (app.first)', 'below', 'first'],
  ['create table app.lowest () inherits (app.below)', 'lowest'],
  ['alter table app.first add column late text', 'first'],
  ['create table other.second (other int)', 'second'],
  ['create sequence app.counts', 'counts'],
  [`create table app."it's ""odd"" $1" (id int)`, `it's "odd" $1`],
  // In one schema of those that have the name, and where a name has a dot in it.
  ['create table app.twice (id int)', 'app.twice'],
  ['create table other.twice (name text, app app.twice)', 'other.twice'],
  ['create table app."other.twice" (id int)', 'other.twice'],
  // In place of another one of the name, and as what it was not before.
  ['drop table app."other.twice"; create table app."other.twice" (name text)', 'other.twice'],
  ['drop table app.lowest; create view app.lowest as select id from app.first', 'lowest'],
  ['drop view app.lowest; create table app.lowest (id int generated always as identity)', 'lowest'],
  ['drop table other.twice', 'twice'],
  ['drop table app.lowest', 'lowest'],
  ['create view app.seen as select id, name from app.first where app.unread(id)', 'seen'],
  ['create view app.also_seen as select * from app.seen', 'also_seen'],
  ['create or replace view app.seen as select id, name, late from app.first', 'seen', 'also_seen'],
  ['create materialized view app.kept as select id from app.also_seen', 'kept'],
  ['create table app.filled as select * from app.seen', 'filled'],
  ['create table app.made (a int, b int generated always as (a + 1) stored)', 'made'],
  ['drop materialized view app.kept', 'kept'],
  ['drop view app.also_seen', 'also_seen'],
  ['drop table app.part', 'part'],
];

describe.each([15, 18] as const)('tables of PostgreSQL %i by their names', (major) => {
  const unavailable = missingPostgres(major) !== undefined;
  let database: Database;
  let catalog: Catalog;
  beforeAll(async () => {
    if (unavailable) return;
    database = await startDatabase(major);
    await database.query(BEFORE);
    catalog = await readCatalog(database.query, database.lineage.parse);
  });
  afterAll(() => database?.stop());

  test.skipIf(unavailable).each(DEFINITIONS)('after %s', async (definition, ...names) => {
    await database.query(definition);
    const read = await withTables(database.query, catalog, names);
    const whole = await readCatalog(database.query, database.lineage.parse, catalog);
    expect(read && plain(read)).toEqual(plain(whole));
    expect(read?.version).not.toBe(catalog.version);
    for (const { schema, name, oid } of whole.relations)
      expect([read?.relation(schema, name)?.oid, read?.relationByOid(oid)?.name]).toEqual([oid, name]);
    for (const { schema, name, oid } of catalog.relations) {
      expect(read?.relation(schema, name)?.oid).toBe(whole.relation(schema, name)?.oid);
      expect(read?.relationByOid(oid)?.name).toBe(whole.relationByOid(oid)?.name);
      expect(oidsOf(read?.relationsNamed(name))).toEqual(oidsOf(whole.relationsNamed(name)));
      expect(oidsOf(read?.childrenOf(oid))).toEqual(oidsOf(whole.childrenOf(oid)));
    }
    catalog = read ?? whole;
  });

  test.skipIf(unavailable)('takes more where a table has another name now, or is in another schema', async () => {
    await database.query('create table app.moved (a int); create table app.renamed (a int)');
    const before = await readCatalog(database.query, database.lineage.parse);
    await database.query('alter table app.moved set schema other; alter table app.renamed rename to renamed_since');
    for (const name of ['app.moved', 'renamed', 'app.renamed']) {
      expect(await withTables(database.query, before, [name]), name).toBeUndefined();
    }
    await database.query('create table app.moved (b text)');
    expect(await withTables(database.query, before, ['app.moved'])).toBeUndefined();
    const both = await withTables(database.query, before, ['moved']);
    expect(both?.relation('app', 'moved')?.columns.map(({ name }) => name)).toEqual(['b']);
    expect(both?.relation('other', 'moved')?.columns.map(({ name }) => name)).toEqual(['a']);
    await database.query('drop table app.moved, other.moved, app.renamed_since');
  });

  test.skipIf(unavailable)(
    'a column is what it has become since all was read, also where others changed it meanwhile',
    async () => {
      await database.query('create table app.columns (a int, b text, c text)');
      const before = await readCatalog(database.query, database.lineage.parse);
      const other = await database.connect();
      await other('begin; alter table app.columns rename column b to was_b');
      await database.query('create table app.since (a int)');
      const read = await withTables(database.query, before, ['since']);
      await other('alter table app.columns rename column c to b; alter table app.columns add column d int; commit');
      const after = read && (await withTables(database.query, read, ['columns']));
      const [first, , third] = before.relation('app', 'columns')?.columns ?? [];
      expect(after?.relation('app', 'columns')?.columns.map(({ name }) => name)).toEqual(['a', 'was_b', 'b', 'd']);
      expect(after?.relation('app', 'columns')?.columns[0]?.base).toBe(first?.base);
      expect(after?.relation('app', 'columns')?.columns[2]?.base).toBe(third?.base);
      await other(
        'begin; alter table app.columns drop column a; savepoint s; alter table app.columns drop column b; rollback to s; commit',
      );
      const last = after && (await withTables(database.query, after, ['columns']));
      expect(last?.relation('app', 'columns')?.columns.map(({ name }) => name)).toEqual(['was_b', 'b', 'd']);
      await database.query('drop table app.columns, app.since');
    },
  );

  test.skipIf(unavailable)('what a locked table computes is read once its lock is gone', async () => {
    await database.query('create table app.shut (a int, b int generated always as (a + 1) stored)');
    const locker = await database.connect();
    await locker('begin; lock table app.shut in access exclusive mode');
    const before = await readCatalog(database.query, database.lineage.parse);
    expect(before.relation('app', 'shut')?.unread).toBe(true);
    await locker('rollback');
    const read = await withTables(database.query, before, ['shut']);
    expect(read?.relation('app', 'shut')?.columns.map(({ generated }) => generated)).toEqual([undefined, '(a + 1)']);
    await database.query('drop table app.shut');
  });

  test.skipIf(unavailable)(
    'takes more where what a view reads is locked, or where it comes to keep settings',
    async () => {
      const locker = await database.connect();
      await locker('begin; lock table app.first in access exclusive mode');
      expect(await withTables(database.query, catalog, ['seen'])).toBeUndefined();
      await locker('rollback');
      await database.query(
        "create function app.keeps() returns text language sql as $$select set_config('a.b', 'c', false)$$",
      );
      const keeping = await readCatalog(database.query, database.lineage.parse);
      expect(keeping.guards.settingCode.exists).toBe(true);
      expect(await withTables(database.query, keeping, ['seen', 'first'])).toBeDefined();
      await database.query(
        'create or replace view app.seen as select id, name, late, app.keeps() as kept from app.first',
      );
      expect(await withTables(database.query, keeping, ['first'])).toBeDefined();
      expect(await withTables(database.query, keeping, ['seen'])).toBeUndefined();
      const counting = await readCatalog(database.query, database.lineage.parse);
      expect(await withTables(database.query, counting, ['seen'])).toBeDefined();
      await database.query('create view app.seen_over as select * from app.seen');
      expect(await withTables(database.query, counting, ['seen_over'])).toBeUndefined();
      await database.query('create policy kept on app.made using (app.keeps() is null)');
      expect(await withTables(database.query, counting, ['made'])).toBeUndefined();
    },
  );

  test.skipIf(unavailable)('two that differ have no version in common', async () => {
    const { parse } = database.lineage;
    const first = await readCatalog(database.query, parse);
    const same = await withTables(database.query, first, ['first']);
    const again = await readCatalog(database.query, parse, same);
    await database.query('alter table app.first add column later text');
    const changed = await withTables(database.query, again, ['first']);
    expect(again.version).toBe(first.version);
    expect(changed?.version).not.toBe(same?.version);
  });

  test.skipIf(unavailable)('tables that are children of each other, as far as is known, have roots', () => {
    const [one, other] = ['first', 'made'].map((name) => catalog.relation('app', name) as Relation);
    const relations = [
      { ...(one as Relation), parents: [other?.oid ?? 0] },
      { ...(other as Relation), parents: [one?.oid ?? 0], columns: (one as Relation).columns },
    ];
    const circular = new Catalog({ ...catalog.contents, relations }, database.lineage.parse);
    const base = one?.columns[0]?.base as BaseColumn;
    expect(circular.roots(base)).toEqual([base]);
  });

  test.skipIf(unavailable)('rights on schemas may change what others search, rights on tables do not', async () => {
    const analyzer = await loadPostgres(major);
    const changes = (text: string): unknown => {
      const [lineage] = database.lineage.of(text, catalog, newSession('postgres', ['app']));
      const parsed = database.lineage.parse(text);
      const node = parsed.ok ? nodeOf(parsed.statements[0]?.['stmt']) : undefined;
      return changedNames(lineage, analyzer.analyze(text), 0, node, catalog);
    };
    expect(changes('grant usage on schema app to lineage_reader')).toEqual(['schema ']);
    expect(changes('revoke usage on schema app from lineage_reader')).toEqual(['schema ']);
    expect(changes('grant select on app.first to lineage_reader')).toEqual([]);
  });

  test.skipIf(unavailable)('schemas that have come are read with them', async () => {
    await database.query('create role shut_out; create schema late; create table late.second (a int)');
    const read = await withTables(database.query, catalog, ['late.second'], true);
    expect(read?.relation('late', 'second')?.columns.map(({ name }) => name)).toEqual(['a']);
    expect(['shut_out', 'postgres'].map((role) => read?.isOpen('late', role))).toEqual([false, true]);
    expect(catalog.isOpen('late', 'postgres')).toBe(false);
  });
});

const oidsOf = (list: readonly { readonly oid: number }[] = []): number[] =>
  list.map(({ oid }) => oid).sort((one, other) => one - other);
const pairs = (list: readonly (readonly [number, number])[]): string[] => [...new Set(list.map(String))].sort();
const numbers = (set: ReadonlySet<number>): number[] => [...set].sort((one, other) => one - other);
/** What guards has of dropped relations goes when all is read. */
const plain = ({ relations, types, guards }: Catalog): unknown => {
  const oids = new Set(relations.map(({ oid }) => oid));
  const there = (set: ReadonlySet<number>): number[] => numbers(new Set([...set].filter((oid) => oids.has(oid))));
  const both = ({ pairs: all }: typeof guards.read): string[] =>
    pairs(all.filter((pair) => pair.every((oid) => oids.has(oid))));
  return {
    relations: [...relations].sort((one, other) => one.oid - other.oid),
    types: [...types].sort((one, other) => one.oid - other.oid),
    onRead: there(guards.onRead),
    onWrite: there(guards.onWrite),
    read: both(guards.read),
    written: both(guards.written),
    domains: numbers(guards.domains),
  };
};
