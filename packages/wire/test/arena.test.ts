import { expect, test } from 'vitest';
import { Arena } from '../src/index.js';

const SIZE = 20_000;

test('memory is used again for the next chunk, unless it was abandoned', () => {
  const arena = new Arena();
  arena.begin(SIZE);
  const first = arena.take(SIZE);
  arena.begin(SIZE);
  expect(arena.take(SIZE).buffer).toBe(first.buffer);
  first.fill(1);
  arena.abandon();
  arena.begin(SIZE);
  arena.take(SIZE).fill(2);
  arena.take(SIZE).fill(2);
  expect(first.every((byte) => byte === 1)).toBe(true);
});
