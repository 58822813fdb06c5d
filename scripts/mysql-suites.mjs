// node scripts/mysql-suites.mjs FOLDER: fetches the test suites of MariaDB and MySQL as Debian has them and unpacks them there, for
// `pnpm fuzz mysql-grammar` and `pnpm fuzz mysql-scripts` with `--suites FOLDER`. They are under the GPL and never part of this
// repository. MySQL's is in unstable only, which is asked in an apt folder of its own: nothing of this machine's apt changes.
import { spawnSync } from 'node:child_process';
import { globSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const UNSTABLE =
  'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian unstable main\n';

const [folder] = process.argv.slice(2);
if (folder === undefined) {
  process.stderr.write('Usage: node scripts/mysql-suites.mjs FOLDER\n');
  process.exit(2);
}

const run = (cwd, ...words) => spawnSync('apt-get', words, { cwd, stdio: 'inherit' }).status === 0;

/** Options for apt that knows of unstable, and of nothing else. */
function unstable() {
  const root = resolve(folder, 'apt');
  for (const one of [
    'etc/apt/apt.conf.d',
    'etc/apt/preferences.d',
    'var/lib/apt/lists/partial',
    'var/cache/apt/archives/partial',
    'var/lib/dpkg',
  ])
    mkdirSync(join(root, one), { recursive: true });
  writeFileSync(join(root, 'etc/apt/sources.list'), UNSTABLE);
  writeFileSync(join(root, 'var/lib/dpkg/status'), '');
  const options = [
    `Dir=${root}`,
    `Dir::State::status=${join(root, 'var/lib/dpkg/status')}`,
    'Acquire::Languages=none',
    'APT::Sandbox::User=root',
  ].flatMap((one) => ['-o', one]);
  return run(folder, ...options, 'update') ? options : [];
}

const SUITES = { mariadb: ['mariadb-test', 'mariadb-test-data', 'libpcre2-posix3'], mysql: ['mysql-testsuite'] };
for (const [name, packages] of Object.entries(SUITES)) {
  const target = resolve(folder, name);
  mkdirSync(target, { recursive: true });
  if (!run(target, 'download', ...packages) && !run(target, ...unstable(), 'download', ...packages)) {
    process.stderr.write(`${packages.join(' ')}: not to be had here\n`);
    continue;
  }
  for (const file of globSync('*.deb', { cwd: target }))
    spawnSync('dpkg', ['-x', join(target, file), target], { stdio: 'inherit' });
}
