/** What detectors find in bodies that rules ask about, however it is written there. */
import { threadCpuMs } from '@sluice/testkit/cpu';
import { describe, expect, test } from 'vitest';
import { foundIn } from '../src/found.js';

const find = (media: string, text: string) => foundIn({ type: 'whole', media, bytes: Buffer.from(text) }, '');

describe('a body that asks to be read in its own way', () => {
  test.each([
    ['text/html', '<p>bob&#64;example.com</p>'],
    ['application/xml', '<a>bob&#x40;example.com</a>'],
    ['text/event-stream', 'data: {"a":"bob\\u0040example.com"}\n\n'],
    ['application/x-ndjson', '{"a":"bob\\u0040example.com"}\n{"a":1}\n'],
    ['application/octet-stream', '{"a":"bob\\u0040example.com"}\n{"a":1}\n'],
    ['text/csv', 'id,mail\n1,"bob@example.com"\n'],
  ])('%s: %s', (media, text) => {
    expect(find(media, text)).toEqual(['email']);
  });

  test.each([
    ['text/html', '<p>Nobody &amp; nothing.</p>'],
    ['text/event-stream', ': a comment\ndata: {"a":1}\n\n'],
    ['text/csv', 'id,mail\n1,none\n'],
    ['text/plain', 'nothing'],
  ])('%s has nothing: %s', (media, text) => {
    expect(find(media, text)).toEqual([]);
  });

  test('is looked through where it could be read in two ways, or ends too early', () => {
    for (const text of ['{"a":"x","a":"bob\\u0040example.com"}', '{"a":"bob\\u0040example.com"'])
      expect(find('application/json', text)).toEqual(['email']);
  });

  test('and escapes cost little more than letters do', () => {
    const cost = (unit: string): number => {
      const text = `{"a":"${unit.repeat(Math.ceil(2 ** 20 / unit.length))}"}`;
      const times = [1, 2, 3].map(() => {
        const started = threadCpuMs();
        find('application/json', text);
        return threadCpuMs() - started;
      });
      return Math.min(...times);
    };
    expect(cost('\\u0061') / cost('hello wo ')).toBeLessThan(10);
  });

  test('costs what its length does', () => {
    const started = threadCpuMs();
    find('text/html', '<p>hello bob&#64;example.com, \\u0040 and words</p>\n'.repeat(20_000));
    expect(threadCpuMs() - started).toBeLessThan(5_000);
  });
});
