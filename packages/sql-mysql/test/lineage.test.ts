/** Lineage over a catalog that is written here: the rules of resolution that surprise, and what must not be followed. */
import { describe, expect, test } from 'vitest';
import { Catalog } from '../src/catalog/catalog.js';
import type { KeyPart } from '../src/catalog/objects.js';
import {
  type SessionNames,
  type StatementLineage,
  afterEffects,
  lineageOf,
  maybeAfter,
  newSession,
} from '../src/lineage/index.js';
import { readingOf } from '../src/reading.js';
import { statementsWithRows } from '../src/texts.js';

/** `unique (mail)`, and `unique (person, place(3))`. */
const UNIQUE: Readonly<Record<string, readonly KeyPart[]>> = {
  people: [{ column: 'mail', isBeginning: false }],
  visits: [
    { column: 'person', isBeginning: false },
    { column: 'place', isBeginning: true },
  ],
};

const relation = (name: string, names: string, definition?: string) => {
  const columns = names.split(' ').map((column) => ({
    name: column,
    type: 'varchar',
    hidden: column === 'unseen',
    base: { schema: 'shop', table: name, column, name: `shop.${name}.${column}` },
    ...(column === 'made' && { generated: 'concat(`mail`, `nick`)' }),
  }));
  return {
    schema: 'shop',
    name,
    kind: definition === undefined ? ('table' as const) : ('view' as const),
    columns,
    ...(definition !== undefined && { definition }),
    versioned: false,
    key: columns.filter(({ name: column }) => column === 'mail').map(({ base }) => base),
    unique: UNIQUE[name] ?? [],
  };
};

const LABELS = 'select `shop`.`people`.`id` AS `id`,ucase(`shop`.`people`.`mail`) AS `label` from `shop`.`people`';

const catalogOf = (flavour: 'mariadb' | 'mysql'): Catalog =>
  new Catalog({
    version: '1',
    flavour,
    server: flavour === 'mysql' ? 90_704 : 101_119,
    lowerCase: 0,
    relations: [
      relation('people', 'id nick mail made unseen'),
      relation('visits', 'id person place'),
      relation('contacts', 'id label', LABELS),
      relation('broken', 'id', 'select 1 from ('),
    ],
    codeReachesSession: true,
    triggered: new Set(),
  });

const follow = (text: string, session = newSession('shop'), flavour: 'mariadb' | 'mysql' = 'mariadb') => {
  const catalog = catalogOf(flavour);
  const reading = readingOf(catalog.dialect);
  const [statement] = statementsWithRows(text, reading);
  if (!statement) throw new Error('no statement');
  return lineageOf(catalog, session, statement, reading);
};

/** Each output as `name: sources`, or why it is not followed. */
const shown = ({ unknown: whole, outputs }: StatementLineage): string[] =>
  whole === undefined
    ? outputs.map(({ name, sources, unknown }) => {
        const from = [...sources].map(({ table, column }) => `${table}.${column}`);
        return `${name}: ${unknown ?? from.toSorted().join(' ')}`;
      })
    : [whole];

const after = (text: string, session: SessionNames = newSession('shop')): SessionNames =>
  afterEffects(session, follow(text, session).effects);

const MADE = 'made: people.made people.mail people.nick';

