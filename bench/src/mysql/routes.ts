/**
 * The ways to one MariaDB that `pnpm bench mysql` compares: direct, through Sluice with everything on, through haproxy, through a bare
 * relay of Node (relay.ts), and through MySQL Router where `SLUICE_MYSQLROUTER` names it. Owns: starting and ending them. Does not: measure (bench.ts).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type MySqlServer, findTool, freePort, startMySql, temporaryFolder } from '@sluice/testkit';
import { type Connection, createConnection } from 'mysql2/promise';
import { type Route, type RunningGateway, accepting, end, spawnGateway } from '../setting.js';

/** Connections of the gateway besides `target`, and the columns of the table `bulk` that each masks. */
const MASKED = {
  masked: '{ columns: ["bulk.email", "bulk.card"], with: redact }',
} as const;
/** An account that every route's login can prove without TLS. */
const ACCOUNT = { user: 'bench', password: 'bench' };
const DATABASE = 'bench';

export interface MySqlRoutes {
  readonly routes: readonly Route[];
  /** What is not there, in words. */
  readonly missing: readonly string[];
  /** Through a gateway that has just been started, whose memory can be measured at rest (at-rest.ts). */
  another(): Promise<Route>;
  stop(): Promise<void>;
}

export async function openRoutes(): Promise<MySqlRoutes> {
  const { path, remove } = temporaryFolder('bench-mysql');
  chmodSync(path, 0o755);
  const server = await startMySql({
    flavour: 'mariadb',
    settings: ['innodb-flush-log-at-trx-commit=0', 'max-connections=2000'],
  });
  await makeAccount(server);
  const gateways: RunningGateway[] = [];
  const startGateway = async (options: { readonly collects?: boolean } = {}): Promise<RunningGateway> => {
    const folder = join(path, `gateway-${gateways.length}`);
    const gateway = await spawnGateway(folder, yamlOf(server.port), { protocol: 'mysql', ...options });
    gateways.push(gateway);
    return gateway;
  };
  const proxies = [
    await startHaproxy(join(path, 'haproxy'), server.port),
    await startRouter(join(path, 'router'), server.port),
    await startRelay(server.port),
  ];
  const through = ({ port, token, child }: RunningGateway): Pick<Route, 'port' | 'password' | 'pid' | 'database'> => ({
    port,
    password: token,
    pid: child.pid,
    database: DATABASE,
  });
  const gateway = await startGateway();
  return {
    routes: [
      { name: 'direct', port: server.port, pid: undefined, database: DATABASE, ...ACCOUNT },
      { name: 'sluice', user: 'bench%target', ...through(gateway) },
      { name: 'sluice, masked', user: 'bench%masked', ...through(gateway) },
      ...proxies.flatMap((one) =>
        typeof one === 'string'
          ? []
          : [{ name: one.name, port: one.port, pid: one.child.pid, database: DATABASE, ...ACCOUNT }],
      ),
    ],
    missing: proxies.filter((one) => typeof one === 'string'),
    another: async () => ({ name: 'sluice', user: 'bench%target', ...through(await startGateway({ collects: true })) }),
    stop: async () => {
      for (const { child } of gateways) await end(child);
      for (const one of proxies) if (typeof one !== 'string') await end(one.child);
      await server.stop();
      remove();
    },
  };
}

export const connectBy = ({ port, user, password, database }: Route): Promise<Connection> =>
  createConnection({ host: '127.0.0.1', port, user, password, database });

async function makeAccount({ host, port, user, password }: MySqlServer): Promise<void> {
  const admin = await createConnection({ host, port, user, password });
  await admin.query(`create database ${DATABASE}`);
  await admin.query(`create user ${ACCOUNT.user}@'%' identified by '${ACCOUNT.password}'`);
  await admin.query(`grant all on ${DATABASE}.* to ${ACCOUNT.user}@'%'`);
  await admin.end();
}

const yamlOf = (port: number): string => `limits: { sessions_per_principal: 5000, connections: 20000 }
connections:
${['target', ...Object.keys(MASKED)]
  .map(
    (name) => `  ${name}:
    protocol: mysql
    target: { host: 127.0.0.1, port: ${port}, database: ${DATABASE}, tls: disable }
    credential: { user: ${ACCOUNT.user}, password: ${ACCOUNT.password} }
    access: ["group:engineers"]
    policies: [production${name === 'target' ? '' : `, ${name}`}]
`,
  )
  .join('')}policies:
${Object.entries(MASKED)
  .map(([name, mask]) => `  ${name}: [{ rule: ${name}, mask: ${mask} }]\n`)
  .join('')}  production:
    - { rule: no-destruction, when: 'action.effects.exists(e, e == "destroy")', deny: Nothing is dropped. }
    - { rule: unfiltered-writes, when: 'action.verb in ["update", "delete"] && action.filter != "strong"', deny: Name the rows. }
`;

interface Proxy {
  readonly name: string;
  readonly port: number;
  readonly child: ChildProcess;
}

/** One process, as it is by TCP: it reads nothing of what passes. */
async function startHaproxy(folder: string, target: number): Promise<Proxy | string> {
  const program = findTool('haproxy');
  if (program === undefined) return 'haproxy is not installed';
  const port = await freePort();
  const file = configured(
    folder,
    'haproxy.cfg',
    `global
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen mysql
  bind 127.0.0.1:${port}
  server one 127.0.0.1:${target}
`,
  );
  return started('haproxy', spawn(program, ['-db', '-f', file], { stdio: 'ignore' }), port);
}

/** What Node itself costs. */
async function startRelay(target: number): Promise<Proxy> {
  const port = await freePort();
  const program = join(import.meta.dirname, 'relay.js');
  return started('Node relay', spawn(process.execPath, [program, `${port}`, `${target}`], { stdio: 'ignore' }), port);
}

/** It speaks the protocol on both sides, and judges and records nothing. */
async function startRouter(folder: string, target: number): Promise<Proxy | string> {
  const program = process.env['SLUICE_MYSQLROUTER'];
  if (program === undefined) return 'MySQL Router is not there (SLUICE_MYSQLROUTER names its program)';
  const port = await freePort();
  const file = configured(
    folder,
    'router.conf',
    `[DEFAULT]
logging_folder=${folder}
runtime_folder=${folder}
data_folder=${folder}
${pluginsOf()}[logger]
level=WARNING
[routing:mysql]
bind_address=127.0.0.1
bind_port=${port}
destinations=127.0.0.1:${target}
routing_strategy=first-available
protocol=classic
client_ssl_mode=DISABLED
server_ssl_mode=DISABLED
`,
  );
  return started('MySQL Router', spawn(program, ['-c', file], { stdio: 'ignore' }), port);
}

/** Where its plug-ins are, when it is unpacked aside. */
function pluginsOf(): string {
  const folder = process.env['SLUICE_MYSQLROUTER_PLUGINS'];
  return folder === undefined ? '' : `plugin_folder=${folder}\n`;
}

function configured(folder: string, name: string, text: string): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

async function started(name: string, child: ChildProcess, port: number): Promise<Proxy> {
  await accepting(port);
  return { name, port, child };
}
