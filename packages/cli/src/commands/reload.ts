/** `sluice reload`. Owns: what it prints. Does not: reload (gateway). */
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { note } from '../output.js';

/** `sluice reload`: a gateway notices a changed file by itself; this says what came of it. */
export function reload(program: Command, context: CommandContext): void {
  program
    .command('reload')
    .description('has the gateway take its configuration file into use now')
    .action(async () => {
      await context.api().post('/v1/reload', {});
      note('The configuration file is in force.');
    });
}
