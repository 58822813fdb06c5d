/** `sluice ls` and `sluice connect`. Owns: their options. Does not: which client is opened (cli/src/clients). */
import type { Command } from 'commander';
import { connectionsOf } from '../answers.js';
import { clientFor } from '../clients/index.js';
import { CliError } from '../errors.js';
import type { CommandContext } from '../context.js';
import { printRows } from '../output.js';

/** `sluice ls` and `sluice connect`. */
export function connections(program: Command, context: CommandContext): void {
  program
    .command('ls')
    .description('the connections that you may use')
    .action(async () => {
      const rows = await connectionsOf(context.api());
      printRows(rows, ['name', 'protocol', 'listener', 'policies'], context.format());
    });

  program
    .command('connect <connection>')
    .description('opens psql, or a small built-in SQL prompt where there is no psql; ssh for a machine')
    .option('-u, --user <principal>', 'who you are; default: whom the token belongs to')
    .option('-c, --command <text>', 'runs this and ends')
    .option('--builtin', 'use the built-in prompt although psql is there')
    .action(async (name: string, options: { user?: string; command?: string; builtin?: boolean }) => {
      const api = context.api();
      const rows = await connectionsOf(api);
      const row = rows.find((candidate) => candidate.name === name);
      if (!row) {
        const known = rows.map((candidate) => candidate.name).join(', ');
        throw new CliError(`There is no connection "${name}" for you.`, known ? `There are: ${known}.` : undefined);
      }
      process.exitCode = await clientFor(row).connect(row, { ...options, data: context.data() }, api);
    });
}
