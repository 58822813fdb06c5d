/**
 * A gateway whose targets are all wrong, each in its own way, and one that is right. Owns: the servers, the configuration, running a
 * real client, and what the log said meanwhile. Does not: know what should be said (list.ts).
 */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type MySqlServer,
  type PostgresServer,
  type SshdServer,
  findTool,
  CLOSED_PORT,
  freePort,
  makeKey,
  startMySql,
  startPostgres,
  startSshd,
  temporaryFolder,
} from '@sluice/testkit';
import { forPeople } from '@sluice/audit';
import { pino } from 'pino';
import { MAIN } from '../agents.js';
import { readConfiguration } from '../../src/configuration.js';
import { Gateway } from '../../src/gateway.js';
import { reloadFrom } from '../../src/reload.js';
import { run } from '../ssh-stand.js';

export interface TroubleStand {
  readonly gateway: Gateway;
  readonly folder: string;
  readonly file: string;
  readonly token: string;
  readonly ports: Readonly<Record<'postgres' | 'mysql' | 'ssh' | 'http' | 'agents', number>>;
  /** What psql prints when it runs this on a connection. */
  psql(
    connection: string,
    sql?: string,
    more?: { user?: string; password?: string; options?: string },
  ): Promise<string>;
  mariadb(connection: string): Promise<string>;
  ssh(connection: string): Promise<string>;
  curl(path: string): Promise<string>;
  /** The `sluice` command. */
  sluice(...words: string[]): Promise<string>;
  /** What the log says from now on, once `look` has matched, as people read it. */
  logged(look: RegExp, act: () => Promise<string>): Promise<{ user: string; operator: string }>;
  stop(): Promise<void>;
}

/** In the order of `listeners` below. */
const configurationOf = (at: {
  postgres: PostgresServer;
  mysql: MySqlServer;
  sshd: SshdServer;
  http: number;
  own: readonly number[];
}): string => {
  const { postgres, mysql, sshd, http, own } = at;
  const shop = (name: string, target: string, credential: string, more = ''): string => `
  ${name}:
    protocol: ${target.includes('url:') ? 'http' : (more.match(/protocol (\w+)/)?.[1] ?? 'postgres')}
    target: { ${target} }
    credential: { ${credential} }
    access: ["group:engineers"]
    policies: [production]${more.replace(/protocol \w+/, '')}`;
  const pg = `user: ${postgres.user}, password: ${postgres.password}`;
  const my = `user: ${mysql.user}, password: ${mysql.password}`;
  const key = `user: ${sshd.user}, private_key: "\${file:${sshd.keyFile}}"`;
  const machine = 'protocol ssh\n    shell: bash';
  return `data: data
listeners:
  postgres: { port: ${own[0]}, tls: self-signed }
  mysql: { port: ${own[1]} }
  ssh: { port: ${own[2]} }
  http: { port: ${own[3]}, tls: self-signed }
  agents: { port: ${own[5]}, tls: self-signed }
control: { port: ${own[4]} }
limits: { sessions_per_principal: 3 }
principals:
  dev: { groups: [engineers] }
  pool: { groups: [engineers] }
  guest: { groups: [guests] }
  ada: { groups: [dba], roles: [approver] }
connections:${shop('shop', `host: 127.0.0.1, port: ${postgres.port}, database: postgres, tls: disable`, pg)}${shop(
    'down',
    `host: 127.0.0.1, port: ${CLOSED_PORT}, tls: disable`,
    pg,
  )}${shop('nowhere', 'host: db.nowhere.invalid, port: 5432, tls: disable', pg)}${shop(
    'no-tls',
    `host: 127.0.0.1, port: ${postgres.port}, database: postgres, tls: verify-full`,
    pg,
  )}${shop(
    'wrong-password',
    `host: 127.0.0.1, port: ${postgres.port}, database: postgres, tls: disable`,
    `user: ${postgres.user}, password: not-this-one`,
  )}${shop('wrong-database', `host: 127.0.0.1, port: ${postgres.port}, database: shopp, tls: disable`, pg)}${shop(
    'far',
    'host: db.internal, port: 5432, tls: disable',
    pg,
    '\n    via: dc1',
  )}${shop('masked-down', `host: 127.0.0.1, port: ${CLOSED_PORT}, tls: disable`, pg).replace('[production]', '[masked]')}${shop(
    'private',
    `host: 127.0.0.1, port: ${postgres.port}, tls: disable`,
    pg,
  ).replace(
    'group:engineers',
    'group:guests',
  )}${shop('my-down', `host: 127.0.0.1, port: ${CLOSED_PORT}, tls: disable`, my, 'protocol mysql')}${shop(
    'my-password',
    `host: 127.0.0.1, port: ${mysql.port}, database: ${mysql.database}, tls: disable`,
    `user: ${mysql.user}, password: not-this-one`,
    'protocol mysql',
  )}${shop('vm-down', `host: 127.0.0.1, port: ${CLOSED_PORT}, host_keys: { keys: ["${sshd.hostKey}"] }`, key, machine)}${shop(
    'vm-changed',
    `host: 127.0.0.1, port: ${sshd.port}, host_keys: { keys: ["${OTHER_KEY}"] }`,
    key,
    machine,
  )}${shop('svc-down', `url: "http://127.0.0.1:${CLOSED_PORT}"`, 'bearer: right')}${shop(
    'svc-key',
    `url: "http://127.0.0.1:${http}"`,
    'bearer: not-this-one',
  )}
policies:
  production:
    - { rule: no-destruction, when: 'action.effects.exists(e, e == "destroy")', deny: "Nothing is dropped through the gateway. Open a change request." }
    - { rule: two-eyes, when: 'action.verb == "delete"', hold: { approvers: ["group:dba"], timeout: 1s } }
    - { rule: requests, when: '!action.verb.startsWith("forward:")', allow: true }
  masked:
    - { rule: mail, mask: { columns: ["*.email"], with: redact } }
`;
};

