/** A file with answers, however it is cut: what its client has is what judging and masking each line gives. */
import type { Answer, ProposedCall } from '@sluice/contract';
import { JsonParts } from '@sluice/http-bodies';
import { detectorsOf } from '@sluice/masking';
import { describe, expect, test } from 'vitest';
import { answerEditors, keptLines } from '../src/index.js';
import { linesOf, plainLine, readLine } from '../src/files/lines.js';

const ROUNDS = 200;
const masks = new JsonParts(
  detectorsOf([{ type: 'mask', columns: [], detect: ['email'], with: { type: 'redact' } }], Buffer.from('a key')),
  undefined,
);
const ALLOW = { type: 'allow' } as Answer;
const NO: Answer = { type: 'deny', rule: 'no', message: 'Not that.' };

const answer = (id: string, message: object): string =>
  JSON.stringify({ id, custom_id: id, response: { status_code: 200, body: { choices: [{ message }] } }, error: null });
const call = (name: string) => ({
  content: 'so',
  tool_calls: [{ id: 'c', function: { name, arguments: '{"to":"a@b.example"}' } }],
});
const FILE = [
  answer('a', { content: 'write to ada@example.com 🙂' }),
  '',
  answer('b', call('good')),
  `${answer('c', call('bad'))}\r`,
  '  ',
  'no json, but bob@example.com',
  '{"custom_id":"d","response":null,"error":{"message":"no ada@example.com here"}}',
  answer('e', { content: 'nothing' }),
].join('\n');

/** Calls of `bad` are refused, later. */
async function through(pieces: readonly Buffer[]): Promise<string> {
  const propose = ({ tool }: ProposedCall): Answer | Promise<Answer> =>
    tool === 'bad' ? new Promise((resolve) => setImmediate(() => resolve(NO))) : ALLOW;
  const editor = answerEditors({ operation: 'lines' })(masks, propose, 200).editor('other', 0x7b);
  if (!editor) throw new Error('there is none');
  const out: Buffer[] = [];
  for (const piece of pieces) {
    out.push(Buffer.from(editor.push(piece)));
    // What came is only lent.
    piece.fill(0);
    while (editor.waits) {
      await editor.waits;
      out.push(Buffer.from(editor.release()));
    }
  }
  out.push(editor.end());
  while (editor.waits) {
    await editor.waits;
    out.push(editor.release());
  }
  return Buffer.concat(out).toString();
}

test(`lines are judged and masked by themselves, in ${ROUNDS} cuts`, async () => {
  const whole = await through([Buffer.from(FILE)]);
  const lines = whole.split('\n');
  expect(lines[0]).toBe(answer('a', { content: 'write to [masked:EMAIL] 🙂' }));
  expect(JSON.parse(lines[2] ?? '')).toMatchObject({
    response: { body: { choices: [{ message: { tool_calls: [{}] } }] } },
  });
  expect(lines[3]).toContain('Not that.');
  expect(lines[3]).not.toContain('tool_calls');
  expect(lines.slice(4, 7)).toEqual([
    '  ',
    'no json, but [masked:EMAIL]',
    '{"custom_id":"d","response":null,"error":{"message":"no [masked:EMAIL] here"}}',
  ]);
  expect(lines[7]).toBe(answer('e', { content: 'nothing' }));
  const bytes = Buffer.from(FILE);
  let state = 7;
  for (let round = 0; round < ROUNDS; round++) {
    const pieces: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      const size = 1 + ((state >>> 8) % (round % 2 === 0 ? 9 : 300));
      pieces.push(Buffer.from(bytes.subarray(at, at + size)));
      at += size;
    }
    expect(await through(pieces), `round ${round}`).toBe(whole);
  }
});

test('a document that only begins as JSON does is masked as the text it is', async () => {
  expect(await through([Buffer.from('{{name}}\nada@example.com\n')])).toBe('{{name}}\n[masked:EMAIL]\n');
  expect(await through([Buffer.from('{\n "mail": "ada\\u0040example.com"\n}\n')])).toBe(
    '{\n "mail": "[masked:EMAIL]"\n}\n',
  );
});

test('which lines have answers, of which API', () => {
  const file = Buffer.from(`${answer('a', {})}\n{"response":{"body":{"output":[]}}}\n{"x":1}\n`);
  expect(keptLines(file)?.map(({ number, operation }) => [number, operation])).toEqual([
    [1, 'chat'],
    [2, 'responses'],
    [3, undefined],
  ]);
  expect(keptLines(Buffer.from('plain'))).toBeUndefined();
});

describe('calls in lines', () => {
  const asking = (line: string) => readLine({ number: 1, start: 0, bytes: Buffer.from(line) }, 'openai');
  const good = { custom_id: 'a', method: 'POST', url: '/v1/chat/completions', body: { model: 'm', messages: [] } };

  test.each<[string, object | string, RegExp]>([
    ['another method', { ...good, method: 'GET' }, /its method is POST/],
    ['a query', { ...good, url: '/v1/chat/completions?x=1' }, /path alone/],
    ['an address', { ...good, url: 'https://x.example/v1/chat/completions' }, /path alone/],
    ['dots', { ...good, url: '/x/../v1/chat/completions' }, /path alone/],
    ['two slashes', { ...good, url: '//v1/chat/completions' }, /path alone/],
    ['what is no call', { ...good, url: '/v1/files' }, /no call of a model/],
    ['a text for a body', { ...good, body: '{}' }, /no "body" that is an object/],
    ['a member in another case', { ...good, Body: {} }, /not known here/],
    ['no object', '[]', /no object of JSON/],
    ['more than one', '{} {}', /behind its JSON value/],
    ['endless depth', '['.repeat(300), /nested/],
  ])('%s', (_, line, why) => {
    expect(() => asking(typeof line === 'string' ? line : JSON.stringify(line))).toThrow(why);
  });

  test('a line is what all programs take for one', () => {
    expect(plainLine('{"a":"x\u2028y\u2029z\u0085"}\r')).toBe('{"a":"x\\u2028y\\u2029z\\u0085"}\r');
    expect(plainLine('{"a":\r1}')).toBe('{"a": 1}');
    expect([...linesOf(Buffer.from('a\n\r\n\nb'))].map(({ number, start }) => [number, start])).toEqual([
      [1, 0],
      [4, 5],
    ]);
  });
});
