import { missingPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Catalog, newSession, readCatalog } from '../../src/index.js';
import { type Database, startDatabase } from './database.js';

/** Casts that the server uses without a word, by code that nobody has read: a statement is followed unless it can come to one. */

const OWN = `
create type app.place as (street text);
create type app.colour as enum ('red');
create function app.to_place(text) returns app.place language plpgsql as 'begin return row($1)::app.place; end';
create cast (text as app.place) with function app.to_place(text) as assignment;
create function app.to_colour(text) returns app.colour language plpgsql as 'begin return ''red''; end';
create cast (text as app.colour) with function app.to_colour(text) as implicit;
create table app.places (id int, at app.place, note text);
create table app.colours (shade app.colour[]);
create table app.notes_of (id int, note text, tags text[]);
create view app.notes_view as select id, note from app.notes_of;
create function app.shaded(app.colour) returns text language sql immutable as 'select $1::text';
create function app.colour_of(int) returns app.colour language sql stable as 'select note::app.colour from app.notes_of where id = $1';
create function app.placed(int) returns app.place language sql stable as 'select row(note)::app.place from app.notes_of where id = $1';
create function app.note_of(int) returns text language sql stable as 'select note from app.notes_of where id = $1';
create function app.same(app.colour, app.colour) returns boolean language sql immutable as 'select $1::text = $2::text';
create operator app.=== (leftarg = app.colour, rightarg = app.colour, function = app.same);
`;

describe.skipIf(missingPostgres(15) !== undefined)('casts by code', () => {
  let database: Database;
  let catalog: Catalog;
  beforeAll(async () => {
    database = await startDatabase(15);
    await database.query(OWN);
    catalog = await readCatalog(database.query, database.lineage.parse);
  });
  afterAll(() => database?.stop());

  const reasons = (sql: string): (string | undefined)[] =>
    database.lineage
      .of(sql, catalog, newSession('postgres', ['app', 'public']))
      .flatMap(({ outputs, unknown, flows, conditionsOnUnknown }) => [
        unknown,
        ...outputs.map((output) => output.unknown),
        ...flows.map(({ value }) => value.unknown),
        ...conditionsOnUnknown,
      ])
      .filter((one) => one !== undefined);

  test.each([
    'select note, upper(note), note || $1, tags[1] from notes_of where note like $2 order by note',
    'select note from notes_view union select name from customers',
    'select case when note = $1 then $2 else name end from notes_of, customers',
    "insert into notes_of (note) select coalesce(note, 'none') from notes_view returning note",
    'update notes_of set note = note || note where note in (select name from customers)',
    'select note_of(1), count(*) from notes_of group by note',
    'with n as (select note from notes_of) select * from n join notes_of using (note)',
  ])('is followed: %s', (sql) => {
    // What parameters are is not written, so that they may be of any type where several values become one.
    expect(reasons(sql.includes('case') ? sql.replaceAll(/\$\d/g, "'x'") : sql)).toEqual([]);
  });

  test.each([
    'insert into places (at) select note from notes_of',
    'select note from notes_of union all select shade[1]::text from colours',
    'select shaded(note) from notes_of',
    'select coalesce(note, $1) from notes_of',
    'select case when true then note else colour_of(1) end from notes_of',
    'select note === note from notes_of',
    'select note::colour from notes_of',
    'select (array[note])::colour[] from notes_of',
    'with c as (select colour_of(2) as x) select note from notes_of union select x::text from c',
    'insert into colours select tags from notes_of',
  ])('can come to one: %s', (sql) => {
    expect(reasons(sql)[0]).toMatch(/cast (?:to .*)?that runs code|runs code/);
  });

  test("the server's own types can stand anywhere", async () => {
    await database.query(
      `create function app.to_number(app.colour) returns int language plpgsql as 'begin return 1; end';
       create cast (app.colour as int) with function app.to_number(app.colour) as implicit`,
    );
    catalog = await readCatalog(database.query, database.lineage.parse);
    expect(reasons('select shade[1] from colours')[0]).toMatch(/cast that runs code/);
    expect(reasons('select note from notes_of')).toEqual([]);
  });
});
