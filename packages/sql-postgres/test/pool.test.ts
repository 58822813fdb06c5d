/** Who waits for whom: somebody with many long texts delays oneself. Counted in the order of the answers, not in time. */
import { afterEach, expect, test } from 'vitest';
import { type AnalysisPool, openPool } from '@sluice/analysis';
// The threads run what is built.
import { WORKER, dialectOf } from '../dist/index.js';

let pool: AnalysisPool | undefined;
afterEach(async () => {
  await pool?.close();
  pool = undefined;
});

const statement = (characters: number): string => `select ${'1+'.repeat(characters / 2)}1`;
const live = (owner: string) => ({ owner, urgency: 'live' }) as const;
const explain = (owner: string) => ({ owner, urgency: 'explain' }) as const;

test('six long texts of one do not delay the short statement of another', async () => {
  // Long enough for a machine that is busy with other things: what counts is the order.
  const opened = openPool(WORKER, { timeout: 50_000 });
  pool = opened;
  const done: string[] = [];
  const ask = (name: string, size: number, asker: ReturnType<typeof live> | ReturnType<typeof explain>) =>
    opened.analyze(dialectOf(18), statement(size), {}, asker).then((facts) => {
      done.push(name);
      return facts;
    });
  const all = [
    ...Array.from({ length: 6 }, (_, n) => ask(`alice ${n}`, 100_000, live('alice'))),
    ...Array.from({ length: 3 }, (_, n) => ask(`carol ${n}`, 20_000, explain('carol'))),
    ask('bob', 5_000, live('bob')),
  ];
  const facts = await Promise.all(all);
  expect(facts.at(-1)).toMatchObject({ confidence: 'exact' });
  // One text of alice runs from the start, and none of hers may take the thread that bob's needs: which of the two that
  // run side by side is answered first is up to the machine.
  expect(done.slice(0, 2)).toContain('bob');
  // What is only explained comes behind what waits to run.
  expect(done.slice(-3).every((name) => name.startsWith('carol'))).toBe(true);
});

test('one owner has no more than a share of the places, and explanations none of those of statements', async () => {
  pool = openPool(WORKER, { queue: 16, ownQueue: 8 });
  const reasons: string[] = [];
  const ask = (owner: ReturnType<typeof live> | ReturnType<typeof explain>): void => {
    void pool
      ?.analyze(dialectOf(18), statement(70_000), {}, owner)
      .then(({ actions }) => reasons.push(actions[0]?.reasons[0] ?? ''));
  };
  for (let n = 0; n < 12; n++) ask(live('alice'));
  for (let n = 0; n < 12; n++) ask(explain('alice'));
  for (let n = 0; n < 4; n++) ask(live('bob'));
  await new Promise(setImmediate);
  // Of alice one runs and eight wait; one of her explanations waits; all of bob's do.
  expect(reasons.filter((reason) => reason.includes('of yours'))).toHaveLength(3 + 11);
  for (let n = 0; n < 8; n++) ask(live(`other ${n}`));
  await new Promise(setImmediate);
  expect(reasons.filter((reason) => reason.includes('too many long statements were'))).toHaveLength(4);
});
