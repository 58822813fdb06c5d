// The Debian packages that tests use: real servers and real clients. Installed when that is possible, named when not.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';

const WANTED = {
  'postgresql-15': '/usr/lib/postgresql/15/bin/postgres',
  'postgresql-client-15': '/usr/lib/postgresql/15/bin/psql',
  pgbouncer: '/usr/sbin/pgbouncer',
  openssl: '/usr/bin/openssl',
};

export async function debianPackages() {
  const missing = Object.entries(WANTED).flatMap(([name, file]) => (existsSync(file) ? [] : [name]));
  if (missing.length === 0) return;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    process.stderr.write(
      `Not installed: ${missing.join(', ')}. The tests that need them are left out, each with this reason. As root on Debian, "npm test" installs them.\n`,
    );
    return;
  }
  process.stderr.write(`Installing Debian packages: ${missing.join(', ')}\n`);
  // Without this, installing the server would also create a cluster and start it.
  const settings = '/etc/postgresql-common/createcluster.conf';
  if (missing.includes('postgresql-15') && !existsSync(settings)) {
    mkdirSync('/etc/postgresql-common', { recursive: true });
    writeFileSync(settings, 'create_main_cluster = false\n');
  }
  apt('update');
  apt('install', '-y', '--no-install-recommends', '-o', 'Dpkg::Options::=--force-confold', ...missing);
}

function apt(...args) {
  const { status, stdout, stderr } = spawnSync('apt-get', ['-qq', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    encoding: 'utf8',
  });
  if (status !== 0)
    process.stderr.write(`apt-get ${args[0]} failed; tests that need its packages are left out.\n${stdout}${stderr}`);
}
