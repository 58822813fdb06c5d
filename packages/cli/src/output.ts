/**
 * The only way from this program to a terminal. Owns: cleaning whatever is printed, colours, tables, a question. Does not:
 * recorded screens, which go through terminal.ts.
 */
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline/promises';
import pc from 'picocolors';
import { CliError } from './errors.js';
import { readInput } from './input.js';
import { printable, printableJson, printableLine } from '@sluice/printable';

export type OutputFormat = 'table' | 'json';

/**
 * Stands before each colour that this program asks for. Everything that is printed is cleaned, and texts of others are a part
 * of it: they cannot hold a colour of their own, since they do not know this number.
 */
const MARK = `\u001b${randomBytes(8).toString('hex')}`;
const MARKED = new RegExp(`${MARK}(\\[\\d+m)`);

const painter =
  (on: number, off: number) =>
  (text: string): string =>
    `${MARK}[${on}m${text}${MARK}[${off}m`;

/** Select Graphic Rendition (ECMA-48, section 8.3.117), for `print` and `note` only. */
export const paint = {
  bold: painter(1, 22),
  dim: painter(2, 22),
  red: painter(31, 39),
  green: painter(32, 39),
  yellow: painter(33, 39),
  cyan: painter(36, 39),
};

/** What a terminal is given: the text without what it would obey, the marked colours if it has any. */
function rendered(text: string): string {
  // A split by a pattern with a group has the text and the colours in turn.
  return text
    .split(MARKED)
    .map((part, at) => (at % 2 === 0 ? printable(part) : pc.isColorSupported ? `\u001b${part}` : ''))
    .join('');
}

/** Prints a line, or several, to standard output. Texts of others may be in it as they came. */
export const print = (text: string): void => void process.stdout.write(`${rendered(text)}\n`);
/** The same to standard error. */
export const note = (text: string): void => void process.stderr.write(`${rendered(text)}\n`);
/** Prints a value as JSON, for programs: over several lines, or on one. */
export const printJson = (value: unknown, layout: 'lines' | 'line' = 'lines'): void =>
  void process.stdout.write(`${printableJson(JSON.stringify(value, null, layout === 'lines' ? 2 : undefined))}\n`);
/** Prints documents in JSON that somebody else wrote, as they are but for characters that a terminal would obey. */
export const printJsonText = (json: string): void => void process.stdout.write(printableJson(json));

/** Prints rows as a table with a header, or as JSON. Columns are as wide as their widest cell. */
export function printRows<Row extends object>(
  rows: readonly Row[],
  columns: readonly (keyof Row & string)[],
  format: OutputFormat,
): void {
  if (format === 'json') return printJson(rows);
  if (rows.length === 0) return print(paint.dim('none'));
  print(
    table(
      columns,
      rows.map((row) => columns.map((column) => cell(row[column]))),
    ),
  );
}

/** `lastUsed` is headed LAST USED. */
const head = (column: string): string => column.replaceAll(/(?<=[a-z])(?=[A-Z])/g, ' ').toUpperCase();

export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const heads = columns.map(head);
  const widths = heads.map((column, at) => Math.max(width(column), ...rows.map((row) => width(row[at] ?? ''))));
  const line = (cells: readonly string[]): string =>
    cells
      .map((text, at) => text + ' '.repeat(Math.max(0, (widths[at] ?? 0) - width(text))))
      .join('  ')
      .trimEnd();
  return [paint.bold(line(heads)), ...rows.map(line)].join('\n');
}

/** One line of a text that may have many, cut to at most `length` characters. */
export function oneLine(text: string, length = 100): string {
  // Only the start is cleaned: a text of megabytes is shown by its first hundred characters.
  const line = printableLine(text.slice(0, 4 * length));
  return line.length > length || text.length > 4 * length ? `${line.slice(0, length - 1)}…` : line;
}

const cell = (value: unknown): string => {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return oneLine(value.join(','));
  return oneLine(typeof value === 'object' ? JSON.stringify(value) : String(value));
};

/** Asks on the terminal, and takes y for yes. Without a terminal nobody can be asked. */
export async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY)
    throw new CliError('There is no terminal to ask you on.', 'With --yes it is done without being asked.');
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const ended = new Promise<string>((resolve) => asking.once('close', () => resolve('')));
  const answer = await Promise.race([asking.question(`${printableLine(question)} [y/N] `), ended]);
  asking.close();
  return /^y(es)?$/i.test(answer.trim());
}

const width = (text: string): number =>
  text.split(MARKED).reduce((sum, part, at) => sum + (at % 2 === 0 ? part.length : 0), 0);

/** What somebody types in answer to a question, or what comes by standard input where nobody is there to ask. */
export async function answered(question: string): Promise<string> {
  if (!process.stdin.isTTY) return readInput('-').trim();
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await terminal.question(question)).trim();
  } finally {
    terminal.close();
  }
}
