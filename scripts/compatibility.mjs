/**
 * The programs of the compatibility matrix, and agents, that come from npm: folders of their own, with lockfiles of their own, so that nobody
 * needs them who does not run them. Owns: installing them. Does not own: what is run (the tests of the gateway).
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ENV, ROOT } from './setup.mjs';

/** What is in each, for whoever reads why it is left out. */
const FOLDERS = {
  compatibility: ['the programs of the compatibility matrix', 'their rows of the matrix are left out'],
  'compatibility/agents': ['agents and the inspector of MCP', 'their tests are left out'],
};

/** Installs what is missing, without running a script of any package; else says what is left out. Never a reason to fail. */
export function compatibilityPackages() {
  for (const [name, [what, without]] of Object.entries(FOLDERS)) {
    const folder = join(ROOT, name);
    /** Written last: what is installed is whole and belongs to this lockfile. */
    const stamp = join(folder, 'node_modules', '.installed');
    const lock = readFileSync(join(folder, 'pnpm-lock.yaml'));
    const wanted = createHash('sha256').update(lock).digest('hex');
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) continue;
    process.stderr.write(`Installing ${what}\n`);
    const options = ['install', '--ignore-workspace', '--frozen-lockfile', '--ignore-scripts', '--silent'];
    const { status } = spawnSync('pnpm', options, { cwd: folder, env: ENV, stdio: ['ignore', 'ignore', 'inherit'] });
    if (status === 0) writeFileSync(stamp, wanted);
    else process.stderr.write(`They cannot be installed, so ${without}.\n`);
  }
}
