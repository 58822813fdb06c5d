/**
 * What people who have proven nothing cost: ten attackers from ten addresses, paced, beside the same attackers against a stub that
 * accepts and closes. Lives here: the run and the table. Does not: an attacker (`strangers-attacker.ts`).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiClient } from '@sluice/cli';
import { type PostgresServer, freePort, startPostgres, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { cpuOf, machine, memoryOf } from './measure.js';
import { end } from './setting.js';

const ROOT = join(import.meta.dirname, '..', '..');
const ATTACKERS = 10;
const PER_SECOND = 500;
const KINDS = {
  none: 'nobody attacks',
  names: 'names of 8,500 control characters, wrong password',
  tls: 'TLS, wrong password',
  ssh: 'SSH key exchange, wrong password',
  silent: 'silent sockets',
} as const;
type Kind = keyof typeof KINDS;
/** How often somebody who is logged in asks something, and somebody logs in, in milliseconds. */
const QUERY_EVERY = 50;
const LOGIN_EVERY = 250;

interface Delay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** A process that is attacked. */
interface Victim {
  readonly child: ChildProcess;
  port(kind: Kind): number;
  written(): { readonly journal: number; readonly log: number };
}

interface Row {
  readonly attempts: number;
  readonly delay: Delay;
  readonly cpu: number;
  readonly memory: number;
  readonly journal: number;
  readonly log: number;
}

interface Users {
  readonly queries: readonly number[];
  readonly logins: readonly number[];
  readonly failed: number;
}

export async function benchStrangers({ seconds }: { seconds: number }): Promise<string> {
  const length = Math.max(10, seconds);
  const server = await startPostgres({ major: 15 });
  const { path, remove } = temporaryFolder('strangers');
  const gateway = await startGateway(path, server);
  const stub = await startStub();
  try {
    const lines: string[] = [];
    for (const kind of Object.keys(KINDS) as Kind[]) {
      const beside = await measured(stub, kind, length);
      const users = startUsers(gateway);
      const row = await measured(gateway, kind, length);
      const { queries, logins, failed } = await users.stop();
      lines.push(tableRow(KINDS[kind], 'stub', beside, ''));
      const used = `${figure(at(queries, 0.5))} / ${figure(at(queries, 0.99))} | ${logins.length} of ${logins.length + failed}, ${figure(at(logins, 0.5))} / ${figure(at(logins, 0.99))}`;
      lines.push(tableRow(KINDS[kind], 'sluice', row, used));
      // Sums are written and sockets given up before the next attack.
      await sleep(12_000);
    }
    const text = `# Strangers, beside a stub that accepts and closes

\`pnpm bench strangers\` on ${new Date().toISOString().slice(0, 10)}; ${machine()}; ${ATTACKERS} attackers from 127.0.0.2 to .11, ${PER_SECOND} attempts a second in all for ${length} s of each kind, the same against both. The attackers share the machine, and others use it: what is high for the stub as well is theirs.

Event-loop delay in ms (a sample each 1 ms, so 1 is none); CPU in % of one core; memory is what the process grew by. One user asks \`select 1\` every ${QUERY_EVERY} ms, and somebody logs in with a good token every ${LOGIN_EVERY} ms: median and 99th percentile in ms.

| attack | against | attempts/s | loop p50 | p99 | max | CPU % | memory MB | journal kB/s | log kB/s | query ms | good logins, ms |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
${lines.join('\n')}
`;
    mkdirSync(join(import.meta.dirname, '..', 'results'), { recursive: true });
    writeFileSync(join(import.meta.dirname, '..', 'results', 'strangers.md'), text);
    return text;
  } finally {
    await Promise.all([end(gateway.child), end(stub.child)]);
    await server.stop();
    remove();
  }
}

const figure = (value: number): string => (Number.isFinite(value) ? value.toFixed(1) : '-');
const tableRow = (attack: string, against: string, row: Row, users: string): string =>
  `| ${[attack, against, row.attempts.toFixed(0), figure(row.delay.p50), figure(row.delay.p99), figure(row.delay.max), row.cpu.toFixed(0), (row.memory / 1e6).toFixed(0), (row.journal / 1e3).toFixed(1), (row.log / 1e3).toFixed(1), users || '- | -'].join(' | ')} |`;

function at(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN;
}

/** One attack on one process. */
async function measured(victim: Victim, kind: Kind, seconds: number): Promise<Row> {
  const pid = victim.child.pid as number;
  await delayOf(victim);
  const before = { cpu: cpuOf(pid), memory: memoryOf(pid), ...victim.written() };
  const started = performance.now();
  const made = await (kind === 'none' ? sleep(seconds * 1_000, 0) : attack(victim.port(kind), kind, seconds));
  const elapsed = (performance.now() - started) / 1_000;
  const after = victim.written();
  return {
    attempts: made / elapsed,
    delay: await delayOf(victim),
    cpu: (cpuOf(pid) - before.cpu) / 1e4 / elapsed,
    memory: memoryOf(pid) - before.memory,
    journal: (after.journal - before.journal) / elapsed,
    log: (after.log - before.log) / elapsed,
  };
}

