/**
 * `sluice doctor` and `sluice logs`: for whoever runs a gateway, on its machine. Does not: examine anything; the files
 * beside it do.
 */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Finding, Status } from '@sluice/api';
import { forPeople } from '@sluice/audit';
import { ApiClient, CliError, note, paint, print, printJson, readBeacon } from '@sluice/cli';
import type { Config, ConnectionConfig } from '@sluice/config';
import type { Command } from 'commander';
import { examineCertificates } from './certificates.js';
import { failed, ok, unknown, warning, worst } from './finding.js';
import { examineIssuers } from './issuers.js';
import { examineJournal } from './journal.js';
import { followLog, lastLines } from './log-reader.js';
import { examineMachine } from './machine.js';
import { examinePorts } from './ports.js';
import { type TargetReach, examineTarget } from './targets.js';

/** What only the gateway's own package has. */
export interface OperatingParts {
  /** Throws a CliError that names each mistake. Secrets that are not in this environment are no mistake. */
  read(file: string): { readonly config: Config; readonly warnings: readonly string[] };
  /** From this process. */
  reach(connection: ConnectionConfig): TargetReach;
  /** Whether targets of this protocol are of MySQL's kind. */
  packets(protocol: string): boolean;
}

const CONFIGURATION = 'sluice.yaml';

interface Globals {
  readonly data: string;
  readonly url?: string;
  readonly token?: string;
  readonly output: 'table' | 'json';
}

export function addOperatingCommands(program: Command, parts: OperatingParts): void {
  program
    .command('doctor')
    .description(
      'looks at all that a gateway needs, and says what to do; status 0: all is well, 1: worth a look, 2: not',
    )
    .option('-c, --config <file>', 'configuration; default: sluice.yaml here, else that in the data folder')
    .action(async ({ config }: { config?: string }) => {
      const { output, ...where } = program.opts<Globals>();
      const named = program.getOptionValueSource('data') === 'cli' || process.env['SLUICE_DATA'] !== undefined;
      const findings = await examine(resolve(config ?? usualFile(where.data)), { ...where, named }, parts);
      if (output === 'json') printJson(findings);
      else for (const one of findings) print(described(one));
      process.exitCode = worst(findings);
    });

  program
    .command('logs')
    .description('the log of the gateway on this machine')
    .option('-f, --follow', 'and what is added to it, until Ctrl+C')
    .option('-n, --lines <number>', 'how many of the last lines', '50')
    .action(async ({ follow, lines }: { follow?: boolean; lines: string }) => {
      const { data, output } = program.opts<Globals>();
      const last = lastLines(data, Math.max(0, Number(lines) || 0));
      if (!last && !follow)
        throw new CliError(
          `There is no log in ${data}.`,
          'A gateway that was started by "sluice up" writes one: name its data folder with --data.',
        );
      const show = (line: string): void => print(output === 'json' ? line : readable(line));
      for (const line of last ?? []) show(line);
      if (!follow) return;
      const over = new AbortController();
      process.once('SIGINT', () => over.abort());
      for await (const line of followLog(data, over.signal)) show(line);
    });
}

/** A line that is none of the log's is shown as it is. */
function readable(line: string): string {
  try {
    return forPeople(line).trimEnd();
  } catch {
    return line;
  }
}

function usualFile(data: string): string {
  const beside = join(data, CONFIGURATION);
  return !existsSync(CONFIGURATION) && existsSync(beside) ? beside : CONFIGURATION;
}

/** `named`: somebody says which data folder it is. */
type Where = Omit<Globals, 'output'> & { readonly named: boolean };

/** A folder that is named counts, and so does the one that the file lies in: the demo keeps its file with its data. */
function placed(config: Config, file: string, { data, named }: Where): Config {
  const folder = resolve(data);
  return named || folder === dirname(file) ? { ...config, data: folder } : config;
}

