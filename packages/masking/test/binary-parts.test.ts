import { describe, expect, test } from 'vitest';
import { type PartMask, type PgType, builtIn, cellMaskOf } from '../src/postgres/index.js';

/** Rows and arrays in binary of which some parts are masked. */

const options = { mode: { type: 'redact' }, key: Buffer.alloc(32, 1), entity: 'EMAIL' } as const;
const KEEP: PartMask = { type: 'keep' };
const EMAIL: PartMask = { type: 'column', of: builtIn(25), options };
const NUMBER_MARK: PartMask = { type: 'mark', of: builtIn(23), options };
const RECORD: PgType = { oid: 2249, kind: 'pseudo' };
const TEXTS: PgType = { oid: 1009, kind: 'array', element: builtIn(25) };
const MASKED = '[masked:EMAIL]';

const int = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [at, value] of values.entries()) bytes.writeInt32BE(value, at * 4);
  return bytes;
};
const sized = (value: string | Buffer | null): Buffer =>
  value === null ? int(-1) : Buffer.concat([int(Buffer.byteLength(value)), Buffer.from(value as string)]);
type Field = readonly [type: number, value: string | Buffer | null];
const row = (...fields: Field[]): Buffer =>
  Buffer.concat([int(fields.length), ...fields.flatMap(([type, value]) => [int(type), sized(value)])]);
const array = (type: number, dimensions: readonly number[], ...values: (string | Buffer | null)[]): Buffer =>
  Buffer.concat([
    int(dimensions.length, values.includes(null) ? 1 : 0, type, ...dimensions.flatMap((size) => [size, 1])),
    ...values.map(sized),
  ]);

function masked(parts: PartMask, value: Buffer, of: PgType = RECORD): Buffer | null {
  const mask = cellMaskOf({ type: 'parts', of, format: 'binary', parts });
  // What lies around the value in its buffer is none of it.
  const bytes = Buffer.concat([Buffer.from('around'), value, Buffer.from('around')]);
  const made = mask?.(bytes, 6, bytes.length - 6);
  return made === undefined ? value : (made ?? null);
}

describe('rows', () => {
  const parts: PartMask = { type: 'row', items: [KEEP, EMAIL, NUMBER_MARK] };
  test('each field has its own mask, and the others stay as they are', () => {
    expect(masked(parts, row([23, int(7)], [25, 'a@b.c'], [23, int(9)]))).toEqual(
      row([23, int(7)], [25, MASKED], [23, null]),
    );
    expect(masked(parts, row([23, null], [25, null], [23, null]))).toEqual(row([23, null], [25, null], [23, null]));
    expect(masked({ type: 'row', items: [] }, row())).toEqual(row());
  });

  test('a part that is of another type than the statement says is NULL', () => {
    expect(masked(parts, row([23, int(7)], [17, 'a@b.c'], [23, int(9)]))).toEqual(
      row([23, int(7)], [17, null], [23, null]),
    );
  });

  test('rows, arrays, documents and texts of rows in rows', () => {
    const nested: PartMask = {
      type: 'row',
      items: [
        { type: 'row', items: [KEEP, EMAIL] },
        { type: 'tuple', items: [EMAIL, KEEP] },
        { type: 'document', root: { type: 'object', fields: [['e', EMAIL]] } },
        { type: 'row', items: [KEEP, EMAIL] },
      ],
    };
    const value = (first: string): Buffer =>
      row(
        [2249, row([25, 'kept'], [25, first])],
        [1009, array(25, [2], first, 'kept')],
        [3802, `\u0001{"e":"${first}"}`],
        [25, `(kept,${first})`],
      );
    expect(masked(nested, value('a@b.c'))).toEqual(value(MASKED));
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['another number of fields', row([23, int(7)], [25, 'a'])],
    [
      'more fields than it says',
      Buffer.concat([int(3), row([23, int(7)], [25, 'a'], [23, int(1)]).subarray(4), int(23)]),
    ],
    ['a length beyond the end', Buffer.concat([int(3, 23, 0x7fff_ffff)])],
    ['a length below -1', Buffer.concat([int(3, 23, -2)])],
    ['a value that is cut', row([23, int(7)], [25, 'a@b.c'], [23, int(1)]).subarray(0, 30)],
  ])('what is not put together as the statement says is NULL: %s', (_, value) => {
    expect(masked(parts, value)).toBeNull();
  });
});

describe('arrays', () => {
  const pair: PartMask = { type: 'tuple', items: [KEEP, EMAIL] };
  const list: PartMask = { type: 'list', item: EMAIL };
  test('each element has the mask of its place', () => {
    expect(masked(pair, array(25, [2], 'a', 'b'), TEXTS)).toEqual(array(25, [2], 'a', MASKED));
    expect(masked(list, array(25, [3], 'a', null, 'c'), TEXTS)).toEqual(array(25, [3], MASKED, null, MASKED));
    expect(masked(pair, array(25, [2, 2], 'a', 'b', 'c', 'd'), TEXTS)).toEqual(
      array(25, [2, 2], 'a', 'b', MASKED, MASKED),
    );
    expect(masked(list, array(25, []), TEXTS)).toEqual(array(25, []));
    const rows: PartMask = { type: 'list', item: { type: 'row', items: [KEEP, EMAIL] } };
    expect(masked(rows, array(2249, [1], row([23, int(1)], [25, 'a'])))).toEqual(
      array(2249, [1], row([23, int(1)], [25, MASKED])),
    );
  });

  test('a part that becomes NULL is said to be there', () => {
    const marks: PartMask = { type: 'list', item: NUMBER_MARK };
    expect(masked(marks, array(23, [2], int(1), int(2)))).toEqual(array(23, [2], null, null));
  });

  test.each([
    ['more elements than places', array(25, [3], 'a', 'b', 'c')],
    ['fewer elements than it says', array(25, [2], 'a')],
    ['more elements than it says', array(25, [1], 'a', 'b')],
    ['dimensions without end', int(0x7fff_ffff, 0, 25)],
    ['a negative dimension', int(1, 0, 25, -1, 1)],
    ['a dimension of billions', int(1, 0, 25, 0x7fff_ffff, 1)],
    ['seven dimensions', array(25, [1, 1, 1, 1, 1, 1, 1], 'a')],
  ])('no array: %s', (_, value) => {
    expect(masked(pair, value, TEXTS)).toBeNull();
  });
});
