import { expect, test } from 'vitest';
import * as t from './talk.js';
import { reply, talk } from './talk.js';

test('what no rule touches passes byte for byte', () => {
  const session = talk();
  const asked = t.query('select 1');
  session.client(asked);
  expect(Buffer.concat(session.sent.upstream)).toEqual(asked);
  const answer = Buffer.concat([reply.columns('a'), reply.row('1'), reply.complete('SELECT 1'), reply.ready('I')]);
  session.replies(answer);
  expect(Buffer.concat(session.sent.client)).toEqual(answer);
});

test('a refused simple query fails in the words of the rule, and the status is the one of the server', () => {
  const session = talk();
  session.client(t.query('drop table users'));
  expect(session.upstream()).toEqual(['Query (stands in)']);
  session.replies(reply.error('42601'), reply.ready('E'));
  expect(session.toClient()).toEqual(['E 42501', 'Z E']);
  session.client(t.query('rollback'));
  expect(session.upstream()).toEqual(['Query']);
});

test('a refused statement fails in its place in the pipeline, and the server agrees', () => {
  const session = talk();
  session.client(
    t.batch('insert into log values (1)'),
    t.parse('', 'drop table users'),
    t.bind('', ''),
    t.execute(''),
    t.sync,
  );
  expect(session.upstream()).toEqual(['Parse', 'Bind', 'Execute', 'Parse (stands in)', 'Sync']);
  session.replies(reply.parsed, reply.bound, reply.complete('INSERT 0 1'), reply.error('42601'), reply.ready('I'));
  expect(session.toClient()).toEqual(['1', '2', 'C', 'E 42501', 'Z I']);
});

test('a genuine error that came first is the one that the client gets', () => {
  const session = talk();
  session.client(t.batch('select 1/0'), t.parse('', 'drop table users'), t.sync);
  session.replies(reply.parsed, reply.bound, reply.error('22012'), reply.ready('I'));
  expect(session.toClient()).toEqual(['1', '2', 'E 22012', 'Z I']);
});

test('an error that a stand-in did not provoke is passed on as it is', () => {
  const session = talk();
  session.client(t.query('drop table users'));
  session.replies(reply.error('57014'), reply.ready('I'));
  expect(session.toClient()).toEqual(['E 57014', 'Z I']);
});

test('after an error, what the target will skip is neither asked about nor sent', () => {
  const session = talk();
  session.client(t.batch('select 1/0'), t.flush);
  session.replies(reply.parsed, reply.bound, reply.error('22012'));
  session.upstream();
  session.client(t.batch('select 2'), t.query('select 3'), t.sync, t.query('select 4'));
  expect(session.upstream()).toEqual(['Sync', 'Query']);
  expect(session.asked.map((command) => command.text)).toEqual(['select 1/0', 'select 1/0', 'select 4']);
});

test('each Bind is asked about, with its values', () => {
  const session = talk();
  session.client(t.parse('s', 'select $1'), t.sync);
  session.replies(reply.parsed, reply.ready('I'));
  session.client(t.bind('', 's', 'a', null), t.execute(''), t.sync, t.bind('', 's', 'b'), t.execute(''), t.sync);
  expect(session.bound).toEqual([['a', null], ['b']]);
});

test('a Parse that fails at the target does not change what a name means', () => {
  const session = talk();
  session.client(t.parse('s', 'delete from a'), t.sync);
  session.replies(reply.parsed, reply.ready('I'));
  // The name is taken, so this Parse will fail; a Bind behind the Sync would run the DELETE.
  session.client(t.parse('s', 'select 1'), t.sync, t.bind('', 's'), t.execute(''), t.sync);
  expect(session.asked.at(-1)).toMatchObject({ phase: 'prepare', text: 'select 1' });
  session.replies(reply.error('42P05'), reply.ready('I'));
  expect(session.asked.at(-1)).toMatchObject({ phase: 'run', text: 'delete from a' });
});

test('SQL PREPARE and Bind share one name space', () => {
  const session = talk();
  session.client(t.query('prepare p as delete from a'));
  session.client(t.bind('', 'p'), t.execute(''), t.sync);
  expect(session.asked).toHaveLength(1);
  session.replies(reply.complete('PREPARE'), reply.ready('I'));
  expect(session.asked.at(-1)).toMatchObject({ phase: 'run', text: 'prepare p as delete from a' });
});

test('a PREPARE inside the same pipeline is settled by a Flush before the name is used', () => {
  const session = talk();
  session.client(t.batch('prepare p as select 1'), t.bind('', 'p'), t.execute(''), t.sync);
  expect(session.upstream()).toEqual(['Parse', 'Bind', 'Execute', 'Flush']);
  session.replies(reply.parsed, reply.bound, reply.complete('PREPARE'));
  expect(session.upstream()).toEqual(['Bind', 'Execute', 'Sync']);
});

