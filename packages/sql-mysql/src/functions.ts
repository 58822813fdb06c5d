/**
 * Which functions a statement may call without anybody having to vouch for them. Owns: what each built-in function can do besides
 * computing. Does not: whether a call can mean a built-in one (calls.ts), which functions there are (functions.generated.ts).
 */
import type { Effect } from '@sluice/contract';
import { MARIADB_FUNCTIONS, MYSQL_FUNCTIONS } from './functions.generated.js';
import type { SqlReading } from './reading.js';
import type { FunctionCall } from './tree.js';

export interface CallFacts {
  readonly effects: readonly Effect[];
  /** A phrase, when it is not known to be harmless. */
  readonly reason?: string;
}

const HARMLESS: CallFacts = { effects: [] };
const SESSION: CallFacts = { effects: ['session'] };

/** Built-in functions that do more than compute, and why. First match counts. */
const DANGEROUS: readonly (readonly [RegExp, readonly Effect[], string])[] = [
  [/^load_file$/, ['transfer'], 'reads a file of the database host'],
  [
    /^(master_pos_wait|source_pos_wait|master_gtid_wait|wait_for_executed_gtid_set|binlog_gtid_pos|wsrep_.*)$/,
    ['execute'],
    'belongs to replication',
  ],
  [/^asynchronous_connection_failover_/, ['execute'], 'configures replication'],
  [/^innodb_/, ['execute'], 'configures the server'],
];

/** What it changes ends with the session. */
const CHANGES_SESSION: ReadonlySet<string> = new Set(['get_lock', 'release_lock', 'release_all_locks']);

/** Forms of the grammar that look like calls. */
const SYNTAX: ReadonlySet<string> = new Set(['values', 'value', 'interval', 'column_get']);

/** Functions that MySQL has no longer: they became part of something that has to be installed. */
const MYSQL_UNTIL: Readonly<Record<string, number>> = { md5: 90600, sha: 90600, sha1: 90600 };

export function callFacts({ name, schema, native }: FunctionCall, reading: SqlReading): CallFacts {
  const written = schema === undefined ? name : `${schema}.${name}`;
  if (!native || schema !== undefined || !isBuiltIn(name, reading)) {
    return { effects: ['execute', 'unknown'], reason: `calls ${written}, which is no built-in function` };
  }
  for (const [pattern, effects, what] of DANGEROUS) {
    if (pattern.test(name)) return { effects: [...effects, 'unknown'], reason: `calls ${written}, which ${what}` };
  }
  return CHANGES_SESSION.has(name) ? SESSION : HARMLESS;
}

function isBuiltIn(name: string, { flavour, version }: SqlReading): boolean {
  if (SYNTAX.has(name)) return true;
  if (flavour === 'mariadb') return MARIADB_FUNCTIONS.has(name);
  const until = Object.hasOwn(MYSQL_UNTIL, name) ? MYSQL_UNTIL[name] : undefined;
  return until === undefined ? MYSQL_FUNCTIONS.has(name) : version < until;
}
