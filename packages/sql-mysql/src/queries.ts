/**
 * Reads queries: SELECT, set operations, VALUES, TABLE and their clauses. Owns: which part a clause behind a query belongs to. Does
 * not: what stands behind FROM (tables.ts), expressions (expressions.ts), statements (statements.ts).
 */
import { QUERY_WORDS } from './operators.js';
import { TableParser } from './tables.js';
import type {
  FunctionCall,
  CommonTable,
  Expression,
  Into,
  Limit,
  NestedQuery,
  Order,
  Query,
  Select,
  SelectItem,
  SetOperation,
  TableQuery,
  UserVariable,
  ValuesQuery,
  With,
} from './tree.js';

/** What stands behind a query, or nothing of it. */
interface QueryTail {
  readonly orderBy: readonly Order[];
  readonly limit?: Limit;
  readonly into?: Into;
  readonly locking: boolean;
  readonly procedure?: FunctionCall;
}

const NO_TAIL: QueryTail = { orderBy: [], locking: false };

export abstract class QueryParser extends TableParser {
  /** Numbers of the tokens SELECT, WITH, VALUES and TABLE that begin a query which was read. */
  protected readonly queriesRead = new Set<number>();

  protected query(): Query {
    return this.deeper(() => {
      const start = this.start;
      const clause = this.with();
      const body = this.#union();
      const query = withTail(body, this.#tail());
      return clause ? withCommonTables(query, clause, start) : query;
    });
  }

  /** WITH and the tables behind it. */
  protected with(): With | undefined {
    if (!this.isWord('WITH')) return undefined;
    this.queriesRead.add(this.at);
    this.skip();
    const recursive = this.takeWord('RECURSIVE');
    return { recursive, tables: this.list(() => this.#commonTable()) };
  }

  #commonTable(): CommonTable {
    const name = this.takeName();
    const columns = this.isSign('(') ? this.names() : undefined;
    this.expectWord('AS');
    const query = this.parenthesised(() => this.query());
    if (this.isMaria && this.takeWord('CYCLE')) {
      this.list(() => this.takeName());
      this.expectWord('RESTRICT');
    }
    return { name, ...(columns && { columns }), query };
  }

  /** UNION and EXCEPT from left to right; INTERSECT binds tighter. */
  #union(): Query {
    let left = this.#intersect();
    for (;;) {
      const operator = this.#setOperator();
      if (operator === undefined || operator === 'intersect') return left;
      this.skip();
      left = this.#operation(operator, left, () => this.#intersect());
    }
  }

  #intersect(): Query {
    let left = this.#primary();
    while (this.#setOperator() === 'intersect') {
      this.skip();
      left = this.#operation('intersect', left, () => this.#primary());
    }
    return left;
  }

