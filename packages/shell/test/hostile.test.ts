/** Command lines that are made to take long. */
import { threadCpuMs } from '@sluice/testkit/cpu';
import { expect, test } from 'vitest';
import { analyzeShell } from '../src/index.js';

const LINES = [
  `git${' -C'.repeat(200)} x token`,
  `git${' -C x'.repeat(200)} config token`,
  `grep -r x ${'/'.repeat(5000)}x`,
  `grep -r x ${'/.'.repeat(5000)}x`,
  `tar c ${'/'.repeat(5000)}.. | cat`,
];

test.each(LINES.map((line) => [line.slice(0, 40), line]))('%s...', (_, text) => {
  const before = threadCpuMs();
  analyzeShell({ type: 'exec', id: 1, shell: 'bash', text, account: 'operator', environment: [], terminal: false });
  // A line of eighty letters took longer than anybody would wait.
  expect(threadCpuMs() - before).toBeLessThan(5000);
});
