/**
 * The rows of a bulk INSERT that are nothing but constants. Owns: which of them the tokens of a text can do without. Does not: keep
 * tokens (tokens.ts). Pure.
 */
import type { TokenKind } from './token-kind.js';

/** Where the next token stands. `row`: in one that has been constants so far; `other row`: in any other. */
type Place = 'start' | 'head' | 'rows' | 'row' | 'other row' | 'behind row' | 'elsewhere';

/** What may come next in a row of constants. */
type Next = 'value' | 'number' | 'text' | 'separator';

/**
 * Follows the tokens of a text. A row of constants says nothing that the first one of as many values does not say: it reads no column
 * and runs nothing. An INSERT of 16 MiB has a hundred thousand of them, which nobody has to keep.
 */
export class ConstantRows {
  #place: Place = 'start';
  #next: Next = 'value';
  /** Of parentheses, in front of VALUES and in a row. */
  #depth = 0;
  /** The token that opens the current row, by number, and how many values it has so far. */
  #opened = 0;
  #width = 0;
  /** How many values the row of constants has that is kept; 0: none is. */
  #kept = 0;

  /** How many values a row of constants has that needs no tokens, where one may come next; 0: none may. */
  get behindRow(): number {
    return this.#place === 'behind row' ? this.#kept : 0;
  }

  /**
   * Takes the next token.
   *
   * @param at its number
   * @returns the number of the token from which on all are to be forgotten, this one included; -1: none
   */
  take(kind: TokenKind, text: string, at: number): number {
    switch (this.#place) {
      case 'row':
        return this.#inRow(kind, text);
      case 'behind row':
        this.#place = kind === 'operator' && text === ',' ? 'rows' : this.#left(kind, text);
        return -1;
      case 'rows':
        if (kind === 'operator' && text === '(') this.#open(at);
        else this.#place = this.#left(kind, text);
        return -1;
      case 'start':
        this.#begin(kind, text);
        return -1;
      case 'head':
        this.#head(kind, text);
        return -1;
      case 'other row':
        this.#otherRow(kind, text);
        return -1;
      default:
        this.#place = this.#left(kind, text);
        return -1;
    }
  }

  /** Only a semicolon leads to another statement. */
  #left(kind: TokenKind, text: string): Place {
    return kind === 'operator' && text === ';' ? 'start' : 'elsewhere';
  }

  #begin(kind: TokenKind, text: string): void {
    const isInsert = kind === 'word' && (text === 'INSERT' || text === 'REPLACE');
    this.#place = isInsert ? 'head' : this.#left(kind, text);
    this.#depth = 0;
    this.#kept = 0;
  }

  #head(kind: TokenKind, text: string): void {
    if (kind === 'word' && this.#depth === 0 && (text === 'VALUES' || text === 'VALUE')) this.#place = 'rows';
    else if (kind === 'operator') this.#nested(text, 'head');
  }

  #nested(text: string, place: Place): void {
    if (text === '(') this.#depth++;
    else if (text === ')') this.#depth--;
    else if (text === ';') this.#place = 'start';
    if (this.#depth < 0) this.#place = place === 'head' ? 'elsewhere' : 'behind row';
  }

  #open(at: number): void {
    this.#place = 'row';
    this.#next = 'value';
    this.#opened = at;
    this.#width = 1;
    this.#depth = 0;
  }

  #otherRow(kind: TokenKind, text: string): void {
    if (kind === 'operator') this.#nested(text, 'other row');
  }

  #inRow(kind: TokenKind, text: string): number {
    const next = this.#behind(kind, text);
    if (next !== undefined) {
      this.#next = next;
      return -1;
    }
    const ends = this.#next === 'separator' && kind === 'operator' && text === ')';
    if (!ends) {
      this.#place = 'other row';
      this.#otherRow(kind, text);
      return -1;
    }
    this.#place = 'behind row';
    // The comma in front of it goes as well.
    if (this.#width === this.#kept) return this.#opened - 1;
    if (this.#kept === 0) this.#kept = this.#width;
    return -1;
  }

  /** What may follow a token that belongs into a row of constants; undefined: it does not, or ends the row. */
  #behind(kind: TokenKind, text: string): Next | undefined {
    switch (this.#next) {
      case 'separator':
        if (kind !== 'operator' || text !== ',') return undefined;
        this.#width++;
        return 'value';
      case 'number':
        return NUMBERS.has(kind) ? 'separator' : undefined;
      case 'text':
        return TEXTS.has(kind) ? 'separator' : undefined;
      default:
        if (NUMBERS.has(kind) || TEXTS.has(kind)) return 'separator';
        if (kind === 'operator') return text === '-' || text === '+' ? 'number' : undefined;
        if (kind !== 'word') return undefined;
        if (CONSTANTS.has(text)) return 'separator';
        // A character set in front of a text.
        return text.startsWith('_') ? 'text' : undefined;
    }
  }
}

const NUMBERS: ReadonlySet<TokenKind> = new Set<TokenKind>(['integer', 'decimal', 'float']);
const TEXTS: ReadonlySet<TokenKind> = new Set<TokenKind>(['string', 'hex', 'bit']);
const CONSTANTS: ReadonlySet<string> = new Set(['NULL', 'DEFAULT', 'TRUE', 'FALSE']);