async function examine(file: string, where: Where, parts: OperatingParts): Promise<Finding[]> {
  if (!existsSync(file)) return [failed('configuration', file, 'there is no such file', NO_FILE)];
  let read: ReturnType<OperatingParts['read']>;
  try {
    read = parts.read(file);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return [failed('configuration', file, error.message, 'Correct it; "sluice check" says the same.')];
  }
  const config = placed(read.config, file, where);
  const running = await runningAt({ ...where, data: config.data });
  return [
    ok('configuration', file, `${config.connections.size} connections, ${config.principals.size} principals`),
    // A secret that several connections have is one to set; a gateway that runs has them all.
    ...Array.from(new Set(read.warnings.filter((says) => !running.findings || !isAboutEnvironment(says))), (says) =>
      warning('configuration', file, says, remedyOf(says)),
    ),
    ...(running.ready ?? []),
    ...examineMachine(config),
    ...(await examinePorts(config, running.here)),
    ...examineCertificates(config),
    ...(await examineIssuers(config)),
    ...examineJournal(config, running.here),
    ...(running.findings ?? (await targetsFromHere(config, parts))),
  ];
}

const NO_FILE = 'Name yours with --config, or begin with a copy of examples/sluice.yaml.';

const isAboutEnvironment = (warned: string): boolean => warned.startsWith('The environment here has no ');

const remedyOf = (warned: string): string =>
  isAboutEnvironment(warned) ? 'Export it before "sluice up".' : 'See examples/sluice.yaml and docs/policy.md.';

interface Running {
  readonly here: boolean;
  readonly ready?: readonly Finding[];
  /** About its targets: only it has its secrets and its agents. */
  readonly findings?: readonly Finding[];
}

/** What a gateway that runs says of itself and of its targets. */
async function runningAt(where: Omit<Globals, 'output'>): Promise<Running> {
  const here = readBeacon(where.data) !== undefined;
  if (!here && where.url === undefined) return { here };
  try {
    const api = ApiClient.find(where);
    const { ready, reason, configuration, record, missing, reviews = [] } = await api.get<Status>('/v1/status');
    const told = [configuration, record].flatMap((says) => says ?? []);
    return {
      here,
      ready: [
        ready
          ? ok('gateway', api.url, 'runs, and lets commands through')
          : failed('gateway', api.url, reason ?? 'not ready', 'See "sluice logs".'),
        ...told.map((says) => warning('gateway', api.url, says, 'See "sluice logs".')),
        ...reviews.map((number) =>
          warning(
            'review',
            `request ${number}`,
            'whoever asked passed it by break-glass, and nobody else has looked at that',
            `Look at it with "sluice approvals show ${number}", and close it with "sluice approvals review ${number} --reason ...".`,
          ),
        ),
        ...missing.map((name) =>
          failed(
            'agent',
            name,
            'it is not connected',
            'Start it in its network; its own log says why it does not come.',
          ),
        ),
      ],
      findings: await api.post<Finding[]>('/v1/doctor', {}),
    };
  } catch (error) {
    const why = error instanceof CliError ? error.message : String(error);
    return {
      here,
      ready: [unknown('gateway', where.data, why, "Show an administrator's token to it, or run this as its user.")],
    };
  }
}

/** Without a gateway: what can be reached from this process, with the secrets that are in its environment. */
async function targetsFromHere(config: Config, { reach, packets }: OperatingParts): Promise<Finding[]> {
  note(paint.dim('No gateway runs here: targets are tried from this process.'));
  const findings: Finding[] = [];
  for (const connection of config.connections.values()) {
    if (connection.via === undefined)
      findings.push(...(await examineTarget(connection, reach(connection), packets(connection.protocol))));
    else
      findings.push(
        unknown(
          'target',
          connection.name,
          `only agent ${connection.via} reaches it`,
          'Start the gateway, and run this again.',
        ),
      );
  }
  return findings;
}

const COLOURS = { ok: paint.green, warning: paint.yellow, failed: paint.red, unknown: paint.yellow } as const;

const described = ({ check, about, state, says, todo }: Finding): string =>
  `${COLOURS[state](state.padEnd(8))} ${check.padEnd(13)} ${about}: ${says}${todo === undefined ? '' : `\n${' '.repeat(23)}${paint.bold('do')}: ${todo}`}`;
