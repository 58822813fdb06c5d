import type { ReplayEntry } from '@sluice/recording';
import { expect, test } from 'vitest';
import { wantedOf } from '../src/wanted.js';

const command = (id: number, text = 'select 1'): ReplayEntry =>
  ({ type: 'command', at: 0, id, t: 0, phase: 'run', text, decision: 'allow', matched: [] }) as unknown as ReplayEntry;
const answer = (id: number): ReplayEntry => ({ type: 'response', at: 0, command: id }) as unknown as ReplayEntry;

test('what stands before the command that a page begins with is told from what is looked for and not found', () => {
  const has = wantedOf({ from: 3 });
  expect([command(1), answer(1), command(3), answer(3), answer(2)].map(has)).toEqual([
    'before',
    'before',
    true,
    true,
    true,
  ]);
  const finds = wantedOf({ from: 2, text: 'ROW' });
  expect([command(1, 'a row'), command(2), command(3, 'a row'), answer(3)].map(finds)).toEqual([
    'before',
    false,
    true,
    false,
  ]);
});
