import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type PostgresServer, temporaryFolder } from '@sluice/testkit';
import pg from 'pg';
import { type Logger, pino } from 'pino';
import { readConfiguration } from '../src/configuration.js';
import { Gateway } from '../src/gateway.js';
import { operatorLog } from '@sluice/audit';

/** A gateway in front of a real server, with the sample rules. */
export interface Stand {
  readonly gateway: Gateway;
  readonly folder: string;
  readonly port: number;
  /** Token of the principal `dev`. */
  readonly token: string;
  client(options?: pg.ClientConfig): Promise<pg.Client>;
  stop(): Promise<void>;
}

export interface StandOptions {
  readonly target: {
    readonly port: number;
    readonly user: string;
    readonly password?: string;
    readonly tls?: string;
    readonly ca?: string;
    readonly host?: string;
    readonly secret?: string;
    readonly pooled?: string;
    readonly database?: string;
  };
  /** The listener that agents dial in at, and the agent that the connection goes by. */
  readonly agents?: string;
  readonly via?: string;
  readonly control?: string;
  /** Where the console is. */
  readonly console?: string;
  readonly listener?: string;
  readonly limits?: string;
  readonly rules?: string;
  readonly record?: string;
  readonly folder?: string;
  /** Whole sections of YAML, more principals, and more keys of the connection. */
  readonly sections?: string;
  readonly principals?: string;
  readonly connection?: string;
  /**
   * What becomes of columns that masks cannot follow: `mask` unless a test says otherwise, because most of them look at values. The
   * default of the product is left to `default`.
   */
  readonly notFollowed?: 'mask' | 'refuse' | 'default';
  readonly access?: string;
  readonly log?: Logger;
}

export const RULES = `
    - { rule: no-destruction, when: 'action.effects.exists(e, e == "destroy")', deny: Nothing is dropped through the gateway. }
    - { rule: unfiltered-writes, when: 'action.verb in ["update", "delete", "merge"] && action.filter != "strong"', deny: Name the rows. }
`;

export async function openStand(options: StandOptions): Promise<Stand> {
  const temporary = options.folder === undefined ? temporaryFolder('gateway') : undefined;
  const folder = options.folder ?? (temporary as { path: string }).path;
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o700);
  const { target } = options;
  const file = join(folder, 'sluice.yaml');
  writeFileSync(
    file,
    `data: data
listeners: { postgres: ${options.listener ?? '{ address: 127.0.0.1, port: 0, tls: self-signed }'}${options.agents === undefined ? '' : `, agents: ${options.agents}`}${options.console === undefined ? '' : `, console: ${options.console}`} }
control: { port: ${options.control ?? 0} }
limits: ${options.limits ?? '{}'}
record: ${options.record ?? '{}'}
${options.sections ?? ''}
principals:
  dev: { groups: [engineers] }
  robot: { kind: agent, groups: [robots] }
  ada: { groups: [engineers], roles: [approver] }
${options.principals ?? ''}
connections:
  db:
    protocol: postgres
    target: { host: "${target.host ?? '127.0.0.1'}", port: ${target.port}, database: ${target.database ?? 'postgres'}, tls: ${target.tls ?? 'disable'}${target.ca ? `, ca: ${target.ca}` : ''}${target.pooled ? `, pooled: ${target.pooled}` : ''} }
    credential: { user: ${target.user}${target.password === undefined ? '' : `, password: ${target.password}`}${target.secret === undefined ? '' : `, secret: ${target.secret}`} }${options.via === undefined ? '' : `\n    via: ${options.via}`}
    access: ${options.access ?? '["group:engineers"]'}${options.connection === undefined ? '' : `\n    ${options.connection}`}${notFollowed(options)}
    policies: [production]
policies:
  production:${options.rules ?? RULES}`,
  );
  const gateway = await Gateway.start(
    readConfiguration(file).config,
    options.log ?? operatorLog(true, process.env['SLUICE_LOG'] ?? 'silent'),
  );
  const { token } = await gateway.identity.createToken({ principal: 'dev', name: 'test' });
  const port = Number((gateway.addresses.get('postgres') ?? '').split(':').at(-1));
  const client = async (config: pg.ClientConfig = {}): Promise<pg.Client> => {
    const made = new pg.Client({ host: '127.0.0.1', port, user: 'dev', password: token, database: 'db', ...config });
    made.on('error', () => undefined);
    await made.connect();
    return made;
  };
  return {
    gateway,
    folder,
    port,
    token,
    client,
    stop: async () => {
      await gateway.stop();
      temporary?.remove();
    },
  };
}

const notFollowed = ({ notFollowed: wish = 'mask' }: StandOptions): string =>
  wish === 'default' ? '' : `\n    not_followed: ${wish}`;

export const targetOf = (server: PostgresServer): StandOptions['target'] => ({
  port: server.port,
  user: server.user,
  password: server.password,
});

/** A log of the operator, and its lines as they would be written. */
export function logLines(): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  return { lines, log: pino({ level: 'info', base: null }, { write: (line: string) => void lines.push(line) }) };
}

/** The SQLSTATE that something fails with. */
export async function failure(attempt: Promise<unknown>): Promise<string> {
  try {
    await attempt;
    return 'no error';
  } catch (error) {
    return (error as { code?: string }).code ?? (error as Error).message;
  }
}
