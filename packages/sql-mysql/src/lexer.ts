/**
 * Cuts a text into tokens as the server does that gets it (sql/sql_lex.cc of both servers, found out by asking them). Owns: where
 * each token, string and comment ends, and which versioned comments are code. Does not: what tokens mean together.
 */
import type { SqlReading } from './reading.js';
import { RowScan } from './row-scan.js';
import { StringEnds, quotedEnd } from './strings.js';
import { type TokenKind, Unread, Tokens } from './tokens.js';

/** Classes of ASCII code units. */
const SPACE = 1;
const DIGIT = 2;
const LETTER = 4;
const CLASSES = new Uint8Array(128);
for (const code of [9, 10, 11, 12, 13, 32]) CLASSES[code] = SPACE;
for (let code = 48; code <= 57; code++) CLASSES[code] = DIGIT;
for (const [first, last] of [
  [65, 90],
  [97, 122],
] as const)
  for (let code = first; code <= last; code++) CLASSES[code] = LETTER;
CLASSES[36] = LETTER; // $
CLASSES[95] = LETTER; // _

const isDigit = (code: number): boolean => code >= 48 && code <= 57;
const isHexDigit = (code: number): boolean =>
  isDigit(code) || (code >= 65 && code <= 70) || (code >= 97 && code <= 102);

/** Letters of latin1 beyond ASCII: all but the signs for times and divided by, and what stands before A with grave. */
const isLatinLetter = (code: number): boolean => code >= 0xc0 && code <= 0xff && code !== 0xd7 && code !== 0xf7;

/** Signs of more than one code unit, longest first by their first one. */
const LONG_SIGNS: Readonly<Record<string, readonly string[]>> = {
  '<': ['<=>', '<=', '<>', '<<'],
  '>': ['>=', '>>'],
  '!': ['!='],
  ':': [':='],
  '&': ['&&'],
  '|': ['||'],
  '-': ['->>', '->'],
};

/**
 * @param rows whether rows of constants in an INSERT are kept that say nothing which another one does not say (constant-rows.ts)
 * @throws Unread
 */
export function tokensOf(source: string, reading: SqlReading, rows: 'few rows' | 'every row' = 'few rows'): Tokens {
  return new Lexer(source, reading, rows).run();
}

class Lexer {
  readonly #tokens: Tokens;
  readonly #source: string;
  readonly #reading: SqlReading;
  #at = 0;
  readonly #strings: StringEnds;
  readonly #rows: RowScan;
  /** The opening of the versioned comment whose content is being read as code; -1: none. */
  #comment = -1;

  constructor(source: string, reading: SqlReading, rows: 'few rows' | 'every row') {
    this.#source = source;
    this.#reading = reading;
    this.#tokens = new Tokens(source, reading, rows);
    this.#strings = new StringEnds(source, reading.plainBackslash);
    this.#rows = new RowScan(source, this.#strings, reading);
  }

  run(): Tokens {
    const source = this.#source;
    while (this.#at < source.length) this.#next(source.charCodeAt(this.#at));
    if (this.#comment >= 0) throw new Unread('has a comment that does not end', this.#comment);
    this.#tokens.add('end', '', source.length, source.length);
    return this.#tokens;
  }

  #next(code: number): void {
    const kind = code < 128 ? CLASSES[code] : 0;
    if (kind === SPACE) {
      this.#at++;
      return;
    }
    if (kind === LETTER) return this.#word(code);
    if (kind === DIGIT) return this.#number();
    if (code >= 128) return this.#beyondAscii(code);
    switch (code) {
      case 39: // '
        return this.#string(39);
      case 34: // "
        return this.#reading.ansiQuotes ? this.#quoted(34) : this.#string(34);
      case 96: // `
        return this.#quoted(96);
      case 35: // #
        return this.#toLineEnd();
      case 45: // -
        return this.#minus();
      case 47: // /
        return this.#slash();
      case 42: // *
        return this.#star();
      case 46: // .
        return this.#dot();
      case 64: // @
        return this.#atSign();
      case 63: // ?
        return this.#take('parameter', 1);
      case 92: // \
        return this.#backslash();
      case 0:
        return this.#nul();
      default:
        return this.#sign(code);
    }
  }

  #take(kind: TokenKind, length: number): void {
    const start = this.#at;
    this.#at += length;
    this.#tokens.add(kind, this.#source.slice(start, this.#at), start, this.#at);
  }

