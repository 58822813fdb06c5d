/** The operator's log on standard error, for machines or people. Owns: its form. Does not: what is said (log.ts). */
import { type Logger, pino } from 'pino';
import { visible } from '@sluice/printable';
import type { LogFile } from './log-file.js';
import { standardError } from './standard-error.js';

/**
 * The operator's log on standard error: JSON for machines, or a line for people. Both hold no secrets: see `Log`.
 *
 * @param level what is shown of it
 * @param file has it as well, in JSON, and all that is worth knowing
 */
export function operatorLog(pretty: boolean, level = process.env['SLUICE_LOG'] ?? 'info', file?: LogFile): Logger {
  const toStandardError = standardError();
  const show = (line: string): void => toStandardError(pretty ? forPeople(line) : line);
  if (!file) return pino({ level, base: null }, { write: show });
  const least = pino.levels.values[level] ?? Infinity;
  const write = (line: string): void => {
    if ((JSON.parse(line) as { level: number }).level >= least) show(line);
    file.write(line);
  };
  return pino({ level: least > INFO ? 'info' : level, base: null }, { write });
}

const INFO = pino.levels.values['info'] ?? 0;

/** A line of the log in JSON as people read it. */
export function forPeople(line: string): string {
  const { level, time, msg, ...rest } = JSON.parse(line) as { level: number; time: number; msg?: string };
  const details = Object.entries(rest).map(([name, value]) => `${name}=${shownValue(value)}`);
  const mark = level >= 50 ? 'ERROR ' : level >= 40 ? 'warning ' : '';
  return `${[new Date(time).toISOString().slice(11, 19), mark + visible(msg ?? ''), ...details].join('  ')}\n`;
}

/** In quotes where it could be taken for several details: names come from strangers. */
function shownValue(value: unknown): string {
  const text = visible(typeof value === 'object' ? JSON.stringify(value) : String(value));
  return /^[^\s"=]*$/.test(text) ? text : `"${text.replaceAll('"', '\\"')}"`;
}
