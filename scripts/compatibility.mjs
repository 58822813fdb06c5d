/**
 * The programs of the compatibility matrix that come from npm: a folder of their own, with a lockfile of its own, so that nobody
 * needs them who does not run it. Owns: installing them. Does not own: what is run (the tests of the gateway).
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENV, ROOT } from './setup.mjs';

const FOLDER = join(ROOT, 'compatibility');
/** Written last: what is installed is whole and belongs to this lockfile. */
const STAMP = join(FOLDER, 'node_modules', '.installed');

/** Installs what is missing, without running a script of any package; else says what is left out. Never a reason to fail. */
export function compatibilityPackages() {
  const wanted = createHash('sha256')
    .update(readFileSync(join(FOLDER, 'pnpm-lock.yaml')))
    .digest('hex');
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === wanted) return;
  process.stderr.write('Installing the programs of the compatibility matrix\n');
  const options = ['install', '--ignore-workspace', '--frozen-lockfile', '--ignore-scripts', '--silent'];
  const { status } = spawnSync('pnpm', options, { cwd: FOLDER, env: ENV, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status === 0) writeFileSync(STAMP, wanted);
  else process.stderr.write('They cannot be installed, so their rows of the matrix are left out.\n');
}
