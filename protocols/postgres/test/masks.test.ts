import {
  type Answer,
  type CellMask,
  type Masking,
  type ResultMasks,
  type RowRoom,
  type SqlCommand,
  type TextMask,
  Unmasked,
} from '@sluice/contract';
import { CUTS } from '@sluice/testkit';
import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { B, message } from '../src/messages.js';
import { maskRows } from '../src/masked/framing.js';
import { ownRoom } from '../src/masked/room.js';
import * as t from './talk.js';
import { sensible, type Talk, allow, maskedSession, reply, talk } from './talk.js';

/** What the gate was told and asked, in order. */
interface Masked extends Talk {
  readonly told: string[];
}

/** What another thread would have been asked, in order; each is answered by a call. */
const elsewhere: (() => void)[] = [];
const answerAll = async (): Promise<void> => {
  while (elsewhere.length > 0) {
    elsewhere.shift()?.();
    await turn();
  }
};

/** Tells when rows have moved, and when they have left. */
const roomOf = (told: string[]): RowRoom => ({
  ...ownRoom(),
  moved: () => void told.push('moved'),
  left: () => void told.push('left'),
});

/**
 * A session whose masks write an X over each `secret` in a cell, in another thread where the statement has "long" in it. Statements with "stop" in them are not what was judged;
 * with "late", that shows at a row; with "hidden", the client is told something of its columns. `set` changes the session.
 */
function masked(
  judge: (command: SqlCommand) => Answer = () => allow({ type: 'none' }),
  flushed?: () => Promise<void>,
): Masked {
  const told: string[] = [];
  const texts: TextMask = { hidden: false, clean: (text) => text.replaceAll('secret', 'XXXXXX') };
  const resultMasks = (text: string): ResultMasks => {
    let found = false;
    const hide: CellMask = (bytes, start, end) => {
      const text = bytes.toString('latin1', start, end);
      if (!text.includes('secret')) return undefined;
      found = true;
      return Buffer.from(text.replaceAll('secret', 'XXXXXX'));
    };
    const here = (rewrite: () => number): void => {
      rewrite();
      if (found && text.includes('late')) throw new Unmasked('A row cannot be masked.');
    };
    const limit = text.includes('long') ? 0 : Infinity;
    return {
      cells: [hide],
      room: roomOf(text.includes('huge') ? told : []),
      inline: { bytes: limit, cells: limit },
      here,
      elsewhere: (_, rows, shape) => {
        const copy = Buffer.from(rows);
        return new Promise((resolve, reject) =>
          elsewhere.push(() => {
            try {
              let made: Buffer = copy;
              here(() => {
                const { rows, masked } = maskRows([hide], copy, shape);
                made = rows;
                return masked;
              });
              resolve(made);
            } catch (error) {
              reject(error as Unmasked);
            }
          }),
        );
      },
      ...(text.includes('hidden') && { hidden: { columns: { size: 1 } as const, notice: NOTICE } }),
      ...(text.includes('behind') && { late: () => ({ columns: { malformed: 1 } as const, notice: NOTICE }) }),
      ...(text.includes('told before') && { hidden: { columns: { size: 1, name: 2 } as const } }),
    };
  };
  const maskingOf = (text: string): Masking => ({
    changesSession: text.startsWith('set'),
    runsCode: false,
    rows: (statement, { columns }) => {
      told.push(`rows ${statement} ${columns.map(({ name }) => name).join()}`);
      if (text.includes('stop')) throw new Unmasked('That is another result.');
      return columns.some(({ name }) => name === 'open') ? undefined : resultMasks(text);
    },
    copy: () => ({ ...resultMasks(text), format: { format: 'text' } }),
    texts,
    failed: () => undefined,
    completed: (statement) => told.push(`completed ${statement}`),
  });
  const session = talk({
    ...(flushed && { flushed }),
    masks: {
      ...maskedSession(),
      ready: (status) => told.push(status),
      texts,
      hidesSetting: (name) => name === 'secret',
    },
    judge: (command) => {
      const answer = judge(command);
      return answer.type === 'allow' && command.phase === 'run'
        ? { ...answer, masking: maskingOf(command.text) }
        : answer;
    },
  });
  return Object.assign(session, { told });
}

const NOTICE = { message: 'NULL stands in for it.', detail: 'It is too large.', hint: 'Send less.' };

