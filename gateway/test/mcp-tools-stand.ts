/** A gateway in front of a database of each kind, a machine and a service, and its tools by MCP. */
/* oxlint-disable typescript/no-explicit-any -- answers are what is tested, whatever their shape */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { operatorLog } from '@sluice/audit';
import {
  type MySqlServer,
  type PostgresServer,
  type SshdServer,
  makeKey,
  missingMySql,
  missingPostgres,
  missingSshd,
  startMySql,
  startPostgres,
  startSshd,
  temporaryFolder,
} from '@sluice/testkit';
import { createConnection } from 'mysql2/promise';
import pg from 'pg';
import { readConfiguration } from '../src/configuration.js';
import { Gateway } from '../src/gateway.js';

export const missingForTools = missingPostgres(18) ?? missingMySql('mariadb') ?? missingSshd();

export interface McpStand {
  readonly gateway: Gateway;
  readonly folder: string;
  readonly postgres: PostgresServer;
  readonly mysql: MySqlServer;
  readonly sshd: SshdServer;
  /** `http://127.0.0.1:PORT/mcp` */
  readonly url: string;
  readonly ports: Readonly<Record<'postgres' | 'mysql' | 'ssh' | 'http', number>>;
  /** The private key of `dev`. */
  readonly key: string;
  /** Requests that have reached the service, `METHOD path`. */
  readonly reached: string[];
  token(principal: string): Promise<string>;
  /** Takes the same configuration into use with other rules. */
  reload(rules: string): Promise<void>;
  stop(): Promise<void>;
}

const TOOL_RULES = `
    - { rule: no-destruction, when: 'action.effects.exists(e, e == "destroy") || command.text.contains("DESTROY")', deny: Nothing is dropped through the gateway. }
    - { rule: two-eyes, when: 'command.text.contains("HOLD")', hold: { approvers: ["user:ada"], timeout: 5m } }
    - { rule: programs, when: 'command.type in ["exec", "request"]', allow: true }
`;
const MASKS = `
    - { rule: mail, when: 'command.type == "sql"', mask: { columns: ["people.mail"], with: redact } }
`;

const POSTGRES_TABLES = `
  create table people (id int primary key, name text, mail text);
  insert into people values (1, 'Ann', 'ann@example.org'), (2, 'Bob', null);
  create table many as select n as id, repeat('x', 100) as filler from generate_series(1, 50000) n;
  create table "odd ""name"" ; drop" (id int, "a ""b""" text);
  create table changes (id int)`;
const MYSQL_TABLES = [
  'create table people (id int primary key, name varchar(40), mail varchar(80), raw varbinary(8), amount decimal(20,2), big bigint unsigned)',
  "insert into people values (1, 'Ann', 'ann@example.org', x'00ff', 12.50, 18446744073709551615), (2, 'Bob', null, null, null, null)",
];

export async function openMcpStand(
  options: { limits?: string; rules?: string; more?: string } = {},
): Promise<McpStand> {
  const { path: folder, remove } = temporaryFolder('mcp');
  chmodSync(folder, 0o700);
  const [postgres, mysql, sshd] = await Promise.all([
    startPostgres({ major: 18, auth: 'scram-sha-256' }),
    startMySql({ flavour: 'mariadb' }),
    startSshd(),
  ]);
  await fill(postgres, mysql);
  const reached: string[] = [];
  const service = createServer((request, response) => {
    reached.push(`${request.method} ${request.url}`);
    serve(request, response);
  });
  await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve));
  const key = join(folder, 'id_dev');
  makeKey(key);
  const file = join(folder, 'sluice.yaml');
  const write = (rules: string): void =>
    writeFileSync(
      file,
      `data: data
listeners:
  postgres: { port: 0, tls: off }
  mysql: { port: 0, tls: off }
  ssh: { port: 0 }
  http: { port: 0, tls: off }
control: { port: 0 }
limits: ${options.limits ?? '{}'}
principals:
  dev: { groups: [engineers], roles: [user, auditor], ssh_keys: ["${readFileSync(`${key}.pub`, 'utf8').trim()}"] }
  eve: { groups: [engineers] }
  robot: { kind: agent, groups: [robots] }
  ada: { groups: [engineers], roles: [user, approver] }
connections:
  db:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${postgres.port}, database: postgres, tls: disable }
    credential: { user: ${postgres.user}, password: ${postgres.password} }
    access: ["group:engineers", "group:robots"]
    not_followed: mask
    policies: [production, masks]
  shop:
    protocol: mysql
    target: { host: 127.0.0.1, port: ${mysql.port}, database: ${mysql.database}, tls: disable }
    credential: { user: ${mysql.user}, password: ${mysql.password} }
    access: ["group:engineers"]
    policies: [production, masks]
  vm:
    protocol: ssh
    target: { host: ${sshd.host}, port: ${sshd.port}, host_keys: { keys: ["${sshd.hostKey}"] } }
    credential: { user: ${sshd.user}, private_key: "\${file:${sshd.keyFile}}" }
    shell: bash
    access: ["group:engineers"]
    policies: [production]
  svc:
    protocol: http
    target: { url: "http://127.0.0.1:${(service.address() as AddressInfo).port}" }
    access: ["group:engineers"]
    policies: [production]
  guarded:
    protocol: postgres
    target: { host: 127.0.0.1, port: ${postgres.port}, database: postgres, tls: disable }
    credential: { user: ${postgres.user}, password: ${postgres.password} }
    access: ["group:engineers"]
    approval: { approvers: ["user:ada"], timeout: 5m, window: 1h }
    policies: [production]
${options.more ?? ''}
policies:
  masks:${MASKS}
  production:${rules}`,
    );
  write(options.rules ?? TOOL_RULES);
  const log = operatorLog(true, process.env['SLUICE_LOG'] ?? 'silent');
  const gateway = await Gateway.start(readConfiguration(file).config, log);
  const port = (name: string): number => Number((gateway.addresses.get(name) ?? '').split(':').at(-1));
  const ports = { postgres: port('postgres'), mysql: port('mysql'), ssh: port('ssh'), http: port('http') };
  return {
    gateway,
    folder,
    postgres,
    mysql,
    sshd,
    ports,
    key,
    reached,
    url: `http://127.0.0.1:${ports.http}/mcp`,
    token: async (principal) => (await gateway.identity.createToken({ principal, name: 'test' })).token,
    reload: async (rules) => {
      write(rules);
      await gateway.reload(readConfiguration(file).config, 'test');
    },
    stop: async () => {
      await gateway.stop();
      service.closeAllConnections();
      await new Promise((resolve) => service.close(resolve));
      await Promise.all([postgres.stop(), mysql.stop(), sshd.stop()]);
      remove();
    },
  };
}

