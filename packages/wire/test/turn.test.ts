import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { atTurnEnd } from '../src/index.js';

test('what is left for the end of a turn comes in order, behind its microtasks, and a failure keeps nobody from their turn', async () => {
  const seen: string[] = [];
  const failures: unknown[] = [];
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => failures.push(error));
  const failure = new Error('one of them');
  atTurnEnd(() => {
    seen.push('first');
    atTurnEnd(() => seen.push('of the next turn'));
  });
  atTurnEnd(() => {
    throw failure;
  });
  atTurnEnd(() => seen.push('last'));
  queueMicrotask(() => seen.push('microtask'));
  expect(seen).toEqual([]);
  await nextTurn();
  expect(seen).toEqual(['microtask', 'first', 'last']);
  await nextTurn();
  expect(seen).toEqual(['microtask', 'first', 'last', 'of the next turn']);
  process.removeAllListeners('uncaughtException');
  for (const listener of others) process.on('uncaughtException', listener);
  expect(failures).toEqual([failure]);
});
