/** A gateway ends although a part of it does not. */
import { expect, test } from 'vitest';
import { ended } from '../src/ending.js';

async function told(work: Promise<unknown> | undefined): Promise<string[]> {
  const problems: string[] = [];
  // What ends nothing keeps no process alive, a test's neither.
  const alive = setInterval(() => undefined, 5);
  await ended(work, (problem) => problems.push(problem), 20);
  clearInterval(alive);
  return problems;
}

test('a part that ends is not spoken of', async () => {
  expect(await told(Promise.resolve('done'))).toEqual([]);
  expect(await told(undefined)).toEqual([]);
});

test('one that never ends, and one that fails, are named and left', async () => {
  expect(await told(Promise.withResolvers().promise)).toEqual(['it has not ended within 0.02 s']);
  expect(await told(Promise.reject(new Error('no room')))).toEqual(['no room']);
});
