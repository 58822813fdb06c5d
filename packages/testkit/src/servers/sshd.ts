import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, temporaryFolder } from '../places.js';

export interface SshdOptions {
  /** Keeps its keys and home here; without it the server lives in a temporary folder. */
  readonly folder?: string;
  readonly port?: number;
  /** Authorities whose user certificates it accepts, as lines of public keys. */
  readonly userCa?: string;
  /** As root, what is run has the rights of nobody: for machines that others log in to. */
  readonly unprivileged?: boolean;
  /** Commands run as an account has them, with its own home: sshd passes signals to no others, and none to root's. */
  readonly account?: string;
  /** Further lines of sshd_config. */
  readonly settings?: readonly string[];
}

export interface SshdServer {
  readonly host: string;
  readonly port: number;
  /** Who started it: an sshd without privileges lets nobody else in. */
  readonly user: string;
  readonly folder: string;
  /** A throw-away home, which commands start in. */
  readonly home: string;
  /** Line of the public host key. */
  readonly hostKey: string;
  /** File of the private key that it accepts. */
  readonly keyFile: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const SSHD = '/usr/sbin/sshd';
const START = 20_000;
/** Debian's nobody and nogroup; setpriv is part of util-linux, which is always there. */
const NOBODY = 65534;
const AS_NOBODY = `setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups --no-new-privs --inh-caps=-all`;

/** An account that is not root's and has a shell: one's own, or the one of Debian's PostgreSQL. */
export function ordinaryAccount(): string | undefined {
  const own = userInfo();
  if (own.uid !== 0) return own.username;
  return /^postgres:.*\/bash$/m.test(readFileSync('/etc/passwd', 'utf8')) ? 'postgres' : undefined;
}

/** Why no server can be started here; undefined when one can. */
export function missingSshd(): string | undefined {
  if (!existsSync(SSHD)) return 'OpenSSH server is not installed (Debian package openssh-server)';
  if (spawnSync('ssh-keygen', ['-?']).error) return 'ssh-keygen is not installed (Debian package openssh-client)';
  return undefined;
}

/** Starts a real OpenSSH server on a loopback port, without any privileges of its own. Rejects with what it wrote. */
export async function startSshd(options: SshdOptions = {}): Promise<SshdServer> {
  const missing = missingSshd();
  if (missing !== undefined) throw new Error(missing);
  const temporary = options.folder === undefined ? temporaryFolder('sshd') : undefined;
  const folder = options.folder ?? (temporary as { path: string }).path;
  const home = join(folder, 'home');
  mkdirSync(home, { recursive: true });
  // As root sshd insists on this folder for its unprivileged half.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  for (const name of ['host_key', 'client_key']) makeKey(join(folder, name));
  const port = options.port ?? (await freePort());
  const config = configure(folder, home, port, options);
  const server = spawn(SSHD, ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let said = '';
  server.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4000);
  });
  const kill = (): void => void server.kill('SIGTERM');
  process.once('exit', kill);
  try {
    await answering(server, port, () => said);
  } catch (error) {
    kill();
    temporary?.remove();
    throw error;
  }
  return {
    host: '127.0.0.1',
    port,
    user: options.account ?? userInfo().username,
    folder,
    home,
    hostKey: readFileSync(join(folder, 'host_key.pub'), 'utf8').split(' ').slice(0, 2).join(' ').trim(),
    keyFile: join(folder, 'client_key'),
    pid: server.pid as number,
    stop: async () => {
      process.removeListener('exit', kill);
      if (server.exitCode === null && server.signalCode === null) {
        const exited = new Promise<void>((done) => server.once('exit', () => done()));
        kill();
        await exited;
      }
      temporary?.remove();
    },
  };
}

/** Makes an Ed25519 key pair by `ssh-keygen`, unless it is there. */
export function makeKey(file: string, ...more: readonly string[]): void {
  if (existsSync(file)) return;
  const made = spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', ...more, '-f', file], {
    encoding: 'utf8',
  });
  if (made.status !== 0) throw new Error(`ssh-keygen failed: ${made.stderr || made.error?.message}`);
}

function configure(folder: string, home: string, port: number, options: SshdOptions): string {
  const authority = join(folder, 'user_ca.pub');
  if (options.userCa !== undefined) writeFileSync(authority, `${options.userCa}\n`);
  // sshd reads its keys with the rights of the account.
  if (options.account !== undefined) chmodSync(folder, 0o711);
  writeFileSync(join(folder, 'authorized_keys'), readFileSync(join(folder, 'client_key.pub')));
  const dropped = options.unprivileged && process.getuid?.() === 0 ? `${AS_NOBODY} ` : '';
  if (dropped !== '') chownSync(home, NOBODY, NOBODY);
  // The account's own home stays out of it. `exec` leaves statuses and signals as they are.
  const enter = join(folder, 'enter');
  writeFileSync(
    enter,
    `#!/bin/sh
HOME='${home}' HISTFILE=/dev/null${dropped === '' ? '' : ' USER=nobody LOGNAME=nobody PATH=/usr/local/bin:/usr/bin:/bin'}
export HOME HISTFILE${dropped === '' ? '' : ' USER LOGNAME PATH'}
cd "$HOME" || exit 1
if [ -n "$SSH_ORIGINAL_COMMAND" ]; then exec ${dropped}/bin/bash -c "$SSH_ORIGINAL_COMMAND"; fi
PS1='vm$ '
export PS1
exec ${dropped}/bin/bash --norc --noprofile -i
`,
  );
  chmodSync(enter, 0o755);
  const lines = [
    'ListenAddress 127.0.0.1',
    `Port ${port}`,
    `HostKey "${join(folder, 'host_key')}"`,
    `AuthorizedKeysFile "${join(folder, 'authorized_keys')}"`,
    ...(options.userCa === undefined ? [] : [`TrustedUserCAKeys "${authority}"`]),
    ...(options.account === undefined ? [`ForceCommand '${enter}'`] : []),
    'Subsystem sftp /usr/lib/openssh/sftp-server',
    'PidFile none',
    // Without PAM an account that has no password is refused as a locked one.
    `UsePAM ${options.account !== undefined && process.getuid?.() === 0 ? 'yes' : 'no'}`,
    'StrictModes no',
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'UseDNS no',
    'PrintMotd no',
    'PrintLastLog no',
    'AcceptEnv LANG LC_* SLUICE_*',
    'MaxSessions 200',
    'MaxStartups 200:30:300',
    ...(options.settings ?? []),
  ];
  const file = join(folder, 'sshd_config');
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

async function answering(server: ChildProcess, port: number, said: () => string): Promise<void> {
  const deadline = Date.now() + START;
  while (Date.now() < deadline && server.exitCode === null && server.pid !== undefined) {
    if (await greets(port)) return;
    await sleep(20);
  }
  throw new Error(`sshd does not start:\n${said()}`);
}

function greets(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, '127.0.0.1');
  socket.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1').startsWith('SSH-2.0')));
  socket.once('error', () => resolve(false));
  socket.once('close', () => resolve(false));
  return promise.finally(() => socket.destroy());
}
