/** The tokens of a text, kept in few arrays. Owns: their memory. Does not: cut (lexer.ts). Pure. */
import { looksMasked } from '@sluice/masking';
import { ConstantRows } from './constant-rows.js';
import type { SqlReading } from './reading.js';
import type { TokenKind } from './token-kind.js';

export type { TokenKind };

/** A text that no token or rule of the grammar fits. The message is a phrase; the place counts code units from 0. */
export class Unread extends Error {
  override readonly name = 'Unread';
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

/** A text of more tokens than this is not read. Rows of constants do not count (constant-rows.ts). */
const MAX_TOKENS = 4_000_000;

/**
 * The tokens of a text, by number, without those of most rows of constants. Arrays beside each other: a text can have millions.
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
  /** Rows of constants have been left out. */
  hasFewerRows = false;
  /** Undefined: every row is kept. */
  readonly #rows: ConstantRows | undefined;
  #masks: boolean | undefined;

  constructor(source: string, reading: SqlReading, rows: 'few rows' | 'every row') {
    this.source = source;
    this.reading = reading;
    this.#rows = rows === 'few rows' ? new ConstantRows() : undefined;
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
    const from = this.#rows?.take(kind, text, this.kinds.length - 1) ?? -1;
    if (from >= 0) this.#forget(from);
  }

  /** How many values a row of constants has that needs no tokens, where one may come next; 0: none may. */
  get rowsBehind(): number {
    const width = this.#rows?.behindRow ?? 0;
    return width > 0 && !this.#hasMasks ? width : 0;
  }

  /** Somewhere in the text is what a mask leaves of a value, which is looked for in every constant. */
  get #hasMasks(): boolean {
    return (this.#masks ??= MARKS.some((mark) => this.source.includes(mark)) && looksMasked(this.source));
  }

  /** The tokens from this number on. */
  #forget(from: number): void {
    const start = this.starts[from] ?? 0;
    if (this.#hasMasks && looksMasked(this.source.slice(start, this.ends.at(-1)))) return;
    for (const list of [this.kinds, this.texts, this.starts, this.ends]) list.length = from;
    this.hasFewerRows = true;
  }

  /** What a string token stands for, without quotes and escapes. */
  stringAt(index: number): string {
    const start = this.starts[index] ?? 0;
    return decoded(this.source.slice(start, this.ends[index]), this.reading);
  }
}

/** Part of all that masks leave. */
const MARKS = ['[masked', 'tok_'];
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