test('two statements before one Sync that need a reply first get a Flush each', () => {
  const session = talk();
  session.client(t.batch('prepare a as select 1'), t.batch('execute a'), t.batch('prepare b as select 2'));
  expect(session.upstream()).toEqual(['Parse', 'Bind', 'Execute', 'Flush']);
  session.replies(reply.parsed, reply.bound, reply.complete('PREPARE'));
  session.client(t.batch('execute b'), t.sync);
  expect(session.upstream()).toEqual(['Parse', 'Bind', 'Execute', 'Parse', 'Bind', 'Execute', 'Flush']);
  session.replies(reply.parsed, reply.bound, reply.complete('SELECT 1'));
  session.replies(reply.parsed, reply.bound, reply.complete('PREPARE'));
  expect(session.upstream()).toEqual(['Parse', 'Bind', 'Execute', 'Sync']);
});

test('SQL EXECUTE sees what the target will see', () => {
  const session = talk();
  session.client(t.parse('p', 'select 1'), t.sync, t.query('execute p'));
  expect(session.asked).toHaveLength(1);
  session.replies(reply.parsed, reply.ready('I'));
  expect(session.upstream()).toEqual(['Parse', 'Sync', 'Query']);
  session.client(t.query('deallocate p'));
  session.replies(reply.complete('SELECT 1'), reply.ready('I'), reply.complete('DEALLOCATE'), reply.ready('I'));
  session.client(t.query('execute p'));
  session.replies(reply.error('42601'), reply.ready('I'));
  expect(session.toClient().slice(-2)).toEqual(['E 42501', 'Z I']);
});

test('a name that nobody prepared fails as the server would fail it', () => {
  const session = talk();
  session.client(t.bind('', 'ghost'), t.execute(''), t.sync);
  expect(session.upstream()).toEqual(['Bind (stands in)', 'Sync']);
  session.replies(reply.error('26000'), reply.ready('I'));
  expect(session.toClient()).toEqual(['E 26000', 'Z I']);
});

test('COPY FROM STDIN: data streams, and a Sync inside it gets no reply', () => {
  const session = talk();
  session.client(t.batch('copy t from stdin'), t.sync, t.copyData('1\n'));
  expect(session.upstream()).toEqual(['Parse', 'Bind', 'Execute']);
  session.replies(reply.parsed, reply.bound, reply.copyIn);
  expect(session.upstream()).toEqual(['CopyData']);
  session.client(t.copyData('2\n'), t.copyDone, t.sync);
  expect(session.upstream()).toEqual(['CopyData', 'CopyDone', 'Sync']);
  session.replies(reply.complete('COPY 2'), reply.ready('I'));
  expect(session.toClient()).toEqual(['1', '2', 'G', 'C', 'Z I']);
  expect(session.conversation.busy).toBe(false);
});

test.each([
  ['a query', t.query('select 1'), [reply.complete('SELECT 1'), reply.ready('I')]],
  ['a query that fails', t.query('select 1'), [reply.error('22012'), reply.ready('I')]],
  [
    'an extended query',
    Buffer.concat([t.batch('select 1'), t.sync]),
    [reply.parsed, reply.bound, reply.complete('SELECT 1'), reply.ready('I')],
  ],
  [
    'an extended query that fails',
    Buffer.concat([t.batch('select 1'), t.sync]),
    [reply.error('22012'), reply.ready('I')],
  ],
  ['a refused query', t.query('drop table users'), [reply.error('42601'), reply.ready('I')]],
])('COPY FROM STDIN that is sent before the replies to %s have come', (_, before, replies) => {
  const session = talk();
  session.client(before, t.query('copy t from stdin'), t.copyData('1\n'), t.copyDone);
  session.replies(...replies);
  session.upstream();
  session.replies(reply.copyIn);
  expect(session.upstream()).toEqual(['CopyData', 'CopyDone']);
});

test('COPY FROM STDIN that fails before it starts leaves the session in step', () => {
  const session = talk();
  session.client(t.query('copy missing from stdin'));
  session.replies(reply.error('42P01'), reply.ready('I'));
  session.client(t.copyData('late'), t.copyDone, t.query('select 1'));
  expect(session.upstream()).toEqual(['Query', 'Query']);
});

test.each([
  ['a statement that is none', [t.query('select 1')]],
  ['one before it', [t.query('select 1'), t.query('copy t from stdin')]],
])('a target that asks for COPY data of %s ends the session', (_, sent) => {
  const session = talk();
  session.client(...sent);
  session.replies(reply.copyIn);
  expect(session.toClient()).toEqual(['E 08P01']);
  expect(session.finished).toBe(true);
});

