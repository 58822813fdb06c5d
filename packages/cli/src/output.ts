import { createInterface } from 'node:readline/promises';
import pc from 'picocolors';
import { CliError } from './errors.js';

export type Format = 'table' | 'json';

/** Prints rows as a table with a header, or as JSON. Columns are as wide as their widest cell. */
export function printRows<Row extends object>(
  rows: readonly Row[],
  columns: readonly (keyof Row & string)[],
  format: Format,
): void {
  if (format === 'json') return print(JSON.stringify(rows, null, 2));
  if (rows.length === 0) return print(pc.dim('none'));
  print(
    table(
      columns,
      rows.map((row) => columns.map((column) => cell(row[column]))),
    ),
  );
}

export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, at) => Math.max(width(column), ...rows.map((row) => width(row[at] ?? ''))));
  const line = (cells: readonly string[]): string =>
    cells
      .map((text, at) => text + ' '.repeat(Math.max(0, (widths[at] ?? 0) - width(text))))
      .join('  ')
      .trimEnd();
  return [pc.bold(line(columns.map((column) => column.toUpperCase()))), ...rows.map(line)].join('\n');
}

/** One line of a text that may have many, cut to fit. Control characters become visible: a terminal obeys them. */
export function oneLine(text: string, longest = 100): string {
  const line = printable(text).replaceAll(/\s+/g, ' ').trim();
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line;
}

/** What was recorded came from strangers: escape sequences in it must not reach the terminal. */
export const printable = (text: string): string =>
  text.replaceAll(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g,
    (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );

export const print = (text: string): void => void process.stdout.write(`${text}\n`);
/** Asks on the terminal, and takes y for yes. Without a terminal nobody can be asked. */
export async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new CliError('There is no terminal to ask you on.', 'With --yes it is done without being asked.');
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new Promise<string>((resolve) => asking.once('close', () => resolve('')));
  const answer = await Promise.race([asking.question(`${question} [y/N] `), ended]);
  asking.close();
  return /^y(es)?$/i.test(answer.trim());
}

export const note = (text: string): void => void process.stderr.write(`${text}\n`);

const cell = (value: unknown): string =>
  value === undefined || value === null
    ? ''
    : Array.isArray(value)
      ? value.join(',')
      : typeof value === 'object'
        ? JSON.stringify(value)
        : oneLine(String(value));

const width = (text: string): number => text.replaceAll(/\u001b\[[0-9;]*m/g, '').length;
