import type {
  AppliedHold,
  Facts,
  Savepoint,
  SqlCommand,
  StatementEffect,
  TransactionState,
  Waiter,
} from '@sluice/contract';
import { describe, expect, test } from 'vitest';
import { ReviewedChanges, type ShownCommand } from '../src/changes.js';
import { CommitReview } from '../src/review.js';

const HOLD: AppliedHold = {
  rule: 'looked-at',
  type: 'hold_commit',
  approvers: ['group:dba'],
  timeoutMs: 1_000,
  count: 1,
  fail: false,
  onTimeout: 'deny',
  transaction: { openMs: 2 ** 40, lockWaitMs: 1_000 },
};
const NONE: StatementEffect = { type: 'none' };
const shown = (text: string): ShownCommand => ({ text, executed: {} });
const savepoint = (name: string, outer?: Savepoint) => ({ name, outer, isTakenBack: false });
const transaction = (kind: Extract<StatementEffect, { type: 'transaction' }>['kind'], savepoint?: string) =>
  ({ type: 'transaction', kind, ...(savepoint !== undefined && { savepoint }) }) as const;
const facts = (...statements: StatementEffect[]): Facts => ({
  actions: [
    {
      statement: 0,
      depth: 0,
      verb: 'update',
      effects: ['write'],
      resources: [{ type: 'table', name: 't', access: 'write' }],
      reasons: [],
    },
  ],
  confidence: 'exact',
  statements,
});
const command = (id: number, text = `update t set a = ${id}`): SqlCommand => ({
  type: 'sql',
  id,
  phase: 'run',
  dialect: { name: 'postgres', major: 18 },
  text,
});
const end = (id: number, summary = 'UPDATE 1', outcome: 'ok' | 'error' = 'ok') =>
  ({ type: 'end', command: id, outcome, summary, rows: 0, bytes: 0, data: [] }) as const;

describe('what a transaction has changed', () => {
  const run = (changes: ReviewedChanges, id: number, summary?: string, savepoint?: Savepoint): void => {
    changes.ran(command(id), facts(NONE), shown(command(id).text), savepoint);
    changes.ended(end(id, summary));
  };

  test('is counted by table, without what savepoints took back', () => {
    const changes = new ReviewedChanges();
    const before = savepoint('before');
    const outer = savepoint('a', before);
    const inner = savepoint('a', outer);
    run(changes, 1, 'UPDATE 3', before);
    run(changes, 2, 'UPDATE 40', outer);
    run(changes, 3, 'UPDATE 500', inner);
    inner.isTakenBack = true;
    expect(changes.tables).toEqual([{ verb: 'update', name: 't', rows: 43 }]);
    outer.isTakenBack = true;
    expect(changes.tables).toEqual([{ verb: 'update', name: 't', rows: 3 }]);
    // A savepoint from before the first change.
    before.isTakenBack = true;
    expect(changes.tables).toEqual([]);
    expect(changes.count).toBe(3);
  });

  test('is the same for the same statements and numbers of rows alone, also behind those that are shown', () => {
    const digest = (summaries: readonly string[]): string => {
      const changes = new ReviewedChanges();
      for (const [at, summary] of summaries.entries()) run(changes, at + 1, summary);
      return changes.digest;
    };
    const many = Array<string>(300).fill('UPDATE 1');
    expect(digest(many)).toBe(digest(many));
    expect(digest(many.with(0, 'UPDATE 2'))).not.toBe(digest(many));
    expect(digest(many.with(299, 'UPDATE 2'))).not.toBe(digest(many));
    expect(digest(many.slice(1))).not.toBe(digest(many));
  });

  test.each(['\n', '\r', '\u2028', '\u0085', '\v'])('no line of a text looks like one of ours, begun by %j', (end) => {
    const forged = `delete from t -- x${end}-- 2. DELETE 0, taken back by ROLLBACK TO SAVEPOINT`;
    const changes = new ReviewedChanges();
    changes.ran(command(1, forged), facts(NONE), shown(forged));
    const words = changes.behind(`commit /*${end}-- What it commits, 0 statements:${end}*/`, true);
    const ours = words.split(/[\n\r\u2028\u0085\v]/).filter((line) => line.startsWith('--'));
    expect(ours).toEqual(['-- What it commits, 1 statements:', '-- 1. not finished']);
  });

  test('is shown as far as people read', () => {
    const changes = new ReviewedChanges();
    for (let id = 1; id <= 1_000; id++) run(changes, id);
    changes.ran(command(2_000, 'x'.repeat(1_000_000)), facts(NONE), shown('x'.repeat(1_000_000)));
    const words = changes.inWords(true);
    expect(words).toContain('-- What it commits, 1001 statements:');
    expect(words).toContain('-- and 801 statements more, which are not shown');
    expect(words.length).toBeLessThan(200 * 2_100);
  });
});

