import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Rest } from '../src/rest.js';

const KIB = 1024;
const rests: Rest[] = [];
const over = vi.fn();

beforeEach(() => {
  vi.useFakeTimers();
  over.mockClear();
});
afterEach(() => {
  for (const rest of rests.splice(0)) rest.end();
  vi.useRealTimers();
});

/** One that has seen `bytes` in reads of 8 KiB, without a break. */
function after(bytes: number): Rest {
  const rest = new Rest(over);
  rests.push(rest);
  for (let read = 0; read < bytes; read += 8 * KIB) rest.read(8 * KIB);
  return rest;
}

test('a long run of small reads rests for a millisecond', () => {
  expect(after(1024 * KIB - 8 * KIB).isDue).toBe(false);
  const rest = after(1024 * KIB);
  expect(rest.isDue).toBe(true);
  vi.advanceTimersByTime(1);
  expect(rest.isDue).toBe(false);
  expect(over).toHaveBeenCalledOnce();
});

test('it goes on resting while that pays', () => {
  const rest = after(1024 * KIB);
  vi.advanceTimersByTime(1);
  rest.read(200 * KIB);
  expect(rest.isDue).toBe(false);
  rest.read(8 * KIB);
  expect(rest.isDue).toBe(true);
  vi.advanceTimersByTime(1);
  // Nothing had come meanwhile: whoever sends slowly is read at once.
  rest.read(8 * KIB);
  expect(rest.isDue).toBe(false);
});

test.each([
  ['a short read', (rest: Rest) => rest.read(100)],
  ['a break', () => vi.advanceTimersByTime(6)],
])('%s ends a run', (_, happen) => {
  const rest = after(1024 * KIB - 8 * KIB);
  happen(rest);
  rest.read(8 * KIB);
  expect(rest.isDue).toBe(false);
});

test('one that has ended calls nobody', () => {
  after(1024 * KIB).end();
  vi.advanceTimersByTime(10);
  expect(over).not.toHaveBeenCalled();
});
