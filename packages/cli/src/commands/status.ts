/** `sluice status`: what runs, since when, and what waits. Does not: find out, which the control API does. */
import type { Command } from 'commander';
import type { Status } from '@sluice/api';
import type { CommandContext } from '../context.js';
import { oneLine, paint, print, printJson } from '../output.js';

export function status(program: Command, context: CommandContext): void {
  program
    .command('status')
    .description('what runs, since when, and what waits')
    .action(async () => {
      const now = await context.api().get<Status>('/v1/status');
      if (context.format() === 'json') printJson(now);
      else print(described(now, context.url()));
      if (!now.ready) process.exitCode = 1;
    });
}

const row = (what: string, says: string): string => `${paint.dim(what.padEnd(10))} ${oneLine(says, 300)}`;

function described(now: Status, url: string): string {
  const { ready, reason, configuration, record, agents, missing, oldest } = now;
  return [
    `${ready ? paint.green('ready') : paint.red('not ready')}  Sluice ${now.version}, process ${now.pid}, since ${now.started}`,
    ...(reason === undefined ? [] : [row('because', reason)]),
    ...(configuration === undefined ? [] : [row('file', configuration)]),
    ...(record === undefined ? [] : [row('record', record)]),
    row(
      'listens',
      [...Object.entries(now.listeners).map(([name, at]) => `${name} ${at}`), `control ${url}`].join(', '),
    ),
    row('serves', `${now.connections} connections, ${now.sessions} open sessions`),
    row(
      'waits',
      now.waiting === 0
        ? 'nothing'
        : `${now.waiting}, the oldest since ${oldest ?? ''}: "sluice approvals ls --pending"`,
    ),
    row('agents', agents.map(({ name, address }) => `${name} from ${address}`).join(', ') || 'none'),
    ...(missing.length === 0 ? [] : [row('missing', `agent ${missing.join(', ')}: connections by it cannot be used`)]),
    row('data', now.data),
    row('log', `${now.log}: "sluice logs -f"`),
  ].join('\n');
}
