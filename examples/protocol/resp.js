/**
 * RESP2 (https://redis.io/docs/latest/develop/reference/protocol-spec). Owns: how commands and answers are framed, and their
 * bounds. Does not: know commands.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** What Redis itself takes: a line, and arguments of one command. */
const MAX_LINE_BYTES = 64 * 1024;
const MAX_ARGUMENTS = 1024 * 1024;
/** Arrays in arrays. */
const MAX_DEPTH = 32;
/** What an argument or an answer costs besides its bytes: a million empty ones take memory, too. */
const OVERHEAD_BYTES = 64;
/** So long a session may be at work before others get their turn, in milliseconds. */
const MAX_BUSY_MS = 10;
/** Bytes that are looked at before others get their turn, and that are written at once. */
const SLICE_BYTES = 64 * 1024;

const CRLF = Buffer.from('\r\n');

/** A peer does not speak RESP2, or more of it than there is room for. The message is for the client. */
export class RespError extends Error {}

/**
 * Reads one command. An empty line is none, and is passed over as Redis does.
 *
 * @param {import('./reader.js').Reader} reader
 * @param {number} maxBytes for all of its arguments
 * @returns {Promise<Buffer[]>} its name and its arguments
 */
export async function readCommand(reader, maxBytes) {
  for (;;) {
    const line = await lineOf(reader);
    if (line.length === 0) continue;
    if (line[0] !== 0x2a) {
      const words = readInline(line.toString('latin1'));
      if (words.length > 0) return words;
      continue;
    }
    const count = numberOf(line, MAX_ARGUMENTS);
    if (count <= 0) continue;
    const words = [];
    for (let left = maxBytes; words.length < count; ) {
      const header = await lineOf(reader);
      if (header[0] !== 0x24)
        throw new RespError(`Protocol error: expected '$', got '${header.toString('latin1', 0, 1)}'`);
      const length = numberOf(header, left);
      if (length < 0) throw new RespError('Protocol error: invalid bulk length');
      left -= length + OVERHEAD_BYTES;
      words.push(await reader.exactly(length));
      if ((await lineOf(reader)).length > 0) throw new RespError('Protocol error: expected CRLF');
    }
    return words;
  }
}

/** Words as a person types them, some in quotes. @param {string} line */
function readInline(line) {
  const words = [];
  const pattern = /\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"']+))(?=\s|$)/gy;
  let end = 0;
  for (let match = pattern.exec(line); match; match = pattern.exec(line)) {
    const [, double, single, plain] = match;
    words.push(
      Buffer.from(double === undefined ? (single?.replaceAll("\\'", "'") ?? plain ?? '') : unescaped(double), 'latin1'),
    );
    end = pattern.lastIndex;
  }
  if (line.slice(end).trim() !== '') throw new RespError('Protocol error: unbalanced quotes in request');
  return words;
}

/** @type {Readonly<Record<string, string>>} */
const ESCAPES = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' };

/** @param {string} text */
const unescaped = (text) =>
  text.replaceAll(
    /\\(?:x([0-9a-f]{2})|(.))/gi,
    (_, /** @type {string | undefined} */ hex, /** @type {string} */ one) =>
      hex === undefined ? (ESCAPES[one] ?? one) : String.fromCharCode(Number.parseInt(hex, 16)),
  );

/** A command, as a target gets it. @param {readonly Uint8Array[]} words */
export const command = (words) =>
  Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...words.flatMap((word) => bulk(word))]);

/** @param {Uint8Array} bytes */
const bulk = (bytes) => [Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF];

/** An error for the client: one line, whatever is in the text. @param {string} kind @param {string} text */
export const failure = (kind, text) => Buffer.from(`-${kind} ${text.replaceAll(/[\r\n]+/g, ' ')}\r\n`);

export const OK = Buffer.from('+OK\r\n');

/**
 * Passes on one answer as it comes.
 *
 * @param {import('./reader.js').Reader} reader
 * @param {(bytes: Buffer) => Promise<void> | void} give
 * @returns {Promise<{ first: string, bytes: number }>} its first line, and how long it was
 */
