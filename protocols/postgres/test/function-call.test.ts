import { type CellMask, type Masking, type ResultMasks, Unmasked } from '@sluice/contract';
import { describe, expect, test } from 'vitest';
import { type FoundFunction, callStatement, readFunctionCall } from '../src/function-call.js';
import { UTF8 } from '../src/text-encoding.js';
import { ownRoom } from '../src/masked/room.js';
import { B, F, message } from '../src/messages.js';
import { decodeResult } from '../src/results.js';
import * as t from './talk.js';
import { type Talk, allow, deny, maskedSession, reply, talk } from './talk.js';

const int16 = (value: number): Buffer => Buffer.from([(value >> 8) & 0xff, value & 0xff]);
const call = (oid: number, format: 0 | 1, ...values: (Buffer | string | null)[]): Buffer =>
  message(
    F.functionCall,
    oid | 0,
    int16(1),
    int16(format),
    int16(values.length),
    ...values.flatMap((value) => (value === null ? [-1] : [Buffer.byteLength(value), Buffer.from(value as string)])),
    int16(1),
  );
const answer = (value: string | null): Buffer =>
  message(B.functionCallResponse, ...(value === null ? [-1] : [Buffer.byteLength(value), Buffer.from(value)]));
const type = (oid: number, name: string): { oid: number; schema: string; name: string } => ({
  oid,
  schema: 'pg_catalog',
  name,
});
const LO_OPEN: FoundFunction = {
  schema: 'pg_catalog',
  name: 'lo_open',
  inputs: [type(26, 'oid'), type(23, 'int4')],
  returns: 23,
};
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const int4 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

describe('the statement of a call', () => {
  const statement = (found: FoundFunction, bytes: Buffer): { text: string; parameters: readonly unknown[] } =>
    callStatement(readFunctionCall(bytes), found, UTF8);

  test('has its arguments as texts', () => {
    expect(statement(LO_OPEN, call(952, 1, int4(-1), int4(262_144)))).toEqual({
      text: "SELECT pg_catalog.lo_open('4294967295'::pg_catalog.oid, '262144'::pg_catalog.int4)",
      parameters: [],
    });
    const setConfig = {
      schema: 'pg_catalog',
      name: 'set_config',
      inputs: [type(25, 'text'), type(25, 'text'), type(16, 'bool')],
      returns: 25,
    };
    expect(statement(setConfig, call(2078, 1, 'role', "o'hara\\", Buffer.from([1]))).text).toBe(
      "SELECT pg_catalog.set_config('role'::pg_catalog.text, 'o''hara\\'::pg_catalog.text, 't'::pg_catalog.bool)",
    );
    expect(statement(setConfig, call(2078, 0, 'role', null, 'f')).text).toBe(
      "SELECT pg_catalog.set_config('role'::pg_catalog.text, NULL::pg_catalog.text, 'f'::pg_catalog.bool)",
    );
  });

  test('quotes names, and has what it cannot write as parameters', () => {
    const odd = {
      schema: 'My "s"',
      name: 'drop table x; --',
      inputs: [type(17, 'bytea'), { oid: 20_000, schema: 'x', name: 'Y' }],
      returns: 25,
    };
    const { text, parameters } = statement(odd, call(20_001, 1, 'data', 'raw'));
    expect(text).toBe('SELECT "My ""s"""."drop table x; --"($1::pg_catalog.bytea, $2::"x"."Y")');
    expect(parameters).toEqual([
      { type: 17, format: 'binary', value: Buffer.from('data') },
      { type: 20_000, format: 'binary', value: Buffer.from('raw') },
    ]);
    expect(statement('missing', call(7, 0, 'x')).text).toBe('SELECT "missing function 7"($1)');
    // More arguments than the function has, and numbers of another size: the target says what is wrong.
    expect(statement(LO_OPEN, call(952, 1, 'abc', int4(1), 'more')).text).toBe(
      "SELECT pg_catalog.lo_open($1::pg_catalog.oid, '1'::pg_catalog.int4, $2)",
    );
  });

  test('a text that the server would read up to a zero byte ends the session', async () => {
    for (const bytes of [call(952, 0, '770001\0', '1'), call(952, 0, '\0', '1')]) {
      const session = talk({ functionOf: () => Promise.resolve(LO_OPEN) });
      session.client(bytes);
      await settled();
      expect(session.asked).toEqual([]);
      expect(session.finished).toBe(true);
    }
  });

  test('a message that lies about its lengths ends the session', () => {
    for (const bytes of [
      message(F.functionCall, 952, int16(0), int16(5), int16(0)),
      message(F.functionCall, 952, int16(9), int16(0)),
      message(F.functionCall, 952, int16(0), int16(1), 2 ** 31 - 1, int16(0)),
      message(F.functionCall, 952, int16(0), int16(1), -2, int16(0)),
      message(F.functionCall, 952, int16(0), int16(0), int16(0), Buffer.from('more')),
    ]) {
      const session = talk({ functionOf: () => Promise.resolve(LO_OPEN) });
      session.client(bytes);
      expect(session.finished).toBe(true);
    }
  });
});

