/** Estimates for approvers, by the language of a command. Does not: what they consist of. */
import type { Impact } from '@sluice/approvals';
import type { Facts, Lookup, SqlCommand } from '@sluice/contract';
import { IMPACT as MYSQL } from '@sluice/sql-mysql';
import { IMPACT as POSTGRES } from '@sluice/sql-postgres';

const IMPACTS = new Map([MYSQL, POSTGRES].map(({ dialect, impactOf }) => [dialect, impactOf]));

/** Undefined for a statement that changes nothing, or whose language gives none. Never rejects. */
export async function impactOf(
  command: SqlCommand,
  facts: Facts,
  sameNames: boolean,
  open: () => Promise<Lookup>,
): Promise<Impact | undefined> {
  return IMPACTS.get(command.dialect.name)?.(command, facts, sameNames, open);
}