const sent = (session: Talk): string => Buffer.concat(session.sent.client).toString('latin1');
const recorded = (session: Talk): string =>
  Buffer.concat(session.recorded.flatMap(({ data }) => data.map((bytes) => Buffer.from(bytes)))).toString('latin1');

beforeEach(() => void (elsewhere.length = 0));

describe('rows that another thread masks, and that are long', () => {
  const MIB = 1024 * 1024;
  /** What is to happen when the client has taken a slice. */
  const taken: (() => void)[] = [];
  const start = async (): Promise<Masked> => {
    taken.length = 0;
    const session = masked(undefined, () => new Promise((resolve) => taken.push(resolve)));
    session.client(t.query('long huge'), t.query('select 2'));
    session.replies(reply.columns('a'), reply.row(`secret${'x'.repeat(2.5 * MIB)}`), reply.complete('SELECT 1'));
    await answerAll();
    return session;
  };
  const take = async (): Promise<void> => {
    taken.shift()?.();
    await turn();
  };
  const size = (session: Talk): number => session.sent.client.reduce((sum, { length }) => sum + length, 0);

  test('are given as the client takes them, and nothing overtakes them', async () => {
    const session = await start();
    for (const mib of [1, 2]) {
      expect(Math.floor(size(session) / MIB)).toBe(mib);
      expect(session.conversation.wants('upstream')).toBe(false);
      await take();
    }
    expect(Math.floor((size(session) / MIB) * 2)).toBe(5);
    await take();
    // Two slices are taken, then the last one, and nothing is left behind it.
    expect(session.told.filter((one) => one === 'moved' || one === 'left').slice(-6)).toEqual([
      'moved',
      'moved',
      'moved',
      'left',
      'moved',
      'left',
    ]);
    expect(session.conversation.wants('upstream')).toBe(true);
    session.replies(reply.ready('I'), reply.columns('a'), reply.row('secret'), reply.complete('SELECT 1'));
    expect(session.toClient()).toEqual(['T', 'D', 'C', 'Z I', 'T', 'D', 'C']);
    expect(sent(session)).not.toContain('secret');
  });

  test('in the middle of one nothing is said, and what is left comes to nothing', async () => {
    const session = await start();
    const before = size(session);
    session.conversation.stop({ code: 'long-row-unread' }, 'now');
    expect(session.finished).toBe(true);
    await take();
    expect(size(session)).toBe(before);
    expect(session.recorded.at(-1)).toMatchObject({ type: 'end', outcome: 'lost' });
  });
});

