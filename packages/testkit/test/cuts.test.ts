import { expect, test } from 'vitest';
import { CUTS, randomPieces } from '../src/index.js';

const BYTES = Buffer.from(Array.from({ length: 2500 }, (_, at) => at % 251));

test.each(Object.entries(CUTS))('cut %s, nothing is lost, doubled or empty', (_, cut) => {
  for (const bytes of [BYTES, BYTES.subarray(0, 1), BYTES.subarray(0, 0)]) {
    const parts = cut(bytes);
    expect(Buffer.concat(parts)).toEqual(bytes);
    expect(bytes.length === 0 || parts.every((part) => part.length > 0)).toBe(true);
  }
});

test('a seed always cuts at the same places', () => {
  const sizes = (seed: number): number[] => randomPieces(BYTES, seed).map((part) => part.length);
  expect(sizes(7)).toEqual(sizes(7));
  expect(sizes(7)).not.toEqual(sizes(8));
});
