/** `sluice policy lint`: prints what in migrations is known to hurt. Does not: find it (@sluice/sql-postgres, @sluice/sql-mysql). */
import type { Finding, LintReport, Linter } from '@sluice/analysis';
import { CliError, print, printJson, readInput } from '@sluice/cli';
import * as mysql from '@sluice/sql-mysql';
import * as postgres from '@sluice/sql-postgres';

export interface LintOptions {
  /** Absent: the first of the linters. */
  readonly dialect?: string;
  /** Of the server, as its users name it: 18, 8.4, 10.11. */
  readonly major?: string;
  /** Names of dangers that are accepted. */
  readonly allow?: readonly string[];
  readonly output: 'table' | 'json';
}

const LINTERS: readonly [Linter, ...Linter[]] = [postgres.linter, ...mysql.linters];

/** Returns the exit status: 1 where something was found. */
export async function lintFiles(files: readonly string[], options: LintOptions): Promise<number> {
  const { dialect = LINTERS[0].dialect, allow = [], output } = options;
  const linter = LINTERS.find((one) => one.dialect === dialect);
  if (!linter)
    throw new CliError(`--dialect is one of ${LINTERS.map((one) => one.dialect).join(', ')}, and not "${dialect}".`);
  const { dangers, server } = linter;
  const { major = linter.version } = options;
  const doubt = linter.doubt(major);
  if (doubt !== undefined) throw new CliError(`--major ${doubt}: the version of ${server} that it will run on.`);
  const unknown = allow.find((name) => !Object.hasOwn(dangers, name));
  if (unknown !== undefined)
    throw new CliError(`There is no danger "${unknown}". There are: ${Object.keys(dangers).join(', ')}.`);
  const found: (Finding & { readonly file: string })[] = [];
  let definitions = 0;
  for (const file of files) {
    const report = await lint(file, linter, major);
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

async function lint(file: string, linter: Linter, version: string): Promise<LintReport> {
  const text = readInput(file);
  try {
    return await linter.lint(text, version);
  } catch (error) {
    throw new CliError(`${file} cannot be read as SQL of ${linter.server} ${version}: ${(error as Error).message}.`);
  }
}

function inWords({ file, line, danger, says, instead, lock }: Finding & { file: string }): string {
  const locked = lock ? `, ${lock.mode} lock${lock.on.length > 0 ? ` on ${lock.on.join(' and ')}` : ''}` : '';
  return `${file}:${line}: ${danger}${locked}\n  ${says}\n  Instead: ${instead}`;
}
