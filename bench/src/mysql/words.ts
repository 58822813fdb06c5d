/**
 * `pnpm fuzz mysql-words [--programs FILE,FILE]`: asks MySQL and MariaDB which words can be no names and which functions they have built
 * in, and writes packages/sql-mysql/src/*.generated.ts. Names of functions come from the tables that there are, from the servers, and from
 * whatever looks like one in the programs of the servers.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MySqlFlavour } from '@sluice/testkit';
import type { Reader } from './server.js';

const FOLDER = join(import.meta.dirname, '../../../packages/sql-mysql/src');
const KEYWORDS_FILE = join(FOLDER, 'keywords.generated.ts');
const FUNCTIONS_FILE = join(FOLDER, 'functions.generated.ts');

/** How a function can be called: with some number of arguments, and as those are that have words between theirs. */
const SHAPES = [
  '()',
  '(1)',
  '(1,1)',
  '(1,1,1)',
  '(1,1,1,1)',
  '(a)',
  "('a')",
  "('a',1)",
  "(1,'$')",
  '(distinct 1)',
  '() over ()',
  '(1) over ()',
  '(1,1) over ()',
  '(0.5) within group (order by 1) over ()',
  "(day from '2020-01-01')",
  "(day,1,'2020-01-01')",
  "('2020-01-01',interval 1 day)",
  "(date,'EUR')",
  '(1 as char)',
  '(1 in (1))',
  '(1 using utf8mb4)',
];

/** No function of that name: ER_SP_DOES_NOT_EXIST, ER_FUNC_INEXISTENT_NAME_COLLISION; the text is wrong; no database. */
const NO_FUNCTION: ReadonlySet<number> = new Set([1305, 1630, 1064, 1149, 1046]);

/** Words of the grammar that take parentheses, and functions that serve the server's own views alone. */
const NO_FUNCTIONS =
  /^(ALL|BINARY|CHARACTER|DISTINCT|DISTINCTROW|HIGH_PRIORITY|NOT|STRAIGHT_JOIN|UNIQUE|MATCH|DEFAULT|ROW|DIV|JSON_TABLE|CONVERT_CPU_ID_MASK|CONVERT_INTERVAL_TO_USER_INTERVAL|VERSION_WITH_UPDATE|CURRENT_(ROLE|USER)_IN|SQL_.*|INTERNAL_.*|GET_DD_.*|GET_JDV.*|CAN_ACCESS_.*|REMOVE_DD.*|IS_VISIBLE_DD.*)$/;

export async function writeWords(readers: readonly Reader[], programs: readonly string[]): Promise<string> {
  const names = new Set([...namesIn(FUNCTIONS_FILE), ...programs.flatMap(namesIn)]);
  const reserved = new Map<MySqlFlavour, string[]>();
  const functions = new Map<MySqlFlavour, string[]>();
  for (const reader of readers) {
    await reader.run('CREATE TABLE IF NOT EXISTS words (a INT)');
    const keywords = await reader.words();
    reserved.set(reader.flavour, await among(keywords, async (word) => !(await isName(reader, word))));
    const candidates = [...new Set([...names, ...keywords])].filter((name) => !NO_FUNCTIONS.test(name));
    functions.set(reader.flavour, await among(candidates, (name) => isFunction(reader, name)));
  }
  writeFileSync(KEYWORDS_FILE, keywordsText(reserved));
  writeFileSync(FUNCTIONS_FILE, functionsText(functions));
  return [...reserved]
    .map(([flavour, words]) => `${flavour}: ${words.length} words, ${functions.get(flavour)?.length} functions`)
    .join('\n');
}

/** Whatever could be the name of a function, in upper case. */
const namesIn = (file: string): string[] =>
  Array.from(
    readFileSync(file, 'latin1').matchAll(/(?<!\w)([A-Z][A-Z0-9_]{1,60}|[a-z][a-z0-9_]{1,60})(?!\w)/g),
    ([name]) => name.toUpperCase(),
  );

async function among(words: readonly string[], holds: (word: string) => Promise<boolean>): Promise<string[]> {
  const found: string[] = [];
  for (const word of words.toSorted()) if (await holds(word)) found.push(word);
  return found;
}

const isName = async (reader: Reader, word: string): Promise<boolean> =>
  (await reader.takes(`SELECT 1 AS ${word}`)) || (await reader.takes(`SELECT 1 FROM words ${word}`));

async function isFunction(reader: Reader, name: string): Promise<boolean> {
  for (const shape of SHAPES) {
    const error = await reader.error(`SELECT ${name}${shape} FROM words`);
    if (error === undefined || !NO_FUNCTION.has(error)) return true;
  }
  return false;
}

const BY = 'MySQL 9.7 and MariaDB 10.11 were asked. Made by `pnpm fuzz mysql-words`: do not edit.';

function keywordsText(words: ReadonlyMap<MySqlFlavour, readonly string[]>): string {
  const sets = [...words].map(
    ([flavour, list]) =>
      `export const ${flavour.toUpperCase()}_RESERVED: ReadonlySet<string> = new Set(\n  \`${wrapped(list)}\`.split(/\\s+/),\n);\n`,
  );
  return `/** Words that can be no names. ${BY} */\n\n${sets.join('\n')}`;
}

function functionsText(functions: ReadonlyMap<MySqlFlavour, readonly string[]>): string {
  const sets = [...functions].map(
    ([flavour, list]) =>
      `export const ${flavour.toUpperCase()}_FUNCTIONS: ReadonlySet<string> = new Set(\n  \`${wrapped(list.map((name) => name.toLowerCase()))}\`.split(/\\s+/),\n);\n`,
  );
  return `/** Functions that the servers have built in; which are harmless is for functions.ts. ${BY} */\n\n${sets.join('\n')}`;
}

const MAX_COLUMNS = 118;

function wrapped(words: readonly string[]): string {
  const lines = [''];
  for (const word of words) {
    const line = lines.at(-1) ?? '';
    if (line.length + word.length >= MAX_COLUMNS) lines.push(word);
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return lines.join('\n  ');
}
