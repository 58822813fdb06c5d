import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readBeacon } from '@sluice/cli';
import { type PostgresServer, findTool, freePort, startPostgres, temporaryFolder } from '@sluice/testkit';

/** A way to the database: what to connect to, and whose CPU time counts. */
export interface Route {
  readonly name: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  /** Process of the proxy; undefined for the direct route. */
  readonly pid: number | undefined;
  /** Process of a second proxy behind it. */
  readonly behind?: number | undefined;
}

/** Connections of the gateway to the same database that mask the columns of the table `bulk`, by name. */
export const MASKED = {
  same_length: '{ columns: [bulk.card, bulk.phone], with: { partial: { keep_last: 4 } } }',
  other_length: '{ columns: [bulk.email, bulk.note], with: redact }',
  pseudonyms: '{ columns: [bulk.email, bulk.card], with: hash }',
  detectors:
    '{ detect: [email, phone, credit_card, iban, us_ssn, jwt, private_key, api_key, connection_string, secret], with: redact }',
} as const;

export interface Setting {
  /** The gateway's data folder. */
  readonly data: string;
  readonly routes: readonly Route[];
  readonly server: PostgresServer;
  stop(): Promise<void>;
}

const ROOT = join(import.meta.dirname, '..', '..');

/**
 * PostgreSQL 15 with Sluice (everything on) and pgbouncer (session pooling) in front of it.
 *
 * @param options.upstreamPort what Sluice leads to instead, without a pgbouncer
 * @param options.against a checkout of another version that is set up, whose gateway is a route of its own ("before")
 */
export async function openSetting(options: { upstreamPort?: number; against?: string } = {}): Promise<Setting> {
  const { upstreamPort, against } = options;
  const { path, remove } = temporaryFolder('bench');
  chmodSync(path, 0o755);
  const server = await startPostgres({
    major: 15,
    settings: {
      shared_buffers: '1GB',
      jit: 'off',
      max_parallel_workers_per_gather: '0',
      synchronous_commit: 'off',
      autovacuum: 'off',
    },
  });
  const gateway = await startGateway(ROOT, join(path, 'gateway'), upstreamPort ?? server.port);
  const before = against === undefined ? undefined : await startGateway(against, join(path, 'before'), server.port);
  const bouncer = upstreamPort === undefined ? await startBouncer(join(path, 'bouncer'), server.port) : undefined;
  const base = { user: server.user, password: server.password, database: 'postgres' };
  return {
    server,
    data: join(path, 'gateway', 'data'),
    routes: [
      { name: 'direct', port: server.port, pid: undefined, ...base },
      routeOf('sluice', gateway),
      ...(before ? [routeOf('before', before)] : []),
      ...(bouncer ? [{ name: 'pgbouncer', port: bouncer.port, pid: bouncer.child.pid, ...base }] : []),
    ],
    stop: async () => {
      await Promise.all([gateway, before, bouncer].map(async (one) => one && (await end(one.child))));
      await server.stop();
      remove();
    },
  };
}

export interface RunningGateway {
  readonly child: ChildProcess;
  readonly port: number;
  readonly token: string;
}

const routeOf = (name: string, { child, port, token }: RunningGateway): Route => ({
  name,
  port,
  pid: child.pid,
  user: 'bench',
  password: token,
  database: 'target',
});

/** @param root the checkout whose build is run */
async function startGateway(root: string, folder: string, targetPort: number): Promise<RunningGateway> {
  return spawnGateway(
    folder,
    `limits: { sessions_per_principal: 5000, connections: 20000 }
connections:
  target:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${targetPort}, database: postgres, tls: disable }
    credential: { user: postgres }
    access: ["group:engineers"]
    policies: [production]
  behind:
    protocol: postgres
    via: edge
    target: { host: 127.0.0.1, port: ${targetPort}, database: postgres, tls: disable }
    credential: { user: postgres }
    access: ["group:engineers"]
    policies: [production]
${Object.keys(MASKED)
  .map(
    (name) => `  ${name}:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${targetPort}, database: postgres, tls: disable }
    credential: { user: postgres }
    access: ["group:engineers"]
    policies: [production, ${name}]
`,
  )
  .join('')}policies:
${Object.entries(MASKED)
  .map(([name, mask]) => `  ${name}: [{ rule: ${name}, mask: ${mask} }]\n`)
  .join('')}  production:
    - { rule: no-destruction, when: 'action.effects.exists(e, e == "destroy")', deny: Nothing is dropped. }
    - { rule: unfiltered-writes, when: 'action.verb in ["update", "delete"] && action.filter != "strong"', deny: Name the rows. }
`,
    { root, collects: true },
  );
}

