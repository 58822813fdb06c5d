/** The clock of a conversation: when a command is told that its time is over, and how many timers that takes. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CommandClock, type TimedCommand } from '../src/index.js';

const DAY_MS = 86_400_000;

interface Command extends TimedCommand {
  readonly name: string;
}
const command = (name: string, timeoutMs: number): Command => ({ name, meter: { timeoutMs } });

function conversation() {
  const heard: string[] = [];
  const is = {
    timed: undefined as Command | undefined,
    expire: ({ name }: Command) => {
      heard.push(`${name} is over`);
      is.timed = undefined;
    },
    abandon: ({ name }: Command) => void heard.push(`${name} is abandoned`),
  };
  const clock = new CommandClock();
  const work = (on: Command | undefined): void => {
    is.timed = on;
    clock.look(is);
  };
  return { heard, work, clock };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

test('each command has its whole time, whichever came before it and was over in its own', () => {
  const { heard, work } = conversation();
  for (let n = 0; n < 50; n++) {
    work(command(`short ${n}`, 1_000));
    vi.advanceTimersByTime(90);
    work(undefined);
  }
  work(command('long', 5_000));
  vi.advanceTimersByTime(4_999);
  expect(heard).toEqual([]);
  vi.advanceTimersByTime(2);
  expect(heard).toEqual(['long is over']);
});

test('one with less time than the one before is over in its own', () => {
  const { heard, work } = conversation();
  work(command('long', 60_000));
  work(command('short', 300));
  vi.advanceTimersByTime(301);
  expect(heard).toEqual(['short is over']);
  vi.advanceTimersByTime(10_000);
  expect(heard).toEqual(['short is over', 'short is abandoned']);
});

test('a thousand commands share a timer, and nothing is woken when the conversation is over', () => {
  const { heard, work, clock } = conversation();
  const made = vi.spyOn(globalThis, 'setTimeout');
  for (let n = 0; n < 1_000; n++) {
    work(command(String(n), 10_000));
    work(undefined);
  }
  expect(made).toHaveBeenCalledTimes(1);
  work(command('last', 10_000));
  clock.stop();
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(DAY_MS);
  expect(heard).toEqual([]);
});
