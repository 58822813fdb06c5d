import { expect, test } from 'vitest';
import { fitting } from '../src/descriptors.js';

test('limits that there are not enough files for are lowered, with the numbers', () => {
  expect(fitting({ connections: 1_000, logins: 100 }, 20_000)).toEqual({
    limits: { connections: 1_000, logins: 100, control: 512 },
  });
  const { limits, warning } = fitting({ connections: 10_000, logins: 1_000 }, 256);
  expect(limits.connections * 2 + limits.logins + limits.control).toBeLessThanOrEqual(256 - 64);
  expect(limits).toEqual({ connections: 72, logins: 24, control: 24 });
  expect(warning).toContain('may open 256 files, and 21576 are needed');
  expect(warning).toContain('room for 72 sessions and 24 logins');
});
