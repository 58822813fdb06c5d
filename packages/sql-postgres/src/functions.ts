/** What calling a function does, by its name. Owns: the lists. Pure. */
import type { Effect, Resource } from '@sluice/contract';
import { LARGE_OBJECT_FUNCTIONS } from './large-objects.js';
import { TRUSTED_FUNCTIONS } from './trusted-functions.js';

/** What calling a function means. `reason` says why a call is not known to be harmless. */
export interface CallFacts {
  readonly effects: readonly Effect[];
  /** The table that it works on, and how. */
  readonly table?: Pick<Resource, 'name' | 'access'>;
  readonly reason?: string;
}

const HARMLESS: CallFacts = { effects: [] };

/** Functions of the server that do what no query should do unseen, by what they do. */
const DANGEROUS: readonly (readonly [RegExp, readonly Effect[], string])[] = [
  [/^lo_(import|export)$/, ['transfer'], 'reads or writes a file of the database host'],
  [
    /^(pg_read_.*|pg_ls_.*|pg_stat_file|pg_file_.*|pg_current_logfile)$/,
    ['transfer', 'secret'],
    'reaches files of the database host',
  ],
  [/^dblink/, ['egress', 'execute'], 'runs statements on another server'],
  [/^(query|table|schema|database|cursor)_to_xml/, ['read'], 'reads tables that are named in a text'],
  [
    /^(ts_stat|ts_rewrite|crosstab.*|connectby|xpath_table)$/,
    ['read', 'execute'],
    'runs a query that is given as a text',
  ],
  [
    /^(pg_terminate_backend|pg_cancel_backend|pg_reload_conf|pg_rotate_logfile.*|pg_promote)$/,
    ['execute'],
    'controls other sessions or the server',
  ],
  [
    /^(pg_logical_.*|pg_replication_.*|pg_create_.*|pg_copy_.*|pg_drop_.*|pg_switch_wal|pg_backup_.*|pg_sync_.*|pg_wal_replay_.*|pg_walinspect.*)$/,
    ['execute'],
    'belongs to replication and backups',
  ],
  [/^(setval|pg_stat_reset.*|pg_restore_.*|pg_clear_.*|pg_import_.*)$/, ['write'], 'changes state that no table shows'],
];

/** Helpers of the information schema, which drivers call to read keys. */
const INFORMATION_SCHEMA = new Set([
  '_pg_expandarray',
  '_pg_index_position',
  '_pg_truetypid',
  '_pg_truetypmod',
  '_pg_char_max_length',
  '_pg_numeric_precision',
  '_pg_numeric_scale',
  '_pg_datetime_precision',
]);

/**
 * Judges a call by the identity of its function.
 *
 * @param name as written: `[function]` or `[schema, function]`
 */
export function callFacts(name: readonly string[]): CallFacts {
  const plain = name.at(-1) ?? '';
  const schema = name.length > 1 ? name.at(-2) : undefined;
  if (schema === 'information_schema' && INFORMATION_SCHEMA.has(plain)) return HARMLESS;
  const builtIn = schema === undefined || schema === 'pg_catalog';
  if (builtIn && TRUSTED_FUNCTIONS.has(plain)) return HARMLESS;
  const ofLargeObjects = builtIn ? LARGE_OBJECT_FUNCTIONS.get(plain) : undefined;
  if (ofLargeObjects) return ofLargeObjects;
  for (const [pattern, effects, what] of DANGEROUS) {
    if (pattern.test(plain))
      return { effects: [...effects, 'unknown'], reason: `calls ${name.join('.')}, which ${what}` };
  }
  return {
    effects: ['execute', 'unknown'],
    reason: `calls ${name.join('.')}, which is not on the list of trusted functions`,
  };
}
