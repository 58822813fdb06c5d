/** What is legal when, and what becomes of it; with peers that keep no rule. */
import { hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Answer, Masking, PacketMasking } from '@sluice/contract';
import { CUTS, collectGarbage } from '@sluice/testkit';
import { describe, expect, test, vi } from 'vitest';
import { CAPABILITY } from '../src/capabilities.js';
import { HEADER_BYTES, MAX_PACKET, framed, uint, writeHeader } from '../src/packets.js';
import { decodeResult } from '../src/results.js';
import { sha2Proof } from '../src/scramble.js';
import {
  ALL_CAPABILITIES,
  THREAD,
  TOKEN,
  type Talk,
  allowed,
  begun,
  packet,
  payload,
  payloadsOf,
  query,
  reply,
  roomOf,
  rows,
  talk,
} from './talk.js';

/** Masks on a connection, none of which changes this answer. */
const PASSING: PacketMasking = {
  rows: () => undefined,
  warnings: 0,
  sent: () => undefined,
  stands: () => undefined,
  ended: () => undefined,
  error: (payload) => payload,
  completed: () => undefined,
};

const denied: Answer = { type: 'deny', rule: 'no-drop', message: 'Nothing is dropped.' };

test('the gateway asks how statements are read before it reads the first', () => {
  const made = talk();
  made.client(query('SELECT 1'));
  expect(made.asked).toEqual([]);
  made.ready('ANSI_QUOTES');
  expect(made.asked[0]).toMatchObject({ text: 'SELECT 1', dialect: { sqlMode: ['ANSI_QUOTES'], database: 'shop' } });
  expect(made.upstream()).toEqual(['0 \x03SELECT 1']);
  expect(made.toClient()).toEqual([]);
});

test('a target that is a pooler ends the session in words, before anything is judged', () => {
  const met = vi.fn((greeted: number, found: string | null) => (found === String(greeted) ? 'A pooler.' : undefined));
  const made = talk({ masks: { met, reset: () => undefined, room: roomOf(0) } });
  made.client(query('SELECT 1'));
  made.ready();
  expect(met.mock.calls).toEqual([[THREAD, String(THREAD)]]);
  expect(made.asked).toEqual([]);
  expect(made.toClient()).toEqual([expect.stringContaining('A pooler.')]);
  expect(made.finished).toBe(true);
});

test.each(Object.keys(CUTS))('a session reads the same however it is cut: %s', (how) => {
  const pieces = CUTS[how] as (bytes: Buffer) => Buffer[];
  const made = begun({ judge: ({ text }) => (text.includes('DROP') ? denied : allowed) });
  for (const piece of pieces(Buffer.concat([query('SELECT 1'), query('DROP TABLE t'), query("SELECT 'x'")])))
    made.client(piece);
  for (const piece of pieces(reply(...rows(['a', 'b'], ['1', null], ['2', 'x'])))) made.replies(piece);
  for (const piece of pieces(reply(payload.error(1146, 'no table')))) made.replies(piece);
  expect(made.upstream()).toEqual(['0 \x03SELECT 1', "0 \x03SELECT 'x'"]);
  const told = made.toClient();
  expect(told.map((one) => one.slice(0, one.indexOf(' ')))).toEqual(['1', '2', '3', '4', '5', '6', '1', '1']);
  expect(told[6]).toContain('Refused by rule "no-drop"');
  expect(told[7]).toContain('no table');
  const data = made.recorded.filter(({ command }) => command === 1).flatMap((event) => [...event.data]);
  expect(decodeResult(Buffer.concat(data)).rows).toEqual([
    ['1', null],
    ['2', 'x'],
  ]);
});

