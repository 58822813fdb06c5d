/** Commands that clients begin and do not end: bounded for each principal in all of their sessions, in words, and others go on. */
import { MessageRoom } from '@sluice/wire';
import { expect, test } from 'vitest';
import { type Talk, begun, packet, payload, reply } from './talk.js';

const LONGEST = 512 * 1024;
let people = 0;
const open = (who: string): Talk => begun({ message: LONGEST, sent: new MessageRoom(who, LONGEST) });
const statement = packet(0x03, `SELECT '${'x'.repeat(400_000)}'`);
const HALF = 300_000;

/** Whether a statement that was begun before reaches the target, or what the client reads instead. */
function rest(session: Talk): string {
  session.client(statement.subarray(HALF));
  const sent = session.upstream();
  if (sent.length === 0) return session.toClient().join();
  session.replies(reply(payload.ok()));
  session.toClient();
  return 'sent';
}

test('one principal has so many under way, in words, the session goes on, and so do others', () => {
  const who = `person ${++people}`;
  const sessions = Array.from({ length: 8 }, () => open(who));
  for (const session of sessions) session.client(statement.subarray(0, HALF));
  const other = open(`person ${++people}`);
  other.client(statement.subarray(0, HALF));
  expect(rest(other)).toBe('sent');
  const read = sessions.map(rest);
  const refused = read.filter((one) => one !== 'sent');
  expect(refused.length).toBeGreaterThan(0);
  expect(read.length - refused.length).toBeGreaterThanOrEqual(4);
  for (const one of refused) expect(one).toContain('Too much of what you send in your sessions is kept at once');
  for (const session of sessions) {
    session.client(packet(0x03, 'SELECT 1'));
    expect(session.upstream()).toHaveLength(1);
    session.hangUp('client');
  }
  other.hangUp('client');
});

test('however it is cut, no byte of a command without room reaches the target', () => {
  const who = `person ${++people}`;
  const holders = Array.from({ length: 7 }, () => open(who));
  for (const session of holders) session.client(statement.subarray(0, HALF));
  const session = open(who);
  for (let at = 0; at < statement.length; at += 1_000) session.client(statement.subarray(at, at + 1_000));
  expect(session.upstream()).toEqual([]);
  expect(session.toClient().join()).toContain('Too much of what you send');
  for (const one of [session, ...holders]) one.hangUp('client');
});
