/**
 * Reads what stands behind FROM: tables, joins, derived tables, JSON_TABLE. Owns: how joins without parentheses nest. Does not: queries
 * (queries.ts), expressions (expressions.ts).
 */
import { CallParser } from './calls.js';
import type { Expression, Join, JsonColumn, JsonTable, Table, TableReference } from './tree.js';

export abstract class TableParser extends CallParser {
  /** Joins that parentheses hold together. */
  readonly #closed = new WeakSet<TableReference>();

  /** What stands behind FROM. */
  protected from(): readonly TableReference[] {
    if (this.isWord('DUAL') && !this.isSign('.', 1)) {
      this.skip();
      return [];
    }
    return this.tableReferences();
  }

  protected tableReferences(): TableReference[] {
    return this.list(() => this.deeper(() => this.#joined()));
  }

  /**
   * Joins from left to right. A join without a condition of its own leaves the ON behind it to the join around it, and otherwise
   * counts as the innermost on the left: `a JOIN b JOIN c ON x` is `(a JOIN b) JOIN c ON x`.
   */
  #joined(): TableReference {
    let left = this.#factor();
    for (let next = this.#join(left); next; next = this.#join(left)) left = next;
    return left;
  }

  #join(left: TableReference): TableReference | undefined {
    const natural = this.takeWord('NATURAL');
    const type = this.#joinType(natural);
    if (type === undefined) return undefined;
    if (natural) return this.#joinOf(type, true, left, this.#factor());
    const right = this.deeper(() => this.#joined());
    const isOn = this.isWord('ON') && !this.isWords('ON', 'DUPLICATE', 'KEY');
    if (isOn) this.skip();
    if (isOn) return { ...this.#joinOf(type, false, left, right), on: this.expression(), end: this.end };
    if (this.takeWord('USING'))
      return { ...this.#joinOf(type, false, left, right), using: this.names(), end: this.end };
    if (type === 'left' || type === 'right' || type === 'full') throw this.error();
    return this.#crossed(type, left, right);
  }

  #crossed(type: Join['type'], left: TableReference, right: TableReference): TableReference {
    if (right.kind !== 'join' || this.#closed.has(right)) return this.#joinOf(type, false, left, right);
    return { ...right, left: this.#crossed(type, left, right.left), start: left.start };
  }

  #joinOf(type: Join['type'], natural: boolean, left: TableReference, right: TableReference): Join {
    return { kind: 'join', type, natural, left, right, start: left.start, end: right.end };
  }

  #joinType(natural: boolean): Join['type'] | undefined {
    if (this.takeWord('JOIN')) return 'inner';
    if (this.isWords('INNER', 'JOIN') || this.isWords('CROSS', 'JOIN')) {
      const cross = this.isWord('CROSS');
      this.skip(2);
      return cross ? 'cross' : 'inner';
    }
    if (this.takeWord('STRAIGHT_JOIN')) return 'straight';
    const side = this.#side();
    if (side === undefined) {
      if (natural) throw this.error();
      return undefined;
    }
    this.skip();
    this.takeWord('OUTER');
    this.expectWord('JOIN');
    return side;
  }

  #side(): 'left' | 'right' | 'full' | undefined {
    if (this.isWord('LEFT')) return 'left';
    if (this.isWord('RIGHT')) return 'right';
    return this.isWord('FULL') && (this.isWord('JOIN', 1) || this.isWord('OUTER', 1)) ? 'full' : undefined;
  }

  #factor(): TableReference {
    const start = this.start;
    if (this.takeSign('{')) return this.#odbcJoin();
    const lateral = this.isWord('LATERAL') && this.isSign('(', 1);
    if (lateral) this.skip();
    if (this.isSign('(')) return this.#parenthesisedFactor(start, lateral);
    if (this.isWord('JSON_TABLE') && this.isSign('(', 1)) return this.#jsonTable(start);
    return this.table();
  }

  /** `{ OJ a LEFT JOIN b ON x }` */
  #odbcJoin(): TableReference {
    this.takeName();
    const inner = this.#joined();
    this.expectSign('}');
    this.#closed.add(inner);
    return inner;
  }

  #parenthesisedFactor(start: number, lateral: boolean): TableReference {
    if (lateral || (this.queryAhead() && this.queryFills())) {
      const query = this.deeper(() => this.parenthesised(() => this.query()));
      const systemTime = this.isMaria && this.isWords('FOR', 'SYSTEM_TIME') ? this.#systemTime() : [];
      const alias = this.#tableAlias();
      const columns = alias !== undefined && this.isSign('(') ? this.names() : undefined;
      return {
        kind: 'derived',
        query,
        ...(alias !== undefined && { alias }),
        ...(columns && { columns }),
        lateral,
        systemTime,
        ...this.span(start),
      };
    }
    const inner = this.deeper(() => this.parenthesised(() => this.tableReferences()));
    const [first, ...more] = inner as [TableReference, ...TableReference[]];
    const joined = more.reduce((left, right): TableReference => this.#joinOf('cross', false, left, right), first);
    this.#closed.add(joined);
    return joined;
  }

  /** `(a, b)` */
  protected names(): string[] {
    return this.parenthesised(() => (this.isSign(')') ? [] : this.list(() => this.takeName())));
  }

