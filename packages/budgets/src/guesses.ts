/** With how many values each person has compared each masked column within a day. Does not: decide, or keep the counts (counts.ts). */
import type { ConnectionConfig as Connection } from '@sluice/config';
import type { Person } from '@sluice/identity';
import type { Counts } from './counts.js';

/** What one person compares the columns of one target with. Columns are `schema.table.column`. */
export interface GuessCounter {
  /** Counts values, and tells how many there have been within a day, these included. */
  count(column: string, values: number): number;
  /** How many there have been within a day. */
  known(column: string): number;
}

/** One statement counts no more than this, also where nobody can tell how many values it compares with. */
const MAX_VALUES = 1_000_000;

/**
 * Of one person at one target, which may have several connections. A day is counted by the hour, so up to one hour more. Whoever has no place
 * among the counters is taken to have guessed as often as can be.
 */
export function guessCounter(
  counts: Counts,
  person: Person,
  target: string,
  told: (values: number) => void = () => undefined,
): GuessCounter {
  const owner = personOf(person);
  const whatOf = (column: string): string => `${target} ${column}`;
  const known = (column: string): number => counts.sum(owner, whatOf(column));
  const count = (column: string, values: number): number => {
    const counted = Math.min(values, MAX_VALUES);
    told(counted);
    return counts.add(owner, whatOf(column), counted) ? known(column) : Number.MAX_SAFE_INTEGER;
  };
  return { count, known };
}

/** Whom an identity provider knows is who it says, whatever they are called; others are their name. */
export const personOf = ({ name, issuer, subject }: Person): string =>
  JSON.stringify(issuer === undefined || subject === undefined ? [name] : [issuer, subject]);

/** Where a connection leads: another one to the same place gives nobody another budget. */
export const targetName = ({ target, via }: Connection): string =>
  `${via ?? ''} ${target.host}:${target.port}/${target.database ?? ''}`;
