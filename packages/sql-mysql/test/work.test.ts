/** What reading a text costs, in work and not in time: twice the text is twice the work. */
import { growth } from '@sluice/testkit/work';
import { expect, test } from 'vitest';
import { analyze } from '../src/index.js';
import { BOTH } from './dialects.js';

const TEXTS: Readonly<Record<string, (piece: number) => string>> = {
  rows: (times) =>
    `INSERT INTO t VALUES ${Array.from({ length: times }, (_, at) => `(${at}, 'it''s \\' x', NULL)`).join(',')}`,
  list: (times) => `SELECT 1 FROM t WHERE id IN (${'1,'.repeat(times)}2)`,
  conditions: (times) => `DELETE FROM t WHERE ${'a = 1 OR '.repeat(times)}b = 2`,
  columns: (times) => `SELECT ${'t.a AS x, '.repeat(times)}b FROM t`,
  intervals: (times) => `SELECT ${'INTERVAL(1, 2) + '.repeat(times / 20)}1`,
  parentheses: (times) => `SELECT ${'((1)), '.repeat(times)}2`,
  subqueries: (times) => `SELECT ${'((SELECT 1) + 1), '.repeat(times)}2`,
  statements: (times) => 'SELECT 1;'.repeat(times),
  settings: (times) => `SET ${'@a = 1, '.repeat(times)}@b = 2`,
  options: (times) => `CREATE TABLE t (a INT) ${"COMMENT = 'x', ".repeat(times)} MAX_ROWS = 1`,
  definitions: (times) => `CREATE TABLE t (${'a INT DEFAULT 1 CHECK (a > 0), '.repeat(times)} b INT)`,
  alterations: (times) => `ALTER TABLE t ${'ADD a INT DEFAULT 1, '.repeat(times)} DROP b`,
  targets: (times) => `DELETE ${'a, '.repeat(times)} b FROM ${'a, '.repeat(times)} b`,
  'executed texts': (times) => `PREPARE s FROM '${'SELECT 1 + '.repeat(20)}1';${'EXECUTE s;'.repeat(times)}`,
  grants: (times) => `GRANT ${'SELECT, '.repeat(times)} INSERT ON t TO u`,
};

for (const [flavour, reading] of BOTH)
  test.each(Object.entries(TEXTS))(`${flavour}: %s`, (_, text) => {
    expect(growth(400, (size) => analyze(text(size), reading))).toBeLessThan(2.7);
  });