test('the record has what comes first, whole packets without a gap, and counts the rest', () => {
  const made = begun({ recorded: 150 });
  made.client(query('SELECT 1'));
  const cells = ['a', 'x'.repeat(60), 'y'.repeat(60), 'b', 'c'].map((one) => [one]);
  made.replies(reply(...rows(['n'], ...cells)));
  const data = Buffer.concat(made.recorded.flatMap((event) => [...event.data]));
  expect(decodeResult(data).rows).toEqual(cells.slice(0, 2));
  expect(made.recorded.at(-1)).toMatchObject({ type: 'end', rows: 5 });
});

test('a client with EOF packets gets and records the same', () => {
  const made = begun({ capabilities: ALL_CAPABILITIES & ~CAPABILITY.deprecateEof });
  made.client(query('SELECT 1'));
  const { column, count, oldEof, row } = payload;
  made.replies(reply(count(1), column('a'), oldEof(), row('\xfe'), oldEof()));
  expect(made.toClient()).toHaveLength(5);
  expect(made.recorded.at(-1)).toMatchObject({ type: 'end', outcome: 'ok', rows: 1, summary: '1 rows' });
  const data = made.recorded.flatMap((event) => [...event.data]);
  expect(decodeResult(Buffer.concat(data))).toMatchObject({ columns: ['a'], rows: [['\xfe']] });
});

