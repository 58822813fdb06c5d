import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeCertificates } from '../certificates.js';
import { freePort, temporaryFolder } from '../places.js';
import { type Major, type Owner, programs, reachable, unprivileged } from './installation.js';
import { clearFormer, end, isReady } from './postmaster.js';
import { copyOfTemplate } from './templates.js';

export interface PostgresOptions {
  readonly major: Major;
  /** Keeps its data here; without it the server lives in a temporary folder and trades safety for speed. */
  readonly folder?: string;
  readonly port?: number;
  /** How clients prove themselves over TCP; over the local socket they need not. */
  readonly auth?: 'trust' | 'scram-sha-256' | 'md5' | 'password';
  /** Certificate and key in PEM, or true for some of its own: the server then speaks TLS. */
  readonly tls?: true | { readonly certificate: string; readonly key: string };
  readonly settings?: Readonly<Record<string, string>>;
}

export interface PostgresServer {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly major: number;
  readonly folder: string;
  readonly pid: number;
  /** The data folder was made by this start. */
  readonly fresh: boolean;
  /** PEM of the authority, when the server made its own certificate. */
  readonly ca?: string;
  stop(): Promise<void>;
}

export const SUPERUSER = 'postgres';
export const SUPERUSER_PASSWORD = 'postgres-test';

/** How long a start may take, recovery of a large journal included. */
const START = 60_000;

/**
 * Starts a real PostgreSQL on a loopback port. Rejects with what the server wrote when it does not come up. Data in a
 * `folder` survives whatever happened to an earlier server there.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const owner = unprivileged();
  const bin = programs(options.major, owner);
  const temporary = options.folder === undefined ? temporaryFolder('postgres') : undefined;
  const folder = resolve(options.folder ?? temporary?.path ?? '');
  const data = join(folder, 'data');
  try {
    mkdirSync(folder, { recursive: true });
    give(folder, owner);
    if (owner && !reachable(join(folder, '..'))) {
      throw new Error(`PostgreSQL runs as another user, who cannot get to ${folder}.`);
    }
    const fresh = !existsSync(data);
    const make = (place: string): void => initialise(bin, place, options.auth ?? 'trust', owner);
    if (fresh && temporary) copyOfTemplate([join(bin, 'initdb'), options.auth ?? 'trust'], data, make);
    else if (fresh) make(data);
    else await clearFormer(data, readStarter(folder));
    const ca = options.tls ? secure(data, options.tls, owner) : undefined;
    const { server, port } = await launch(bin, folder, options, owner);
    const release = stopAtExit(server, temporary?.remove);
    return {
      host: '127.0.0.1',
      port,
      user: SUPERUSER,
      password: SUPERUSER_PASSWORD,
      database: 'postgres',
      major: options.major,
      folder,
      pid: server.pid as number,
      fresh,
      ...(ca !== undefined && { ca }),
      stop: async () => {
        await stop(server);
        release();
        temporary?.remove();
      },
    };
  } catch (error) {
    temporary?.remove();
    throw error;
  }
}

/** Builds the data folder under another name: an initdb that is interrupted leaves nothing that looks finished. */
function initialise(bin: string, data: string, auth: string, owner: Owner | undefined): void {
  const unfinished = `${data}.unfinished`;
  const passwordFile = `${data}.password`;
  rmSync(unfinished, { recursive: true, force: true });
  writeFileSync(passwordFile, SUPERUSER_PASSWORD, { mode: 0o600 });
  give(passwordFile, owner);
  const identity = ['-U', SUPERUSER, '--pwfile', passwordFile, '--auth-host', auth, '--auth-local', 'trust'];
  const made = spawnSync(
    join(bin, 'initdb'),
    ['-D', unfinished, ...identity, '-E', 'UTF8', '--locale=C', '--no-sync'],
    {
      ...owner,
      cwd: join(data, '..'),
      encoding: 'utf8',
      env: { ...process.env, TZ: 'UTC' },
    },
  );
  rmSync(passwordFile);
  if (made.status !== 0) throw new Error(`initdb failed: ${made.stderr || made.error?.message}`);
  renameSync(unfinished, data);
}