/** Of no host here. */
const OTHER_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGxSyYNgPSSb3aFrhRjkb0MYVQWlpd11IjQOE4oO+JcP';

export async function openTroubleStand(): Promise<TroubleStand> {
  const { path: folder, remove } = temporaryFolder('troubles');
  chmodSync(folder, 0o700);
  const postgres = await startPostgres({ major: 18, auth: 'scram-sha-256' });
  const mysql = await startMySql({ flavour: 'mariadb' });
  const sshd = await startSshd();
  const service = await startService();
  const http = (service.address() as AddressInfo).port;
  const own: number[] = [];
  while (own.length < 6) own.push(await freePort());
  const file = join(folder, 'sluice.yaml');
  writeFileSync(file, configurationOf({ postgres, mysql, sshd, http, own }));
  const lines: string[] = [];
  const log = pino({ level: 'info', base: null }, { write: (line: string) => void lines.push(line) });
  const read = () => readConfiguration(file).config;
  const gateway = await Gateway.start(read(), log);
  const reloading = reloadFrom(gateway, file, read);
  const { token } = await gateway.identity.createToken({ principal: 'dev', name: 'test' });
  const [postgresPort = 0, mysqlPort = 0, sshPort = 0, httpPort = 0, , agentsPort = 0] = own;
  const ports = {
    postgres: postgresPort,
    mysql: mysqlPort,
    ssh: sshPort,
    http: httpPort,
    agents: agentsPort,
  };
  const key = join(folder, 'id_dev');
  makeKey(key);
  const clean = cleanerOf(folder, {
    ...ports,
    closed: CLOSED_PORT,
    target: postgres.port,
    my: mysql.port,
    vm: sshd.port,
    svc: http,
  });
  const said = async (program: string, words: string[], env: NodeJS.ProcessEnv = {}): Promise<string> => {
    const { stdout, stderr } = await run(program, words, { env: { ...env, LC_ALL: 'C' }, cwd: folder });
    return clean(`${stdout.toString()}${stderr}`.trim());
  };
  return {
    gateway,
    folder,
    file,
    token,
    ports,
    psql: (connection, sql = 'select 1', { user = 'dev', password = token, options = '' } = {}) =>
      said(findTool('psql') ?? 'psql', [
        `host=127.0.0.1 port=${postgresPort} user=${user} password=${password} dbname=${connection} application_name=psql ${options}`,
        '-AXtc',
        sql,
      ]),
    mariadb: (connection) =>
      said('/usr/bin/mariadb', [
        '--no-defaults',
        '-h127.0.0.1',
        `-P${mysqlPort}`,
        `-udev%${connection}`,
        `-p${token}`,
        '-e',
        'select 1',
      ]),
    ssh: (connection) =>
      said(
        findTool('sshpass') ?? 'sshpass',
        [
          '-e',
          '/usr/bin/ssh',
          '-F/dev/null',
          ...[
            'StrictHostKeyChecking=no',
            'UserKnownHostsFile=/dev/null',
            'PubkeyAuthentication=no',
            'LogLevel=ERROR',
          ].map((one) => `-o${one}`),
          `-p${sshPort}`,
          `${connection}@127.0.0.1`,
          'true',
        ],
        { SSHPASS: token },
      ),
    curl: (path) =>
      said(findTool('curl') ?? 'curl', [
        '-sSk',
        '-w',
        '\n(status %{http_code})',
        '-H',
        `Authorization: Bearer ${token}`,
        `https://127.0.0.1:${httpPort}${path}`,
      ]),
    sluice: (...words) =>
      said(process.execPath, [MAIN, '--data', join(folder, 'data'), ...words], { SLUICE_LOG: 'info' }),
    logged: async (look, act) => {
      const from = lines.length;
      const user = await act();
      const seen = (): string[] => lines.slice(from).filter((line) => look.test(line));
      for (let i = 0; i < 200 && seen().length === 0; i++) await sleep(25);
      // Without the time, which is different each time.
      return {
        user,
        operator: clean(
          seen()
            .slice(0, 1)
            .map((line) => forPeople(line).slice(10).trim())
            .join('\n'),
        ),
      };
    },
    stop: async () => {
      reloading.stop();
      await gateway.stop();
      service.closeAllConnections();
      service.close();
      await Promise.all([postgres.stop(), mysql.stop(), sshd.stop()]);
      remove();
    },
  };
}

