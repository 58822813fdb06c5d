import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { LoginCodes, type Proven } from '../src/index.js';

const VERIFIER = 'v'.repeat(43);
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');
const of = (name: string): Proven => ({ principal: { name, issuer: 'corp' } }) as unknown as Proven;

test('whoever asks for codes without end has none of others forgotten', () => {
  const codes = new LoginCodes();
  const begin = (name: string): string => codes.begin(of(name), CHALLENGE);
  const quiet = begin('quiet');
  const loud = Array.from({ length: 2_000 }, () => begin('loud'));
  const isGood = (code: string): boolean => codes.take(code, VERIFIER) !== undefined;
  expect(isGood(quiet)).toBe(true);
  expect(loud.filter(isGood)).toEqual(loud.slice(-10));
  // Of all together there is a bound as well.
  const many = Array.from({ length: 1_001 }, (_, at) => begin(`one ${at}`));
  expect(many.filter((code) => !isGood(code))).toEqual([many[0]]);
});
