import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { cookieIn, cookieLine } from '../src/cookies.js';
import { ownPath } from '../src/login-routes.js';
import { seal, unseal } from '../src/sealed.js';

const key = randomBytes(32);

test('what is sealed comes back for the same key and in time, and not when one bit is another', () => {
  const sealed = seal(key, { state: 's' }, 1_000);
  expect(unseal(key, sealed, 999)).toEqual({ state: 's' });
  expect(unseal(key, sealed, 1_000)).toBeUndefined();
  expect(unseal(randomBytes(32), sealed, 0)).toBeUndefined();
  const bytes = Buffer.from(sealed, 'base64url');
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(unseal(key, changed.toString('base64url'), 0)).toBeUndefined();
  }
  for (const none of ['', 'x', 'a'.repeat(40), 'a'.repeat(1_000_000)]) expect(unseal(key, none, 0)).toBeUndefined();
});

test('a cookie that is there twice, or by another name, is none', () => {
  expect(cookieIn('a=b; __Host-sluice-session=x', 'session', true)).toBe('x');
  expect(cookieIn('sluice-session=x', 'session', true)).toBeUndefined();
  expect(cookieIn('__Host-sluice-session=x', 'session', false)).toBeUndefined();
  expect(cookieIn('__Host-sluice-session=x; __Host-sluice-session=y', 'session', true)).toBeUndefined();
  expect(cookieIn(undefined, 'session', true)).toBeUndefined();
  expect(cookieLine('session', 'x', false, 60)).toBe('sluice-session=x; Path=/; HttpOnly; SameSite=Strict; Max-Age=60');
});

test.each([
  'https://evil.example',
  '//evil.example',
  '/\\evil.example',
  '/\t/evil.example',
  'evil',
  '',
  '/auth/login',
  '/a\nb',
  '/<x>',
  `/${'a'.repeat(500)}`,
])('after a login nobody goes to %j', (to) => expect(ownPath(to)).toBe('/'));

test.each(['/', '/approvals/7', '/sessions?state=open&principal=a%40b'])('after a login one may go to %j', (to) =>
  expect(ownPath(to)).toBe(to),
);
