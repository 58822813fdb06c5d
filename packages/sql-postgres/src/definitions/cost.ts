/**
 * What a definition costs whoever uses the tables meanwhile. Owns: the words for it. Does not: read definitions
 * (definition.ts), nor look at a server.
 */
import { COMMON_DANGERS, type DangerWords, dangerWords as words } from '@sluice/analysis';
import type { DefinitionCost } from '@sluice/contract';

/** Locks of a table, weakest first (PostgreSQL 13.3.1). */
export const LOCK_MODES = [
  'access share',
  'row share',
  'row exclusive',
  'share update exclusive',
  'share',
  'share row exclusive',
  'exclusive',
  'access exclusive',
] as const;
export type LockMode = (typeof LOCK_MODES)[number];

/** What is known to hurt whoever runs it on a table in use. Each has its sentences in `DANGERS`. */
export type Danger = keyof typeof DANGERS;

export const DANGERS = {
  ...COMMON_DANGERS,
  'index-blocks-writes': words(
    'The index is built while nobody can write to the table.',
    'CREATE INDEX CONCURRENTLY, outside a transaction.',
  ),
  'drop-index-blocks': words(
    'Dropping the index waits for everybody who uses the table, and everybody else waits behind it.',
    'DROP INDEX CONCURRENTLY, outside a transaction.',
  ),
  'reindex-blocks-writes': words(
    'The indexes are built anew while nobody can write to the table.',
    'REINDEX ... CONCURRENTLY, outside a transaction.',
  ),
  'concurrently-in-transaction': words(
    'CONCURRENTLY does not work inside a transaction: the server refuses it.',
    'Take it out of BEGIN and COMMIT; many migration tools have a switch for one migration without a transaction.',
  ),
  'not-null-scans': words(
    'The whole table is read for NULLs while nobody can read or write it.',
    'Add CHECK (column IS NOT NULL) NOT VALID, VALIDATE it in a transaction of its own, then SET NOT NULL: the server trusts the check.',
  ),
  'check-scans': words(
    'The whole table is checked while nobody can read or write it.',
    'ADD CONSTRAINT ... NOT VALID, then VALIDATE CONSTRAINT in a transaction of its own.',
  ),
  'foreign-key-blocks-writes': words(
    'All rows are checked while nobody can write to either table.',
    'ADD CONSTRAINT ... FOREIGN KEY ... NOT VALID, then VALIDATE CONSTRAINT in a transaction of its own.',
  ),
  'unique-blocks': words(
    'An index is built for it while nobody can read or write the table.',
    'CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT ... USING INDEX.',
  ),
  'exclusion-blocks': words(
    'An index is built for it while nobody can read or write the table, and there is no way around that.',
    'Do it when nobody needs the table, or in a new table that takes the place of this one.',
  ),
  'type-rewrites': words(
    'The table may be written anew while nobody can read or write it, and running code may not expect the new type.',
    'Add a column of the new type, fill it in batches, have the code use it, then drop the old one.',
  ),
  'default-rewrites': words(
    'The table is written anew while nobody can read or write it: the default differs from row to row.',
    'Add the column without it, SET DEFAULT, then fill the old rows in batches.',
  ),
  'not-null-without-default': words(
    'It fails if the table has any row: there is no value for the new column.',
    'Give it a DEFAULT that is the same for all rows, or add it without NOT NULL and fill it in batches.',
  ),
  'storage-rewrites': words(
    'The table is written anew while nobody can read or write it.',
    'Do it when nobody needs the table.',
  ),
  'tablespace-copies': words(
    'The whole table or index is copied while nobody can read or write it.',
    'Do it when nobody needs it; an index can be built anew elsewhere, CONCURRENTLY.',
  ),
  'refresh-blocks-reads': words(
    'Nobody can read the materialized view until its query has ended.',
    'REFRESH MATERIALIZED VIEW CONCURRENTLY, which needs a unique index on it.',
  ),
  'attach-scans': words(
    'The table that is attached is read whole while nobody can use it, unless a constraint proves that its rows fit.',
    'Add a CHECK with the bounds to it first, NOT VALID and then VALIDATE.',
  ),
  'detach-blocks': words(
    'Everybody who uses the partitioned table waits.',
    'DETACH PARTITION ... CONCURRENTLY, outside a transaction.',
  ),
  'drops-more': words(
    'CASCADE drops whatever depends on it, which the statement does not name.',
    'Drop what depends on it by name first.',
  ),
  'truncates-more': words(
    'CASCADE empties all tables that refer to it as well, which the statement does not name.',
    'Name all tables that are meant.',
  ),
  'domain-scans': words(
    'All tables that use the domain are read while nobody can write to them.',
    'ADD CONSTRAINT ... NOT VALID, then VALIDATE CONSTRAINT in a transaction of its own.',
  ),
} as const satisfies Readonly<Record<string, DangerWords>>;

/** What one statement costs, in the words of PostgreSQL. */
export interface Cost extends DefinitionCost {
  readonly lock?: { readonly mode: LockMode; readonly on: readonly string[] };
  readonly dangers: readonly Danger[];
}

/** A cost while it is being added up. */
export class CostSum {
  rewrites = false;
  scans = false;
  reversible = true;
  readonly #dangers = new Set<Danger>();
  #mode = -1;
  #on = new Set<string>();

  lock(mode: LockMode, ...relations: readonly string[]): void {
    const rank = LOCK_MODES.indexOf(mode);
    if (rank > this.#mode) this.#on = new Set();
    if (rank < this.#mode) return;
    this.#mode = rank;
    for (const relation of relations) this.#on.add(relation);
  }

  danger(...dangers: readonly Danger[]): void {
    for (const danger of dangers) this.#dangers.add(danger);
  }

  get cost(): Cost {
    const { rewrites, scans, reversible } = this;
    const mode = LOCK_MODES[this.#mode];
    return {
      ...(mode && { lock: { mode, on: [...this.#on] } }),
      rewrites,
      scans,
      reversible,
      dangers: [...this.#dangers],
    };
  }
}
