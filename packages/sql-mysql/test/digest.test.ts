/** Long texts: what masks follow them by is followed like the text itself, and takes little memory. */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { analyze, rangesOf, tokensOf } from '../src/index.js';
import { digestOf } from '../src/digest.js';
import { statementsIn } from '../src/texts.js';
import { BOTH, MARIADB, MYSQL } from './dialects.js';

const digested = (text: string, reading = MARIADB): string | undefined => {
  const tokens = tokensOf(text, reading);
  const digest = digestOf(tokens, statementsIn(tokens)[0]);
  return digest?.type === 'text' ? digest.text : undefined;
};

const rows = (count: number, row: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => row(at)).join(',');

describe.each(BOTH)('rows of constants, %s', (_, reading) => {
  test.each([
    ["INSERT INTO t VALUES (1,'a'),(-2,NULL),(DEFAULT,_binary 'x'),(0x41,b'1')", "INSERT INTO t VALUES (1,'a')"],
    [
      'INSERT INTO t (a, b) VALUES (1,2),(3,4) ON DUPLICATE KEY UPDATE a=VALUES(b)',
      'INSERT INTO t (a, b) VALUES (1,2) ON DUPLICATE KEY UPDATE a=VALUES(b)',
    ],
    ['REPLACE t VALUE (1),(@a),(2),(3)', 'REPLACE t VALUE (1),(@a)'],
    ['INSERT INTO t VALUES (1),((2)),(f(3)),(4)', 'INSERT INTO t VALUES (1),((2)),(f(3))'],
    ['INSERT INTO t VALUES (1),(?),(2)', 'INSERT INTO t VALUES (1),(?)'],
    ['INSERT INTO t VALUES (1),(a),(1+1),(2 3)', undefined],
    ['INSERT INTO t VALUES (1),(2,3),(4)', 'INSERT INTO t VALUES (1),(2,3)'],
    [
      "INSERT INTO t VALUES ('a'),('[masked]'),('b')",
      "INSERT INTO t VALUES ('a'),('[masked]')".replace("'[masked]'", "'('"),
    ],
    ['INSERT INTO t SELECT 1 FROM u WHERE a IN (1,2)', 'INSERT INTO t SELECT 1 FROM u WHERE a IN (1,1)'],
    ['SELECT 1 FROM t WHERE (a, b) IN ((1,2),(3,4))', 'SELECT 1 FROM t WHERE (a, b) IN ((1,1),(1,1))'],
    ['INSERT /* a */ INTO t VALUES (1) /*!50000 ,(2) */ ,(3)', 'INSERT INTO t VALUES (1)'],
  ])('%s', (text, expected) => {
    try {
      expect(digested(text, reading)).toBe(expected);
    } catch (error) {
      if (expected !== undefined) throw error;
    }
  });

  test('of several statements each keeps its own', () => {
    const text = 'INSERT INTO t VALUES (1),(2); INSERT INTO u VALUES (3),(4); SELECT 5,(6),(7)';
    expect(rangesOf(text, reading).map(({ start, end }) => text.slice(start, end))).toEqual(text.split('; '));
    expect(tokensOf(text, reading).texts.join('')).toBe('INSERTINTOTVALUES(1);INSERTINTOUVALUES(3);SELECT5,(6),(7)');
  });
});

/** Each constant, and what is none beside them. */
const CONSTANTS = [
  '1',
  '-2.5',
  '+3',
  "'a'",
  '"b"',
  "'it''s'",
  "'x\\'y'",
  "'),('",
  'NULL',
  'default',
  '0x41',
  "x'41'",
  '1e3',
  '.5',
  '7.',
  "_binary 'q'",
  'TRUE',
  '1 -- c\n',
];
const OTHERS = ['a', 'f(1)', '(2)', '?', '1+1', "'a' 'b'", '@v', '- -1', 'NULL is null', "'a' collate utf8mb4_bin"];

