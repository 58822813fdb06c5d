/**
 * What users and operators read when something goes wrong, of a real gateway with real clients, and docs/troubleshooting.md, which
 * shows it. `SLUICE_WRITE_DOCS=1` writes the document anew.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findTool, missingMySql, missingPostgres, missingSshd, missingTool } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT } from '../src/root.js';
import { TROUBLES } from './troubles/list.js';
import { documentOf } from './troubles/document.js';
import { type TroubleStand, openTroubleStand } from './troubles/stand.js';

const missing =
  missingPostgres(18) ??
  missingMySql('mariadb') ??
  missingSshd() ??
  (['psql', 'curl', 'sshpass', 'openssl'] as const).map(missingTool).find(Boolean);

const DOCUMENT = join(ROOT, 'docs', 'troubleshooting.md');

test('there are twenty of them, and a client for each is known', () => {
  expect(TROUBLES.length).toBeGreaterThanOrEqual(20);
  expect(findTool('psql')).toBeDefined();
});

describe.skipIf(missing)(`what goes wrong${missing ? ` (${missing})` : ''}`, () => {
  let stand: TroubleStand;
  const seen = new Map<string, { user: string; operator: string }>();
  beforeAll(async () => {
    stand = await openTroubleStand();
  }, 120_000);
  afterAll(() => stand?.stop());

  test.each(TROUBLES)(
    '$title',
    async (trouble) => {
      const said = await trouble.provoke(stand);
      seen.set(trouble.title, said);
      expect(said.user).toMatch(trouble.says);
      if (trouble.logs) expect(said.operator).toMatch(trouble.logs);
      // Nobody reads a stack, of whatever went wrong at a target or a client.
      expect(`${said.user}${said.operator}`).not.toMatch(/\n\s+at |session failed|node:internal/);
    },
    30_000,
  );

  test('each fault of a target is counted by connection and kind', async () => {
    const metrics = await (await fetch(new URL('/metrics', stand.gateway.url))).text();
    const counted = Array.from(
      metrics.matchAll(/^sluice_target_failures_total\{connection="([\w-]+)",fault="([\w-]+)"\} (\d+)/gm),
      ([, connection, fault]) => `${connection} ${fault}`,
    );
    expect(counted).toEqual(
      expect.arrayContaining([
        'down down',
        'nowhere unknown-host',
        'no-tls no-tls',
        'wrong-password login',
        'wrong-database database',
        'far agent',
        'my-down down',
        'my-password login',
        'vm-down down',
        'vm-changed host-key',
        'svc-down down',
        'svc-key login',
      ]),
    );
  });

  test('docs/troubleshooting.md shows what was read', () => {
    const made = documentOf(
      TROUBLES.map((one) => ({ ...one, ...(seen.get(one.title) ?? { user: '', operator: '' }), client: one.user })),
    );
    if (process.env['SLUICE_WRITE_DOCS'] === '1') writeFileSync(DOCUMENT, made);
    expect(readFileSync(DOCUMENT, 'utf8')).toBe(made);
  });
});
