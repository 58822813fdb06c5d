import { CUTS, lent, randomPieces } from '@sluice/testkit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type CellMask, Unmasked } from '@sluice/contract';
import { type MaskOptions, type Mode, RowRoom, builtIn, maskFor } from '@sluice/masking';
import { RowMask } from '../../src/masked/rows.js';

const options = (type: Exclude<Mode['type'], 'count' | 'replaced'>): MaskOptions => ({
  mode: { type },
  key: Buffer.alloc(16, 3),
  entity: 'EMAIL',
});
const text = builtIn(25);

/** Every way in which a mask changes a cell, or does not. */
const MASKS: Readonly<Record<string, CellMask | undefined>> = {
  none: undefined,
  partial: maskFor(text, 'text', options('partial')),
  redact: maskFor(text, 'text', options('redact')),
  hash: maskFor(text, 'text', options('hash')),
  null: maskFor(text, 'text', options('null')),
  'same size': (_, start, end) => Buffer.alloc(end - start, 0x2a),
  unchanged: () => undefined,
  empty: () => Buffer.alloc(0),
};

function dataRow(cells: readonly (Buffer | null)[]): Buffer {
  const parts = cells.flatMap((cell) => [int32(cell === null ? -1 : cell.length), cell ?? Buffer.alloc(0)]);
  const body = Buffer.concat([Buffer.from([cells.length >> 8, cells.length & 0xff]), ...parts]);
  return Buffer.concat([Buffer.from('D'), int32(body.length + 4), body]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

/** The rows of a stream again, cell by cell. */
function decode(stream: Buffer): (string | null)[][] {
  const rows: (string | null)[][] = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + 1 + stream.readInt32BE(at + 1);
    const row: (string | null)[] = [];
    const count = stream.readInt16BE(at + 5);
    at += 7;
    for (let n = 0; n < count; n++) {
      const size = stream.readInt32BE(at);
      row.push(size < 0 ? null : stream.toString('latin1', at + 4, at + 4 + size));
      at += 4 + Math.max(0, size);
    }
    expect(at).toBe(end);
    rows.push(row);
  }
  return rows;
}

function expected(rows: readonly (readonly (Buffer | null)[])[], masks: readonly (CellMask | undefined)[]) {
  return rows.map((row) =>
    row.map((cell, n) => {
      if (cell === null) return null;
      const masked = masks[n]?.(cell, 0, cell.length);
      return masked === null ? null : (masked ?? cell).toString('latin1');
    }),
  );
}

const value = fc.oneof(
  fc.constant(null),
  fc
    .constantFrom('', 'short', 'ada@example.com', '4111 1111 1111 1111', 'größer als acht Zeichen')
    .map((one) => Buffer.from(one)),
  fc.uint8Array({ maxLength: 40 }).map((one) => Buffer.from(one)),
);
const table = fc
  .array(fc.constantFrom(...Object.keys(MASKS)), { maxLength: 6 })
  .chain((names) =>
    fc.tuple(fc.constant(names), fc.array(fc.tuple(...names.map(() => value)), { maxLength: 12 }), fc.integer()),
  );

test('what comes out is the mask of each cell, however the stream is cut', () => {
  fc.assert(
    fc.property(table, ([names, rows, seed]) => {
      const masks = names.map((name) => MASKS[name]);
      const stream = Buffer.concat(rows.map(dataRow));
      const whole = new RowMask(masks).rewrite(stream, 0, stream.length);
      expect(decode(whole)).toEqual(expected(rows, masks));
      expect(new RowMask(masks, { owned: true }).rewrite(Buffer.from(stream), 0, stream.length).equals(whole)).toBe(
        true,
      );
      for (const cut of [...Object.values(CUTS), (bytes: Buffer) => randomPieces(bytes, seed)]) {
        const mask = new RowMask(masks, { owned: true });
        const out = cut(stream).map((piece) => lent(piece, (chunk) => Buffer.from(mask.push(chunk))));
        expect(Buffer.concat(out).equals(whole)).toBe(true);
        expect(mask.pending).toBe(0);
      }
    }),
    { numRuns: 300 },
  );
});

test('a chunk is not changed, and may be reused once it was taken', () => {
  const mask = new RowMask([MASKS['partial']]);
  const row = dataRow([Buffer.from('4111 1111 1111 1111')]);
  const chunk = Buffer.from(row);
  const first = mask.push(chunk.subarray(0, 10));
  expect(chunk.equals(row)).toBe(true);
  chunk.fill(0, 0, 10);
  const out = Buffer.concat([first, mask.push(chunk.subarray(10))]);
  expect(decode(out)).toEqual([['**** **** **** 1111']]);
});

test('sizes that change now and then do not disturb what follows', () => {
  const mask = new RowMask([MASKS['partial'], undefined]);
  const rows = Array.from({ length: 50 }, (_, n) => [
    Buffer.from(n % 7 === 3 ? 'short' : '12345678'),
    Buffer.from(String(n)),
  ]);
  const out = rows.map((row) => mask.push(dataRow(row)));
  expect(decode(Buffer.concat(out))).toEqual(rows.map((_, n) => [n % 7 === 3 ? '****' : '****5678', String(n)]));
});

describe('nothing passes of', () => {
  const one = dataRow([Buffer.from('secret')]);
  const push = (bytes: Buffer, limit: number): unknown => {
    try {
      return new RowMask([MASKS['redact']], { room: new RowRoom(undefined, { limit }) }).push(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(Unmasked);
      expect((error as Error).message).not.toContain('secret');
      return (error as Error).message;
    }
  };
  const changed = (at: number, to: number): Buffer => {
    const bytes = Buffer.from(one);
    bytes[at] = to;
    return bytes;
  };

  test.each([
    ['the start of a row beyond the limit', one.subarray(0, -1), /has more than 10 bytes/, 10],
    ['the head of a row beyond the limit', one.subarray(0, 5), /has more than 10 bytes/, 10],
    ['another message', changed(0, 0x54), /is not a row/, 99],
    ['a row of another width', dataRow([Buffer.from('secret'), null]), /has 2 columns where 1 were described/, 99],
    ['a cell longer than its row', changed(10, 99), /longer than its row/, 99],
    ['a cell of negative size', changed(7, 0x80), /longer than its row/, 99],
    ['a message shorter than its head', changed(4, 3), /is not a row/, 99],
  ])('%s', (_, bytes, why, limit) => {
    expect(push(bytes, limit)).toMatch(why);
  });

  test('a row that is known to be whole and is not', () => {
    expect(() => new RowMask([MASKS['redact']]).rewrite(one, 0, one.length - 1)).toThrow(Unmasked);
  });
});
