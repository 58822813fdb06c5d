/**
 * The configuration as a gateway can run it: read, its rules compiled, its packages looked at. Owns: warnings to its author.
 * Does not: its shape (packages/config).
 */
import { CliError } from '@sluice/cli';
import {
  type Config,
  type LessOf,
  type Locate,
  describeProblem,
  isPackaged,
  loadConfig,
  peopleLogIn,
  protocolNamed,
} from '@sluice/config';
import { PolicyError, compilePolicy, unreached } from '@sluice/guardrails';
import { PackageError, describePackage, inspectPackage } from '@sluice/packaged';

/** A configuration whose rules compile too, and what its author should know about it. */
export interface Configuration {
  readonly config: Config;
  readonly warnings: readonly string[];
}

/** A file that cannot be taken into use. What it takes away can be. */
export class UnusableFile extends CliError {
  readonly less: LessOf | undefined;

  constructor(message: string, less?: LessOf) {
    super(message);
    this.less = less;
  }
}

/** Reads a configuration. Throws an UnusableFile with `file:line:column` of each mistake. */
export function readConfiguration(file: string, env = process.env, anyEnvironment = false): Configuration {
  const loaded = loadConfig(file, env, anyEnvironment);
  const unusable = (problems: Iterable<string>): UnusableFile =>
    new UnusableFile(`${file} cannot be used:\n${[...problems].join('\n')}`, loaded.less);
  if (!loaded.ok) throw unusable(loaded.problems.map(describeProblem));
  const { config, locate, warnings } = loaded;
  const mistakes = new Set([...config.connections.values()].flatMap(({ rules }) => conditionMistakes(rules, locate)));
  if (mistakes.size > 0) throw unusable(mistakes);
  return { config, warnings: [...warnings, ...packageWarnings(config, file, locate), ...warningsOf(config)] };
}

/** Packages of somebody else that the configuration has the gateway run. */
export const packagesOf = ({ listeners }: Config): string[] =>
  listeners.clients.flatMap(({ protocol }) => (isPackaged(protocol) ? [protocol] : []));

/** What is found without running them. Throws a CliError that names the place of each that cannot be used. */
function packageWarnings(config: Config, file: string, locate: Locate): string[] {
  const problems: string[] = [];
  const warnings = packagesOf(config).flatMap((name, at) => {
    try {
      return [`The next start runs code of somebody else: ${describePackage(inspectPackage(name, config.folder))}.`];
    } catch (error) {
      if (!(error instanceof PackageError)) throw error;
      const path = `listeners.packages[${at}].protocol`;
      problems.push(describeProblem({ ...locate(path), path, message: error.message }));
      return [];
    }
  });
  if (problems.length > 0) throw new CliError(`${file} cannot be used:\n${problems.join('\n')}`);
  return warnings;
}

function conditionMistakes(rules: Parameters<typeof compilePolicy>[0], locate: Locate): string[] {
  try {
    compilePolicy(rules);
    return [];
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error;
    return error.problems.map(({ path, offset, message }) => {
      const place = locate(path);
      // Right for the usual rule on one line; in a folded text it points at the line that the condition starts in.
      return describeProblem({ ...place, column: place.column + offset, path, message: `${path}: ${message}` });
    });
  }
}

function warningsOf(config: Config): string[] {
  const warnings = config.listeners.clients.flatMap((one) => protocolNamed(one.protocol).listenerWarnings(one));
  const asks = [...config.connections.values()].some(
    ({ approval, rules }) => approval !== undefined || rules.some(({ then }) => 'approvers' in then),
  );
  if (asks && !peopleLogIn(config))
    warnings.push(
      'People approve with tokens that the operator made, since there is no issuer that people log in at: whoever makes tokens could approve as anybody.',
    );
  for (const { name, issuer, subject } of config.principals.values())
    if (issuer !== undefined && subject === undefined)
      warnings.push(
        `Principal "${name}" is whoever ${issuer} calls so: with "subject" it stays one person when names there change.`,
      );
  for (const { name, issuer, roles } of config.principals.values())
    if (roles.includes('approver') && issuer === undefined && peopleLogIn(config))
      warnings.push(
        `Principal "${name}" cannot approve: where people log in at an issuer, only such a login counts. Give it "issuer" and "subject".`,
      );
  for (const connection of config.connections.values()) {
    const { name, access, rules } = connection;
    if (access.length === 0) warnings.push(`Nobody may use connection "${name}": its access list is empty.`);
    if (access.includes('*') && config.issuers.size > 0)
      warnings.push(
        `Connection "${name}" is open to everybody with a token of ${[...config.issuers.keys()].join(' or ')}.`,
      );
    if (rules.length === 0) warnings.push(`Connection "${name}" has no rules: everything that is understood passes.`);
    warnings.push(...protocolNamed(connection.protocol).warnings(connection));
    const { http } = connection;
    const serves = {
      http: http !== undefined,
      rows: protocolNamed(connection.protocol).traits.answers === 'rows',
      models: http?.models !== undefined,
      mcp: http?.mcp !== undefined,
    };
    for (const rule of rules) {
      const why = unreached(rule, serves);
      if (why !== undefined) warnings.push(`On connection "${name}" rule "${rule.rule}" ${why}.`);
      if (rule.then.type === 'allow' && rule.when === undefined)
        warnings.push(`Rule "${rule.rule}" lets everything unknown pass.`);
      if ('onTimeout' in rule.then && rule.then.onTimeout === 'allow')
        warnings.push(`Rule "${rule.rule}" lets pass what nobody answers (on_timeout: allow).`);
    }
  }
  return [...new Set(warnings)];
}
