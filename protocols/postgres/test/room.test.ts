/** What a client has prepared and never closes: bounded for each principal in all of their sessions, in words, and given back. */
import { hash } from 'node:crypto';
import { StatementRoom } from '@sluice/wire';
import { describe, expect, test } from 'vitest';
import * as t from './talk.js';
import { type Talk, reply, talk } from './talk.js';

const BOUNDS = { ofOne: 300 * 1024, all: 640 * 1024 };
const LONG = `select '${'x'.repeat(40_000)}'`;
let people = 0;
const somebody = (): string => `person ${++people}`;
const open = (who: string): Talk => talk({ room: new StatementRoom(who, BOUNDS) });

/** Prepares by the protocol. What the client read. */
function prepare(session: Talk, name: string, text = LONG): string[] {
  session.client(t.parse(name, text), t.sync);
  const refused = session.upstream().some((one) => one.includes('stands in'));
  session.replies(refused ? reply.error('42601') : reply.parsed, reply.ready('I'));
  return session.toClient();
}
const TOO_MUCH = ['E 53400', 'Z I'];
const PREPARED = ['1', 'Z I'];

describe('what is prepared and never closed', () => {
  test('has an end, in words, for one principal in all of their sessions, and others go on', () => {
    const [who, other] = [somebody(), somebody()];
    const [first, second] = [open(who), open(who)];
    expect(['a', 'b'].map((name) => prepare(first, name))).toEqual([PREPARED, PREPARED]);
    expect(prepare(second, 'a')).toEqual(PREPARED);
    expect(prepare(first, 'c')).toEqual(TOO_MUCH);
    expect(Buffer.concat(first.sent.client).toString()).toContain('Close some (DEALLOCATE, CLOSE)');
    expect(prepare(second, 'b')).toEqual(TOO_MUCH);
    const fourth = open(who);
    expect(prepare(fourth, 'a', 'select 1')).toEqual(PREPARED);
    fourth.hangUp('client');
    const third = open(other);
    expect(prepare(third, 'a')).toEqual(PREPARED);
    third.hangUp('client');
    // By its own name it takes the place of what was there, and an end gives all back.
    expect(prepare(first, 'b')).toEqual(PREPARED);
    second.hangUp('client');
    expect(prepare(first, 'c')).toEqual(PREPARED);
    first.hangUp('client');
  });

  test('is given back when it is closed, by message or by SQL', () => {
    const session = open(somebody());
    for (const name of ['a', 'b', 'c']) expect(prepare(session, name)).toEqual(PREPARED);
    expect(prepare(session, 'd')).toEqual(TOO_MUCH);
    session.client(t.close('S', 'a'), t.sync);
    session.replies(reply.closed, reply.ready('I'));
    session.upstream();
    session.toClient();
    expect(prepare(session, 'd')).toEqual(PREPARED);
    session.client(t.query('deallocate all'));
    session.replies(reply.complete('DEALLOCATE ALL'), reply.ready('I'));
    session.upstream();
    session.toClient();
    for (const name of ['e', 'f', 'g']) expect(prepare(session, name)).toEqual(PREPARED);
    session.hangUp('client');
  });

  test('by SQL counts as well', () => {
    const session = open(somebody());
    for (const name of ['a', 'b', 'c']) prepare(session, name);
    session.client(t.query(`prepare d as ${LONG}`));
    expect(session.upstream()).toEqual(['Query (stands in)']);
    session.replies(reply.error('42601'), reply.ready('I'));
    expect(session.toClient()).toEqual(TOO_MUCH);
    session.hangUp('client');
  });

  test('portals and cursors have an end too, until their transaction is over', () => {
    const session = open(somebody());
    const count = 200;
    session.client(t.query('begin'));
    session.replies(reply.complete('BEGIN'), reply.ready('T'));
    session.client(t.parse('s', 'select 1'), t.flush);
    session.replies(reply.parsed);
    session.upstream();
    session.toClient();
    let refused = 0;
    for (let at = 0; at < count && refused === 0; at++) {
      session.client(t.bind(`p${at}`, 's'), t.flush);
      refused = session.upstream().some((one) => one.includes('stands in')) ? at : 0;
      session.replies(refused ? reply.error('26000') : reply.bound);
    }
    expect(refused).toBeGreaterThan(100);
    expect(session.toClient().at(-1)).toBe('E 53400');
    session.client(t.sync);
    session.replies(reply.ready('E'));
    session.client(t.query('rollback'));
    session.replies(reply.complete('ROLLBACK'), reply.ready('I'));
    session.upstream();
    session.toClient();
    session.client(t.batch('select 1'), t.sync);
    session.replies(reply.parsed, reply.bound, reply.complete('SELECT 1'), reply.ready('I'));
    expect(session.toClient()).toEqual(['1', '2', 'C', 'Z I']);
    session.hangUp('client');
  });
});

describe('what a client sends for COPY is on record by its length and its digest', () => {
  const data = 'one\ntwo\nthree\n';
  test.each([1, 3, 1_000])('however it is cut (%d)', (size) => {
    const session = talk();
    session.client(t.query('copy a from stdin'));
    session.replies(reply.copyIn);
    const bytes = Buffer.concat([t.copyData('one\n'), t.copyData('two\nthree\n'), t.copyDone]);
    for (let at = 0; at < bytes.length; at += size) session.client(bytes.subarray(at, at + size));
    session.replies(reply.complete('COPY 3'), reply.ready('I'));
    const end = session.recorded.find(({ type }) => type === 'end');
    expect(end).toMatchObject({ summary: `COPY 3; ${data.length} bytes were sent, SHA-256 ${hash('sha256', data)}` });
  });

  test('also where it fails, or the client goes', () => {
    const session = talk();
    session.client(t.query('copy a from stdin'));
    session.replies(reply.copyIn);
    session.client(t.copyData('one\n'));
    session.replies(reply.error('22P04'), reply.ready('I'));
    session.client(t.copyData('two\n'), t.copyDone, t.query('copy a from stdin'));
    session.replies(reply.copyIn);
    session.client(t.copyData('half').subarray(0, 7));
    session.hangUp('client');
    expect(session.recorded.flatMap((one) => (one.type === 'end' ? [one.summary] : []))).toEqual([
      `22P04: genuine; 4 bytes were sent, SHA-256 ${hash('sha256', 'one\n')}`,
      `2 bytes were sent, SHA-256 ${hash('sha256', 'ha')}`,
    ]);
  });
});
