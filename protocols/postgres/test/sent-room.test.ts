/** Messages that clients begin and do not end: bounded for each principal in all of their sessions, in words, and others go on. */
import { MessageRoom } from '@sluice/wire';
import { expect, test } from 'vitest';
import * as t from './talk.js';
import { type Talk, reply, talk } from './talk.js';

const LONGEST = 512 * 1024;
let people = 0;
const open = (who: string): Talk => talk({ message: LONGEST, sent: new MessageRoom(who, LONGEST) });
const statement = t.query(`select '${'x'.repeat(400_000)}'`);
const HALF = 300_000;

/** What the client read for a statement that was begun before. */
function rest(session: Talk, from = HALF): string[] {
  session.client(statement.subarray(from), t.query('select 1'));
  const answers = session
    .upstream()
    .flatMap((one) =>
      one.includes('stands in')
        ? [reply.error('42601'), reply.ready('I')]
        : [reply.complete('SELECT 1'), reply.ready('I')],
    );
  session.replies(...answers);
  return session.toClient();
}

const BOTH = ['C', 'Z I', 'C', 'Z I'];
const ONE = ['E 53400', 'Z I', 'C', 'Z I'];

test('one principal has so many under way, in words, the session goes on, and so do others', () => {
  const who = `person ${++people}`;
  const sessions = Array.from({ length: 8 }, () => open(who));
  for (const session of sessions) session.client(statement.subarray(0, HALF));
  const other = open(`person ${++people}`);
  other.client(statement.subarray(0, HALF));
  expect(rest(other)).toEqual(BOTH);
  const read = sessions.map((session) => rest(session));
  const refused = read.filter((one) => one[0] === 'E 53400');
  expect(refused.length).toBeGreaterThan(0);
  for (const one of refused) expect(one).toEqual(ONE);
  expect(read.length - refused.length).toBeGreaterThanOrEqual(4);
  for (const one of read) if (!refused.includes(one)) expect(one).toEqual(BOTH);
  const words = sessions.map((session) => Buffer.concat(session.sent.client).toString()).join('\n');
  expect(words).toContain('Send it again when the other messages have come to their end');
  // All was given back.
  sessions[0]?.client(statement.subarray(0, HALF));
  expect(rest(sessions[0] as Talk)).toEqual(BOTH);
  for (const session of [...sessions, other]) session.hangUp('client');
});

test('however it is cut, no byte of a statement without room reaches the target', () => {
  const who = `person ${++people}`;
  const holders = Array.from({ length: 7 }, () => open(who));
  for (const session of holders) session.client(statement.subarray(0, HALF));
  const session = open(who);
  for (let at = 0; at < statement.length; at += 1_000) session.client(statement.subarray(at, at + 1_000));
  expect(session.upstream()).toEqual(['Query (stands in)']);
  session.hangUp('client');
  for (const holder of holders) holder.hangUp('client');
});

test('a few together never have all: whoever comes later finds room', () => {
  const heavy = Array.from({ length: 6 }, (_, at) => `heavy ${at} ${++people}`).flatMap((who) =>
    Array.from({ length: 8 }, () => open(who)),
  );
  for (const session of heavy) session.client(statement.subarray(0, HALF));
  const late = open(`person ${++people}`);
  const shorter = t.query(`select '${'x'.repeat(200_000)}'`);
  late.client(shorter.subarray(0, 199_000));
  late.client(shorter.subarray(199_000));
  const [reached] = late.upstream();
  expect(reached).toContain('Query');
  expect(reached).not.toContain('stands in');
  for (const session of [...heavy, late]) session.hangUp('client');
});
