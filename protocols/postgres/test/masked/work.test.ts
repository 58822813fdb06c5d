/** What framing masked rows costs, in work and not in time: twice the columns are twice the work, however rows are cut. */
import type { CopyFormat } from '@sluice/contract';
import { growth } from '@sluice/testkit/work';
import { describe, expect, test } from 'vitest';
import { copyRows } from '../../src/masked/copy.js';
import { RowMask } from '../../src/masked/rows.js';

/** Doubling the row doubles the work; the rest is for what happens once. */
const MOST_GROWTH = 2.2;

describe('rows', () => {
  const int16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
  const cell = (size: number): Buffer => Buffer.concat([Buffer.from([0, 0, 0, size]), Buffer.alloc(size, 'x')]);
  const wide = (columns: number): Buffer =>
    Buffer.concat([int16(columns), ...Array.from({ length: columns }, () => cell(60))]);
  const SHAPES: Readonly<Record<string, readonly [row: (columns: number) => Buffer, CopyFormat['format']]>> = {
    text: [(columns) => Buffer.from(`${Array.from({ length: columns }, () => 'x'.repeat(60)).join('\t')}\n`), 'text'],
    csv: [(columns) => Buffer.from(`${Array.from({ length: columns }, () => 'x'.repeat(60)).join()}\n`), 'csv'],
    binary: [
      (columns) => Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8), wide(columns)]),
      'binary',
    ],
  };

  test.each(Object.entries(SHAPES))('one row of many columns in pieces, in COPY as %s', (_, [row, format]) => {
    const through = (columns: number): void => {
      const bytes = row(columns);
      const rows = copyRows(
        { format },
        Array.from({ length: columns }, () => () => undefined),
      );
      let made = 0;
      for (let at = 0; at < bytes.length; at += 64) {
        for (const whole of rows.cut(bytes.subarray(at, at + 64))) {
          rows.mask(whole, rows.headerOf(whole));
          made++;
        }
      }
      expect(made).toBe(1);
    };
    expect(growth(800, through)).toBeLessThan(MOST_GROWTH);
  });

  test('one row of many columns in pieces, as a message', () => {
    const through = (columns: number): void => {
      const body = wide(columns);
      const size = Buffer.alloc(4);
      size.writeInt32BE(body.length + 4);
      const bytes = Buffer.concat([Buffer.from('D'), size, body]);
      const rows = new RowMask(Array.from({ length: columns }, () => () => undefined));
      let made = 0;
      for (let at = 0; at < bytes.length; at += 64) made += rows.push(bytes.subarray(at, at + 64)).length;
      expect(made).toBe(bytes.length);
    };
    expect(growth(800, through)).toBeLessThan(MOST_GROWTH);
  });
});
