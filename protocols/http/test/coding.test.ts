/** What of a bomb is decoded before it is known to be one, which bounds the time and the memory that it takes. */
import { brotliCompressSync, constants, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { type Coding, Decoder } from '../src/coding.js';

/** 64 MiB of one letter. */
const LONG = Buffer.alloc(64 * 1024 * 1024, ' ');
const MIB = 1024 * 1024;
const QUICK = { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } };

test.each<[string, Coding, (bytes: Buffer) => Buffer]>([
  ['gzip', 'gzip', (bytes) => gzipSync(bytes)],
  ['deflate of zlib', 'deflate', (bytes) => deflateSync(bytes)],
  ['raw deflate', 'deflate', (bytes) => deflateRawSync(bytes)],
  ['br', 'br', (bytes) => brotliCompressSync(bytes, QUICK)],
  ['zstd', 'zstd', (bytes) => zstdCompressSync(bytes)],
])('a bomb of %s: little more than a MiB of it is decoded', async (_, coding, compress) => {
  const bomb = compress(LONG);
  expect(LONG.length / bomb.length).toBeGreaterThan(500);
  let decoded = 0;
  const { promise, resolve } = Promise.withResolvers<string>();
  const decoder = new Decoder(coding, {
    data: (bytes) => (decoded += bytes.length),
    end: () => resolve('it was decoded to its end'),
    failed: resolve,
    room: () => undefined,
  });
  // As it comes off a socket.
  for (let at = 0; at < bomb.length; at += 16_384) decoder.push(bomb.subarray(at, at + 16_384));
  decoder.end();
  expect(await promise).toContain('far longer than it is');
  expect(decoded).toBeLessThanOrEqual(MIB);
  await new Promise((passed) => setImmediate(passed));
  expect(decoded).toBeLessThanOrEqual(MIB);
});

test.each<[string, (bytes: Buffer) => Buffer]>([
  ['of zlib', deflateSync],
  ['raw', deflateRawSync],
])('deflate %s is told by its first two bytes, however they come', async (_, compress) => {
  for (const said of ['a text', '']) {
    const { promise, resolve } = Promise.withResolvers<string>();
    const decoded: Buffer[] = [];
    const decoder = new Decoder('deflate', {
      data: (bytes) => void decoded.push(Buffer.from(bytes)),
      end: () => resolve(Buffer.concat(decoded).toString()),
      failed: resolve,
      room: () => undefined,
    });
    for (const byte of compress(Buffer.from(said))) decoder.push(Buffer.of(byte));
    decoder.end();
    expect(await promise).toBe(said);
  }
});
