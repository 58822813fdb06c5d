import { type Command, Option } from 'commander';
import type { Explanation } from '@sluice/api';
import type { Context } from '../context.js';
import { print, printJson } from '../output.js';

/** `sluice policy explain` against the running gateway. `policy test` needs no gateway and is one of the local commands. */
export function policy(group: Command, context: Context): void {
  group
    .command('explain <text>')
    .description('what the gateway would decide on a statement or a command line, and why; nothing is run')
    .requiredOption('--connection <name>', 'the connection it would be sent to')
    .option('--principal <name>', 'who would send it')
    .option('--major <version>', 'major version of a target of PostgreSQL', '18')
    .option('--target-version <version>', 'version of a target of MySQL or MariaDB, as it tells it: 10.11.6-MariaDB')
    .addOption(new Option('--shell <shell>', 'it is a command line for this shell').choices(['sh', 'bash', 'opaque']))
    .action(async (sql: string, options: Options) => {
      const explanation = await context.api().post<Explanation>('/v1/policy/explain', {
        sql,
        connection: options.connection,
        major: Number(options.major),
        ...(options.targetVersion !== undefined && { version: options.targetVersion }),
        ...(options.shell && { shell: options.shell }),
        ...(options.principal && { principal: options.principal }),
      });
      if (context.format() === 'json') printJson(explanation);
      else print(explanation.text);
      process.exitCode = explanation.decision === 'allow' ? 0 : 3;
    });
}

interface Options {
  readonly connection: string;
  readonly principal?: string;
  readonly major: string;
  readonly targetVersion?: string;
  readonly shell?: string;
}
