import { hash } from 'node:crypto';
import type { Masking } from '@sluice/contract';
import { CUTS } from '@sluice/testkit';
import { describe, expect, test } from 'vitest';
import { B, message } from '../src/messages.js';
import * as t from './talk.js';
import { type Talk, allow, maskedSession, reply, talk } from './talk.js';

/** A look at the session: a statement of the gate's own between those of the client, which sees nothing of it. */

const SENT = ['Close', 'Parse', 'Bind', 'Execute', 'Close', 'Close', 'Sync'];

interface Looking extends Talk {
  readonly answers: (string | undefined)[];
}

/** `do` runs code, after which a look is due; the target has the prepared statements of `found`. */
function looking(found: Readonly<Record<string, string>> = {}): Looking {
  const answers: (string | undefined)[] = [];
  let due = false;
  const session = talk({
    masks: {
      ...maskedSession(),
      get needsLook() {
        return due;
      },
      look: () => {
        due = false;
        return {
          text: 'select session',
          answered: (value) => {
            answers.push(value);
            return { statements: new Map(Object.entries(found).map(([name, text]) => [name, hash('sha256', text)])) };
          },
        };
      },
    },
    judge: ({ text }) => {
      const runsCode = text.startsWith('do');
      const masking: Masking = {
        changesSession: runsCode,
        runsCode,
        rows: () => undefined,
        copy: () => undefined,
        texts: { hidden: false, clean: (text) => text },
        failed: () => {
          if (runsCode) due = true;
        },
        completed: () => {
          if (runsCode) due = true;
        },
      };
      const answer = allow({ type: 'none' });
      return answer.type === 'allow' ? { ...answer, masking } : answer;
    },
  });
  return Object.assign(session, { answers });
}

const looked = (value: string, status: 'I' | 'T' = 'I'): Buffer[] => [
  reply.closed,
  reply.parsed,
  reply.bound,
  reply.row(value),
  reply.complete('SELECT 1'),
  reply.closed,
  reply.closed,
  reply.ready(status),
];