describe('a call', () => {
  const opening = call(952, 1, int4(1), int4(2));
  const open = (judge?: Parameters<typeof talk>[0]): Talk =>
    talk({ functionOf: () => Promise.resolve(LO_OPEN), ...judge });

  test('waits for its function, is judged, and passes as it came', async () => {
    const session = open();
    session.client(t.query('select 1'), opening, t.query('select 2'));
    expect(session.upstream()).toEqual(['Query']);
    session.replies(reply.complete('SELECT 1'), reply.ready('I'));
    await settled();
    expect(session.upstream()).toEqual(['FunctionCall', 'Query']);
    session.replies(answer('\0\0\0\x01'), reply.ready('I'), reply.complete('SELECT 1'), reply.ready('I'));
    expect(session.toClient()).toEqual(['C', 'Z I', 'V', 'Z I', 'C', 'Z I']);
    expect(session.asked[1]).toMatchObject({ phase: 'run', parameters: [] });
    expect(session.asked[1]?.text).toContain('pg_catalog.lo_open(');
    const end = session.recorded.find((event) => event.type === 'end' && event.command === session.asked[1]?.id);
    expect(end).toMatchObject({ outcome: 'ok', rows: 1, summary: 'FUNCTION CALL' });
  });

  test('that is refused does not reach the target', async () => {
    const session = open({ judge: ({ text }) => (text.includes('lo_open') ? deny : allow({ type: 'none' })) });
    session.client(opening, t.query('select 2'));
    await settled();
    expect(session.upstream()).toEqual(['Query (stands in)', 'Query']);
    session.replies(reply.error('42601'), reply.ready('I'), reply.complete('SELECT 1'), reply.ready('I'));
    expect(session.toClient()).toEqual(['E 42501', 'Z I', 'C', 'Z I']);
  });

  test.each(['missing', 'unreadable'] as const)(
    'of a function that is %s is on record and does not reach the target',
    async (found) => {
      const session = talk({ functionOf: () => Promise.resolve(found) });
      session.client(opening);
      await settled();
      expect(session.asked).toHaveLength(1);
      expect(session.upstream()).toEqual(['Query (stands in)']);
      session.replies(reply.error('42601'), reply.ready('I'));
      expect(session.toClient()).toEqual([found === 'missing' ? 'E 42883' : 'E 42501', 'Z I']);
      expect(session.recorded.at(-1)).toMatchObject({ type: 'end', outcome: 'error' });
    },
  );

  test('fails as the target fails it', async () => {
    const session = open();
    session.client(opening);
    await settled();
    session.replies(reply.error('42704'), reply.ready('E'));
    expect(session.toClient()).toEqual(['E 42704', 'Z E']);
    expect(session.recorded.at(-1)).toMatchObject({ type: 'end', outcome: 'error' });
  });

  test('comes in any number of pieces, and so does its answer', async () => {
    const session = open();
    for (const byte of opening) session.client(Buffer.from([byte]));
    await settled();
    expect(session.upstream()).toEqual(['FunctionCall']);
    for (const byte of Buffer.concat([answer('a value'), reply.ready('I')])) session.replies(Buffer.from([byte]));
    expect(Buffer.concat(session.sent.client)).toEqual(Buffer.concat([answer('a value'), reply.ready('I')]));
    const data = session.recorded.flatMap((event) => [...event.data]);
    expect(decodeResult(Buffer.concat(data))).toMatchObject({ columns: ['result'], rows: [['a value']] });
  });

  test('is over when the client is gone while its function is looked for', async () => {
    const late = Promise.withResolvers<FoundFunction>();
    const session = talk({ functionOf: () => late.promise });
    session.client(opening);
    session.hangUp('client');
    late.resolve(LO_OPEN);
    await settled();
    expect(session.asked).toEqual([]);
    expect(session.upstream()).toEqual(['Terminate']);
  });

  test('has one answer, and nothing else has', async () => {
    for (const replies of [
      [reply.complete('SELECT 1')],
      [reply.columns('a')],
      [reply.row('a')],
      [reply.copyOut],
      [reply.ready('I')],
      [answer('a'), answer('b')],
    ]) {
      const session = open();
      session.client(opening);
      await settled();
      session.replies(...replies);
      expect(session.finished, String(replies.length)).toBe(true);
    }
    const other = open();
    other.client(t.query('select 1'));
    other.replies(answer('a'));
    expect(other.finished).toBe(true);
  });

  describe('with masks', () => {
    const masked = (cell: CellMask | Error): Talk => {
      const masks = {
        cells: [cell as CellMask],
        room: ownRoom(),
        inline: { bytes: 1_000_000, cells: 1_000_000 },
        here: (rewrite: () => number) => void rewrite(),
        elsewhere: () => Promise.reject(new Error('not here')),
      } as unknown as ResultMasks;
      const texts = { hidden: false, clean: (text: string) => text };
      const masking: Masking = {
        changesSession: false,
        runsCode: false,
        rows: () => {
          if (cell instanceof Error) throw cell;
          return masks;
        },
        copy: () => undefined,
        texts,
        failed: () => undefined,
        completed: () => undefined,
      };
      return open({
        judge: () => ({ ...allow({ type: 'none' }), masking }) as ReturnType<typeof allow>,
        masks: maskedSession(),
      });
    };

    test.each<[string, CellMask, string | null]>([
      ['another value', () => Buffer.from('[masked]'), '[masked]'],
      ['NULL', () => null, null],
      ['the value as it is', () => undefined, 'secret'],
    ])('the client gets %s', async (_, cell, shown) => {
      const session = masked(cell);
      session.client(opening);
      await settled();
      for (const byte of Buffer.concat([answer('secret'), reply.ready('I')])) session.replies(Buffer.from([byte]));
      expect(Buffer.concat(session.sent.client)).toEqual(Buffer.concat([answer(shown), reply.ready('I')]));
      const data = Buffer.concat(session.recorded.flatMap((event) => [...event.data]));
      expect(data.includes('secret')).toBe(shown === 'secret');
    });

    test('what cannot be masked does not run', async () => {
      const session = masked(Unmasked.because('it is odd'));
      session.client(opening);
      await settled();
      expect(session.upstream()).toEqual(['Query (stands in)']);
    });
  });
});
