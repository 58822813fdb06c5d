import type { Command } from 'commander';
import type { Context } from '../context.js';
import { print } from '../output.js';

/** `sluice login confirm`. */
export function logins(program: Command, context: Context): void {
  const group = program.command('login').description('logins that wait for somebody who is logged in already');

  group
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