describe.each(Object.entries(CUTS))('rows that another thread masks, %s', (_, cut) => {
  const replies = (session: Talk, ...messages: Buffer[]): void => {
    for (const piece of cut(Buffer.concat(messages))) session.replies(piece);
  };
  const answer = [
    reply.columns('a'),
    reply.row('secret'),
    reply.row('x'),
    reply.complete('SELECT 2'),
    reply.ready('I'),
  ];

  test('nothing behind them overtakes them, and nothing more is read meanwhile', async () => {
    const session = masked();
    session.client(t.query('long'), t.query('select 2'));
    replies(session, ...answer, ...answer);
    expect(session.toClient()).toEqual(['T']);
    expect(session.conversation.wants('upstream')).toBe(false);
    expect(session.conversation.wants('client')).toBe(true);
    expect(session.conversation.busy).toBe(true);
    await answerAll();
    expect(session.toClient()).toEqual(['D', 'D', 'C', 'Z I', 'T', 'D', 'D', 'C', 'Z I']);
    expect(session.conversation.wants('upstream')).toBe(true);
    expect(sent(session)).not.toContain('secret');
    expect(sent(session)).toContain('XXXXXX');
    expect(recorded(session)).toContain('XXXXXX');
    expect(recorded(session)).not.toContain('secret');
    expect(session.recorded.filter(({ type }) => type === 'end')).toMatchObject([
      { outcome: 'ok', rows: 2, summary: 'SELECT 2' },
      { outcome: 'ok', rows: 2, summary: 'SELECT 2' },
    ]);
  });

  test('the client can go on sending, and what waits for replies gets them', async () => {
    const session = masked();
    session.client(t.batch('long'), t.flush);
    replies(session, reply.parsed, reply.bound, reply.columns('a'), reply.row('secret'), reply.complete('SELECT 1'));
    session.client(t.sync, t.query('set a'), t.query('select 2'));
    expect(session.upstream().at(-1)).not.toBe('Terminate');
    await answerAll();
    replies(session, reply.ready('I'), reply.complete('SET'), reply.ready('I'));
    replies(session, ...answer);
    expect(session.toClient()).toEqual(['1', '2', 'D', 'C', 'Z I', 'C', 'Z I', 'T', 'D', 'D', 'C', 'Z I']);
  });

  test('a row that cannot be masked ends the result where it is', async () => {
    const session = masked();
    session.client(t.query('long late'), t.query('select 2'));
    replies(session, ...answer, ...answer);
    await answerAll();
    expect(session.toClient()).toEqual(['T', 'E 42501', 'Z I', 'T', 'D', 'D', 'C', 'Z I']);
    expect(sent(session)).not.toContain('secret');
    expect(recorded(session)).not.toContain('secret');
  });

  test('a cancel that the target answers comes behind them', async () => {
    const session = masked();
    session.client(t.query('long'));
    replies(session, reply.columns('a'), reply.row('secret'), reply.error('57014'), reply.ready('I'));
    expect(session.toClient()).toEqual(['T']);
    await answerAll();
    expect(session.toClient()).toEqual(['D', 'E 57014', 'Z I']);
  });

  test.each([
    ['the client hangs up', (session: Talk) => session.hangUp('client'), []],
    ['the target is lost', (session: Talk) => session.hangUp('upstream'), ['E 08006']],
    [
      'the session is ended',
      (session: Talk) => session.conversation.stop({ code: 'ended-by-administrator' }, 'now'),
      ['E 57P01'],
    ],
  ] as const)('%s: they come to nothing', async (_name, end, said) => {
    const session = masked();
    session.client(t.query('long'));
    replies(session, ...answer);
    session.toClient();
    end(session);
    expect(session.finished).toBe(true);
    expect(session.toClient()).toEqual(said);
    await answerAll();
    expect(session.toClient()).toEqual([]);
    expect(session.recorded.at(-1)).toMatchObject({ type: 'end', outcome: 'lost' });
    expect(recorded(session)).not.toContain('secret');
  });
});

