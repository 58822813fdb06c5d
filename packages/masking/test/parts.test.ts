import { describe, expect, test } from 'vitest';
import { type PartMask, type PgType, builtIn, cellMaskOf } from '../src/postgres/index.js';

const options = { mode: { type: 'redact' }, key: Buffer.alloc(32, 1), entity: 'EMAIL' } as const;
const KEEP: PartMask = { type: 'keep' };
const EMAIL: PartMask = { type: 'column', of: builtIn(25), options };
const MARK: PartMask = { type: 'mark', of: builtIn(25), options };
const NUMBER_MARK: PartMask = { type: 'mark', of: builtIn(23), options };

const masked = (
  parts: PartMask,
  value: string,
  of: PgType = builtIn(25),
  format: 'text' | 'binary' = 'text',
): string | null => {
  const mask = cellMaskOf({ type: 'parts', of, format, parts });
  // What lies around the value in its buffer is none of it.
  const bytes = Buffer.from(`"{${value}}"`);
  const made = mask?.(bytes, 2, bytes.length - 2);
  return made === undefined ? value : (made?.toString() ?? null);
};
const object = (fields: Record<string, PartMask>): PartMask => ({
  type: 'document',
  root: { type: 'object', fields: Object.entries(fields) },
});

describe('documents', () => {
  const parts = object({ id: KEEP, email: EMAIL });
  test.each([
    ['{"id" : 1, "email" : "a@b"}', '{"id" : 1, "email" : "[masked:EMAIL]"}'],
    ['{"id": 1e400, "email": null}', '{"id": 1e400, "email": null}'],
    ['{"id":"\\u00e9\\"}","email":"x\\"y"}', '{"id":"\\u00e9\\"}","email":"[masked:EMAIL]"}'],
    ['{"em\\u0061il":"a@b","id":{"email":"kept"}}', '{"em\\u0061il":"[masked:EMAIL]","id":{"email":"kept"}}'],
    ['null', 'null'],
    ['{}', '{}'],
    ['{"email":[1,{"a":true}],"id":0}', '{"email":["[masked:EMAIL]",{"a":null}],"id":0}'],
  ])('%s', (value, expected) => {
    expect(masked(parts, value)).toBe(expected);
  });

  test.each([
    '{"other":1}',
    '{"id":1',
    '{"id":1}}',
    '[1]',
    '',
    '{"id" 1}',
    '{"email":"a"b}',
    '{"email":tru e}',
    '"x"',
    '{"id":1,}',
  ])('what is not put together as the statement says is NULL: %s', (value) => {
    expect(masked(parts, value)).toBeNull();
  });

  test('lists, places and keys from data', () => {
    const list: PartMask = {
      type: 'document',
      root: { type: 'list', item: { type: 'object', fields: [['e', EMAIL]] } },
    };
    expect(masked(list, '[{"e":"a"}, {"e":"b"}]')).toBe('[{"e":"[masked:EMAIL]"}, {"e":"[masked:EMAIL]"}]');
    const places: PartMask = { type: 'document', root: { type: 'tuple', items: [KEEP, EMAIL] } };
    expect(masked(places, '[1, "a"]')).toBe('[1, "[masked:EMAIL]"]');
    expect(masked(places, '[1, "a", 2]')).toBeNull();
    const map: PartMask = { type: 'document', root: { type: 'map', item: MARK } };
    expect(masked(map, '{"a":1,"a":null}')).toBe('{"a":"[masked:EMAIL]","a":"[masked:EMAIL]"}');
  });

  test('jsonb in binary has a version', () => {
    expect(masked(parts, '\u0001{"email": "a"}', builtIn(3802), 'binary')).toBe('\u0001{"email": "[masked:EMAIL]"}');
    expect(masked(parts, '\u0002{"email": "a"}', builtIn(3802), 'binary')).toBeNull();
  });

  test('a time zone has minutes in a document', () => {
    const seen = object({ at: { type: 'column', of: builtIn(1184), options } });
    expect(masked(seen, '{"at":"2024-05-06T07:08:09.5+02:00"}')).toMatch(/^\{"at":"\d{4}-\d\d-\d\dT[\d:]+\+00:00"\}$/);
  });
});

describe('arrays and rows', () => {
  const pair: PartMask = { type: 'tuple', items: [KEEP, EMAIL] };
  const row: PartMask = { type: 'row', items: [KEEP, EMAIL, NUMBER_MARK] };
  test.each([
    ['{a,b}', '{a,[masked:EMAIL]}'],
    ['{"a, \\"x\\" \\\\",NULL}', '{"a, \\"x\\" \\\\",NULL}'],
    ['[2:3]={a,b}', '[2:3]={a,[masked:EMAIL]}'],
    ['{{a,b},{c,d}}', '{{a,b},{[masked:EMAIL],[masked:EMAIL]}}'],
    ['{}', '{}'],
  ])('an array %s', (value, expected) => {
    expect(masked(pair, value)).toBe(expected);
  });

  test.each(['{a,b,c}', '{a,b', 'a', '', '{a,b}}', '{"a,b}', '[1:2]={a,b}x'])('no array: %s', (value) => {
    expect(masked(pair, value)).toBeNull();
  });

  test.each([
    ['(1,a,2)', '(1,[masked:EMAIL],)'],
    ['("1 ""x"" \\\\ (,)",,)', '("1 ""x"" \\\\ (,)",,)'],
    ['(,"",7)', '(,[masked:EMAIL],)'],
  ])('a row %s', (value, expected) => {
    expect(masked(row, value)).toBe(expected);
  });

  test.each(['(1,2)', '(1,2,3,4)', '(1,2,3', '(1,2,3)x', '1,2,3', '("1,2,3)'])('no row: %s', (value) => {
    expect(masked(row, value)).toBeNull();
  });

  test('rows in arrays', () => {
    const rows: PartMask = { type: 'list', item: { type: 'row', items: [KEEP, EMAIL] } };
    expect(masked(rows, '{"(1,a)","(2,\\"x y\\")"}')).toBe('{"(1,[masked:EMAIL])","(2,[masked:EMAIL])"}');
  });
});
