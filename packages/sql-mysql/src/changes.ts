/**
 * Reads the statements that change rows: INSERT, REPLACE, UPDATE, DELETE, LOAD. Owns: what they consist of. Does not: which
 * statement a text is (statements.ts).
 */
import { QueryParser } from './queries.js';
import type {
  Assignment,
  ColumnReference,
  Delete,
  Expression,
  Insert,
  Load,
  ObjectName,
  SelectItem,
  Update,
  UserVariable,
  With,
} from './tree.js';

export abstract class ChangeParser extends QueryParser {
  protected insert(): Insert {
    const start = this.start;
    const replace = this.isWord('REPLACE');
    this.skip();
    const hints = this.hints();
    this.takeOne(PRIORITIES);
    const ignore = this.takeWord('IGNORE');
    this.takeWord('INTO');
    const table = this.objectName();
    if (this.takeWord('PARTITION')) this.names();
    const { columns, source } = this.#inserted();
    const alias = this.isMaria ? undefined : this.#rowAlias();
    const onDuplicate = this.takeWords('ON', 'DUPLICATE', 'KEY', 'UPDATE') ? this.assignments() : [];
    const returning = this.#returning();
    return {
      kind: 'insert',
      replace,
      ignore,
      table,
      ...(columns && { columns }),
      source,
      ...(alias && { alias }),
      onDuplicate,
      ...(returning && { returning }),
      hints,
      ...this.span(start),
    };
  }

  #inserted(): Pick<Insert, 'columns' | 'source'> {
    if (this.takeWord('SET')) {
      const set = this.assignments();
      const row = set.map(({ value }) => value);
      return { columns: set.map(({ column }) => column), source: { kind: 'rows', rows: [row] } };
    }
    const columns = this.isSign('(') && !this.queryAhead() ? this.#columns() : undefined;
    const given = columns && columns.length > 0 ? { columns } : {};
    const isRows = (this.isWord('VALUES') || this.isWord('VALUE')) && this.isSign('(', 1);
    if (!isRows) return { ...given, source: { kind: 'query', query: this.query() } };
    this.skip();
    return { ...given, source: { kind: 'rows', rows: this.list(() => this.#row()) } };
  }

  #columns(): ColumnReference[] {
    return this.parenthesised(() => (this.isSign(')') ? [] : this.list(() => this.column())));
  }

  #row(): readonly Expression[] {
    return this.parenthesised(() => (this.isSign(')') ? [] : this.list(() => this.inserted())));
  }

