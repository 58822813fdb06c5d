/**
 * The programs that an agent may run: servers of MCP that speak over their input and output. Owns: reading the list of command lines. Does
 * not: run one (program.ts), or say to whom it speaks (program-session.ts).
 */
import { accessSync, constants, statSync } from 'node:fs';
import { isAbsolute, normalize } from 'node:path';

/** One line of the list. */
export interface ProgramLine {
  readonly name: string;
  /** An absolute path. */
  readonly file: string;
  readonly args: readonly string[];
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
}

const NAME = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s;
const FROM_AGENT = /^env:([A-Za-z_][A-Za-z0-9_]*)$/;

/**
 * Exact command lines, whatever the gateway asks for. One program a line, `#` starts a comment:
 *
 *     files   /usr/local/bin/mcp-files /srv/shared
 *     tickets TZ=UTC env:TICKETS_TOKEN /usr/bin/node "/opt/our tools/tickets.js"
 *
 * First its name, then what of an environment it gets (a value, or a variable that the agent itself has), then the program by an absolute
 * path, and its arguments. Words are split at blanks; one in double quotes is read as a string of JSON. There is no shell: nothing is
 * expanded, and nothing else of the agent's environment goes along.
 */
export class Programs {
  readonly #lines = new Map<string, ProgramLine>();

  /**
   * @param environment where `env:NAME` is looked up
   * @throws Error with the number of a line that cannot be read or run, and what is wrong with it
   */
  constructor(text: string, environment: Readonly<Record<string, string | undefined>> = process.env) {
    for (const [at, line] of text.split('\n').entries())
      try {
        const words = wordsOf(line);
        if (words.length === 0) continue;
        const program = readLine(words, environment);
        if (this.#lines.has(program.name)) throw new Error(`there is a program "${program.name}" already`);
        this.#lines.set(program.name, program);
      } catch (error) {
        throw new Error(`line ${at + 1} of the programs: ${(error as Error).message}`, { cause: error });
      }
  }

  /** Each as it is told to people and to the gateway: without its arguments and its environment, where secrets may be. */
  get lines(): string[] {
    return Array.from(this.#lines.values(), ({ name, file }) => `the program ${name} (${file})`);
  }

  find(name: string): ProgramLine | undefined {
    return this.#lines.get(name);
  }
}

/** @throws Error for what could be read in two ways */
function wordsOf(line: string): string[] {
  const words: string[] = [];
  const one = /\s*(?:#.*$|("(?:[^"\\]|\\.)*")(?=\s|$)|([^\s"#][^\s"]*)(?=\s|$)|(\S))/gy;
  for (let found = one.exec(line); found; found = one.exec(line)) {
    const [, quoted, bare, other] = found;
    if (other !== undefined)
      throw new Error(`a word with quotes in it is no word: put all of it in double quotes, from "${other}" on`);
    if (quoted !== undefined) words.push(quotedWord(quoted));
    else if (bare !== undefined) words.push(bare);
  }
  return words;
}

function quotedWord(text: string): string {
  try {
    return JSON.parse(text) as string;
  } catch {
    throw new Error(`${text} is no string of JSON`);
  }
}

function readLine(
  [name = '', ...rest]: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): ProgramLine {
  if (!NAME.test(name)) throw new Error(`"${name}" is no name of a program: write letters, digits, ".", "_" and "-"`);
  const env: Record<string, string> = Object.create(null) as Record<string, string>;
  const at = rest.findIndex((word) => !VARIABLE.test(word) && !FROM_AGENT.test(word));
  for (const word of at < 0 ? rest : rest.slice(0, at)) {
    const [, own] = FROM_AGENT.exec(word) ?? [];
    const [, variable = own ?? '', value = environment[variable]] = VARIABLE.exec(word) ?? [];
    if (value === undefined) throw new Error(`the agent has no variable ${variable} in its environment`);
    env[variable] = value;
  }
  const [file, ...args] = at < 0 ? [] : rest.slice(at);
  if (file === undefined) throw new Error(`"${name}" has no command line behind it`);
  if (!isAbsolute(file) || normalize(file) !== file)
    throw new Error(`"${file}" is no absolute path of a program: nothing is looked up in PATH`);
  if ([file, ...args, ...Object.values(env)].some((word) => word.includes('\0')))
    throw new Error('a word has a NUL in it');
  checkRunnable(file);
  return { name, file, args, env };
}

function checkRunnable(file: string): void {
  try {
    accessSync(file, constants.X_OK);
  } catch {
    throw new Error(`${file} is not there, or cannot be run by this user`);
  }
  if (!statSync(file).isFile()) throw new Error(`${file} is no file`);
}
