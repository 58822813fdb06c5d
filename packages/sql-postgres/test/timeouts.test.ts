import { expect, test } from 'vitest';
import type { SessionEffect } from '../src/lineage/index.js';
import { Timeouts, millisecondsOf } from '../src/masks/timeouts.js';

const set = (name: string, value: string | undefined, local = false): SessionEffect => ({
  type: 'setting',
  name,
  value: value === undefined ? undefined : [value],
  local,
});
const transaction = (
  kind: 'begin' | 'commit' | 'rollback' | 'savepoint' | 'rollback to',
  savepoint = '',
): SessionEffect => ({
  type: 'transaction',
  kind,
  savepoint,
  chain: false,
});
const lock = (timeouts: Timeouts): number | undefined => timeouts.bound(false).fails?.afterMs;

test.each([
  ['0', undefined],
  ['1500', 1500],
  ['1s', 1000],
  ['1.5 min', 90_000],
  ['2h', 7_200_000],
  ['1d', 86_400_000],
  ['400us', undefined],
  ['1500us', 2],
  ['', undefined],
  ['soon', undefined],
  ['1 S', undefined],
  ['-1', undefined],
])('%s', (text, milliseconds) => expect(millisecondsOf(text)).toBe(milliseconds));

test('what a transaction has set ends with it, as it ends', () => {
  const timeouts = new Timeouts();
  timeouts.begun({ lock_timeout: '9s', transaction_timeout: null, other: '1s' });
  expect(lock(timeouts)).toBe(9_000);
  timeouts.follow([transaction('begin'), set('lock_timeout', '1s', true)]);
  expect(lock(timeouts)).toBe(1_000);
  timeouts.follow([transaction('savepoint', 's'), set('lock_timeout', '2s'), transaction('rollback to', 's')]);
  expect(lock(timeouts)).toBe(1_000);
  timeouts.follow([transaction('commit')]);
  expect(lock(timeouts)).toBe(9_000);
  timeouts.follow([transaction('begin'), set('lock_timeout', '3s'), transaction('commit')]);
  expect(lock(timeouts)).toBe(3_000);
  timeouts.follow([transaction('begin'), set('lock_timeout', '4s')]);
  timeouts.blockFailed();
  // The server says ROLLBACK.
  timeouts.follow([transaction('commit')]);
  timeouts.idle(false);
  expect(lock(timeouts)).toBe(3_000);
  timeouts.follow([set('lock_timeout', '5s')]);
  timeouts.idle(true);
  expect(lock(timeouts)).toBe(3_000);
  timeouts.follow([set('lock_timeout', '0')]);
  timeouts.idle(false);
  expect(lock(timeouts)).toBeUndefined();
  timeouts.follow([set('lock_timeout', undefined)]);
  expect(lock(timeouts)).toBe(9_000);
  timeouts.follow([set('lock_timeout', '1s'), { type: 'reset all' }]);
  expect(lock(timeouts)).toBe(9_000);
  timeouts.follow([set('lock_timeout', '1s'), { type: 'discard', what: 'all' }]);
  expect(lock(timeouts)).toBe(9_000);
});

test('the shortest of them counts, and being idle where the target would end the session', () => {
  const timeouts = new Timeouts();
  timeouts.begun({
    lock_timeout: '3s',
    statement_timeout: '2s',
    transaction_timeout: '1s',
    idle_session_timeout: '10s',
  });
  expect(timeouts.bound(false)).toEqual({ fails: { by: 'transaction_timeout', afterMs: 1_000 }, idleMs: 5_000 });
  // In a transaction the target counts by itself.
  expect(timeouts.bound(true)).toEqual({ fails: { by: 'statement_timeout', afterMs: 2_000 }, idleMs: Infinity });
});