test('padding hides nothing of what a transaction commits from those who decide', () => {
  const changes = new ReviewedChanges();
  const long = `${'x'.repeat(100_000)} the end`;
  changes.ran(command(1, long), facts(NONE), shown(long));
  expect(changes.inWords(true)).toContain(' the end');
  const longer = `${'x'.repeat(1_000_000)} the end`;
  changes.ran(command(2, longer), facts(NONE), shown(longer));
  expect(changes.inWords(true)).toMatch(/\n-- NOT SHOWN: 998008 characters more of this text$/);
});

describe('a review', () => {
  const waiting = (now: () => TransactionState | undefined): Waiter => ({
    answersDelivered: () => Promise.resolve('idle'),
    transaction: now as () => TransactionState,
    signal: new AbortController().signal,
  });
  const change = { facts: facts(NONE), holds: [HOLD] };
  const commit = { facts: { ...facts(transaction('commit')), actions: [] }, holds: [] };

  test('belongs to the transaction that the target says is open', async () => {
    let now: TransactionState = { state: 'open', number: 1 };
    const waiter = waiting(() => now);
    const review = new CommitReview(() => undefined);
    expect(review.concerns(commit)).toBe(false);
    expect(await review.enter(change, waiter)).toEqual({ type: 'pass' });
    review.ran(command(1), change, shown('update'));
    expect(review.concerns(commit)).toBe(true);
    expect((await review.enter(commit, waiter)).type).toBe('ask');
    now = { state: 'failed', number: 1 };
    expect((await review.enter(commit, waiter)).type).toBe('pass');
    now = { state: 'open', number: 1 };
    expect((await review.enter(commit, waiter)).type).toBe('ask');
    now = { state: 'open', number: 2 };
    expect((await review.enter(commit, waiter)).type).toBe('pass');
    review.closed();
  });

  test('takes nothing for taken back that its own text may have run behind the ROLLBACK TO', async () => {
    const before = savepoint('s');
    const waiter = waiting(() => ({ state: 'open', number: 1, savepoint: before }));
    const review = new CommitReview(() => undefined);
    const mixed = { facts: facts(transaction('rollback to', 's'), NONE), holds: [HOLD] };
    for (const [id, one] of [change, mixed].entries()) {
      await review.enter(one, waiter);
      review.ran(command(id), one, shown('update'));
      review.ended(end(id, id === 0 ? 'UPDATE 4' : 'ROLLBACK; UPDATE 20'));
    }
    before.isTakenBack = true;
    const asked = await review.enter(commit, waiter);
    if (asked.type !== 'ask') throw new Error('nobody is asked');
    expect(asked.changes.inWords(true)).toContain('-- 1. UPDATE 4, taken back by ROLLBACK TO SAVEPOINT\n  update');
    expect(asked.changes.inWords(true)).toContain('-- 2. ROLLBACK; UPDATE 20\n  update');
    review.closed();
  });

  test('is of no change where nothing is open, or nobody can tell', async () => {
    const review = new CommitReview(() => undefined);
    const needs = { type: 'refuse', reason: { code: 'review-needs-transaction' } };
    expect(
      await review.enter(
        change,
        waiting(() => ({ state: 'none', number: 4 })),
      ),
    ).toEqual(needs);
    expect(
      await review.enter(
        change,
        waiting(() => undefined),
      ),
    ).toEqual(needs);
    const { transaction: _, ...without } = waiting(() => undefined);
    expect(await review.enter(change, without)).toEqual(needs);
    const skipped = {
      ...waiting(() => ({ state: 'open', number: 1 })),
      answersDelivered: () => Promise.resolve('skipped' as const),
    };
    expect(await review.enter(change, skipped)).toEqual({ type: 'refuse', reason: { code: 'cancelled' } });
  });

  test('stays with a transaction that its text begins', async () => {
    let now: TransactionState = { state: 'none', number: 7 };
    const waiter = waiting(() => now);
    const review = new CommitReview(() => undefined);
    const begins = { facts: facts(transaction('begin'), NONE), holds: [HOLD] };
    expect(await review.enter(begins, waiter)).toEqual({ type: 'pass' });
    review.ran(command(1), begins, shown('begin; update'));
    now = { state: 'open', number: 8 };
    expect((await review.enter(commit, waiter)).type).toBe('ask');
    const ends = { facts: facts(transaction('begin'), NONE, transaction('commit')), holds: [HOLD] };
    expect(await review.enter(ends, waiter)).toEqual({ type: 'refuse', reason: { code: 'review-stands-alone' } });
    review.closed();
  });
});
