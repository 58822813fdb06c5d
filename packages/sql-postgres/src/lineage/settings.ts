/** Settings and notifications as places where values are put and found again. Pure. */
import { constant } from '../ast.js';
import type { LineageAnalysis } from './analysis.js';
import type { FunctionCall } from './calls.js';
import { storedIn } from './session.js';
import { NOTHING, type Value, computed, isNothing, unknown } from './value.js';

/** pg_notify(channel, payload). */
export function sendNotification(analysis: LineageAnalysis, { args, nodes }: FunctionCall): Value {
  analysis.moves({ type: 'notification', name: String(constant(nodes[0]) ?? 'any') }, computed(args));
  return NOTHING;
}

/** set_config(name, value, is_local): returns the value, and keeps it. */
export function writeSetting(analysis: LineageAnalysis, { args, nodes }: FunctionCall): Value {
  const value = computed(args, 'derived', 0);
  const name = constant(nodes[0]);
  const content = constant(nodes[1]);
  const setting = typeof name === 'string' ? name.toLowerCase() : undefined;
  analysis.moves({ type: 'setting', name: setting ?? 'any' }, value);
  const local = constant(nodes[2]) === true;
  if (setting !== undefined && !DECISIVE.has(setting) && (setting.includes('.') || !isNothing(value)))
    analysis.effects.push({ type: 'store', name: setting, value, local });
  else if (setting === undefined) {
    analysis.effects.push({ type: 'store', name: '', value, local });
    analysis.effects.push({ type: 'uncertain', reason: 'changes a setting with set_config' });
  } else if (DECISIVE.has(setting) && (typeof content !== 'string' || typeof constant(nodes[2]) !== 'boolean')) {
    analysis.effects.push({ type: 'uncertain', reason: `changes ${setting} with set_config` });
  } else {
    analysis.effects.push({ type: 'setting', name: setting, value: names(setting, String(content)), local });
  }
  return value;
}

/** current_setting(name): what this session put there. */
export function readSetting(analysis: LineageAnalysis, { args, nodes }: FunctionCall): Value {
  const name = constant(nodes[0]);
  return computed(
    [...args, storedValue(analysis, typeof name === 'string' ? name.toLowerCase() : undefined)],
    'derived',
    0,
  );
}

/** @param name undefined for any */
export function storedValue({ session }: LineageAnalysis, name: string | undefined): Value {
  const { overlay } = session;
  const { stored, unread } = overlay;
  if (stored.size === 0 && unread === undefined) return NOTHING;
  if (name !== undefined)
    return computed([storedIn(overlay, name) ?? NOTHING, stored.get('') ?? NOTHING], 'derived', 0);
  return computed([...stored.values(), ...(unread === undefined ? [] : [unknown(unread)])], 'derived', 0);
}

const DECISIVE: ReadonlySet<string> = new Set(['search_path', 'role', 'session_authorization']);

function names(setting: string, content: string): string[] {
  return setting === 'search_path' ? splitSearchPath(content) : [content];
}

/** SplitIdentifierString (varlena.c): names separated by commas, folded unless they are quoted. */
export function splitSearchPath(text: string): string[] {
  const parts = text.matchAll(/\s*(?:"((?:[^"]|"")*)"|([^,"\s]+))\s*(?:,|$)/g);
  return Array.from(parts, ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain?.toLowerCase() ?? '');
}
