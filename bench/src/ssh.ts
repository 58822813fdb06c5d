import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type SshdServer, findTool, freePort, makeKey, startSshd, temporaryFolder } from '@sluice/testkit';
import { nativeCiphers } from '@sluice/ssh';
import ssh2 from 'ssh2';
import { cpuOf, machine, median, shuffled, spread } from './measure.js';
import { end } from './setting.js';

const ROOT = join(import.meta.dirname, '..', '..');
const BULK = 300_000_000;
const KEYS = 300;
const LOGINS = 40;
const PARALLEL = 8;
const CIPHERS = ['aes128-gcm@openssh.com', 'chacha20-poly1305@openssh.com'] as const;

/** A way to the machine. */
interface Way {
  readonly name: string;
  readonly port: number;
  readonly user: string;
  readonly key: string;
  /** Whose CPU counts. */
  readonly pid: number | undefined;
}

/** Bulk, keystrokes and logins: direct, by a plain pass-through on ssh2, and through the gateway with everything on. */
export async function benchSsh({ rounds }: { rounds: number }): Promise<string> {
  const { path, remove } = temporaryFolder('bench-ssh');
  const sshd = await startSshd();
  const peer = await startPeer(sshd);
  const gateway = await startSshGateway(path, sshd);
  const direct: Way = { name: 'direct', port: sshd.port, user: sshd.user, key: sshd.keyFile, pid: undefined };
  const ways: Way[] = [
    direct,
    { ...direct, name: 'ssh2 pass-through', port: peer.port, pid: peer.child.pid },
    { name: 'sluice', port: gateway.port, user: 'vm', key: gateway.key, pid: gateway.child.pid },
  ];
  const figures = new Map<string, number[]>();
  const add = (what: string, value: number): void => void figures.set(what, [...(figures.get(what) ?? []), value]);
  try {
    for (let round = 0; round < rounds; round++) {
      for (const cipher of CIPHERS) for (const way of shuffled(ways)) await bulk(way, cipher, add);
      for (const way of shuffled(ways)) add(`${way.name} key`, await keystroke(way));
      for (const way of shuffled(ways)) await logins(way, add);
    }
  } finally {
    await Promise.all([end(peer.child), end(gateway.child)]);
    await sshd.stop();
    remove();
  }
  return report(ways, figures, rounds);
}

const options = ({ port, user, key }: Way): string[] => {
  const settings = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'IdentitiesOnly=yes'];
  const fixed = [...settings, 'KexAlgorithms=curve25519-sha256', 'BatchMode=yes'].flatMap((one) => ['-o', one]);
  return ['-F', '/dev/null', '-i', key, ...fixed, '-p', String(port), `${user}@127.0.0.1`];
};

/** From the first byte to the last, so that the login is not part of it. */
async function bulk(way: Way, cipher: string, add: (what: string, value: number) => void): Promise<void> {
  const command = `head -c ${BULK} /dev/zero`;
  const child = spawn(findTool('ssh') ?? 'ssh', ['-c', cipher, ...options(way), command], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let bytes = 0;
  let started = 0;
  let before = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    if (bytes === 0) {
      started = performance.now();
      before = way.pid === undefined ? 0 : cpuOf(way.pid);
    }
    bytes += chunk.length;
  });
  await once(child, 'close');
  if (bytes !== BULK) throw new Error(`${way.name}: ${bytes} bytes came of ${BULK}`);
  add(`${way.name} ${cipher} speed`, BULK / 1e6 / ((performance.now() - started) / 1000));
  if (way.pid !== undefined) add(`${way.name} ${cipher} cpu`, (cpuOf(way.pid) - before) / 1000 / (BULK / 1e9));
}

/** The time from a byte that is typed to its echo by `cat`, in microseconds. */
async function keystroke({ port, user, key }: Way): Promise<number> {
  const client = new ssh2.Client();
  const ready = once(client, 'ready');
  client.connect({ host: '127.0.0.1', port, username: user, privateKey: readFileSync(key) });
  await ready;
  client.setNoDelay(true);
  const channel = await new Promise<ssh2.ClientChannel>((resolve, reject) =>
    client.exec('cat', (error, opened) => (error ? reject(error) : resolve(opened))),
  );
  const times: number[] = [];
  for (let i = 0; i < KEYS; i++) {
    const started = performance.now();
    channel.write('x');
    await once(channel, 'data');
    times.push((performance.now() - started) * 1000);
  }
  client.end();
  return median(times);
}