describe.each(Object.entries(CUTS))('masks, %s', (_, cut) => {
  const replies = (session: Talk, ...messages: Buffer[]): void => {
    for (const piece of cut(Buffer.concat(messages))) session.replies(piece);
  };

  test('rows of a simple query pass through the mask, into the record too', () => {
    const session = masked();
    session.client(t.query('select a; select b'));
    replies(
      session,
      reply.columns('a'),
      reply.row('secret'),
      reply.row('plain'),
      reply.complete('SELECT 2'),
      reply.columns('open'),
      reply.row('secret'),
      reply.complete('SELECT 1'),
      reply.ready('I'),
    );
    expect(session.toClient()).toEqual(['T', 'D', 'D', 'C', 'T', 'D', 'C', 'Z I']);
    expect(sent(session).match(/secret|XXXXXX/g)).toEqual(['XXXXXX', 'secret']);
    expect(recorded(session).match(/secret|XXXXXX/g)).toEqual(['XXXXXX', 'secret']);
    expect(session.told).toEqual(['rows 0 a', 'completed 0', 'rows 1 open', 'completed 1', 'idle']);
  });

  test('Execute without Describe: the gateway asks, and the client does not see the reply', () => {
    const session = masked();
    session.client(t.batch('select a'), t.sync);
    expect(session.upstream()).toEqual(['Parse', 'Bind', 'Describe', 'Execute', 'Sync']);
    replies(
      session,
      reply.parsed,
      reply.bound,
      reply.columns('a'),
      reply.row('secret'),
      reply.complete('SELECT 1'),
      reply.ready('I'),
    );
    expect(session.toClient()).toEqual(['1', '2', 'D', 'C', 'Z I']);
    expect(sent(session)).not.toContain('secret');
  });

  describe('what the client is told of columns that are hidden', () => {
    const ends = (session: Talk): unknown[] =>
      session.recorded.flatMap((event) => (event.type === 'end' ? [event.hidden] : []));

    test('comes before the description of each result of a simple query, and is on record', () => {
      const session = masked();
      session.client(t.query('hidden; hidden'));
      for (const end of [reply.complete('SELECT 1'), Buffer.concat([reply.complete('SELECT 1'), reply.ready('I')])])
        replies(session, reply.columns('a'), reply.row('secret'), end);
      expect(session.toClient()).toEqual(['N', 'T', 'D', 'C', 'N', 'T', 'D', 'C', 'Z I']);
      expect(ends(session)).toEqual([{ size: 2 }]);
      expect(recorded(session)).toBe(sent(session).slice(0, -reply.ready('I').length));
      expect(session.recorded.at(-1)).toMatchObject({ bytes: sent(session).length });
      expect(sent(session)).toContain(
        'SWARNING\0VWARNING\0C01M01\0MNULL stands in for it.\0DIt is too large.\0HSend less.',
      );
    });

    test('takes the place of a description that the client did not ask for', () => {
      const session = masked();
      session.client(t.batch('hidden'), t.batch('told before'), t.batch('hidden'), t.sync);
      for (let n = 0; n < 3; n++)
        replies(
          session,
          reply.parsed,
          reply.bound,
          reply.columns('a'),
          reply.row('secret'),
          reply.complete('SELECT 1'),
        );
      replies(session, reply.ready('I'));
      expect(session.toClient()).toEqual(['1', '2', 'N', 'D', 'C', '1', '2', 'D', 'C', '1', '2', 'N', 'D', 'C', 'Z I']);
      expect(ends(session)).toEqual([{ size: 1 }, { size: 1, name: 2 }, { size: 1 }]);
    });

    test('comes before a description of a portal that the client asked for, once', () => {
      const session = masked();
      session.client(
        t.parse('', 'told before'),
        t.bind('p', ''),
        t.describe('P', 'p'),
        t.describe('P', 'p'),
        t.execute('p', 1),
        t.execute('p'),
        t.sync,
      );
      replies(session, reply.parsed, reply.bound, reply.columns('a'), reply.columns('a'), reply.row('x'));
      replies(session, reply.suspended, reply.row('x'), reply.complete('SELECT 1'), reply.ready('I'));
      expect(session.toClient()).toEqual(['1', '2', 'T', 'T', 'D', 's', 'D', 'C', 'Z I']);
      expect(ends(session)).toEqual([{ size: 1, name: 2 }, undefined]);
      session.client(
        t.parse('', 'hidden'),
        t.bind('p', ''),
        t.describe('P', 'p'),
        t.execute('p', 1),
        t.execute('p'),
        t.sync,
      );
      replies(session, reply.parsed, reply.bound, reply.columns('a'), reply.row('x'), reply.suspended, reply.row('x'));
      replies(session, reply.complete('SELECT 1'), reply.ready('I'));
      expect(session.toClient()).toEqual(['1', '2', 'N', 'T', 'D', 's', 'D', 'C', 'Z I']);
    });

    test('comes before COPY begins, and never among its data', () => {
      const session = masked();
      session.client(t.query('copy hidden'), t.query('select 2'));
      replies(session, reply.copyOut, reply.copyData('secret\n'), reply.copyData('x\n'), reply.copyDone);
      replies(session, reply.complete('COPY 2'), reply.ready('I'));
      replies(session, reply.columns('open'), reply.row('2'), reply.complete('SELECT 1'), reply.ready('I'));
      expect(session.toClient()).toEqual(['N', 'H', 'd', 'd', 'c', 'C', 'Z I', 'T', 'D', 'C', 'Z I']);
      expect(ends(session)).toEqual([{ size: 1 }, undefined]);
    });

    test('comes behind the rows where only they show it: with the end of COPY, or of what an Execute gives', () => {
      const session = masked();
      session.client(
        t.query('copy behind'),
        t.parse('', 'behind'),
        t.bind('', ''),
        t.execute('', 1),
        t.execute(''),
        t.sync,
      );
      replies(
        session,
        reply.copyOut,
        reply.copyData('x\n'),
        reply.copyDone,
        reply.complete('COPY 1'),
        reply.ready('I'),
      );
      replies(session, reply.parsed, reply.bound, reply.columns('a'), reply.row('x'), reply.suspended, reply.row('x'));
      replies(session, reply.complete('SELECT 1'), reply.ready('I'));
      expect(session.toClient()).toEqual(
        'H d c N C Z_I 1 2 D N s D N C Z_I'.split(' ').map((one) => one.replace('_', ' ')),
      );
      expect(ends(session)).toEqual([{ malformed: 1 }, { malformed: 1 }, { malformed: 1 }]);
    });

    test('is not said of what the client does not get', () => {
      const session = masked();
      session.client(t.batch('stop'), t.batch('hidden'), t.sync);
      replies(session, reply.parsed, reply.bound, reply.columns('a'), reply.row('x'), reply.complete('SELECT 1'));
      replies(session, reply.parsed, reply.bound, reply.columns('a'), reply.row('x'), reply.complete('SELECT 1'));
      replies(session, reply.ready('I'));
      expect(session.toClient()).toEqual(['1', '2', 'E 42501', 'Z I']);
    });
  });

  test('a portal is described once, however often it is executed', () => {
    const session = masked();
    session.client(
      t.parse('', 'select a'),
      t.bind('p', ''),
      t.describe('P', 'p'),
      t.execute('p', 1),
      t.execute('p', 1),
      t.sync,
    );
    expect(session.upstream()).toEqual(['Parse', 'Bind', 'Describe', 'Execute', 'Execute', 'Sync']);
    replies(session, reply.parsed, reply.bound, reply.columns('a'), reply.row('secret'), reply.suspended);
    replies(session, reply.row('secret'), reply.complete('SELECT 1'), reply.ready('I'));
    expect(session.toClient()).toEqual(['1', '2', 'T', 'D', 's', 'D', 'C', 'Z I']);
    expect(sent(session)).not.toContain('secret');
  });

  test('a result that is not what was judged is stopped, and the status is the one of the server', () => {
    const session = masked();
    session.client(t.query('stop; select 2'));
    replies(
      session,
      reply.columns('a'),
      reply.row('secret'),
      reply.complete('SELECT 1'),
      reply.columns('open'),
      reply.row('2'),
    );
    replies(session, reply.complete('SELECT 1'), reply.ready('T'));
    expect(session.toClient()).toEqual(['E 42501', 'Z T']);
    expect(recorded(session)).not.toContain('secret');
    expect(session.recorded.at(-1)).toMatchObject({ type: 'end', outcome: 'error' });
    session.client(t.query('select a'));
    replies(session, reply.columns('a'), reply.row('x'), reply.complete('SELECT 1'), reply.ready('T'));
    expect(session.toClient()).toEqual(['T', 'D', 'C', 'Z T']);
  });

  test('what was pipelined behind a stopped result is read and dropped, up to the Sync', () => {
    const session = masked();
    session.client(t.batch('stop'), t.batch('select 2'), t.sync, t.query('select 3'));
    replies(session, reply.parsed, reply.bound, reply.columns('a'), reply.row('secret'), reply.complete('SELECT 1'));
    replies(
      session,
      reply.parsed,
      reply.bound,
      reply.columns('b'),
      reply.row('secret'),
      reply.complete('SELECT 1'),
      reply.ready('I'),
    );
    replies(session, reply.columns('c'), reply.row('3'), reply.complete('SELECT 1'), reply.ready('I'));
    expect(session.toClient()).toEqual(['1', '2', 'E 42501', 'Z I', 'T', 'D', 'C', 'Z I']);
    expect(sent(session)).not.toContain('secret');
  });

  test('behind a stopped result nothing more is sent before the Sync', () => {
    const session = masked();
    session.client(t.batch('stop'), t.flush);
    replies(session, reply.parsed, reply.bound, reply.columns('a'), reply.row('secret'), reply.complete('SELECT 1'));
    session.upstream();
    session.client(t.batch('select 2'), t.sync);
    expect(session.upstream()).toEqual(['Sync']);
    replies(session, reply.ready('I'));
    expect(session.toClient()).toEqual(['1', '2', 'E 42501', 'Z I']);
  });

  test('COPY FROM STDIN behind a stopped result gets no data, and keeps nobody waiting', () => {
    const session = masked(sensible);
    session.client(t.batch('stop'), t.batch('copy t from stdin'), t.sync, t.query('select a'));
    replies(session, reply.parsed, reply.bound, reply.columns('a'), reply.row('secret'), reply.complete('SELECT 1'));
    session.upstream();
    replies(session, reply.parsed, reply.bound, reply.noData, reply.copyIn);
    expect(session.upstream()).toEqual(['CopyFail']);
    replies(session, reply.error('57014'));
    expect(session.upstream()).toEqual(['Sync', 'Query']);
    replies(
      session,
      reply.ready('I'),
      reply.columns('a'),
      reply.row('x'),
      reply.complete('SELECT 1'),
      reply.ready('I'),
    );
    expect(session.toClient()).toEqual(['1', '2', 'E 42501', 'Z I', 'T', 'D', 'C', 'Z I']);
  });

  test('nor in the same text', () => {
    const session = masked(sensible);
    session.client(t.query('stop; copy t from stdin'), t.query('select a'));
    replies(session, reply.columns('a'), reply.row('secret'), reply.complete('SELECT 1'));
    session.upstream();
    replies(session, reply.copyIn);
    expect(session.upstream()[0]).toBe('CopyFail');
    replies(session, reply.error('57014'), reply.ready('I'));
    replies(session, reply.columns('a'), reply.row('x'), reply.complete('SELECT 1'), reply.ready('I'));
    expect(session.toClient()).toEqual(['E 42501', 'Z I', 'T', 'D', 'C', 'Z I']);
  });

  test('a row that cannot be masked ends the result where it is', () => {
    const session = masked();
    session.client(t.query('late'));
    replies(session, reply.columns('a'), reply.row('plain'));
    replies(session, reply.row('secret'), reply.row('plain'), reply.complete('SELECT 3'), reply.ready('I'));
    expect(session.toClient()).toEqual(['T', 'D', 'E 42501', 'Z I']);
    expect(`${sent(session)}${recorded(session)}`).not.toContain('secret');
  });

  test('rows that were not described do not pass', () => {
    const session = masked();
    session.client(t.query('select a'));
    replies(session, reply.row('secret'), reply.complete('SELECT 1'), reply.ready('I'));
    expect(session.toClient()).toEqual(['E 42501', 'Z I']);
  });

  test('COPY data passes through the mask, but not a row that is cut off by the end', () => {
    const session = masked();
    session.client(t.query('copy a to stdout'), t.query('copy a to stdout'));
    const end = [reply.copyDone, reply.complete('COPY 1'), reply.ready('I')];
    replies(session, reply.copyOut, reply.copyData('secret\nx'), reply.copyData('y\n'), ...end);
    expect(session.toClient()).toEqual(['H', 'd', 'd', 'c', 'C', 'Z I']);
    expect(sent(session)).toContain('XXXXXX\n');
    expect(sent(session)).toContain('xy\n');
    replies(session, reply.copyOut, reply.copyData('x\nsecret'), ...end);
    expect(session.toClient()).toEqual(['H', 'd', 'E 42501', 'Z I']);
    expect(`${sent(session)}${recorded(session)}`).not.toContain('secret');
  });

  test('a report of a setting that may say what was masked does not pass', () => {
    const session = masked();
    const report = (name: string): Buffer => message(B.parameterStatus, name, 'value');
    session.client(t.query('select a'));
    replies(session, report('application_name'), report('Secret'), reply.columns('a'), report('SECRET'));
    replies(session, reply.row('x'), reply.complete('SELECT 1'), reply.ready('I'));
    expect(session.toClient()).toEqual(['S', 'T', 'D', 'C', 'Z I']);
    expect(`${sent(session)}${recorded(session)}`.toLowerCase()).not.toContain('secret');
  });

  test('errors and notices, those that belong to no command too', () => {
    const session = masked();
    replies(session, noticeOf('secret'));
    session.client(t.query('select a'));
    replies(session, noticeOf('secret'), errorOf('secret'), reply.ready('E'));
    expect(session.toClient()).toEqual(['N', 'N', 'E 22000', 'Z E']);
    expect(`${sent(session)}${recorded(session)}${JSON.stringify(session.recorded)}`).not.toContain('secret');
    expect(session.told).toEqual(['failed']);
  });
});

