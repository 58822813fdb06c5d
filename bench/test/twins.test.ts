import { missingPostgres } from '@sluice/testkit';
import { describe, expect, test } from 'vitest';
import { findInWords, runTwins, twinSummary } from '../src/twins/twins.js';

/** A seed that is the same every time, and one that is new and told. */
const SEEDS = [20_261_129, Math.floor(Math.random() * 2 ** 31)];

describe.each([15, 18] as const)('twins on PostgreSQL %i', (major) => {
  test.skipIf(missingPostgres(major) !== undefined).each(SEEDS)(
    'no answer tells two databases apart that differ in masked values, with seed %i',
    async (seed) => {
      const tally = await runTwins({ major, seed, scripts: 250 });
      process.stdout.write(`PostgreSQL ${major}, ${twinSummary(tally)}\n`);
      expect(tally.finds.map(findInWords)).toEqual([]);
      expect(tally.telling / tally.scripts).toBeGreaterThan(0.5);
      expect(tally.refused / tally.scripts).toBeLessThan(0.6);
      expect(tally.failed / tally.scripts).toBeLessThan(0.1);
    },
    300_000,
  );
});

describe.skipIf(missingPostgres(15) !== undefined)('a leak is found', () => {
  test.each([
    ['the rule against guessing', { rules: ['no-guessing'] }],
    ['the mask of one column', { columns: ['people.salary'] }],
  ] as const)(
    'without %s',
    async (_, without) => {
      const tally = await runTwins({
        major: 15,
        seed: SEEDS[0] as number,
        scripts: 2000,
        seconds: 120,
        finds: 1,
        without,
      });
      expect(tally.finds.length).toBeGreaterThan(0);
    },
    300_000,
  );
});
