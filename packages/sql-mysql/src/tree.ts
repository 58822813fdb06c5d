/**
 * The tree of a statement, as this package's parser makes it: types only. Complete for what can return rows or write data; the rest is
 * `head`, which has what can be found in it. Does not: what queries and expressions are made of (tree-queries.ts).
 */
import type { Cost } from './definition-costs/cost.js';
import type {
  ColumnReference,
  Expression,
  Limit,
  ObjectName,
  Order,
  Query,
  SelectItem,
  Span,
  TableReference,
  UserVariable,
  With,
} from './tree-queries.js';

export type * from './tree-queries.js';

// Statements that change rows

export interface Insert extends Span {
  readonly kind: 'insert';
  readonly replace: boolean;
  readonly ignore: boolean;
  readonly table: ObjectName;
  /** In parentheses behind the table, or of the assignments of SET; absent: all of the table's. */
  readonly columns?: readonly ColumnReference[];
  readonly source:
    | { readonly kind: 'rows'; readonly rows: readonly (readonly Expression[])[] }
    | { readonly kind: 'query'; readonly query: Query };
  /** MySQL: VALUES (...) AS name(columns), which ON DUPLICATE KEY UPDATE may use. */
  readonly alias?: { readonly name: string; readonly columns?: readonly string[] };
  readonly onDuplicate: readonly Assignment[];
  /** Of MariaDB. */
  readonly returning?: readonly SelectItem[];
  readonly hints: readonly string[];
}

export interface Update extends Span {
  readonly kind: 'update';
  readonly with?: With;
  readonly ignore: boolean;
  readonly tables: readonly TableReference[];
  readonly set: readonly Assignment[];
  readonly where?: Expression;
  readonly orderBy: readonly Order[];
  readonly limit?: Limit;
  /** Values in FOR PORTION OF, of MariaDB. */
  readonly portion: readonly Expression[];
  readonly returning?: readonly SelectItem[];
  readonly hints: readonly string[];
}

export interface Delete extends Span {
  readonly kind: 'delete';
  readonly with?: With;
  readonly ignore: boolean;
  /** Of a DELETE of several tables: which of `tables` lose rows, by alias or name. Empty: the one table. */
  readonly targets: readonly ObjectName[];
  readonly tables: readonly TableReference[];
  readonly where?: Expression;
  readonly orderBy: readonly Order[];
  readonly limit?: Limit;
  readonly portion: readonly Expression[];
  readonly returning?: readonly SelectItem[];
  readonly hints: readonly string[];
}

export interface Assignment {
  readonly column: ColumnReference;
  readonly value: Expression;
}

/** LOAD DATA and LOAD XML. */
export interface Load extends Span {
  readonly kind: 'load';
  /** The file is the client's. */
  readonly local: boolean;
  /** `url` and `s3` are of MySQL's bulk load. */
  readonly from: 'infile' | 'url' | 's3';
  readonly file: string;
  readonly replace: boolean;
  readonly table: ObjectName;
  /** Where fields go: columns and variables, in order. */
  readonly fields: readonly (ColumnReference | UserVariable)[];
  readonly set: readonly Assignment[];
}

// Other statements

export type Statement =
  | QueryStatement
  | Insert
  | Update
  | Delete
  | Load
  | SetStatement
  | CallStatement
  | DoStatement
  | Explain
  | Prepare
  | Execute
  | Deallocate
  | CreateTable
  | CreateView
  | HandlerStatement
  | UseStatement
  | ShowStatement
  | Transaction
  | SetFor
  | HeadStatement;

export interface QueryStatement extends Span {
  readonly kind: 'query';
  readonly query: Query;
}

export interface SetStatement extends Span {
  readonly kind: 'set variables';
  readonly items: readonly SetItem[];
}

export type SetItem =
  | { readonly kind: 'variable'; readonly name: string; readonly value: Expression }
  /** `value` is absent for DEFAULT; a bare word (`SET sql_mode = ANSI`) is a string. */
  | {
      readonly kind: 'setting';
      readonly scope: 'session' | 'global' | 'persist' | 'persist only';
      readonly name: string;
      readonly value?: Expression;
    }
  /** SET NAMES and SET CHARACTER SET; absent: DEFAULT. */
  | { readonly kind: 'names'; readonly charset?: string; readonly collation?: string; readonly onlyClient: boolean }
  /** SET TRANSACTION */
  | { readonly kind: 'transaction'; readonly scope: 'session' | 'global' | 'next'; readonly readOnly?: boolean }
  | { readonly kind: 'password' | 'role' | 'default role' };

export interface CallStatement extends Span {
  readonly kind: 'call procedure';
  readonly procedure: ObjectName;
  readonly arguments: readonly Expression[];
}

export interface DoStatement extends Span {
  readonly kind: 'do';
  readonly values: readonly Expression[];
}

