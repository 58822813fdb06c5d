import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { listSessions } from '@sluice/recording';
import { type PostgresServer, findTool, missingPostgres, missingTool, startPostgres } from '@sluice/testkit';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stand, openStand, targetOf } from './stand.js';

/**
 * How people and programs look at a database, where masks are on other columns: psql's backslash commands and its completion of names,
 * dumps and restores, and what programs read of the catalog. Nothing of it is refused, though what cannot be followed would be, and all
 * of it is as it is directly.
 */

const COMPATIBILITY = join(import.meta.dirname, '..', '..', 'compatibility');
const RULES = `
    - { rule: everything, allow: true }
    - { rule: secrets, mask: { columns: ["vault.secrets.*"], with: redact } }
`;
const COMMANDS = String.raw`\d
\d+ orders
\d totals
\d people_id_seq
\d vault.secrets
\dS pg_class
\dt *.*
\dt+ people
\dv+
\dm
\ds
\di
\dE
\dn+
\du+
\dg
\drds
\db+
\l
\df
\df+ pg_catalog.upper
\dfa
\dfw
\dT+
\do pg_catalog.&&
\dx+
\dy
\dp
\ddp
\dD+
\dC
\dc
\dd
\dF+
\dFd
\dO
\dl
\dL+
\dA+
\dAc
\dAf
\dAo btree
\dAp btree
\dRp+
\dRs
\des+
\deu
\det
\dew
\dX
\dP+
\sf pg_catalog.upper(text)
\sv totals
\z people`.split('\n');
/** What is typed, and Tab: each asks the server for names. */
const COMPLETED = ['select * from pe', 'alter table or', 'drop view to', '\\d vau', 'set search_p', 'alter role pos'];
const MAX_RUN_MS = 180_000;
const run = promisify(execFile);