/** Runs all attackers. Resolves with how many attempts they made. */
async function attack(port: number, kind: Kind, seconds: number): Promise<number> {
  const made = Array.from({ length: ATTACKERS }, async (_, n) => {
    const words = [kind, String(port), `127.0.0.${2 + n}`, String(PER_SECOND / ATTACKERS), String(seconds)];
    const child = spawn(process.execPath, [join(import.meta.dirname, 'strangers-attacker.js'), ...words], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await once(child, 'close');
    return Number(said);
  });
  return (await Promise.all(made)).reduce((sum, one) => sum + one, 0);
}

/** Since it was last asked. */
async function delayOf({ child }: Victim): Promise<Delay> {
  const channel = child.stdio[3] as Readable;
  const said = once(channel, 'data') as Promise<[Buffer]>;
  child.kill('SIGUSR2');
  const [line] = await said;
  const delay: Delay = JSON.parse(line.toString()) as Delay;
  return delay;
}

const PRELOAD = ['--import', join(import.meta.dirname, 'loop-delay.js')];

async function startStub(): Promise<Victim> {
  const child = spawn(process.execPath, [...PRELOAD, join(import.meta.dirname, 'strangers-stub.js')], {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
  });
  const [line] = (await once(child.stdout as Readable, 'data')) as [Buffer];
  return { child, port: () => Number(line.toString()), written: () => ({ journal: 0, log: 0 }) };
}

interface GatewayVictim extends Victim {
  readonly token: string;
}

async function startGateway(folder: string, server: PostgresServer): Promise<GatewayVictim> {
  const [postgres, ssh, control] = [await freePort(), await freePort(), await freePort()];
  const data = join(folder, 'data');
  writeFileSync(
    join(folder, 'sluice.yaml'),
    `data: data
listeners: { postgres: { port: ${postgres} }, ssh: { port: ${ssh} } }
control: { port: ${control} }
principals: { bench: {} }
connections:
  bench:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${server.port}, database: postgres, tls: disable }
    credential: { user: ${server.user}, password: ${server.password} }
    access: ["bench"]
`,
  );
  const words = [...PRELOAD, join(ROOT, 'gateway', 'dist', 'main.js'), 'up', '--config', join(folder, 'sluice.yaml')];
  const child = spawn(process.execPath, words, {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    env: { ...process.env, SLUICE_LOG: 'info' },
  });
  let log = 0;
  child.stderr?.on('data', (chunk: Buffer) => (log += chunk.length));
  while (!existsSync(join(data, 'gateway.json'))) {
    if (child.exitCode !== null) throw new Error('the gateway did not start');
    await sleep(50);
  }
  const { token } = await ApiClient.find({ data }).post<{ token: string }>('/v1/tokens', { principal: 'bench' });
  const journal = join(data, 'journal');
  return {
    child,
    token,
    port: (kind) => (kind === 'ssh' ? ssh : postgres),
    written: () => ({
      journal: readdirSync(journal).reduce((sum, file) => sum + statSync(join(journal, file)).size, 0),
      log,
    }),
  };
}

/** Somebody who is logged in, and somebody who logs in again and again, from an address of their own. */
function startUsers(gateway: GatewayVictim): { stop(): Promise<Users> } {
  const stopping = new AbortController();
  const connected = async (): Promise<pg.Client> => {
    const where = { host: '127.0.0.1', port: gateway.port('none'), user: 'bench', database: 'bench' };
    const client = new pg.Client({ ...where, password: gateway.token, ssl: { rejectUnauthorized: false } });
    client.on('error', () => undefined);
    await client.connect();
    return client;
  };
  const every = async (time: number, act: () => Promise<void>): Promise<void> => {
    while (!stopping.signal.aborted) {
      await act();
      await sleep(time, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  const [queries, logins]: [number[], number[]] = [[], []];
  let failed = 0;
  const timed = async (into: number[], act: () => Promise<void>): Promise<void> => {
    const started = performance.now();
    try {
      await act();
      into.push(performance.now() - started);
    } catch {
      failed++;
    }
  };
  const asking = connected().then(async (client) => {
    await every(QUERY_EVERY, () => timed(queries, async () => void (await client.query('select 1'))));
    await client.end();
  });
  const joining = every(LOGIN_EVERY, () =>
    timed(logins, async () => {
      const client = await connected();
      await client.end();
    }),
  );
  return {
    stop: async () => {
      stopping.abort();
      await Promise.all([asking, joining]);
      return { queries, logins, failed };
    },
  };
}
