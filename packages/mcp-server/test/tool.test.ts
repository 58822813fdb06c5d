import { expect, test } from 'vitest';
import { deniedError } from '../src/tool.js';

test.each(['review-needs-transaction', 'review-stands-alone'] as const)('%s names a way that there is', (code) => {
  const { message, hint } = deniedError(
    { type: 'deny', rule: 'r', message: '', reason: { code } },
    'statement',
  ).refused;
  expect(message).toContain('People look at what this statement changes before it is committed');
  // The words for native clients would have an agent send texts that belong to one session.
  expect(hint).toContain('that takes a native client');
  expect(hint).not.toContain('by itself');
});
