import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { candidates } from '../src/detectors/scan.js';
import type { Finding } from '../src/index.js';
import { isCovered, slowly } from './reference.js';

const FOLDER = join(import.meta.dirname, '../../../fixtures/detectors');
const seeds = readdirSync(FOLDER).flatMap((file) => {
  const { positives, negatives } = parse(readFileSync(join(FOLDER, file), 'utf8')) as {
    positives: { text: string }[];
    negatives: string[];
  };
  return [...positives.map(({ text }) => text), ...negatives];
});

const inOrder = (findings: readonly Finding[]): string[] =>
  findings.map(({ entity, start, end }) => `${start} ${end} ${entity}`).sort();

function compare(bytes: Buffer): void {
  const text = bytes.toString('latin1');
  const fast = candidates(bytes, 0, bytes.length).filter((one) => isCovered(one, text.slice(one.start, one.end)));
  expect(inOrder(fast), JSON.stringify(text)).toEqual(inOrder(slowly(text)));
}

/** What decides in the detectors: boundaries, separators, digits, a few letters, bytes beyond ASCII. */
const piece = fc.oneof(
  fc.constantFrom(
    ...Array.from(' -./@:="\'()+_\n'),
    '\u00a0',
    'é',
    '电',
    'git@',
    '.com',
    'eyJ',
    'ssn ',
    'tel ',
    '555-0123',
    '(212) ',
    '+49 ',
    '00',
    '-----',
    'DE',
    'GB82',
    '4111',
    '1111',
  ),
  fc.integer({ min: 0, max: 99_999 }).map(String),
  fc.stringMatching(/^[a-zA-Z0-9]{1,3}$/),
);
const seed = fc.constantFrom(...seeds);
/** A sample with some of its bytes dropped, doubled or replaced, between other pieces. */
const mutated = fc
  .tuple(seed, fc.array(fc.tuple(fc.nat(80), fc.constantFrom('drop', 'double', 'replace'), piece), { maxLength: 3 }))
  .map(([text, changes]) => {
    let result = text;
    for (const [place, change, by] of changes) {
      const at = place % (result.length + 1);
      const middle = change === 'drop' ? '' : change === 'double' ? result.slice(at, at + 1).repeat(2) : by;
      result = result.slice(0, at) + middle + result.slice(at + 1);
    }
    return result;
  });

test('the scanner finds what the patterns find in every sample', () => {
  for (const text of seeds) compare(Buffer.from(text));
});

test.each([{ seed: 1 }, {}])('the scanner finds what the patterns find in mutated samples, %o', (options) => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(mutated, piece), { minLength: 1, maxLength: 4 }),
      fc.constantFrom('', ' ', ','),
      (parts, by) => compare(Buffer.from(parts.join(by))),
    ),
    { numRuns: 1500, ...options },
  );
});

test('the scanner finds what the patterns find in random pieces', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 24 }), (parts) => compare(Buffer.from(parts.join('')))),
    { numRuns: 1500 },
  );
});

test('what is around a value in the buffer does not matter', () => {
  fc.assert(
    fc.property(
      mutated,
      fc.array(fc.oneof(mutated, piece), { maxLength: 2 }),
      fc.array(piece, { maxLength: 2 }),
      (text, left, right) => {
        const value = Buffer.from(text);
        const before = Buffer.from(left.join(''));
        const bytes = Buffer.concat([before, value, Buffer.from(right.join(''))]);
        const shifted = candidates(bytes, before.length, before.length + value.length).map(
          ({ entity, start, end }) => ({
            entity,
            start: start - before.length,
            end: end - before.length,
          }),
        );
        expect(shifted).toEqual(candidates(value, 0, value.length));
      },
    ),
    { numRuns: 3000 },
  );
});

test('findings never begin or end inside a character', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(mutated, piece), { maxLength: 6 }), (parts) => {
      const bytes = Buffer.from(parts.join(''));
      for (const { start, end } of candidates(bytes, 0, bytes.length)) {
        expect((bytes[start] as number) & 0xc0).not.toBe(0x80);
        expect(end === bytes.length || ((bytes[end] as number) & 0xc0) !== 0x80).toBe(true);
      }
    }),
    { numRuns: 1000 },
  );
});
