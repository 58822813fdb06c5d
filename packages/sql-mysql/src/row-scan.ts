/**
 * Passes over rows of constants without cutting them into tokens, which is ten times as fast. Owns: rows as programs write them.
 * Does not: any other, which are cut (lexer.ts) and followed (constant-rows.ts). Pure.
 */
import type { SqlReading } from './reading.js';
import type { StringEnds } from './strings.js';

const [COMMA, OPEN, CLOSE] = [44, 40, 41];
const isSpace = (code: number): boolean => code === 32 || (code >= 9 && code <= 13);
const isDigit = (code: number): boolean => code >= 48 && code <= 57;
const isHexDigit = (code: number): boolean =>
  isDigit(code) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102);

export class RowScan {
  readonly #source: string;
  readonly #strings: StringEnds;
  readonly #ansiQuotes: boolean;

  constructor(source: string, strings: StringEnds, { ansiQuotes }: SqlReading) {
    this.#source = source;
    this.#strings = strings;
    this.#ansiQuotes = ansiQuotes;
  }

  /**
   * @param from behind a row
   * @param width how many values it has
   * @returns the place behind the last of the rows that follow and are of as many constants; `from`: there is none
   */
  pass(from: number, width: number): number {
    let at = from;
    for (;;) {
      const end = this.#strings.ahead(() => this.#rowEnd(at, width));
      if (end < 0) return at;
      at = end;
    }
  }

  /** Behind a comma and a row; -1: something else comes. */
  #rowEnd(from: number, width: number): number {
    const source = this.#source;
    let at = this.#behindSpace(from);
    if (source.charCodeAt(at) !== COMMA) return -1;
    at = this.#behindSpace(at + 1);
    if (source.charCodeAt(at) !== OPEN) return -1;
    for (let values = 1; ; values++) {
      const end = this.#constantEnd(this.#behindSpace(at + 1));
      if (end < 0) return -1;
      at = this.#behindSpace(end);
      const sign = source.charCodeAt(at);
      if (sign === CLOSE) return values === width ? at + 1 : -1;
      if (sign !== COMMA) return -1;
    }
  }

  #behindSpace(from: number): number {
    let at = from;
    while (isSpace(this.#source.charCodeAt(at))) at++;
    return at;
  }

  #constantEnd(at: number): number {
    const code = this.#source.charCodeAt(at);
    if (code === 39 || (code === 34 && !this.#ansiQuotes)) return this.#strings.end(at, code);
    if (code === 48 && this.#source.charCodeAt(at + 1) === 120) return this.#digitsEnd(at + 2, isHexDigit);
    if (isDigit(code)) return this.#numberEnd(at);
    if (code === 45 || code === 43) return isDigit(this.#source.charCodeAt(at + 1)) ? this.#numberEnd(at + 1) : -1;
    return this.#wordEnd(at);
  }

  /** Behind at least one digit; -1: there is none. */
  #digitsEnd(from: number, isOne = isDigit): number {
    let end = from;
    while (isOne(this.#source.charCodeAt(end))) end++;
    return end > from ? end : -1;
  }

  #numberEnd(from: number): number {
    const source = this.#source;
    let end = this.#digitsEnd(from);
    if (source.charCodeAt(end) === 46) end = Math.max(this.#digitsEnd(end + 1), end + 1);
    const exponent = source.charCodeAt(end);
    if (exponent !== 69 && exponent !== 101) return end;
    const sign = source.charCodeAt(end + 1);
    return this.#digitsEnd(sign === 43 || sign === 45 ? end + 2 : end + 1);
  }

  /** NULL, DEFAULT, and a text with `_binary` in front. */
  #wordEnd(at: number): number {
    const source = this.#source;
    const four = source.slice(at, at + 4).toUpperCase();
    if (four === 'NULL') return at + 4;
    if (four === 'DEFA') return source.slice(at, at + 7).toUpperCase() === 'DEFAULT' ? at + 7 : -1;
    if (four !== '_BIN' || !source.startsWith(" '", at + 7) || source.slice(at, at + 7).toLowerCase() !== '_binary')
      return -1;
    return this.#strings.end(at + 8, 39);
  }
}
