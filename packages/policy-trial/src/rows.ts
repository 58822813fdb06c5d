/** `sluice rows sql`: prints the policies that `rows` of connections need at their targets. Does not: run them. */
import { CliError, print } from '@sluice/cli';
import type { Config } from '@sluice/config';
import { rowsSql } from '@sluice/sql-postgres';

/** @param wanted the name of a connection; undefined: all that have any */
export function printRows({ connections }: Config, wanted: string | undefined): void {
  const named = [...connections.values()].filter(({ name, rows }) => rows !== undefined && (wanted ?? name) === name);
  if (named.length === 0)
    throw new CliError(
      wanted === undefined ? 'No connection has "rows".' : `There is no connection "${wanted}" with "rows".`,
    );
  for (const { name, rows = [], credential } of named)
    print(`-- ${name}: to be run by the owner of the tables\n${rowsSql(rows, credential.user)}`);
}