  #setOperator(): SetOperation['operator'] | undefined {
    switch (this.word()) {
      case 'UNION':
        return 'union';
      case 'EXCEPT':
        return 'except';
      case 'INTERSECT':
        return 'intersect';
      default:
        return undefined;
    }
  }

  #operation(operator: SetOperation['operator'], left: Query, read: () => Query): SetOperation {
    const all = this.takeWord('ALL');
    if (!all) this.takeWord('DISTINCT');
    const right = read();
    return { kind: 'set', operator, all, left, right, ...NO_TAIL, start: left.start, end: this.end };
  }

  #primary(): Query {
    const start = this.start;
    if (this.isSign('(')) return { ...this.parenthesised(() => this.query()), start, end: this.end };
    this.queriesRead.add(this.at);
    switch (this.word()) {
      case 'SELECT':
        return this.#select(start);
      case 'VALUES':
        return this.#values(start);
      case 'TABLE': {
        if (this.isMaria) throw this.error();
        this.skip();
        const table = this.objectName();
        return { kind: 'table', table, ...NO_TAIL, ...this.span(start) } satisfies TableQuery;
      }
      default:
        throw this.error();
    }
  }

  #values(start: number): ValuesQuery {
    this.skip();
    const rows = this.list(() => {
      if (!this.isMaria) this.expectWord('ROW');
      return this.parenthesised(() => (this.isSign(')') ? [] : this.list(() => this.inserted())));
    });
    return { kind: 'values', rows, ...NO_TAIL, ...this.span(start) };
  }

  /** A value, DEFAULT, or IGNORE of MariaDB, which is the same in VALUES. */
  protected inserted(): Expression {
    const start = this.start;
    const ends = this.isSign(',', 1) || this.isSign(')', 1) || this.kind(1) === 'end';
    const ignored = this.isMaria && this.isWord('IGNORE') && ends;
    if (!ignored) return this.expression();
    this.skip();
    return { kind: 'default', ...this.span(start) };
  }

  #select(start: number): Select {
    this.skip();
    const hints = this.hints();
    const distinct = this.#options();
    const items = this.selectItems();
    const into = this.#into();
    const from = this.takeWord('FROM') ? this.from() : [];
    const where = this.where();
    const { groupBy, rollup } = this.#groupBy();
    const having = this.takeWord('HAVING') ? this.expression() : undefined;
    const windows = this.isWord('WINDOW') ? this.#windows() : [];
    const qualify = !this.isMaria && this.takeWord('QUALIFY') ? this.expression() : undefined;
    return {
      kind: 'select',
      distinct,
      items,
      from,
      ...(where && { where }),
      groupBy,
      rollup,
      ...(having && { having }),
      windows,
      ...(qualify && { qualify }),
      hints,
      ...NO_TAIL,
      ...(into && { into }),
      ...this.span(start),
    };
  }

  /** Texts of hints behind a verb. */
  protected hints(): string[] {
    const hints: string[] = [];
    for (; this.kind() === 'hint'; this.skip()) hints.push(this.text());
    return hints;
  }

  #options(): boolean {
    let distinct = false;
    for (let word = this.#option(); word !== undefined; word = this.#option())
      distinct ||= word.startsWith('DISTINCT') || word === 'UNIQUE';
    return distinct;
  }

  #option(): string | undefined {
    const word = this.word();
    if ((word === 'SQL_CACHE' || word === 'UNIQUE') && !this.isMaria) return undefined;
    return this.takeOne(SELECT_OPTIONS);
  }

  protected selectItems(): SelectItem[] {
    return this.list(() => this.#item());
  }

  #item(): SelectItem {
    const start = this.start;
    const star = this.#star(start);
    if (star) return star;
    const value = this.expression();
    const { source } = this.tokens;
    const written = source.slice(start, this.end);
    const alias = this.#alias();
    const name = alias ?? nameOf(value, written);
    return { kind: 'item', value, name, ...(alias !== undefined && { alias }), ...this.span(start) };
  }

  /** `*`, `t.*`, `s.t.*` */
  #star(start: number): SelectItem | undefined {
    if (this.takeSign('*')) return { kind: 'star', ...this.span(start) };
    if (!this.isName() || !this.isSign('.', 1)) return undefined;
    if (this.isSign('*', 2)) {
      const table = this.takeName();
      this.skip(2);
      return { kind: 'star', table, ...this.span(start) };
    }
    if (!this.isName(2) || !this.isSign('.', 3) || !this.isSign('*', 4)) return undefined;
    const schema = this.takeName();
    this.skip();
    const table = this.takeName();
    this.skip(2);
    return { kind: 'star', schema, table, ...this.span(start) };
  }

  #alias(): string | undefined {
    if (this.takeWord('AS')) return this.takeNameOrText();
    if (this.kind() === 'string') return this.takeText();
    return this.isName() && !NO_BARE_ALIAS.has(this.word()) ? this.takeName() : undefined;
  }

  protected where(): Expression | undefined {
    return this.takeWord('WHERE') ? this.expression() : undefined;
  }

  #groupBy(): { groupBy: Order[]; rollup: boolean } {
    if (!this.takeWords('GROUP', 'BY')) return { groupBy: [], rollup: false };
    if (!this.isMaria && this.isWords('GROUPING', 'SETS')) return { groupBy: this.#groupingSets(), rollup: true };
    const called = (this.isWord('ROLLUP') || this.isWord('CUBE')) && this.isSign('(', 1) && !this.isMaria;
    if (called) this.skip();
    const groupBy = called ? this.parenthesised(() => this.orders()) : this.orders();
    const rollup = called || this.takeWords('WITH', 'ROLLUP') || this.takeWords('WITH', 'CUBE');
    return { groupBy, rollup };
  }

  /** GROUPING SETS ((a, b), ()) */
  #groupingSets(): Order[] {
    this.skip(2);
    const sets = this.parenthesised(() =>
      this.list(() => {
        if (!this.isSign('(')) return this.orders();
        return this.parenthesised(() => (this.isSign(')') ? [] : this.orders()));
      }),
    );
    return sets.flat();
  }

  #windows(): Select['windows'] {
    this.skip();
    return this.list(() => {
      const name = this.takeName();
      this.expectWord('AS');
      return { name, window: this.window() };
    });
  }

  /** ORDER BY, LIMIT, PROCEDURE, INTO and locks. */
  #tail(): QueryTail {
    const orderBy = this.orderBy();
    const limit = this.limit();
    const procedure = this.isMaria && this.isWord('PROCEDURE') ? this.#procedure() : undefined;
    let into: Into | undefined;
    let locking = false;
    for (;;) {
      if (this.isWord('INTO') && !into) into = this.#into();
      else if (this.#lock()) locking = true;
      else break;
    }
    return { orderBy, ...(limit && { limit }), ...(into && { into }), locking, ...(procedure && { procedure }) };
  }

  #procedure(): FunctionCall {
    this.skip();
    const start = this.start;
    const name = this.takeName();
    const values = this.parenthesised(() => (this.isSign(')') ? [] : this.expressions()));
    return { kind: 'call', name, native: true, arguments: values, ...this.span(start) };
  }

  #lock(): boolean {
    if (this.takeWords('LOCK', 'IN', 'SHARE', 'MODE')) {
      this.#lockWait();
      return true;
    }
    if (!this.isWords('FOR', 'UPDATE') && !this.isWords('FOR', 'SHARE')) return false;
    this.skip(2);
    if (!this.isMaria && this.takeWord('OF')) this.list(() => this.objectName());
    this.#lockWait();
    return true;
  }

  #lockWait(): void {
    if (this.takeWord('NOWAIT') || this.takeWords('SKIP', 'LOCKED')) return;
    if (this.isMaria && this.takeWord('WAIT')) this.expression();
  }

  #into(): Into | undefined {
    if (!this.takeWord('INTO')) return undefined;
    if (this.takeWord('OUTFILE')) return this.#outfile();
    if (this.takeWord('DUMPFILE')) return { kind: 'file', file: this.takeText(), dump: true };
    const targets = this.list((): UserVariable | { local: string } => {
      const start = this.start;
      if (this.kind() !== 'variable') return { local: this.#localName() };
      const name = this.text();
      this.skip();
      return { kind: 'variable', name, ...this.span(start) };
    });
    return { kind: 'variables', targets };
  }

  #localName(): string {
    const name = this.takeName();
    return this.takeSign('.') ? `${name}.${this.takeName()}` : name;
  }

  #outfile(): Into {
    const file = this.takeText();
    this.charsetOption();
    this.fileFormat();
    return { kind: 'file', file, dump: false };
  }

  /** CHARACTER SET x */
  protected charsetOption(): void {
    if (!this.takeWords('CHARACTER', 'SET') && !this.takeWord('CHARSET')) return;
    if (!this.takeWord('BINARY')) this.takeNameOrText();
  }

  /** FIELDS and LINES of LOAD DATA and INTO OUTFILE. */
  protected fileFormat(): void {
    if (this.takeWord('FIELDS') || this.takeWord('COLUMNS')) while (this.#formatPart(FIELD_PARTS));
    if (this.takeWord('LINES')) while (this.#formatPart(LINE_PARTS));
  }

  #formatPart(parts: ReadonlySet<string>): boolean {
    if (parts.has('ENCLOSED')) this.takeWord('OPTIONALLY');
    if (this.takeOne(parts) === undefined) return false;
    this.expectWord('BY');
    if (this.kind() === 'hex' || this.kind() === 'bit') this.skip();
    else this.takeText();
    return true;
  }

  /** Whether a query, with or without parentheses, is next. */
  protected isQuery(): boolean {
    return QUERY_WORDS.has(this.word()) || this.queryAhead();
  }
}