test('a command waits while one that changes the session is on its way', () => {
  const session = masked();
  session.client(t.batch('set search_path to x'), t.batch('select a'), t.sync);
  expect(session.upstream()).toEqual(['Parse', 'Bind', 'Describe', 'Execute', 'Parse', 'Flush']);
  session.replies(reply.parsed, reply.bound, reply.noData, reply.complete('SET'));
  expect(session.upstream()).toEqual(['Bind', 'Describe', 'Execute', 'Sync']);
  expect(session.told).toEqual(['completed 0']);
});

test('a cursor of DECLARE is not read by Execute, which names no statement that was judged', () => {
  const session = masked(({ text }) =>
    allow(text.startsWith('declare') ? { type: 'declare', name: 'c' } : { type: 'none' }),
  );
  session.client(t.query('declare c cursor for select a'));
  session.replies(reply.complete('DECLARE CURSOR'), reply.ready('T'));
  session.upstream();
  session.client(t.execute('c'), t.sync);
  expect(session.upstream()).toEqual(['Execute (stands in)', 'Sync']);
  session.replies(reply.error('34000'), reply.ready('E'));
  expect(session.toClient()).toEqual(['C', 'Z T', 'E 0A000', 'Z E']);
});

test('a cursor is declared by the extended protocol, and described', () => {
  const session = masked(({ text }) =>
    allow(text.startsWith('declare') ? { type: 'declare', name: 'c' } : { type: 'none' }),
  );
  session.client(t.batch('declare c cursor for select a'), t.sync);
  expect(session.upstream()).toEqual(['Parse', 'Bind', 'Describe', 'Execute', 'Sync']);
  session.replies(reply.parsed, reply.bound, reply.noData, reply.complete('DECLARE CURSOR'), reply.ready('T'));
  session.client(t.describe('P', 'c'), t.sync);
  expect(session.upstream()).toEqual(['Describe', 'Sync']);
  session.replies(reply.columns('a'), reply.ready('T'));
  expect(session.toClient()).toEqual(['1', '2', 'C', 'Z T', 'T', 'Z T']);
  expect(session.told).toEqual(['completed 0', 'open', 'open']);
  session.client(t.execute('c'), t.sync);
  expect(session.upstream()).toEqual(['Execute (stands in)', 'Sync']);
});

