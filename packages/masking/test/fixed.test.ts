import { describe, expect, test } from 'vitest';
import { type WireFormat, type PgType, builtIn, fixedMask } from '../src/postgres/index.js';

const options = { mode: { type: 'redact' }, key: Buffer.alloc(32, 1), entity: 'COLUMN' } as const;
const mark = (type: PgType, format: WireFormat): Buffer | null | undefined =>
  fixedMask(type, format, options)(Buffer.from('anything'), 0, 8);

describe('what is computed from masked columns', () => {
  test.each([
    ['text', builtIn(25), '[masked]'],
    ['varchar(3)', builtIn(1043, 7), '***'],
    ['char(10)', builtIn(1042, 14), '[masked]  '],
    ['name', builtIn(19), '[masked]'],
    ['json', builtIn(114), '"[masked]"'],
    ['jsonb', builtIn(3802), '"[masked]"'],
    ['xml', builtIn(142), '[masked]'],
    ['text[]', builtIn(1009), '{[masked]}'],
    ['a domain over text', { oid: 20_000, kind: 'domain', element: builtIn(25) }, '[masked]'],
  ] as const)('is the mark as %s', (_, type, expected) => {
    expect(mark(type, 'text')?.toString()).toBe(expected);
  });

  test('is the same as text and in binary', () => {
    expect(mark(builtIn(3802), 'binary')?.toString('latin1')).toBe('\u0001"[masked]"');
    expect(mark(builtIn(1009), 'binary')?.toString('hex')).toBe(
      `000000010000000000000019000000010000000100000008${Buffer.from('[masked]').toString('hex')}`,
    );
  });

  test.each([
    ['bool', builtIn(16)],
    ['int4', builtIn(23)],
    ['numeric', builtIn(1700)],
    ['date', builtIn(1082)],
    ['uuid', builtIn(2950)],
    ['int4[]', builtIn(1007)],
    ['int4range', builtIn(3904)],
    ['tsvector', builtIn(3614)],
    ['bytea', builtIn(17)],
    ['an enum', { oid: 20_000, kind: 'enum', labels: ['a'] }],
    ['a row', { oid: 20_000, kind: 'composite', fields: [builtIn(25)] }],
    ['a type that is not known', { oid: 20_000, kind: 'base' }],
  ] as const)('is NULL as %s', (_, type) => {
    expect([mark(type, 'text'), mark(type, 'binary')]).toEqual([null, null]);
  });

  test('is NULL where the mask is', () => {
    expect(fixedMask(builtIn(25), 'text', { ...options, mode: { type: 'null' } })(Buffer.alloc(0), 0, 0)).toBeNull();
  });
});
