import { type SpawnOptionsWithoutStdio, spawn } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SshdServer, makeKey, startSshd, temporaryFolder } from '@sluice/testkit';
import type { Logger } from 'pino';
import { readConfiguration } from '../src/configuration.js';
import { Gateway } from '../src/gateway.js';
import { operatorLog } from '@sluice/audit';

/** A gateway for SSH in front of a real sshd. */
export interface SshStand {
  readonly gateway: Gateway;
  readonly sshd: SshdServer;
  readonly folder: string;
  readonly port: number;
  /** Token of the principal `dev`. */
  readonly token: string;
  /** Options of ssh, scp, sftp for the gateway, `-p` or `-P` left out. */
  readonly options: readonly string[];
  /** `ssh vm@gateway`, with these further words. */
  ssh(words: readonly string[], run?: Run): Promise<Ran>;
  stop(): Promise<void>;
}

export interface Run {
  readonly input?: string | Buffer;
  readonly user?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
}

export interface Ran {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a program to its end. */
export function run(program: string, words: readonly string[], { input, ...options }: Run = {}): Promise<Ran> {
  const { promise, resolve, reject } = Promise.withResolvers<Ran>();
  const spawning: SpawnOptionsWithoutStdio = { env: { ...process.env, ...options.env }, stdio: 'pipe' };
  const child = spawn(program, words, options.cwd === undefined ? spawning : { ...spawning, cwd: options.cwd });
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.on('error', () => undefined);
  child.once('error', reject);
  child.once('close', (status, signal) => resolve({ status, signal, stdout: Buffer.concat(stdout), stderr }));
  child.stdin.end(input ?? '');
  return promise;
}

export interface SshStandOptions {
  readonly rules?: string;
  readonly limits?: string;
  readonly shell?: string;
  readonly credential?: (sshd: SshdServer) => string;
  readonly hostKeys?: (sshd: SshdServer) => string;
  readonly target?: { readonly host: string; readonly port: number };
  readonly userCa?: string;
  /** More keys of the connection. */
  readonly connection?: string;
  /** The name of the agent that dials the target. */
  readonly via?: string;
  readonly sshd?: Parameters<typeof startSshd>[0];
  readonly log?: Logger;
}

/** Lets everything pass but what destroys, which the words of the test decide. */
const SSH_RULES = `
    - { rule: no-destruction, when: 'command.text.contains("DESTROY")', deny: Nothing is destroyed through the gateway. }
    - { rule: two-eyes, when: 'command.text.contains("HOLD")', hold: { approvers: ["user:ada"], timeout: 1m } }
    - { rule: programs, when: '!action.verb.startsWith("forward:") && !action.verb.startsWith("subsystem:")', allow: true }
`;

export async function openSshStand(options: SshStandOptions = {}): Promise<SshStand> {
  const { path: folder, remove } = temporaryFolder('ssh');
  chmodSync(folder, 0o700);
  const sshd = await startSshd(options.sshd);
  const key = join(folder, 'id_dev');
  makeKey(key);
  const file = join(folder, 'sluice.yaml');
  const { host, port } = options.target ?? sshd;
  const credential =
    options.credential ?? (({ keyFile, user }) => `{ user: ${user}, private_key: "\${file:${keyFile}}" }`);
  const hostKeys = options.hostKeys ?? (({ hostKey }) => `{ keys: ["${hostKey}"] }`);
  writeFileSync(
    file,
    `data: data
listeners: { postgres: { port: 0 }, ssh: { port: 0 }${options.via === undefined ? '' : ', agents: { port: 0 }'} }
control: { port: 0 }
limits: ${options.limits ?? '{}'}
principals:
  dev: { groups: [engineers], ssh_keys: ["${readFileSync(`${key}.pub`, 'utf8').trim()}"] }
  robot: { kind: agent, groups: [robots] }
  ada: { groups: [engineers], roles: [user, approver] }
ssh_user_ca: [${options.userCa === undefined ? '' : `"${options.userCa}"`}]
connections:
  vm:
    protocol: ssh
    target: { host: ${host}, port: ${port}, host_keys: ${hostKeys(sshd)} }
    credential: ${credential(sshd)}
    accounts: [deploy]
    shell: ${options.shell ?? 'bash'}${options.via === undefined ? '' : `\n    via: ${options.via}`}
    access: ["group:engineers"]${options.connection === undefined ? '' : `\n    ${options.connection}`}
    policies: [machines]
policies:
  machines:${options.rules ?? SSH_RULES}`,
  );
  const gateway = await Gateway.start(
    readConfiguration(file).config,
    options.log ?? operatorLog(true, process.env['SLUICE_LOG'] ?? 'silent'),
  );
  const { token } = await gateway.identity.createToken({ principal: 'dev', name: 'test' });
  const address = gateway.addresses.get('ssh') ?? '';
  const own = address.slice(address.lastIndexOf(':') + 1);
  const known = join(folder, 'known_hosts');
  writeFileSync(known, `[127.0.0.1]:${own} ${gateway.sshKeys.hostKeyLine}\n`);
  const settings = ['IdentitiesOnly=yes', 'BatchMode=yes', `UserKnownHostsFile=${known}`, 'StrictHostKeyChecking=yes'];
  const clientOptions = [
    '-F',
    '/dev/null',
    '-i',
    key,
    ...[...settings, 'LogLevel=INFO'].flatMap((setting) => ['-o', setting]),
  ];
  return {
    gateway,
    sshd,
    folder,
    port: Number(own),
    token,
    options: clientOptions,
    ssh: (words, more = {}) =>
      run('/usr/bin/ssh', [...clientOptions, '-p', own, `${more.user ?? 'vm'}@127.0.0.1`, ...words], more),
    stop: async () => {
      await gateway.stop();
      await sshd.stop();
      remove();
    },
  };
}

/** Waits for something that becomes true by itself. */
export async function until<T>(
  look: () => Promise<T | undefined | false> | T | undefined | false,
  what: string,
): Promise<T> {
  for (let i = 0; i < 800; i++) {
    const found = await look();
    if (found) return found;
    await sleep(25);
  }
  throw new Error(`waited in vain for ${what}`);
}
