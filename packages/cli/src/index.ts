/** The `sluice` command: its commands put together, and problems said in a sentence. Does not: do anything by itself. */
import { Command, Option } from 'commander';
import { CliError } from './errors.js';
import { agents } from './commands/agents.js';
import { approvals } from './commands/approvals.js';
import { CLIENTS } from './clients/index.js';
import { clientConfig } from './commands/client-config.js';
import { addMcpConfig } from './commands/client-config-mcp.js';
import { completion } from './commands/completion.js';
import { connections } from './commands/connections.js';
import { mcp } from './commands/mcp.js';
import { budgets, freezes } from './commands/freezes.js';
import { grants } from './commands/grants.js';
import { login } from './commands/login.js';
import { confirmLogin } from './commands/login-confirm.js';
import { policy } from './commands/policy.js';
import { ready } from './commands/ready.js';
import { reload } from './commands/reload.js';
import { sessions } from './commands/sessions.js';
import { status } from './commands/status.js';
import { tokens } from './commands/tokens.js';
import { contextOf } from './context.js';
import { note, paint } from './output.js';

export { sshConfig } from './commands/client-config-ssh.js';
export { BEACON, type Beacon, readBeacon } from './beacon.js';
export { ApiClient } from './client.js';
export { CliError } from './errors.js';
export { readInput } from './input.js';
export { note, oneLine, paint, print, printJson } from './output.js';
export { printable, printableJson, printableLine, replaced, visible } from '@sluice/printable';

/** Commands that need no running gateway: the gateway package brings them, since they are made of its parts. */
export interface LocalCommands {
  /** Adds its commands; `policy` is the group that `policy explain` is in. */
  add(program: Command, policy: Command): void;
}

/**
 * The `sluice` command.
 *
 * @param local commands that run the gateway's own code
 * @param defaults.data the data folder that is looked in for a running gateway
 */
export function sluice(local: LocalCommands, defaults: { data: string; version: string }): Command {
  const program = new Command('sluice')
    .description('A wire-level gateway: knows who asks, judges every command, keeps a record that can be proved.')
    .version(defaults.version)
    .option('--url <url>', 'control API of the gateway (SLUICE_URL)')
    .option(
      '--token <token>',
      'token to show to it; better in SLUICE_TOKEN: others on this machine can read a command line',
    )
    .option('--data <folder>', 'data folder of a gateway on this machine', defaults.data)
    .addOption(new Option('-o, --output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .showHelpAfterError('(add --help for the options)');
  const context = contextOf(program);
  const policies = program.command('policy').description('what the rules say, before production does');
  local.add(program, policies);
  agents(program, context);
  approvals(program, context);
  budgets(program, context);
  connections(program, context);
  mcp(program, context);
  freezes(program, context);
  grants(program, context);
  confirmLogin(login(program, context), context);
  policy(policies, context);
  ready(program, context);
  reload(program, context);
  sessions(program, context);
  status(program, context);
  tokens(program, context);
  for (const { addConfig } of CLIENTS) addConfig(clientConfig(program), context);
  addMcpConfig(clientConfig(program).command('mcp'), context);
  completion(program);
  return program;
}

/** Runs the command line. Problems that the user can solve are printed as a sentence. */
export async function main(program: Command, argv: readonly string[]): Promise<void> {
  // `sluice sessions replay ID | head`: who has read enough is no error.
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => process.exit(code === 'EPIPE' ? 0 : 1));
  try {
    await program.parseAsync(argv);
  } catch (error) {
    // A stack may have texts of others in it too.
    const { message, hint } = error instanceof CliError ? error : { message: stackOf(error), hint: undefined };
    note(`${paint.red('error:')} ${message}`);
    if (hint) note(`  ${hint}`);
    process.exitCode = 1;
  }
}

const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));
