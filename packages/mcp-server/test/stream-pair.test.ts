import { once } from 'node:events';
import { expect, test } from 'vitest';
import { streamPair } from '../src/stream-pair.js';

const all = async (stream: AsyncIterable<Buffer>): Promise<string> => {
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces).toString();
};

test('memory that is used again does not change what was written', async () => {
  const [one, other] = streamPair();
  const memory = Buffer.alloc(4);
  for (const word of ['aaaa', 'bbbb', 'cccc']) {
    memory.write(word);
    await new Promise<void>((resolve) => one.write(memory, () => resolve()));
  }
  memory.write('dddd');
  one.end();
  expect(await all(other)).toBe('aaaabbbbcccc');
});

test('a reader that is slow holds the writer back', async () => {
  const [one, other] = streamPair();
  const chunk = Buffer.alloc(64 * 1024);
  let taken = 0;
  for (let i = 0; i < 100; i++) one.write(chunk, () => taken++);
  await new Promise(setImmediate);
  expect(taken).toBeLessThan(5);
  other.resume();
  one.end();
  await once(other, 'end');
  expect(taken).toBe(100);
});

test('what was written before an end is gone can still be read, and then the other end is gone too', async () => {
  const [one, other] = streamPair();
  one.write('last words');
  one.destroy();
  const closed = once(other, 'close');
  expect(await all(other)).toBe('last words');
  await closed;
  expect(other.destroyed).toBe(true);
});

test('an end whose other end is gone goes too, although nobody reads it', async () => {
  const [one, other] = streamPair();
  one.destroy(new Error('broken'));
  await once(other, 'close');
  expect(other.destroyed).toBe(true);
});

test('one end may end while the other goes on', async () => {
  const [one, other] = streamPair();
  one.end('question');
  expect(await all(other)).toBe('question');
  other.end('answer');
  expect(await all(one)).toBe('answer');
});
