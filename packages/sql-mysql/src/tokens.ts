/** The tokens of a text, kept in few arrays. Owns: their memory. Does not: cut (lexer.ts). Pure. */
import type { SqlReading } from './reading.js';

/** `word`: a name or keyword without quotes. `name`: what can be no keyword: quoted, or behind or before a dot. */
export type TokenKind =
  | 'word'
  | 'name'
  | 'string'
  | 'integer'
  | 'decimal'
  | 'float'
  | 'hex'
  | 'bit'
  | 'parameter'
  | 'variable'
  | 'hint'
  | 'operator'
  | 'end';

/** A text that no token or rule of the grammar fits. The message is a phrase; the place counts code units from 0. */
export class Unread extends Error {
  override readonly name = 'Unread';
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

/** A text of more tokens than this is not read. An INSERT of 16 MiB has some million. */
const MAX_TOKENS = 4_000_000;

/**
 * The tokens of a text, by number. Arrays beside each other: a bulk INSERT has millions.
 * The text of a `word` is in upper case, that of a `string` is empty: see `stringAt`.
 */
export class Tokens {
  readonly source: string;
  readonly reading: SqlReading;
  readonly kinds: TokenKind[] = [];
  readonly texts: string[] = [];
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** Tokens `;` that stand inside a versioned comment: whoever cuts the text there cuts the comment. */
  readonly inComment = new Set<number>();

  constructor(source: string, reading: SqlReading) {
    this.source = source;
    this.reading = reading;
  }

  get length(): number {
    return this.kinds.length;
  }

  add(kind: TokenKind, text: string, start: number, end: number): void {
    if (this.kinds.length >= MAX_TOKENS) throw new Unread(`has more than ${MAX_TOKENS} words and signs`, start);
    this.kinds.push(kind);
    this.texts.push(text);
    this.starts.push(start);
    this.ends.push(end);
  }

  /** What a string token stands for, without quotes and escapes. */
  stringAt(index: number): string {
    const start = this.starts[index] ?? 0;
    return decoded(this.source.slice(start, this.ends[index]), this.reading);
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', b: '\b', 0: '\0', Z: '\x1a' };

/** A string token without its quotes. `\%` and `\_` stay as they are: they are for LIKE. */
function decoded(token: string, { plainBackslash }: SqlReading): string {
  if (token.startsWith('$')) {
    const tag = token.slice(0, token.indexOf('$', 1) + 1);
    return token.slice(tag.length, -tag.length);
  }
  const open = /^[nN]/.test(token) ? 1 : 0;
  const mark = token[open] ?? '';
  const inner = token.slice(open + 1, -1);
  const doubled = inner.includes(mark);
  if (plainBackslash || !inner.includes('\\')) return doubled ? inner.replaceAll(mark + mark, mark) : inner;
  let text = '';
  for (let at = 0; at < inner.length; at++) {
    const sign = inner[at] as string;
    if (sign === mark) at++;
    if (sign !== '\\') {
      text += sign;
      continue;
    }
    const next = inner[++at] ?? '';
    text += ESCAPES[next] ?? (next === '%' || next === '_' ? `\\${next}` : next);
  }
  return text;
}
