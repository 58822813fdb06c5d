import type { Command } from 'commander';
import pc from 'picocolors';
import type { TokenRow } from '../api.js';
import type { Context } from '../context.js';
import { note, print, printRows } from '../output.js';

/** `sluice token create|ls|revoke`. */
export function tokens(program: Command, context: Context): void {
  const group = program.command('token').description('tokens that people and programs log in with');

  group
    .command('create <principal>')
    .description('makes a token; it is printed once and stored nowhere')
    .option('--name <text>', 'what it is for', 'cli')
    .option('--expires <when>', 'a duration such as 12h or 30d', '90d')
    .option('--connection <name...>', 'only for these connections')
    .action(async (principal: string, options: { name: string; expires: string; connection?: string[] }) => {
      const made = await context.api().post<TokenRow & { token: string }>('/v1/tokens', {
        principal,
        name: options.name,
        expires: options.expires,
        ...(options.connection && { connections: options.connection }),
      });
      if (context.format() === 'json') return print(JSON.stringify(made, null, 2));
      note(
        pc.dim(`token ${made.id} for ${principal}, valid until ${made.expires ?? 'revoked'}; it is not shown again`),
      );
      print(made.token);
    });

  group
    .command('ls')
    .description('tokens, without their secrets')
    .action(async () => {
      const rows = await context.api().get<TokenRow[]>('/v1/tokens');
      printRows(
        rows,
        ['id', 'principal', 'name', 'created', 'expires', 'lastUsed', 'revoked', 'connections'],
        context.format(),
      );
    });

  group
    .command('revoke <id>')
    .description('makes a token useless and ends the sessions that were opened with it')
    .action(async (id: string) => {
      await context.api().delete(`/v1/tokens/${encodeURIComponent(id)}`);
      print(`${id} revoked`);
    });
}
