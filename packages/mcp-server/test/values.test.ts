import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesOf, cellOf, mysqlColumn, postgresColumn } from '../src/values.js';

test.each([
  ['7', 7],
  ['-0.5', -0.5],
  ['9007199254740991', 9_007_199_254_740_991],
  ['9007199254740993', '9007199254740993'],
  ['12.50', '12.50'],
  ['1e+20', '1e+20'],
  ['-0', '-0'],
  ['NaN', 'NaN'],
  ['Infinity', 'Infinity'],
  ['', ''],
  ['0x10', '0x10'],
  [' 7', ' 7'],
])('%s as a number', (text, cell) => {
  expect(cellOf(text, 'number')).toBe(cell);
});

test('a number that is given as one is read back as the same text', () => {
  fc.assert(
    fc.property(fc.oneof(fc.double().map(String), fc.bigInt().map(String), fc.string()), (text) => {
      expect(String(cellOf(text, 'number'))).toBe(text);
    }),
  );
});

test('bytes in either format', () => {
  expect(bytesOf(String.raw`\x005cff41`)).toBe('AFz/QQ==');
  expect(bytesOf(String.raw`\000\\\377A`)).toBe('AFz/QQ==');
  expect(bytesOf(String.raw`\\x00`)).toBe(Buffer.from(String.raw`\x00`).toString('base64'));
  expect(bytesOf('')).toBe('');
});

test('other values', () => {
  expect(cellOf('t', 'boolean')).toBe(true);
  expect(cellOf('[masked]', 'boolean')).toBe('[masked]');
  expect(cellOf('\\x00ff', 'base64')).toBe('AP8=');
  expect(cellOf('[masked]', 'base64')).toBe('[masked]');
  expect(postgresColumn('a', 20)).toEqual({ name: 'a', type: 'bigint', values: 'number' });
  expect(postgresColumn('a', 99_999)).toEqual({ name: 'a', type: 'type 99999', values: 'string' });
  expect(mysqlColumn('a', 252, 63)).toEqual({ name: 'a', type: 'blob', values: 'base64' });
  expect(mysqlColumn('a', 252, 45)).toEqual({ name: 'a', type: 'text', values: 'string' });
});
