import { globSync, readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

const include = [
  '{packages,protocols}/*/test/**/*.test.ts',
  '{agent,gateway,bench}/test/**/*.test.ts',
  'examples/*/test/**/*.test.ts',
  'scripts/**/*.test.ts',
];

/** A test that starts a server or another program says so by one of these. */
const STARTS =
  /\b(startPostgres|startMySql|startSshd|startIssuer|open\w*Stand|openDatabase|spawn\w*|execFile\w*|missing(Postgres|MySql|Sshd|Tool))\b/;
/** Take long although they start no server: whole collections, random input, costs, threads. */
const LONG = /(corpus|fuzz-[\w-]+|work|work-[\w-]+|properties|pool|masking-thread|never-throws)\.test\.ts$/;

/** `pnpm unit:fast`: a change can be tried at once, on a machine that has none of the servers. */
const fast = process.env['SLUICE_TESTS'] === 'fast';
const slow = (): string[] =>
  globSync(include, { exclude: (path) => path.includes('node_modules') }).filter(
    (file) => LONG.test(file) || STARTS.test(readFileSync(file, 'utf8')),
  );

export default defineConfig({
  test: {
    include,
    setupFiles: ['./scripts/no-colours.mjs', './scripts/patience.mjs'],
    exclude: ['**/node_modules/**', ...(fast ? slow() : [])],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // As for `vi.waitFor`, see scripts/patience.mjs.
    expect: { poll: { timeout: 20_000, interval: 20 } },
    maxWorkers: 2,
  },
});
