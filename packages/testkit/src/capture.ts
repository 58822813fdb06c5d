// pnpm capture <name> [--major 15|18] [--sql FILE] -- command [argument ...]
// Writes fixtures/transcripts/postgres/<name>.txt: what the command and a fresh PostgreSQL said to each other.
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { startPostgres } from './servers/postgres.js';
import { capture, formatTranscript } from './transcript.js';

const USAGE = 'Usage: pnpm capture <name> [--major 15|18] [--sql FILE] -- command [argument ...]';
const FOLDER = join(import.meta.dirname, '..', '..', '..', 'fixtures', 'transcripts', 'postgres');

const own = process.argv.indexOf('--', 2);
const { values, positionals } = parseArgs({
  args: process.argv.slice(2, own < 0 ? undefined : own),
  allowPositionals: true,
  options: { major: { type: 'string', default: '15' }, sql: { type: 'string' } },
});
const command = own < 0 ? [] : process.argv.slice(own + 1);
const [name] = positionals;
const major = Number(values.major);
if (name === undefined || command[0] === undefined || (major !== 15 && major !== 18)) {
  process.stderr.write(`${USAGE}\n`);
  process.exit(2);
}

const server = await startPostgres({ major, auth: 'trust' });
try {
  const preparing = new pg.Client({ host: '127.0.0.1', port: server.port, user: server.user, database: 'postgres' });
  await preparing.connect();
  await preparing.query(readFileSync(values.sql ?? join(FOLDER, 'programs', 'prepare.sql'), 'utf8'));
  await preparing.end();
  const transcripts = await capture(server.port, (port) => run(command, port, server.user));
  // A client that asks for a second connection (a cancel, a second worker) gets a second file.
  for (const [at, exchanges] of transcripts.entries()) {
    const file = join(FOLDER, `${name}${at === 0 ? '' : `-${at + 1}`}.txt`);
    writeFileSync(file, formatTranscript(exchanges, `PostgreSQL ${major}\n${command.join(' ')}`));
    process.stderr.write(`${file}\n`);
  }
} finally {
  await server.stop();
}

async function run([program, ...rest]: string[], port: number, user: string): Promise<void> {
  const child = spawn(program as string, rest, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      PGHOST: '127.0.0.1',
      PGPORT: String(port),
      PGUSER: user,
      PGDATABASE: 'postgres',
      PGSSLMODE: 'disable',
      PGGSSENCMODE: 'disable',
    },
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  child.once('error', reject);
  child.once('exit', () => resolve());
  await promise;
}
