import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { analyze, rangesOf } from '../src/index.js';
import { BOTH } from './dialects.js';

/** What must hold of the facts of any text whatever. */
function check(text: string): void {
  for (const [, reading] of BOTH) {
    const facts = analyze(text, reading);
    if (facts.confidence === 'opaque')
      expect(facts.actions.every(({ effects }) => effects.includes('unknown'))).toBe(true);
    else
      expect(facts.actions.filter(({ depth }) => depth === 0).length).toBeGreaterThanOrEqual(facts.statements.length);
    for (const { verb, effects, reasons } of facts.actions) {
      expect(verb).not.toBe('');
      expect(effects.length).toBeGreaterThan(0);
      expect(!effects.includes('unknown') || reasons.length > 0).toBe(true);
    }
    const ranges = rangesOf(text, reading);
    expect(ranges.length).toBeGreaterThan(0);
    for (const [at, { start, end }] of ranges.entries()) {
      expect(start).toBeGreaterThanOrEqual(ranges[at - 1]?.end ?? 0);
      expect(end).toBeLessThanOrEqual(text.length);
    }
  }
}

const SEEDS = [
  "SELECT a, 'it''s', \"x\", `q` FROM t WHERE id = ? AND b IN (1, 2.5, NULL) GROUP BY a HAVING COUNT(*) > 1 ORDER BY 1 LIMIT 2",
  'WITH RECURSIVE d (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM d) UPDATE t JOIN d ON t.id = d.x SET t.a = CASE WHEN 1 THEN 2 END',
  'INSERT INTO t (a, b) VALUES (1, DEFAULT) ON DUPLICATE KEY UPDATE a = VALUES(a)',
  "PREPARE p FROM 'UPDATE t SET a = ?'; EXECUTE p USING @a; DEALLOCATE PREPARE p",
  'CREATE TABLE t (id INT PRIMARY KEY, a INT DEFAULT (1 + 1) CHECK (a > 0)) ENGINE = InnoDB PARTITION BY HASH (id)',
  'CREATE PROCEDURE p() BEGIN IF a THEN SELECT 1; END IF; END',
  "SELECT * FROM JSON_TABLE('[]', '$' COLUMNS (a INT PATH '$')) j NATURAL LEFT JOIN u INTO OUTFILE 'x'",
  'SET NAMES utf8mb4, @a := 1, GLOBAL b = ON; SHOW FULL COLUMNS FROM t WHERE a LIKE 1',
  'EXPLAIN FORMAT=JSON DELETE FROM t WHERE NOT (a = ANY (SELECT 1) OR EXISTS (SELECT 1)) AND a BETWEEN 1 AND 2',
  'ALTER TABLE t ADD x INT AS (a + 1), DROP COLUMN y, RENAME TO z; GRANT SELECT ON a.* TO b@c',
  '/*!50000 SELECT */ 1 /*M! , 2 */ /*+ x */ -- y\n # z',
];
const TOKENS = [
  ...new Set(SEEDS.flatMap((seed) => seed.match(/\w+|\s+|[^\w\s]/g) ?? [])),
  '/*',
  '/*!',
  '*/',
  '--',
  '\n',
  '\\',
  "'",
  '"',
  '`',
  ';',
  '\0',
  'é',
  '😀',
  '@@',
  ':=',
  '$$',
  '||',
  '(',
  ')',
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
    for (const [where, what, token] of changes) {
      const at = where % (tokens.length + 1);
      if (what === 'drop') tokens.splice(at, 1);
      else if (what === 'double') tokens.splice(at, 0, tokens[at] ?? '');
      else if (what === 'replace') tokens.splice(at, 1, token);
      else tokens.splice(at, 0, token);
    }
    return tokens.join('');
  });

test('texts like real ones', () => {
  fc.assert(fc.property(mutated, check), { numRuns: 3000 });
});

test('anything', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 60 }), check), { numRuns: 1000 });
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...TOKENS), { maxLength: 30 }).map((all) => all.join(' ')),
      check,
    ),
    {
      numRuns: 2000,
    },
  );
});

test('deep and long texts', () => {
  for (const piece of [
    '(',
    'NOT ',
    '-',
    '(SELECT ',
    'CASE WHEN ',
    'a OR ',
    '1+',
    'SELECT 1 UNION ',
    'a JOIN ',
    'BINARY ',
    'IF(',
  ])
    check(`SELECT ${piece.repeat(20_000)}1`);
});
