import type { Command } from 'commander';
import type { TokenRow, WhoAmI } from '../api.js';
import type { Context } from '../context.js';
import { note, paint, print, printJson, printRows } from '../output.js';

interface Creation {
  readonly name: string;
  readonly expires?: string;
  readonly connection?: string[];
  readonly role?: string[];
}

const LASTS = '90d';

/** `sluice token create|ls|revoke`. */
export function tokens(program: Command, context: Context): void {
  const group = program.command('token').description('tokens that people and programs log in with');

  group
    .command('create [principal]')
    .description('makes a token, for yourself or for another principal; it is printed once and stored nowhere')
    .option('--name <text>', 'what it is for', 'cli')
    .option('--expires <when>', 'a duration such as 12h or 30d; default: 90d, or as long as you may')
    .option('--connection <name...>', 'only for these connections')
    .option('--role <name...>', 'only with these roles')
    .action(async (principal: string | undefined, options: Creation) => {
      const api = context.api();
      const me = await api.get<WhoAmI>('/v1/whoami');
      // Without one, what is made for oneself lasts as long as it may; what is made for others does not last for ever.
      const own = principal === undefined || principal === me.name;
      const bounded = own && (me.by === 'issuer' || me.expires !== undefined);
      const expires = options.expires ?? (bounded ? undefined : LASTS);
      const made = await api.post<TokenRow & { token: string; user: string }>('/v1/tokens', {
        ...(principal !== undefined && { principal }),
        name: options.name,
        ...(expires !== undefined && { expires }),
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
        ['id', 'principal', 'name', 'created', 'expires', 'lastUsed', 'revoked', 'connections', 'roles'],
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
