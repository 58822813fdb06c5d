import type { StatementEffect } from '@sluice/contract';
import { expect, test } from 'vitest';
import { Transaction } from '../src/transaction.js';

type Kind = Extract<StatementEffect, { type: 'transaction' }>['kind'];
const effect = (kind: Kind, chain = false): StatementEffect => ({
  type: 'transaction',
  kind,
  ...(chain && { chain: true as const }),
});

test('a transaction is open from its BEGIN on, and is another one behind its end', () => {
  const transaction = new Transaction();
  expect(transaction.now).toEqual({ state: 'none', number: 0 });
  transaction.completed(effect('begin'));
  expect(transaction.now).toEqual({ state: 'open', number: 1 });
  transaction.completed({ type: 'none' });
  transaction.completed(effect('savepoint'));
  transaction.completed(effect('begin'));
  transaction.ready('T');
  expect(transaction.now).toEqual({ state: 'open', number: 1 });
  transaction.ready('E');
  expect(transaction.now).toEqual({ state: 'failed', number: 1 });
  transaction.completed(effect('rollback to'));
  expect(transaction.now).toEqual({ state: 'open', number: 1 });
  transaction.completed(effect('commit', true));
  expect(transaction.now).toEqual({ state: 'open', number: 2 });
  transaction.completed(effect('prepare'));
  expect(transaction.now).toEqual({ state: 'none', number: 2 });
  transaction.ready('I');
  transaction.ready('T');
  expect(transaction.now).toEqual({ state: 'open', number: 3 });
});