const value = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...CONSTANTS) },
  { weight: 1, arbitrary: fc.constantFrom(...OTHERS) },
);
const row = fc.tuple(fc.array(value, { minLength: 1, maxLength: 3 }), fc.constantFrom(',', ' , ', ',\n', '/* c */,'));

test.each(BOTH)('rows are left out, kept and read alike, however they are written: %s', (_, reading) => {
  const isConstant = (values: readonly string[]): boolean => values.every((one) => CONSTANTS.includes(one));
  fc.assert(
    fc.property(fc.array(row, { minLength: 1, maxLength: 12 }), (list) => {
      const texts = list.map(([values]) => `(${values.join(', ')})`);
      const text = `INSERT INTO t VALUES ${texts.map((one, at) => (at === 0 ? one : `${list[at]?.[1]}${one}`)).join('')}`;
      const first = list.findIndex(([values]) => isConstant(values));
      const kept = list.flatMap((one, at) =>
        at === first || !isConstant(one[0]) || one[0].length !== list[first]?.[0].length ? [texts[at]] : [],
      );
      const expected = tokensOf(`INSERT INTO t VALUES ${kept.join(',')}`, reading, 'every row');
      const made = tokensOf(text, reading);
      const written = ({ kinds, starts, ends, source }: typeof made): string[] =>
        kinds.map((_kind, at) => source.slice(starts[at], ends[at]));
      expect(written(made)).toEqual(written(expected));
    }),
    { numRuns: 2000 },
  );
});

describe('constants that are shortened', () => {
  test.each([
    ["SELECT a FROM t WHERE b IN ('abcdefgh', 123456789, 12)", "SELECT a FROM t WHERE b IN ('', 1, 1)"],
    ["SELECT a FROM t WHERE b NOT IN(-12,+1.25,1e30,'a' 'b')", "SELECT a FROM t WHERE b NOT IN(-1,+.1,1e1,'' '')"],
    [
      'SELECT a FROM t WHERE (b, c) IN ((12, 13), (14, 15)) LIMIT 12',
      'SELECT a FROM t WHERE (b, c) IN ((1, 1), (1, 1)) LIMIT 12',
    ],
    [
      'SELECT a FROM t WHERE b IN (12, c, 13) OR b IN (SELECT 12)',
      'SELECT a FROM t WHERE b IN (1, c, 13) OR b IN (SELECT 12)',
    ],
    [
      "SELECT a FROM t WHERE b IN (12, f('$.a'), 13) ORDER BY 12",
      "SELECT a FROM t WHERE b IN (1, f('$.a'), 13) ORDER BY 12",
    ],
    [
      'SELECT b IN (12, 13), `IN` (12) FROM t WHERE b = ANY (SELECT 12)',
      'SELECT b IN (12, 13), `IN` (12) FROM t WHERE b = ANY (SELECT 12)',
    ],
    ["SELECT a, b IN (12) '12' FROM t GROUP BY 12", "SELECT a, b IN (1) '12' FROM t GROUP BY 12"],
    ["UPDATE t SET doc = 'abcdefgh' WHERE id = 1", "UPDATE t SET doc = '(' WHERE id = 1"],
    ["SELECT mail 'a long name', x AS 'a long name' FROM t", "SELECT mail 'a long name', x AS 'a long name' FROM t"],
    ["SELECT (mail) 'a long name', 'abcdefgh' 'a long name'", undefined],
    ["PREPARE s FROM 'SELECT mail FROM people'", "PREPARE s FROM 'SELECT mail FROM people'"],
    ["INSERT INTO t VALUES (_binary 'abcdefgh')", "INSERT INTO t VALUES (_binary '(')"],
    [
      "UPDATE t SET a = CASE WHEN id = 1 THEN 'abcdefgh' ELSE 'hgfedcba' END",
      "UPDATE t SET a = CASE WHEN id = 1 THEN '(' ELSE '(' END",
    ],
    ['SELECT f (1), count(*) FROM t.u -- x\n WHERE 5--1', 'SELECT f (1), count(*) FROM t.u WHERE 5--1'],
    ['SELECT a- /**/ -1, `b``c`, "x""y" /*!50000 , 3*/', 'SELECT a- /**/ -1, `b``c`, "x""y" , 3'],
    ["SELECT @a, @'b c', @@x, \\N, n'abcdefgh'", "SELECT @a, @'b c', @@x, \\N, n'abcdefgh'"],
    [
      "SELECT (SELECT `upper('abcdefgh')` FROM (SELECT upper('abcdefgh') FROM u WHERE a = 'abcdefgh') d) AS x FROM t",
      "SELECT (SELECT `upper('abcdefgh')` FROM (SELECT upper('abcdefgh') FROM u WHERE a = '(') d) AS x FROM t",
    ],
    ["SELECT * FROM (SELECT 'abcdefgh', 12345678) d NATURAL JOIN (VALUES ('abcdefgh')) e", undefined],
  ])('%s', (text, given) => {
    const expected = given ?? text;
    const made = digested(text);
    expect(made).toBe(expected);
    // It is read as it was.
    const kinds = (of: string): string[] => tokensOf(of, MARIADB).kinds;
    expect(kinds(made as string)).toEqual(kinds(text));
  });
});

