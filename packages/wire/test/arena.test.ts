import { expect, test } from 'vitest';
import { Arena } from '../src/index.js';

const SIZE = 20_000;

test('what is at rest keeps nothing, but while others have it', async () => {
  const arena = new Arena(8_192);
  const [written, done] = [Promise.withResolvers<void>(), Promise.resolve()];
  arena.begin(SIZE);
  const first = arena.take(9_000);
  arena.rest(() => written.promise);
  arena.begin(SIZE);
  expect(arena.take(SIZE).buffer).toBe(first.buffer);
  written.resolve();
  await written.promise;
  // A chunk has come since: its memory is not that of others.
  const other = new Arena(8_192);
  other.begin(SIZE);
  expect(other.take(SIZE).buffer).not.toBe(first.buffer);
  arena.rest(() => done);
  await done;
  const third = new Arena();
  third.begin(SIZE);
  expect(third.take(SIZE).buffer).toBe(first.buffer);
});

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