/** A service that knows one key. */
async function startService(): Promise<Server> {
  const server = createServer((request, response) => {
    const known = request.headers.authorization === 'Bearer right';
    response.writeHead(known ? 200 : 401, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ ok: known }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

/** Puts what differs from run to run into one form: ports, folders, sessions, times. */
function cleanerOf(folder: string, ports: Readonly<Record<string, number>>): (text: string) => string {
  const names: Readonly<Record<string, string>> = {
    postgres: '6432',
    mysql: '3307',
    ssh: '2222',
    http: '8443',
    agents: '7443',
    closed: '5433',
    target: '5432',
    my: '3306',
    vm: '22',
    svc: '8080',
  };
  return (text) => {
    let cleaned = text.replaceAll(folder, '/srv/sluice');
    for (const [name, port] of Object.entries(ports))
      cleaned = cleaned.replaceAll(new RegExp(`(?<!\\d)${port}(?!\\d)`, 'g'), names[name] ?? 'PORT');
    return cleaned
      .replaceAll(/session=[\w-]+/g, 'session=9f2c41-7')
      .replaceAll(/client=127\.0\.0\.1:\d+/g, 'client=127.0.0.1:50412')
      .replaceAll(/sluice_[a-z2-7]{10}_\w+/g, 'sluice_...')
      .replaceAll(/request (\d+)/g, 'request 1')
      .replaceAll(/"request": ?\d+/g, '"request":1')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '2026-11-29T18:30:00.000Z')
      .replaceAll(/SHA256:[\w+/]+/g, 'SHA256:...');
  };
}

export const configurationText = (stand: TroubleStand): string => readFileSync(stand.file, 'utf8');