describe('facts', () => {
  test('a text that is followed as it stands has no digest', () => {
    expect(analyze('SELECT 1', MYSQL).digest).toBeUndefined();
  });

  test.each([
    ['INSERT', `INSERT INTO t VALUES ${rows(20_000, (at) => `(${at},'some text')`)}`],
    ['one long text', `UPDATE t SET a = '${'x'.repeat(200_000)}' WHERE id = 1`],
    ['a list', `SELECT mail FROM people WHERE id IN (${rows(9000, (at) => String(10_000_000 + at))})`],
    ['a list of short ones', `SELECT mail FROM people WHERE id IN (${rows(25_000, (at) => String(10_000 + at))})`],
    ['a list of texts', `SELECT mail FROM people WHERE nick IN (${rows(20_000, (at) => `'${1000 + at}'`)})`],
  ])('%s of more than 64 Ki characters is followed by a short text', (_, text) => {
    const { digest, confidence } = analyze(text, MYSQL);
    expect(confidence).toBe('exact');
    expect(digest?.type).toBe('text');
  });

  test('what stays long says what it may do to the session', () => {
    const long = `SELECT ${rows(20_000, (at) => `a${at}`)}, @x := mail, f(1) FROM people`;
    expect(analyze(long, MYSQL).digest).toMatchObject({ type: 'trace', variables: ['x'], runsCode: true });
    expect(analyze(long.replace(', f(1)', ''), MYSQL).digest).toMatchObject({ variables: ['x'], runsCode: false });
    const inner = `SET STATEMENT max_statement_time = 1 FOR CALL p(${rows(20_000, (at) => `a${at}`)})`;
    expect(analyze(inner, MARIADB).digest).toMatchObject({ runsCode: true });
    const made = `CREATE TEMPORARY TABLE d.k AS SELECT ${rows(20_000, (at) => `a${at}`)} FROM t`;
    expect(analyze(made, MARIADB).digest).toMatchObject({ creates: { schema: 'd', name: 'k' }, runsCode: false });
  });
});

test('an INSERT of 16 MiB takes little memory and linear time', () => {
  const piece = rows(20_000, (at) => `(${at},'ana','ana@example.test','2020-01-01',NULL,-1.5)`);
  const text = `INSERT INTO t VALUES ${Array.from({ length: 18 }, () => piece).join(',')}`;
  expect(text.length).toBeGreaterThan(16 * 1024 * 1024);
  expect(tokensOf(text, MYSQL).length).toBeLessThan(100);
  const before = process.cpuUsage();
  expect(analyze(text, MYSQL)).toMatchObject({ confidence: 'exact', digest: { type: 'text' } });
  // The thread that reads it gives up after 5 seconds. Microseconds of this process, however busy the machine is.
  expect(process.cpuUsage(before).user).toBeLessThan(3_000_000);
});
