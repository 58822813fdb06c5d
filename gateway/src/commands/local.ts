/**
 * Commands that are made of the gateway's own parts and ask no running one: up, check, policy test, audit verify, agent. Owns:
 * their options and output.
 */
import { join, resolve } from 'node:path';
import { createPublicKey } from 'node:crypto';
import type { Command } from 'commander';
import { CliError, note, print, printJson, readInput } from '@sluice/cli';
import { type Config, jsonSchema } from '@sluice/config';
import { addOperatingCommands } from '@sluice/doctor';
import { type Head, describeReport, parseHead, readHeads, verify } from '@sluice/recording';
import type { LintOptions } from '@sluice/policy-trial';
import { readSetting } from '@sluice/store';
import type { AgentCommand } from './agent.js';
import { readConfiguration } from '../configuration.js';
import { masksPackets } from '../protocols.js';
import { reachAlone } from '../reach.js';
import { HEAD_SETTING } from '@sluice/audit';

/** Commands that run this package's own code and need no gateway that is running. */
export function addLocalCommands(program: Command, policy: Command): void {
  program
    .command('up')
    .description('runs a gateway until Ctrl+C')
    .option('-c, --config <file>', 'configuration', 'sluice.yaml')
    .option('--pretty', 'log for people instead of JSON')
    .action(async (options: { config: string; pretty?: boolean }) => {
      const { up } = await import('./up.js');
      await up(resolve(options.config), options.pretty ?? process.stderr.isTTY);
    });

  program
    .command('agent')
    .description('runs an agent inside a private network: it dials out to a gateway and reaches targets for it')
    .requiredOption('--gateway <url>', 'wss://host:port of the gateway')
    .option('--allow <file>', 'what it may reach: host:port, one a line; * and CIDR ranges')
    .option(
      '--programs <file>',
      'servers of MCP that it may run: NAME VARIABLE=value /path/of/program arguments, one a line',
    )
    .option(
      '--token <token>',
      'one-time token, for the first start; better in SLUICE_AGENT_TOKEN: others can read a command line',
    )
    .option('--key <file>', "the agent's own key, made at the first start", '/var/lib/sluice-agent/agent.key')
    .option('--ca <file>', "PEM of the authority to trust, or of the gateway's own certificate")
    .option('--secrets <file>', 'credentials that the agent holds: NAME HOST:PORT file:/path, one a line')
    .action(async (options: AgentCommand, command: Command) => {
      const { runAgent } = await import('./agent.js');
      // "--token" before the command is that of the control API; behind it, ours.
      await runAgent({ ...command.optsWithGlobals<AgentCommand>(), ...options });
    });

  program
    .command('check')
    .description('says what is wrong in a configuration, by line and column')
    .option('-c, --config <file>', 'configuration', 'sluice.yaml')
    .option('--strict', 'also when a secret is not in the environment here')
    .option('--targets', 'also where a target can be reached that should keep rows apart, and does not')
    .action(async (options: { config: string; strict?: boolean; targets?: boolean }) => {
      const anyEnvironment = !options.strict && !options.targets;
      const { config, warnings } = readConfiguration(resolve(options.config), process.env, anyEnvironment);
      for (const warning of warnings) note(`warning: ${warning}`);
      if (options.targets) await checkTargets(config);
      const rules = [...config.connections.values()].reduce((sum, connection) => sum + connection.rules.length, 0);
      print(
        `${options.config} is good: ${config.connections.size} connections, ${rules} rules, ${config.principals.size} principals.`,
      );
    });

  program
    .command('schema')
    .description('JSON Schema of the configuration, for editors')
    .action(() => printJson(jsonSchema()));

  policy
    .command('test <file>')
    .description('runs the cases of a YAML file against the rules of a configuration')
    .option('-c, --config <file>', 'configuration', 'sluice.yaml')
    .action(async (file: string, options: { config: string }) => {
      const { testPolicy } = await import('@sluice/policy-trial');
      process.exitCode = await testPolicy(
        resolve(file),
        // No target is reached, so that a pipeline needs no secret of one.
        readConfiguration(resolve(options.config), process.env, true).config,
        program.opts<{ output: 'table' | 'json' }>().output,
      );
    });

  policy
    .command('lint <files...>')
    .description('says what in migrations locks, rewrites or loses what others use; "-" reads standard input')
    .option('--dialect <name>', 'of the server: postgres (where it is left out), mysql or mariadb')
    .option(
      '--major <version>',
      'of the server that they will run on: 18 of PostgreSQL, 8.4 of MySQL, 10.11 of MariaDB',
    )
    .option('--allow <dangers>', 'names of what is accepted, with commas', (names) => names.split(','))
    .action(async (files: string[], options: Omit<LintOptions, 'output'>) => {
      const { lintFiles } = await import('@sluice/policy-trial');
      const { output } = program.opts<{ output: 'table' | 'json' }>();
      process.exitCode = await lintFiles(files, { ...options, output });
    });
  program
    .command('rows')
    .description('rows of tables that sessions get, by policies of the target')
    .command('sql [connection]')
    .description('prints the policies, for the owner of the tables to run')
    .option('-c, --config <file>', 'configuration', 'sluice.yaml')
    .action(async (connection: string | undefined, options: { config: string }) => {
      const { printRows } = await import('@sluice/policy-trial');
      printRows(readConfiguration(resolve(options.config), process.env, true).config, connection);
    });
  addOperatingCommands(program, {
    read: (file) => readConfiguration(file, process.env, true),
    reach: reachAlone,
    packets: masksPackets,
  });

  const audit = program.command('audit').description('the record and its proof');
  audit
    .command('verify')
    .description('checks every record, seal and signature of a journal; needs nothing but the files')
    .option('--journal <folder>', 'journal folder; default: that of the data folder')
    .option('--key <file>', 'public key to trust; default: the one beside the journal')
    .option(
      '--heads <file>',
      'heads that a witness kept, or an earlier report (-o json): the journal must still have them',
    )
    .action((options: { journal?: string; key?: string; heads?: string }) => {
      const { data, output } = program.opts<{ data: string; output: 'table' | 'json' }>();
      const folder = options.journal ?? join(data, 'journal');
      const heads = [...keptIn(join(folder, '..', 'control.db')), ...witnessed(options.heads)];
      const pem = options.key === undefined ? undefined : readInput(options.key);
      let report: ReturnType<typeof verify>;
      try {
        const key = pem === undefined ? undefined : createPublicKey(pem);
        report = verify(folder, { heads, ...(key && { key }) });
      } catch (error) {
        throw new CliError(`The journal in ${folder} cannot be read: ${(error as Error).message}`);
      }
      if (output === 'json') printJson(report);
      else print(describeReport(report));
      process.exitCode = report.problems.length === 0 ? 0 : 4;
    });
}

