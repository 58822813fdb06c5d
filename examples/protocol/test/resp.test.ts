/** What can be tried without a gateway: framing under every cut, and what commands are said to do. */
import { PassThrough } from 'node:stream';
import { describe as group, expect, test } from 'vitest';
import { describe } from '../commands.js';
import { Reader } from '../reader.js';
import { changed, command, encode, passReply, readCommand, readReply } from '../resp.js';

/** A stream that gives these bytes in two pieces, and ends. */
function cutAt(bytes: Buffer, at: number): Reader {
  const stream = new PassThrough();
  const reader = new Reader(stream);
  stream.write(bytes.subarray(0, at));
  setImmediate(() => stream.end(bytes.subarray(at)));
  return reader;
}

const words = (text: string): Buffer[] => text.split(' ').map((word) => Buffer.from(word));

group('commands', () => {
  test.each([
    ['an array', '*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n\r\n\r\n\r\n', ['SET', 'a', '\r\n\r\n']],
    ['a line', 'SET a "b \\x41\\n\\""\r\n', ['SET', 'a', 'b A\n"']],
    ['an empty word', "ECHO ''\r\n", ['ECHO', '']],
    ['empty lines before it', '\r\n*0\r\n\nPING\n', ['PING']],
  ])('%s is read, however it is cut', async (_, text, expected) => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at++) {
      const read = await readCommand(cutAt(bytes, at), 1000);
      expect(read.map(String), `cut at ${at}`).toEqual(expected);
    }
  });

  test('what is longer than the limit is refused before it is read', async () => {
    await expect(readCommand(cutAt(Buffer.from('*2\r\n$5\r\nHELLO\r\n$6\r\n'), 0), 74)).rejects.toThrow(
      'invalid length',
    );
  });

  test.each([
    ['GET a', 'get', ['read'], ['a']],
    ['mget a b', 'mget', ['read'], ['a', 'b']],
    ['MSET a 1 b 2', 'mset', ['write'], ['a', 'b']],
    ['RENAME a b', 'rename', ['write', 'destroy'], ['a', 'b']],
    ['FLUSHALL ASYNC', 'flushall', ['destroy'], []],
    ['EVAL x 0', 'eval', undefined, []],
    ['CONFIG SET dir /', 'config set', undefined, []],
    ['CLIENT REPLY OFF', 'client reply', undefined, []],
  ])('%s', (text, verb, effects, keys) => {
    const said = describe(words(text));
    expect([said.verb, said.effects, said.resources.map(({ name }) => name)]).toEqual([verb, effects, keys]);
  });
});

group('answers', () => {
  const ANSWERS = [
    '+OK\r\n',
    '-ERR no\r\n',
    ':12\r\n',
    '$-1\r\n',
    '*-1\r\n',
    '$0\r\n\r\n',
    '*0\r\n',
    '$4\r\na\r\nb\r\n',
  ];
  const NESTED = `*3\r\n*2\r\n:1\r\n${ANSWERS[7]}$-1\r\n*1\r\n*0\r\n`;

  test.each([...ANSWERS, NESTED])('%j passes as it is, and nothing behind it does', async (text) => {
    const bytes = Buffer.from(`${text}+next\r\n`);
    for (let at = 0; at < bytes.length; at++) {
      const reader = cutAt(bytes, at);
      const given: Buffer[] = [];
      await passReply(reader, (some) => void given.push(some));
      expect(Buffer.concat(given).toString()).toBe(text);
      expect((await reader.line(100)).toString()).toBe('+next');
    }
    expect(encode(await readReply(cutAt(bytes, 3), 1000)).toString()).toBe(text);
  });

  test('a text that was changed has its new length, and a number that was changed is a text', async () => {
    const mask = async (text: Buffer): Promise<Buffer> => Buffer.from(text.toString().replace('4111', '[masked]'));
    const reply = await readReply(cutAt(Buffer.from('*3\r\n:4111\r\n$6\r\nx 4111\r\n:7\r\n'), 5), 1000);
    expect(encode(await changed(reply, mask)).toString()).toBe('*3\r\n$8\r\n[masked]\r\n$10\r\nx [masked]\r\n:7\r\n');
  });

  test('an answer that is longer, or deeper, than can be masked is none', async () => {
    await expect(readReply(cutAt(Buffer.from('$20\r\n'), 0), 10)).rejects.toThrow('longer than the 10 bytes');
    await expect(readReply(cutAt(Buffer.from('*1\r\n'.repeat(100)), 0), 100_000)).rejects.toThrow('arrays in arrays');
  });

  test('many that are empty cost more than their bytes', async () => {
    const many = Buffer.from(`*1000\r\n${'$0\r\n\r\n'.repeat(1000)}`);
    await expect(readReply(cutAt(many, 0), 20_000)).rejects.toThrow('longer than the 20000 bytes');
    await expect(readCommand(cutAt(many, 0), 20_000)).rejects.toThrow('invalid length');
  });

  test('what is sent to a target is an array of texts', () => {
    expect(command(words('GET a')).toString()).toBe('*2\r\n$3\r\nGET\r\n$1\r\na\r\n');
  });
});
