/** Clients of HTTP. Owns: one request by curl, and what the base URL of a connection is. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectionRow } from '@sluice/api';
import { connectionsOf, endpointOf } from '../answers.js';
import { CliError } from '../errors.js';
import type { CommandContext } from '../context.js';
import { print, printJson } from '../output.js';
import { type ProtocolClient, loginTo } from './client.js';

export const http: ProtocolClient = {
  protocol: 'http',
  /** `sluice connect tickets -c /orders/7`: GET of a path. For anything else there is curl itself. */
  connect: async (row, wish, api) => {
    const { command = '/' } = wish;
    if (!/^\/[\x21-\x7e]*$/.test(command)) throw new CliError('By HTTP the command is a path, such as /orders/7.');
    const { token } = await loginTo(api, row.name, wish);
    // Other users of the machine see the arguments of a program, and not its input.
    const config = `header = "Authorization: Bearer ${token}"\nurl = "${baseOf(row, '')}${command.replaceAll(/["\\]/g, '\\$&')}"\n`;
    const input = { input: config, stdio: ['pipe', 'inherit', 'inherit'] as ('pipe' | 'inherit')[] };
    const { status, error } = spawnSync('curl', ['-sS', '-K', '-'], input);
    if (error) throw new CliError('There is no curl on this machine.', `Use any client: ${baseOf(row, '')}`);
    // Of curl: it does not know the authority of the certificate.
    if (status === 60) {
      const here = join(wish.data ?? '', 'gateway.crt');
      throw new CliError(
        "curl does not trust the gateway's certificate.",
        existsSync(here)
          ? `If it is self-signed: put CURL_CA_BUNDLE=${here} before the command.`
          : 'If it is self-signed: CURL_CA_BUNDLE=DATA/gateway.crt, in the data folder of the gateway.',
      );
    }
    return status ?? 1;
  },
  addConfig: (group, context) => {
    group
      .command('http [connection]')
      .description('the base URL of each connection by HTTP, and what clients send with each request')
      .option('--host <name>', 'what clients call the gateway')
      .action(async (connection: string | undefined, options: { host?: string }) => {
        const rows = await wanted(context, connection);
        const entries = rows.map((row) => ({ connection: row.name, url: baseOf(row, hostOf(row, context, options)) }));
        if (context.format() === 'json') return printJson(entries);
        print(entries.map(lines).join('\n\n'));
      });
  },
};

async function wanted(context: CommandContext, connection: string | undefined): Promise<ConnectionRow[]> {
  const rows = (await connectionsOf(context.api())).filter(({ protocol }) => protocol === http.protocol);
  const found = connection === undefined ? rows : rows.filter(({ name }) => name === connection);
  if (found.length > 0) return found;
  const known = rows.map(({ name }) => name).join(', ');
  throw new CliError('There is no such connection by HTTP for you.', known ? `There are: ${known}.` : undefined);
}

/** "All addresses" is no address to go to: the control API is reached at one. */
function hostOf({ listener }: ConnectionRow, context: CommandContext, { host: named }: { host?: string }): string {
  if (named !== undefined) return named;
  const { host } = endpointOf(listener);
  return ['0.0.0.0', '::'].includes(host) ? new URL(context.url()).hostname.replaceAll(/^\[|\]$/g, '') : host;
}

/** `named`: what clients call the gateway; empty: as it is bound. */
export const baseOf = (row: ConnectionRow, named: string): string =>
  `${originOf(row, named)}/${encodeURIComponent(row.name)}`;

function originOf({ listener, tls }: ConnectionRow, named: string): string {
  const { host: bound, port } = endpointOf(listener);
  const host = named === '' ? bound : named;
  const place = host.includes(':') ? `[${host}]` : host;
  return `${tls ? 'https' : 'http'}://${place}:${port}`;
}

/** Where the gateway listens for HTTP, by any connection that says so; undefined: none of the caller's does. */
export async function httpOrigin(context: CommandContext, host: string | undefined): Promise<string | undefined> {
  const row = (await connectionsOf(context.api())).find(({ protocol }) => protocol === http.protocol);
  return row && originOf(row, hostOf(row, context, host === undefined ? {} : { host }));
}

const lines = ({ connection, url }: { connection: string; url: string }): string =>
  [
    `# ${connection}: in place of the address of the service. The key is a token: sluice token create`,
    `# "Authorization: Bearer TOKEN", or as the password of Basic; the user name does not count.`,
    url,
  ].join('\n');