test('nothing behind a question passes before its answer', () => {
  const session = talk({ judge: (command) => (command.text === 'slow' ? undefined : t.allow({ type: 'none' })) });
  session.client(t.query('select 1'), t.query('slow'), t.query('select 2'));
  expect(session.upstream()).toEqual(['Query']);
  session.replies(reply.complete('SELECT 1'), reply.ready('I'));
  expect(session.upstream()).toEqual([]);
  session.answer(t.allow({ type: 'none' }));
  expect(session.upstream()).toEqual(['Query', 'Query']);
});

test('a question whose turn is lost while it was open is closed as skipped', () => {
  const session = talk({ judge: (command) => (command.text === 'slow' ? undefined : t.allow({ type: 'none' })) });
  session.client(t.batch('select 1/0'), t.flush, t.parse('', 'slow'), t.sync);
  session.replies(reply.parsed, reply.bound, reply.error('22012'));
  session.answer(t.allow({ type: 'none' }));
  session.replies(reply.ready('I'));
  expect(session.toClient()).toEqual(['1', '2', 'E 22012', 'Z I']);
});

test('a message over the limit is refused unread, and the session goes on', () => {
  const session = talk({ message: 100 });
  const long = t.query('x'.repeat(1000));
  session.client(long.subarray(0, 50));
  expect(session.upstream()).toEqual(['Query (stands in)']);
  session.client(long.subarray(50), t.query('select 1'));
  expect(session.upstream()).toEqual(['Query']);
  session.replies(reply.error('42601'), reply.ready('I'));
  expect(session.toClient()).toEqual(['E 54000', 'Z I']);
});

test('a length of 2 GB costs no memory and is refused', () => {
  const session = talk();
  const head = Buffer.from([0x51, 0x7f, 0xff, 0xff, 0xff]);
  session.client(head);
  expect(session.upstream()).toEqual(['Query (stands in)']);
  for (let i = 0; i < 100; i++) session.client(Buffer.alloc(64 * 1024));
  expect(session.upstream()).toEqual([]);
  expect(session.conversation.wants('client')).toBe(true);
});

test.each([
  ['a length below its own size', Buffer.from([0x51, 0, 0, 0, 3])],
  ['an unknown tag', Buffer.from([0x7a, 0, 0, 0, 4])],
  ['a name longer than any name', Buffer.from([0x44, 0x7f, 0xff, 0xff, 0xff])],
  ['a text without its end', t.query('select 1').fill(65, 5)],
  [
    'bytes behind the last field',
    (() => {
      const b = Buffer.concat([t.query('a'), Buffer.from('drop')]);
      b.writeInt32BE(b.length - 1, 1);
      return b;
    })(),
  ],
])('%s ends the session with a protocol violation', (_, bytes) => {
  const session = talk();
  session.client(bytes);
  expect(session.toClient()).toEqual(['E 08P01']);
  expect(session.upstream()).toEqual(['Terminate']);
  expect(session.finished).toBe(true);
});

const bad = (bytes: Buffer): Buffer => bytes.fill(0xff, bytes.indexOf('?'), bytes.indexOf('?') + 1);

test('a query that is no UTF-8 fails alone', () => {
  const session = talk();
  session.client(bad(t.query("select '?'")));
  expect(session.upstream()).toEqual(['Query (stands in)']);
  session.replies(reply.error('42601'), reply.ready('I'));
  expect(session.toClient()).toEqual(['E 22021', 'Z I']);
  session.client(t.query('select 1'));
  expect(session.upstream()).toEqual(['Query']);
  expect(session.asked.map(({ text }) => text)).toEqual(['select 1']);
});

test.each([
  ['a Parse', bad(t.parse('', "select '?'")), 'Parse (stands in)', '42601'],
  ['the name in a Parse', bad(t.parse('?', 'select 1')), 'Parse (stands in)', '42601'],
  ['a name in a Bind', bad(t.bind('?', '')), 'Bind (stands in)', '26000'],
  ['the name in a Describe', bad(t.describe('P', '?')), 'Describe (stands in)', '26000'],
  ['the name in a Close', bad(t.close('S', '?')), 'Describe (stands in)', '26000'],
  ['the name in an Execute', bad(t.execute('?')), 'Execute (stands in)', '34000'],
])('%s that is no UTF-8 fails up to its Sync', (_, bytes, standIn, code) => {
  const session = talk();
  session.client(bytes, t.parse('', 'select 2'), t.sync);
  expect(session.upstream()).toEqual([standIn, 'Sync']);
  session.replies(reply.error(code), reply.ready('I'));
  expect(session.toClient()).toEqual(['E 22021', 'Z I']);
  expect(session.asked).toEqual([]);
  expect(session.finished).toBe(false);
});

