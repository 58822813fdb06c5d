/**
 * Reads CREATE TABLE and CREATE VIEW. Owns: which columns a table has by its definition, and the expressions and queries in it.
 * Does not: types and indexes, which are passed over.
 */
import { ChangeParser } from './changes.js';
import type { CreateTable, CreateView, Expression, Keeping, ObjectName, Query } from './tree.js';

/** `Keeping` while it is being read. */
export type KeepingDraft = { readonly [K in keyof Keeping]: Keeping[K][number][] };

export const nothingKept = (): KeepingDraft => ({
  defaults: [],
  plain: [],
  followed: [],
  checks: [],
  dividing: [],
  keys: [],
  parts: [],
  numbered: [],
});

/** A table definition while it is being read. */
interface TableDraft {
  readonly columns: string[];
  readonly expressions: Expression[];
  readonly keeping: KeepingDraft;
  readonly references: ObjectName[];
  readonly options: Map<string, string>;
  like?: ObjectName;
}

export abstract class DefinitionParser extends ChangeParser {
  /** The next token is TABLE. */
  protected createTable(start: number, modifiers: ReadonlySet<string>): CreateTable {
    this.skip();
    const ifNotExists = this.takeWords('IF', 'NOT', 'EXISTS');
    const table = this.objectName();
    const draft: TableDraft = {
      columns: [],
      expressions: [],
      keeping: nothingKept(),
      references: [],
      options: new Map(),
    };
    if (this.takeWord('LIKE')) draft.like = this.objectName();
    else if (this.isSign('(') && this.isWord('LIKE', 1)) {
      this.skip(2);
      draft.like = this.objectName();
      this.expectSign(')');
    } else if (this.isSign('(') && !(this.queryAhead() && this.queryFills())) this.#elements(draft);
    const query = this.#options(draft);
    const { like, ...rest } = draft;
    return {
      kind: 'create table',
      ifNotExists,
      temporary: modifiers.has('TEMPORARY'),
      replace: modifiers.has('REPLACE'),
      table,
      ...(like && { like }),
      ...rest,
      ...(query && { query }),
      ...this.span(start),
    };
  }

