/**
 * "Your own database" of README.md, step by step as it is written there, against a PostgreSQL that is there. Only what README tells the
 * reader to write into the file is put into it: where the database is.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findTool, freePort, missingPostgres, missingTool, startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { expect, test } from 'vitest';
import { ROOT, blocksOf } from './documented/commands.js';

const missing = missingPostgres(18) ?? missingTool('psql');
const PASSWORD = 'the database keeps it';

/** Lines of the block, without their comments. */
const STEPS = (blocksOf('README.md', 'sh').find((block) => block.includes('cp examples/sluice.yaml')) ?? '')
  .trim()
  .split('\n')
  .map((line) => line.replace(/\s+#.*$/, ''));

/** What README says to do in an editor. */
function written(
  example: string,
  database: number,
  ports: { readonly clients: number; readonly control: number },
): string {
  const put = (text: string, from: RegExp, to: string): string => {
    expect(text).toMatch(from);
    return text.replace(from, to);
  };
  const ours = put(example, /host: db\.internal\n\s+port: 5432\n/, `host: 127.0.0.1\n      port: ${database}\n`);
  const plain = put(ours, /tls: verify-full/, 'tls: disable');
  const alone = put(plain, /^issuers:\n(?: +.*\n)+/m, '');
  const own = put(alone, /^roles:\n(?: +.*\n)+/m, '');
  const placed = put(own, /port: 6432/, `port: ${ports.clients}`);
  return put(placed, /port: 7432/, `port: ${ports.control}`);
}

test.skipIf(missing)(
  "the steps of README lead to a gateway of one's own",
  async () => {
    expect(STEPS.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'npm run',
      'cp examples/sluice.yaml',
      './sluice check',
      'export SHOP_PASSWORD=...',
      './sluice doctor',
      './sluice up',
      './sluice --data',
      'psql "host=127.0.0.1',
    ]);
    const [, copy = '', check = '', , doctor = '', up = '', token = '', psql = ''] = STEPS;
    const { path, remove } = temporaryFolder('own');
    chmodSync(path, 0o700);
    const server = await startPostgres({ major: 18, auth: 'scram-sha-256' });
    let gateway: ChildProcess | undefined;
    try {
      const admin = new pg.Client({
        host: '127.0.0.1',
        port: server.port,
        user: server.user,
        password: server.password ?? '',
        database: 'postgres',
      });
      await admin.connect();
      await admin.query(`create role sluice login password '${PASSWORD}'`);
      await admin.query('create database shop owner sluice');
      await admin.end();
      // As in a checkout.
      mkdirSync(join(path, 'examples'));
      cpSync(join(ROOT, 'examples', 'sluice.yaml'), join(path, 'examples', 'sluice.yaml'));
      symlinkSync(join(ROOT, 'sluice'), join(path, 'sluice'));
      const ports = { clients: await freePort(), control: await freePort() };
      const env: NodeJS.ProcessEnv = {
        ...process.env,
        PATH: `${join(findTool('psql') ?? '', '..')}:${process.env['PATH'] ?? ''}`,
        NO_COLOR: '1',
      };
      delete env['SHOP_PASSWORD'];
      const run = (line: string, more: NodeJS.ProcessEnv = {}): Promise<{ status: number | null; said: string }> =>
        ended(
          spawn('/bin/sh', ['-c', `${line} 2>&1`], {
            cwd: path,
            env: { ...env, ...more },
            stdio: ['ignore', 'pipe', 'pipe'],
          }),
        );

      expect(await run(copy)).toEqual({ status: 0, said: '' });
      const file = join(path, 'sluice.yaml');
      writeFileSync(file, written(readFileSync(file, 'utf8'), server.port, ports));
      const checked = await run(check);
      expect(checked.said).toContain('sluice.yaml is good');
      expect(checked.status).toBe(0);

      // Without the password the line says what is missing; with it, the database is reached.
      const before = await run(doctor);
      expect(before.said).toContain('SHOP_PASSWORD');
      expect(before.status).toBe(2);
      const secret = { SHOP_PASSWORD: PASSWORD };
      const well = await run(doctor, secret);
      expect(well.said).toMatch(/ok +target +shop, 127\.0\.0\.1:\d+: reached and logged in/);
      expect(well.said).not.toContain('failed');
      expect(well.status).toBe(1);

      gateway = spawn('/bin/sh', ['-c', `exec ${up}`], {
        cwd: path,
        env: { ...env, ...secret },
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let log = '';
      gateway.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
      for (let i = 0; i < 300 && (await run('./sluice --data .sluice ready')).status !== 0; i++) await sleep(100);
      // Nothing is warned of that README has not asked for.
      expect(log).not.toMatch(/may open|"level":50/);
      const made = await run(token);
      expect(made).toMatchObject({ status: 0 });
      const [password = ''] = /sluice_\w+/.exec(made.said) ?? [];
      const answer = await run(
        `${psql.replace('port=6432', `port=${ports.clients}`)} -Atc "select current_database()"`,
        { PGPASSWORD: password },
      );
      expect(answer).toEqual({ status: 0, said: 'shop\n' });
      const again = await run(doctor.replace('./sluice', './sluice --data .sluice'));
      expect(again.said).toMatch(/ok +gateway/);
      expect(again.said).not.toMatch(/failed|SHOP_PASSWORD/);
    } finally {
      if (gateway) {
        const gone = ended(gateway);
        gateway.kill('SIGTERM');
        await gone;
      }
      await server.stop();
      remove();
    }
  },
  180_000,
);

function ended(child: ChildProcess): Promise<{ status: number | null; said: string }> {
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return new Promise((resolve) => child.once('close', (status) => resolve({ status, said })));
}
