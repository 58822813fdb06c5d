import { writeFileSync } from 'node:fs';
import { type PostgresServer, missingPostgres, missingTool, startPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cell, PAGE, page } from './compatibility/page.js';
import { TOOLS } from './compatibility/tools.js';
import { type Run, type Ways, asMasked, differences, openWays, refusalIn } from './compatibility/ways.js';

/**
 * Migration tools, ORMs, queues and the statements of well-known programs, direct and through masks. Where masks are on a table
 * that they never read, all is as it is directly: exit status, what they read, schema, rows. Where masks are on what they read,
 * it is the same but for the masks, or one statement is refused before it runs, and few are.
 */
const unavailable = missingPostgres(15) ?? missingTool('pg_dump');
const MAX_REFUSED_SHARE = 0.1;
const MAX_CELL_MS = 240_000;

/** Not all programs pass yet, and all of them take minutes: they run where they are asked for. */
const isAsked = process.env['SLUICE_TESTS'] === 'compatibility';

describe.skipIf(unavailable || !isAsked)('migration tools and ORMs', () => {
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
    let direct: Run;

    test.skipIf(tool.missing)(
      `runs directly${title}`,
      async () => {
        direct = await ways.run(tool, 'direct');
        expect(direct.status, direct.errors).toBe(0);
        expect(direct.said.split('\n').length).toBeGreaterThan(3);
      },
      MAX_CELL_MS,
    );

    test.skipIf(tool.missing)(
      `is as it is directly where masks are elsewhere${title}`,
      async () => {
        const run = await ways.run(tool, 'apart');
        const refused = run.status === 0 ? undefined : refusalIn(run.errors);
        if (tool.refused) expect(refused).toMatch(tool.refused);
        else expect(differences(direct, run)).toEqual([]);
        cells.push({ tool, way: 'apart', refused });
      },
      MAX_CELL_MS,
    );

    test.skipIf(tool.missing)(
      `is as it is directly but for masks, or refused${title}`,
      async () => {
        const run = await ways.run(tool, 'read');
        const refused = run.status === 0 ? undefined : refusalIn(run.errors);
        if (refused === undefined) {
          expect(asMasked(direct.said)).not.toBe(direct.said);
          expect(differences({ ...direct, said: asMasked(direct.said) }, run)).toEqual([]);
        }
        cells.push({ tool, way: 'read', refused });
      },
      MAX_CELL_MS,
    );
  });

  test('few are refused, and the page says which', ({ skip }) => {
    const read = cells.filter(({ way }) => way === 'read');
    const refused = read.filter((cell) => cell.refused !== undefined);
    expect(refused.length).toBeLessThanOrEqual(read.length * MAX_REFUSED_SHARE);
    if (cells.length < TOOLS.length * 2) skip('not every tool is here, so the page stays as it is');
    writeFileSync(PAGE, page(cells));
  });
});
