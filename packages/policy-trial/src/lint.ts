/** `sluice policy lint`: prints what in migrations is known to hurt. Does not: find it (@sluice/sql-postgres). */
import { CliError, print, printJson, readInput } from '@sluice/cli';
import { DANGERS, type Finding, MAJORS, lintDefinitions } from '@sluice/sql-postgres';

export interface LintOptions {
  readonly major: string;
  /** Names of dangers that are accepted. */
  readonly allow?: readonly string[];
  readonly output: 'table' | 'json';
}

/** Returns the exit status: 1 where something was found. */
export async function lintFiles(files: readonly string[], { major, allow = [], output }: LintOptions): Promise<number> {
  if (!MAJORS.includes(Number(major)))
    throw new CliError(`--major is one of ${MAJORS.join(', ')}: the version of PostgreSQL that it will run on.`);
  const unknown = allow.find((name) => !Object.hasOwn(DANGERS, name));
  if (unknown !== undefined)
    throw new CliError(`There is no danger "${unknown}". There are: ${Object.keys(DANGERS).join(', ')}.`);
  const found: (Finding & { readonly file: string })[] = [];
  let definitions = 0;
  for (const file of files) {
    const report = await lint(file, Number(major));
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

async function lint(file: string, major: number): ReturnType<typeof lintDefinitions> {
  const text = readInput(file);
  try {
    return await lintDefinitions(text, major);
  } catch (error) {
    throw new CliError(`${file} cannot be read as SQL of PostgreSQL ${major}: ${(error as Error).message}.`);
  }
}

function inWords({ file, line, danger, says, instead, lock }: Finding & { file: string }): string {
  const locked = lock ? `, ${lock.mode} lock${lock.on.length > 0 ? ` on ${lock.on.join(' and ')}` : ''}` : '';
  return `${file}:${line}: ${danger}${locked}\n  ${says}\n  Instead: ${instead}`;
}