describe('names', () => {
  test.each([
    ['select mail as nick, (select nick) as x from people', ['nick: people.mail', 'x: people.nick']],
    ['select mail as zz, (select zz) as x from people', ['zz: people.mail', 'x: people.mail']],
    ["select x from (select mail as ' x' from people) d", ['x: people.mail']],
    ['select * from people', ['id: people.id', 'nick: people.nick', 'mail: people.mail', MADE]],
    [
      'select * from people p natural right join visits v',
      [
        'id: people.id visits.id',
        'person: visits.person',
        'place: visits.place',
        'nick: people.nick',
        'mail: people.mail',
        MADE,
      ],
    ],
    ['select label from contacts', ['label: contacts.label people.mail']],
    ['select d.a from (select id, mail from people) d(a, b)', ['a: people.id']],
    ['select id from broken', ['id: reads shop.broken, whose definition cannot be read']],
    ['select mail from nowhere', ['reads shop.nowhere, which is not known']],
    ['select nowhere from people', ['nowhere: reads nowhere, which is not known']],
    ['with people as (select place as mail from visits) select mail from people', ['mail: visits.place']],
    [
      'with recursive q(a, n) as (select mail, 1 from people union all select a, n + 1 from q) select * from q',
      ['a: people.mail', 'n: '],
    ],
    [
      'with recursive q(a, b) as (select 1, mail from people union all select b, a from q) select a from q',
      ['a: people.mail'],
    ],
    ['select place from visits union select mail from people', ['place: people.mail visits.place']],
    ['select exists (select mail from people) as e', ['e: ']],
  ])('%s', (text, expected) => {
    expect(shown(follow(text))).toEqual(expected);
  });

  test('a query of WITH RECURSIVE is seen before it is written in MariaDB, and not in MySQL', () => {
    const text = 'with recursive q as (select * from visits), visits as (select mail from people) select * from q';
    expect(shown(follow(text, undefined, 'mariadb'))).toEqual(['mail: people.mail']);
    expect(shown(follow(text, undefined, 'mysql'))).toEqual([
      'id: visits.id',
      'person: visits.person',
      'place: visits.place',
    ]);
  });

  test('a RIGHT JOIN is turned round in MySQL where its columns are merged with others, and only there', () => {
    const text = 'select * from (select mail as m from people) a right join (select 1 as id, 2 as x) b on 1 = 1';
    const merged = [`${text} natural left join (select 1 as id) c`, `${text} join (select 1 as id) c using (id)`];
    for (const flavour of ['mariadb', 'mysql'] as const)
      expect(shown(follow(text, undefined, flavour))).toEqual(['m: people.mail', 'id: ', 'x: ']);
    for (const one of merged) {
      expect(shown(follow(one, undefined, 'mariadb'))).toEqual(['id: ', 'm: people.mail', 'x: ']);
      expect(shown(follow(one, undefined, 'mysql'))).toEqual(['id: ', 'x: ', 'm: people.mail']);
    }
  });

  test('the case of a query of WITH counts in MySQL alone', () => {
    const text = 'with VISITS as (select mail as place from people) select place from visits';
    expect(shown(follow(text, undefined, 'mariadb'))).toEqual(['place: people.mail']);
    expect(shown(follow(text, undefined, 'mysql'))).toEqual(['place: visits.place']);
    const doubtful = 'with vİsits as (select mail as place from people) select place from visits';
    expect(shown(follow(doubtful))).toEqual(['uses a name that the server may take for that of a query of WITH']);
  });

  test('code that writes to variables may write to those that its own statement reads', () => {
    const [, kept] = follow('select nobody(), @kept from visits').outputs;
    expect(kept?.unknown).toMatch(/runs after a statement that calls nobody/);
  });

  test('letters that a server may take for others are not told apart', () => {
    // With KELVIN SIGN: some server may find the inner column, and another the outer one.
    const [output] = follow(
      'select (select `\u212A` from (select 1 as k) a) as x from (select mail as `\u212A` from people) b',
    ).outputs;
    expect(output?.sources.size).toBe(1);
  });
});

