/**
 * `sluice token`: makes, lists and revokes tokens. Owns: its options and output. Does not: decide who may (packages/control).
 */
import type { Command } from 'commander';
import type { Problem, TokenRow } from '@sluice/api';
import type { CommandContext } from '../context.js';
import { note, paint, print, printJson, printRows } from '../output.js';

interface Creation {
  readonly name: string;
  readonly expires?: string;
  readonly connection?: string[];
  readonly role?: string[];
}

/** `sluice token create|ls|revoke`. */
export function tokens(program: Command, context: CommandContext): void {
  const group = program.command('token').description('tokens that people and programs log in with');

  group
    .command('create [principal]')
    .description('makes a token, for yourself or for another principal; it is printed once and stored nowhere')
    .option('--name <text>', 'what it is for', 'cli')
    .option('--expires <when>', 'a duration such as 12h or 30d; default: 30d, or as long as you may')
    .option('--connection <name...>', 'only for these connections')
    .option('--role <name...>', 'only with these roles')
    .action(async (principal: string | undefined, options: Creation) => {
      const made = await context.api().post<TokenRow & { token: string; user: string }>('/v1/tokens', {
        ...(principal !== undefined && { principal }),
        name: options.name,
        ...(options.expires !== undefined && { expires: options.expires }),
        ...(options.connection && { connections: options.connection }),
        ...(options.role && { roles: options.role }),
      });
      if (context.format() === 'json') return printJson(made);
      note(
        paint.dim(
          `token ${made.id} for ${made.principal}, valid until ${made.expires ?? 'revoked'}; it is not shown again`,
        ),
      );
      if (made.user !== made.principal) {
        note(`${made.principal} has many tokens: log in to databases with this one as user ${made.user}`);
      }
      print(made.token);
    });

  group
    .command('ls')
    .description('tokens, without their secrets')
    .option('--all', 'those that are of no more use as well')
    .action(async ({ all }: { all?: boolean }) => {
      const rows = await context.api().get<TokenRow[]>('/v1/tokens');
      const now = new Date().toISOString();
      printRows(
        all ? rows : rows.filter(({ expires, revoked }) => revoked === undefined && (expires ?? '9') > now),
        [
          'id',
          'principal',
          'name',
          'created',
          'expires',
          'lastUsed',
          'revoked',
          'connections',
          'roles',
          'madeBy',
          'madeWith',
        ],
        context.format(),
      );
    });

  group
    .command('revoke <id>')
    .description('makes a token useless and ends the sessions that were opened with it')
    .option('--children', 'and the tokens that were made with it for others')
    .action(async (id: string, { children }: { children?: boolean }) => {
      const answer = await context
        .api()
        .delete<TokenRow | Problem>(`/v1/tokens/${encodeURIComponent(id)}${children ? '?children=true' : ''}`);
      print(`${id} revoked`);
      if ('message' in answer) note(`${answer.message} ${answer.hint ?? ''}`);
    });
}
