import type { Deny, Waiter } from '@sluice/contract';
import { expect, test } from 'vitest';
import * as t from './talk.js';
import { type Talk, allow, reply, talk } from './talk.js';

/** A gate that holds each DELETE and keeps what it was told about the client. */
function holding(): { session: Talk; waits: Waiter[]; states: string[] } {
  const waits: Waiter[] = [];
  const states: string[] = [];
  const session = talk({
    judge: ({ text }, waiter) => {
      if (!text.startsWith('delete')) return allow({ type: 'none' });
      waits.push(waiter);
      void waiter.answersDelivered().then((state) => {
        states.push(state);
        if (state !== 'skipped')
          waiter.say?.({ code: 'command-waits', request: 1, rules: ['r'], approvers: '1 of ada' });
      });
      return undefined;
    },
  });
  return { session, waits, states };
}
/** Lets promises settle. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const cancelled: Deny = {
  type: 'deny',
  rule: 'r',
  message: 'The client cancelled the statement.',
  reason: { code: 'cancelled' },
};

test('a held query gives a notice, sends nothing, and runs when it is released', async () => {
  const { session, states } = holding();
  session.client(t.query('delete from t'));
  await turn();
  expect([session.upstream(), session.toClient(), states]).toEqual([[], ['N'], ['idle']]);
  session.answer(allow({ type: 'none' }));
  session.replies(reply.complete('DELETE 1'), reply.ready('I'));
  expect([session.upstream(), session.toClient()]).toEqual([['Query'], ['C', 'Z I']]);
});

test('the notice comes behind the answers to what was sent before, which the target is made to give', async () => {
  const { session, states } = holding();
  session.client(t.batch('insert into log values (1)'), t.parse('', 'select 1'), t.bind('', ''), t.execute(''));
  session.client(t.parse('', 'select 2'), t.query('delete from t'));
  await turn();
  expect(session.upstream().at(-1)).toBe('Flush');
  expect(session.toClient()).toEqual([]);
  session.replies(reply.parsed, reply.bound, reply.complete('INSERT 0 1'), reply.parsed, reply.bound);
  await turn();
  expect(session.toClient()).toEqual(['1', '2', 'C', '1', '2']);
  session.replies(reply.row('1'), reply.complete('SELECT 1'), reply.parsed);
  await turn();
  expect([session.toClient(), states]).toEqual([['D', 'C', '1', 'N'], ['transaction']]);
});

test('nobody is asked about what the target will skip', async () => {
  const { session, states } = holding();
  session.client(t.batch('insert into log values (1)'), t.query('delete from t'), t.sync);
  await turn();
  session.replies(reply.parsed, reply.error('23505'));
  await turn();
  expect([session.toClient(), states]).toEqual([['1', 'E 23505'], ['skipped']]);
  session.answer(cancelled);
  session.replies(reply.ready('I'));
  expect([session.upstream().at(-1), session.toClient()]).toEqual(['Sync', ['Z I']]);
});

test('a cancel reaches the one who waits and not the target; the statement fails with 57014 at its place', async () => {
  const { session, waits } = holding();
  expect(session.conversation.cancelWaiting()).toBe(false);
  session.client(t.query('delete from t'));
  await turn();
  expect(session.conversation.cancelWaiting()).toBe(true);
  expect(waits[0]?.signal.reason).toBe('cancelled');
  session.answer(cancelled);
  expect(session.upstream()).toEqual(['Query (stands in)']);
  session.replies(reply.error('42601'), reply.ready('I'));
  expect(session.toClient()).toEqual(['N', 'E 57014', 'Z I']);
  session.client(t.query('delete from t'));
  await turn();
  expect(waits[1]?.signal.aborted).toBe(false);
});

test('while earlier statements run, a cancel is meant for them', async () => {
  const { session, waits } = holding();
  session.client(t.query('select pg_sleep(9)'), t.query('delete from t'));
  await turn();
  expect(session.conversation.cancelWaiting()).toBe(false);
  expect(waits[0]?.signal.aborted).toBe(false);
});

test('a client that hangs up waits no longer, and nothing of its statement is sent', async () => {
  const { session, waits } = holding();
  session.client(t.query('delete from t'));
  await turn();
  const { signal } = waits[0] as Waiter;
  session.hangUp('client');
  expect([signal.aborted, signal.reason]).toEqual([true, 'gone']);
  session.answer(allow({ type: 'none' }));
  expect(session.upstream()).toEqual(['Terminate']);
});

test('a hang-up before earlier answers have come asks nobody', async () => {
  const { session, states } = holding();
  session.client(t.query('select 1'), t.query('delete from t'));
  await turn();
  session.hangUp('client');
  await turn();
  expect(states).toEqual(['skipped']);
});