test('a cursor that has taken the name of a portal is no portal', () => {
  const session = masked(({ text }) =>
    allow(text.startsWith('declare') ? { type: 'declare', name: 'c' } : { type: 'none' }),
  );
  session.client(t.query('begin; savepoint s'), t.parse('', 'select a'), t.bind('c', ''), t.sync);
  session.replies(reply.complete('BEGIN'), reply.complete('SAVEPOINT'), reply.ready('T'));
  session.replies(reply.parsed, reply.bound, reply.ready('T'));
  session.client(t.query('rollback to s'), t.query('declare c cursor for select secret'));
  session.replies(reply.complete('ROLLBACK'), reply.ready('T'), reply.complete('DECLARE CURSOR'), reply.ready('T'));
  session.upstream();
  session.client(t.execute('c'), t.sync);
  expect(session.upstream()).toEqual(['Execute (stands in)', 'Sync']);
});

test('each wait for a reply sends a Flush of its own', () => {
  const session = masked();
  session.client(t.batch('set a'), t.batch('set b'), t.batch('select c'), t.sync);
  expect(session.upstream()).toEqual(['Parse', 'Bind', 'Describe', 'Execute', 'Parse', 'Flush']);
  session.replies(reply.parsed, reply.bound, reply.noData, reply.complete('SET'));
  expect(session.upstream()).toEqual(['Bind', 'Describe', 'Execute', 'Parse', 'Flush']);
  session.replies(reply.parsed, reply.bound, reply.noData, reply.complete('SET'));
  expect(session.upstream()).toEqual(['Bind', 'Describe', 'Execute', 'Sync']);
});

test('a wait needs no Flush where the client has sent one, and one for what it sent behind it', () => {
  const session = masked();
  session.client(t.batch('set a'), t.flush, t.bind('', ''));
  expect(session.upstream()).toEqual(['Parse', 'Bind', 'Describe', 'Execute', 'Flush']);
  session.replies(reply.parsed, reply.bound, reply.noData, reply.complete('SET'));
  expect(session.upstream()).toEqual(['Bind']);
  session.client(t.execute(''), t.bind('', ''));
  expect(session.upstream()).toEqual(['Describe', 'Execute', 'Flush']);
});

const fieldsOf = (code: string, text: string): Buffer => Buffer.from(`SERROR\0VERROR\0C${code}\0M${text}\0\0`);
const framed = (tag: string, body: Buffer): Buffer => {
  const head = Buffer.from([tag.charCodeAt(0), 0, 0, 0, 0]);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
const errorOf = (text: string): Buffer => framed('E', fieldsOf('22000', text));
const noticeOf = (text: string): Buffer => framed('N', fieldsOf('00000', text));
