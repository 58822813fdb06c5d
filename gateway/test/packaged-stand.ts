/** A gateway with a protocol in a package that is installed beside its configuration, from a tarball, as somebody else would. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type Socket, connect } from 'node:net';
import { join } from 'node:path';
import { temporaryFolder } from '@sluice/testkit';
import type { Logger } from 'pino';
import { readConfiguration } from '../src/configuration.js';
import { Gateway } from '../src/gateway.js';
import { operatorLog } from '@sluice/audit';

/** Packs a package and unpacks it into `node_modules` of a folder. Nothing is fetched. */
export function install(source: string, name: string, folder: string): string {
  const installed = join(folder, 'node_modules', name);
  rmSync(installed, { recursive: true, force: true });
  mkdirSync(installed, { recursive: true });
  run('npm', ['pack', '--silent', '--offline', '--pack-destination', folder, source]);
  const tarball = readdirSync(folder).find((file) => file.endsWith('.tgz')) ?? '';
  run('tar', ['-xzf', join(folder, tarball), '-C', installed, '--strip-components=1', '--no-same-owner']);
  run('chmod', ['-R', 'go-w', join(folder, 'node_modules')]);
  rmSync(join(folder, tarball));
  return installed;
}

function run(program: string, words: readonly string[]): void {
  const { status, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${words[0] ?? ''}: ${stderr}`);
}

export interface PackagedOptions {
  readonly source: string;
  readonly name: string;
  readonly targetPort: number;
  readonly targetTls?: string;
  readonly rules: string;
  readonly options?: string;
  readonly credential?: string;
  readonly limits?: string;
  /** The agent that dials the target. */
  readonly via?: string;
  readonly tls?: 'off' | 'self-signed';
  readonly log?: Logger;
}

export interface PackagedStand {
  readonly gateway: Gateway;
  readonly port: number;
  readonly token: string;
  readonly folder: string;
  stop(): Promise<void>;
}

export const yaml = ({
  name,
  targetPort,
  rules,
  options = '{}',
  credential = '{}',
  limits = '{}',
  via = '',
  targetTls = 'disable',
  tls = 'off',
}: PackagedOptions): string =>
  `data: data
listeners:
  postgres: { port: 0 }${via === '' ? '' : '\n  agents: { port: 0 }'}
  packages:
    - { protocol: { package: "${name}" }, port: 0, tls: ${tls} }
control: { port: 0 }
limits: ${limits}
principals:
  dev: { groups: [engineers] }
  ada: { groups: [engineers], roles: [approver] }
connections:
  cache:
    protocol: { package: "${name}" }
    target: { host: 127.0.0.1, port: ${targetPort}, tls: ${targetTls} }
    credential: ${credential}
    options: ${options}
    access: ["group:engineers"]
    policies: [cache]${via === '' ? '' : `\n    via: ${via}`}
policies:
  cache:${rules}
`;

export async function openPackagedStand(wanted: PackagedOptions): Promise<PackagedStand> {
  const { path: folder, remove } = temporaryFolder('packaged');
  try {
    install(wanted.source, wanted.name, folder);
    writeFileSync(join(folder, 'sluice.yaml'), yaml(wanted));
    const { config } = readConfiguration(join(folder, 'sluice.yaml'));
    const log = wanted.log ?? operatorLog(true, process.env['SLUICE_LOG'] ?? 'silent');
    const gateway = await Gateway.start(config, log);
    const { token } = await gateway.identity.createToken({ principal: 'dev', name: 'test' });
    const port = Number((gateway.addresses.get(wanted.name) ?? '').split(':').at(-1));
    const stop = async (): Promise<void> => {
      await gateway.stop();
      remove();
    };
    return { gateway, port, token, folder, stop };
  } catch (error) {
    remove();
    throw error;
  }
}

/** A client that talks in lines. */
export class LineClient {
  readonly socket: Socket;
  #text = '';
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.setEncoding('utf8');
    this.socket.on('data', (text: string) => {
      this.#text += text;
      this.#wake();
    });
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.#isOver = true;
      this.#wake();
    });
  }

  /** The next line; `(closed)` where there is none. */
  async line(): Promise<string> {
    for (;;) {
      const at = this.#text.indexOf('\n');
      if (at >= 0) {
        const line = this.#text.slice(0, at).replace(/\r$/, '');
        this.#text = this.#text.slice(at + 1);
        return line;
      }
      if (this.#isOver) return '(closed)';
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  async say(line: string): Promise<string> {
    this.socket.write(`${line}\r\n`);
    return this.line();
  }
}
