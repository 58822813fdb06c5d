// The Debian packages that tests use: real servers and real clients. Installed when that is possible, named when not.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const WANTED = [
  { name: 'postgresql-15', file: '/usr/lib/postgresql/15/bin/pgbench', use: 'tests against PostgreSQL 15, and load' },
  { name: 'postgresql-client-15', file: '/usr/lib/postgresql/15/bin/psql', use: 'tests with psql and pg_dump' },
  { name: 'pgbouncer', file: '/usr/sbin/pgbouncer', use: 'tests of targets behind pgbouncer, and comparisons with it' },
  { name: 'openssl', file: '/usr/bin/openssl', use: 'tests of TLS to the target' },
  { name: 'openssh-server', file: '/usr/sbin/sshd', use: 'tests with a real SSH target, and the one of the demo' },
  { name: 'openssh-client', file: '/usr/bin/ssh', use: 'tests with ssh, scp and sftp' },
  { name: 'sshpass', file: '/usr/bin/sshpass', use: 'tests of SSH logins by password' },
  { name: 'rsync', file: '/usr/bin/rsync', use: 'tests of rsync over SSH' },
  { name: 'git', file: '/usr/bin/git', use: 'tests of git over SSH' },
  { name: 'python3-psycopg', file: '/usr/lib/python3/dist-packages/psycopg', use: 'the client matrix with psycopg 3' },
  { name: 'python3-asyncpg', file: '/usr/lib/python3/dist-packages/asyncpg', use: 'the client matrix with asyncpg' },
  { name: 'libpostgresql-jdbc-java', file: '/usr/share/java/postgresql.jar', use: 'the client matrix with pgjdbc' },
  { name: 'openjdk-17-jdk-headless', file: '/usr/bin/javac', use: 'the client matrix with pgjdbc' },
  { name: 'mariadb-server', file: '/usr/sbin/mariadbd', use: 'tests against MariaDB' },
  { name: 'mariadb-client', file: '/usr/bin/mariadb', use: 'tests with the mariadb command line and mariadb-dump' },
  { name: 'python3-pymysql', file: '/usr/lib/python3/dist-packages/pymysql', use: 'tests with PyMySQL' },
  {
    name: 'python3-mysqldb',
    file: '/usr/lib/python3/dist-packages/MySQLdb',
    use: 'clients of MySQL: mysqlclient and Django',
  },
  { name: 'libdbd-mariadb-perl', file: '/usr/share/doc/libdbd-mariadb-perl', use: 'clients of MySQL: DBD::MariaDB' },
  { name: 'ruby-mysql2', file: '/usr/share/doc/ruby-mysql2', use: 'clients of MySQL: mysql2 of Ruby' },
  { name: 'php-cli', file: '/usr/bin/php', use: 'clients of MySQL: mysqlnd' },
  { name: 'php-mysql', file: '/usr/share/doc/php-mysql', use: 'clients of MySQL: mysqlnd' },
  {
    name: 'libmariadb-java',
    file: '/usr/share/java/mariadb-java-client.jar',
    use: 'clients of MySQL: Connector/J of MariaDB',
  },
  { name: 'sysbench', file: '/usr/bin/sysbench', use: 'clients of MySQL: sysbench' },
  { name: 'redis-server', file: '/usr/bin/redis-server', use: 'tests of the example of a protocol with a real Redis' },
  { name: 'redis-tools', file: '/usr/bin/redis-cli', use: 'tests of the example of a protocol with redis-cli' },
  { name: 'curl', file: '/usr/bin/curl', use: 'tests of HTTP with curl' },
  { name: 'jq', file: '/usr/bin/jq', use: 'tests of the examples for pipelines of CI' },
  { name: 'python3-requests', file: '/usr/lib/python3/dist-packages/requests', use: 'tests of HTTP with requests' },
  { name: 'golang-go', file: '/usr/bin/go', use: 'tests of HTTP with net/http of Go' },
  { name: 'chromium', file: '/usr/bin/chromium', use: 'tests of the console and of logins with a browser' },
  { name: 'nghttp2-client', file: '/usr/bin/nghttp', use: 'tests of HTTP/2 with nghttp and h2load' },
  { name: 'alembic', file: '/usr/bin/alembic', use: 'compatibility with Alembic' },
  { name: 'python3-django', file: '/usr/lib/python3/dist-packages/django', use: 'compatibility with Django' },
  {
    name: 'python3-psycopg2',
    file: '/usr/lib/python3/dist-packages/psycopg2',
    use: 'compatibility with Alembic and Django',
  },
  {
    name: 'ruby-activerecord',
    file: '/usr/share/doc/ruby-activerecord',
    use: 'compatibility with Active Record',
  },
  { name: 'ruby-pg', file: '/usr/share/doc/ruby-pg', use: 'compatibility with Active Record' },
  { name: 'sqitch', file: '/usr/bin/sqitch', use: 'compatibility with Sqitch' },
  { name: 'libdbd-pg-perl', file: '/usr/share/doc/libdbd-pg-perl', use: 'compatibility with Sqitch' },
  {
    name: 'postgresql-15-postgis-3',
    file: '/usr/share/postgresql/15/extension/postgis.control',
    use: 'pnpm bench definitions with postgis',
  },
  { name: 'ansible-core', file: '/usr/bin/ansible', use: 'tests with Ansible' },
];

/** Installs what is missing, as root; else says which tests are left out. Never a reason to fail. */
export function debianPackages() {
  const before = missing();
  if (before.length === 0) return;
  if (process.getuid?.() === 0 && existsSync('/usr/bin/apt-get')) install(before.map(({ name }) => name));
  const after = missing();
  for (const { name, use } of after) say(`Not installed: ${name}. Left out: ${use}.`);
  if (after.length > 0) say('As root on Debian, "npm test" installs them.');
}

const missing = () => WANTED.filter(({ file }) => !existsSync(file));
const say = (text) => process.stderr.write(`${text}\n`);

function install(names) {
  say(`Installing Debian packages: ${names.join(', ')}`);
  const remove = withoutServices();
  try {
    if (apt('update'))
      apt('install', '-y', '--no-install-recommends', '-o', 'Dpkg::Options::=--force-confold', ...names);
  } finally {
    remove();
  }
}

/** Tests start servers of their own; installing one must neither create a cluster nor start a service. */
function withoutServices() {
  const files = {
    '/etc/postgresql-common/createcluster.conf': { text: 'create_main_cluster = false\n', stays: true },
    // Asked by Debian's invoke-rc.d before it starts anything; 101 means no.
    '/usr/sbin/policy-rc.d': { text: '#!/bin/sh\nexit 101\n', stays: false },
  };
  const made = Object.entries(files).filter(([file]) => !existsSync(file));
  for (const [file, { text }] of made) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { mode: 0o755 });
  }
  return () => {
    for (const [file, { stays }] of made) if (!stays) rmSync(file, { force: true });
  };
}

function apt(...args) {
  const { status, stdout, stderr } = spawnSync('apt-get', ['-qq', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  });
  if (status !== 0) say(`apt-get ${args[0]} failed:\n${stdout ?? ''}${stderr ?? ''}`);
  return status === 0;
}
