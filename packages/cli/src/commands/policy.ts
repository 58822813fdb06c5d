/** `sluice policy explain`. Owns: how a command is written on a command line. Does not: judge it (packages/control). */
import { type Command, Option } from 'commander';
import type { Explanation } from '@sluice/api';
import type { CommandContext } from '../context.js';
import { CliError } from '../errors.js';
import { readInput } from '../input.js';
import { print, printJson } from '../output.js';

/** `sluice policy explain` against the running gateway. `policy test` needs no gateway and is one of the local commands. */
export function policy(group: Command, context: CommandContext): void {
  group
    .command('explain [text]')
    .description('what the gateway would decide on a statement, a command line or a request, and why; nothing is run')
    .requiredOption('--connection <name>', 'the connection it would be sent to')
    .option('--principal <name>', 'who would send it')
    .option('--major <version>', 'major version of a target of PostgreSQL', '18')
    .option('--target-version <version>', 'version of a target of MySQL or MariaDB, as it tells it: 10.11.6-MariaDB')
    .addOption(new Option('--shell <shell>', 'it is a command line for this shell').choices(['sh', 'bash', 'opaque']))
    .option('--method <method>', 'of a request by HTTP; default: GET, or POST with a body')
    .option('--path <path>', 'of a request by HTTP, with its query')
    .option('--host <name>', 'of a request by HTTP')
    .option('--header <line...>', 'of a request by HTTP: "Name: value"')
    .option('--body <text>', 'of a request by HTTP; @FILE reads a file')
    .action(async (sql: string | undefined, options: PolicyOptions) => {
      const explanation = await context.api().post<Explanation>('/v1/policy/explain', {
        ...commandOf(sql, options),
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

interface PolicyOptions {
  readonly connection: string;
  readonly principal?: string;
  readonly major: string;
  readonly targetVersion?: string;
  readonly shell?: string;
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  readonly header?: readonly string[];
  readonly body?: string;
}

/** A text, or a request; not both. */
function commandOf(sql: string | undefined, { method, path, host, header, body }: PolicyOptions): object {
  if ((sql === undefined) === (path === undefined))
    throw new CliError('Give a text, or a request with --path: "sluice policy explain --help" shows both.');
  if (path === undefined) return { sql };
  const written = {
    path,
    ...(method !== undefined && { method }),
    ...(host !== undefined && { host }),
    ...(header && { headers: header }),
    ...(body !== undefined && { body: body.startsWith('@') ? readInput(body.slice(1)) : body }),
  };
  return { request: written };
}
