import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Turns } from '../src/turns.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Who has had their turn, in that order. */
const line = (turns: Turns) => {
  const had: string[] = [];
  const cut: string[] = [];
  const ends = new Map<string, () => void>();
  const join = (name: string, what: string): void =>
    void turns
      .take(name, () => cut.push(what))
      .then((end) => {
        had.push(what);
        ends.set(what, end);
      });
  return { had, cut, ends, join };
};

test('of one person one is in work at a time, and after it they rest for as long as it took', async () => {
  const { had, cut, ends, join } = line(new Turns());
  join('ana', 'first');
  join('ana', 'second');
  join('ben', 'another');
  await vi.advanceTimersByTimeAsync(100);
  expect(had).toEqual(['first', 'another']);
  ends.get('first')?.();
  await vi.advanceTimersByTimeAsync(99);
  expect(had).toEqual(['first', 'another']);
  await vi.advanceTimersByTimeAsync(1);
  expect(had).toEqual(['first', 'another', 'second']);
  expect(cut).toEqual([]);
});

test('what takes too long is cut off, and the next has its turn after a second', async () => {
  const { had, cut, ends, join } = line(new Turns());
  join('ana', 'first');
  join('ana', 'second');
  await vi.advanceTimersByTimeAsync(29_999);
  expect([had, cut]).toEqual([['first'], []]);
  await vi.advanceTimersByTimeAsync(1);
  expect(cut).toEqual(['first']);
  // It ends once, however often that is said.
  ends.get('first')?.();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(had).toEqual(['first', 'second']);
});
