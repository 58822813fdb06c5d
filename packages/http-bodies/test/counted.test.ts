/** Different values in answers: however the bytes are cut, the same ones are told, and not a byte of the body is another one. */
import type { AppliedMask, BodyEditor, EditedAnswer, Header, HttpEdits } from '@sluice/contract';
import { describe, expect, test } from 'vitest';
import { HttpCounts, HttpMasks } from '../src/index.js';

const KEY = Buffer.alloc(32, 7);
const OPTIONS = { key: KEY, unread: new Map<string, 'pass' | 'text'>(), marked: [] };
const counting = (observed = false): AppliedMask => ({
  type: 'mask',
  rule: 'ten',
  columns: [],
  detect: ['email', 'credit_card'],
  with: { type: 'count', budgets: ['ten'], ...(observed && { observed: true }) },
});
const answerOf = (edits: HttpEdits, headers: readonly Header[], status = 200): EditedAnswer =>
  (edits.answer as NonNullable<HttpEdits['answer']>)(status, headers, () => ({ type: 'allow' }));
const counts = (observed = false): HttpCounts => HttpCounts.of([counting(observed)], OPTIONS) as HttpCounts;

interface Passed {
  readonly body: string;
  readonly marks: readonly number[];
}

function passed(answer: EditedAnswer, pieces: readonly Buffer[]): Passed {
  const editor = answer.body as BodyEditor;
  const marks = new Set<number>();
  const out: Buffer[] = [];
  const told = (given: Buffer): void => {
    out.push(Buffer.from(given));
    for (const mark of editor.disclosed?.()?.marks.get('ten') ?? []) marks.add(mark);
  };
  // Lent: what is kept has to be copied.
  for (const piece of pieces) {
    const lent = Buffer.from(piece);
    told(editor.push(lent));
    lent.fill(0x7a);
  }
  told(editor.end());
  return { body: Buffer.concat(out).toString(), marks: [...marks].sort((one, other) => one - other) };
}

const through = (type: string, pieces: readonly Buffer[], first?: HttpEdits): Passed =>
  passed(answerOf(counts().edits(first), [['Content-Type', type]]), pieces);

const MAIL = 'ada@example.com';
const CARD = '4111 1111 1111 1111';
const inBase64 = Buffer.from(`to ${MAIL}`).toString('base64');
const BODIES: readonly (readonly [name: string, type: string, body: string, values: number])[] = [
  [
    'JSON',
    'application/json',
    `{"a": "${MAIL}", "b": [{"c": "${CARD} or ADA@example.com"}], "n": 4111111111111111}`,
    2,
  ],
  ['names of members', 'application/json', `[{"${MAIL}": 1}, {"${MAIL}": 2, "eve@example.com": 3}]`, 2],
  ['escapes', 'application/json', String.raw`["ada\u0040example.com", "eve@example.com"]`, 2],
  [
    'JSON in a text, base64 and percent signs',
    'application/json',
    JSON.stringify([JSON.stringify({ a: MAIL }), inBase64, 'mail=bob%40example.com']),
    2,
  ],
  ['lines', 'application/x-ndjson', `{"a": "${MAIL}"}\n{"a": "bob@example.com"}\n`, 2],
  ['events', 'text/event-stream', `id: 1\ndata: {"a": "${MAIL}"}\n\ndata: to bob@example.com\n\n`, 2],
  ['CSV', 'text/csv', `name,mail\nAda,"${MAIL}"\nBob,bob@example.com\n`, 2],
  ['a form', 'application/x-www-form-urlencoded', 'a=ada%40example.com&b=bob%40example.com', 2],
  ['HTML', 'text/html', `<p title="${MAIL}">to bob&#64;example.com</p><!-- ${CARD} -->`, 3],
  ['XML', 'application/xml', `<a b="${MAIL}"><c>bob@example.com</c></a>`, 2],
  ['a text', 'text/plain', `Write to ${MAIL}, or to\nbob@example.com. ${CARD}`, 3],
];

