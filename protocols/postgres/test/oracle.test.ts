/**
 * pg-protocol beside our own framing: the same messages from the same bytes, under every cut, in both directions, and where masks
 * rewrite rows. It shares no line with ours.
 */
import { type CellMask, type ResultMasks, Unmasked } from '@sluice/contract';
import fc from 'fast-check';
import { serialize } from 'pg-protocol';
import {
  type BackendMessage,
  CopyDataMessage,
  CopyResponse,
  DataRowMessage,
  DatabaseError,
  ParameterDescriptionMessage,
  RowDescriptionMessage,
} from 'pg-protocol/dist/messages.js';
import { Parser } from 'pg-protocol/dist/parser.js';
import { describe, expect, test } from 'vitest';
import { copyFormats, parameterTypes, resultDescription } from '../src/description.js';
import { ownRoom } from '../src/masked/room.js';
import { B, HEADER_BYTES, message, readErrorFields } from '../src/messages.js';
import { UTF8 } from '../src/text-encoding.js';
import { decodeResult } from '../src/results.js';
import { parsed } from '../src/target-messages.js';
import { Reader } from '@sluice/wire';
import * as t from './talk.js';
import { type Talk, allow, reply, talk } from './talk.js';

/** What the oracle reads, without what is only there because it makes errors of some messages. */
function read(...pieces: Buffer[]): Record<string, unknown>[] {
  const parser = new Parser();
  const found: Record<string, unknown>[] = [];
  for (const piece of pieces) {
    parser.parse(Buffer.from(piece), (one) => {
      const { message: words, chunk } = one as { message?: string; chunk?: Buffer };
      // It reads the next piece into the memory of this one.
      found.push({ ...one, message: words, chunk: chunk?.toString() });
    });
  }
  return found;
}
const one = (bytes: Buffer): BackendMessage => {
  let found: BackendMessage | undefined;
  new Parser().parse(bytes, (whole) => (found = whole));
  return found as BackendMessage;
};

const int16 = (value: number): Buffer => Buffer.from([(value >> 8) & 0xff, value & 0xff]);
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

const text = fc.string({
  unit: fc.constantFrom('a', "'", '"', ' ', ';', 'é', '漢', '😀', '\\', '\n', ','),
  maxLength: 20,
});
const cell = fc.oneof(fc.constant(null), text, fc.string({ unit: 'grapheme-ascii', minLength: 900, maxLength: 2000 }));
const oid = fc.oneof(fc.integer({ min: 0, max: 0xffff_ffff }), fc.constantFrom(25, 23));
const column = fc.record({
  name: text,
  table: oid,
  attribute: fc.integer({ min: -8, max: 1600 }),
  type: oid,
  size: fc.integer({ min: -2, max: 32_767 }),
  typmod: fc.integer({ min: -1, max: 100_000 }),
  format: fc.constantFrom(0, 1),
});
type Column = typeof column extends fc.Arbitrary<infer C> ? C : never;
const description = (columns: readonly Column[]): Buffer =>
  message(
    B.rowDescription,
    int16(columns.length),
    ...columns.flatMap((c) => [
      c.name,
      int32(c.table),
      int16(c.attribute),
      int32(c.type),
      int16(c.size),
      int32(c.typmod >>> 0),
      int16(c.format),
    ]),
  );
const table = fc.integer({ min: 1, max: 5 }).chain((width) =>
  fc.record({
    columns: fc.array(column, { minLength: width, maxLength: width }),
    rows: fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 8 }),
  }),
);
const errors = fc.array(fc.tuple(fc.constantFrom(...Array.from('SVCMDHPpqWstcdnFLRZ')), text), { maxLength: 12 });
const fields = (tag: number, list: readonly (readonly [string, string])[]): Buffer =>
  message(tag, Buffer.from(`${list.map(([name, value]) => `${name}${value}\0`).join('')}\0`));