describe('a text that nobody here reads', () => {
  const unread: Answer = {
    type: 'deny',
    rule: 'gateway',
    message: 'It is not read.',
    syntaxError: { message: 'has "SELEC", which does not fit there', position: 1 },
  };
  const read = (): Talk => {
    const made = begun({ judge: ({ text }) => (text.includes('SELEC ') ? unread : allowed) });
    made.asked.length = 0;
    return made;
  };

  test.each([
    ['as text', query('SELEC 1')],
    ['prepared', packet(0x16, Buffer.from('SELEC 1'))],
  ])('is prepared and never run, and the client has the mistake in the words of the target: %s', (_, command) => {
    const made = read();
    made.client(Buffer.concat([command, query('SELECT 2')]));
    expect(made.upstream()).toEqual(['0 \x16SELEC 1']);
    expect(made.toClient()).toEqual([]);
    made.replies(reply(payload.error(1064, 'near 1')));
    const [told, ...more] = made.toClient();
    expect(told).toMatch(/^1 .*near 1/s);
    expect(more).toEqual([]);
    // What came behind it waits for its turn.
    expect(made.upstream()).toEqual(['0 \x03SELECT 2']);
  });

  test('in a text of several, and nothing behind it runs', () => {
    const made = read();
    made.client(query('SELECT 1; SELEC 2; SELECT 3'));
    made.replies(reply(payload.ok()));
    expect(made.upstream()).toEqual(['0 \x03SELECT 1', '0 \x16 SELEC 2']);
    made.replies(reply(payload.error(1064, 'near 2')));
    expect(made.toClient().at(-1)).toMatch(/^2 .*near 2/s);
    expect(made.upstream()).toEqual([]);
  });

  test.each([query, (text: string) => packet(0x16, Buffer.from(text))])(
    'what MariaDB computes when it prepares it goes to no target',
    (written) => {
      const made = read();
      made.client(written('SET sTaTement max_statement_time=5+(@q:=7) FOR SELEC 1'));
      expect(made.upstream()).toEqual([]);
      const [told, ...more] = made.toClient();
      expect(told).toContain('SELEC');
      expect(more).toEqual([]);
    },
  );

  test.each([1146, 1054, 1105])('error %i says more than where the mistake is, so that it does not pass', (code) => {
    const made = read();
    made.client(query('SELEC 1'));
    made.replies(reply(payload.error(code, 'a secret')));
    const [told] = made.toClient();
    expect(told).not.toContain('secret');
    expect(told).toContain('nothing of it was run: it has "SELEC"');
  });

  test('the target reads it: it forgets the statement, and the client hears that nothing ran', () => {
    const made = read();
    made.client(query('SELEC 1'));
    made.upstream();
    const { column } = payload;
    const prepared = Buffer.from([0x00, 7, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
    made.replies(reply(prepared, column('?'), column('a')));
    expect(made.upstream()).toEqual(['0 \x19\x07\x00\x00\x00']);
    const [told, ...more] = made.toClient();
    expect(more).toEqual([]);
    expect(told).toContain('does not call it a syntax error');
    made.client(query('SELECT 2'));
    expect(made.upstream()).toEqual(['0 \x03SELECT 2']);
  });
});

describe('what the target says', () => {
  test.each<[string, ...Buffer[]]>([
    ['a packet that answers nothing', payload.ok()],
    ['a result of more columns than there are', Buffer.from([0xfd, 0xff, 0xff, 0xff])],
    ['an empty packet', Buffer.alloc(0)],
    ['an OK that stops', Buffer.from([0x00, 0xfc])],
    [
      'a definition with a length that lies',
      Buffer.concat([Buffer.from([0x01])]),
      Buffer.from([0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
    ],
  ])('%s ends the session, and nobody else', (what, ...payloads) => {
    const made = begun();
    if (!what.includes('nothing')) made.client(query('SELECT 1'));
    made.replies(reply(...payloads, Buffer.alloc(0)));
    expect(made.finished).toBe(true);
  });

  test('a packet that is no row and longer than any is refused before it is read', () => {
    const made = begun();
    made.client(query('SELECT 1'));
    const head = Buffer.alloc(HEADER_BYTES + 1, 0x00);
    writeHeader(head, 0, MAX_PACKET, 1);
    made.replies(head);
    expect(made.finished).toBe(true);
  });

  test.each([
    ['a description that masks wait for', (): Talk => begun({ judge: () => ({ ...allowed, packets: PASSING }) })],
    ['an answer to a question of the gateway itself', (): Talk => talk()],
  ])('%s is not kept without end', (what, open) => {
    const made = open();
    made.client(query('SELECT 1'));
    const definition = Buffer.alloc(1024 * 1024, 0x20);
    if (what.startsWith('an answer')) {
      made.replies(reply(payload.count(1), payload.column('a')));
      Buffer.from([0xfd, 0xfc, 0xff, 0x0f]).copy(definition);
    } else made.replies(reply(payload.count(0xf000)));
    let sent = 0;
    while (!made.finished && sent < 40) made.replies(framed(definition, 2 + sent++));
    expect(sent).toBe(16);
    expect(made.toClient().join()).toContain('more bytes than any has');
  });

  test('why it ends a session is passed on', () => {
    const made = begun();
    made.replies(framed(payload.error(1927, 'Connection was killed'), 0));
    expect(made.toClient().join()).toContain('Connection was killed');
    expect(made.finished).toBe(true);
  });

  test('a file that no statement names is not asked of the client', () => {
    const made = begun();
    made.client(query('SELECT 1'));
    made.replies(reply(payload.file('/etc/passwd')));
    expect(made.upstream().slice(1)).toEqual(['2 ']);
    made.replies(framed(payload.ok(), 3));
    const [told] = made.toClient();
    expect(told).toMatch(/^1 .*nothing was sent/s);
    expect(made.recorded.at(-1)).toMatchObject({ outcome: 'error' });
    made.client(query('SELECT 2'));
    expect(made.upstream()).toEqual(['0 \x03SELECT 2']);
  });

  test('a file passes with numbers that fit, however it is cut', () => {
    const reads = { type: 'file', name: 'a.txt', access: 'read' } as const;
    const action = { statement: 0, depth: 0, verb: 'load data', effects: [], resources: [reads], reasons: [] } as const;
    const answer: Answer = { type: 'allow', facts: { actions: [action], confidence: 'exact', statements: [] } };
    const made = begun({ judge: () => answer });
    made.client(query('LOAD 1; LOAD 2'));
    made.upstream();
    made.replies(reply(payload.ok()));
    made.upstream();
    made.replies(reply(payload.file('a.txt')));
    expect(made.toClient().at(-1)).toBe('2 \xfba.txt');
    const file = Buffer.concat([framed(Buffer.from('line\n'), 3), framed(Buffer.alloc(0), 4), query('SELECT 9')]);
    for (const byte of file) made.client(Buffer.from([byte]));
    expect(made.upstream()).toEqual(['2 line\n', '3 ']);
    made.replies(framed(payload.ok(2, 'Records: 1'), 4));
    expect(made.toClient()).toEqual([expect.stringMatching(/^5 /)]);
    expect(made.upstream()).toEqual(['0 \x03SELECT 9']);
    expect(made.recorded).toContainEqual(
      expect.objectContaining({
        type: 'end',
        summary: expect.stringContaining(`5 bytes were sent, SHA-256 ${hash('sha256', 'line\n')}`),
      }),
    );
  });
});

describe('what clients send', () => {
  test.each([
    ['an unknown command', packet(0x55), /^1 .*Unknown command/s],
    ['nothing', framed(Buffer.alloc(0), 0), /^1 .*Unknown command/s],
    ['a replica', packet(0x12), /Unknown command/],
    ['a number that stands for no statement', packet(0x17, Buffer.alloc(9, 1)), /Unknown prepared statement/],
    ['FETCH without a cursor', packet(0x1c, Buffer.alloc(8)), /Unknown prepared statement/],
    ['a refresh that is no statement', packet(0x07, Buffer.from([0x80])), /Unknown command/],
  ])('%s is answered with an error, and the session goes on', (_, bytes, words) => {
    const made = begun();
    made.client(bytes);
    expect(made.toClient().join()).toMatch(words);
    made.client(query('SELECT 1'));
    expect(made.upstream()).toEqual(['0 \x03SELECT 1']);
  });

  test.each([
    [packet(0x02, 'sh`op'), 'USE `sh``op`'],
    [packet(0x04, 'people\0ma%'), "SHOW COLUMNS FROM `people` LIKE 'ma%'"],
    [packet(0x04, 'people\0'), 'SHOW COLUMNS FROM `people`'],
    [packet(0x09), 'SHOW STATUS'],
    [packet(0x0a), 'SHOW PROCESSLIST'],
    [packet(0x0c, uint(7, 4)), 'KILL 7'],
    [packet(0x08), 'SHUTDOWN'],
    [packet(0x07, Buffer.from([5])), 'FLUSH PRIVILEGES, TABLES'],
  ])('a command is judged as its statement: %#', (bytes, text) => {
    const made = begun({ judge: () => denied });
    made.client(bytes);
    expect(made.asked.at(-1)?.text).toBe(text);
    expect(made.upstream()).toEqual([]);
    expect(made.toClient().join()).toContain('no-drop');
  });

  test('a command that is too long is dropped as it comes, and the next one is read', () => {
    const made = begun({ message: 100 });
    const long = query('x'.repeat(70_000));
    for (let at = 0; at < long.length; at += 1000) made.client(long.subarray(at, at + 1000));
    expect(made.toClient().join()).toContain('limits.message');
    made.client(query('SELECT 1'));
    expect(made.upstream()).toEqual(['0 \x03SELECT 1']);
  });

  test('a chain that never ends takes no memory', () => {
    const made = begun({ message: 100 });
    const head = Buffer.alloc(HEADER_BYTES);
    writeHeader(head, 0, MAX_PACKET, 0);
    made.client(head, Buffer.from([0x03]));
    const megabyte = Buffer.alloc(1024 * 1024, 0xff);
    collectGarbage();
    const before = process.memoryUsage().arrayBuffers;
    for (let n = 0; n < 200; n++) made.client(megabyte);
    collectGarbage();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
    expect(made.asked).toEqual([]);
  });

  test('what waits behind an answer is bounded', () => {
    const made = begun();
    made.client(query('SELECT 1'));
    made.client(Buffer.alloc(70_000));
    expect(made.conversation.wants('client')).toBe(false);
    expect(made.conversation.wants('upstream')).toBe(true);
  });

  test('a refused EXECUTE takes its long values back', () => {
    const made = begun({ judge: ({ phase }) => (phase === 'run' ? denied : allowed) });
    made.client(packet(0x16, 'SELECT ?'));
    const prepared = Buffer.concat([Buffer.from([0]), uint(7, 4), uint(0, 2), uint(1, 2), Buffer.alloc(3)]);
    made.replies(reply(prepared, payload.column('?')));
    made.upstream();
    made.client(packet(0x18, uint(7, 4), uint(0, 2), 'long value'));
    const execute = packet(0x17, uint(7, 4), Buffer.from([0]), uint(1, 4), Buffer.from([0, 1, 0xfc, 0]));
    made.client(execute);
    expect(made.asked.at(-1)?.parameters).toMatchObject([{ value: Buffer.from('long value') }]);
    expect(made.upstream()).toEqual([expect.stringContaining('long value'), '0 \x1a\x07\0\0\0']);
    made.replies(reply(payload.ok()));
    expect(made.toClient().at(-1)).toContain('no-drop');
    made.client(execute.subarray(0, execute.length - 2), Buffer.from([0xfc, 0]));
    expect(made.toClient().at(-1)).toMatch(/Incorrect arguments|no-drop/);
  });

  test('values are read by the types that the target has, also behind an EXECUTE that was refused', () => {
    const isRefused = (value: unknown): boolean => String(value) === '258';
    const made = begun({
      judge: ({ phase, parameters }) => (phase === 'run' && isRefused(parameters?.[0]?.value) ? denied : allowed),
    });
    made.client(packet(0x16, 'SELECT ?'));
    const prepared = Buffer.concat([Buffer.from([0]), uint(7, 4), uint(0, 2), uint(1, 2), Buffer.alloc(3)]);
    made.replies(reply(prepared, payload.column('?')));
    const executed = (...values: number[]): void =>
      made.client(packet(0x17, uint(7, 4), Buffer.from([0]), uint(1, 4), Buffer.from([0, ...values])));
    executed(1, 0xfd, 0, 2, 0x61, 0x62);
    made.replies(reply(payload.ok()));
    executed(1, 0x08, 0, 2, 1, 0, 0, 0, 0, 0, 0);
    expect(made.toClient().at(-1)).toContain('no-drop');
    made.upstream();
    executed(0, 1, 0x63, 0, 0, 0, 0, 0, 0);
    expect(String(made.asked.at(-1)?.parameters?.[0]?.value)).toBe('25345');
    expect(made.upstream()).toEqual(['0 \x17\x07\0\0\0\0\x01\0\0\0\0\x01\x08\0\x01c\0\0\0\0\0\0']);
    made.replies(reply(payload.ok()));
    executed(0, 2, 0x63, 0, 0, 0, 0, 0, 0);
    expect(made.upstream()).toEqual(['0 \x17\x07\0\0\0\0\x01\0\0\0\0\0\x02c\0\0\0\0\0\0']);
  });

  test('so are those of one that waited', () => {
    let isHeld = false;
    const made = begun({ judge: ({ phase }) => (phase === 'run' && isHeld ? undefined : allowed) });
    made.client(packet(0x16, 'SELECT ?'));
    const prepared = Buffer.concat([Buffer.from([0]), uint(7, 4), uint(0, 2), uint(1, 2), Buffer.alloc(3)]);
    made.replies(reply(prepared, payload.column('?')));
    made.client(packet(0x17, uint(7, 4), Buffer.from([0]), uint(1, 4), Buffer.from([0, 1, 0xfd, 0, 1, 0x61])));
    made.replies(reply(payload.error(1213, 'Deadlock found')));
    made.upstream();
    isHeld = true;
    made.client(packet(0x17, uint(7, 4), Buffer.from([0]), uint(1, 4), Buffer.from([0, 0, 1, 0x62])));
    made.answer(allowed);
    expect(made.upstream()).toEqual(['0 \x17\x07\0\0\0\0\x01\0\0\0\0\x01\xfd\0\x01b']);
  });

  test('a statement that is called the last one is the one that the gateway means', () => {
    const made = begun();
    made.client(packet(0x16, 'SELECT ?'));
    const prepared = Buffer.concat([Buffer.from([0]), uint(7, 4), uint(0, 2), uint(1, 2), Buffer.alloc(3)]);
    made.replies(reply(prepared, payload.column('?')));
    made.upstream();
    made.client(packet(0x18, uint(0xffffffff, 4), uint(0, 2), 'long'));
    made.client(packet(0x1a, uint(0xffffffff, 4)));
    expect(made.upstream()).toEqual(['0 \x18\x07\0\0\0\0\0long', '0 \x1a\x07\0\0\0']);
  });

  test('values that stop in the middle are an error of that command alone', () => {
    const made = begun();
    made.client(packet(0x16, 'SELECT ?'));
    const prepared = Buffer.concat([Buffer.from([0]), uint(7, 4), uint(0, 2), uint(1, 2), Buffer.alloc(3)]);
    made.replies(reply(prepared, payload.column('?')));
    made.client(packet(0x17, uint(0xffffffff, 4), Buffer.from([0]), uint(1, 4), Buffer.from([0, 1, 0x08, 0, 1, 2])));
    expect(made.toClient().at(-1)).toContain('Incorrect arguments');
    expect(made.finished).toBe(false);
  });

  test('multi statements are switched on and off here', () => {
    const made = begun({ capabilities: ALL_CAPABILITIES & ~CAPABILITY.multiStatements });
    made.client(query('SELECT 1; SELECT 2'));
    expect(made.asked.map(({ text }) => text)).toEqual(['SELECT 1; SELECT 2']);
    made.replies(reply(payload.ok()));
    made.client(packet(0x1b, uint(0, 2)));
    made.upstream();
    expect(made.toClient().at(-1)).toMatch(/^1 \xfe/);
    made.client(query('SELECT 3; SELECT 4'));
    expect(made.upstream()).toEqual(['0 \x03SELECT 3']);
  });
});

test('while a command waits, a hang-up ends the wait, and the late answer runs nothing', () => {
  const signals: AbortSignal[] = [];
  const made = begun({
    judge: (_, waiter) => {
      signals.push(waiter.signal);
      return undefined;
    },
  });
  made.client(query('DELETE FROM t'));
  made.hangUp('client');
  expect(signals[0]?.reason).toBe('gone');
  made.answer(allowed);
  expect(made.upstream()).toEqual(['0 \x01']);
});

test('a held command is kept as it came: the memory of its chunk is read into again', () => {
  const made = begun({ judge: () => undefined });
  made.client(query('DELETE FROM t'));
  made.answer(allowed);
  expect(made.upstream()).toEqual(['0 \x03DELETE FROM t']);
});

test('an answer that would have to be masked is not asked for', () => {
  const texts = { hidden: true, clean: (text: string) => text };
  const masking: Masking = {
    changesSession: false,
    runsCode: false,
    rows: () => undefined,
    copy: () => undefined,
    texts,
    failed: () => undefined,
    completed: () => undefined,
  };
  const made = begun({ judge: () => ({ ...allowed, masking }) as Answer });
  made.client(query('SELECT mail FROM people'));
  expect(made.upstream()).toEqual([]);
  expect(made.toClient().join()).toContain('cannot do for MySQL');
});

test('a client that reads metadata gets some from a target that has none', () => {
  const made = begun({ addsMetadata: true });
  made.client(query('SELECT 1'));
  made.replies(reply(...rows(['a'], ['1'])));
  const definition = payloadsOf(Buffer.concat(made.sent.client)).at(-3)?.body as Buffer;
  expect(definition.length).toBe(payload.column('a').length + 1);
  expect(definition.at(-14)).toBe(0);
});

/** COM_CHANGE_USER of a client that has the newer way to log in. */
const changeUser = (user: string, database = ''): Buffer =>
  packet(0x11, `${user}\0`, Buffer.from([0]), `${database}\0`, uint(45, 2), `caching_sha2_password\0`);

/** Sends it, and the proof that the gateway asks for. */
function logInAgain(made: Talk, user: string, secret: string, database?: string): void {
  made.client(changeUser(user, database));
  const asks = payloadsOf(Buffer.concat(made.sent.client)).at(-1);
  const nonce = asks?.body.subarray('\xfecaching_sha2_password\0'.length, -1) as Buffer;
  made.client(framed(sha2Proof(secret, nonce), (asks?.sequence ?? 0) + 1));
}

const LOGS_IN = { capabilities: ALL_CAPABILITIES | CAPABILITY.pluginAuth };

test('another login of the same user resets the target, and what follows is judged anew', async () => {
  const made = begun(LOGS_IN);
  logInAgain(made, 'ada', TOKEN, 'other');
  made.client(query('SELECT 2'));
  await setImmediate();
  expect(made.upstream()).toEqual(['0 \x1f']);
  made.replies(reply(payload.ok()));
  expect(made.upstream().join()).toContain('WHERE ID = 45');
  made.replies(reply(...rows(['a', 'b'], ['utf8mb4', 'utf8mb4_general_ci'])));
  expect(made.upstream()).toEqual(['0 \x03SET NAMES utf8mb4 COLLATE utf8mb4_general_ci']);
  made.replies(reply(payload.ok()));
  expect(made.asked.map(({ text }) => text)).toEqual(['USE `other`']);
  expect(made.upstream()).toEqual(['0 \x02other']);
  made.toClient();
  made.replies(reply(payload.ok()));
  expect(made.toClient()[0]).toMatch(/^4 \0/);
  made.ready();
  expect(made.asked.map(({ text }) => text)).toEqual(['USE `other`', 'SELECT 2']);
});

test.each([
  ['ada', 'wrong'],
  ['eve', TOKEN],
])('another login of %s with %s ends the session, and the target hears nothing of it', async (user, secret) => {
  const made = begun(LOGS_IN);
  logInAgain(made, user, secret);
  made.client(query('DELETE FROM t'));
  await setImmediate();
  expect(made.toClient().at(-1)).toContain('Access denied');
  expect(made.upstream()).toEqual(['0 \x01']);
  expect(made.asked).toEqual([]);
});

test.each([packet(0x11), packet(0x11, 'ada'), packet(0x11, 'ada\0', Buffer.from([40]), 'short')])(
  'another login that is cut off ends the session (%#)',
  (broken) => {
    const made = begun(LOGS_IN);
    made.client(broken);
    expect(made.toClient().at(-1)).toContain('Malformed');
  },
);

test('nothing is taken up behind a goodbye', () => {
  const made = begun();
  made.client(packet(0x01), query('DELETE FROM t'));
  expect(made.upstream()).toEqual(['0 \x01']);
  expect(made.asked).toEqual([]);
});

test('the database of another login is judged: a client that may not use it is not left in another one', async () => {
  const made = begun({ ...LOGS_IN, judge: () => denied });
  logInAgain(made, 'ada', TOKEN, 'other');
  made.client(query('DELETE FROM t'));
  await setImmediate();
  made.replies(reply(payload.ok()));
  made.replies(reply(...rows(['a', 'b'])));
  expect(made.toClient().at(-1)).toContain('no-drop');
  expect(made.asked.map(({ text }) => text)).toEqual(['USE `other`']);
  expect(made.upstream().at(-1)).toBe('0 \x01');
});
