/**
 * What definitions cost, in the words that all languages share. Owns: dangers that every server has, and adding up. Does not: read
 * a definition (sql-postgres, sql-mysql).
 */
import type { DefinitionCost } from '@sluice/contract';

/** Says what goes wrong, and how the same is done without that. */
export interface DangerWords {
  readonly says: string;
  readonly instead: string;
}

export const dangerWords = (says: string, instead: string): DangerWords => ({ says, instead });

/** Those of which the sentences are true of every server. */
export const COMMON_DANGERS = {
  'drops-column': dangerWords(
    'The values are lost, and code that still names the column fails.',
    'Take it out of the code first, and keep a backup of the values.',
  ),
  'drops-table': dangerWords(
    'The rows are lost, and code that still names it fails.',
    'Take it out of the code first, rename it, and drop it some days later.',
  ),
  'drops-database': dangerWords('Everything in it is lost.', 'Keep a backup, and rename it for some days first.'),
  truncates: dangerWords(
    'All rows are lost.',
    'Keep a copy of what may be needed, or DELETE what is meant in batches.',
  ),
  renames: dangerWords(
    'Code that runs now still uses the old name, and fails.',
    'Add the new one beside the old one (a column that is filled, a view), move the code, then drop the old one.',
  ),
} as const satisfies Readonly<Record<string, DangerWords>>;

/** What `sluice policy lint` tells of a statement. */
export interface Finding {
  /** Of the statement, counted from 1. */
  readonly line: number;
  readonly danger: string;
  readonly says: string;
  readonly instead: string;
  readonly lock?: DefinitionCost['lock'];
}

export interface LintReport {
  /** How many statements define something. */
  readonly definitions: number;
  readonly findings: readonly Finding[];
}

/** Reads migrations for one kind of server. */
export interface Linter {
  /** As options name it. */
  readonly dialect: string;
  /** As sentences name it. */
  readonly server: string;
  /** The version that is meant where none is named. */
  readonly version: string;
  readonly dangers: Readonly<Record<string, DangerWords>>;
  /** @throws Error whose message says what cannot be read */
  lint(text: string, version: string): LintReport | Promise<LintReport>;
  /** What is wrong with a version; undefined: nothing. */
  doubt(version: string): string | undefined;
}
