/** Rows that are put together anew: their bytes and packets, in memory of any size, beside the same made without it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_PACKET, framed } from '../src/packets.js';
import { RewrittenRows, RowPieces } from '../src/rewritten-row.js';

type Part = { readonly kept: string } | { readonly put: string } | { readonly byte: number };
const part: fc.Arbitrary<Part> = fc.oneof(
  fc.record({ kept: fc.string({ maxLength: 200 }) }),
  fc.record({ put: fc.string({ maxLength: 200 }) }),
  fc.record({ byte: fc.nat(255) }),
);
/** A row begins with what it keeps. `end`: what becomes of it. */
const row = fc.record({
  head: fc.string({ minLength: 1, maxLength: 9 }),
  parts: fc.array(part, { maxLength: 8 }),
  patched: fc.boolean(),
  end: fc.constantFrom('closed', 'closed', 'closed', 'dropped', 'taken'),
});

const bytesOf = (one: Part): Buffer =>
  'byte' in one ? Buffer.from([one.byte]) : Buffer.from('kept' in one ? one.kept : one.put);

function give(into: RewrittenRows | RowPieces, one: Part): void {
  if ('byte' in one) return into.putByte(one.byte);
  const value = Buffer.from(`<${'kept' in one ? one.kept : one.put}>`);
  if ('kept' in one) into.keep(value, 1, value.length - 1);
  else into.put(value.subarray(1, value.length - 1));
}

test('rows are what was given of them, whatever became of those between', () => {
  fc.assert(
    fc.property(fc.array(row, { maxLength: 20 }), fc.nat(300), (rows, size) => {
      const made = new RewrittenRows((bytes) => Buffer.allocUnsafe(Math.min(bytes, size)));
      const given: Buffer[] = [];
      const expected: Buffer[] = [];
      const take = (): void => {
        const packets = made.taken();
        if (packets) given.push(packets);
      };
      for (const [sequence, { head, parts, patched, end }] of rows.entries()) {
        const all = [{ kept: head }, ...parts];
        made.open(size);
        for (const one of all) give(made, one);
        const payload = Buffer.concat(all.map(bytesOf));
        if (patched) {
          made.patch(0, 0xaa);
          payload[0] = 0xaa;
        }
        if (end === 'dropped') made.drop();
        else {
          expect(made.close(sequence)).toBeUndefined();
          expect(made.last.equals(framed(payload, sequence))).toBe(true);
          expect(made.lastSize).toBe(payload.length + 4);
          expected.push(framed(payload, sequence));
        }
        if (end === 'taken') take();
      }
      take();
      expect(Buffer.concat(given).equals(Buffer.concat(expected))).toBe(true);
    }),
  );
});

test('a row that has grown beyond one packet is given back whole', () => {
  const made = new RewrittenRows((size) => Buffer.allocUnsafe(size));
  const value = Buffer.alloc(MAX_PACKET, 'v');
  made.open(10);
  made.put(value);
  expect(made.close(0)?.equals(value)).toBe(true);
  expect(made.taken()).toBeUndefined();
  made.open(10);
  made.putByte(1);
  expect(made.close(7)).toBeUndefined();
  expect(made.taken()).toEqual(Buffer.from([1, 0, 0, 7, 1]));
});

test('pieces of a long row are views, and a change of its head is seen', () => {
  const bytes = Buffer.from('head and tail');
  const made = new RowPieces();
  made.keep(bytes, 0, 5);
  made.keep(bytes, 5, 5);
  made.put(Buffer.from('x'));
  made.patch(0, 0x48);
  made.keep(bytes, 5, bytes.length);
  expect(Buffer.concat(made.pieces).toString()).toBe('Head xand tail');
  expect(made.pieces).toHaveLength(3);
});