describe('sessions', () => {
  test('a variable has what it was given, until it is given something else', () => {
    const given = after('set @a = (select max(mail) from people)');
    expect(shown(follow('select @A as x', given))).toEqual(['x: people.mail']);
    expect(shown(follow('select @A as x', after('set @a = 1', given)))).toEqual(['x: ']);
    // Without rows it keeps what it had, and after an error it may.
    expect(shown(follow('select @a as x', after('select @a := 1 from visits', given)))).toEqual(['x: people.mail']);
    const failed = maybeAfter(given, follow('set @a = 1', given).effects);
    expect(shown(follow('select @a as x', failed))).toEqual(['x: people.mail']);
  });

  test('a variable that is written in one row is read in the next', () => {
    expect(shown(follow('select @b as x, @b := mail as y from people'))).toEqual(['x: people.mail', 'y: people.mail']);
  });

  test('`@é` is `@e` for some', () => {
    const session = after('set @é = (select mail from people)');
    expect(shown(follow('select @e as x', session))).toEqual(['x: people.mail']);
  });

  test('temporary tables', () => {
    const made = after('create temporary table visits as select mail as m, id from people');
    expect(shown(follow('select * from visits', made))).toEqual(['m: people.mail', 'id: people.id']);
    expect(shown(follow('select place from visits', after('drop table visits', made)))).toEqual([
      'place: visits.place',
    ]);
    const filled = after('insert into plain select nick from people', after('create temporary table plain (a int)'));
    expect(shown(follow('select a from plain', filled))).toEqual(['a: people.nick']);
  });

  test('behind code that nobody read nothing is known of tables and variables', () => {
    const called = after('call anything()');
    expect(shown(follow('select place, @a from visits', called)).join(', ')).toMatch(
      /^place: runs after.*, @a: runs after/,
    );
  });

  test('prepared in SQL', () => {
    const made = after("prepare s from 'select mail, ? as q from people'");
    const session = after('set @x = (select nick from people)', made);
    expect(shown(follow('execute s using @x', session))).toEqual(['mail: people.mail', 'q: people.nick']);
    expect(follow('execute s', after('prepare s from @x', session)).each?.unknown).toMatch(/text was not written/);
  });

  test('SHOW WARNINGS has what the statement before it was about', () => {
    const session = after('insert into visits (place) select mail from people');
    const [level, code, message] = follow('show warnings', session).outputs;
    expect([...(message?.sources ?? [])].map(({ column }) => column)).toContain('mail');
    expect([level?.sources.size, code?.sources.size]).toEqual([0, 0]);
  });

  test.each(['select 1', 'set @a = 1', 'do 1', 'use shop', 'begin', "prepare s from 'select 1'", 'show tables'])(
    'they stay behind %s, which uses no table',
    (text) => {
      const session = after(text, after('select mail + 1 from people'));
      const [, , message] = follow('show errors', session).outputs;
      expect([...(message?.sources ?? [])].map(({ column }) => column)).toContain('mail');
      const [, , later] = follow('show errors', after('select place from visits', session)).outputs;
      expect([...(later?.sources ?? [])].map(({ column }) => column)).not.toContain('mail');
    },
  );
});

test('counts tell how many there are, unless what is counted was computed', () => {
  const counts = (text: string) => follow(text).outputs.map((one) => one.counts);
  expect(counts('select count(*), count(mail), count(distinct mail) from people')).toEqual([true, true, true]);
  expect(counts("select count(mail like 'a%' or null) from people")).toEqual([undefined]);
  expect(counts("select count(x) from (select if(mail like 'a%', 1, null) as x from people) d")).toEqual([undefined]);
});

test('warnings of a change of definitions are not shown', () => {
  const session = after('alter table people modify mail int');
  expect(follow('show warnings', session).outputs[2]?.unknown).toMatch(/change of definitions/);
});