/**
 * A gateway in a process of its own, with the principal `bench` and its token.
 *
 * @param yaml connections, policies and limits
 */
export async function spawnGateway(
  folder: string,
  yaml: string,
  { root = ROOT, protocol = 'postgres', console, tools, collects = false }: GatewayOptions = {},
): Promise<RunningGateway> {
  const [port, control] = [await freePort(), await freePort()];
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'sluice.yaml'),
    `data: data
listeners: { ${listenersOf(protocol, port)}, agents: { address: 127.0.0.1, port: 0 }${console === undefined ? '' : `, console: { port: ${console}, tls: off }`}${tools === undefined ? '' : `, http: { port: ${tools}, tls: off }`} }
control: { port: ${control} }
principals: { bench: { groups: [engineers] } }
${yaml}`,
  );
  // As users start it: the command chooses the Node and its options, and becomes it (the same pid).
  const child = spawn(join(root, 'sluice'), ['up', '--config', join(folder, 'sluice.yaml')], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, SLUICE_LOG: 'warn', ...(collects && { NODE_OPTIONS: `--import=${COLLECTOR}` }) },
  });
  const data = join(folder, 'data');
  while (!existsSync(join(data, 'gateway.json'))) {
    if (child.exitCode !== null) throw new Error('the gateway did not start');
    await sleep(50);
  }
  const beacon = readBeacon(data);
  const { ApiClient } = await import('@sluice/cli');
  const { token } = await ApiClient.find({ data }).post<{ token: string }>('/v1/tokens', {
    principal: 'bench',
    name: 'bench',
  });
  if (!beacon) throw new Error('the gateway did not start');
  return { child, port, token };
}

type Spoken = 'postgres' | 'http' | 'mysql';

/** Loaded into a gateway that collects its garbage on SIGUSR2. */
const COLLECTOR = new URL('collector.js', import.meta.url).href;

interface GatewayOptions {
  /** The checkout whose build is run. */
  readonly root?: string;
  /** Of the listener at `port`. */
  readonly protocol?: Spoken;
  /** The port of the console; absent: there is none. */
  readonly console?: number;
  /** The port of a listener for HTTP besides; absent: there is none. */
  readonly tools?: number;
  /** It collects its garbage on SIGUSR2, and gives its memory back. */
  readonly collects?: boolean;
}

/** The listener of PostgreSQL is always there. */
function listenersOf(protocol: Spoken, port: number): string {
  if (protocol === 'postgres') return `postgres: { address: 127.0.0.1, port: ${port}, tls: self-signed }`;
  const own = { http: ', require_tls: false', mysql: '' }[protocol];
  return `postgres: { address: 127.0.0.1, port: 0 }, ${protocol}: { address: 127.0.0.1, port: ${port}, tls: self-signed${own} }`;
}

/** pgbouncer with session pooling, in front of what listens on a port. */
export async function startBouncer(folder: string, targetPort: number): Promise<{ child: ChildProcess; port: number }> {
  const program = findTool('pgbouncer');
  if (!program) throw new Error('pgbouncer is not installed');
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'pgbouncer.ini'),
    `[databases]
* = host=127.0.0.1 port=${targetPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = session
max_client_conn = 2000
default_pool_size = 150
ignore_startup_parameters = extra_float_digits
logfile = /dev/null
log_connections = 0
log_disconnections = 0
`.replace('* = host', '* = user=postgres host'),
  );
  chmodSync(folder, 0o755);
  const child = spawn(
    program,
    [...(process.getuid?.() === 0 ? ['-u', 'postgres'] : []), '-q', join(folder, 'pgbouncer.ini')],
    { stdio: 'ignore' },
  );
  await accepting(port);
  return { child, port };
}

export async function accepting(port: number): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const socket = connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false));
    const ok = await promise;
    socket.destroy();
    if (ok) return;
    await sleep(50);
  }
  throw new Error(`nothing answers on port ${port}`);
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await gone;
}
