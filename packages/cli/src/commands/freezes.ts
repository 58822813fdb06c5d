/** `sluice budgets`, `freeze` and `thaw`. Owns: their options and output. Does not: decide (packages/control). */
import type { BudgetRow, FreezeRow, Problem } from '@sluice/api';
import type { Command } from 'commander';
import { CliError } from '../errors.js';
import type { CommandContext } from '../context.js';
import { note, oneLine, print, printJson, printRows } from '../output.js';

/** Characters of a reason on the screen. */
const MAX_REASON_CHARACTERS = 300;

export function budgets(program: Command, context: CommandContext): void {
  const group = program.command('budgets').description('what budgets have left, and for whom');
  const rows = (): Promise<BudgetRow[]> => context.api().get<BudgetRow[]>('/v1/budgets');
  const show = (found: readonly BudgetRow[]): void => {
    if (context.format() === 'json') return printJson(found);
    const lines = found.map(({ used, limit, by = '', free = '', observed, ...row }) => ({
      ...row,
      by,
      used: `${used} of ${limit}`,
      free,
      mode: observed ? 'observe' : '',
    }));
    printRows(lines, ['rule', 'of', 'by', 'unit', 'used', 'within', 'free', 'mode'], 'table');
  };

  group
    .command('ls')
    .description('all that is used up')
    .action(async () => show(await rows()));

  group
    .command('show <rule>')
    .description('what is used up of the budget of one rule')
    .action(async (rule: string) => {
      const found = (await rows()).filter((one) => one.rule === rule);
      if (found.length === 0)
        throw new CliError(`Nothing is used up by rule "${rule}".`, '"sluice budgets ls" lists what is.');
      show(found);
    });

  group
    .command('reset <rule>')
    .description('counts a budget anew')
    .option('--of <who>', 'only of this one, as "ls" names them')
    .action(async (rule: string, { of }: { of?: string }) => {
      const done = await context
        .api()
        .post<{ reset: number }>('/v1/budgets/reset', { rule, ...(of !== undefined && { of }) });
      if (context.format() === 'json') printJson(done);
      else print(`${done.reset} ${done.reset === 1 ? 'counter' : 'counters'} of ${rule} counted anew`);
    });
}

export function freezes(program: Command, context: CommandContext): void {
  program
    .command('freeze <subject>')
    .description(
      'ends sessions and refuses logins of user:NAME, agent:NAME, owner:NAME or connection:NAME; "freeze ls" lists who is frozen',
    )
    .option('--reason <text>', 'why, which whoever is frozen reads', 'by hand')
    .action(async (subject: string, { reason }: { reason: string }) => {
      if (subject === 'ls') return list();
      const answer = await context.api().post<FreezeRow | Problem>('/v1/freezes', { subject, reason });
      if (context.format() === 'json') return printJson(answer);
      print(`${subject} is frozen`);
      if ('message' in answer) note(`${answer.message} ${answer.hint ?? ''}`);
    });

  program
    .command('thaw <subject>')
    .description('lets somebody in again who was frozen')
    .requiredOption('--reason <text>', 'why, which is on record')
    .action(async (subject: string, { reason }: { reason: string }) => {
      const query = new URLSearchParams({ reason });
      const row = await context.api().delete<FreezeRow>(`/v1/freezes/${encodeURIComponent(subject)}?${query}`);
      if (context.format() === 'json') printJson(row);
      else print(`${subject} is thawed`);
    });

  const list = async (): Promise<void> => {
    const rows = await context.api().get<FreezeRow[]>('/v1/freezes');
    if (context.format() === 'json') return printJson(rows);
    printRows(
      rows.map((row) => ({ ...row, reason: oneLine(row.reason, MAX_REASON_CHARACTERS) })),
      ['subject', 'since', 'by', 'reason'],
      'table',
    );
  };
}