  #elements(draft: TableDraft): void {
    this.parenthesised(() =>
      this.list(() => {
        const column = this.isName() && !this.#isConstraint() ? this.written() : undefined;
        if (column !== undefined) {
          draft.columns.push(column);
          this.skip();
        }
        while (!this.done && !this.isSign(',') && !this.isSign(')')) this.#element(draft, column);
      }),
    );
  }

  /** Words that begin a key or a check, and could be names. */
  #isConstraint(): boolean {
    return this.isWords('PERIOD', 'FOR');
  }

  /** @param column the one that it defines; undefined: it is a key or a check */
  #element(draft: TableDraft, column: string | undefined): void {
    if (this.takeWord('REFERENCES')) {
      draft.references.push(this.referenced(draft.keeping));
      return;
    }
    if (this.uniqueKey(draft.keeping)) return;
    if (column !== undefined) {
      const isSerial = this.isWord('SERIAL');
      if (isSerial || this.isUniqueColumn() || this.isWord('KEY')) draft.keeping.keys.push(column);
      if (isSerial || this.isWord('AUTO_INCREMENT')) draft.keeping.numbered.push(column);
    }
    if (!this.defined(draft.expressions, draft.keeping)) this.skipToken();
  }

  /** UNIQUE (a, b) or PRIMARY KEY (a, b): takes its columns. */
  protected uniqueKey(keeping: KeepingDraft): boolean {
    const before = this.at;
    if (!this.takeWord('UNIQUE') && !this.takeWords('PRIMARY', 'KEY')) return false;
    if (!this.takeWord('KEY')) this.takeWord('INDEX');
    this.takeWords('IF', 'NOT', 'EXISTS');
    if (this.isName()) this.skip();
    if (this.takeWord('USING') || this.takeWord('TYPE')) this.skip();
    if (this.isSign('(')) {
      this.keyParts(keeping);
      return true;
    }
    this.rewind(before);
    return false;
  }

  /** Behind a column, without columns of its own. */
  protected isUniqueColumn(): boolean {
    return this.isWord('UNIQUE') || this.isWords('PRIMARY', 'KEY');
  }

  /** `(a, b(3) DESC, (lower(c)))` of a unique key. */
  protected keyParts(keeping: KeepingDraft): void {
    this.parenthesised(() =>
      this.list(() => {
        if (this.isSign('(')) keeping.checks.push(this.parenthesised(() => this.expression()));
        else {
          const name = this.takeName();
          (this.isSign('(') ? keeping.parts : keeping.keys).push(name);
        }
        while (!this.done && !this.isSign(',') && !this.isSign(')')) this.skipToken();
      }),
    );
  }

  /** What stands behind REFERENCES: a table, its columns, and what becomes of a row whose columns change. */
  protected referenced(keeping: KeepingDraft): ObjectName {
    const table = this.objectName();
    const columns = this.isSign('(') ? this.names() : [];
    for (;;) {
      if (this.takeWords('ON', 'UPDATE', 'CASCADE')) keeping.followed.push({ table, columns });
      else if (this.isWords('ON', 'UPDATE') || this.isWords('ON', 'DELETE') || this.isWord('MATCH'))
        this.skip(this.isWord('MATCH') ? 1 : 2);
      else if (!this.takeOne(REFERENCE_WORDS)) return table;
    }
  }

  /** CHECK (x), AS (x), DEFAULT x: takes one and adds its expression. */
  protected defined(expressions: Expression[], keeping: KeepingDraft): boolean {
    const bracketed = (this.isWord('CHECK') || this.isWord('AS')) && this.isSign('(', 1);
    if (bracketed && !this.queryAheadOf(1)) {
      const isCheck = this.isWord('CHECK');
      this.skip();
      const value = this.parenthesised(() => this.expression());
      expressions.push(value);
      if (isCheck) keeping.checks.push(value);
      return true;
    }
    const isValue =
      this.isWord('DEFAULT') && !NO_VALUES.has(this.word(1)) && this.kind(1) !== 'end' && this.#valueFollows();
    if (!isValue) return false;
    this.skip();
    const value = this.simple();
    expressions.push(value);
    keeping.defaults.push(value);
    return true;
  }

  /** PARTITION BY and SUBPARTITION BY, up to the end of what rows are divided by: takes the names in it. */
  protected dividedBy(keeping: KeepingDraft): boolean {
    if (!(this.isWord('PARTITION') || this.isWord('SUBPARTITION')) || !this.isWord('BY', 1)) return false;
    while (!this.done && !this.isSign('(')) this.skip();
    let depth = 0;
    while (!this.done) {
      if (this.isSign('(')) depth++;
      else if (this.isSign(')') && --depth === 0) break;
      if (this.isName()) keeping.dividing.push(this.takeName());
      else this.skip();
    }
    if (!this.done) this.skip();
    return true;
  }

  /** DEFAULT of an option (ROW_FORMAT = DEFAULT) and of a partition has nothing behind it. */
  #valueFollows(): boolean {
    const before = this.at === this.first ? '' : this.tokens.texts[this.at - 1];
    return (
      before !== '=' && !this.#isNameOfCharset() && !this.isSign(',', 1) && !this.isSign(')', 1) && !this.isSign('=', 1)
    );
  }

  /** COLLATE DEFAULT, CHARACTER SET DEFAULT: the one of the table. */
  #isNameOfCharset(): boolean {
    const { texts, kinds } = this.tokens;
    const word = (back: number): string => {
      const at = this.at - back;
      return at >= this.first && kinds[at] === 'word' ? (texts[at] ?? '') : '';
    };
    const isCharset = word(1) === 'SET' && (word(2) === 'CHARACTER' || word(2) === 'CHAR');
    return isCharset || word(1) === 'COLLATE' || word(1) === 'CHARSET';
  }

  /** Whether a query follows the parentheses that begin some tokens further on. */
  protected queryAheadOf(ahead: number): boolean {
    const before = this.at;
    this.skip(ahead);
    const found = this.queryAhead();
    this.rewind(before);
    return found;
  }

  /** Options and partitions, up to the query. */
  #options(draft: TableDraft): Query | undefined {
    while (!this.done) {
      if (this.isWord('AS') || this.isWord('IGNORE') || this.isWord('REPLACE')) this.skip();
      else if (this.isQuery() && !this.isWords('WITH', 'SYSTEM')) return this.query();
      else this.#option(draft);
    }
    return undefined;
  }

  #option(draft: TableDraft): void {
    if (this.isWord('PARTITION')) {
      this.#partitions(draft);
      return;
    }
    if (this.#storage(draft)) return;
    const words: string[] = [];
    while (this.kind() === 'word' && !this.#endsOption(words.length)) {
      words.push(this.word());
      this.skip();
    }
    this.takeSign('=');
    const value = this.done || this.isSign(',') ? '' : this.written();
    if (!this.done && !this.#endsOption(words.length)) this.skipToken();
    this.takeSign(',');
    draft.options.set(words.join(' ') || value, value);
  }

  /** ENGINE, CONNECTION, DATA DIRECTORY, INDEX DIRECTORY: where rows are kept. The sign between name and value may be left out. */
  #storage(draft: TableDraft): boolean {
    if (!this.#isStorage()) return false;
    const name = this.isWord('DATA') || this.isWord('INDEX') ? `${this.word()} DIRECTORY` : this.word();
    this.skip(name.includes(' ') ? 2 : 1);
    this.takeSign('=');
    draft.options.set(name, this.takeNameOrText());
    this.takeSign(',');
    return true;
  }

  #isStorage(): boolean {
    if (this.isWords('DATA', 'DIRECTORY') || this.isWords('INDEX', 'DIRECTORY')) return true;
    return this.isWord('ENGINE') || (this.isWord('CONNECTION') && (this.isSign('=', 1) || this.kind(1) === 'string'));
  }

  /** Whether the next word is what an option is set to, or begins something else. */
  #endsOption(count: number): boolean {
    if (count === 0) return false;
    if (this.#isStorage()) return true;
    return this.isSign('=') || this.isWord('AS') || this.isWord('PARTITION') || this.isQuery();
  }

  /** PARTITION BY ... and its list. A query in it is found by the last check of a statement. */
  #partitions(draft: TableDraft): void {
    let depth = 0;
    while (!this.done) {
      if (depth === 0 && this.#endsPartitions()) return;
      if (this.isSign('(')) depth++;
      else if (this.isSign(')')) depth--;
      if (depth < 0) throw this.error();
      if (!this.#storage(draft)) this.skip();
    }
    if (depth > 0) throw this.error();
  }

  #endsPartitions(): boolean {
    if (this.isWord('AS') || this.isWord('IGNORE') || this.isWord('REPLACE')) return true;
    return this.isQuery() && !this.isWord('VALUES');
  }

  /** The next token is VIEW. */
  protected createView(start: number, alter: boolean): CreateView {
    this.skip();
    this.takeWords('IF', 'NOT', 'EXISTS');
    this.takeWords('IF', 'EXISTS');
    const view = this.objectName();
    const columns = this.isSign('(') ? this.names() : undefined;
    this.expectWord('AS');
    const query = this.query();
    if (this.takeWord('WITH')) {
      if (!this.takeWord('CASCADED')) this.takeWord('LOCAL');
      this.expectWord('CHECK');
      this.expectWord('OPTION');
    }
    return { kind: 'create view', alter, view, ...(columns && { columns }), query, ...this.span(start) };
  }

  protected rewind(to: number): void {
    this.at = to;
  }

  /** Passes over a token, or over all that is in parentheses. */
  protected skipToken(): void {
    if (!this.isSign('(')) {
      if (this.isSign(')')) throw this.error();
      this.skip();
      return;
    }
    let depth = 0;
    do {
      if (this.done) throw this.error();
      if (this.isSign('(')) depth++;
      else if (this.isSign(')')) depth--;
      this.skip();
    } while (depth > 0);
  }

  /** Passes over the rest of the statement. */
  protected skipBalanced(): void {
    while (!this.done) this.skipToken();
  }
}

/** Words in what a foreign key does. SET NULL and SET DEFAULT are two of them. */
const REFERENCE_WORDS: ReadonlySet<string> = new Set(
  'FULL PARTIAL SIMPLE CASCADE RESTRICT SET NULL NO ACTION'.split(' '),
);
/** Words behind DEFAULT that say something else than a value of a column. */
const NO_VALUES: ReadonlySet<string> = new Set('CHARACTER CHARSET COLLATE ENCRYPTION'.split(' '));
