/** Recordings of terminals as pages have them. Does not: draw them (gateway/test/console.test.ts). */
import { expect, test } from 'vitest';
import { readCast, sizeOf } from '../src/data/cast.js';

test('a terminal that says it is as large as a city has the size of a large screen', () => {
  const cast = readCast(
    [
      '{"version":3,"term":{"cols":99999,"rows":99999}}',
      '[1,"o","one"]',
      '[1,"r","9999x40"]',
      '[1,"r","132x43"]',
      '[1,"o","two"]',
    ].join('\n'),
    false,
  );
  expect([cast.cols, cast.rows]).toEqual([1_000, 500]);
  expect(cast.events.map(({ data }) => data)).toEqual(['one', '1000x40', '132x43', 'two']);
  expect(sizeOf('4294967295x4294967295')).toEqual({ cols: 1_000, rows: 500 });
  expect(sizeOf('0x0')).toEqual({ cols: 80, rows: 24 });
  expect(sizeOf('many')).toEqual({ cols: 80, rows: 24 });
});
