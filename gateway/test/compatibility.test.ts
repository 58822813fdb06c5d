import { type PostgresServer, missingPostgres, missingTool, startPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TOOLS } from './compatibility/tools.js';
import { type Run, type Ways, asMasked, differences, openWays } from './compatibility/ways.js';

/**
 * Migration tools, ORMs, queues and the queries of well-known programs, direct and through masks. Where masks are on a table
 * that they never read, all is as it is directly: exit status, what they read, schema, rows. Where masks are on what they read,
 * it is the same but for the masks, or one statement is refused before it runs, and few are.
 */
const unavailable = missingPostgres(15) ?? missingTool('pg_dump');

describe.skipIf(unavailable)('migration tools and ORMs', () => {
  let server: PostgresServer;
  let ways: Ways;

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
        expect(direct, direct.errors).toMatchObject({ status: 0 });
      },
      180_000,
    );

    test.skipIf(tool.missing)(
      `is as it is directly where masks are elsewhere${title}`,
      async () => {
        expect(differences(direct, await ways.run(tool, 'apart'))).toEqual([]);
      },
      180_000,
    );

    test.skipIf(tool.missing)(
      `is as it is directly but for masks, or refused${title}`,
      async () => {
        const expected = { ...direct, said: asMasked(direct.said) };
        expect(differences(expected, await ways.run(tool, 'read'))).toEqual([]);
      },
      180_000,
    );
  });
});
