/**
 * Walks over the tokens of one statement. Owns: looking ahead, what may be a name, how deep a text may be nested. Does not: any
 * rule of the grammar.
 */
import { MARIADB_RESERVED, MYSQL_RESERVED } from './keywords.generated.js';
import { type TokenKind, type Tokens, Unread } from './tokens.js';
import type { SqlReading } from './reading.js';
import type { ObjectName, Span } from './tree.js';

/** Parentheses, subqueries and the like within each other. Deeper texts could exhaust the stack. */
const MAX_DEPTH = 500;

export class TokenCursor {
  readonly reading: SqlReading;
  protected readonly tokens: Tokens;
  protected readonly isMaria: boolean;
  /** The next token, and the one behind the statement. */
  protected at: number;
  protected readonly first: number;
  protected readonly last: number;
  readonly #reserved: ReadonlySet<string>;
  #depth = 0;

  /** `from` and `to`: numbers of tokens. */
  constructor(tokens: Tokens, from: number, to: number) {
    this.tokens = tokens;
    this.reading = tokens.reading;
    this.isMaria = tokens.reading.flavour === 'mariadb';
    this.#reserved = this.isMaria ? MARIADB_RESERVED : MYSQL_RESERVED;
    this.at = from;
    this.first = from;
    this.last = to;
  }

  /** Counts a level of nesting around what `read` does. */
  protected deeper<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH) throw this.error('is nested too deeply to be analysed');
    const result = read();
    this.#depth--;
    return result;
  }

  protected kind(ahead = 0): TokenKind {
    const at = this.at + ahead;
    return at < this.last ? (this.tokens.kinds[at] as TokenKind) : 'end';
  }

  protected text(ahead = 0): string {
    const at = this.at + ahead;
    return at < this.last ? (this.tokens.texts[at] as string) : '';
  }

  protected get start(): number {
    return this.tokens.starts[this.at] ?? this.tokens.source.length;
  }

  /** Behind the token that was taken last. */
  protected get end(): number {
    return this.tokens.ends[this.at - 1] ?? 0;
  }

  protected get done(): boolean {
    return this.at >= this.last;
  }

  /** The span from `start` to what was taken last. */
  protected span(start: number): Span {
    return { start, end: this.end };
  }

  /** The keyword that is next, in upper case; empty for anything else. */
  protected word(ahead = 0): string {
    const at = this.at + ahead;
    return at < this.last && this.tokens.kinds[at] === 'word' ? (this.tokens.texts[at] as string) : '';
  }

  protected isWord(word: string, ahead = 0): boolean {
    const at = this.at + ahead;
    return at < this.last && this.tokens.texts[at] === word && this.tokens.kinds[at] === 'word';
  }

  protected isSign(sign: string, ahead = 0): boolean {
    const at = this.at + ahead;
    return at < this.last && this.tokens.texts[at] === sign && this.tokens.kinds[at] === 'operator';
  }

  protected isWords(...words: readonly string[]): boolean {
    return words.every((word, ahead) => this.isWord(word, ahead));
  }

  protected skip(count = 1): void {
    this.at += count;
  }

  protected takeWord(word: string): boolean {
    if (!this.isWord(word)) return false;
    this.at++;
    return true;
  }

  /** All of them, or none. */
  protected takeWords(...words: readonly string[]): boolean {
    if (!this.isWords(...words)) return false;
    this.at += words.length;
    return true;
  }

  /** The first of the words that is next. */
  protected takeOne(words: ReadonlySet<string>): string | undefined {
    const word = this.word();
    if (word === '' || !words.has(word)) return undefined;
    this.at++;
    return word;
  }

  protected takeSign(sign: string): boolean {
    if (!this.isSign(sign)) return false;
    this.at++;
    return true;
  }

  protected expectWord(word: string): void {
    if (!this.takeWord(word)) throw this.error();
  }

  protected expectSign(sign: string): void {
    if (!this.takeSign(sign)) throw this.error();
  }

  /** Items with commas between them. */
  protected list<T>(read: () => T): T[] {
    const items = [read()];
    while (this.takeSign(',')) items.push(read());
    return items;
  }

  protected parenthesised<T>(read: () => T): T {
    this.expectSign('(');
    const result = read();
    this.expectSign(')');
    return result;
  }

  /** A phrase of which the statement is the subject. */
  protected error(message = this.#unexpected()): Unread {
    return new Unread(message, this.start);
  }

  #unexpected(): string {
    if (this.done) return 'ends where more has to follow';
    const { starts, ends, source } = this.tokens;
    const next = source.slice(
      starts[this.at],
      Math.min(ends[this.at] ?? 0, (starts[this.at] ?? 0) + MAX_SHOWN_CHARACTERS),
    );
    return this.kind() === 'string' ? 'has a text that does not fit there' : `has "${next}", which does not fit there`;
  }

  // Names

  /** Whether the next token can be a name. */
  protected isName(ahead = 0): boolean {
    const kind = this.kind(ahead);
    return kind === 'name' || (kind === 'word' && !this.#reserved.has(this.text(ahead)));
  }

  protected isReserved(word: string): boolean {
    return this.#reserved.has(word);
  }

  protected takeName(): string {
    if (!this.isName()) throw this.error();
    const name = this.written();
    this.at++;
    return name;
  }

  /** The token as it stands in the text; names without their quotes. */
  protected written(ahead = 0): string {
    const { kinds, texts, starts, ends, source } = this.tokens;
    const at = this.at + ahead;
    if (kinds[at] === 'string') return this.tokens.stringAt(at);
    return kinds[at] === 'word' ? source.slice(starts[at], ends[at]) : (texts[at] ?? '');
  }

  /** A name, or a text that stands for one, as aliases and users may be. */
  protected takeNameOrText(): string {
    if (this.kind() !== 'string') return this.takeName();
    return this.takeText();
  }

  protected takeText(): string {
    if (this.kind() !== 'string') throw this.error();
    const text = this.tokens.stringAt(this.at);
    this.at++;
    return text;
  }

  /** `name` or `schema.name`; a dot in front of the name means the default database. */
  protected objectName(): ObjectName {
    const start = this.start;
    if (this.takeSign('.')) return { name: this.takeName(), ...this.span(start) };
    const first = this.takeName();
    if (!this.takeSign('.')) return { name: first, ...this.span(start) };
    return { schema: first, name: this.takeName(), ...this.span(start) };
  }
}

/** Characters of a token in a message. */
const MAX_SHOWN_CHARACTERS = 40;