describe('every cut counts alike, and changes nothing', () => {
  test.each(BODIES)('%s', (_, type, body, values) => {
    const bytes = Buffer.from(body);
    const whole = through(type, [bytes]);
    expect(whole).toEqual({ body, marks: expect.anything() as unknown });
    expect(whole.marks).toHaveLength(values);
    for (let at = 1; at < bytes.length; at++)
      expect([at, through(type, [bytes.subarray(0, at), bytes.subarray(at)])]).toEqual([at, whole]);
    const alone = Array.from({ length: bytes.length }, (__, at) => bytes.subarray(at, at + 1));
    expect(through(type, alone)).toEqual(whole);
  });

  test('the same name of a member is told again in the next answer', () => {
    const edits = counts().edits(undefined);
    for (let n = 0; n < 2; n++) {
      const body = Buffer.from(`{"${MAIL}": 1}`);
      expect(passed(answerOf(edits, [['Content-Type', 'application/json']]), [body]).marks).toHaveLength(1);
    }
  });

  test('a value of which nothing came for a while is told before its end goes', () => {
    const { body } = answerOf(counts().edits(undefined), [['Content-Type', 'text/plain']]);
    const editor = body as BodyEditor;
    const began = `${editor.push(Buffer.from('to ada@exam')).toString()}${editor.release().toString()}`;
    expect([began, editor.disclosed?.()]).toEqual(['to ada@exam', undefined]);
    expect(`${editor.push(Buffer.from('ple.com, to')).toString()}${editor.end().toString()}`).toBe('ple.com, to');
    const whole = through('text/plain', [Buffer.from(MAIL)]).marks;
    expect([...(editor.disclosed?.()?.marks.get('ten') ?? [])]).toEqual(whole);
  });

  test('values of heads and trailers are told as well', () => {
    const headers: Header[] = [
      ['Content-Type', 'text/plain'],
      ['X-To', MAIL],
    ];
    const answer = answerOf(counts().edits(undefined), headers);
    expect(answer.headers).toContainEqual(['X-To', MAIL]);
    expect(answer.body?.disclosed?.()?.marks.get('ten')?.size).toBe(1);
    expect(answer.trailers?.([['X-Cc', 'bob@example.com']])).toEqual([['X-Cc', 'bob@example.com']]);
    expect(answer.body?.disclosed?.()?.marks.get('ten')?.size).toBe(1);
    expect(answer.body?.disclosed?.()).toBeUndefined();
  });
});

test('what a mask hides is not counted, nor what it leaves of an address', () => {
  const masks = (with_: AppliedMask['with'], more: Partial<AppliedMask>): HttpEdits => {
    const rule: AppliedMask = { type: 'mask', rule: 'm', columns: [], detect: [], with: with_, ...more };
    return HttpMasks.of([rule], OPTIONS)?.edits(undefined) as HttpEdits;
  };
  const body = Buffer.from(`{"a": "${MAIL}", "b": "call j.doe@example.com", "c": "${CARD}"}`);
  const marks = (first: HttpEdits): number => through('application/json', [body], first).marks.length;
  for (const type of ['redact', 'partial', 'hash', 'null', 'generalise'] as const)
    expect([type, marks(masks({ type }, { detect: ['email'] }))]).toEqual([type, 1]);
  expect(marks(masks({ type: 'partial' }, { json: ['/a'] }))).toBe(2);
  expect(marks(masks({ type: 'redact' }, { json: ['/c'] }))).toBe(2);
});

describe('what nobody can look through', () => {
  const refused = (type: string, body: string, status = 200): unknown => {
    try {
      return passed(answerOf(counts().edits(undefined), [['Content-Type', type]], status), [Buffer.from(body)]).body;
    } catch (error) {
      return (error as Error).message;
    }
  };

  test('is refused in words of budgets', () => {
    const words = 'a budget counts different values in these answers, and this one';
    expect(refused('image/png', 'x')).toBe(
      `${words} is of a type that masks cannot read (image/png), so it does not pass`,
    );
    expect(refused('application/json', '{"a": x}')).toBe(
      `${words} is no JSON where JSON is expected, so it does not pass`,
    );
    expect(refused('text/plain', 'x', 206)).toBe(`${words} is a piece of something, so it does not pass`);
    expect(refused('application/grpc', 'x')).toContain('is of a type that masks cannot read (application/grpc)');
    expect(refused('', '', 101)).toBe(`${words} is a WebSocket, whose messages are not counted, so it does not pass`);
  });

  test('passes where counting only observes, byte for byte and at once', () => {
    const edits = counts(true).edits(undefined);
    expect(edits.headers).toEqual([['Accept-Encoding', 'identity']]);
    const bytes = Buffer.from(`{"a": "${MAIL}", x`);
    const answer = answerOf(edits, [['Content-Type', 'application/json']]);
    expect(answer.body?.keepsLength).toBe(true);
    expect(answer.headers).toEqual([['Content-Type', 'application/json']]);
    expect(answer.body?.push(bytes)).toEqual(bytes);
    expect(answer.body?.held).toBe(0);
    expect(answer.body?.disclosed?.()?.marks.get('ten')?.size).toBe(1);
    expect(answerOf(edits, [['Content-Type', 'image/png']]).body).toBeUndefined();
    expect(answerOf(edits, [['Upgrade', 'websocket']], 101)).toEqual({
      headers: [['Upgrade', 'websocket']],
      body: undefined,
    });
  });

  test('a value without an end is none that could be counted', () => {
    const jwt: AppliedMask = { ...counting(), detect: ['jwt'] };
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'RS256', typ: 'JWT' })}.${part({ sub: 'x'.repeat(20_000) })}.${'a'.repeat(40_000)}`;
    const edits = HttpCounts.of([jwt], OPTIONS)?.edits(undefined) as HttpEdits;
    expect(() => passed(answerOf(edits, [['Content-Type', 'text/plain']]), [Buffer.from(token)])).toThrow(
      'one of them has no end within 16384 bytes',
    );
  });
});
