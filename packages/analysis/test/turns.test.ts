/** Turns of several owners: how many are at a time, whose comes next, and what becomes of one that does not come. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Turns } from '../src/index.js';

const LONG_MS = 10_000;

/** Takes turns, and says whose have begun. */
function taking(turns: Turns) {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  const take = (name: string, mostMs = LONG_MS): Promise<void> =>
    turns.take(name.slice(0, 1), mostMs).then((over) => {
      if (!over) return;
      begun.push(name);
      ends.set(name, over);
    });
  const over = async (name: string): Promise<void> => {
    ends.get(name)?.();
    await sleep(1);
  };
  return { begun, take, over };
}

test('one owner has one place, however many they ask for, and owners take turns', async () => {
  const { begun, take, over } = taking(new Turns(2, 1));
  const all = ['a1', 'a2', 'a3', 'b1', 'b2', 'c1'].map((name) => take(name));
  await sleep(1);
  expect(begun).toEqual(['a1', 'b1']);
  await over('a1');
  expect(begun).toEqual(['a1', 'b1', 'c1']);
  await over('b1');
  // Whose turn is longest ago is next; a turn that is over twice frees one place.
  expect(begun).toEqual(['a1', 'b1', 'c1', 'a2']);
  await over('b1');
  expect(begun).toHaveLength(4);
  await over('c1');
  expect(begun.slice(4)).toEqual(['b2']);
  for (const name of ['a2', 'b2', 'a3']) await over(name);
  await Promise.all(all);
  expect([...begun].sort()).toEqual(['a1', 'a2', 'a3', 'b1', 'b2', 'c1']);
});

test('whoever has waited too long is told so, and nobody waits behind them', async () => {
  const turns = new Turns(1, 1);
  const over = await turns.take('a', LONG_MS);
  expect(await turns.take('b', 20)).toBeUndefined();
  const next = turns.take('c', LONG_MS);
  over?.();
  const last = await next;
  expect(last).toBeTypeOf('function');
  last?.();
  expect(await turns.take('b', LONG_MS)).toBeTypeOf('function');
});
