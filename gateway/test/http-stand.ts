import { chmodSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { Server as SecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { operatorLog } from '@sluice/audit';
import { temporaryFolder } from '@sluice/testkit';
import type { Logger } from 'pino';
import { readConfiguration } from '../src/configuration.js';
import { Gateway } from '../src/gateway.js';

/** A gateway for HTTP in front of a server of Node, which says what it was asked. */
export interface HttpStand {
  readonly gateway: Gateway;
  readonly folder: string;
  readonly port: number;
  /** Tokens of the principals `dev`, `ada` and `stranger`, who may use nothing. */
  readonly token: string;
  readonly ada: string;
  readonly stranger: string;
  /** `https://127.0.0.1:PORT/svc`, or http. */
  readonly url: string;
  /** Requests that have reached the target, `METHOD path`. */
  readonly reached: string[];
  stop(): Promise<void>;
}

export interface HttpStandOptions {
  readonly listener?: string;
  /** In YAML; a function of the folder and the port where the server listens. */
  readonly target?: string | ((port: number) => string);
  /** Where the server listens instead of a port. */
  readonly socket?: string;
  readonly serve?: (request: IncomingMessage, response: ServerResponse, body: Buffer<ArrayBuffer>) => void;
  readonly rules?: string;
  readonly limits?: string;
  readonly record?: string;
  readonly credential?: string;
  readonly connection?: string;
  readonly sections?: string;
  readonly principals?: string;
  readonly server?: Server | SecureServer;
  /** Where the gateway's files go; one of its own without it. */
  readonly folder?: string;
  readonly log?: Logger;
}

const HTTP_RULES = `
    - { rule: no-destruction, when: 'request.path.startsWith("/prod/") && request.method == "DELETE"', deny: Nothing is deleted in prod. }
    - { rule: two-eyes, when: 'request.method == "DELETE"', hold: { approvers: ["user:ada"], timeout: 1m } }
    - { rule: requests, when: 'true', allow: true }
`;

export async function openHttpStand(options: HttpStandOptions = {}): Promise<HttpStand> {
  const temporary = options.folder === undefined ? temporaryFolder('http') : undefined;
  const folder = options.folder ?? (temporary as { path: string }).path;
  chmodSync(folder, 0o700);
  const reached: string[] = [];
  const server = options.server ?? createServer();
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    reached.push(`${request.method} ${request.url}`);
    const chunks: Buffer[] = [];
    request.on('data', (bytes: Buffer) => chunks.push(bytes));
    request.on('end', () => (options.serve ?? echo)(request, response, Buffer.concat(chunks)));
  });
  await new Promise<void>((resolve) => {
    if (options.socket === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(options.socket, resolve);
  });
  const target = options.socket === undefined ? (server.address() as AddressInfo).port : 0;
  const file = join(folder, 'sluice.yaml');
  writeFileSync(
    file,
    `data: data
listeners: { postgres: { port: 0 }, http: ${options.listener ?? '{ address: 127.0.0.1, port: 0, tls: self-signed, require_tls: false }'} }
control: { port: 0 }
limits: ${options.limits ?? '{}'}
record: ${options.record ?? '{}'}
${options.sections ?? ''}
principals:
  dev: { groups: [engineers] }
  stranger: {}
  ada: { groups: [engineers], roles: [approver] }
${options.principals ?? ''}
connections:
  svc:
    protocol: http
    target: ${typeof options.target === 'function' ? options.target(target) : (options.target ?? `{ url: "http://127.0.0.1:${target}" }`)}
    ${options.credential === undefined ? '' : `credential: ${options.credential}`}
    access: ["group:engineers"]
    ${options.connection ?? ''}
    policies: [production]
policies:
  production:${options.rules ?? HTTP_RULES}`,
  );
  const log = options.log ?? operatorLog(true, process.env['SLUICE_LOG'] ?? 'silent');
  const gateway = await Gateway.start(readConfiguration(file).config, log);
  const token = async (principal: string): Promise<string> =>
    (await gateway.identity.createToken({ principal, name: 'test' })).token;
  const port = Number((gateway.addresses.get('http') ?? '').split(':').at(-1));
  return {
    gateway,
    folder,
    port,
    token: await token('dev'),
    ada: await token('ada'),
    stranger: await token('stranger'),
    url: `http://127.0.0.1:${port}/svc`,
    reached,
    stop: async () => {
      await gateway.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      temporary?.remove();
    },
  };
}

/** Says what it was asked. */
function echo(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const { method, url, rawHeaders } = request;
  response.setHeader('Content-Type', 'application/json');
  response.end(JSON.stringify({ method, url, rawHeaders, body: body.toString() }));
}