  #code(offset: number): number {
    const at = this.#at + offset;
    return at < this.#source.length ? this.#source.charCodeAt(at) : -1;
  }

  /** Letters, digits, `$`, `_` and what the character set has beyond ASCII. */
  #isNamePart(code: number): boolean {
    if (code < 0) return false;
    if (code < 128) return (CLASSES[code] as number) > SPACE;
    if (this.#reading.letters === 'unicode') return true;
    return this.#reading.letters === 'latin1' && isLatinLetter(code);
  }

  #nameEnd(from: number): number {
    const source = this.#source;
    let end = from;
    while (end < source.length && this.#isNamePart(source.charCodeAt(end))) end++;
    return end;
  }

  #beyondAscii(code: number): void {
    if (this.#reading.letters === 'latin1' && code === 0xa0) {
      this.#at++;
      return;
    }
    if (!this.#isNamePart(code)) throw new Unread('has a character that stands for nothing there', this.#at);
    this.#name(this.#nameEnd(this.#at), false);
  }

  #word(code: number): void {
    const quote = this.#code(1);
    if (quote === 39) {
      if (code === 78 || code === 110) return this.#national();
      if (code === 88 || code === 120) return this.#quotedDigits('hex');
      if (code === 66 || code === 98) return this.#quotedDigits('bit');
    }
    if (code === 36 && this.#dollarQuote()) return;
    this.#name(this.#nameEnd(this.#at + 1), true);
  }

  /** `end`: behind the name. `ascii`: it begins like a keyword. */
  #name(end: number, ascii: boolean): void {
    const start = this.#at;
    const written = this.#source.slice(start, end);
    this.#at = end;
    // A name of which a dot and another one follow directly is no keyword.
    const dotted = this.#code(0) === 46 && this.#isNamePart(this.#code(1));
    if (dotted || !ascii || !isAscii(written)) this.#tokens.add('name', written, start, end);
    else this.#tokens.add('word', written.toUpperCase(), start, end);
  }

  /** n'...' */
  #national(): void {
    const start = this.#at;
    this.#at++;
    this.#string(39, start);
  }

  /** x'..' and b'..' */
  #quotedDigits(kind: 'hex' | 'bit'): void {
    const start = this.#at;
    const end = this.#source.indexOf("'", start + 2);
    const digits = this.#source.slice(start + 2, end);
    const fits = kind === 'hex' ? digits.length % 2 === 0 && /^[0-9a-f]*$/i.test(digits) : /^[01]*$/.test(digits);
    if (end < 0 || !fits) throw new Unread(`has a ${kind} value with wrong digits`, start);
    this.#at = end + 1;
    this.#tokens.add(kind, digits, start, this.#at);
  }

  /** `$$...$$` and `$tag$...$tag$`: one string in MySQL 9, where the text of a routine in another language may stand. */
  #dollarQuote(): boolean {
    const { flavour, version } = this.#reading;
    if (flavour !== 'mysql' || version < 80000) return false;
    let end = this.#at + 1;
    while (
      end < this.#source.length &&
      this.#source.charCodeAt(end) !== 36 &&
      this.#isNamePart(this.#source.charCodeAt(end))
    )
      end++;
    if (this.#source.charCodeAt(end) !== 36) return false;
    const tag = this.#source.slice(this.#at, end + 1);
    const close = this.#source.indexOf(tag, end + 1);
    // Which versions before 9 do this is in no documentation.
    if (version < 90000 || close < 0) throw new Unread('has a text in dollar quotes', this.#at);
    const start = this.#at;
    this.#at = close + tag.length;
    this.#tokens.add('string', '', start, this.#at);
    return true;
  }

  /** Numbers, and names that begin with digits. */
  #number(): void {
    const start = this.#at;
    const second = this.#code(1);
    if (this.#code(0) === 48 && (second === 120 || second === 98)) {
      const kind = second === 120 ? 'hex' : 'bit';
      let end = start + 2;
      const fits = kind === 'hex' ? isHexDigit : (code: number): boolean => code === 48 || code === 49;
      while (end < this.#source.length && fits(this.#source.charCodeAt(end))) end++;
      if (end > start + 2 && !this.#isNamePart(this.#codeAt(end))) {
        this.#at = end;
        this.#tokens.add(kind, this.#source.slice(start + 2, end), start, end);
        return;
      }
      return this.#name(this.#nameEnd(start + 1), true);
    }
    let end = this.#digitsEnd(start);
    const next = this.#codeAt(end);
    if (next === 46) return this.#real(start, end);
    if (next === 69 || next === 101) {
      const sign = this.#codeAt(end + 1);
      const exponent = isDigit(sign) ? end + 1 : end + 2;
      if (isDigit(sign) || ((sign === 43 || sign === 45) && isDigit(this.#codeAt(exponent)))) {
        end = this.#digitsEnd(exponent);
        return this.#numeric('float', start, end);
      }
    }
    if (this.#isNamePart(next)) return this.#name(this.#nameEnd(end), true);
    this.#numeric('integer', start, end);
  }

  /** `dot`: where the point stands. */
  #real(start: number, dot: number): void {
    const end = this.#digitsEnd(dot + 1);
    const next = this.#codeAt(end);
    if (next !== 69 && next !== 101) return this.#numeric('decimal', start, end);
    const sign = this.#codeAt(end + 1);
    const exponent = sign === 43 || sign === 45 ? end + 2 : end + 1;
    if (!isDigit(this.#codeAt(exponent))) throw new Unread('has a number without an exponent', start);
    this.#numeric('float', start, this.#digitsEnd(exponent));
  }

  #numeric(kind: TokenKind, start: number, end: number): void {
    this.#at = end;
    this.#tokens.add(kind, this.#source.slice(start, end), start, end);
  }

  #codeAt(at: number): number {
    return at < this.#source.length ? this.#source.charCodeAt(at) : -1;
  }

  #digitsEnd(from: number): number {
    let end = from;
    while (isDigit(this.#codeAt(end))) end++;
    return end;
  }

  /** `from`: where the token begins, if not at the quote. */
  #string(quote: number, from = this.#at): void {
    const end = this.#strings.end(this.#at, quote);
    if (end < 0) throw new Unread('has a string that does not end', from);
    this.#at = end;
    this.#tokens.add('string', '', from, end);
  }

  #quoted(quote: number): void {
    const start = this.#at;
    const end = quotedEnd(this.#source, start, quote);
    if (end < 0) throw new Unread('has a quoted name that does not end', start);
    const mark = quote === 96 ? '`' : '"';
    this.#at = end;
    this.#tokens.add('name', this.#source.slice(start + 1, end - 1).replaceAll(mark + mark, mark), start, end);
  }

  /** At a line feed, and nowhere else: a carriage return is part of the comment. */
  #toLineEnd(): void {
    const end = this.#source.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#source.length : end + 1;
  }

  #minus(): void {
    if (this.#code(1) === 45) {
      const behind = this.#code(2);
      if (behind <= 32 || behind === 127) return this.#toLineEnd();
      if (behind === 0xa0 && this.#reading.letters === 'latin1') return this.#toLineEnd();
      if (behind >= 128 && this.#reading.letters === 'ascii')
        throw new Unread('has a comment that only some character sets have', this.#at);
    }
    this.#sign(45);
  }

  #slash(): void {
    if (this.#code(1) !== 42) return this.#sign(47);
    const third = this.#code(2);
    if (third === 33) return this.#versioned(this.#at + 3, false);
    if (third === 77 && this.#code(3) === 33 && this.#reading.flavour === 'mariadb')
      return this.#versioned(this.#at + 4, true);
    if (third === 43 && this.#isHint()) return this.#hint();
    this.#skipComment(this.#at + 2, 0);
  }

  /** A number decides whether the rest is code; without one it is. */
  #versioned(digits: number, marked: boolean): void {
    let end = digits;
    while (end < digits + 6 && isDigit(this.#codeAt(end))) end++;
    if (end - digits < 5) {
      this.#open(digits);
      return;
    }
    const number = Number(this.#source.slice(digits, end));
    const { flavour, version } = this.#reading;
    // MariaDB leaves out what is meant for versions that only MySQL has.
    const foreign = flavour === 'mariadb' && !marked && number >= 50700 && number <= 99999;
    if (number <= version && !foreign) this.#open(end);
    else this.#skipComment(digits, 1);
  }

  #open(content: number): void {
    this.#comment = this.#at;
    this.#at = content;
  }

  /** `levels`: of comments within it that have ends of their own. */
  #skipComment(from: number, levels: number): void {
    const end = commentEnd(this.#source, from, levels);
    if (end < 0) throw new Unread('has a comment that does not end', this.#at);
    this.#at = end;
  }

  #star(): void {
    if (this.#comment < 0 || this.#code(1) !== 47) return this.#sign(42);
    this.#comment = -1;
    this.#at += 2;
  }

  /** Right behind the verb; anywhere else it is a comment. MariaDB has hints from version 12 on. */
  #isHint(): boolean {
    const { flavour, version } = this.#reading;
    if (flavour === 'mariadb' && version < 120000) return false;
    const last = this.#tokens.length - 1;
    return this.#tokens.kinds[last] === 'word' && HINTED.has(this.#tokens.texts[last] ?? '');
  }

  #hint(): void {
    const start = this.#at;
    const end = this.#source.indexOf('*/', start + 3);
    const text = this.#source.slice(start + 3, end);
    // In quotes its end would be none.
    if (end < 0 || hasOpenQuote(text)) throw new Unread('has an optimizer hint that does not end', start);
    this.#at = end + 2;
    this.#tokens.add('hint', text.trim(), start, this.#at);
  }

  /** Between names, in front of digits, or by itself. */
  #dot(): void {
    const start = this.#at;
    const last = this.#tokens.length - 1;
    const next = this.#code(1);
    const adjoins = this.#tokens.ends[last] === start && this.#isNamePart(this.#codeAt(start - 1));
    const named = adjoins && (this.#tokens.kinds[last] === 'name' || this.#tokens.kinds[last] === 'word');
    if (isDigit(next) && !named) return this.#real(start, start);
    this.#take('operator', 1);
    if (this.#isNamePart(next)) this.#name(this.#nameEnd(this.#at), false);
  }

  /** `@name`, `@'name'`, `@@` in front of the name of a setting. */
  #atSign(): void {
    const start = this.#at;
    const next = this.#code(1);
    if (next === 64) return this.#take('operator', 2);
    if (next === 96 || next === 39 || next === 34) {
      this.#at++;
      const isName = next === 96 || (next === 34 && this.#reading.ansiQuotes);
      if (isName) this.#quoted(next);
      else this.#string(next);
      const last = this.#tokens.length - 1;
      const text = isName ? (this.#tokens.texts[last] ?? '') : this.#tokens.stringAt(last);
      this.#tokens.kinds[last] = 'variable';
      this.#tokens.texts[last] = text;
      this.#tokens.starts[last] = start;
      return;
    }
    let end = start + 1;
    while (this.#isNamePart(this.#codeAt(end)) || this.#codeAt(end) === 46) end++;
    this.#at = end;
    this.#tokens.add('variable', this.#source.slice(start + 1, end), start, end);
  }

  /** `\N` is NULL in MariaDB. */
  #backslash(): void {
    if (this.#reading.flavour !== 'mariadb' || this.#code(1) !== 78)
      throw new Unread('has a backslash that stands for nothing', this.#at);
    this.#tokens.add('word', 'NULL', this.#at, this.#at + 2);
    this.#at += 2;
  }

  /** Some clients end their texts with it; anywhere else it is in no language. */
  #nul(): void {
    if (/[^\0]/.test(this.#source.slice(this.#at, this.#at + 64)) || this.#source.length - this.#at > 64)
      throw new Unread('contains a NUL character', this.#at);
    this.#at = this.#source.length;
  }

  #sign(code: number): void {
    const sign = String.fromCharCode(code);
    const long = LONG_SIGNS[sign]?.find((one) => this.#source.startsWith(one, this.#at));
    if (long === undefined && !SIGNS.has(sign)) throw new Unread('has a character that stands for nothing', this.#at);
    const length = long?.length ?? 1;
    if (this.#reading.flavour === 'mysql' && long === undefined) this.#oddComparison(code);
    if (code === 59 && this.#comment >= 0) this.#tokens.inComment.add(this.#tokens.length);
    this.#take('operator', length);
    const width = code === CLOSE ? this.#tokens.rowsBehind : 0;
    if (width === 0) return;
    const behind = this.#rows.pass(this.#at, width);
    if (behind > this.#at) this.#tokens.hasFewerRows = true;
    this.#at = behind;
  }

  /** MySQL takes two of these signs that make no operator for the first of them: `!!0` is NOT 0. Nobody means that. */
  #oddComparison(code: number): void {
    const isComparison = code === 33 || code === 60 || code === 61 || code === 62;
    const next = this.#code(1);
    if (isComparison && (next === 33 || next === 60 || next === 61 || next === 62))
      throw new Unread(
        `has "${this.#source.slice(this.#at, this.#at + 2)}", which MySQL reads otherwise than it looks`,
        this.#at,
      );
  }
}

const CLOSE = 41;
const SIGNS: ReadonlySet<string> = new Set('%&()*+,-./:;<=>^{|}~!@[]');

/** Verbs of which hints can be the next word. */
const HINTED: ReadonlySet<string> = new Set(['SELECT', 'INSERT', 'REPLACE', 'UPDATE', 'DELETE']);

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) > 127) return false;
  return true;
}

/** Behind the end of a comment; -1: it has none. */
function commentEnd(source: string, from: number, levels: number): number {
  let at = from;
  for (;;) {
    const end = source.indexOf('*/', at);
    if (end < 0) return -1;
    if (levels === 0) return end + 2;
    const inner = source.indexOf('/*', at);
    if (inner < 0 || inner > end) return end + 2;
    const behind = source.indexOf('*/', inner + 2);
    if (behind < 0) return -1;
    at = behind + 2;
  }
}

function hasOpenQuote(text: string): boolean {
  return ['`', '"', "'"].some((mark) => text.split(mark).length % 2 === 0);
}
