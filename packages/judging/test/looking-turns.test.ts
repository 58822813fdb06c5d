import { expect, test } from 'vitest';
import { inTurn } from '../src/looking-turns.js';

test('who has many bodies waiting keeps others waiting for one of them, and a failure keeps nobody waiting', async () => {
  const done: string[] = [];
  let running = 0;
  const look = (owner: string, at: number): Promise<void> =>
    inTurn(owner, async () => {
      expect(++running).toBe(1);
      await new Promise(setImmediate);
      running--;
      done.push(`${owner} ${at}`);
      if (owner === 'bob') throw new Error('it has failed');
    }).catch(() => undefined);
  const all = [1, 2, 3, 4].map((at) => look('ada', at));
  await Promise.all([...all, look('bob', 1), look('bob', 2)]);
  expect(done).toEqual(['ada 1', 'bob 1', 'ada 2', 'bob 2', 'ada 3', 'ada 4']);
  await look('ada', 5);
  expect(done.at(-1)).toBe('ada 5');
});
