import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: [
      '{packages,protocols}/*/test/**/*.test.ts',
      '{agent,gateway,bench}/test/**/*.test.ts',
      'examples/*/test/**/*.test.ts',
      'scripts/**/*.test.ts',
    ],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
