import { writeFileSync } from 'node:fs';
import { type PostgresServer, missingPostgres, missingTool, startPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cell, MAX_REFUSED_SHARE, PAGE, page } from './compatibility/page.js';
import { TOOLS } from './compatibility/tools.js';
import { type Run, type Way, type Ways, asMasked, differences, openWays, refusalIn } from './compatibility/ways.js';

/**
 * Migration tools, ORMs, queues and the statements of well-known programs, direct and through masks. Where masks are on a table
 * that they never read, all is as it is directly: exit status, what they read, schema, rows. Where masks are on what they read,
 * it is the same but for the masks, or one statement is refused before it runs, and few are.
 */
const unavailable = missingPostgres(15) ?? missingTool('pg_dump');
/** One program, three times at once. */
const MAX_RUN_MS = 300_000;

describe.skipIf(unavailable)('migration tools and ORMs', () => {
  let server: PostgresServer;
  let ways: Ways;
  const cells: Cell[] = [];

  beforeAll(async () => {
    server = await startPostgres({ major: 15, auth: 'scram-sha-256' });
    ways = await openWays(server, TOOLS);
  });
  afterAll(async () => {
    await ways?.stop();
    await server?.stop();
  });

  describe.each(TOOLS)('$name', (tool) => {
    const title = tool.missing === undefined ? '' : ` (${tool.missing})`;
    let runs: Readonly<Record<Way, Run>>;

    beforeAll(async () => {
      if (tool.missing === undefined) runs = await ways.run(tool);
    }, MAX_RUN_MS);

    test.skipIf(tool.missing)(`runs directly${title}`, () => {
      const { direct } = runs;
      expect(direct.status, direct.errors).toBe(0);
      for (const [part, text] of Object.entries(tool.did))
        expect(direct[part as keyof typeof tool.did]).toContain(text);
    });

    test.skipIf(tool.missing)(`is as it is directly where masks are elsewhere${title}`, () => {
      expect(differences(runs.direct, runs.apart)).toEqual([]);
      cells.push({ tool, way: 'apart', refused: undefined });
    });

    test.skipIf(tool.missing)(`is as it is directly but for masks, or refused${title}`, () => {
      const { direct, read } = runs;
      const refused = read.status === 0 ? undefined : refusalIn(read.errors);
      if (refused === undefined) {
        expect(asMasked(direct.said)).not.toBe(direct.said);
        expect(differences({ ...direct, said: asMasked(direct.said) }, read)).toEqual([]);
      }
      cells.push({ tool, way: 'read', refused });
    });
  });

  test('few are refused, and the page says which', ({ skip }) => {
    const read = cells.filter(({ way }) => way === 'read');
    const refused = read.filter((cell) => cell.refused !== undefined);
    expect(refused.length).toBeLessThanOrEqual(read.length * MAX_REFUSED_SHARE);
    if (cells.length < TOOLS.length * 2) skip('not every tool is here, so the page stays as it is');
    writeFileSync(PAGE, page(cells));
  });
});