describe.each(Object.entries(CUTS))('a look at the session, %s', (_, cut) => {
  const replies = (session: Talk, ...messages: Buffer[]): void => {
    for (const piece of cut(Buffer.concat(messages))) session.replies(piece);
  };
  const seen = (session: Looking): { client: string[]; upstream: string[] } => ({
    client: session.toClient(),
    upstream: session.upstream(),
  });

  test('goes before the next command, once, and the client sees nothing of it', () => {
    const session = looking();
    session.client(t.query('do a'));
    replies(session, reply.complete('DO'), reply.ready('I'));
    expect(seen(session)).toEqual({ client: ['C', 'Z I'], upstream: ['Query'] });
    session.client(t.query('select 1'));
    expect(session.upstream()).toEqual(SENT);
    replies(session, ...looked('told'));
    expect(session.answers).toEqual(['told']);
    expect(seen(session)).toEqual({ client: [], upstream: ['Query'] });
    replies(session, reply.complete('SELECT 0'), reply.ready('I'));
    session.client(t.query('select 2'));
    expect(seen(session)).toEqual({ client: ['C', 'Z I'], upstream: ['Query'] });
    expect(session.recorded.flatMap(({ type }) => (type === 'end' ? [type] : []))).toEqual(['end', 'end']);
  });

  describe('a statement with a name that is used behind code before the next Sync', () => {
    const start = (session: Looking): void => {
      session.client(
        t.parse('n', 'select 1'),
        t.batch('do a'),
        t.bind('', 'n'),
        t.describe('S', 'n'),
        t.execute(''),
        t.sync,
      );
      expect(session.upstream().slice(-4)).toEqual(['Bind', 'Describe', 'Execute', 'Flush']);
      replies(session, reply.parsed, reply.parsed, reply.bound, reply.noData, reply.complete('DO'));
      expect(session.upstream()).toEqual(['Close', 'Parse', 'Bind', 'Describe', 'Describe', 'Execute', 'Sync']);
      const texts = session.sent.upstream.map((bytes) => bytes.toString('latin1')).join('');
      expect(texts.slice(texts.lastIndexOf('C'))).toMatch(/^C\0\0\0\x07Sn\0P\0\0\0\x11n\0select 1\0\0\0B/);
      expect(session.toClient()).toEqual(['1', '1', '2', 'C']);
    };

    test('is prepared again, and the client sees nothing of it', () => {
      const session = looking({ n: 'select 1' });
      start(session);
      replies(session, reply.closed, reply.parsed, reply.bound, message(B.parameterDescription, Buffer.alloc(2)));
      replies(
        session,
        reply.columns('a'),
        reply.columns('a'),
        reply.row('1'),
        reply.complete('SELECT 1'),
        reply.ready('I'),
      );
      expect(session.toClient()).toEqual(['2', 't', 'T', 'D', 'C', 'Z I']);
      session.client(t.bind('', 'n'), t.execute(''), t.sync);
      replies(session, ...looked('told'));
      expect(session.upstream().slice(SENT.length)).toEqual(['Bind', 'Describe', 'Execute', 'Sync']);
    });

    test('is prepared again later where that failed', () => {
      const session = looking();
      start(session);
      replies(session, reply.closed, reply.error('42P01'), reply.ready('I'));
      expect(session.toClient()).toEqual(['E 42P01', 'Z I']);
      session.client(t.bind('', 'n'), t.execute(''), t.sync);
      replies(session, ...looked('told'));
      expect(session.upstream().slice(SENT.length)).toEqual(['Close', 'Parse', 'Bind', 'Describe', 'Execute', 'Sync']);
      session.client(t.close('S', 'n'), t.sync);
    });

    test('is gone once the client has closed it', () => {
      const session = looking();
      session.client(t.parse('n', 'select 1'), t.batch('do a'), t.close('S', 'n'), t.bind('', 'n'), t.sync);
      session.upstream();
      replies(session, reply.parsed, reply.parsed, reply.bound, reply.noData, reply.complete('DO'));
      replies(session, reply.closed, reply.error('26000'), reply.ready('I'));
      expect(session.upstream()).not.toContain('Parse');
      expect(session.toClient().slice(-3)).toEqual(['3', 'E 26000', 'Z I']);
    });
  });

  test('goes between the parts of a pipeline, at its Syncs, and waits for nobody inside one', () => {
    const session = looking();
    session.client(t.batch('do a'), t.batch('select 1'), t.sync, t.batch('select 2'), t.sync);
    expect(session.upstream()).toEqual(['Parse', 'Bind', 'Describe', 'Execute', 'Parse', 'Flush']);
    replies(session, reply.parsed, reply.bound, reply.noData, reply.complete('DO'), reply.parsed);
    expect(session.upstream()).toEqual(['Bind', 'Describe', 'Execute', 'Sync']);
    replies(session, reply.bound, reply.noData, reply.complete('SELECT 0'), reply.ready('I'));
    expect(session.upstream()).toEqual(SENT);
    replies(session, ...looked('told'));
    expect(session.upstream()).toEqual(['Parse', 'Bind', 'Describe', 'Execute', 'Sync']);
    expect(session.toClient()).toEqual(['1', '2', 'C', '1', '2', 'C', 'Z I']);
  });

  test('one that fails is told as failed, and the client does not read its error', () => {
    const session = looking();
    session.client(t.query('do a'));
    replies(session, reply.complete('DO'), reply.ready('I'));
    session.client(t.query('select 1'));
    replies(session, reply.closed, reply.error('57014'), reply.ready('I'));
    expect(session.answers).toEqual([undefined]);
    expect(seen(session)).toEqual({ client: ['C', 'Z I'], upstream: ['Query', ...SENT, 'Query'] });
  });

  test('an end of the session in the middle of one is told', () => {
    const session = looking();
    session.client(t.query('do a'));
    replies(session, reply.complete('DO'), reply.ready('I'));
    session.client(t.query('select 1'));
    replies(session, reply.closed, reply.error('57P01', 'FATAL'));
    expect(session.toClient()).toEqual(['C', 'Z I', 'E 57P01']);
  });

  test('a cancel that comes meanwhile does not reach it', () => {
    const session = looking();
    session.client(t.query('do a'));
    replies(session, reply.complete('DO'), reply.ready('I'));
    session.client(t.query('select 1'));
    expect(session.conversation.busy).toBe(false);
    replies(session, ...looked('told'));
    expect(session.conversation.busy).toBe(true);
  });

  test('after code only statements that the target still has are known, and no portal with a name', () => {
    const session = looking({ kept: 'select 1', other: 'select secret' });
    session.client(t.parse('kept', 'select 1'), t.parse('other', 'select 2'), t.bind('p', 'kept'), t.query('do a'));
    replies(session, reply.parsed, reply.parsed, reply.bound, reply.complete('DO'), reply.ready('T'));
    session.client(t.bind('', 'kept'), t.sync);
    replies(session, ...looked('told', 'T'));
    session.upstream();
    for (const attempt of [t.bind('', 'other'), t.describe('S', 'other'), t.execute('p')]) {
      session.client(attempt, t.sync);
      expect(session.upstream()[0]).toMatch(/stands in/);
    }
  });

  test('a portal that is not at its end has run code already, and is still the one that it was', () => {
    const session = looking();
    session.client(t.parse('', 'do rows'), t.bind('p', ''), t.execute('p', 1), t.sync);
    replies(session, reply.parsed, reply.bound, reply.columns('a'), reply.row('1'), reply.suspended, reply.ready('T'));
    session.upstream();
    session.client(t.execute('p', 1), t.sync);
    expect(session.upstream()).toEqual(SENT);
    replies(session, ...looked('told', 'T'));
    expect(session.upstream()).toEqual(['Execute', 'Sync']);
  });

  test('code that fails may have replaced statements too', () => {
    const session = looking();
    session.client(t.parse('kept', 'select 1'), t.sync, t.query('do a'));
    replies(session, reply.parsed, reply.ready('I'), reply.error('P0001'), reply.ready('I'));
    session.client(t.bind('', 'kept'), t.sync);
    replies(session, ...looked('told'));
    expect(session.upstream().at(-2)).toMatch(/stands in/);
  });
});
