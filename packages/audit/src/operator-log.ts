/** The operator's log on standard error, for machines or people. Owns: its form. Does not: what is said (log.ts). */
import { type Logger, pino } from 'pino';
import { visible } from '@sluice/printable';

/** The operator's log on standard error: JSON for machines, or a line for people. Both hold no secrets: see `Log`. */
export function operatorLog(pretty: boolean, level = process.env['SLUICE_LOG'] ?? 'info'): Logger {
  return pino(
    { level, base: null },
    pretty ? { write: (line: string) => void process.stderr.write(forPeople(line)) } : pino.destination(2),
  );
}

function forPeople(line: string): string {
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
