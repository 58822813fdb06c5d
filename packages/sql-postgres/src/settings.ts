/** What setting a variable means. Owns: which are more than a preference. Pure. */
import type { Effect } from '@sluice/contract';
import { truth } from './ast.js';

/** What a SET, RESET or set_config means. */
export interface SettingFacts {
  readonly effects: readonly Effect[];
  /** The gateway can never let it pass: a sentence. */
  readonly forbidden?: string;
  readonly reason?: string;
}

const SESSION: SettingFacts = { effects: ['session'] };

/** Values are undefined for DEFAULT and RESET, which go back to what the gateway set at the start. */
type SettingText = string | undefined;
type SettingRule = (value: SettingText) => SettingFacts;

const pinned =
  (wanted: string, matches: (value: string) => boolean): SettingRule =>
  (value) =>
    value === undefined || matches(value)
      ? SESSION
      : {
          effects: ['session'],
          forbidden: `The gateway reads statements with ${wanted}, so that setting cannot change.`,
        };

const UTF8 = new Set(['utf8', 'unicode']);
const HARMLESS_LEVELS = new Set(['notice', 'warning', 'error', 'info']);

const forbidden =
  (why: string): SettingRule =>
  (value) =>
    value === undefined ? SESSION : { effects: ['session'], forbidden: why };
const unknown =
  (why: string): SettingRule =>
  (value) =>
    value === undefined ? SESSION : { effects: ['session', 'unknown'], reason: why };
const identity: SettingRule = (value) =>
  value === undefined || value.toLowerCase() === 'none' ? SESSION : { effects: ['grant'] };

/** Settings that are more than a preference. All others are `session`. */
const JUDGES: Readonly<Record<string, SettingRule>> = {
  standard_conforming_strings: pinned('standard_conforming_strings = on', (value) => truth(value) === true),
  client_encoding: pinned('client_encoding = UTF8', (value) =>
    UTF8.has(value.toLowerCase().replaceAll(/[^a-z0-9]/g, '')),
  ),
  names: pinned('client_encoding = UTF8', (value) => UTF8.has(value.toLowerCase().replaceAll(/[^a-z0-9]/g, ''))),
  backslash_quote: forbidden('backslash_quote changes how strings end, so it cannot change behind the gateway.'),
  client_min_messages: (value) =>
    value === undefined || HARMLESS_LEVELS.has(value.toLowerCase())
      ? SESSION
      : {
          effects: ['session'],
          forbidden:
            'At this client_min_messages the server prints statements and plans into messages. Use notice or above.',
        },
  session_replication_role: forbidden('session_replication_role switches triggers and foreign keys off.'),
  role: identity,
  session_authorization: identity,
  session_preload_libraries: unknown('loads code into the server'),
  local_preload_libraries: unknown('loads code into the server'),
  dynamic_library_path: unknown('changes where the server loads code from'),
  lo_compat_privileges: unknown('switches permission checks on large objects off'),
  allow_system_table_mods: unknown('allows changes to the catalog'),
  ignore_system_indexes: unknown('changes how the catalog is read'),
  zero_damaged_pages: unknown('discards damaged data'),
};

/** @param value undefined for DEFAULT and RESET */
export function settingFacts(name: string, value: SettingText): SettingFacts {
  const key = name.toLowerCase();
  if (key.startsWith('debug_')) return forbidden(`${key} makes the server print what it plans and reads.`)(value);
  const judge = Object.hasOwn(JUDGES, key) ? JUDGES[key] : undefined;
  return judge ? judge(value) : SESSION;
}

/** Settings for which the value matters; for all others it does not. */
export const isJudgedSetting = (name: string): boolean =>
  Object.hasOwn(JUDGES, name.toLowerCase()) || name.toLowerCase().startsWith('debug_');
