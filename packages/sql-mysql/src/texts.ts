/**
 * Cuts a text into statements and reads each. Owns: where statements end, also around the code of routines. Does not: what is in
 * one (statements.ts).
 */
import type { TextRange } from '@sluice/contract';
import { tokensOf } from './lexer.js';
import { type Tokens, Unread } from './tokens.js';
import type { SqlReading } from './reading.js';
import { readStatement } from './statements.js';
import type { Statement } from './tree.js';

/** Tokens of a statement by number: from the first up to and without the last. */
interface TokenRange {
  readonly from: number;
  readonly to: number;
}

/**
 * The statements of a text; none for one that is empty or a comment.
 *
 * @throws Unread
 */
export const statementsOf = (text: string, reading: SqlReading): Statement[] => statementsIn(tokensOf(text, reading));

/** The same, with all rows of constants where it matters how many there are: those of which some may be there already. */
export function statementsWithRows(text: string, reading: SqlReading): Statement[] {
  const tokens = tokensOf(text, reading);
  const statements = statementsIn(tokens);
  if (!tokens.hasFewerRows || !statements.some(meetsRows)) return statements;
  return statementsIn(tokensOf(text, reading, 'every row'));
}

const meetsRows = (statement: Statement): boolean =>
  statement.kind === 'insert' && (statement.ignore || statement.replace || statement.onDuplicate.length > 0);

/** The same of tokens. */
export function statementsIn(tokens: Tokens): Statement[] {
  const pieces = piecesOf(tokens);
  if (cutsComments(tokens, pieces)) throw new Unread('has a semicolon in a versioned comment', 0);
  return pieces.filter(({ from, to }) => to > from).map(({ from, to }) => readStatement(tokens, from, to));
}

/**
 * Where each statement of a text stands, with the comments around it and without the blanks. What cannot be cut is one range.
 */
export function rangesOf(text: string, reading: SqlReading): TextRange[] {
  const whole = [{ start: 0, end: text.length }];
  let tokens: Tokens;
  try {
    tokens = tokensOf(text, reading);
  } catch (error) {
    if (error instanceof Unread) return whole;
    throw error;
  }
  const pieces = piecesOf(tokens);
  if (cutsComments(tokens, pieces)) return whole;
  const ranges = pieces.map(({ to }, index) => {
    const before = pieces[index - 1];
    const start = before === undefined ? 0 : (tokens.ends[before.to] ?? text.length);
    return trimmed(text, start, tokens.starts[to] ?? text.length);
  });
  const filled = ranges.filter(({ start, end }) => end > start);
  return filled.length === 0 ? whole : filled;
}

/**
 * To cut within a versioned comment would leave both halves with half of a comment. In the code of a routine nothing is cut: dumps have
 * triggers and events in such comments.
 */
const cutsComments = ({ inComment }: Tokens, pieces: readonly TokenRange[]): boolean =>
  inComment.size > 0 && pieces.some(({ to }) => inComment.has(to));

/** Without white space at both ends, as the server skips it between statements. */
function trimmed(text: string, from: number, to: number): TextRange {
  let start = from;
  let end = to;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && (isBlank(text.charCodeAt(end - 1)) || text.charCodeAt(end - 1) === 0)) end--;
  return { start, end };
}

const isBlank = (code: number): boolean => code === 32 || (code >= 9 && code <= 13);

/** Pieces between semicolons; those in the code of a routine end nothing. */
function piecesOf(tokens: Tokens): TokenRange[] {
  const pieces: TokenRange[] = [];
  const end = tokens.length - 1;
  let from = 0;
  for (let at = 0; at <= end; at++) {
    if (at < end && !isSemicolon(tokens, at)) {
      if (at === from && hasCode(tokens, from, end)) at = codeEnd(tokens, from, end) - 1;
      continue;
    }
    pieces.push({ from, to: at });
    from = at + 1;
  }
  return pieces;
}

const isSemicolon = ({ kinds, texts }: Tokens, at: number): boolean => kinds[at] === 'operator' && texts[at] === ';';

