// node scripts/mysql-suites.mjs FOLDER: fetches the test suites of MariaDB and MySQL as Debian has them and unpacks them there, for
// `pnpm fuzz mysql-grammar --suites FOLDER`. They are under the GPL and never part of this repository. MySQL's is in unstable only:
// apt needs a source for it.
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('Usage: node scripts/mysql-suites.mjs FOLDER\n');
  process.exit(2);
}
const SUITES = { mariadb: ['mariadb-test', 'mariadb-test-data'], mysql: ['mysql-testsuite'] };
for (const [name, packages] of Object.entries(SUITES)) {
  const target = resolve(folder, name);
  mkdirSync(target, { recursive: true });
  const { status } = spawnSync('apt-get', ['download', ...packages], { cwd: target, stdio: 'inherit' });
  if (status !== 0) {
    process.stderr.write(`${packages.join(' ')}: not to be had here\n`);
    continue;
  }
  for (const file of globSync('*.deb', { cwd: target }))
    spawnSync('dpkg', ['-x', join(target, file), target], { stdio: 'inherit' });
}
