import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { builtIn, maskFor, type MaskOptions, maskText, type Mode, token } from '../src/index.js';

const key = Buffer.alloc(32, 1);
const options = (type: Exclude<Mode['type'], 'count' | 'replaced'>, entity = 'EMAIL'): MaskOptions => ({
  mode: { type },
  key,
  entity,
});

describe('partial keeps the end, of an address the first letter and the domain', () => {
  test.each([
    ['4111 1111 1111 1111', '**** **** **** 1111'],
    ['ada@example.com', 'a**@example.com'],
    ['123-45-6789', '***-**-6789'],
    ['12345678', '****5678'],
    ['1234567', '****'],
    ['', '****'],
    ['a@b.co', '****'],
    ['日本語のテキストです', '******ストです'],
    ['no.at.sign@', '**.**.*ign@'],
  ])('%s', (text, masked) => {
    expect(maskText(text, options('partial'))).toBe(masked);
  });

  test('never more than half', () => {
    expect(maskText('12345678', { ...options('partial'), mode: { type: 'partial', keepLast: 7 } })).toBe('****5678');
  });

  test('in place it makes the same, or declines', () => {
    const mask = maskFor(builtIn(25), 'text', options('partial'));
    for (const text of [
      '4111 1111 1111 1111',
      'ada@example.com',
      '12345678',
      'short',
      'größer als acht',
      'a.b@c',
      'x@y.z.example',
    ]) {
      const bytes = Buffer.from(`<${text}>`);
      const edited = mask.edit?.(bytes, 1, bytes.length - 1) ?? false;
      const expected = mask(Buffer.from(text), 0, Buffer.byteLength(text))?.toString();
      expect(bytes.toString()).toBe(edited ? `<${expected}>` : `<${text}>`);
      expect(edited).toBe(/^[\x20-\x7e]{8,}$/.test(text));
    }
  });
});

describe('hash', () => {
  // Short values are put together in a place that long ones and others have used before.
  test.each(['Berlin', '', '日'.repeat(256), 'ü'.repeat(257), '\ud800x', 'x'.repeat(100_000), 'Bern'])(
    'is the HMAC of entity and value, 100 bits of it in base32: %.20s',
    (text) => {
      const digest = createHmac('sha256', key).update(`city\0${text}`).digest();
      const bits = Array.from(digest, (byte) => byte.toString(2).padStart(8, '0')).join('');
      const expected = Array.from(
        { length: 20 },
        (_, n) => 'abcdefghijklmnopqrstuvwxyz234567'[Number.parseInt(bits.slice(n * 5, n * 5 + 5), 2)],
      );
      expect(token(text, options('hash', 'city'))).toBe(`tok_${expected.join('')}`);
    },
  );

  test('spellings of one value share a pseudonym, and other entities and keys do not', () => {
    const of = (text: string, entity: string): string | null => token(text, options('hash', entity));
    expect(of('Ada@Example.com', 'EMAIL')).toBe(of('ada@example.com', 'EMAIL'));
    expect(of('4111 1111 1111 1111', 'CREDIT_CARD')).toBe(of('4111111111111111', 'CREDIT_CARD'));
    expect(of('GB82 west', 'IBAN')).toBe(of('GB82WEST', 'IBAN'));
    expect(of('a', 'EMAIL')).not.toBe(of('a', 'IBAN'));
    expect(token('a', { ...options('hash'), key: Buffer.alloc(32, 2) })).not.toBe(of('a', 'EMAIL'));
  });

  test('joins columns of different types', () => {
    const of = (oid: number, typmod: number, text: string): string | undefined =>
      maskFor(builtIn(oid, typmod), 'text', options('hash', 'x'))(Buffer.from(text), 0, text.length)?.toString().trim();
    expect(of(25, -1, 'abc')).toBe(of(1043, 64, 'abc'));
    expect(of(1042, 34, `abc${' '.repeat(27)}`)).toBe(of(25, -1, 'abc'));
    expect(of(20, -1, '42')).toBe(of(20, -1, '42'));
  });

  test('is NULL where 80 bits do not fit', () => {
    expect(token('abc', options('hash'), 19)).toBeNull();
    expect(token('abc', options('hash'), 20)).toMatch(/^tok_[a-z2-7]{16}$/);
  });

  test('needs a key', () => {
    expect(() => token('abc', { ...options('hash'), key: Buffer.alloc(8) })).toThrow('16 bytes');
  });
});

test.each([
  ['12345', '123**'],
  ['12345-6789', '123**'],
  ['10.11.12.13', '10.11.12.0/24'],
  ['2024-05-06', '2024'],
  ['2024-05-06T01:02:03Z', '2024'],
  ['523412.75', '500000'],
  ['-7', '0'],
  ['Berlin', '[masked:EMAIL]'],
])('generalise: %s is %s', (text, masked) => {
  expect(maskText(text, options('generalise'))).toBe(masked);
});

test.each([
  ['redact', '[masked:EMAIL]', 14],
  ['redact', '****', 13],
  ['redact', '**', 2],
  ['null', null, 99],
] as const)('%s makes %s within %i characters', (type, masked, limit) => {
  expect(maskText('ada@example.com', options(type), limit)).toBe(masked);
});

test('a column is no entity', () => {
  expect(maskText('x', options('redact', 'customers.email'))).toBe('[masked]');
});

test.each(['text', 'binary'] as const)('what is not of its type, or of no known one, is NULL as %s', (format) => {
  const junk = Buffer.from('{"\\ \xff not a value', 'latin1');
  for (const oid of [23, 700, 1700, 1082, 1114, 1186, 2950, 869, 829, 1560, 114, 3802, 1007, 1009, 99_999, 1033]) {
    expect(maskFor(builtIn(oid), format, options('hash'))(junk, 0, junk.length), String(oid)).toBeNull();
  }
});

test.each([
  ['text[]', 1009, () => `{${Array.from({ length: 200_000 }, (_, n) => `"a${n}"`).join(',')}}`],
  ['json', 114, () => `["${'\\n'.repeat(2_000_000)}", "${'a'.repeat(4_000_000)}"]`],
  ['json in depth', 114, () => `${'['.repeat(5000)}"a"${']'.repeat(5000)}`],
] as const)('a large %s is masked and not dropped', (_, oid, make) => {
  const bytes = Buffer.from(make());
  const masked = maskFor(builtIn(oid), 'text', options('redact'))(bytes, 0, bytes.length)?.toString() ?? '';
  expect(masked.match(/\[masked:EMAIL\]/g)?.length).toBe({ 1009: 200_000, 114: bytes[1] === 0x22 ? 2 : 1 }[oid]);
});
