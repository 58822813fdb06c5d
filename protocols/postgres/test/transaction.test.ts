import type { StatementEffect } from '@sluice/contract';
import { expect, test } from 'vitest';
import { Transaction } from '../src/transaction.js';

type Kind = Extract<StatementEffect, { type: 'transaction' }>['kind'];
const effect = (kind: Kind, chain = false, savepoint?: string): StatementEffect => ({
  type: 'transaction',
  kind,
  ...(savepoint !== undefined && { savepoint }),
  ...(chain && { chain: true as const }),
});

test('a transaction is open from its BEGIN on, and is another one behind its end', () => {
  const transaction = new Transaction();
  const now = (): unknown => ({ state: transaction.now.state, number: transaction.now.number });
  expect(now()).toEqual({ state: 'none', number: 0 });
  transaction.completed(effect('begin'));
  expect(now()).toEqual({ state: 'open', number: 1 });
  transaction.completed({ type: 'none' });
  transaction.completed(effect('savepoint'));
  transaction.completed(effect('begin'));
  transaction.ready('T');
  expect(now()).toEqual({ state: 'open', number: 1 });
  transaction.ready('E');
  expect(now()).toEqual({ state: 'failed', number: 1 });
  transaction.completed(effect('rollback to'));
  expect(now()).toEqual({ state: 'open', number: 1 });
  transaction.completed(effect('commit', true));
  expect(now()).toEqual({ state: 'open', number: 2 });
  transaction.completed(effect('prepare'));
  expect(now()).toEqual({ state: 'none', number: 2 });
  transaction.ready('I');
  transaction.ready('T');
  expect(now()).toEqual({ state: 'open', number: 3 });
});

test('a savepoint is taken back by a ROLLBACK TO it or to one from before it, and by no other', () => {
  const transaction = new Transaction();
  const run = (kind: Kind, name: string) => {
    transaction.completed(effect(kind, false, name));
    return transaction.now.savepoint;
  };
  transaction.completed(effect('begin'));
  const outer = run('savepoint', 'a');
  const inner = run('savepoint', 'a');
  expect(inner?.outer).toBe(outer);
  // The name means the outer one again.
  expect(run('release', 'a')).toBe(outer);
  expect(run('rollback to', 'never made')).toBe(outer);
  const again = run('rollback to', 'a');
  expect([outer?.isTakenBack, inner?.isTakenBack, again?.isTakenBack]).toEqual([true, false, false]);
  expect(again).toMatchObject({ name: 'a', outer: undefined });
  run('savepoint', 'b');
  expect(run('rollback to', 'a')?.name).toBe('a');
  expect(again?.isTakenBack).toBe(true);
  transaction.completed(effect('commit', true));
  expect(transaction.now.savepoint).toBeUndefined();
  run('savepoint', 'c');
  transaction.ready('I');
  expect(transaction.now.savepoint).toBeUndefined();
});

test('of more savepoints than are followed none counts until the transaction ends', () => {
  const transaction = new Transaction();
  transaction.completed(effect('begin'));
  transaction.completed(effect('savepoint', false, 'first'));
  const first = transaction.now.savepoint;
  for (let made = 1; made <= 10_000; made++) transaction.completed(effect('savepoint', false, 's'));
  expect(transaction.now.savepoint).toBeUndefined();
  transaction.completed(effect('savepoint', false, 'later'));
  transaction.completed(effect('rollback to', false, 'first'));
  expect([first?.isTakenBack, transaction.now.savepoint]).toEqual([false, undefined]);
  transaction.completed(effect('rollback'));
  transaction.completed(effect('begin'));
  transaction.completed(effect('savepoint', false, 'next'));
  expect(transaction.now.savepoint?.name).toBe('next');
});
