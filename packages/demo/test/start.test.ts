/**
 * The first ten minutes of a newcomer, of a real run: docs/start.md has its transcript. `SLUICE_WRITE_DOCS=1` writes it anew. What differs
 * from run to run (tokens, times, numbers of sessions) is put into one form.
 */
import { spawn } from 'node:child_process';
import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findTool, freePort, missingPostgres, missingTool, temporaryFolder } from '@sluice/testkit';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const DEMO = join(ROOT, 'packages', 'demo', 'dist', 'main.js');
const DOCUMENT = join(ROOT, 'docs', 'start.md');

const missing = missingPostgres(18) ?? missingTool('psql');

interface Step {
  readonly about: string;
  /** As it is typed, in the demo; the shell runs it. */
  readonly line: string;
  /** What has to be in the answer, or the page would tell a lie. */
  readonly says: RegExp;
  /** At most so many lines are shown. */
  readonly lines?: number;
}

const psql = (sql: string): string => `./sluice connect shop --user developer -c "${sql}"`;

const STEPS: readonly Step[] = [
  {
    about: 'The rules of the sample shop let a developer read. E-mail addresses are masked.',
    line: psql("select name, city, email from customers where city = 'Oslo' order by id limit 3"),
    says: /\[masked:EMAIL\]/,
  },
  {
    about: 'They stay so in an expression, under another name.',
    line: psql("select 'to ' || email as harmless from customers order by id limit 1"),
    says: /to \[masked:EMAIL\]|\[masked:EMAIL\]/,
  },
  {
    about: 'A rule refuses what destroys.',
    line: psql('drop table customers'),
    says: /Nothing is dropped.*no-destruction/s,
  },
  { about: 'And a DELETE that names no rows.', line: psql('delete from customers'), says: /unfiltered-writes/ },
  { about: 'One row may go.', line: psql('delete from customers where id = 299'), says: /DELETE 1/ },
  {
    about: 'Before production does it: what would a rule say?',
    line: './sluice policy explain --connection shop "delete from orders"',
    says: /unfiltered-writes/,
    lines: 12,
  },
  { about: 'Who did what is on record.', line: './sluice sessions ls', says: /developer/, lines: 5 },
  {
    about: 'And the record proves that nobody changed it.',
    line: './sluice audit verify',
    says: /No change was found/,
  },
  { about: 'What runs, since when, and what waits.', line: './sluice status', says: /ready/ },
];

test.skipIf(missing)(
  'docs/start.md is the transcript of a run',
  async () => {
    const { path: folder, remove } = temporaryFolder('start');
    // PostgreSQL runs as another user, where this is root.
    chmodSync(folder, 0o711);
    const ports: number[] = [];
    while (ports.length < 7) ports.push(await freePort());
    const options = [
      '--port',
      '--control-port',
      '--issuer-port',
      '--console-port',
      '--ssh-port',
      '--http-port',
      '--mysql-port',
    ].flatMap((option, at) => [option, String(ports[at])]);
    const demo = spawn(process.execPath, [DEMO, 'start', ...options, '--folder', folder], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let screen = '';
    demo.stdout.on('data', (chunk: Buffer) => (screen += chunk.toString()));
    demo.stderr.on('data', (chunk: Buffer) => (screen += chunk.toString()));
    try {
      for (let i = 0; i < 600 && demo.exitCode === null && !screen.includes('From a second terminal'); i++)
        await sleep(200);
      expect(screen).toContain('Sluice is running');
      // All is well, so that nothing is warned of.
      expect(screen).not.toMatch(/warning|ERROR/);
      const clean = cleanerOf(folder, ports);
      const shown: string[] = [];
      for (const { about, line, says, lines = 40 } of STEPS) {
        const said = await run(line, folder);
        expect(said, line).toMatch(says);
        const all = clean(said).split('\n');
        const cut = all.length > lines ? [...all.slice(0, lines), '...'] : all;
        shown.push(`${about}\n\n\`\`\`text\n$ ${line}\n${cut.join('\n')}\n\`\`\`\n`);
      }
      const made = documentOf(shown);
      if (process.env['SLUICE_WRITE_DOCS'] === '1') writeFileSync(DOCUMENT, made);
      expect(readFileSync(DOCUMENT, 'utf8')).toBe(made);
    } finally {
      const gone = new Promise((resolve) => demo.once('close', resolve));
      demo.kill('SIGINT');
      await gone;
      rmSync(folder, { recursive: true, force: true });
      remove();
    }
  },
  300_000,
);

/** What a terminal shows of a line. */
function run(line: string, data: string): Promise<string> {
  const path = `${join(findTool('psql') ?? '', '..')}:${process.env['PATH'] ?? ''}`;
  const child = spawn('/bin/sh', ['-c', `${line} 2>&1`], {
    cwd: ROOT,
    env: {
      ...process.env,
      SLUICE_DATA: data,
      NO_COLOR: '1',
      PATH: path,
      PAGER: 'cat',
      LC_ALL: 'C.UTF-8',
      COLUMNS: '120',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return new Promise((resolve) => child.once('close', () => resolve(said.trimEnd())));
}

/** Columns of tables may be as wide as what stood in them: runs of blanks become two. */
function cleanerOf(folder: string, ports: readonly number[]): (text: string) => string {
  const usual = ['6432', '7432', '7433', '7440', '2222', '8443', '3307'];
  return (text) => {
    let cleaned = text.replaceAll(folder, '/srv/sluice');
    for (const [at, port] of ports.entries()) cleaned = cleaned.replaceAll(String(port), usual[at] ?? '');
    return (
      cleaned
        .replaceAll(/wss:\/\/127\.0\.0\.1:\d+/g, 'wss://127.0.0.1:7443')
        .replaceAll(/backroom from 127\.0\.0\.1:\d+/g, 'backroom from 127.0.0.1:50000')
        .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '2026-11-29T18:30:00.000Z')
        .replaceAll(/\b[0-9a-f]{6}-[0-9a-z]+\b/g, '9f2c41-7')
        .replaceAll(/127\.0\.0\.1:(?:3|4|5|6)\d{4}\b/g, '127.0.0.1:50000')
        .replaceAll(/SHA256:[\w+/]+/g, 'SHA256:...')
        .replaceAll(/[0-9a-f]{64}/g, '0123...')
        .replaceAll(/process \d+/g, 'process 4711')
        .replaceAll(/Head of .*/g, 'Head of gateway, ...')
        .replaceAll(/\d+ records in \d+ segments?: .*/g, '40 records in 1 segment: ...')
        // Whether a head has been signed since the last record is a matter of seconds.
        .replaceAll(/^What was written since .*\n/gm, '')
        .replaceAll(/\b(\d+) (?:ms|s)\b/g, '12 ms')
        .replaceAll(/(?<=\S) {3,}/g, '  ')
    );
  };
}

const documentOf = (shown: readonly string[]): string => `# The first ten minutes

\`npm start\` in a fresh clone installs what is needed, builds, and runs a gateway in front of a sample shop. It needs git, Node 20 or later
and npm. When it prints "Sluice is running", open a second terminal in the same folder. This page is the transcript of a real run, made by
\`packages/demo/test/start.test.ts\`, which does it again; times, numbers and names of folders stand for yours.

${shown.join('\n')}
\`npm run tour\` plays more of it by itself. Then: [your own database](../README.md#your-own-database).
`;
