/** Files that a command is given by name. Owns: what is said of one that cannot be read. Does not: know what is in them. */
import { readFileSync } from 'node:fs';
import { CliError } from './errors.js';

/** Why, for the errors that people meet; others have their name. */
const WHY: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'you may not read it',
  EISDIR: 'it is a folder',
};

/**
 * The text of a file, or of standard input where the name is "-".
 *
 * @throws CliError with the name and the reason
 */
export function readInput(name: string): string {
  try {
    return readFileSync(name === '-' ? 0 : name, 'utf8');
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    throw new CliError(`${name} cannot be read: ${WHY[code] ?? (code || String(error))}.`);
  }
}
