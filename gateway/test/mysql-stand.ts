/** A gateway in front of a real server of MySQL's protocol. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { operatorLog } from '@sluice/audit';
import { type MySqlServer, temporaryFolder } from '@sluice/testkit';
import { type Connection, type ConnectionOptions, type QueryOptions, createConnection } from 'mysql2/promise';
import { readConfiguration } from '../src/configuration.js';
import { Gateway } from '../src/gateway.js';

export interface MySqlStand {
  readonly gateway: Gateway;
  readonly folder: string;
  readonly port: number;
  /** Token of the principal `dev`. */
  readonly token: string;
  client(options?: ConnectionOptions): Promise<Connection>;
  stop(): Promise<void>;
}

export interface MySqlStandOptions {
  readonly server: Pick<MySqlServer, 'port' | 'user' | 'password' | 'database'>;
  readonly listener?: string;
  readonly rules?: string;
  readonly sections?: string;
  /** Members of the connection's target besides where it is. */
  readonly target?: string;
  readonly connections?: string;
  /** A member of the connection. */
  readonly members?: string;
  /** Functions and procedures that nobody reads and the policy trusts. */
  readonly trusted?: string;
}

/** Rules that mask columns of `people`. */
export const MASKED = `
    - { rule: mail, mask: { columns: ["people.mail", "badges.badge"], with: redact } }
    - { rule: born, mask: { columns: ["people.born", "people.seen"], with: generalise } }
    - { rule: numbers, mask: { columns: ["people.wage", "people.rate", "people.share", "people.tier"], with: redact } }
    - { rule: rest, mask: { columns: ["people.doc", "people.kind", "people.raw", "people.wake", "people.yr"], with: redact } }
`;

const RULES = `
    - { rule: no-destruction, when: 'action.effects.exists(e, e == "destroy")', deny: Nothing is dropped through the gateway. }
    - { rule: unfiltered-writes, when: 'action.verb in ["update", "delete"] && action.filter != "strong"', deny: Name the rows. }
    - { rule: held, when: 'action.verb == "delete"', hold: { approvers: ["group:engineers"], timeout: 10m } }
    - { rule: failing, when: 'action.verb == "insert"', hold: { approvers: ["group:engineers"], fail: true } }
`;

const configurationOf = (options: MySqlStandOptions): string => {
  const { server } = options;
  return `data: data
listeners:
  postgres: { port: 0 }
  mysql: { port: 0${options.listener === undefined ? '' : `, ${options.listener}`} }
control: { port: 0 }
${options.sections ?? ''}
principals:
  dev: { groups: [engineers], roles: [user, auditor] }
  eve: { groups: [engineers] }
  ada: { groups: [engineers], roles: [approver, auditor] }
connections:
  shop:
    protocol: mysql
    target: { host: 127.0.0.1, port: ${server.port}, database: ${server.database}, ${options.target ?? 'tls: disable'} }
    credential: { user: ${server.user}, password: ${server.password} }
    access: ["group:engineers"]
    policies: [production]${options.members === undefined ? '' : `\n    ${options.members}`}${options.trusted === undefined ? '' : `\n    functions: { trusted: [${options.trusted}] }`}
${options.connections ?? ''}
policies:
  production:${options.rules ?? RULES}`;
};

/** Asks in a text, or by a prepared statement. */
export const queryBy = (
  client: Connection,
  how: 'query' | 'execute',
  options: QueryOptions,
): ReturnType<Connection['query']> => (how === 'query' ? client.query(options) : client.execute(options));

export async function openMySqlStand(options: MySqlStandOptions): Promise<MySqlStand> {
  const { path: folder, remove } = temporaryFolder('gateway');
  chmodSync(folder, 0o700);
  const file = join(folder, 'sluice.yaml');
  writeFileSync(file, configurationOf(options));
  const log = operatorLog(true, process.env['SLUICE_LOG'] ?? 'silent');
  const { config } = readConfiguration(file);
  const gateway = await Gateway.start(config, log);
  const { token } = await gateway.identity.createToken({ principal: 'dev', name: 'test' });
  const port = Number((gateway.addresses.get('mysql') ?? '').split(':').at(-1));
  const opened: Connection[] = [];
  return {
    gateway,
    folder,
    port,
    token,
    client: async (own = {}) => {
      const made = await createConnection({ host: '127.0.0.1', port, user: 'dev%shop', password: token, ...own });
      made.on('error', () => undefined);
      opened.push(made);
      return made;
    },
    stop: async () => {
      for (const one of opened) one.destroy();
      await gateway.stop();
      remove();
    },
  };
}
