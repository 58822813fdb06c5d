/**
 * Real servers of MySQL's protocol on a loopback port. Owns: starting one in a folder of its own, and stopping it. MariaDB is a
 * Debian package and always there; MySQL is where `SLUICE_MYSQLD` names its server, or /usr/sbin/mysqld is one.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeCertificates } from '../certificates.js';
import { freePort, temporaryFolder } from '../places.js';
import { copyOfTemplate } from './templates.js';

export type MySqlFlavour = 'mariadb' | 'mysql';

export interface MySqlServerOptions {
  readonly flavour: MySqlFlavour;
  /** The server speaks TLS, with a certificate of its own for localhost. */
  readonly tls?: true;
  /** Further options, as on its command line, without the dashes. */
  readonly settings?: readonly string[];
}

export interface MySqlServer {
  readonly flavour: MySqlFlavour;
  readonly host: string;
  readonly port: number;
  /** Of an administrator, over TCP. */
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly pid: number;
  /** PEM of the authority of its certificate. */
  readonly ca?: string;
  /** What it has written. */
  log(): string;
  stop(): Promise<void>;
}

const USER = 'admin';
const PASSWORD = 'mysql-test';
const DATABASE = 'test';

/** How long a start may take, in milliseconds. */
const MAX_START_MS = 60_000;

const MARIADB = '/usr/sbin/mariadbd';
const DEBIAN_MYSQL = '/usr/sbin/mysqld';

/** Why a server of this flavour cannot be started here; undefined: it can. */
export function missingMySql(flavour: MySqlFlavour): string | undefined {
  if (binary(flavour) !== undefined) return undefined;
  if (flavour === 'mariadb') return 'MariaDB is not installed (Debian package mariadb-server)';
  return 'MySQL is not installed (SLUICE_MYSQLD names its server)';
}

function binary(flavour: MySqlFlavour): string | undefined {
  if (flavour === 'mariadb') return existsSync(MARIADB) ? MARIADB : undefined;
  const named = process.env['SLUICE_MYSQLD'];
  if (named !== undefined) return named;
  // Debian's name for MariaDB's server, too.
  return existsSync(DEBIAN_MYSQL) && basename(realpathSync(DEBIAN_MYSQL)) === 'mysqld' ? DEBIAN_MYSQL : undefined;
}

