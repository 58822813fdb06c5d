/** Paths before anything else is known of a request: what is refused, and how long that takes. */
import { threadCpuMs } from '@sluice/testkit/cpu';
import { describe, expect, test } from 'vitest';
import { checkPath } from '../src/path.js';

const faultOf = (path: string, mode: 'strict' | 'raw' = 'strict'): string | undefined => {
  try {
    checkPath(path, mode);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
};

describe('a path', () => {
  test.each([
    '/',
    '/a',
    '/a/',
    '/a/b.c/~d_e-f',
    '/a:b',
    '/v1/models/x:y',
    '/%41',
    '/a;b',
    '/..a',
    '/a..',
    '/.a',
    '/.well-known/x',
  ])('%s passes', (path) => {
    expect(faultOf(path)).toBeUndefined();
  });

  test.each(['//', '/a//b', '/.', '/..', '/a/../b', '/a/.', '/%2e%2E/a', '/a%2fb', '/a%5Cb', '/a%00'])(
    '%s is refused',
    (path) => {
      expect(faultOf(path)).toMatch(/^the path has/);
    },
  );

  test('is looked at in linear time, whatever it ends with', () => {
    const long = `${'/a.b-c_d~e'.repeat(50)}${'f'.repeat(16_000)}`;
    for (const end of [':', '..', '//', '/.', ' ', '%', '(', '/'.repeat(100), '.:'.repeat(1000)]) {
      const before = threadCpuMs();
      faultOf(`${long}${end}`);
      faultOf(`/${'a'.repeat(100)}${end}`, 'raw');
      // It took longer than anybody would wait for 60 letters.
      expect(threadCpuMs() - before).toBeLessThan(1000);
    }
  });
});