/** Starts the server; again when somebody took the port meanwhile, or sessions of a killed server are not gone yet. */
async function launch(
  bin: string,
  folder: string,
  options: PostgresOptions,
  owner: Owner | undefined,
): Promise<{ server: ChildProcess; port: number }> {
  const data = join(folder, 'data');
  const log = join(folder, 'server.log');
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    configure(data, folder, port, options, owner);
    const output = openSync(log, 'w');
    // In a process group of its own: Ctrl+C in a terminal is for whoever started it, who then calls stop().
    const server = spawn(join(bin, 'postgres'), ['-D', data], {
      ...owner,
      cwd: data,
      detached: true,
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    server.once('error', ({ message }) => writeFileSync(log, message));
    writeFileSync(join(folder, STARTER), String(process.pid));
    const deadline = Date.now() + START;
    while (isRunning(server) && Date.now() < deadline) {
      if (isReady(data, server.pid)) return { server, port };
      await sleep(20);
    }
    const said = readFileSync(log, 'utf8').slice(-4000);
    if (isRunning(server)) await stop(server);
    else if (attempt < 5 && /Address already in use|still in use/.test(said)) {
      await sleep(attempt * 200);
      continue;
    }
    throw new Error(`PostgreSQL ${options.major} does not start:\n${said}`);
  }
}

function configure(
  data: string,
  folder: string,
  port: number,
  options: PostgresOptions,
  owner: Owner | undefined,
): void {
  const temporary = options.folder === undefined;
  const settings: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    // A socket's path has at most 107 bytes (unix(7)); without one TCP is left.
    unix_socket_directories: folder.length < 80 ? folder : '',
    max_connections: '200',
    timezone: 'UTC',
    log_timezone: 'UTC',
    ...(temporary && { fsync: 'off', full_page_writes: 'off' }),
    ...(options.auth === 'md5' && { password_encryption: 'md5' }),
    ...(options.tls && { ssl: 'on' }),
    ...options.settings,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`);
  const access = `local all all trust\nhost all all 127.0.0.1/32 ${options.auth ?? 'trust'}\n`;
  write(join(data, 'postgresql.auto.conf'), lines.join(''), owner);
  write(join(data, 'pg_hba.conf'), access, owner);
}

function secure(data: string, tls: NonNullable<PostgresOptions['tls']>, owner: Owner | undefined): string | undefined {
  const made = tls === true ? makeCertificates() : undefined;
  const { certificate, key } = tls === true ? (made as { certificate: string; key: string }) : tls;
  write(join(data, 'server.crt'), certificate, owner);
  write(join(data, 'server.key'), key, owner);
  made?.remove();
  return made?.ca;
}

/** Who started the server of this folder, which tells one in use from one left behind. */
const STARTER = 'starter.pid';

function readStarter(folder: string): number {
  try {
    return Number(readFileSync(join(folder, STARTER), 'utf8'));
  } catch {
    return 0;
  }
}

const isRunning = (server: ChildProcess): boolean => server.exitCode === null && server.signalCode === null;

async function stop(server: ChildProcess): Promise<void> {
  if (!isRunning(server) || server.pid === undefined) return;
  const exited = new Promise<void>((done) => server.once('exit', () => done()));
  await Promise.all([end(server.pid), exited]);
}

/** A test that fails half-way leaves no server behind. Returns what lifts this. */
function stopAtExit(server: ChildProcess, remove: (() => void) | undefined): () => void {
  const now = (): void => {
    server.kill(remove ? 'SIGQUIT' : 'SIGINT');
    remove?.();
  };
  process.once('exit', now);
  return () => process.removeListener('exit', now);
}

function give(path: string, owner: Owner | undefined): void {
  if (owner) chownSync(path, owner.uid, owner.gid);
}

function write(path: string, text: string, owner: Owner | undefined): void {
  rmSync(path, { force: true });
  writeFileSync(path, text, { mode: 0o600 });
  give(path, owner);
}
