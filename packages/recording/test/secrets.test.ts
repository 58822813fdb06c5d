/** Passwords in texts that do not end as they should, and how long it takes to look for them. */
import { threadCpuMs } from '@sluice/testkit/cpu';
import { expect, test } from 'vitest';
import { redactSecrets } from '../src/index.js';

const KEY = Buffer.alloc(32, 7);

test.each([
  ["password='hunter2'", "password='hunter2'"],
  ["password = 'it\\'s' sslmode=require", "'it\\'s'"],
  ['password=hun\\ ter2 host=x', 'hun\\ ter2'],
  ["password='without an end", 'without an end'],
  ["password='with an escape that has nothing behind it\\", 'nothing behind'],
])('%s has its password taken out, also where it has no end', (text, secret) => {
  const shown = redactSecrets(`-- ${text}`, KEY);
  expect(shown).not.toContain(secret);
  expect(shown).toContain('password');
});

test('takes linear time for whatever has no end', () => {
  for (const text of [
    `password='${'a'.repeat(100_000)}\\`,
    `passwd=${'a'.repeat(100_000)}\\`,
    `password='${'\\a'.repeat(50_000)}\\`,
  ]) {
    const before = threadCpuMs();
    redactSecrets(`-- ${text}`, KEY);
    // Forty letters took longer than anybody would wait.
    expect(threadCpuMs() - before).toBeLessThan(5000);
  }
});
