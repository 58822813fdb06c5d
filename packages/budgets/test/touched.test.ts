/** Which tables somebody has touched: a place for each of them, and nobody who has no place learns for good. */
import { afterEach, expect, test } from 'vitest';
import { Touched } from '../src/index.js';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function open(now = { at: 1_000 }): Promise<Touched> {
  const touched = await Touched.open(
    { all: () => Promise.resolve([]), add: () => Promise.resolve() },
    () => undefined,
    () => now.at,
  );
  stops.push(() => touched.close());
  return touched;
}

test('a table is new once, and it is known for how long somebody has touched any', async () => {
  const now = { at: 1_000 };
  const touched = await open(now);
  expect(touched.touch('ana', 'db', ['a', 'b', 'a'])).toEqual({ count: 2, knownMs: 0 });
  now.at += 50;
  expect(touched.touch('ana', 'db', ['a', 'c'])).toEqual({ count: 1, knownMs: 50 });
  expect(touched.touch('ana', 'db', ['c'])).toBeUndefined();
  expect(touched.touch('ana', 'other', ['c'])).toEqual({ count: 1, knownMs: 0 });
});

test('where others have taken all places, whoever comes anew is no newcomer who learns', async () => {
  const touched = await open();
  const names = Array.from({ length: 10_000 }, (_, at) => `t${at}`);
  for (let who = 0; who < 20; who++) touched.touch(`p${who}`, 'db', names);
  expect(touched.touch('ana', 'db', ['salaries'])).toEqual({ count: 1, knownMs: Infinity });
  expect(touched.touch('ana', 'db', ['salaries'])).toEqual({ count: 1, knownMs: Infinity });
  expect(touched.touch('p1', 'db', ['t1'])).toBeUndefined();
});
