/** SQL as tokens, as far as it takes to find literals and comments. Does not: parse. Pure. */

/**
 * SQL as tokens, as far as it takes to find where literals and comments start and end, by the rules of Postgres. Never fails:
 * what is not closed ends with the text. Does not know a keyword or an operator.
 */
export interface Token {
  /** 'gap': spaces, comments, and what may stand between a name and its value. */
  readonly kind: 'string' | 'quoted' | 'word' | 'gap' | 'other';
  readonly start: number;
  readonly end: number;
  /** Strings and quoted names: what is between the quotes, and the quote that is doubled in it ('' for dollar quotes). */
  readonly bodyStart: number;
  readonly bodyEnd: number;
  readonly quote: string;
}

export function* tokens(text: string): Generator<Token> {
  for (let at = 0; at < text.length; ) {
    const token = tokenAt(text, at);
    yield token;
    at = token.end;
  }
}

const SPACE = /[\s=]+|:=|\|\|/y;
const PREFIX = /(?:[enbx]|u&)?(?=')/iy;
const DOLLAR = /\$(?:[\p{L}_][\p{L}\d_]*)?\$/uy;
const WORD = /[\p{L}_\d][\p{L}\d_$]*/uy;

function tokenAt(text: string, start: number): Token {
  const space = match(SPACE, text, start);
  if (space !== undefined) return plain('gap', start, start + space.length);
  if (text.startsWith('--', start)) return plain('gap', start, until(text, '\n', start));
  if (text.startsWith('/*', start)) return plain('gap', start, endOfComment(text, start));
  if (text[start] === '"') return quoted('quoted', text, start, start, '"', false);
  const prefix = match(PREFIX, text, start);
  if (prefix !== undefined) {
    return quoted('string', text, start, start + prefix.length, "'", prefix.toLowerCase() === 'e');
  }
  const dollar = match(DOLLAR, text, start);
  if (dollar !== undefined) {
    const bodyStart = start + dollar.length;
    const bodyEnd = until(text, dollar, bodyStart);
    const end = Math.min(text.length, bodyEnd + dollar.length);
    return { kind: 'string', start, end, bodyStart, bodyEnd, quote: '' };
  }
  const word = match(WORD, text, start);
  return word === undefined ? plain('other', start, start + 1) : plain('word', start, start + word.length);
}

function quoted(
  kind: 'string' | 'quoted',
  text: string,
  start: number,
  open: number,
  quote: string,
  escapes: boolean,
): Token {
  const bodyStart = open + 1;
  for (let at = bodyStart; at < text.length; at++) {
    const char = text[at];
    if (char === quote && text[at + 1] !== quote) return { kind, start, end: at + 1, bodyStart, bodyEnd: at, quote };
    if (char === quote || (escapes && char === '\\')) at++;
  }
  return { kind, start, end: text.length, bodyStart, bodyEnd: text.length, quote };
}

/** Comments nest. */
function endOfComment(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const pair = text.slice(at, at + 2);
    if (pair === '/*') depth++;
    else if (pair === '*/') depth--;
    else continue;
    at++;
    if (depth === 0) return at + 1;
  }
  return text.length;
}

function until(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from);
  return at < 0 ? text.length : at;
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

const plain = (kind: 'gap' | 'word' | 'other', start: number, end: number): Token => ({
  kind,
  start,
  end,
  bodyStart: start,
  bodyEnd: end,
  quote: '',
});
