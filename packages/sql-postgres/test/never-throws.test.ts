import type { Facts } from '@sluice/contract';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Analyzer, MAJORS, loadPostgres } from '../src/index.js';

const analyzers: Analyzer[] = [];
beforeAll(async () => {
  for (const major of MAJORS) analyzers.push(await loadPostgres(major));
});

/** What must hold of the facts of any text whatever. */
function check(text: string): void {
  for (const analyzer of analyzers) {
    const facts = analyzer.analyze(text);
    expect(Array.isArray(facts.actions)).toBe(true);
    if (facts.confidence === 'opaque')
      expect(facts.actions.every(({ effects }) => effects.includes('unknown'))).toBe(true);
    else expect(facts.actions.filter(({ depth }) => depth === 0)).toHaveLength(facts.statements.length);
    for (const action of facts.actions) {
      expect(action.verb).not.toBe('');
      expect(action.effects.length).toBeGreaterThan(0);
    }
    expect(explained(facts)).toBe(true);
  }
}

/** Whatever is unknown has a reason that can be shown to somebody. */
const explained = (facts: Facts): boolean =>
  facts.actions.every(({ effects, reasons }) => !effects.includes('unknown') || reasons.length > 0);

const SEEDS = [
  "SELECT a, 'it''s', E'\\n', $$x$$, \"Q\" FROM t WHERE id = $1 AND b IN (1, 2.5, NULL)",
  'WITH RECURSIVE d AS (DELETE FROM t USING b WHERE t.id = b.id RETURNING *) INSERT INTO u SELECT * FROM d',
  'MERGE INTO t USING (VALUES (1)) v(id) ON t.id = v.id WHEN MATCHED THEN UPDATE SET a = 1 WHEN NOT MATCHED THEN DO NOTHING',
  'PREPARE p(int) AS UPDATE t SET a = $1 WHERE name LIKE $2; EXECUTE p(1); DEALLOCATE ALL',
  'CREATE TABLE t (id serial PRIMARY KEY, a int DEFAULT now() CHECK (a > 0)) PARTITION BY RANGE (a)',
  'COPY (SELECT * FROM t TABLESAMPLE system(1)) TO STDOUT WITH (FORMAT csv); SET search_path = a, b',
  'EXPLAIN (ANALYZE, FORMAT JSON) DELETE FROM t WHERE NOT (id = ANY (ARRAY[1]) OR EXISTS (SELECT 1 FROM t x))',
];
const TOKENS = [
  ...new Set(SEEDS.flatMap((seed) => seed.match(/\w+|\s+|[^\w\s]/g) ?? [])),
  '/*',
  '*/',
  '--',
  '\n',
  "'",
  '"',
  ';',
  'é',
  '😀',
];

/** A seed with some of its tokens dropped, doubled, swapped for others or upset by noise. */
const mutated = fc
  .tuple(
    fc.constantFrom(...SEEDS),
    fc.array(fc.tuple(fc.nat(), fc.constantFrom('drop', 'double', 'replace', 'insert'), fc.constantFrom(...TOKENS)), {
      maxLength: 4,
    }),
  )
  .map(([seed, changes]) => {
    const tokens = seed.match(/\w+|\s+|[^\w\s]/g) ?? [];
    for (const [at, change, token] of changes) {
      const index = at % Math.max(tokens.length, 1);
      if (change === 'drop') tokens.splice(index, 1);
      else if (change === 'double') tokens.splice(index, 0, tokens[index] ?? '');
      else if (change === 'replace') tokens[index] = token;
      else tokens.splice(index, 0, token);
    }
    return tokens.join('');
  });

describe('analyze always answers', () => {
  test('with arbitrary texts', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), check), { numRuns: 300 });
  });

  test('with tokens in any order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...TOKENS), { maxLength: 30 }).map((all) => all.join('')),
        check,
      ),
      {
        numRuns: 300,
      },
    );
  });

  test('with statements that somebody has changed', () => {
    fc.assert(fc.property(mutated, check), { numRuns: 500 });
  });

  test.each([
    'select \ud800',
    '\ufeffselect 1',
    'select 1\0',
    '\0',
    '',
    ' ',
    '\r',
    '\u00a0select 1',
    'select \u{1d54f}',
  ])('with %j', (text) => check(text));

  test.each([
    ['parentheses', '('.repeat(3000)],
    ['comments', '/*'.repeat(2000)],
    ['sums', `select ${'1+'.repeat(5000)}1`],
    ['sub-selects', `select ${'(select '.repeat(400)}1${')'.repeat(400)}`],
    ['arrays', `select ${'array['.repeat(500)}1${']'.repeat(500)}`],
  ])('with very deep %s', (_, text) => check(text));
});

test('an arbitrary comment, string or quoted name changes nothing', () => {
  const noise = fc
    .string({ unit: 'grapheme', maxLength: 40 })
    .filter((text) => !/[\0*/'"]/.test(text) && text.isWellFormed());
  fc.assert(
    fc.property(noise, fc.nat(), (text, index) => {
      const analyzer = analyzers.at(index % analyzers.length);
      const verbs = (sql: string): string[] => analyzer?.analyze(sql).actions.map(({ verb }) => verb) ?? [];
      expect(verbs(`SELECT /*${text}*/ 1`)).toEqual(['select']);
      expect(verbs(`SELECT '${text}'; DROP TABLE t`)).toEqual(['select', 'drop table']);
      expect(verbs(`SELECT 1 AS "x${text}"`)).toEqual(['select']);
    }),
    { numRuns: 300 },
  );
});
