import { missingPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Catalog, readCatalog } from '../../src/index.js';
import { completeCatalog } from '../../src/catalog/read.js';
import { type Database, startDatabase } from './database.js';

/** Texts that the server spells are of the state that the rest was read in, or not known, whatever others do meanwhile. */

const SPELLS = /pg_get_(?:viewdef|expr|function_sqlbody)\(/;
const SCHEMA = `drop schema if exists spelt cascade; create schema spelt;
create table spelt.people (id int primary key, name text, mail text, low text generated always as (lower(name)) stored);
create table spelt.other (id int, name text, mail text);
create function spelt.shout(text) returns text language sql immutable return upper($1);
create type spelt.pair as (one int, two int);
create view spelt.calm as select o.name from spelt.other o;
create view spelt.shown as select p.name, spelt.shout(p.name) as loud, (null::spelt.pair).two from spelt.people p;
create function spelt.body() returns text language sql begin atomic select p.name from spelt.people p; end;`;
const CALM = /spelt\.other/;

describe.skipIf(missingPostgres(15)).each([15, 18] as const)('texts that PostgreSQL %i spells', (major) => {
  if (missingPostgres(major)) return;
  let database: Database;
  let others: Database['query'];
  beforeAll(async () => {
    database = await startDatabase(major);
    others = await database.connect();
  });
  afterAll(() => database.stop());

  /** @param define what somebody does each time before texts are asked for */
  const reading = (define: (time: number) => string, before?: Catalog): Promise<Catalog> => {
    let times = 0;
    const query: Database['query'] = async (text) => {
      if (SPELLS.test(text)) await others(define(times++));
      return database.query(text);
    };
    return readCatalog(query, database.lineage.parse, before);
  };
  const view = (catalog: Catalog, name: string): readonly [boolean, string | undefined] => {
    const { unread = true, definition } = catalog.relation('spelt', name) ?? {};
    return [unread, definition];
  };
  const body = (catalog: Catalog): boolean | undefined => catalog.routines('spelt', 'body')[0]?.unread;

  test('who defines something all the time keeps nobody from the rest', async () => {
    await others(SCHEMA);
    const catalog = await reading(
      (time) => `create or replace view spelt.shown as select '${time}'::text as name, ''::text as loud, 0 as two;
        create table spelt.t${time}x (id int); create function spelt.f${time}x() returns int language sql as 'select 1'; create schema s${major}_${time}`,
    );
    expect(view(catalog, 'shown')).toEqual([true, undefined]);
    expect(view(catalog, 'calm')).toEqual([false, expect.stringMatching(CALM)]);
    expect(catalog.relation('spelt', 'people')?.unread).toBe(false);
    expect(body(catalog)).toBe(false);
    // It is known once nobody changes it.
    const complete = await completeCatalog(
      database.query,
      await readCatalog(database.query, database.lineage.parse, catalog),
    );
    expect(view(complete, 'shown')[0]).toBe(false);
  });

  test.each([
    ['a table', 'alter table spelt.people rename to folk', 'alter table spelt.folk rename to people', true],
    [
      'a column',
      'alter table spelt.people rename name to called',
      'alter table spelt.people rename called to name',
      true,
    ],
    [
      'two columns',
      'alter table spelt.people rename name to x; alter table spelt.people rename mail to name; alter table spelt.people rename x to mail',
      'alter table spelt.people rename name to x; alter table spelt.people rename mail to name; alter table spelt.people rename x to mail',
      true,
    ],
    ['a function', 'alter function spelt.shout rename to cry', 'alter function spelt.cry rename to shout', false],
    ['a type', 'alter type spelt.pair rename to couple', 'alter type spelt.couple rename to pair', false],
    [
      'a part of a type',
      'alter type spelt.pair rename attribute two to second',
      'alter type spelt.pair rename attribute second to two',
      false,
    ],
    ['a schema', `alter schema spelt rename to spelled`, 'alter schema spelled rename to spelt', true],
  ])('what has another name when a text is spelled is not known: %s', async (_, rename, back, isOfBody) => {
    await others(SCHEMA);
    // By the time of the second look all is called as it was.
    const query: Database['query'] = async (text) => {
      if (!SPELLS.test(text)) return database.query(text);
      await others(rename);
      const rows = await database.query(text);
      await others(back);
      return rows;
    };
    const catalog = await readCatalog(query, database.lineage.parse);
    expect(view(catalog, 'shown')).toEqual([true, undefined]);
    if (isOfBody) expect(body(catalog)).toBe(true);
    if (rename.includes('people')) expect(catalog.relation('spelt', 'people')?.unread).toBe(true);
    // And what was known of before is not gone on with.
    const known = await readCatalog(database.query, database.lineage.parse);
    await others(rename);
    const later = await readCatalog(database.query, database.lineage.parse, known);
    const fresh = await readCatalog(database.query, database.lineage.parse);
    const texts = ({ relations, everyRoutine }: Catalog): unknown => [
      relations.map(({ oid, definition, columns }) => [oid, definition, columns.map(({ generated }) => generated)]),
      everyRoutine.map(({ oid, body: own }) => [oid, own]),
    ];
    expect(texts(later)).toEqual(texts(fresh));
    expect(later.unread).toBe(0);
    await others(back);
  });

  test('what has not changed is not spelled again', async () => {
    await others(SCHEMA);
    const known = await readCatalog(database.query, database.lineage.parse);
    await others(
      "create table spelt.more (id int); create function spelt.more() returns int language sql as 'select 1'",
    );
    let spelled = 0;
    const query: Database['query'] = (text) => {
      if (SPELLS.test(text)) spelled++;
      return database.query(text);
    };
    const catalog = await readCatalog(query, database.lineage.parse, known);
    expect([spelled, catalog.unread]).toEqual([0, 0]);
    expect(view(catalog, 'calm')).toEqual([false, expect.stringMatching(CALM)]);
    expect(body(catalog)).toBe(false);
  });
});