  /** A table, with partitions, an alias and index hints. */
  protected table(): Table {
    const start = this.start;
    const table = this.objectName();
    const partitions = this.takeWord('PARTITION') ? this.names() : undefined;
    const systemTime = this.isMaria && this.isWords('FOR', 'SYSTEM_TIME') ? this.#systemTime() : [];
    const alias = this.#tableAlias();
    if (!this.isMaria && this.takeWord('TABLESAMPLE')) this.#sample();
    const byIndex = this.#indexHints();
    return {
      kind: 'table',
      table,
      ...(byIndex && { byIndex }),
      ...(alias !== undefined && { alias }),
      ...(partitions && { partitions }),
      systemTime,
      ...this.span(start),
    };
  }

  #tableAlias(): string | undefined {
    if (this.takeWord('AS')) return this.kind() === 'string' ? this.takeText() : this.takeName();
    if (!this.isName() || (this.isMaria && MARIADB_NO_TABLE_ALIAS.has(this.word()))) return undefined;
    return this.takeName();
  }

  /** SYSTEM|BERNOULLI (percentage) */
  #sample(): void {
    this.skip();
    this.parenthesised(() => this.expression());
  }

  /** FOR SYSTEM_TIME AS OF x, BETWEEN x AND y, FROM x TO y, ALL */
  #systemTime(): Expression[] {
    this.skip(2);
    if (this.takeWord('ALL')) return [];
    if (this.takeWords('AS', 'OF')) return [this.#moment()];
    const between = this.takeWord('BETWEEN');
    if (!between) this.expectWord('FROM');
    const from = this.#moment();
    this.expectWord(between ? 'AND' : 'TO');
    return [from, this.#moment()];
  }

  #moment(): Expression {
    if (this.isWord('TRANSACTION') && !this.isSign('(', 1)) this.skip();
    else if (this.isWord('TIMESTAMP') && this.kind(1) !== 'string' && !this.isSign('(', 1)) this.skip();
    return this.bits();
  }

  /** Whether one of them is for, or against, another index than the primary key. */
  #indexHints(): boolean {
    let byIndex = false;
    for (;;) {
      const used = INDEX_HINTS.has(this.word()) && (this.isWord('INDEX', 1) || this.isWord('KEY', 1));
      if (!used) return byIndex;
      const isAgainst = this.isWord('IGNORE');
      this.skip(2);
      if (this.takeWord('FOR')) {
        if (!this.takeWord('JOIN') && !this.takeWords('ORDER', 'BY')) {
          this.expectWord('GROUP');
          this.expectWord('BY');
        }
      }
      this.parenthesised(() => {
        const names = this.isSign(')') ? [] : this.list(() => (this.takeWord('PRIMARY') ? PRIMARY : this.takeName()));
        byIndex ||= names.some((name) => isAgainst || name.toUpperCase() !== PRIMARY);
      });
      // MariaDB and MySQL both take several with commas in between.
      if (this.isSign(',') && INDEX_HINTS.has(this.word(1))) this.skip();
    }
  }

  #jsonTable(start: number): JsonTable {
    this.skip(2);
    const document = this.expression();
    this.expectSign(',');
    const path = this.#jsonPath();
    const columns = this.#jsonColumns();
    this.#onEmptyOrError();
    this.expectSign(')');
    const alias = this.#tableAlias();
    return { kind: 'json table', document, path, columns, ...(alias !== undefined && { alias }), ...this.span(start) };
  }

  /** A text, which may have its character set in front. */
  #jsonPath(): string {
    if (this.kind() === 'word' && this.kind(1) === 'string') this.skip();
    return this.takeText();
  }

  #jsonColumns(): JsonColumn[] {
    this.expectWord('COLUMNS');
    return this.deeper(() => this.parenthesised(() => this.list(() => this.#jsonColumn())));
  }

  #jsonColumn(): JsonColumn {
    const nested = this.isWord('NESTED') && (this.isWord('PATH', 1) || this.kind(1) === 'string');
    if (nested) {
      this.skip();
      this.takeWord('PATH');
      const path = this.#jsonPath();
      return { type: 'nested', path, columns: this.#jsonColumns() };
    }
    const name = this.takeName();
    if (this.takeWords('FOR', 'ORDINALITY')) return { name, type: 'ordinality', columns: [] };
    const { type: dataType } = this.castType();
    const exists = this.takeWord('EXISTS');
    const path = this.takeWord('PATH') ? this.#jsonPath() : undefined;
    this.#onEmptyOrError();
    return { name, type: exists ? 'exists' : 'value', ...(path !== undefined && { path }), dataType, columns: [] };
  }

  /** NULL ON EMPTY, ERROR ON ERROR, DEFAULT x ON EMPTY */
  #onEmptyOrError(): void {
    while (this.isWord('NULL') || this.isWord('ERROR') || this.isWord('DEFAULT')) {
      if (this.takeWord('DEFAULT')) this.bits();
      else this.skip();
      this.expectWord('ON');
      if (!this.takeWord('EMPTY')) this.expectWord('ERROR');
    }
  }
}

const MARIADB_NO_TABLE_ALIAS: ReadonlySet<string> = new Set(['WINDOW', 'PROCEDURE']);
const PRIMARY = 'PRIMARY';
const INDEX_HINTS: ReadonlySet<string> = new Set(['USE', 'FORCE', 'IGNORE']);