describe('uses', () => {
  const asked = (text: string): string[] =>
    follow(text).predicates.map(({ column, kind, values }) => `${column.column} ${kind} ${values}`);
  const moved = (text: string): string[] =>
    follow(text).flows.map(({ target, value }) =>
      [target.type, ...[...value.sources].map(({ column }) => column)].join(' '),
    );

  test.each([
    ["select id from people where mail = 'a'", ['mail equality 1']],
    ["select id from people where mail in ('a', 'b')", ['mail equality 2']],
    ['select id from people where mail is null', ['mail null 0']],
    ["select id from people where mail like 'a%'", ['mail other 0']],
    ['select id from people order by mail', ['mail other 0']],
    ['select id from people use index (primary)', []],
    ['select id from people p force key for join (`PRIMARY`)', []],
    ['select id from people use index ()', []],
    ["insert ignore into people (id, mail) values (1, 'a'), (2, 'b')", ['mail equality 2']],
    ["insert ignore into visits (person, place) values (1, 'a')", ['place other 0', 'person equality 1']],
    ['insert ignore into visits (id) values (1)', []],
    ['alter table visits add unique (place)', []],
    ['alter table visits add unique u (id, place(3)), add index (person(2))', ['place other 0']],
    ['create unique index u on visits (place(3), id)', ['place other 0']],
    ['create index u on visits (place(3))', []],
    ['create unique index u on visits ((lower(place)), id)', ['place other 0']],
    ['alter ignore table visits add unique (place)', ['place other 0']],
    ["replace into people (id, mail) values (1, 'a')", ['mail equality 1']],
    ["insert into people (id, mail) values (1, 'a')", []],
    ['insert ignore into people (id, mail) select id, place from visits', ['mail other 0']],
    ["load data local infile 'x' into table people (id, mail)", ['mail other 0']],
    ["load data local infile 'x' into table people (id, nick)", []],
    ["update people set mail = 'a'", ['mail equality 1']],
    ["update people set nick = replace(nick, 'a', 'b')", ['nick other 0']],
    ["update people set nick = concat(nick, 'b'), mail = null, id = id + 1", []],
    [
      "insert into people (id, mail) values (1, 'a') on duplicate key update nick = 'b'",
      ['mail equality 1', 'nick equality 1'],
    ],
  ])('%s', (text, expected) => {
    expect(asked(text)).toEqual(expected);
  });

  test.each([
    'select id from people force index (by_mail)',
    'select id from people use key (primary, by_mail)',
    'select id from people ignore index for order by (primary)',
    'select v.id from visits v join people p force index (by_mail)',
    "update people force index (by_mail) set nick = 'a' limit 1",
  ])('rows in the order of an index that the text chooses: %s', (text) => {
    expect(asked(text)).toContain('mail other 0');
  });

  test('the same by a hint of MySQL', () => {
    const { predicates } = follow('select /*+ INDEX(people by_mail) */ id from people', newSession('shop'), 'mysql');
    expect(predicates.map(({ column, kind }) => `${column.column} ${kind}`)).toContain('mail other');
    const none = follow('select /*+ MAX_EXECUTION_TIME(10) */ id from people', newSession('shop'), 'mysql');
    expect(none.predicates).toEqual([]);
  });

  test.each([
    ['insert into visits (place) select mail from people', ['table mail']],
    [
      'insert into visits (id, place) values (1, 2) on duplicate key update place = (select max(mail) from people)',
      ['table mail'],
    ],
    ['update visits v join people p on p.id = v.person set v.place = p.mail', ['table mail']],
    ["select mail from people into outfile '/x'", ['file mail']],
    ['set timestamp = (select max(mail) from people)', ['setting mail']],
    ['select count(last_insert_id(mail)) from people', ['function mail']],
    ['alter table people change mail m2 varchar(20)', ['definition id nick mail made unseen']],
    ['alter table people rename column mail to m2', ['definition id nick mail made unseen']],
    ['alter table people rename to persons', ['definition id nick mail made unseen']],
    ['rename table people to persons', ['definition id nick mail made unseen']],
    ['alter table people convert partition p to table persons', ['definition id nick mail made unseen']],
    ['alter table persons convert table people to partition p', ['definition id nick mail made unseen']],
    ['alter table people convert to character set utf8mb4', []],
    ['alter table people add index (nick)', []],
    ['alter table visits add column more varchar(9) default (lower(place))', ['table place']],
    ["alter table visits add column more varchar(9) default 'x', add column at date default (now())", []],
    ['alter table people modify made varchar(20), add index (nick)', ['table made mail nick']],
    ['alter table people modify column made varchar(20) as (id) stored, modify nick text', []],
    [
      'create table more (a int, foreign key (a) references people (mail) on delete set null on update cascade)',
      ['table mail'],
    ],
    ['create table more (a int references people (mail) on update no action on delete cascade)', []],
    ['alter table visits add foreign key (place) references people (id, mail) on update cascade', ['table id mail']],
  ])('%s', (text, expected) => {
    expect(moved(text)).toEqual(expected);
  });
});

test('a statement of absurd depth is given up, and the process lives', () => {
  let text = 'select mail from people';
  for (let n = 0; n < 100; n++) text = `select mail from (${text}) d${n}`;
  expect(() => follow(text)).not.toThrow();
});
