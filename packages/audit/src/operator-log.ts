import { type Logger, pino } from 'pino';
import { visible } from '@sluice/printable';
import type { LogFile } from './log-file.js';

/**
 * The operator's log on standard error: JSON for machines, or a line for people. Both hold no secrets: see `Log`.
 *
 * @param file has it as well, in JSON
 */
export function operatorLog(pretty: boolean, level = process.env['SLUICE_LOG'] ?? 'info', file?: LogFile): Logger {
  const write = (line: string): void => {
    process.stderr.write(pretty ? forPeople(line) : line);
    file?.write(line);
  };
  return pino({ level, base: null }, pretty || file ? { write } : pino.destination(2));
}

/** A line of the log in JSON as people read it. */
export function forPeople(line: string): string {
  const { level, time, msg, ...rest } = JSON.parse(line) as { level: number; time: number; msg?: string };
  const details = Object.entries(rest).map(([name, value]) => `${name}=${shown(value)}`);
  const mark = level >= 50 ? 'ERROR ' : level >= 40 ? 'warning ' : '';
  return `${[new Date(time).toISOString().slice(11, 19), mark + visible(msg ?? ''), ...details].join('  ')}\n`;
}

/** In quotes where it could be taken for several details: names come from strangers. */
function shown(value: unknown): string {
  const text = visible(typeof value === 'object' ? JSON.stringify(value) : String(value));
  return /^[^\s"=]*$/.test(text) ? text : `"${text.replaceAll('"', '\\"')}"`;
}
