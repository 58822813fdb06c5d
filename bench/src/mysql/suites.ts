/**
 * Statements out of the test suites of MariaDB and MySQL. Owns: where a statement ends in a script of mysqltest. Does not: which
 * server takes it.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Longer ones are data of a test rather than grammar. Characters. */
const MAX_STATEMENT_CHARACTERS = 20_000;

/** Distinct statements of all scripts below a folder. */
export function statementsBelow(folder: string): string[] {
  const found = new Set<string>();
  for (const file of globSync('**/*.{test,inc}', { cwd: folder })) {
    const text = readFileSync(join(folder, file), 'utf8');
    // Scripts in other character sets are about those.
    if (text.includes('\ufffd')) continue;
    for (const command of commandsOf(text)) {
      const statement = command.replace(/^(eval|send|send_eval|query_vertical|query_horizontal|query)\s+/i, '');
      if (isStatement(statement)) found.add(statement);
    }
  }
  return [...found];
}

/** Neither a command of mysqltest nor a text with its variables in it. */
function isStatement(text: string): boolean {
  if (text.length > MAX_STATEMENT_CHARACTERS || /\$[a-z_]/i.test(text)) return false;
  const first = text.startsWith('(') ? '(' : /^(?:\/\*[^]*?\*\/\s*)*([a-z]+)/i.exec(text)?.[1];
  return first !== undefined && VERBS.has(first.toUpperCase());
}

/** The commands of a script, without what delimits them. */
function* commandsOf(text: string): Generator<string> {
  let delimiter = ';';
  let at = 0;
  while (at < text.length) {
    const white = /\s/.test(text[at] ?? '');
    const lineEnd = endOfLine(text, at);
    if (white || text[at] === '{' || text[at] === '}') at++;
    else if (text[at] === '#') at = lineEnd;
    else if (text.startsWith('--', at)) {
      delimiter = newDelimiter(text.slice(at + 2, lineEnd)) ?? delimiter;
      at = lineEnd;
    } else {
      const end = commandEnd(text, at, delimiter);
      const command = text.slice(at, end).trim();
      const isBlock = text[end] === '{';
      at = end + (isBlock ? 1 : delimiter.length);
      const given = newDelimiter(command);
      if (given !== undefined) delimiter = given;
      else if (/^(perl|write_file|append_file)\b/i.test(command)) at = behindDocument(text, at);
      else if (!isBlock) yield command;
    }
  }
}

const newDelimiter = (command: string): string | undefined => /^delimiter\s+(\S+)/i.exec(command.trim())?.[1];

function endOfLine(text: string, from: number): number {
  const end = text.indexOf('\n', from);
  return end < 0 ? text.length : end;
}

function behindDocument(text: string, from: number): number {
  const end = text.indexOf('\nEOF', from);
  return end < 0 ? text.length : end + 4;
}

/** Where the delimiter stands, or the brace of a loop. */
function commandEnd(text: string, from: number, delimiter: string): number {
  let quote = '';
  const isLoop = /^(while|if)\b/i.test(text.slice(from, from + 6));
  for (let at = from; at < text.length; at++) {
    const sign = text[at] as string;
    if (quote !== '') {
      if (sign === '\\' && quote !== '`') at++;
      else if (sign === quote) quote = '';
    } else if (`'"\``.includes(sign)) quote = sign;
    else if (text.startsWith(delimiter, at) || (isLoop && sign === '{')) return at;
    else if (sign === '#' || (text.startsWith('--', at) && /\s/.test(text[at + 2] ?? ' '))) at = endOfLine(text, at);
  }
  return text.length;
}

const VERBS: ReadonlySet<string> = new Set(
  `( SELECT INSERT REPLACE UPDATE DELETE WITH VALUES TABLE CREATE ALTER DROP TRUNCATE RENAME SET SHOW EXPLAIN DESCRIBE DESC ANALYZE
   PREPARE EXECUTE DEALLOCATE CALL DO HANDLER USE BEGIN START COMMIT ROLLBACK SAVEPOINT RELEASE XA LOCK UNLOCK GRANT REVOKE FLUSH
   RESET OPTIMIZE REPAIR CHECK CHECKSUM LOAD KILL PURGE SIGNAL RESIGNAL GET INSTALL UNINSTALL CHANGE STOP CACHE BINLOG HELP CLONE
   IMPORT`.split(/\s+/),
);
