import { growth } from '@sluice/testkit/work';
import { describe, expect, test } from 'vitest';
import { loadPostgres } from '../src/analyze.js';
import { MAJORS } from '../src/grammar.js';

/** What masks follow long texts by: themselves where little is written in them, or the same but for constants that nobody looks at. */
const LONG = 'x'.repeat(1_100_000);
const ids = (count: number, of: (at: number) => string = (at) => String(100_000 + at)): string =>
  Array.from({ length: count }, (_, at) => of(at)).join();

const digestOf = async (major: number, text: string): Promise<string | undefined> => {
  const { digest } = (await loadPostgres(major)).analyze(text, { digests: true });
  return digest?.type === 'text' ? digest.text : undefined;
};

describe.each(MAJORS)('on PostgreSQL %i', (major) => {
  test.each([
    [`insert into t (a, b) values (1, '${LONG}') returning id`, "insert into t (a, b) values (1, '') returning id"],
    [`insert into t values ('a''${LONG}''', 'b')`, "insert into t values ('', '')"],
    [`insert into t values (E'\\'${LONG}\\\\', 'é', 'b')`, "insert into t values ('', '', '')"],
    [`insert into t values ($a$'${LONG}$b$'$a$, $$c$$)`, "insert into t values ('', '')"],
    [
      `insert into t values ('ü${LONG}'::bytea, '2026-11-30'::date)`,
      "insert into t values (''::bytea, '2026-11-30'::date)",
    ],
    [
      `insert into t values ('${LONG}') on conflict (a) do update set b = '${LONG}'`,
      "insert into t values ('') on conflict (a) do update set b = ''",
    ],
    [
      `update t set a = '${LONG}', b = b || '-' where c = 'short' returning *`,
      "update t set a = '', b = b || '-' where c = '' returning *",
    ],
    [`select a from t where b = '${LONG}, and more'`, "select a from t where b = ''"],
    [`select a from t where id in (${ids(20_000)})`, `select a from t where id in (${ids(20_000, () => '1')})`],
    [
      `select a from t where id = any(array[${ids(20_000)}])`,
      `select a from t where id = any(array[${ids(20_000, () => '1')}])`,
    ],
    [
      `select a from t where id in (${ids(5_000, () => '1234567890123456')})`,
      `select a from t where id in (${ids(5_000, () => '2147483648')})`,
    ],
    [`/* a=1 */ insert into t values ('${'/*'.repeat(3_000)}') /* b=2 */`, "  insert into t values ('')  "],
    [
      `insert into t values ('/**/', '${'x /* y */'.repeat(120_000)}') returning lower('/* kept */')`,
      "insert into t values ('', '') returning lower('/* kept */')",
    ],
  ])('constants that nobody looks at: %#', async (text, digest) => {
    expect(await digestOf(major, text)).toBe(digest);
  });

  test.each([
    // What decides what is shown, or which code runs.
    ['a key of a document', `select doc -> '${LONG}' from t`],
    ['a written key', `select json_build_object('${LONG}', a) from t`],
    ['an argument', `select query_to_xml('select ${LONG}', true, true, '')`],
    ['an array of keys', `select doc #> array['a', '${LONG}'] from t`],
    ['as many elements as are compared', `select a from t where b = any('{${ids(200_000)}}')`],
    [
      'as many in a row that is compared',
      `select a from t, (values ('{${ids(200_000)}}'::int[])) v (b) where a = any(b)`,
    ],
    ['a body of a function', `create function f() returns int language sql as 'select 1 /* ${LONG} */'`],
    ['code', `do 'begin perform 1; /* ${LONG} */ end'`],
    ['a statement that is prepared', `prepare p as insert into t values ('${LONG}')`],
    ['a statement beside others', `insert into t values ('${LONG}'); set search_path = a`],
    ['a text with Unicode escapes', `insert into t values (U&'\\0061${LONG}')`],
    ['too many columns', `select ${ids(20_000, (at) => `a as c${at}`)} from t`],
    ['comments in one another', `insert into t values (/* ${'/*'.repeat(1_000)}${'*/'.repeat(1_000)} */ 1)`],
  ])('nothing stands in for %s', async (_, text) => {
    expect(await digestOf(major, text)).toBeUndefined();
  });

  test.each([
    ['an argument', (long: string) => `select f('${long}')`],
    [
      'a body of a function',
      (long: string) => `create function f() returns int language sql as $$ /* ${long} */ select 1 $$`,
    ],
    ['code', (long: string) => `do 'begin perform 1; /* ${long} */ end'`],
    ['a statement beside others', (long: string) => `insert into t values ('${long}'); set search_path = a`],
    ['comments', (long: string) => `/* ${long} */ select 1 -- ${long}`],
  ])('little is written in it besides: %s', async (_, text) => {
    const long = text('x'.repeat(300_000));
    expect(await digestOf(major, long)).toBe(long);
    expect(await digestOf(major, text('x'.repeat(1_100_000)))).not.toBe(long);
    const costly = text('/*'.repeat(1_000) + '*/'.repeat(1_000));
    expect(await digestOf(major, costly)).not.toBe(costly);
  });

  test('short texts are followed as they are', async () => {
    expect(await digestOf(major, "insert into t values ('a long one, but not very')")).toBeUndefined();
  });
});

test.each([
  ['insert into orders (a, b) values (1, null)', ",('a text','b')"],
  ['select id from orders where id in (1', ',10000000', ')'],
])('twice the text is twice the work: %s%s...', async (head, piece, tail = '') => {
  const analyzer = await loadPostgres(18);
  const facts = (size: number): unknown =>
    analyzer.analyze(head + piece.repeat(size / piece.length) + tail, { digests: true });
  facts(131_072);
  expect(growth(131_072, facts)).toBeLessThan(2.2);
});