async function fill(postgres: PostgresServer, mysql: MySqlServer): Promise<void> {
  const { host, port, user, password, database } = postgres;
  const client = new pg.Client({ host, port, user, password, database });
  await client.connect();
  await client.query(POSTGRES_TABLES);
  await client.end();
  const { port: at, user: as, password: by, database: within } = mysql;
  const other = await createConnection({ host: mysql.host, port: at, user: as, password: by, database: within });
  for (const text of MYSQL_TABLES) await other.query(text);
  await other.end();
}

/** Says what it was asked; below `/large` as many bytes as the path says. */
function serve({ method, url, rawHeaders }: IncomingMessage, response: ServerResponse): void {
  const [, size] = /^\/large\/(\d+)$/.exec(url ?? '') ?? [];
  if (size !== undefined) return void response.end(Buffer.alloc(Number(size), 'a'));
  if (url === '/binary') return void response.end(Buffer.from([0, 0xff, 0xfe]));
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ method, url, rawHeaders }));
}

interface Answer {
  readonly content: readonly { readonly type: string; readonly text: string }[];
  readonly structuredContent?: any;
  readonly isError?: boolean;
  readonly _meta?: { readonly 'sluice/refused'?: Readonly<Record<string, unknown>> };
}

/** A client of the era with sessions, as small as one can be. */
export class SmallClient {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  #id = 0;
  session = '';

  constructor(url: string, token: string) {
    this.#url = url;
    this.#headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    };
  }

  static async open(url: string, token: string): Promise<SmallClient> {
    const client = new SmallClient(url, token);
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
    const response = await client.post({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
    client.session = response.headers.get('mcp-session-id') ?? '';
    await response.text();
    return client;
  }

  post(message: unknown, headers: Record<string, string> = {}, signal?: AbortSignal): Promise<Response> {
    const own = this.session === '' ? {} : { 'mcp-session-id': this.session };
    return fetch(this.#url, {
      method: 'POST',
      headers: { ...this.#headers, ...own, ...headers },
      body: typeof message === 'string' ? message : JSON.stringify(message),
      ...(signal && { signal }),
    });
  }

  /** The messages of the answer, in order. */
  async messages(method: string, params: object, signal?: AbortSignal, id = ++this.#id): Promise<any[]> {
    const response = await this.post({ jsonrpc: '2.0', id, method, params }, {}, signal);
    const text = await response.text();
    if (response.headers.get('content-type')?.startsWith('text/event-stream') !== true) return [JSON.parse(text)];
    return [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data as string));
  }

  async request(method: string, params: object, signal?: AbortSignal): Promise<any> {
    return (await this.messages(method, params, signal)).at(-1);
  }

  async call(name: string, args: object = {}, signal?: AbortSignal): Promise<Answer> {
    const { result, error } = await this.request('tools/call', { name, arguments: args }, signal);
    if (error) throw new Error(`${error.code}: ${error.message}`);
    return result;
  }

  /** What a refused call says. */
  async refusal(name: string, args: object): Promise<string> {
    const { isError, content } = await this.call(name, args);
    return isError === true ? (content[0]?.text ?? '') : 'not refused';
  }

  async tools(): Promise<any[]> {
    return (await this.request('tools/list', {})).result.tools;
  }
}
