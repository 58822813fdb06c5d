import { type Logger, pino } from 'pino';
import { printable } from '@sluice/cli';

/** The operator's log on standard error: JSON for machines, or a line for people. Both hold no secrets: see `Log`. */
export function operatorLog(pretty: boolean, level = process.env['SLUICE_LOG'] ?? 'info'): Logger {
  return pino(
    { level, base: null },
    pretty ? { write: (line: string) => void process.stderr.write(forPeople(line)) } : pino.destination(2),
  );
}

function forPeople(line: string): string {
  const { level, time, msg, ...rest } = JSON.parse(line) as { level: number; time: number; msg?: string };
  const details = Object.entries(rest).map(([name, value]) => `${name}=${String(value)}`);
  const mark = level >= 50 ? 'ERROR ' : level >= 40 ? 'warning ' : '';
  return `${printable([new Date(time).toISOString().slice(11, 19), mark + (msg ?? ''), ...details].join('  '))}\n`;
}
