/** What comes in pieces of a byte takes about its own size while it is kept. */
import { expect, test } from 'vitest';
import { SmallPieces } from '../src/small-pieces.js';

test.each([1, 7, 1_000, 9_000, 20_000])('pieces of %d bytes stay what they are, in few', (size) => {
  const small = new SmallPieces();
  const pieces: Buffer[] = [];
  const memory = Buffer.alloc(size);
  const whole: number[] = [];
  for (let count = 0; count * size < 200_000; count++) {
    memory.fill(count % 251);
    whole.push(...memory);
    small.add(pieces, memory);
  }
  expect(Buffer.concat(pieces).equals(Buffer.from(whole))).toBe(true);
  expect(pieces.length).toBeLessThan(2 * Math.ceil(whole.length / (16 * 1024)) + 2);
});

test('what was taken of them keeps what it had', () => {
  const small = new SmallPieces();
  const pieces: Buffer[] = [];
  for (const byte of 'abc') small.add(pieces, Buffer.from(byte));
  const taken = pieces[0] as Buffer;
  pieces[0] = taken.subarray(1);
  small.add(pieces, Buffer.from('d'));
  expect([taken.toString(), pieces.join()]).toEqual(['abc', 'bcd']);
});
