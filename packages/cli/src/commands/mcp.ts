/** `sluice mcp NAME`. Owns: finding the connection, its token, and the certificate to trust. Does not: carry messages (mcp-bridge.ts). */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import tls from 'node:tls';
import type { Command } from 'commander';
import { connectionsOf } from '../answers.js';
import { loginTo } from '../clients/client.js';
import { baseOf, http } from '../clients/http.js';
import { CliError } from '../errors.js';
import type { CommandContext } from '../context.js';
import { McpBridge } from '../mcp-bridge.js';

/** A token is good for a minute: it is got anew before that, in milliseconds. */
const TOKEN_MS = 40_000;

export function mcp(program: Command, context: CommandContext): void {
  program
    .command('mcp <connection>')
    .description('a server of MCP behind the gateway, for clients that start one: speaks over its input and output')
    .option('-u, --user <principal>', 'who you are; default: whom the token belongs to')
    .action(async (name: string, options: { user?: string }) => {
      const api = context.api();
      const row = (await connectionsOf(api)).find((one) => one.name === name && one.protocol === http.protocol);
      if (!row) throw new CliError(`There is no connection "${name}" by HTTP for you.`);
      trustOwn(join(context.data(), 'gateway.crt'));
      let token: Promise<string> | undefined;
      let since = 0;
      const current = (isStale: boolean): Promise<string> => {
        if (isStale || Date.now() - since > TOKEN_MS) token = undefined;
        if (!token) since = Date.now();
        return (token ??= loginTo(api, name, options).then((login) => login.token));
      };
      const write = (line: string): void => void process.stdout.write(`${line}\n`);
      await new McpBridge(new URL(baseOf(row, '')), current, write).run(process.stdin);
    });
}

/** The certificate that a gateway on this machine has made itself, besides those that are trusted anyway. */
function trustOwn(file: string): void {
  if (!existsSync(file)) return;
  tls.setDefaultCACertificates([...tls.getCACertificates('default'), readFileSync(file, 'utf8')]);
}