/** EXPLAIN and its kin of a statement; ANALYZE runs it. `into`: the plan goes to a variable. */
export interface Explain extends Span {
  readonly kind: 'explain';
  readonly analyze: boolean;
  readonly statement: Statement;
  readonly into?: string;
}

/** PREPARE and EXECUTE IMMEDIATE of an expression. */
export interface Prepare extends Span {
  readonly kind: 'prepare';
  /** Absent: EXECUTE IMMEDIATE. */
  readonly name?: string;
  readonly from: Expression;
  readonly using: readonly Expression[];
}

export interface Execute extends Span {
  readonly kind: 'execute';
  readonly name: string;
  readonly using: readonly Expression[];
}

export interface Deallocate extends Span {
  readonly kind: 'deallocate';
  readonly name: string;
}

/** With what is found in its definitions. `query`: CREATE TABLE ... AS SELECT. */
/** What a definition has values of columns do later, or keeps of them, by itself. */
export interface Keeping {
  /** DEFAULT x. */
  readonly defaults: readonly Expression[];
  /** Columns that are defined anew and computed no longer: what they hold stays. */
  readonly plain: readonly string[];
  /** Foreign keys whose columns change with those that they refer to. Without columns: the key of the table. */
  readonly followed: readonly { readonly table: ObjectName; readonly columns: readonly string[] }[];
  /** CHECK (x), and what a unique key has of an expression: every row that is there is held against it. */
  readonly checks: readonly Expression[];
  /** Columns by whose values rows are put into partitions. */
  readonly dividing: readonly string[];
  /** Columns that stand in a unique key as they are, */
  readonly keys: readonly string[];
  /** and those of which one has the beginning only: `unique (mail(3))`. */
  readonly parts: readonly string[];
  /** Columns that are AUTO_INCREMENT by it. */
  readonly numbered: readonly string[];
}

export interface CreateTable extends Span {
  readonly kind: 'create table';
  readonly ifNotExists: boolean;
  readonly temporary: boolean;
  readonly replace: boolean;
  readonly table: ObjectName;
  readonly like?: ObjectName;
  readonly references: readonly ObjectName[];
  /** Names of its own columns, those of the query not among them. */
  readonly columns: readonly string[];
  readonly expressions: readonly Expression[];
  readonly query?: Query;
  readonly keeping: Keeping;
  /** ENGINE, CONNECTION, DATA DIRECTORY and whatever else leads outside. Upper case name, value as written. */
  readonly options: ReadonlyMap<string, string>;
  readonly cost?: Cost;
}

/** CREATE VIEW and ALTER VIEW. */
export interface CreateView extends Span {
  readonly kind: 'create view';
  readonly alter: boolean;
  readonly view: ObjectName;
  readonly columns?: readonly string[];
  readonly query: Query;
}

export interface HandlerStatement extends Span {
  readonly kind: 'handler';
  readonly action: 'open' | 'read' | 'close';
  readonly table: ObjectName;
  /** Rows come in the order of an index other than the primary key. */
  readonly byIndex?: true;
  readonly alias?: string;
  readonly where?: Expression;
  readonly limit?: Limit;
  readonly values: readonly Expression[];
}

export interface UseStatement extends Span {
  readonly kind: 'use';
  readonly schema: string;
}

/** SHOW and DESCRIBE of a table. `what` is upper case, as `COLUMNS`, `CREATE TABLE`, `WARNINGS`. */
export interface ShowStatement extends Span {
  readonly kind: 'show';
  readonly what: string;
  readonly object?: ObjectName;
  readonly where?: Expression;
}

export interface Transaction extends Span {
  readonly kind: 'transaction';
  /** As `begin`, `start`, `commit`, `rollback`, `rollback to`, `savepoint`, `release`, `xa prepare`. */
  readonly verb: string;
}

/** SET STATEMENT ... FOR statement, of MariaDB. */
export interface SetFor extends Span {
  readonly kind: 'set for';
  readonly items: readonly SetItem[];
  readonly statement: Statement;
}

/** Whatever is read by its first words: the objects it names, and expressions and queries that were found in the rest. */
export interface HeadStatement extends Span {
  readonly kind: 'head';
  /** Lower case: `alter table`, `grant`, `flush`, `create procedure`. */
  readonly verb: string;
  readonly objects: readonly HeadObject[];
  readonly expressions: readonly Expression[];
  readonly queries: readonly Query[];
  /** Upper case words of the rest that decide what it does: `DROP`, `LOCAL`, `INSTALL`. */
  readonly words: ReadonlySet<string>;
  /** Of ALTER TABLE. */
  readonly keeping?: Keeping;
  readonly cost?: Cost;
}

export interface HeadObject {
  readonly type: 'table' | 'view' | 'schema' | 'routine' | 'user' | 'file' | 'object';
  readonly access: 'read' | 'write' | 'define' | 'destroy' | 'execute';
  readonly object: ObjectName;
}
