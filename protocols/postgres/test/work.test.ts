/**
 * What a conversation costs, in work and not in time: twice the messages are twice the work, however many of them are on their
 * way at once and however they are cut.
 */
import { growth } from '@sluice/testkit/work';
import type { Answer, Masking } from '@sluice/contract';
import { describe, expect, test } from 'vitest';
import * as t from './talk.js';
import { type Talk, allow, maskedSession, reply, sensible, talk } from './talk.js';

const MOST_GROWTH = 2.3;
const times = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));
const all = (count: number, make: (at: number) => Buffer): Buffer => Buffer.concat(times(count, make));

const masking: Masking = {
  changesSession: false,
  runsCode: false,
  rows: () => undefined,
  copy: () => undefined,
  texts: { hidden: false, clean: (text) => text },
  failed: () => undefined,
  completed: () => undefined,
};
const plain = (): Talk => talk();
const masked = (): Talk =>
  talk({
    judge: (command): Answer => {
      const answer = sensible(command);
      return answer.type === 'allow' && command.phase === 'run' ? { ...answer, masking } : answer;
    },
    masks: maskedSession(),
  });

/** What the client sends before any reply, and then all replies at once. */
const PIPELINES: Readonly<Record<string, readonly [make: (n: number) => Buffer, replies: (n: number) => Buffer]>> = {
  'statements with a name each': [
    (n) => all(n, (at) => t.parse(`s${at}`, 'select 1')),
    (n) => all(n, () => reply.parsed),
  ],
  'statements, and then their use, oldest first': [
    (n) =>
      Buffer.concat([
        all(n, (at) => t.parse(`s${at}`, 'select 1')),
        all(n, (at) => t.bind(`p${at}`, `s${at}`)),
        all(n, (at) => Buffer.concat([t.describe('P', `p${at}`), t.execute(`p${at}`)])),
        t.sync,
      ]),
    (n) =>
      Buffer.concat([
        all(n, () => reply.parsed),
        all(n, () => reply.bound),
        all(n, () => Buffer.concat([reply.noData, reply.complete('SELECT 0')])),
        reply.ready('I'),
      ]),
  ],
  'one statement, run in stretches of one': [
    (n) => all(n, () => Buffer.concat([t.bind('', 'known'), t.describe('P', ''), t.execute(''), t.sync])),
    (n) => all(n, () => Buffer.concat([reply.bound, reply.noData, reply.complete('SELECT 0'), reply.ready('I')])),
  ],
  'simple queries': [
    (n) => all(n, () => t.query('execute known')),
    (n) => all(n, () => Buffer.concat([reply.complete('SELECT 0'), reply.ready('I')])),
  ],
  'names that are closed': [
    (n) => Buffer.concat([all(n, (at) => t.close('S', `s${at}`)), t.sync]),
    (n) => Buffer.concat([all(n, () => reply.closed), reply.ready('I')]),
  ],
  'errors in stretches of one': [
    (n) => all(n, () => Buffer.concat([t.bind('', 'known'), t.execute(''), t.sync])),
    (n) => all(n, () => Buffer.concat([reply.error('22012'), reply.ready('I')])),
  ],
};

describe.each([
  ['without masks', plain],
  ['with masks', masked],
] as const)('messages before any reply, %s', (_, start) => {
  test.each(Object.entries(PIPELINES))('%s', (_name, [make, replies]) => {
    const run = (n: number): Talk => {
      const session = start();
      session.client(t.parse('known', 'select 1'), t.sync);
      session.replies(reply.parsed, reply.ready('I'));
      session.client(make(n));
      session.replies(replies(n));
      return session;
    };
    expect(run(50).conversation.busy).toBe(false);
    expect(growth(600, run)).toBeLessThan(MOST_GROWTH);
  });
});

test('code that nobody has read runs again and again, with many statements prepared', () => {
  const run = (n: number): void => {
    const session = talk({
      judge: ({ phase }) => {
        const answer = allow({ type: 'none' });
        return phase === 'run' && answer.type === 'allow'
          ? { ...answer, masking: { ...masking, runsCode: true } }
          : answer;
      },
    });
    session.client(
      all(n, (at) => t.parse(`s${at}`, 'select 1')),
      t.sync,
    );
    session.replies(
      all(n, () => reply.parsed),
      reply.ready('I'),
    );
    session.client(
      all(n, () => t.batch('do it')),
      t.sync,
    );
    session.replies(
      all(n, () => Buffer.concat([reply.parsed, reply.bound, reply.noData, reply.complete('DO')])),
      reply.ready('I'),
    );
  };
  expect(growth(600, run)).toBeLessThan(MOST_GROWTH);
});

describe('framing', () => {
  const pieces = (bytes: Buffer, size: number): Buffer[] =>
    times(Math.ceil(bytes.length / size), (at) => bytes.subarray(at * size, (at + 1) * size));

  test.each([
    ['many tiny messages in one chunk', (n: number) => [all(n, () => t.flush)]],
    [
      'many tiny messages, byte by byte',
      (n: number) =>
        pieces(
          all(n / 8, () => t.flush),
          1,
        ),
    ],
    ['one long statement in pieces', (n: number) => pieces(t.query(`select '${'x'.repeat(n * 32)}'`), 64)],
    [
      'one long COPY message in pieces',
      (n: number) => [t.query('copy a from stdin'), ...pieces(t.copyData('x'.repeat(n * 32)), 64)],
    ],
  ])('of the client: %s', (_, make) => {
    const run = (n: number): void => {
      const session = plain();
      for (const piece of make(n)) session.client(piece);
    };
    expect(growth(2_000, run)).toBeLessThan(MOST_GROWTH);
  });

  test.each([
    ['many tiny rows in one chunk', (n: number) => [all(n, () => reply.row('1'))]],
    [
      'many tiny rows, byte by byte',
      (n: number) =>
        pieces(
          all(n / 8, () => reply.row('1')),
          1,
        ),
    ],
    ['one long row in pieces', (n: number) => pieces(reply.row('x'.repeat(n * 32)), 64)],
    ['one long notice in pieces', (n: number) => pieces(reply.error('x'.repeat(n * 32), 'NOTICE'), 64)],
    ['one long command tag in pieces', (n: number) => pieces(reply.complete('x'.repeat(n * 32)), 64)],
  ])('of the target: %s', (_, make) => {
    const run = (n: number): void => {
      const session = plain();
      session.client(t.query('select a'));
      session.replies(reply.columns('a'));
      for (const piece of make(n)) session.replies(piece);
    };
    expect(growth(2_000, run)).toBeLessThan(MOST_GROWTH);
  });
});
