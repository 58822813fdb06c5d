import { expect, test } from 'vitest';
import { Backend } from '../src/masks/backend.js';

test('the connection that the greeting named answers', () => {
  const backend = new Backend(undefined);
  expect(backend.met(7, '7')).toBeUndefined();
  expect(backend.met(7, '7')).toBeUndefined();
});

test('a greeting has the lower 32 bits of the number', () => {
  expect(new Backend(undefined).met(5, String(2n ** 32n + 5n))).toBeUndefined();
  expect(new Backend(undefined).met(0xffff_ffff, String(2n ** 32n - 1n))).toBeUndefined();
});

test('another connection than the greeting named is that of a pooler', () => {
  expect(new Backend(undefined).met(7, '8')?.message).toMatch(/pooler/);
  expect(new Backend('session').met(7, '8')).toBeUndefined();
});

test.each([undefined, 'session'] as const)('a connection that changes ends the session (%s)', (pooled) => {
  const backend = new Backend(pooled);
  backend.met(7, '7');
  expect(backend.met(7, '8')?.message).toMatch(/Another connection/);
});

test.each([null, '', 'x', '-1', '1e3'])('%j is no number of a connection', (found) => {
  expect(new Backend('session').met(7, found)?.message).toMatch(/does not say/);
});