test('a setting that decides how statements read may not change', () => {
  const session = talk();
  session.replies(reply.status('application_name', 'x'));
  expect(session.finished).toBe(false);
  session.replies(reply.status('standard_conforming_strings', 'off'));
  expect(session.finished).toBe(true);
});

test('the target may not say what nobody asked for', () => {
  for (const bytes of [
    reply.row('1'),
    reply.complete('SELECT 1'),
    reply.ready('I'),
    reply.parsed,
    Buffer.from([0x57, 0, 0, 0, 4]),
  ]) {
    const session = talk();
    session.replies(bytes);
    expect(session.toClient()).toEqual(['E 08P01']);
  }
});

test('the record holds what the client was given, with the names of the columns', () => {
  const session = talk();
  session.client(t.parse('s', 'select a'), t.describe('S', 's'), t.sync);
  session.replies(reply.parsed, Buffer.from([0x74, 0, 0, 0, 6, 0, 0]), reply.columns('a'), reply.ready('I'));
  session.client(t.bind('', 's'), t.execute(''), t.sync);
  session.replies(reply.bound, reply.row('x'), reply.row('y'));
  session.replies(reply.complete('SELECT 2'), reply.ready('I'));
  const data = Buffer.concat(session.recorded.flatMap((event) => event.data.map((bytes) => Buffer.from(bytes))));
  expect(data.includes(reply.columns('a'))).toBe(true);
  expect(data.includes(reply.row('y'))).toBe(true);
  expect(session.recorded.at(-1)).toMatchObject({ type: 'end', outcome: 'ok', rows: 2, summary: 'SELECT 2' });
});

test('the record keeps whole messages up to its cap, and counts on', () => {
  const session = talk({ recorded: 100 });
  session.client(t.query('select a'));
  const rows = Array.from({ length: 50 }, () => reply.row('0123456789'));
  session.replies(reply.columns('a'), ...rows, reply.complete('SELECT 50'), reply.ready('I'));
  const kept = session.recorded.flatMap((event) => event.data).reduce((sum, bytes) => sum + bytes.length, 0);
  expect(kept).toBeGreaterThan(60);
  expect(kept).toBeLessThanOrEqual(100);
  expect(session.recorded.at(-1)).toMatchObject({ rows: 50 });
});

test('every command that was let through is closed in the record, also when the link breaks', () => {
  const session = talk();
  session.client(t.query('select 1'), t.query('select 2'));
  session.replies(reply.columns('a'), reply.row('1'));
  session.hangUp('upstream');
  expect(session.toClient()).toEqual(['T', 'D', 'E 08006']);
  expect(session.recorded.filter((e) => e.type === 'end').map((e) => [e.command, e.outcome])).toEqual([
    [1, 'lost'],
    [2, 'lost'],
  ]);
});

test('where the target itself has said why it ends the session, nobody says it again', () => {
  const session = talk();
  session.client(t.query('select 1'));
  session.replies(reply.error('57P01', 'FATAL'));
  session.hangUp('upstream');
  expect(session.toClient()).toEqual(['E 57P01']);
  expect(session.recorded.at(-1)).toMatchObject({ type: 'end', outcome: 'lost' });
  expect(session.finished).toBe(true);
});

test('in the middle of a row there is no room for a message: the client sees the link break', () => {
  const session = talk();
  session.client(t.query('select 1'));
  session.replies(reply.columns('a'), reply.row('0123456789').subarray(0, 12));
  session.hangUp('upstream');
  expect(Buffer.concat(session.sent.client).includes('08006')).toBe(false);
  expect(session.finished).toBe(true);
});

test('a session that drains goes on until it is idle outside a transaction', () => {
  const session = talk();
  session.client(t.query('begin'));
  session.conversation.stop({ code: 'shutdown' }, 'idle');
  session.replies(reply.complete('BEGIN'), reply.ready('T'));
  expect(session.finished).toBe(false);
  session.client(t.query('commit'));
  session.replies(reply.complete('COMMIT'), reply.ready('I'));
  expect(session.toClient()).toEqual(['C', 'Z T', 'C', 'Z I', 'E 57P01']);
  expect(session.finished).toBe(true);
});

test('a portal with a row limit is one command, however often it is executed', () => {
  const session = talk();
  session.client(t.parse('', 'select a'), t.bind('p', ''), t.execute('p', 1), t.flush);
  session.replies(reply.parsed, reply.bound, reply.row('1'), reply.suspended);
  session.client(t.execute('p', 1), t.sync);
  session.replies(reply.row('2'), reply.complete('SELECT 1'), reply.ready('I'));
  expect(session.asked).toHaveLength(2);
  expect(session.recorded.filter((e) => e.type === 'end').map((e) => e.outcome)).toEqual(['suspended', 'ok']);
});
