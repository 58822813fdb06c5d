/**
 * How a value is written within a command that a model proposes. Owns: which quotes its place is in, and what ends them. Does not: judge the
 * command, which happens with the value in it.
 */
import type { ToolArgument } from '../settings.js';

/** Signs that no language here reads as anything but a part of a word, of a quoted text or of a name. */
const PLAIN = /^[A-Za-z0-9@._+]+(?:-[A-Za-z0-9@._+]+)*$/;

/** What stands before is looked through for each value, of which there may be as many as fit. */
const MAX_COMMAND_CHARACTERS = 16 * 1024;

/**
 * The value as it is written at this place of the text; undefined: nobody can say how, and its token stays. `at`: where the token stands.
 */
export function inCommand(
  value: string,
  text: string,
  at: number,
  language: ToolArgument['language'],
): string | undefined {
  if (PLAIN.test(value)) return value;
  if (text.length > MAX_COMMAND_CHARACTERS) return undefined;
  const before = text.slice(0, at);
  return language.type === 'sql' ? inSql(value, before) : inShell(value, before);
}

/**
 * Within plain quotes, and nowhere else, whatever dialect reads it: with a backslash its meaning hangs on settings, and so does that of a
 * quote behind a backslash or a sharp sign.
 */
function inSql(value: string, before: string): string | undefined {
  if (value.includes('\\') || value.includes('\0')) return undefined;
  const isQuoted = [true, false].every((escapes) => quoteInSql(before, escapes) === "'");
  return isQuoted ? value.replaceAll("'", "''") : undefined;
}

const SQL_TOKEN = /--[^\n]*|#[^\n]*|\/\*|\$[A-Za-z_0-9]*\$|[eE]'|'|"|`|[A-Za-z0-9_]+|[^]/g;
/** A comment of one dialect that is none of another, or that ends earlier there. */
const UNSURE_COMMENT = /^--[^\s]|\r/;

/**
 * The quote that is open at the end; undefined: none, or one in which a quote is written in another way. `escapes`: as dialects read it that have
 * backslashes in quotes, and comments behind a sharp sign.
 */
function quoteInSql(before: string, escapes: boolean): string | undefined {
  SQL_TOKEN.lastIndex = 0;
  for (let found = SQL_TOKEN.exec(before); found; found = SQL_TOKEN.exec(before)) {
    const [token] = found;
    if (token.startsWith('#') && !escapes) SQL_TOKEN.lastIndex = found.index + 1;
    else if (/^(?:--|#)/.test(token)) {
      if (SQL_TOKEN.lastIndex === before.length || UNSURE_COMMENT.test(token)) return undefined;
    } else if (token === '/*' || token.startsWith('$')) return undefined;
    else if (/^[eE]?['"`]$/.test(token)) {
      const quote = token.at(-1) as string;
      const end = endOfQuote(before, SQL_TOKEN.lastIndex, quote, (escapes && quote !== '`') || token.length > 1);
      if (end === undefined) return token === "'" ? quote : undefined;
      SQL_TOKEN.lastIndex = end;
    }
  }
  return undefined;
}

/** Behind the end of a quoted text; undefined: it is open. */
function endOfQuote(text: string, from: number, quote: string, escapes: boolean): number | undefined {
  for (let at = from; at < text.length; at++) {
    if (escapes && text[at] === '\\') at++;
    else if (text[at] === quote && text[at + 1] === quote) at++;
    else if (text[at] === quote) return at + 1;
  }
  return undefined;
}

/** What begins a text within a text, a document, or a comment: quotes mean something else there. */
const UNSURE = /`|\$\(|\$'|<<|#|\$\{/;
/** Programs and options that are given a text to run, which may stand in quotes. */
const RUNS = /(?:^|\s)-[A-Za-z]*[ceE](?=\s|$)|\b(?:eval|ssh|xargs|awk|sed|trap|watch|find)\b/;

function inShell(value: string, before: string): string | undefined {
  if (value.includes('\0') || UNSURE.test(before) || RUNS.test(before)) return undefined;
  let open = '';
  let from = 0;
  for (let at = 0; at < before.length; at++) {
    const sign = before[at] as string;
    if (sign === '\\' && open !== "'") at++;
    else if (open === '' ? sign === "'" || sign === '"' : sign === open) {
      open = open === '' ? sign : '';
      from = at + 1;
    }
  }
  if (open === '') return before.endsWith('\\') ? undefined : `'${value.replaceAll("'", "'\\''")}'`;
  // Quotes within quotes are for somebody else, who reads the text once more.
  if (/['"]/.test(before.slice(from))) return undefined;
  return open === "'" ? value.replaceAll("'", "'\\''") : value.replaceAll(/["\\$`]/g, '\\$&');
}