describe.skipIf(missingTool('psql')).each([15, 18] as const)('looking at PostgreSQL %i', (major) => {
  if (missingPostgres(major)) return test.skip(`needs PostgreSQL ${major}`, () => undefined);
  let server: PostgresServer;
  let stand: Stand;
  let denied = 0;

  beforeAll(async () => {
    server = await startPostgres({ major });
    const admin = new pg.Client({ ...server, database: 'postgres' });
    await admin.connect();
    const { rows } = await admin.query<{ name: string }>('select name from pg_available_extensions');
    const there = new Set(rows.map(({ name }) => name));
    // Not every server comes with them.
    const before = readFileSync(join(COMPATIBILITY, 'before.sql'), 'utf8').replaceAll(
      /^create extension (\w+);$/gm,
      (line, name: string) => (there.has(name) ? line : ''),
    );
    await admin.query(before);
    await admin.end();
    stand = await openStand({ target: targetOf(server), rules: RULES, notFollowed: 'default' });
  }, 60_000);
  afterAll(async () => {
    await stand.stop();
    await server.stop();
  });

  const journal = (): string => join(stand.folder, 'data', 'journal');
  /** How many commands have been refused since this was asked last. */
  const refused = (): number => {
    stand.gateway.log.flush();
    const before = denied;
    denied = listSessions(journal()).reduce((sum, session) => sum + session.denied, 0);
    return denied - before;
  };
  const environment = (to: 'direct' | 'masked', database?: string): NodeJS.ProcessEnv => ({
    ...process.env,
    PGHOST: '127.0.0.1',
    PGPORT: String(to === 'direct' ? server.port : stand.port),
    PGUSER: to === 'direct' ? server.user : 'dev',
    PGPASSWORD: to === 'direct' ? server.password : stand.token,
    PGDATABASE: database ?? (to === 'direct' ? 'postgres' : 'db'),
    TZ: 'UTC',
  });
  async function said(to: 'direct' | 'masked', tool: 'psql' | 'pg_dump', ...options: string[]): Promise<string> {
    const { stdout } = await run(findTool(tool) ?? '', options, { env: environment(to), maxBuffer: 1 << 26 });
    return stdout.replaceAll(/^\\(?:un)?restrict .*\n/gm, '');
  }

  test(
    'backslash commands say what they say directly',
    async () => {
      const ask = async (to: 'direct' | 'masked'): Promise<string[]> => {
        const options = COMMANDS.flatMap((command) => ['-c', '\\echo =====', '-c', command]);
        return (await said(to, 'psql', '-X', ...options)).split('=====\n').slice(1);
      };
      const direct = await ask('direct');
      const masked = await ask('masked');
      expect(direct).toHaveLength(COMMANDS.length);
      expect(direct.filter((one) => one.includes('|')).length).toBeGreaterThan(30);
      for (const [at, command] of COMMANDS.entries()) expect(masked[at], command).toBe(direct[at]);
      expect(refused()).toBe(0);
    },
    MAX_RUN_MS,
  );

  test(
    'names are completed',
    async () => {
      const before = listSessions(journal()).length;
      const terminal = spawn('script', ['-qfec', `${findTool('psql')} -X`, '/dev/null'], {
        env: { ...environment('masked'), TERM: 'xterm', PAGER: 'cat' },
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      const closed = once(terminal, 'close');
      let shown = '';
      terminal.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
      // Before its prompt, what is typed is edited by the terminal itself.
      await expect.poll(() => shown).toMatch(/[=][>#] /);
      for (const one of COMPLETED) {
        terminal.stdin.write(`${one}\t`);
        await sleep(400);
        // The line is taken back (Control-U) before the next one is typed.
        terminal.stdin.write('\t\x15');
        await sleep(400);
      }
      terminal.stdin.write('\x04');
      await closed;
      stand.gateway.log.flush();
      const [session] = listSessions(journal()).slice(before);
      // One query at least for each.
      expect(session?.commands).toBeGreaterThanOrEqual(COMPLETED.length);
      expect(refused()).toBe(0);
    },
    MAX_RUN_MS,
  );

  test(
    'what programs read is not refused',
    async () => {
      const client = await stand.client();
      let answered = 0;
      for (const file of readdirSync(join(COMPATIBILITY, 'statements'))) {
        for (const part of readFileSync(join(COMPATIBILITY, 'statements', file), 'utf8').split(/;;\n/)) {
          const given = /^-- parameters: (.*)$/m.exec(part)?.[1];
          const text = part.replaceAll(/^-- .*$/gm, '').trim();
          const values = given === undefined ? undefined : (JSON.parse(given) as unknown[]);
          if (text === '') continue;
          // What another version of the server does not know is its own to refuse.
          const result = await client.query({ text, ...(values && { values }) }).catch(() => undefined);
          if (result) answered++;
        }
      }
      await client.end();
      expect(answered).toBeGreaterThan(80);
      expect(refused()).toBe(0);
    },
    MAX_RUN_MS,
  );

  test.skipIf(major !== 15)(
    'dumps are what they are directly, and are restored',
    async () => {
      for (const options of [
        ['--schema-only'],
        ['--data-only', '--exclude-schema=vault'],
        ['--inserts', '-t', 'orders'],
      ])
        expect(await said('masked', 'pg_dump', ...options)).toBe(await said('direct', 'pg_dump', ...options));
      const file = join(stand.folder, 'people.dump');
      await said(
        'direct',
        'pg_dump',
        '--format=custom',
        `--file=${file}`,
        '-t',
        'people',
        '-t',
        'orders',
        '-t',
        'totals',
        '--no-owner',
      );
      const options = ['--clean', '--if-exists', '--exit-on-error', '--no-owner', '-d'];
      for (const more of [[], ['--single-transaction'], ['--jobs=2']])
        await run(findTool('pg_restore') ?? '', [...more, ...options, 'db', file], { env: environment('masked') });
      expect(await said('direct', 'psql', '-XAtc', 'select count(*) from people')).not.toBe('0\n');
      expect(refused()).toBe(0);
    },
    MAX_RUN_MS,
  );
});
