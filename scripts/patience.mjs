/** Before every test file: what a test waits for comes late on a busy machine: a second, which is the default of vitest, is no sign that it never comes. */
import { vi } from 'vitest';

const PATIENCE_MS = 20_000;

for (const name of ['waitFor', 'waitUntil']) {
  const wait = vi[name];
  vi[name] = (check, options) => wait(check, options ?? { timeout: PATIENCE_MS });
}
