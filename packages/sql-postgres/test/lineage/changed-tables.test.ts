import { missingPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { withTables } from '../../src/catalog/tables.js';
import { type Catalog, readCatalog } from '../../src/index.js';
import { type Database, startDatabase } from './database.js';

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
    catalog = read ?? whole;
  });

  test.skipIf(unavailable)('takes more where a definition has to be spelled', async () => {
    await database.query('create view app.seen as select id from app.second');
    expect(await withTables(database.query, catalog, ['seen'])).toBeUndefined();
    await database.query('create table app.made (a int, b int generated always as (a + 1) stored)');
    expect(await withTables(database.query, catalog, ['made'])).toBeUndefined();
  });
});

const pairs = (list: readonly (readonly [number, number])[]): string[] => [...new Set(list.map(String))].sort();
const numbers = (set: ReadonlySet<number>): number[] => [...set].sort((one, other) => one - other);
const plain = ({ relations, types, guards }: Catalog): unknown => ({
  relations: [...relations].sort((one, other) => one.oid - other.oid),
  types: [...types].sort((one, other) => one.oid - other.oid),
  onRead: numbers(guards.onRead),
  onWrite: numbers(guards.onWrite),
  read: pairs(guards.read.pairs),
  written: pairs(guards.written.pairs),
  domains: numbers(guards.domains),
});
