/** Lineage against a real server for some seconds: nothing is missed, and a lineage that was broken on purpose is found. */
import { missingMySql } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { differential } from '../src/mysql-lineage/differential.js';
import { type LineageServer, startLineageServer } from '../src/mysql-lineage/server.js';

/** A seed that is the same every time, and one that is new and told. */
const SEEDS = [20, Math.floor(Math.random() * 2 ** 31)];

describe.each(['mariadb', 'mysql'] as const)('lineage of %s', (flavour) => {
  describe.skipIf(missingMySql(flavour) !== undefined)(missingMySql(flavour) ?? 'against twins', () => {
    let server: LineageServer;
    beforeAll(async () => {
      server = await startLineageServer(flavour);
    }, 90_000);
    afterAll(() => server?.stop());

    test.each(SEEDS)(
      'every output that a column changes names it, with seed %i',
      async (seed) => {
        const tally = await differential(server, { seed, seconds: 5 });
        expect(tally.wrong).toEqual([]);
        expect(tally.changed).toBeGreaterThan(0);
        expect(tally.named).toBeGreaterThan(0);
      },
      180_000,
    );

    test('a source that is forgotten is found', async () => {
      const tally = await differential(server, { seed: 21, seconds: 8, forget: 'people.nick' });
      expect(tally.wrong.length).toBeGreaterThan(0);
    }, 180_000);
  });
});
