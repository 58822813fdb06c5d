/** `sluice policy lint`: prints what in migrations is known to hurt. Does not: find it (@sluice/sql-postgres, @sluice/sql-mysql). */
import type { Finding, LintReport } from '@sluice/analysis';
import { CliError, print, printJson, readInput } from '@sluice/cli';
import type { MySqlDialect } from '@sluice/contract';
import * as mysql from '@sluice/sql-mysql';
import * as postgres from '@sluice/sql-postgres';

export interface LintOptions {
  readonly dialect: 'postgres' | 'mysql' | 'mariadb';
  /** Of the server, as its users name it: 18, 8.4, 10.11. */
  readonly major?: string;
  /** Names of dangers that are accepted. */
  readonly allow?: readonly string[];
  readonly output: 'table' | 'json';
}

/** A server of which migrations are read. */
interface Server {
  /** With its version, for sentences. */
  readonly name: string;
  readonly dangers: object;
  lint(text: string): LintReport | Promise<LintReport>;
}

/** Returns the exit status: 1 where something was found. */
export async function lintFiles(files: readonly string[], options: LintOptions): Promise<number> {
  const { allow = [], output } = options;
  const server = options.dialect === 'postgres' ? postgresOf(options) : mysqlOf(options.dialect, options);
  const unknown = allow.find((name) => !Object.hasOwn(server.dangers, name));
  if (unknown !== undefined)
    throw new CliError(`There is no danger "${unknown}". There are: ${Object.keys(server.dangers).join(', ')}.`);
  const found: (Finding & { readonly file: string })[] = [];
  let definitions = 0;
  for (const file of files) {
    const report = await lint(file, server);
    definitions += report.definitions;
    found.push(...report.findings.filter(({ danger }) => !allow.includes(danger)).map((one) => ({ file, ...one })));
  }
  if (output === 'json') printJson({ definitions, findings: found });
  else {
    for (const one of found) print(inWords(one));
    print(`${definitions} definitions, ${found.length} of them to think about again.`);
  }
  return found.length === 0 ? 0 : 1;
}

function postgresOf({ major = '18' }: LintOptions): Server {
  if (!postgres.MAJORS.includes(Number(major)))
    throw new CliError(
      `--major is one of ${postgres.MAJORS.join(', ')}: the version of PostgreSQL that it will run on.`,
    );
  return {
    name: `PostgreSQL ${major}`,
    dangers: postgres.DANGERS,
    lint: (text) => postgres.lintDefinitions(text, Number(major)),
  };
}

function mysqlOf(flavour: 'mysql' | 'mariadb', { major = DEFAULTS[flavour] }: LintOptions): Server {
  const [, first, second = '0', third = '0'] = /^(\d{1,2})(?:\.(\d{1,2}))?(?:\.(\d{1,2}))?$/.exec(major) ?? [];
  const name = flavour === 'mysql' ? 'MySQL' : 'MariaDB';
  if (first === undefined)
    throw new CliError(
      `--major is a version such as ${DEFAULTS[flavour]} or ${DEFAULTS[flavour]}.1: that of ${name} that it will run on.`,
    );
  const dialect: MySqlDialect = {
    name: 'mysql',
    flavour,
    version: Number(first) * 10_000 + Number(second) * 100 + Number(third),
    sqlMode: [],
    ignoreSpace: false,
    database: undefined,
    charset: 'utf8mb4',
  };
  return { name: `${name} ${major}`, dangers: mysql.DANGERS, lint: (text) => mysql.lintDefinitions(text, dialect) };
}

const DEFAULTS = { mysql: '8.4', mariadb: '10.11' } as const;

async function lint(file: string, server: Server): Promise<LintReport> {
  const text = readInput(file);
  try {
    return await server.lint(text);
  } catch (error) {
    throw new CliError(`${file} cannot be read as SQL of ${server.name}: ${(error as Error).message}.`);
  }
}

function inWords({ file, line, danger, says, instead, lock }: Finding & { file: string }): string {
  const locked = lock ? `, ${lock.mode} lock${lock.on.length > 0 ? ` on ${lock.on.join(' and ')}` : ''}` : '';
  return `${file}:${line}: ${danger}${locked}\n  ${says}\n  Instead: ${instead}`;
}
