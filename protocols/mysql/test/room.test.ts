/** What a client has prepared and never closes: bounded for each principal in all of their sessions, and long values cost what they have. */
import { growth } from '@sluice/testkit/work';
import { StatementRoom } from '@sluice/wire';
import { expect, test } from 'vitest';
import { uint } from '../src/packets.js';
import { SessionState } from '../src/session-state.js';
import { PreparedStatements } from '../src/statements.js';
import { type Talk, begun, packet, payload, reply } from './talk.js';

const LONG = `SELECT '${'x'.repeat(40_000)}'`;
const BOUNDS = { ofOne: 300 * 1024, all: 640 * 1024 };

function prepare(made: Talk, id: number, text = LONG, parameters = 0): string {
  made.client(packet(0x16, text));
  if (made.upstream().length === 0) return made.toClient().join();
  const answer = Buffer.concat([Buffer.from([0]), uint(id, 4), uint(0, 2), uint(parameters, 2), Buffer.alloc(3)]);
  made.replies(parameters > 0 ? reply(answer, payload.column('?')) : reply(answer));
  made.toClient();
  return 'prepared';
}

test('statements have an end for one principal in all of their sessions, in words, and closing gives room back', () => {
  const [first, second, other] = ['ana', 'ana', 'ben'].map((who) => begun({ room: new StatementRoom(who, BOUNDS) }));
  if (!first || !second || !other) throw new Error('three were opened');
  expect([1, 2].map((id) => prepare(first, id))).toEqual(['prepared', 'prepared']);
  expect(prepare(second, 1)).toBe('prepared');
  expect(prepare(first, 3)).toContain('There are more prepared statements than the gateway keeps');
  expect(prepare(other, 1)).toBe('prepared');
  second.hangUp('client');
  expect(prepare(first, 3)).toBe('prepared');
  first.client(packet(0x19, uint(1, 4)));
  first.upstream();
  expect(prepare(first, 4)).toBe('prepared');
  for (const made of [first, other]) made.hangUp('client');
});

test('pieces of long values cost the same however many statements there are', () => {
  const { dialect } = new SessionState({ flavour: 'mariadb', version: 101_100 }, false, false);
  const run = (n: number): void => {
    const room = new StatementRoom('ana');
    const known = new PreparedStatements(room);
    for (let id = 1; id <= n; id++) {
      known.add(id, { text: 'SELECT ?', dialect, parameters: 1 });
      known.takeLong(id, 0, Buffer.from('x'));
    }
    for (let piece = 0; piece < n; piece++) known.takeLong(1, 0, Buffer.from('x'));
    room.close();
  };
  expect(growth(2_000, run)).toBeLessThan(2.3);
});