function isPlain({ orderBy, limit, into, locking, procedure }: QueryTail): boolean {
  return orderBy.length === 0 && !limit && !into && !locking && !procedure;
}

/** The clauses behind a query belong to it, unless it has some of its own from within parentheses. */
function withTail(query: Query, tail: QueryTail): Query {
  if (isPlain(tail)) return query;
  const { procedure, into, ...rest } = tail;
  const occupied = query.orderBy.length > 0 || query.limit !== undefined || query.locking || query.with !== undefined;
  const clashes = into !== undefined && query.into !== undefined;
  if (occupied || clashes || query.kind === 'nested') return nested(query, tail);
  const clauses = { ...query, ...rest, ...(into && { into }) };
  return clauses.kind === 'select' && procedure ? { ...clauses, procedure } : clauses;
}

function nested(query: Query, { orderBy, limit, into, locking }: QueryTail): NestedQuery {
  const clauses = { orderBy, ...(limit && { limit }), ...(into && { into }), locking };
  return { kind: 'nested', query, ...clauses, start: query.start, end: query.end };
}

function withCommonTables(query: Query, clause: With, start: number): Query {
  const whole = query.with ? nested(query, NO_TAIL) : query;
  return { ...whole, with: clause, start };
}

/** What the server calls a column without an alias. */
function nameOf(value: Expression, written: string): string {
  if (value.kind === 'column') return value.name;
  return value.kind === 'constant' && value.type === 'string' && !value.introducer ? value.value : written;
}

const SELECT_OPTIONS: ReadonlySet<string> = new Set(
  `ALL DISTINCT DISTINCTROW HIGH_PRIORITY STRAIGHT_JOIN SQL_SMALL_RESULT SQL_BIG_RESULT SQL_BUFFER_RESULT SQL_CALC_FOUND_ROWS
   SQL_NO_CACHE SQL_CACHE UNIQUE`.split(/\s+/),
);
/** Words that could be aliases, but for what they begin. */
const NO_BARE_ALIAS: ReadonlySet<string> = new Set(['SOUNDS', 'MEMBER']);
const FIELD_PARTS: ReadonlySet<string> = new Set(['TERMINATED', 'ENCLOSED', 'ESCAPED']);
const LINE_PARTS: ReadonlySet<string> = new Set(['STARTING', 'TERMINATED']);
