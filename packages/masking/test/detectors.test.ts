import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { detect, type Entity, ENTITIES } from '../src/index.js';

interface Table {
  readonly entity: Entity;
  readonly positives: readonly { readonly text: string; readonly finds?: readonly string[] }[];
  readonly negatives: readonly string[];
}

const FOLDER = join(import.meta.dirname, '../../../fixtures/detectors');
const tables = readdirSync(FOLDER).map((file) => parse(readFileSync(join(FOLDER, file), 'utf8')) as Table);

const found = (text: string, entity: Entity): string[] => {
  const bytes = Buffer.from(text);
  return detect(bytes)
    .filter((one) => one.entity === entity)
    .map(({ start, end }) => bytes.toString('utf8', start, end));
};

test('every entity has its table', () => {
  expect(tables.map(({ entity }) => entity).sort()).toEqual([...ENTITIES].sort());
});

describe.each(tables)('$entity', ({ entity, positives, negatives }) => {
  test.each(positives)('is found in $text', ({ text, finds }) => {
    expect(found(text, entity)).toEqual(finds ?? [text]);
  });

  test.each(negatives)('is not found in %s', (text) => {
    expect(found(text, entity)).toEqual([]);
  });

  test('is found behind other bytes of the same buffer at the same places', () => {
    for (const { text, finds } of positives) {
      const bytes = Buffer.from(`9a${text}b7`);
      const ours = detect(bytes, 2, bytes.length - 2).filter((one) => one.entity === entity);
      expect(ours.map(({ start, end }) => bytes.toString('utf8', start, end))).toEqual(finds ?? [text]);
    }
  });
});

test('the longer of two findings that overlap covers both', () => {
  const bytes = Buffer.from('password=x9/bob@example.com/7');
  expect(detect(bytes)).toEqual([{ entity: 'SECRET', start: 9, end: bytes.length }]);
});

test.each(['"', "'", ''])('a long value is found to its end, in %j', (quote) => {
  for (const one of quote === '' ? ['a1', 'é9'] : ['a1 ', 'é9 ', '\\"7']) {
    const value = one.repeat(400) + 'end';
    expect(found(`password=${quote}${value}${quote},`, 'SECRET')).toEqual([value]);
  }
});

test('what was found before a detector failed belongs to no other value', () => {
  const bytes = new Proxy(Buffer.from('ada@example.com and more'), {
    get(target, key) {
      if (key === '17') throw new Error('a fault in a detector');
      return Reflect.get(target, key, target) as unknown;
    },
  });
  expect(() => detect(bytes, 0, 20)).toThrow('a fault');
  expect(detect(Buffer.from('nothing here'))).toEqual([]);
});
