/** What reading frames costs, in work and not in time: twice the frames or bytes are twice the work, however they are cut. */
import { growth } from '@sluice/testkit/work';
import { expect, test } from 'vitest';
import { FrameDecoder, frame } from '../src/frame.js';

const MOST_GROWTH = 2.2;
const tiny = (count: number): Buffer => Buffer.concat(Array.from({ length: count }, () => frame('fin', 1)));
const cut = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) => bytes.subarray(at * size, (at + 1) * size));

test.each([
  ['many tiny frames in one chunk', (n: number) => [tiny(n)]],
  ['many tiny frames, byte by byte', (n: number) => cut(tiny(n), 1)],
  ['one data frame in pieces', (n: number) => cut(frame('data', 1, Buffer.alloc(n * 8)), 64)],
  ['one frame that is kept until it is whole, in pieces', (n: number) => cut(frame('open', 1, Buffer.alloc(n * 8)), 8)],
])('%s', (_, make) => {
  const read = (n: number): void => {
    let seen = 0;
    const decoder = new FrameDecoder({ data: () => seen++, frame: () => seen++ });
    for (const chunk of make(n)) decoder.push(chunk);
    expect(seen).toBeGreaterThan(0);
  };
  expect(growth(2_000, read)).toBeLessThan(MOST_GROWTH);
});