/** @throws CliError with why row policies of a target are not in force */
async function checkTargets({ connections }: Config): Promise<void> {
  const { examineTarget } = await import('@sluice/doctor');
  const faults: string[] = [];
  for (const connection of connections.values()) {
    if (!connection.rows) continue;
    for (const { check, state, about, says } of await examineTarget(connection, reachAlone(connection), false)) {
      if (state !== 'failed') continue;
      if (check === 'rows') faults.push(`${about}: ${says}`);
      else note(`warning: ${about} cannot be asked: ${says}`);
    }
  }
  if (faults.length > 0) throw new CliError(faults.join('\n'));
}

/** The head that the store beside a journal kept of it. */
function keptIn(file: string): Head[] {
  try {
    const head = parseHead(readSetting(file, HEAD_SETTING) ?? '');
    return head ? [head] : [];
  } catch (error) {
    note(`${file} cannot be read, so its head of the journal is not compared: ${(error as Error).message}`);
    return [];
  }
}

function witnessed(file: string | undefined): Head[] {
  if (file === undefined) return [];
  const text = readInput(file);
  try {
    return readHeads(text, (line) =>
      note(`Line ${line} of ${file} ends in the middle of a head, so it is not compared.`),
    );
  } catch (error) {
    throw new CliError(`${file} cannot be used as heads of a journal: ${(error as Error).message}.`);
  }
}
