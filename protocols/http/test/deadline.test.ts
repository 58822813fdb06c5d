import { afterEach, expect, test, vi } from 'vitest';
import { Deadline } from '../src/h1/deadline.js';

afterEach(() => void vi.useRealTimers());

test('a deadline passes in its time, also where the clock of the machine is set back or forth', () => {
  vi.useFakeTimers();
  const over = vi.fn();
  const deadline = new Deadline(100, over);
  deadline.allow(5_000);
  vi.setSystemTime(Date.now() + 3_600_000);
  vi.advanceTimersByTime(4_000);
  expect(over).not.toHaveBeenCalled();
  vi.setSystemTime(Date.now() - 7_200_000);
  vi.advanceTimersByTime(1_200);
  expect(over).toHaveBeenCalledTimes(1);
  deadline.stop();
});