/** `bytes` in pieces that end at the given places, wrapped round its length. */
function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1))), bytes.length].toSorted((a, b) => a - b);
  return ends.map((end, at) => bytes.subarray(ends[at - 1] ?? 0, end)).filter((piece) => piece.length > 0);
}
const places = fc.array(fc.nat(100_000), { maxLength: 30 });
const EVERY = (bytes: Buffer): Buffer[] => Array.from(bytes, (byte) => Buffer.from([byte]));

describe('what a target sends', () => {
  const result = fc.oneof(
    table.map(({ columns, rows }) =>
      Buffer.concat([description(columns), ...rows.map((cells) => reply.row(...cells)), reply.complete('SELECT')]),
    ),
    fc
      .array(text, { maxLength: 5 })
      .map((lines) =>
        Buffer.concat([reply.copyOut, ...lines.map(reply.copyData), reply.copyDone, reply.complete('COPY')]),
      ),
    errors.map((list) => Buffer.concat([fields(B.noticeResponse, list), reply.empty])),
    errors.map((list) => fields(B.errorResponse, [['C', '22000'], ...list.filter(([name]) => name !== 'V')])),
  );

  test('is read as the same messages by whoever reads what passed, and recorded so', () => {
    fc.assert(
      fc.property(fc.array(result, { minLength: 1, maxLength: 4 }), places, (results, cuts) => {
        const bytes = Buffer.concat(results.flatMap((answer) => [answer, reply.ready('I')]));
        const wanted = read(bytes);
        for (const pieces of [[bytes], cutAt(bytes, cuts), ...(bytes.length < 2000 ? [EVERY(bytes)] : [])]) {
          const session = talk({ recorded: 1024 * 1024 });
          results.forEach(() => session.client(t.query('select 1')));
          for (const piece of pieces) session.replies(piece);
          expect(read(...session.sent.client)).toEqual(wanted);
          const recorded = decodeResult(
            Buffer.concat(session.recorded.flatMap(({ data }) => data.map((b) => Buffer.from(b)))),
          );
          expect(recorded.copied).toEqual(wanted.flatMap((m) => (m['name'] === 'copyData' ? [m['chunk']] : [])));
          expect(recorded.rows).toHaveLength(wanted.filter(({ name }) => name === 'dataRow').length);
        }
      }),
      { numRuns: 100 },
    );
  });

  test('has the descriptions, types and fields that the oracle reads', () => {
    fc.assert(
      fc.property(
        fc.array(column, { maxLength: 6 }),
        fc.array(oid, { maxLength: 6 }),
        errors,
        (columns, types, list) => {
          const described = description(columns);
          const theirs = (one(described) as RowDescriptionMessage).fields.map((field) => ({
            name: field.name,
            table: field.tableID,
            attribute: field.columnID,
            type: field.dataTypeID,
            typmod: field.dataTypeModifier,
            format: field.format,
          }));
          expect(resultDescription(described.subarray(HEADER_BYTES), UTF8)).toEqual({
            dialect: 'postgres',
            columns: theirs,
          });

          const parameters = message(B.parameterDescription, int16(types.length), ...types.map(int32));
          expect(parameterTypes(new Reader(parameters, HEADER_BYTES))).toEqual(
            (one(parameters) as ParameterDescriptionMessage).dataTypeIDs,
          );

          const formats = columns.map(({ format }) => format);
          const copy = message(B.copyOutResponse, Buffer.from([0]), int16(formats.length), ...formats.map(int16));
          expect(copyFormats(copy.subarray(HEADER_BYTES))).toEqual(
            (one(copy) as CopyResponse).columnTypes.map((format) => (format === 1 ? 'binary' : 'text')),
          );

          const failure = fields(B.errorResponse, list);
          const ours = readErrorFields(failure.subarray(HEADER_BYTES));
          const { severity, code, message: words, detail, hint, where, table: of } = one(failure) as DatabaseError;
          expect([ours.get('S'), ours.get('C'), ours.get('M') ?? '', ours.get('D')]).toEqual([
            severity,
            code,
            words,
            detail,
          ]);
          expect([ours.get('H'), ours.get('W'), ours.get('t')]).toEqual([hint, where, of]);
        },
      ),
    );
  });
});

