/**
 * What a SET means. Owns: which variables are more than a preference. Does not: how the session follows them.
 */
import type { Effect } from '@sluice/contract';
import { type SqlReading, isForeignMode, isUnsafeCharset } from './reading.js';
import type { SetFor } from './tree.js';

/** Settings that decide how a text is read. */
const READING: ReadonlySet<string> = new Set(['sql_mode', 'character_set_client', 'collation_connection']);

/** SET STATEMENT has been read before its settings count, and a text in it is read by them. */
export const readsAnew = ({ items, statement }: SetFor): boolean =>
  /^(?:prepare|execute|set for)$/.test(statement.kind) &&
  items.some((one) => one.kind === 'names' || (one.kind === 'setting' && READING.has(one.name.toLowerCase())));
export const READS_ANEW = 'has a text that is read by other settings than the session has';

export interface SettingFacts {
  readonly effects: readonly Effect[];
  /** The gateway can never let it pass: a sentence. */
  readonly forbidden?: string;
  readonly reason?: string;
}

/** `undefined` for DEFAULT, `null` for a value that only the server can tell. */
export type SettingValue = string | undefined | null;

export type VariableScope = 'session' | 'global' | 'persist' | 'persist only';

const SESSION: SettingFacts = { effects: ['session'] };
const unknown = (reason: string): SettingFacts => ({ effects: ['session', 'unknown'], reason });
const forbidden = (sentence: string): SettingFacts => ({ effects: ['session'], forbidden: sentence });

type SettingRule = (value: SettingValue, reading: SqlReading) => SettingFacts;

const isOff = (value: SettingValue): boolean =>
  value === undefined || /^(0|off|false|enabled=off|)$/i.test(value ?? 'on');

const unlessOn =
  (reason: string): SettingRule =>
  (value) =>
    typeof value === 'string' && /^(1|on|true)$/i.test(value) ? SESSION : unknown(reason);
const unlessOff =
  (reason: string): SettingRule =>
  (value) =>
    isOff(value) ? SESSION : unknown(reason);
const always =
  (reason: string): SettingRule =>
  (value) =>
    value === undefined ? SESSION : unknown(reason);

const charset: SettingRule = (value) =>
  typeof value === 'string' && isUnsafeCharset(value.toLowerCase())
    ? forbidden(`Texts in the character set ${value.toLowerCase()} cannot be read by the gateway: use utf8mb4.`)
    : SESSION;

const sqlMode: SettingRule = (value, { flavour }) => {
  const foreign = typeof value === 'string' && flavour === 'mariadb' ? foreignMode(value) : undefined;
  return foreign === undefined
    ? SESSION
    : forbidden(`In sql_mode ${foreign} the server reads another grammar, which the gateway does not read.`);
};

const foreignMode = (value: string): string | undefined =>
  value
    .toUpperCase()
    .split(',')
    .map((one) => one.trim())
    .find(isForeignMode);

const traced: SettingRule = (value) =>
  isOff(value) ? SESSION : forbidden('The trace of the optimizer keeps values of rows, so it cannot be switched on.');
const REPLICATION = always('changes what the server writes for its replicas');

/** Settings that are more than a preference. All others are `session`. */
const JUDGES: Readonly<Record<string, SettingRule>> = {
  sql_mode: sqlMode,
  character_set_client: charset,
  optimizer_trace: traced,
  debug: always('switches on what only developers of the server need'),
  debug_dbug: always('switches on what only developers of the server need'),
  debug_sync: always('switches on what only developers of the server need'),
  sql_log_bin: unlessOn('keeps changes out of the binary log'),
  sql_log_off: unlessOff('keeps statements out of the general log'),
  gtid_next: REPLICATION,
  gtid_domain_id: REPLICATION,
  gtid_seq_no: REPLICATION,
  server_id: REPLICATION,
  pseudo_replica_mode: REPLICATION,
  pseudo_slave_mode: REPLICATION,
  binlog_format: REPLICATION,
  original_commit_timestamp: REPLICATION,
  original_server_version: REPLICATION,
  skip_replication: REPLICATION,
  proxy_user: always('changes whose rights count'),
  restrict_fk_on_non_standard_key: unlessOn('weakens foreign keys'),
};

export function settingFacts(
  scope: VariableScope,
  name: string,
  value: SettingValue,
  reading: SqlReading,
): SettingFacts {
  if (scope !== 'session')
    return { effects: ['grant', 'unknown'], reason: `changes the configuration of the server (${name})` };
  const judge = Object.hasOwn(JUDGES, name) ? JUDGES[name] : undefined;
  return judge ? judge(value, reading) : SESSION;
}

/** SET NAMES and SET CHARACTER SET; DEFAULT is what the server was started with. */
export const namesFacts = (name: string | undefined, reading: SqlReading): SettingFacts => charset(name, reading);
