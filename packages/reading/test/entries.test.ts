import type { ReplayEntry } from '@sluice/recording';
import { expect, test } from 'vitest';
import type { Replay } from '../src/messages.js';
import { toApi } from '../src/entries.js';

const entry: ReplayEntry = {
  type: 'response',
  at: 1,
  t: 1,
  command: 1,
  outcome: 'ok',
  summary: '',
  rows: 1,
  bytes: 2,
  data: Buffer.from('ab'),
};
const UNREADABLE = 'This answer cannot be read: its protocol makes nothing of it that can be shown.';

test('an answer is shown as its protocol reads it', () => {
  const replay: Replay = (data) => ({ columns: ['x'], rows: [[String(data.length), null]], messages: [], copied: [] });
  expect(toApi(entry, replay).result).toEqual({ columns: ['x'], rows: [['2', null]], messages: [], copied: [] });
  expect(toApi(entry, undefined).result).toBeUndefined();
});

test.each([
  [
    'throws',
    () => {
      throw new Error('no');
    },
  ],
  ['gives nothing', () => undefined],
  ['gives numbers', () => ({ columns: [1], rows: [], messages: [], copied: [] })],
  ['gives rows that are none', () => ({ columns: [], rows: ['x'], messages: [], copied: [] })],
])('a replay that %s keeps nobody from the rest', (_, replay) => {
  expect(toApi(entry, replay as unknown as Replay).result).toMatchObject({ rows: [], messages: [UNREADABLE] });
});