/** Keywords in upper case; empty for anything else. */
const wordAt = ({ kinds, texts }: Tokens, at: number): string => (kinds[at] === 'word' ? (texts[at] ?? '') : '');

/** Whether a statement is the definition of a routine, or code by itself. */
function hasCode(tokens: Tokens, from: number, end: number): boolean {
  const first = wordAt(tokens, from);
  if (tokens.reading.flavour === 'mariadb') {
    if (first === 'BEGIN' && wordAt(tokens, from + 1) === 'NOT') return true;
    if (COMPOUND.has(first) || (first !== '' && tokens.texts[from + 1] === ':')) return true;
  }
  if (first !== 'CREATE' && first !== 'ALTER') return false;
  const limit = Math.min(end, from + MAX_DEFINITION_WORDS);
  for (let at = from + 1; at < limit && !isSemicolon(tokens, at); at++) {
    const word = wordAt(tokens, at);
    if (ROUTINES.has(word)) return true;
    if (PLAIN_OBJECTS.has(word)) return false;
  }
  return false;
}

/** The semicolon behind a definition with code, or `end`. */
function codeEnd(tokens: Tokens, from: number, end: number): number {
  let depth = 0;
  let begun = true;
  const thens = new Thens(tokens);
  for (let at = from; at < end; at++) {
    const word = wordAt(tokens, at);
    if (isSemicolon(tokens, at)) {
      if (depth === 0) return at;
      begun = true;
      continue;
    }
    if (word === 'END') {
      depth = Math.max(0, depth - 1);
      if (BLOCKS.has(wordAt(tokens, at + 1))) at++;
      begun = false;
      continue;
    }
    if (opens(tokens, thens, at, begun, depth === 0)) depth++;
    begun = STARTERS.has(word) || tokens.texts[at] === ':';
  }
  return end;
}

/** `begun`: a statement begins at the word. `outside`: the word may be the first one of the code, and what is before it a header. */
function opens(tokens: Tokens, thens: Thens, at: number, begun: boolean, outside: boolean): boolean {
  switch (wordAt(tokens, at)) {
    case 'BEGIN':
    case 'CASE':
      return true;
    case 'LOOP':
    case 'WHILE':
      return begun || outside;
    case 'IF':
      return (begun || outside) && thens.follows(at);
    case 'REPEAT':
      return (begun || outside) && tokens.texts[at + 1] !== '(';
    case 'FOR':
      return begun && tokens.reading.flavour === 'mariadb';
    default:
      return false;
  }
}

/** Tells IF x THEN from IF EXISTS and the function. */
class Thens {
  readonly #tokens: Tokens;
  /** No THEN stands in front of this token: each stretch of a text is searched once. */
  #noneBefore = 0;

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  follows(from: number): boolean {
    if (from < this.#noneBefore) return false;
    let cases = 0;
    let at = from + 1;
    for (; at < this.#tokens.length && !isSemicolon(this.#tokens, at); at++) {
      const word = wordAt(this.#tokens, at);
      if (word === 'CASE') cases++;
      else if (word === 'END') cases--;
      else if (word === 'THEN' && cases === 0) return true;
    }
    this.#noneBefore = at;
    return false;
  }
}

/** Tokens between CREATE and the word that says what is made: OR REPLACE DEFINER = 'x'@'y' ... */
const MAX_DEFINITION_WORDS = 32;
const ROUTINES: ReadonlySet<string> = new Set('PROCEDURE FUNCTION TRIGGER EVENT PACKAGE LIBRARY'.split(' '));
const PLAIN_OBJECTS: ReadonlySet<string> = new Set(
  'TABLE VIEW INDEX DATABASE SCHEMA USER ROLE SEQUENCE SERVER'.split(' '),
);
const COMPOUND: ReadonlySet<string> = new Set('IF CASE LOOP WHILE REPEAT FOR'.split(' '));
/** Words behind END that name the block. */
const BLOCKS: ReadonlySet<string> = new Set('IF CASE LOOP WHILE REPEAT FOR'.split(' '));
/** Words behind which a statement begins. */
const STARTERS: ReadonlySet<string> = new Set('BEGIN THEN ELSE DO LOOP REPEAT ROW ATOMIC'.split(' '));
