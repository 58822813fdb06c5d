/** Which headers make another request: all but those by which no service is told anything. */
import { expect, test } from 'vitest';
import { meaningful } from '../src/index.js';

test('headers of tracing and of programs count by no prefix: one that nobody is known to send says something', () => {
  const passing = [
    'X-Stainless-Retry-Count',
    'x-datadog-trace-id',
    'x-b3-traceid',
    'Sec-CH-UA-Platform',
    'traceparent',
  ];
  const counting = ['x-stainless-tenant', 'x-datadog-', 'x-b3-amount', 'sec-ch-account', 'elastic-apm-mode'];
  const headers = [...passing, ...counting].map((name) => [name, '1'] as const);
  expect(meaningful(headers).map(([name]) => name)).toEqual(counting);
});
