import { type Answer, type Masking, type SqlCommand, Unmasked } from '@sluice/contract';
import { CUTS } from '@sluice/testkit';
import { describe, expect, test } from 'vitest';
import * as t from './talk.js';
import { type Talk, allow, reply, talk } from './talk.js';

/** What the gate was told and asked, in order. */
interface Masked extends Talk {
  readonly told: string[];
}

/**
 * A session whose masks write an X over each cell that is `secret`. Statements with "stop" in them are not what was judged;
 * with "late", that shows at a row. `set` changes the session.
 */
function masked(judge: (command: SqlCommand) => Answer = () => allow({ type: 'none' })): Masked {
  const told: string[] = [];
  const hide = (bytes: Buffer): Buffer =>
    Buffer.from(bytes.toString('latin1').replaceAll('secret', 'XXXXXX'), 'latin1');
  const editor = (text: string) => {
    let kept = Buffer.alloc(0);
    return {
      push: (bytes: Buffer): Buffer => {
        kept = Buffer.concat([kept, bytes]);
        let at = 0;
        while (kept.length - at >= 5 && kept.length - at > kept.readInt32BE(at + 1)) at += 1 + kept.readInt32BE(at + 1);
        const whole = kept.subarray(0, at);
        kept = Buffer.from(kept.subarray(at));
        if (text.includes('late') && whole.includes('secret')) throw new Unmasked('A row cannot be masked.');
        return hide(whole);
      },
      end: () => (text.includes('tail') ? reply.copyData('tail') : Buffer.alloc(0)),
    };
  };
  const maskingOf = (text: string): Masking => ({
    changesSession: text.startsWith('set'),
    runsCode: false,
    rows: (statement, columns) => {
      told.push(`rows ${statement} ${columns.map(({ name }) => name).join()}`);
      if (text.includes('stop')) throw new Unmasked('That is another result.');
      return columns.some(({ name }) => name === 'open') ? undefined : editor(text);
    },
    copy: () => editor(text),
    message: hide,
    completed: (statement) => told.push(`completed ${statement}`),
  });
  const session = talk({
    masks: {
      ready: (status) => told.push(status),
      message: hide,
      pooled: false,
      opened: () => ({ text: '', answered: () => ({}) }),
      needsLook: false,
      needsLookAfterChange: false,
      look: () => ({ text: '', answered: () => ({}) }),
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

const sent = (session: Talk): string => Buffer.concat(session.sent.client).toString('latin1');
const recorded = (session: Talk): string =>
  Buffer.concat(session.recorded.flatMap(({ data }) => data.map((bytes) => Buffer.from(bytes)))).toString('latin1');

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

  test('COPY data passes through the mask, and what it kept comes before the end', () => {
    const session = masked();
    session.client(t.query('copy tail to stdout'));
    replies(
      session,
      reply.copyOut,
      reply.copyData('secret'),
      reply.copyDone,
      reply.complete('COPY 1'),
      reply.ready('I'),
    );
    expect(session.toClient()).toEqual(['H', 'd', 'd', 'c', 'C', 'Z I']);
    expect(sent(session)).not.toContain('secret');
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
