/** The gateway's own questions: answers come whole however TCP cuts them, and what is no answer ends the connection. */
import { duplexPair } from 'node:stream';
import { type Lookup, QueryError, type Target } from '@sluice/contract';
import { CUTS } from '@sluice/testkit';
import { afterEach, describe, expect, test } from 'vitest';
import { openLookup } from '../src/lookup.js';
import { B, message } from '../src/messages.js';
import type { Reach } from '../src/upstream.js';
import { reply } from './talk.js';

const target = { user: 'app', tls: 'disable' } as Target;
const LOGIN = Buffer.concat([
  message(B.authentication, 0),
  reply.status('server_version', '18.1'),
  message(B.backendKeyData, 7, 8),
  reply.ready('I'),
]);
const row = (count: number, ...fields: (number | Uint8Array)[]): Buffer => {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(count);
  return message(B.dataRow, head, ...fields);
};

describe.each(Object.entries(CUTS))('%s', (_, cut) => {
  const ends: { destroy(): unknown }[] = [];
  afterEach(() => {
    for (const end of ends.splice(0)) end.destroy();
  });

  /** A target that answers each message of ours with the next of these. */
  function lookup(...answers: Buffer[]): Promise<Lookup> {
    const [ours, theirs] = duplexPair();
    ends.push(ours, theirs);
    const left = [LOGIN, ...answers];
    theirs.on('data', () => {
      for (const piece of cut(left.shift() ?? Buffer.alloc(0))) theirs.write(piece);
    });
    const reach = { dial: () => Promise.resolve(ours), limits: { upstreamLogin: 5000 } } as unknown as Reach;
    return openLookup(reach, target);
  }

  test('rows, errors and what comes between them; the next question has its own answer', async () => {
    const columns = reply.columns('a', 'b');
    const long = 'é'.repeat(3000);
    const { query } = await lookup(
      Buffer.concat([
        columns,
        reply.row('one', null),
        reply.notice,
        reply.row('', long),
        reply.complete('SELECT 2'),
        reply.ready('I'),
      ]),
      Buffer.concat([
        columns,
        reply.row('x', 'y'),
        reply.error('42P01'),
        reply.ready('I'),
        reply.status('TimeZone', 'UTC'),
      ]),
      Buffer.concat([columns, reply.row('later', 'z'), reply.complete('SELECT 1'), reply.ready('I')]),
    );
    expect(await query('select 1')).toEqual([
      ['one', null],
      ['', long],
    ]);
    await expect(query('select 2')).rejects.toThrow(QueryError);
    expect(await query('select 3')).toEqual([['later', 'z']]);
  });

  test.each([
    ['a row that says it has more values', row(2, 1, Buffer.from('a')), /cannot be read/],
    ['a value that is longer than its row', row(1, 5, Buffer.from('a')), /cannot be read/],
    ['a row without a count', message(B.dataRow), /cannot be read/],
    ['a message that is too long', Buffer.from([B.dataRow, 0x7f, 0, 0, 0]), /does not speak the Postgres protocol/],
    [
      'a message that is shorter than its length',
      Buffer.from([B.dataRow, 0, 0, 0, 3]),
      /does not speak the Postgres protocol/,
    ],
  ])('%s', async (_name, bytes, why) => {
    const { query } = await lookup(bytes);
    await expect(query('select 1')).rejects.toThrow(why);
  });

  test('a target that hangs up in the middle of a row', async () => {
    const { query } = await lookup(reply.row('a', 'b').subarray(0, 9));
    const asked = query('select 1');
    for (const end of ends.splice(1)) end.destroy();
    await expect(asked).rejects.toThrow();
  });
});
