import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** Debian's packages for what tests run as a client or beside the gateway. */
const PACKAGES = {
  psql: 'postgresql-client-15',
  pg_dump: 'postgresql-client-15',
  pg_restore: 'postgresql-client-15',
  pgbench: 'postgresql-15',
  pgbouncer: 'pgbouncer',
  openssl: 'openssl',
  curl: 'curl',
  python3: 'python3-requests',
  go: 'golang-go',
  nghttp: 'nghttp2-client',
  h2load: 'nghttp2-client',
  nginx: 'nginx-light',
  wrk: 'wrk',
  mitmdump: 'mitmproxy',
  ssh: 'openssh-client',
  scp: 'openssh-client',
  sftp: 'openssh-client',
  sshpass: 'sshpass',
  rsync: 'rsync',
  git: 'git',
  ansible: 'ansible-core',
  'redis-server': 'redis-server',
  'redis-cli': 'redis-tools',
  mariadb: 'mariadb-client',
  'mariadb-dump': 'mariadb-client',
  bash: 'bash',
  jq: 'jq',
  script: 'bsdutils',
  haproxy: 'haproxy',
  sysbench: 'sysbench',
  mysqltest: 'mariadb-test',
} as const;

export type Tool = keyof typeof PACKAGES;

const FOLDERS = ['/usr/lib/postgresql/15/bin', '/usr/bin', '/usr/sbin', '/usr/local/bin'];

/** The path of a tool; undefined when it is not installed. */
export const findTool = (name: Tool): string | undefined =>
  FOLDERS.map((folder) => join(folder, name)).find((path) => existsSync(path));

/** Why a tool cannot be used here; undefined when it can. */
export const missingTool = (name: Tool): string | undefined =>
  findTool(name) === undefined ? `${name} is not installed (Debian package ${PACKAGES[name]})` : undefined;
