import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { missingPostgres } from '@sluice/testkit';
import { expect, test } from 'vitest';

const MAIN = join(import.meta.dirname, '..', 'dist', 'main.js');

test.skipIf(missingPostgres(18))(
  'every step of the tour holds',
  async () => {
    // It ends with status 1, and this rejects, when a step did not hold.
    const { stdout } = await promisify(execFile)(process.execPath, [MAIN, 'tour'], { timeout: 240_000 });
    expect(stdout).toMatch(/All \d+ steps held/);
  },
  250_000,
);