export async function passReply(reader, give) {
  let first;
  let bytes = 0;
  /** @type {Buffer[]} */
  let parts = [];
  let size = 0;
  const flush = async () => {
    bytes += size;
    const all = Buffer.concat(parts);
    parts = [];
    size = 0;
    await give(all);
  };
  const add = async (/** @type {Buffer} */ part) => {
    parts.push(part);
    size += part.length;
    if (size >= SLICE_BYTES) await flush();
  };
  for (let left = 1; left > 0; left--) {
    const line = await lineOf(reader);
    first ??= line.toString('latin1');
    await add(line);
    await add(CRLF);
    if (line[0] === 0x2a) left += Math.max(0, numberOf(line));
    if (line[0] !== 0x24) continue;
    for (let body = numberOf(line) < 0 ? 0 : numberOf(line) + CRLF.length; body > 0; ) {
      const some = await reader.some(Math.min(body, SLICE_BYTES));
      body -= some.length;
      await add(some);
    }
  }
  await flush();
  return { first: first ?? '', bytes };
}

/**
 * An answer as a tree.
 *
 * @typedef {{ readonly mark: string, readonly text: Buffer | undefined } | { readonly items: readonly Reply[] }} Reply
 */

/**
 * Reads one answer whole.
 *
 * @param {import('./reader.js').Reader} reader
 * @param {number} maxBytes
 * @returns {Promise<Reply>}
 */
export async function readReply(reader, maxBytes) {
  let left = maxBytes;
  const take = (/** @type {number} */ bytes) => {
    left -= bytes;
    if (left < 0) throw new RespError(`this answer is masked here, and longer than the ${maxBytes} bytes that can be`);
  };
  const read = async (/** @type {number} */ depth) => {
    const line = Buffer.from(await lineOf(reader));
    take(line.length + OVERHEAD_BYTES);
    const mark = line.toString('latin1', 0, 1);
    if (mark === '*') {
      const count = numberOf(line);
      if (count < 0) return { mark, text: undefined };
      if (depth === MAX_DEPTH) throw new RespError('this answer has too many arrays in arrays');
      /** @type {Reply[]} */
      const items = [];
      while (items.length < count) items.push(await read(depth + 1));
      return { items };
    }
    if (mark !== '$') return { mark, text: line.subarray(1) };
    const length = numberOf(line);
    if (length < 0) return { mark, text: undefined };
    take(length + CRLF.length);
    const text = await reader.exactly(length);
    await reader.exactly(CRLF.length);
    return { mark, text };
  };
  return read(0);
}

/**
 * The same answer with each text changed. A number that was changed is none any more, and becomes a text.
 *
 * @param {Reply} reply
 * @param {(text: Buffer) => Promise<Buffer>} change
 * @returns {Promise<Reply>}
 */
export async function changed(reply, change) {
  if ('items' in reply) {
    const items = [];
    for (const item of reply.items) items.push(await changed(item, change));
    return { items };
  }
  if (reply.text === undefined) return reply;
  const text = await change(reply.text);
  return { mark: reply.mark === ':' && !text.equals(reply.text) ? '$' : reply.mark, text };
}

/** @param {Reply} reply @returns {Buffer} */
export function encode(reply) {
  if ('items' in reply) return Buffer.concat([Buffer.from(`*${reply.items.length}\r\n`), ...reply.items.map(encode)]);
  const { mark, text } = reply;
  if (text === undefined) return Buffer.from(`${mark}-1\r\n`);
  return Buffer.concat(mark === '$' ? bulk(text) : [Buffer.from(mark), text, CRLF]);
}

/**
 * A text through an editor, a slice at a time: what detectors do takes time, which is that of everybody.
 *
 * @param {import('@sluice/contract').StreamEditor} editor
 * @param {Buffer} text
 */
export async function edited(editor, text) {
  const parts = [];
  for (let at = 0; at < text.length; at += SLICE_BYTES) {
    if (performance.now() - busySince > MAX_BUSY_MS) {
      await nextTurn();
      busySince = performance.now();
    }
    parts.push(Buffer.from(editor.push(text.subarray(at, at + SLICE_BYTES))));
  }
  return Buffer.concat([...parts, editor.end()]);
}

/** When a session last let others have their turn, on the clock of `performance.now()`. */
let busySince = 0;

/** @param {import('./reader.js').Reader} reader */
async function lineOf(reader) {
  try {
    return await reader.line(MAX_LINE_BYTES);
  } catch (error) {
    throw error instanceof RangeError ? new RespError('Protocol error: too big inline request') : error;
  }
}

/** The number of a header, such as `*3`. @param {Buffer} line @param {number} max */
function numberOf(line, max = Number.MAX_SAFE_INTEGER) {
  const digits = line.toString('latin1', 1);
  const number = Number(digits);
  if (!/^-?\d{1,16}$/.test(digits) || number > max || number < -1)
    throw new RespError(`Protocol error: invalid length ${digits.slice(0, 20)}`);
  return number;
}
