import { expect, test } from 'vitest';
import { type PgType, builtIn, isMarkable, isMaskable, maskFor, unreadableValues } from '../src/index.js';
import { SAMPLES } from './types.js';

const FORMATS = ['text', 'binary'] as const;
const base = (oid: number, name?: string): PgType => ({ oid, kind: 'base', ...(name !== undefined && { name }) });
const of = (kind: PgType['kind'], element: PgType): PgType => ({ oid: 20_000, kind, element });
const row = (...fields: PgType[]): PgType => ({ oid: 20_001, kind: 'composite', fields });
const GEOMETRY = base(20_002, 'geometry');

test('every built-in type has a mask', () => {
  for (const { sql, type } of SAMPLES) for (const format of FORMATS) expect(isMaskable(type, format), sql).toBe(true);
});

test.each<[string, PgType, boolean]>([
  ['one that nobody knows', GEOMETRY, false],
  ['an array of such', of('array', GEOMETRY), false],
  ['a domain over such', of('domain', GEOMETRY), false],
  ['a row with such a field', row(base(25), GEOMETRY), false],
  ['a row whose fields are not known', { oid: 20_001, kind: 'composite' }, false],
  ['a row with a row', row(base(25), row(of('array', base(23)))), true],
  ['an enum whose labels are not known', { oid: 20_003, kind: 'enum' }, false],
  ['an enum', { oid: 20_003, kind: 'enum', labels: ['a'] }, true],
  ['a range of such, which is emptied', of('range', GEOMETRY), true],
  ['citext', base(20_004, 'citext'), true],
])('%s', (_, type, maskable) => {
  for (const format of FORMATS) expect(isMaskable(type, format)).toBe(maskable);
});

test.each([
  ['text', 25, true],
  ['json', 114, true],
  ['text[]', 1009, true],
  ['int4', 23, false],
  ['bool', 16, false],
  ['date', 1082, false],
])('a computed %s', (_, oid, markable) => {
  const type: PgType = oid === 1009 ? { oid, kind: 'array' } : base(oid);
  for (const format of FORMATS) expect(isMarkable(type, format)).toBe(markable);
});

test('an infinite interval has the mask of any other, so that nothing tells it from them', () => {
  for (const type of ['redact', 'generalise', 'hash', 'partial'] as const) {
    const mask = maskFor(builtIn(1186), 'text', { mode: { type }, key: new Uint8Array(32), entity: 'SPAN' });
    const masked = (text: string): unknown => mask(Buffer.from(text), 0, Buffer.byteLength(text))?.toString();
    const before = unreadableValues();
    const [infinite, negative] = [masked('infinity'), masked('-infinity')];
    expect(unreadableValues()).toBe(before);
    if (type === 'hash') expect(infinite).toMatch(/^0 mons 0 days \d+ secs$/);
    else expect([infinite, negative]).toEqual(['0 mons 0 days 0 secs', '0 mons 0 days 0 secs']);
  }
});
