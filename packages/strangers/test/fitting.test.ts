import { expect, test } from 'vitest';
import { fitting } from '../src/descriptors.js';

const USUAL = 10_000;

test('limits that there are not enough files for are lowered, with the numbers', () => {
  expect(fitting({ connections: 1_000, logins: 100 }, USUAL, 20_000)).toEqual({
    limits: { connections: 1_000, logins: 100, control: 512 },
  });
  const { limits, short } = fitting({ connections: USUAL, logins: 1_000 }, USUAL, 256);
  expect(limits.connections * 2 + limits.logins + limits.control).toBeLessThanOrEqual(256 - 64);
  expect(limits).toEqual({ connections: 72, logins: 24, control: 24 });
  expect(short?.says).toContain('may open 256 files, and 21576 are needed');
  expect(short?.says).toContain('room for 72 sessions and 24 logins');
  expect(short?.matters).toBe(true);
});

test('what nobody asked for is no shortage, as long as there is room for many', () => {
  const usual = fitting({ connections: USUAL, logins: 2_000 }, USUAL, 20_000);
  expect(usual.limits.connections).toBeGreaterThan(8_000);
  expect(usual.short?.matters).toBe(false);
  // An ordinary hard limit of old, and limits that somebody has written.
  expect(fitting({ connections: USUAL, logins: 2_000 }, USUAL, 4_096).short?.matters).toBe(false);
  expect(fitting({ connections: USUAL, logins: 2_000 }, USUAL, 1_024).short?.matters).toBe(true);
  expect(fitting({ connections: 12_000, logins: 2_000 }, USUAL, 20_000).short?.matters).toBe(true);
});
