/** Rows of many packets: what is put together of them, and taken apart again. */
import { expect, test } from 'vitest';
import { LongRow, framedPieces } from '../src/long-row.js';
import { MAX_PACKET, framed } from '../src/packets.js';
import { roomOf } from './talk.js';

test.each([0, 1, 250, MAX_PACKET - 1, MAX_PACKET, MAX_PACKET + 1, 2 * MAX_PACKET, 2 * MAX_PACKET + 7])(
  'pieces of %i bytes are framed as the whole is',
  (size) => {
    const whole = Buffer.alloc(size, 'abcdefg');
    for (const cuts of [[], [3], [MAX_PACKET - 2, MAX_PACKET, MAX_PACKET + 4]]) {
      const ends = [...cuts.filter((cut) => cut < size), size];
      const pieces = ends.map((end, at) => whole.subarray(ends[at - 1] ?? 0, end));
      const made = Buffer.concat(framedPieces(pieces, 254));
      expect(made.equals(framed(whole, 254))).toBe(true);
    }
  },
);

test('packets are put together however they were cut', () => {
  const room = roomOf(64 * 1024 * 1024);
  const row = new LongRow(room);
  const whole = Buffer.alloc(MAX_PACKET + 5, 'row');
  row.begin(MAX_PACKET);
  for (let at = 0; at < MAX_PACKET; ) at += row.take(whole.subarray(at, at + 1_000_003));
  expect([row.left, row.continues]).toEqual([0, true]);
  row.begin(5);
  expect(row.take(whole.subarray(MAX_PACKET, MAX_PACKET + 2))).toBe(2);
  expect(row.take(Buffer.concat([whole.subarray(MAX_PACKET + 2), Buffer.from('next')]))).toBe(3);
  expect([row.left, row.continues]).toEqual([0, false]);
  expect(row.taken().equals(whole)).toBe(true);
  // Its packets, and the whole.
  expect(room.sizes).toEqual([2 * MAX_PACKET, 2 * (MAX_PACKET + 5), 0]);
});

test('a row for which there is no room is refused', () => {
  const row = new LongRow(roomOf(40 * 1024 * 1024));
  row.begin(MAX_PACKET);
  expect(() => row.begin(MAX_PACKET)).toThrow(/a row is too long/);
});
