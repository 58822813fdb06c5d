/** What statements and their shapes cost, in work and not in time: twice the text is twice the work. */
import { growth } from '@sluice/testkit/work';
import { describe, expect, test } from 'vitest';
import { loadPostgres } from '../src/analyze.js';
import { MAJORS } from '../src/grammar.js';
import { templateOf } from '../src/template.js';

test.each(["'", "'a' ", "''", '1', '1 ', '1a', '1.', 'a', 'a.', '- ', '-', '/ ', '/*', '"', '$'])(
  'the shape of %j',
  (piece) => {
    const shape = (size: number): unknown => templateOf(`select ${piece.repeat(size / piece.length)}`);
    expect(growth(16_384, shape)).toBeLessThan(2.2);
  },
);

describe.each(MAJORS)('on PostgreSQL %i', (major) => {
  test.each([
    ['insert into orders (total) values (1)', ',(1)'],
    ['select id from orders where id in (1', ',1', ')'],
    ['select 1', ',total'],
    ['select json_build_object()', ",json_build_object('a',b)"],
  ])('the facts of %s%s...', async (head, piece, tail = '') => {
    const analyzer = await loadPostgres(major);
    const facts = (size: number): unknown => analyzer.analyze(head + piece.repeat(size / piece.length) + tail);
    // Some words are looked up for the first time.
    facts(32_768);
    expect(growth(32_768, facts)).toBeLessThan(2.2);
  });
});
