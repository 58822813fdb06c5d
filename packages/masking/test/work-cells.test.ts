/**
 * What reading the parts of a value costs, in work and not in time: documents, arrays, rows, hstore and ranges, each full of what
 * their readers look for.
 */
import { growth } from '@sluice/testkit/work';
import { describe, expect, test } from 'vitest';
import { type Mode, type PgType, builtIn, maskFor } from '../src/index.js';

const SIZE = 8 * 1024;
/** Doubling the text doubles the work; the rest is for what happens once. */
const MOST_GROWTH = 2.3;
const TEXT = builtIn(25);
const pair: PgType = { oid: 20_000, kind: 'composite', fields: [TEXT, TEXT] };
const hstore: PgType = { oid: 20_001, kind: 'base', name: 'hstore' };
const MODES: readonly Mode['type'][] = ['redact', 'hash', 'partial'];

/** A front, what is repeated, and an end. */
const CELLS: Readonly<Record<string, readonly [PgType, string, string, string]>> = {
  'lists of a document': [builtIn(114), '[1', ',1', ']'],
  'texts of a document': [builtIn(114), '["a"', ',"a@b.example"', ']'],
  'escapes of a document': [builtIn(114), '["', '\\u0041\\n', '"]'],
  'keys of a document': [builtIn(3802), '{"a": 1', ', "b": "c"', '}'],
  'documents within each other': [builtIn(114), '', '[', ''],
  'a document that does not end': [builtIn(114), '["', 'a', ''],
  'blanks of a document': [builtIn(114), '[', ' ', ']'],
  'elements of an array': [builtIn(1009), '{a', ',a', '}'],
  'quotes of an array': [builtIn(1009), '{"', '\\"', '"}'],
  'arrays within each other': [builtIn(1009), '', '{', ''],
  'an array that does not end': [builtIn(1009), '{"', 'a', ''],
  'quotes of a row': [pair, '("', '""', '",b)'],
  'backslashes of a row': [pair, '("', '\\\\', '",b)'],
  'commas of a row': [pair, '(', ',', ')'],
  'pairs of an hstore': [hstore, '"a"=>"b"', ', "c"=>"d"', ''],
  'quotes of an hstore': [hstore, '"', '\\"', '"=>"b"'],
  'bounds of a range': [builtIn(3908), '["', '2', '",)'],
  'ranges of a multirange': [builtIn(4451), '{[1,2)', ',[3,4)', '}'],
};

describe.each(Object.entries(CELLS))('%s', (_, [type, front, piece, end]) => {
  test.each(MODES)('%s', (mode) => {
    const options = { mode: { type: mode } as Mode, key: new Uint8Array(32), entity: 'CELL' };
    const mask = maskFor(type, 'text', options);
    const read = (size: number): unknown => {
      const bytes = Buffer.from(`${front}${piece.repeat(Math.ceil(size / piece.length))}${end}`);
      return mask(bytes, 0, bytes.length);
    };
    expect(growth(SIZE, read)).toBeLessThan(MOST_GROWTH);
  });
});
