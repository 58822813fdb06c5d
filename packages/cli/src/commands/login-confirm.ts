/** `sluice login confirm`: lets a login go on that waits elsewhere. Owns: the question. Does not: the login. */
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { print } from '../output.js';

/** `sluice login confirm`: lets a login go on that waits for somebody who is logged in already. */
export function confirmLogin(login: Command, context: CommandContext): void {
  login
    .command('confirm <code>')
    .description('lets in whoever shows this code, as you')
    .option('--as <principal>', 'as somebody else; for administrators')
    .action(async (code: string, options: { as?: string }) => {
      const { principal, address } = await context
        .api()
        .post<{ principal: string; address: string }>('/v1/logins/confirm', { code, ...options });
      print(`the login from ${address} goes on as ${principal}`);
    });
}