/** Connections with a command that does nothing, by real clients. */
async function logins(way: Way, add: (what: string, value: number) => void): Promise<void> {
  const before = way.pid === undefined ? 0 : cpuOf(way.pid);
  const started = performance.now();
  let left = LOGINS;
  const client = async (): Promise<void> => {
    while (left-- > 0) {
      const [status] = (await once(spawn('ssh', [...options(way), 'true'], { stdio: 'ignore' }), 'exit')) as [number];
      if (status !== 0) throw new Error(`${way.name}: a login failed`);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, client));
  add(`${way.name} logins`, LOGINS / ((performance.now() - started) / 1000));
  if (way.pid !== undefined) add(`${way.name} login cpu`, (cpuOf(way.pid) - before) / 1000 / LOGINS);
}

async function startPeer(sshd: SshdServer): Promise<{ child: ChildProcess; port: number }> {
  const words = [join(import.meta.dirname, 'ssh-peer.js'), String(sshd.port), sshd.keyFile, sshd.user];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, port: Number(line.toString()) };
}

/** @param root the checkout whose build is run */
export async function startSshGateway(
  folder: string,
  sshd: SshdServer,
  root = ROOT,
): Promise<{ child: ChildProcess; port: number; key: string }> {
  const port = await freePort();
  const key = join(folder, 'id');
  mkdirSync(folder, { recursive: true });
  makeKey(key);
  const file = join(folder, 'sluice.yaml');
  writeFileSync(
    file,
    `data: data
listeners: { postgres: { port: 0 }, ssh: { port: ${port} } }
control: { port: 0 }
principals: { bench: { groups: [engineers], ssh_keys: ["${readFileSync(`${key}.pub`, 'utf8').trim()}"] } }
connections:
  vm:
    protocol: ssh
    target: { host: 127.0.0.1, port: ${sshd.port}, host_keys: { keys: ["${sshd.hostKey}"] } }
    credential: { user: ${sshd.user}, private_key: "\${file:${sshd.keyFile}}" }
    shell: bash
    access: ["group:engineers"]
    policies: [machines]
policies:
  machines:
    - { rule: no-destruction, when: '"destroy" in action.effects', deny: Nothing is destroyed. }
    - { rule: programs, allow: true }
`,
  );
  const child = spawn(join(root, 'sluice'), ['up', '--config', file], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SLUICE_LOG: 'warn' },
  });
  while (!existsSync(join(folder, 'data', 'gateway.json'))) {
    if (child.exitCode !== null) throw new Error('the gateway did not start');
    await sleep(50);
  }
  return { child, port, key };
}

function report(ways: readonly Way[], figures: ReadonlyMap<string, number[]>, rounds: number): string {
  const of = (what: string, digits = 0): string => {
    const values = figures.get(what);
    if (!values) return '';
    const [low, high] = spread(values);
    return `${median(values).toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`;
  };
  const times = (what: string, base: string): string => {
    const [a, b] = [figures.get(what), figures.get(base)];
    return a && b ? (median(a) / median(b)).toFixed(2) : '';
  };
  const rows = CIPHERS.flatMap((cipher) =>
    ways.map(
      ({ name }) =>
        `| ${cipher} | ${name} | ${of(`${name} ${cipher} speed`)} | ${times(`${name} ${cipher} speed`, `direct ${cipher} speed`)} | ${of(`${name} ${cipher} cpu`)} | ${times(`${name} ${cipher} cpu`, `ssh2 pass-through ${cipher} cpu`)} |`,
    ),
  );
  const small = ways.map(
    ({ name }) => `| ${name} | ${of(`${name} key`)} | ${of(`${name} logins`, 1)} | ${of(`${name} login cpu`, 1)} |`,
  );
  return `# SSH, beside a direct connection and a plain pass-through

\`pnpm bench ssh\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; OpenSSH's client and server on loopback, ${rounds} rounds, order random in each. Medians; in brackets the middle half. ssh2's native ciphers are ${nativeCiphers ? '' : 'not '}built. The machine is shared: trust the ratios.

The pass-through is ssh2's Server and Client joined by \`pipe\` (bench/src/ssh-peer.ts): no rules, no record, no masks.

## ${BULK / 1e6} MB of output

| cipher | way | MB/s | of direct | CPU ms/GB of the proxy | times the pass-through |
| --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

## Keystrokes and logins

The time from a byte that is typed to its echo, over ${KEYS}; and ${LOGINS} connections with \`true\` as their command, ${PARALLEL} at a time.

| way | keystroke, µs | logins/s | CPU ms/login of the proxy |
| --- | --- | --- | --- |
${small.join('\n')}
`;
}