describe('masked rows', () => {
  const MASKS: Readonly<Record<string, CellMask | undefined>> = {
    none: undefined,
    longer: (bytes, start, end) => Buffer.from(`<${bytes.toString('utf8', start, end)}>`),
    'the same size': (_, start, end) => Buffer.alloc(end - start, '*'),
    null: () => null,
    'not always': (_, start, end) => ((end - start) % 2 === 0 ? undefined : Buffer.from('odd')),
    'for NULL too': Object.assign(() => Buffer.from('mark'), { replacesNull: true as const }),
  };
  const masksOf = (cells: readonly (CellMask | undefined)[]): ResultMasks => ({
    cells,
    room: ownRoom(),
    inline: { bytes: Infinity, cells: Infinity },
    here: (rewrite) => void rewrite(),
    elsewhere: () => Promise.reject(new Unmasked('nothing is masked elsewhere')),
  });
  const session = (cells: readonly (CellMask | undefined)[]): Talk =>
    talk({
      judge: () => ({
        ...(allow({ type: 'none' }) as Extract<ReturnType<typeof allow>, { type: 'allow' }>),
        masking: {
          changesSession: false,
          runsCode: false,
          rows: () => masksOf(cells),
          copy: () => ({ ...masksOf(cells), format: { format: 'csv' } }),
          texts: { hidden: false, clean: (words) => words },
          failed: () => undefined,
          completed: () => undefined,
        },
      }),
    });
  const masked = (mask: CellMask | undefined, value: string | null): string | null => {
    if (!mask || (value === null && !mask.replacesNull)) return value;
    const bytes = Buffer.from(value ?? '');
    const made = mask(bytes, 0, bytes.length);
    return made === undefined ? value : (made?.toString() ?? null);
  };
  const names = fc.array(fc.constantFrom(...Object.keys(MASKS)), { minLength: 5, maxLength: 5 });

  test('are read by the oracle as the mask of each cell, and all else as it was', () => {
    fc.assert(
      fc.property(fc.array(table, { minLength: 1, maxLength: 3 }), names, places, (results, chosen, cuts) => {
        for (const { columns, rows } of results) {
          const masks = chosen.slice(0, columns.length).map((name) => MASKS[name]);
          const bytes = Buffer.concat([
            description(columns),
            ...rows.map((cells) => reply.row(...cells)),
            reply.complete('SELECT'),
            reply.ready('I'),
          ]);
          const wanted = rows.map((cells) => cells.map((value, at) => masked(masks[at], value)));
          for (const pieces of [[bytes], cutAt(bytes, cuts)]) {
            const talking = session(masks);
            talking.client(t.query('select 1'));
            for (const piece of pieces) talking.replies(piece);
            const found = read(...talking.sent.client);
            expect(found.filter(({ name }) => name === 'dataRow').map((row) => row['fields'])).toEqual(wanted);
            expect(found.filter(({ name }) => name !== 'dataRow')).toEqual(
              read(bytes).filter(({ name }) => name !== 'dataRow'),
            );
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  test('of COPY are messages that the oracle reads, a row each', () => {
    const line = fc.array(fc.stringMatching(/^[a-z]{1,6}$/), { minLength: 2, maxLength: 2 });
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), places, places, (lines, inner, outer) => {
        const data = Buffer.from(lines.map((cells) => `${cells.join()}\n`).join(''));
        const head = message(B.copyOutResponse, Buffer.from([0]), int16(2), int16(0), int16(0));
        const sent = cutAt(data, inner).map((piece) => message(B.copyData, piece));
        const bytes = Buffer.concat([head, ...sent, reply.copyDone, reply.complete('COPY'), reply.ready('I')]);
        const talking = session([MASKS['longer'], MASKS['none']]);
        talking.client(t.query('copy t to stdout (format csv)'));
        for (const piece of cutAt(bytes, outer)) talking.replies(piece);
        const parser = new Parser();
        const found: string[] = [];
        for (const piece of talking.sent.client)
          parser.parse(piece, (one) => one instanceof CopyDataMessage && found.push(one.chunk.toString()));
        expect(found).toEqual(lines.map(([a, b]) => `<${a}>,${b}\n`));
      }),
    );
  });
});

describe('what a client of the oracle writes', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'é', ' ', '"'), maxLength: 12 });
  const value = fc.oneof(
    cell,
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  );

  test('is asked about as it was meant, and passes as it was', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(name, text, fc.array(fc.tuple(oid, value), { maxLength: 5 })), {
          minLength: 1,
          maxLength: 4,
        }),
        places,
        (asks, cuts) => {
          const bytes = Buffer.concat(
            asks.flatMap(([statement, words, values]) => [
              serialize.close({ type: 'S', name: statement }),
              serialize.parse({ name: statement, text: `select ${words}`, types: values.map(([type]) => type | 0) }),
              serialize.bind({ statement, values: values.map(([, one]) => one) }),
              serialize.execute({ rows: 0 }),
              serialize.query(`select '${words}'`),
            ]),
          );
          const session = talk();
          for (const piece of cutAt(bytes, cuts)) session.client(piece);
          expect(Buffer.concat(session.sent.upstream)).toEqual(bytes);
          const runs = session.asked.filter(({ phase }) => phase === 'run');
          expect(runs.map((command) => command.text)).toEqual(
            asks.flatMap(([, words]) => [`select ${words}`, `select '${words}'`]),
          );
          expect(runs.flatMap(({ parameters }) => (parameters ? [parameters.map(({ type }) => type)] : []))).toEqual(
            asks.map(([, , values]) => values.map(([type]) => type)),
          );
          expect(session.bound).toEqual(asks.map(([, , values]) => values.map(([, one]) => one && one.toString())));
        },
      ),
    );
  });
});

