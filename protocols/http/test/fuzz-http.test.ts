/**
 * Heads, bodies and trailers of HTTP/1.1, put together from what parsers differ about and damaged, given to our codec and to llhttp:
 * whatever ours takes, llhttp takes as the same messages. And ours takes the same wherever the bytes are cut.
 *
 * `pnpm fuzz http [--seconds N] [--seed S]` runs it for longer.
 */
import { random } from '@sluice/testkit';
import { expect, test } from 'vitest';
import { HttpError } from '../src/errors.js';
import { type Framing, bodyReader, requestFraming, responseFraming } from '../src/h1/body.js';
import { HeadFinder, headText, readRequestHead, readResponseHead } from '../src/h1/head.js';
import { listOf } from '../src/headers.js';
import { Inflow } from '../src/inflow.js';
import { type Found, Llhttp, addBody } from './llhttp.js';

const SECONDS = Number(process.env['SLUICE_FUZZ_SECONDS'] ?? 2);
const FIXED = 20_262;
const FRESH = Number(process.env['SLUICE_FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

type Kind = 'request' | 'response';
type Random = (below: number) => number;

const llhttp = new Llhttp();

/** What ours makes of the bytes, cut at these places. Stops where a connection would end. */
function ours(kind: Kind, chunks: readonly Buffer[], ended: boolean): Found[] {
  const found: Found[] = [];
  const inflow = new Inflow();
  const finder = new HeadFinder();
  let body: ReturnType<typeof bodyReader>;
  let over = false;
  let last = false;
  /** Whether trailers say that it is the last one, of which llhttp takes their word. */
  let closedBy: (trailers: Parameters<typeof listOf>[0]) => boolean = () => false;
  let atEnd = false;
  const sink = {
    data: (bytes: Buffer) => addBody(found, bytes),
    end: (trailers: Found & { type: 'end' } extends { trailers: infer T } ? T : never) => {
      found.push({ type: 'end', trailers });
      last ||= closedBy(trailers);
      atEnd = true;
    },
  };
  const begin = (bytes: Buffer): Framing => {
    if (kind === 'request') {
      const head = readRequestHead(bytes);
      const framing = requestFraming(head);
      found.push({ type: 'head', first: [head.method, head.target, 1, head.minor], headers: head.headers });
      last = closes(head.minor, head.headers);
      closedBy = (trailers) => closes(head.minor, [...head.headers, ...trailers]);
      return framing;
    }
    const head = readResponseHead(headText(bytes));
    const framing = responseFraming(head, 'GET');
    found.push({ type: 'head', first: [head.status, 1, head.minor], headers: head.headers });
    last = closes(head.minor, head.headers) || framing.type === 'close';
    closedBy = (trailers) => closes(head.minor, [...head.headers, ...trailers]);
    over = head.status === 101;
    return framing;
  };
  const step = (): boolean => {
    if (over || inflow.bytes.length === 0) return false;
    if (body) {
      inflow.use(body.read(inflow.bytes, 0, sink));
    } else {
      if (kind === 'request') inflow.use(finder.emptyLine(inflow.bytes));
      if (inflow.bytes.length === 0) return false;
      const end = finder.find(inflow.bytes);
      if (end === undefined) return false;
      body = bodyReader(begin(inflow.bytes.subarray(0, end)));
      inflow.use(end);
      if (!body && !over) sink.end([] as never);
    }
    if (atEnd) {
      atEnd = false;
      body = undefined;
      over ||= last;
    }
    return true;
  };
  try {
    for (const chunk of chunks) {
      inflow.add(chunk);
      while (step());
    }
    if (ended) body?.ended(sink);
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
  }
  return found;
}

/** As llhttp has it, for which Proxy-Connection is the same. */
function closes(minor: number, headers: Parameters<typeof listOf>[0]): boolean {
  const options = [...listOf(headers, 'connection'), ...listOf(headers, 'proxy-connection')];
  return options.includes('close') || (minor === 0 && !options.includes('keep-alive'));
}

const ENDS = ['\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '\r\r\n', ' \r\n', '\t\r\n'];
const NAMES = [
  'Host',
  'X-A',
  'content-length',
  'Content-Length',
  'Transfer-Encoding',
  'transfer-encoding',
  'Connection',
  'Trailer',
  'TE',
  'Cookie',
  'Expect',
  'X_B',
  'Content Length',
  'Keep-Alive',
  'Proxy-Connection',
  'Content-Length\0',
  '',
  'é',
];
const VALUES = [
  'gw',
  'a',
  '0',
  '3',
  '5',
  '03',
  '+3',
  '3, 3',
  '3,',
  ' 3 ',
  '0x3',
  '3;a',
  '1e1',
  '-1',
  '18446744073709551616',
  'chunked',
  'Chunked',
  'chunked ',
  ' chunked',
  '\tchunked',
  'chunked\t ',
  '3 \t ',
  'identity',
  'gzip, chunked',
  'chunked, chunked',
  'chunked;q=1',
  'xchunked',
  'close',
  'keep-alive',
  'close, keep-alive',
  'Close',
  '',
  ' ',
  '\x0b',
  '\x7f',
  '\xe9',
  'a\0b',
  'a\rb',
  'a\nb',
  'a: b',
  '"q"',
];
const COLONS = [': ', ': ', ': ', ':', ':  ', ' : ', ':\t', ''];
const METHODS = [
  'GET',
  'POST',
  'POST',
  'PUT',
  'HEAD',
  'DELETE',
  'QUERY',
  'OPTIONS',
  'CONNECT',
  'get',
  'GETX',
  'PRI',
  'SOURCE',
  '',
];
const TARGETS = [
  '/',
  '/a',
  '/a?b=c',
  '/a%20b',
  '*',
  'http://gw/',
  'http://gw',
  'http://gw?x',
  'http://other/',
  'http://gw@x/',
  '//a',
  '/a#b',
  '/a b',
  '/\xe9',
  '/\x7f',
  'a',
  '?x',
  'gw:80',
  '/a\\b',
  'ftp://gw/',
];
const VERSIONS = [
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.1',
  'HTTP/1.0',
  'HTTP/1.2',
  'HTTP/2.0',
  'HTTP/0.9',
  'http/1.1',
  'HTTP/1.10',
  'HTTP/01.1',
  'ICE/1.0',
  '',
];
const STATUSES = [
  '200',
  '200',
  '200',
  '204',
  '304',
  '100',
  '103',
  '404',
  '199',
  '20',
  '2000',
  '099',
  '600',
  '+20',
  '2 0',
];
const REASONS = [' OK', ' OK', '', ' ', ' Not here', ' \xe9', ' a\tb', '  two', 'x', ' a\rb', ' a\0b'];
const SIZES = [
  '0',
  '1',
  '3',
  '5',
  'a',
  'A',
  '00',
  '003',
  '0x3',
  '+3',
  ' 3',
  '3 ',
  '-1',
  'ffffffffffffffff',
  '10000000000000003',
  '',
  'g',
  '3;a=b',
  '3;a="b;c"',
  '3 ;a',
  '3;',
  '3;\x00',
  '3;a\nb',
  '3\t',
];
const DATA = ['', 'a', 'abc', 'hello', '0123456789', '\r\n', '0\r\n\r\n', 'GET / HTTP/1.1\r\n'];

function message(kind: Kind, pick: Random): string {
  const one = (list: readonly string[]): string => list[pick(list.length)] as string;
  // One in so many places is odd: a message with more than one or two of them is refused for the first.
  const odds = [4, 20, 60][pick(3)] as number;
  const odd = (): boolean => pick(odds) === 0;
  const mostly = (list: readonly string[]): string => (odd() ? one(list) : (list[0] as string));
  const end = (): string => mostly(ENDS);
  const request = (): string => `${odd() ? one(METHODS) : 'POST'} ${odd() ? one(TARGETS) : '/a'} ${mostly(VERSIONS)}`;
  const answer = (): string => `${mostly(VERSIONS)} ${odd() ? one(STATUSES) : '200'}${mostly(REASONS)}`;
  let text = odd() ? one(['\r\n', '\n', '\r\n\r\n', ' ', '\0']) : '';
  text += (kind === 'request' ? request() : answer()) + end();
  if (kind === 'request' && !odd()) text += `Host: gw${end()}`;
  for (let left = pick(4); left > 0; left--) {
    if (odd()) text += one([' ', '\t']);
    text += `${odd() ? one(NAMES) : 'X-A'}${mostly(COLONS)}${odd() ? one(VALUES) : 'a'}${end()}`;
  }
  const framing = pick(4);
  const data = one(DATA);
  if (framing === 1) text += `Content-Length: ${odd() ? one(VALUES) : data.length}${end()}`;
  if (framing > 1) text += `Transfer-Encoding: chunked${end()}`;
  text += end();
  if (framing === 1) return text + data;
  if (framing === 0) return text;
  for (let left = pick(3); left > 0; left--) {
    const chunk = one(DATA);
    const honest = !odd() && chunk.length > 0;
    text += `${honest ? chunk.length.toString(16) : one(SIZES)}${end()}${chunk}${end()}`;
  }
  text += `0${end()}`;
  for (let left = pick(6) - 3; left > 0; left--)
    text += `${odd() ? one(NAMES) : 'X-A'}${mostly(COLONS)}${odd() ? one(VALUES) : 'a'}${end()}`;
  return text + end();
}

function damaged(text: string, pick: Random): string {
  if (pick(6) > 0) return text;
  const at = pick(text.length);
  switch (pick(4)) {
    case 0:
      return text.slice(0, at) + String.fromCharCode(pick(256)) + text.slice(at + 1);
    case 1:
      return text.slice(0, at) + text.slice(at + 1 + pick(3));
    case 2:
      return text.slice(0, at) + text.slice(at, at + pick(20)) + text.slice(at);
    default:
      return text.slice(0, at) + ['\r', '\n', '\0', ' ', '\t', ':', '\x0b', '\r\n'][pick(8)] + text.slice(at);
  }
}

function cut(bytes: Buffer, pick: Random): Buffer[] {
  const chunks: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const to = Math.min(bytes.length, from + 1 + pick(pick(2) === 0 ? 3 : 40));
    // A copy: the memory of what came before may be written over.
    chunks.push(Buffer.from(bytes.subarray(from, to)));
    from = to;
  }
  return chunks;
}

/** The path of a target, of which llhttp keeps the absolute form. */
function normal(found: Found): Found {
  if (found.type !== 'head' || typeof found.first[1] !== 'string') return found;
  const [method, target, ...version] = found.first as [string, string, number, number];
  const path = target.replace(/^https?:\/\/[^/?]*/i, '');
  return { ...found, first: [method, path.startsWith('/') ? path : `/${path}`, ...version] };
}

/** Why ours took something that llhttp did not take so; undefined: it did not. */
function difference(mine: readonly Found[], theirs: readonly Found[]): string | undefined {
  for (const [at, one] of mine.entries()) {
    const other = theirs[at];
    if (!other) return `it stopped before ${JSON.stringify(one)}`;
    const isLast = at === mine.length - 1;
    if (isLast && one.type === 'body' && other.type === 'body' && other.text.startsWith(one.text)) continue;
    if (JSON.stringify(one) !== JSON.stringify(normal(other)))
      return `ours ${JSON.stringify(one)}, llhttp ${JSON.stringify(other)}`;
  }
  return undefined;
}

interface Tally {
  readonly inputs: number;
  readonly taken: number;
}

function run(seed: number, until: (inputs: number) => boolean): Tally {
  const pick = random(seed);
  let inputs = 0;
  let taken = 0;
  for (; until(inputs); inputs++) {
    const kind: Kind = pick(3) === 0 ? 'response' : 'request';
    const text = Array.from({ length: 1 + pick(3) }, () => damaged(message(kind, pick), pick)).join('');
    const bytes = Buffer.from(text, 'latin1');
    const ended = pick(2) === 0;
    const mine = ours(kind, [bytes], ended);
    taken += mine.filter(({ type }) => type === 'end').length;
    const about = (): string => `seed ${seed}, input ${inputs}: ${JSON.stringify(text)}`;
    const pieces = ours(kind, cut(bytes, pick), ended);
    if (JSON.stringify(pieces) !== JSON.stringify(mine))
      expect.fail(`${about()}: cut, ours reads ${JSON.stringify(pieces)} and not ${JSON.stringify(mine)}`);
    const differs = difference(mine, llhttp.read(kind, bytes, ended));
    if (differs !== undefined) expect.fail(`${about()}: ${differs}`);
  }
  return { inputs, taken };
}

test('a fixed beginning', () => {
  const { inputs, taken } = run(FIXED, (done) => done < 5_000);
  expect(inputs).toBe(5_000);
  // A generator whose messages nobody takes would show nothing.
  expect(taken).toBeGreaterThan(1_000);
});

test(`chance, seed ${FRESH}`, { timeout: (SECONDS + 60) * 1000 }, () => {
  const deadline = Date.now() + SECONDS * 1000;
  const { inputs, taken } = run(FRESH, (done) => done % 64 !== 0 || Date.now() < deadline);
  process.stderr.write(`fuzz http: ${inputs} inputs, ${taken} messages taken, seed ${FRESH}\n`);
  expect(taken).toBeGreaterThan(0);
});