  /** AS name(columns) */
  #rowAlias(): Insert['alias'] {
    if (!this.takeWord('AS')) return undefined;
    const name = this.takeName();
    const columns = this.isSign('(') ? this.names() : undefined;
    return { name, ...(columns && { columns }) };
  }

  protected assignments(): Assignment[] {
    return this.list(() => {
      const column = this.column();
      if (!this.takeSign(':=')) this.expectSign('=');
      const ignored = this.isMaria && this.isWord('IGNORE') && !this.isSign('(', 1);
      if (!ignored) return { column, value: this.expression() };
      const start = this.start;
      this.skip();
      return { column, value: { kind: 'default', ...this.span(start) } };
    });
  }

  #returning(): SelectItem[] | undefined {
    return this.isMaria && this.takeWord('RETURNING') ? this.selectItems() : undefined;
  }

  protected update(clause?: With, from = this.start): Update {
    this.skip();
    const hints = this.hints();
    this.takeWord('LOW_PRIORITY');
    const ignore = this.takeWord('IGNORE');
    const portioned = this.isMaria ? this.#portionedTable() : undefined;
    const tables = portioned ? [portioned.table] : this.tableReferences();
    this.expectWord('SET');
    const set = this.assignments();
    const where = this.where();
    const orderBy = this.orderBy();
    const limit = this.limit();
    const returning = this.#returning();
    return {
      kind: 'update',
      ...(clause && { with: clause }),
      ignore,
      tables,
      set,
      ...(where && { where }),
      orderBy,
      ...(limit && { limit }),
      portion: portioned?.portion ?? [],
      ...(returning && { returning }),
      hints,
      ...this.span(from),
    };
  }

  /** `t FOR PORTION OF p FROM x TO y` */
  #portionedTable(): { table: Update['tables'][number]; portion: Expression[] } | undefined {
    const before = this.at;
    if (!this.isName()) return undefined;
    const start = this.start;
    const table = this.objectName();
    const portion = this.#portion();
    if (!portion) {
      this.at = before;
      return undefined;
    }
    const alias = this.takeWord('AS') || this.isName() ? this.takeName() : undefined;
    const named = { kind: 'table' as const, table, ...(alias !== undefined && { alias }), systemTime: [] };
    return { table: { ...named, ...this.span(start) }, portion };
  }

  #portion(): Expression[] | undefined {
    if (!this.takeWords('FOR', 'PORTION', 'OF')) return undefined;
    this.takeName();
    this.expectWord('FROM');
    const from = this.bits();
    this.expectWord('TO');
    return [from, this.bits()];
  }

  protected delete(clause?: With, from = this.start): Delete {
    this.skip();
    const hints = this.hints();
    while (this.takeWord('LOW_PRIORITY') || (this.isWord('QUICK') && !this.isSign('.', 1) && this.takeWord('QUICK')));
    const ignore = this.takeWord('IGNORE');
    const begun = { kind: 'delete' as const, ...(clause && { with: clause }), ignore, hints };
    if (this.isMaria && this.isWords('HISTORY', 'FROM')) return { ...begun, ...this.#history(), ...this.span(from) };
    if (!this.takeWord('FROM')) {
      const targets = this.#targets();
      this.expectWord('FROM');
      return { ...begun, targets, ...this.#deleted(), ...this.span(from) };
    }
    const before = this.at;
    if (this.isName()) {
      const targets = this.#targets();
      if (this.takeWord('USING')) return { ...begun, targets, ...this.#deleted(), ...this.span(from) };
      this.at = before;
    }
    return { ...begun, ...this.#deletedFromOne(), ...this.span(from) };
  }

  #targets(): ObjectName[] {
    return this.list(() => {
      const start = this.start;
      const first = this.takeName();
      const qualified = this.isSign('.') && !this.isSign('*', 1);
      if (qualified) this.skip();
      const name = qualified ? { schema: first, name: this.takeName() } : { name: first };
      if (this.isSign('.') && this.isSign('*', 1)) this.skip(2);
      return { ...name, ...this.span(start) };
    });
  }

  #deleted(): Pick<Delete, 'tables' | 'where' | 'orderBy' | 'limit' | 'portion' | 'returning'> {
    const tables = this.tableReferences();
    return { tables, portion: [], ...this.#choice() };
  }

  #deletedFromOne(): Pick<Delete, 'targets' | 'tables' | 'where' | 'orderBy' | 'limit' | 'portion' | 'returning'> {
    const portioned = this.isMaria ? this.#portionedTable() : undefined;
    const table = portioned?.table ?? this.table();
    return { targets: [], tables: [table], portion: portioned?.portion ?? [], ...this.#choice() };
  }

  #choice(): Pick<Delete, 'where' | 'orderBy' | 'limit' | 'returning'> {
    const where = this.where();
    const orderBy = this.orderBy();
    const limit = this.limit();
    const returning = this.#returning();
    return { ...(where && { where }), orderBy, ...(limit && { limit }), ...(returning && { returning }) };
  }

  /** DELETE HISTORY FROM t [BEFORE SYSTEM_TIME x] */
  #history(): Pick<Delete, 'targets' | 'tables' | 'where' | 'orderBy' | 'portion'> {
    this.skip(2);
    const start = this.start;
    const table = this.objectName();
    if (this.takeWord('PARTITION')) this.names();
    const named = { kind: 'table' as const, table, systemTime: [], ...this.span(start) };
    const portion: Expression[] = [];
    if (this.takeWords('BEFORE', 'SYSTEM_TIME')) {
      if (this.isWord('TRANSACTION') || (this.isWord('TIMESTAMP') && this.kind(1) !== 'string')) this.skip();
      portion.push(this.bits());
    }
    return { targets: [], tables: [named], orderBy: [], portion };
  }

  /** LOAD DATA and LOAD XML; the next words are these. */
  protected load(): Load {
    const start = this.start;
    this.skip(2);
    this.takeOne(PRIORITIES);
    if (!this.isMaria) this.takeWord('FROM');
    const local = this.takeWord('LOCAL');
    const from = this.takeOne(SOURCES);
    if (from === undefined) throw this.error();
    const file = this.takeText();
    if (!this.isMaria) this.#bulkSource();
    const replace = this.takeWord('REPLACE');
    if (!replace) this.takeWord('IGNORE');
    this.expectWord('INTO');
    this.expectWord('TABLE');
    const table = this.objectName();
    if (this.takeWord('PARTITION')) this.names();
    if (!this.isMaria && this.takeWord('COMPRESSION')) {
      this.takeSign('=');
      this.takeText();
    }
    this.charsetOption();
    if (this.takeWords('ROWS', 'IDENTIFIED', 'BY')) this.takeText();
    this.fileFormat();
    if (this.takeWord('IGNORE')) {
      this.bits();
      if (!this.takeWord('LINES')) this.expectWord('ROWS');
    }
    const fields = this.isSign('(') ? this.#fields() : [];
    const set = this.takeWord('SET') ? this.assignments() : [];
    if (!this.isMaria) this.#bulkOptions();
    const source = from.toLowerCase() as Load['from'];
    return { kind: 'load', local, from: source, file, replace, table, fields, set, ...this.span(start) };
  }

  #bulkSource(): void {
    if (this.takeWord('COUNT')) this.bits();
    this.takeWords('IN', 'PRIMARY', 'KEY', 'ORDER');
  }

  #bulkOptions(): void {
    while (this.takeOne(BULK_OPTIONS)) {
      this.takeSign('=');
      if (this.isName()) this.takeName();
      else this.bits();
    }
  }

  #fields(): (ColumnReference | UserVariable)[] {
    return this.parenthesised(() => {
      if (this.isSign(')')) return [];
      return this.list((): ColumnReference | UserVariable => {
        const start = this.start;
        if (this.kind() !== 'variable') return this.column();
        const name = this.text();
        this.skip();
        return { kind: 'variable', name, ...this.span(start) };
      });
    });
  }
}

const PRIORITIES: ReadonlySet<string> = new Set(['LOW_PRIORITY', 'HIGH_PRIORITY', 'DELAYED', 'CONCURRENT']);
const SOURCES: ReadonlySet<string> = new Set(['INFILE', 'URL', 'S3']);
const BULK_OPTIONS: ReadonlySet<string> = new Set(['PARALLEL', 'MEMORY', 'ALGORITHM']);
