/** `sluice grants`. Owns: its options and output. Does not: get a grant, which takes a browser (packages/console). */
import type { GrantRow } from '@sluice/api';
import type { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { print, printJson, printRows } from '../output.js';

export function grants(program: Command, context: CommandContext): void {
  const all = program
    .command('grants')
    .description('what people have allowed the gateway to do in their name at targets, each for themselves');
  all
    .command('ls')
    .description('your own; for admin and auditor those of all')
    .action(async () => {
      const rows = await context.api().get<GrantRow[]>('/v1/grants');
      if (context.format() === 'json') return printJson(rows);
      printRows(rows, ['connection', 'principal', 'since'], 'table');
    });
  all
    .command('revoke <connection>')
    .description('takes one back: the next call there asks for another')
    .option('--principal <name>', 'whose, as "grants ls" has it; default: your own')
    .action(async (connection: string, { principal }: { principal?: string }) => {
      const query = principal === undefined ? '' : `?${new URLSearchParams({ principal })}`;
      const rows = await context.api().delete<GrantRow[]>(`/v1/grants/${encodeURIComponent(connection)}${query}`);
      if (context.format() === 'json') return printJson(rows);
      for (const row of rows) print(`the grant of ${row.principal} for ${row.connection} is taken back`);
    });
}