/** Starts a server. Rejects with what it wrote when it does not come up. */
export async function startMySql(options: MySqlServerOptions): Promise<MySqlServer> {
  const program = binary(options.flavour);
  if (program === undefined) throw new Error(missingMySql(options.flavour));
  const { path: folder, remove } = temporaryFolder(options.flavour);
  try {
    const owner = options.flavour === 'mariadb' ? ownerOf(folder) : undefined;
    initialise(options.flavour, program, folder, owner);
    const ca = options.tls ? certify(folder, owner) : undefined;
    const { server, port } = await launch(program, folder, options, owner);
    const atExit = (): void => {
      server.kill('SIGKILL');
      remove();
    };
    process.once('exit', atExit);
    return {
      flavour: options.flavour,
      host: '127.0.0.1',
      port,
      user: USER,
      password: PASSWORD,
      database: DATABASE,
      pid: server.pid as number,
      ...(ca !== undefined && { ca }),
      log: () => readFileSync(logOf(folder), 'utf8'),
      stop: async () => {
        await stop(server);
        process.removeListener('exit', atExit);
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

const dataOf = (folder: string): string => join(folder, 'data');
const logOf = (folder: string): string => join(folder, 'server.log');

/** Neither server runs as root of itself: Debian's package has made a user for MariaDB's. */
function ownerOf(folder: string): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((one) => one.startsWith('mysql:'));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined) throw new Error('MariaDB does not run as root, and there is no user "mysql".');
  const owner = { uid: Number(uid), gid: Number(gid) };
  chmodSync(folder, 0o700);
  chownSync(folder, owner.uid, owner.gid);
  return owner;
}

type Owner = ReturnType<typeof ownerOf>;

/** Accounts that both servers understand. */
const accounts = (flavour: MySqlFlavour): string =>
  [
    ...(flavour === 'mariadb'
      ? ['CREATE DATABASE IF NOT EXISTS test', "DELETE FROM mysql.global_priv WHERE User=''"]
      : ['CREATE DATABASE IF NOT EXISTS test']),
    'FLUSH PRIVILEGES',
    `CREATE USER '${USER}'@'%' IDENTIFIED BY '${PASSWORD}'`,
    `GRANT ALL PRIVILEGES ON *.* TO '${USER}'@'%' WITH GRANT OPTION`,
  ]
    .map((statement) => `${statement};\n`)
    .join('');

function initialise(flavour: MySqlFlavour, program: string, folder: string, owner: Owner): void {
  // Servers of the same process number, in two containers, would use each other's temporary tables.
  const common = ['--no-defaults', `--datadir=${dataOf(folder)}`, `--tmpdir=${folder}`];
  writeFileSync(initFile(folder), accounts(flavour), { mode: 0o644 });
  copyOfTemplate([program], dataOf(folder), () => {
    const made =
      flavour === 'mariadb'
        ? spawnSync(
            'mariadb-install-db',
            [...common, '--auth-root-authentication-method=normal', '--skip-test-db', ...userOption(owner, 'mysql')],
            { cwd: folder, encoding: 'utf8' },
          )
        : spawnSync(program, [...common, '--initialize-insecure', ...rootOption()], { cwd: folder, encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`${flavour}: no data folder: ${made.stdout}${made.stderr}`);
  });
}

/** Run when the server starts, as its own administrator. */
const initFile = (folder: string): string => join(folder, 'accounts.sql');
const userOption = (owner: Owner, name: string): string[] => (owner ? [`--user=${name}`] : []);
const rootOption = (): string[] => (process.getuid?.() === 0 ? ['--user=root'] : []);

function certify(folder: string, owner: Owner): string {
  const made = makeCertificates();
  for (const [name, text] of [
    ['server.crt', made.certificate],
    ['server.key', made.key],
    ['ca.crt', made.ca],
  ] as const) {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    if (owner) chownSync(join(folder, name), owner.uid, owner.gid);
  }
  made.remove();
  return made.ca;
}

/** Starts the server; again when somebody took the port meanwhile. */
async function launch(
  program: string,
  folder: string,
  { flavour, tls, settings = [] }: MySqlServerOptions,
  owner: Owner,
): Promise<{ server: ChildProcess; port: number }> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const own = [
      '--no-defaults',
      `--datadir=${dataOf(folder)}`,
      `--tmpdir=${folder}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      `--socket=${join(folder, 's')}`,
      `--pid-file=${join(folder, 'pid')}`,
      `--log-error=${logOf(folder)}`,
      `--init-file=${initFile(folder)}`,
      '--skip-name-resolve',
      '--secure-file-priv=',
      '--innodb-buffer-pool-size=32M',
      '--max-connections=200',
      ...(flavour === 'mysql' ? ['--mysqlx=OFF', '--disable-log-bin', ...rootOption()] : userOption(owner, 'mysql')),
      ...(tls
        ? ['crt', 'key'].map((kind) => `--ssl-${NAMES[kind as 'crt' | 'key']}=${join(folder, `server.${kind}`)}`)
        : []),
      ...settings.map((one) => `--${one}`),
    ];
    const server = spawn(program, own, { cwd: folder, detached: true, stdio: 'ignore' });
    server.once('error', ({ message }) => writeFileSync(logOf(folder), message));
    if (await comesUp(server, port, folder)) {
      // Accounts are there now; once more would be a mistake.
      writeFileSync(initFile(folder), '');
      return { server, port };
    }
    const said = existsSync(logOf(folder)) ? readFileSync(logOf(folder), 'utf8').slice(-4000) : '';
    await stop(server);
    if (attempt < 5 && /Address already in use/.test(said)) continue;
    throw new Error(`${flavour} does not start:\n${said}`);
  }
}

const NAMES = { crt: 'cert', key: 'key' } as const;

async function comesUp(server: ChildProcess, port: number, folder: string): Promise<boolean> {
  for (const end = Date.now() + MAX_START_MS; isRunning(server) && Date.now() < end; await sleep(50)) {
    const said = existsSync(logOf(folder)) ? readFileSync(logOf(folder), 'utf8') : '';
    if (/ready for connections/.test(said) && (await answers(port))) return true;
  }
  return false;
}

/** Something at this port says something. */
function answers(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: '127.0.0.1', port });
  socket.once('data', () => resolve(true));
  socket.once('error', () => resolve(false));
  socket.once('close', () => resolve(false));
  return promise.finally(() => socket.destroy());
}

const isRunning = (server: ChildProcess): boolean => server.exitCode === null && server.signalCode === null;

async function stop(server: ChildProcess): Promise<void> {
  if (!isRunning(server)) return;
  const exited = new Promise<void>((done) => server.once('exit', () => done()));
  server.kill('SIGKILL');
  await exited;
}
