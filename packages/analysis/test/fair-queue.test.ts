import { expect, test } from 'vitest';
import { FairQueue } from '../src/fair-queue.js';

test('owners take turns', () => {
  const queue = new FairQueue<string>();
  for (const entry of ['a1', 'a2', 'a3', 'b1', 'c1', 'c2']) queue.push(entry.slice(0, 1), entry);
  expect(queue.sizeOf('a')).toBe(3);
  expect(Array.from({ length: 7 }, () => queue.shift())).toEqual(['a1', 'b1', 'c1', 'a2', 'c2', 'a3', undefined]);
  expect(queue.size).toBe(0);
});