describe('what the gateway itself reads by it', () => {
  const whole = (bytes: Buffer) => ({ tag: bytes[0] as number, body: bytes.subarray(HEADER_BYTES), whole: bytes });

  test.each([
    ['an error whose fields do not end', message(B.errorResponse, Buffer.from('Mabc\0'))],
    ['an error without fields', message(B.errorResponse)],
    ['a notice whose last field does not end', message(B.noticeResponse, Buffer.from('Mabc'))],
    ['a kind that there is not', message(0x21)],
    ['a row of fewer than no columns', message(B.dataRow, int16(-1))],
    ['a row that ends in a size', message(B.dataRow, int16(2), int32(1), Buffer.from('a'))],
    ['a setting without an end', message(B.parameterStatus, Buffer.from('a\0b'))],
  ])('%s is refused, at once', (_, bytes) => {
    expect(() => parsed(whole(bytes))).toThrow(/cannot be read/);
  });

  test('any bytes under any tag are read or refused', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.values(B)), fc.uint8Array({ maxLength: 60 }), (tag, body) => {
        try {
          parsed(whole(message(tag, body)));
        } catch (error) {
          expect((error as Error).message).toMatch(/cannot be read/);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('rows are the same as of the reader of records', () => {
    fc.assert(
      fc.property(table, ({ columns, rows }) => {
        const texts = columns.map((c) => ({ ...c, format: 0 as const }));
        const made = rows.map((cells) => parsed(whole(reply.row(...cells))) as DataRowMessage);
        const decoded = decodeResult(Buffer.concat([description(texts), ...rows.map((cells) => reply.row(...cells))]));
        expect(made.map(({ fields: cells }) => cells)).toEqual(decoded.rows);
      }),
    );
  });
});
