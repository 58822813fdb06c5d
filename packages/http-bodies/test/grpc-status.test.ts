/** What a call of gRPC says in its trailers besides its messages, where rules mask values of these. */
import type { AppliedMask, EditedAnswer, Header, HttpEdits } from '@sluice/contract';
import { describe, expect, test } from 'vitest';
import { HttpMasks } from '../src/index.js';

const OPTIONS = { key: Buffer.alloc(32, 7), unread: new Map<string, 'pass' | 'text'>(), marked: [] };
const MAIL = 'ana@example.com';
/** A google.rpc.Status (code 6) with its text. */
const details = Buffer.concat([
  Buffer.from([0x08, 0x06, 0x12, MAIL.length]),
  Buffer.from(MAIL),
  Buffer.from([0xff]),
]).toString('base64');
const TRAILERS: readonly Header[] = [
  ['grpc-status', '6'],
  ['grpc-message', 'there is ana%40example.com already'],
  ['Grpc-Status-Details-Bin', details],
  ['customer-bin', details],
];

function passed(mask: Partial<AppliedMask>, how: 'trailers' | 'headers'): readonly Header[] {
  const rule = {
    type: 'mask',
    rule: 'emails',
    columns: [],
    detect: [],
    with: { type: 'redact' },
    ...mask,
  } as AppliedMask;
  const edits = HttpMasks.of([rule], OPTIONS)?.edits(undefined) as HttpEdits;
  const answered = (headers: readonly Header[]): EditedAnswer =>
    (edits.answer as NonNullable<HttpEdits['answer']>)(200, headers, () => ({ type: 'allow' }));
  if (how === 'trailers') return answered([['content-type', 'application/json']]).trailers?.(TRAILERS) ?? [];
  return answered([['content-type', 'application/json'], ['content-length', '0'], ...TRAILERS]).headers;
}

describe.each(['trailers', 'headers'] as const)('in %s', (how) => {
  test.each([{ detect: ['email'] as const }, { json: ['/email'] }])(
    'details that nobody can read do not pass: %o',
    (mask) => {
      const names = passed(mask as Partial<AppliedMask>, how).map(([name]) => name.toLowerCase());
      expect(names).toContain('grpc-status');
      expect(names.filter((name) => name.endsWith('-bin'))).toEqual([]);
    },
  );

  test('a text is looked through behind its percent signs', () => {
    const headers = passed({ detect: ['email'] }, how);
    const text = headers.find(([name]) => name === 'grpc-message')?.[1];
    expect(text).toBe('[masked:EMAIL]');
  });

  test('of answers of which nothing is masked in bodies all pass', () => {
    const kept = passed({ headers: ['x-owner'] }, how);
    expect(kept.filter(([name]) => TRAILERS.some(([one]) => one === name))).toEqual(TRAILERS);
  });
});
