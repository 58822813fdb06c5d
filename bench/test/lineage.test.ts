import { missingPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { differential, summary } from '../src/lineage/differential.js';
import { type LineageServer, startLineageServer } from '../src/lineage/server.js';

/** A seed that is the same every time, and one that is new and told. */
const SEEDS = [20_261_121, Math.floor(Math.random() * 2 ** 31)];

describe.skipIf(missingPostgres(15) !== undefined)('lineage on PostgreSQL 15', () => agrees(15));
describe.skipIf(missingPostgres(18) !== undefined)('lineage on PostgreSQL 18', () => agrees(18));

function agrees(major: 15 | 18): void {
  let server: LineageServer;
  beforeAll(async () => {
    server = await startLineageServer(major, false);
  });
  afterAll(() => server?.stop());

  test.each(SEEDS)('misses no source that the server sees, with seed %i', async (seed) => {
    const tally = await differential(server, { seed, statements: 600 });
    process.stdout.write(`PostgreSQL ${major}, ${summary(tally)}\n`);
    expect(tally.wrong).toEqual([]);
    expect(tally.compared).toBe(600);
    expect(tally.unsure / tally.compared).toBeLessThan(0.02);
    expect(tally.unknown / tally.outputs).toBeLessThan(0.01);
    expect(tally.over / tally.outputs).toBeLessThan(0.3);
  });

  test.each(SEEDS)('misses none beside overloads and extensions, with seed %i', async (seed) => {
    const extended = await startLineageServer(major);
    try {
      const tally = await differential(extended, { seed, statements: 300 });
      process.stdout.write(`PostgreSQL ${major}, extended, ${summary(tally)}\n`);
      expect(tally.wrong).toEqual([]);
      expect(tally.compared).toBe(300);
      expect(tally.unknown / tally.outputs).toBeLessThan(0.005);
    } finally {
      await extended.stop();
    }
  });
}
