/** Lineage that is remembered: the same as one that is worked out anew, whatever the session has done and the literals are. */
import type { MySqlDialect } from '@sluice/contract';
import { expect, test } from 'vitest';
import { Catalog } from '../src/catalog/catalog.js';
import { type SessionNames, afterEffects, lineageOf, newSession } from '../src/lineage/index.js';
import { follow } from '../src/masks/follow.js';
import { readingOf } from '../src/reading.js';
import { filterShapeOf } from '../src/template.js';
import { statementsOf } from '../src/texts.js';

const relation = (name: string, columns: string) => ({
  schema: 'shop',
  name,
  kind: 'table' as const,
  columns: columns.split(' ').map((column) => ({
    name: column,
    type: 'varchar',
    hidden: false,
    base: { schema: 'shop', table: name, column, name: `shop.${name}.${column}` },
  })),
  versioned: false,
  key: [],
  unique: [],
});

const makeCatalog = (): Catalog =>
  new Catalog({
    version: '1',
    flavour: 'mariadb',
    server: 101_119,
    lowerCase: 0,
    relations: [relation('people', 'id nick mail'), relation('visits', 'id person place')],
    codeReachesSession: true,
    triggered: new Set(),
  });

const catalog = makeCatalog();
const dialect: MySqlDialect = catalog.dialect;
const remembered = (text: string, session: SessionNames = newSession('shop'), by: Catalog = catalog) =>
  follow(by, session, text, undefined, dialect);

function anew(text: string, session: SessionNames = newSession('shop')) {
  const reading = readingOf(dialect);
  const [statement] = statementsOf(text, reading);
  if (!statement) throw new Error('no statement');
  return lineageOf(catalog, session, statement, reading);
}

const after = (text: string, before: SessionNames = newSession('shop')): SessionNames =>
  afterEffects(before, anew(text, before).effects);

test.each([
  ['select mail from people where id = 7', 'select mail from people where id = 8'],
  [
    "select mail from people where nick = 'a' order by nick limit 5",
    "select mail from people where nick = 'b' order by nick limit 6",
  ],
  [
    'select mail from people where id in (1, 2) and nick like 3',
    'select mail from people where id in (7, 8) and nick like 9',
  ],
  ['select `where`.mail from people `where` where id = 1;', 'select `where`.mail from people `where` where id = 2;'],
])('texts of one shape share their lineage: %s', (one, other) => {
  expect(filterShapeOf(one)).toBe(filterShapeOf(other));
  expect(remembered(one)).toBe(remembered(other));
  expect(remembered(other)).toEqual(anew(other));
});

test.each([
  // A place in the select list.
  ['select nick, mail from people where id = 1 order by 1', 'select nick, mail from people where id = 1 order by 2'],
  ['select nick, mail from people where id = 1 group by 1', 'select nick, mail from people where id = 1 group by 2'],
  // A literal in a select list names a column.
  ["select 'a', nick from people where id = 1", "select 'mail', nick from people where id = 1"],
  [
    'select (select `5` from (select 5) x) from (select mail as `5` from people) y where 1 = 1',
    'select (select `5` from (select 6) x) from (select mail as `5` from people) y where 1 = 1',
  ],
  ['select nick from people where id in (select 5)', 'select nick from people where id in (select 6)'],
  ['select nick from people where id = 1 having nick = 2', 'select nick from people where id = 1 having nick = 3'],
  ['select nick from people where id = 1 union select 1', 'select nick from people where id = 1 union select 2'],
  ['select nick `a where b`, 1 from people', 'select nick `a where b`, 2 from people'],
  // A variable in quotes: what looks like a literal is a name.
  ["select id from people where (@'a' := mail) = 1", "select id from people where (@'b' := mail) = 1"],
  ["delete from people where nick = 'a'", "delete from people where nick = 'b'"],
  ["select nick from people where id = 1 into outfile 'a'", "select nick from people where id = 1 into outfile 'b'"],
])('texts with literals elsewhere do not: %s', (one, other) => {
  expect(filterShapeOf(one)).toBeUndefined();
  expect(remembered(one)).toEqual(anew(one));
  expect(remembered(other)).toEqual(anew(other));
});

test('a text means what the session makes of it', () => {
  const text = 'select @a as x, mail from people where id = 1';
  const given = after('set @a = (select max(mail) from people)');
  const other = after('set @a = (select max(place) from visits)');
  const hidden = after('create temporary table people as select place as mail from visits');
  for (const session of [newSession('shop'), given, other, hidden, newSession('shop'), newSession(undefined), given])
    expect(remembered(text, session)).toEqual(anew(text, session));
  expect(remembered(text, given)?.outputs[0]?.sources.size).toBe(1);
  expect(remembered(text)?.outputs[0]?.sources.size).toBe(0);
});

test('what stands in the reason of a session is no part of a text', () => {
  const [one, other] = ['select 1 as x', 'select mail as x from people'];
  const uncertain = (reason: string): SessionNames => ({ ...newSession('shop'), uncertain: reason });
  const hostile = ['', 'a', `a=${one}`, `a\0=${one}`, `a${one}`].flatMap((reason) => [reason, `${reason}\0=`]);
  for (const text of [one, `=${other}`, `\0=${other}`, other])
    for (const reason of hostile) remembered(text, uncertain(reason));
  for (const reason of hostile) expect(remembered(other, uncertain(reason))).toEqual(anew(other, uncertain(reason)));
});

test('a variable that is given the same again leaves the session as it was', () => {
  const given = after('set @a = 1');
  expect(after('set @a = 1', given).variables).toBe(given.variables);
  expect(after('set @a = (select max(mail) from people)', given).variables).not.toBe(given.variables);
});

test('what reads the last statement is worked out each time', () => {
  const text = 'show warnings';
  const [mail, place] = ['mail from people', 'place from visits'].map((one) => after(`select ${one} where id = 1`));
  for (const session of [mail, place, mail] as SessionNames[])
    expect(remembered(text, session)?.outputs[2]?.sources).toEqual(session.diagnostics.sources);
});

test('another snapshot of the catalog has lineage of its own', () => {
  const text = 'select mail from people where id = 3';
  const [one] = remembered(text)?.outputs[0]?.sources ?? [];
  const [other] = remembered(text, newSession('shop'), makeCatalog())?.outputs[0]?.sources ?? [];
  expect(other).toEqual(one);
  expect(other).not.toBe(one);
});

test('memory is bounded by number and size', () => {
  const by = makeCatalog();
  const first = remembered('select nick from people', newSession('shop'), by);
  expect(remembered('select nick from people', newSession('shop'), by)).toBe(first);
  for (let at = 0; at < 2_000; at++) remembered(`select nick as a${at} from people`, newSession('shop'), by);
  expect(remembered('select nick from people', newSession('shop'), by)).not.toBe(first);
  const wide = (at: number): string =>
    `select ${Array.from({ length: 1_500 }, () => 'id').join(',')}, nick as b${at} from people`;
  const large = remembered(wide(0), newSession('shop'), by);
  for (let at = 1; at < 60; at++) remembered(wide(at), newSession('shop'), by);
  expect(remembered(wide(0), newSession('shop'), by)).not.toBe(large);
  expect(remembered(wide(59), newSession('shop'), by)).toBe(remembered(wide(59), newSession('shop'), by));
});
