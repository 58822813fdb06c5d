/**
 * The tree of a statement, as this package's parser makes it: types only. Complete for what can return rows or write data; the
 * rest is `head`, which has what can be found in it. Names are as written, without their quotes; places count UTF-16 code units
 * of the text. What sql_mode decides is decided already: `||` is `or` or `concat`, `"x"` is a text or a name.
 */

/** A place in the text: the first code unit, and the one behind the last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A table, view or routine, as written. */
export interface ObjectName extends Span {
  readonly schema?: string;
  readonly name: string;
}

// Expressions

export type Expression =
  | Constant
  | ParameterMarker
  | ColumnReference
  | UserVariable
  | SystemVariable
  | Assign
  | Operation
  | FunctionCall
  | Sequence
  | CaseExpression
  | Cast
  | Interval
  | RowExpression
  | Subquery
  | Exists
  | Match
  | Default;

/** `temporal` is DATE '...', TIME '...' or TIMESTAMP '...'. Numbers keep their spelling in `value`; hex and bits too. */
export interface Constant extends Span {
  readonly kind: 'constant';
  readonly type: 'string' | 'integer' | 'decimal' | 'float' | 'hex' | 'bit' | 'boolean' | 'null' | 'temporal';
  /** Decoded text of a string; `TRUE`, `FALSE` and `NULL` for the words. */
  readonly value: string;
  /** The character set in front of a string: `utf8mb4` of `_utf8mb4'...'`. */
  readonly introducer?: string;
}

/** `?`; they count from 0 in the order of the text. */
export interface ParameterMarker extends Span {
  readonly kind: 'parameter';
  readonly index: number;
}

export interface ColumnReference extends Span {
  readonly kind: 'column';
  readonly schema?: string;
  readonly table?: string;
  readonly name: string;
}

/** `@name`; names are compared without regard to case. */
export interface UserVariable extends Span {
  readonly kind: 'variable';
  readonly name: string;
}

/** `@@name`, `@@global.name`, `@@session.cache.name`. */
export interface SystemVariable extends Span {
  readonly kind: 'setting';
  readonly scope?: 'global' | 'session' | 'persist' | 'persist only';
  /** Lower case, with the dot of a structured variable. */
  readonly name: string;
}

/** `@name := value` */
export interface Assign extends Span {
  readonly kind: 'assign';
  readonly variable: UserVariable;
  readonly value: Expression;
}

export type OperatorSign =
  | ('or' | 'xor' | 'and' | 'not' | 'concat')
  | ('=' | '<=>' | '<>' | '<' | '<=' | '>' | '>=')
  | ('like' | 'not like' | 'regexp' | 'not regexp' | 'sounds like' | 'member of')
  | ('between' | 'not between' | 'in' | 'not in')
  | ('is null' | 'is not null' | 'is true' | 'is not true' | 'is false' | 'is not false')
  | ('is unknown' | 'is not unknown' | 'is json' | 'is not json')
  | ('|' | '&' | '<<' | '>>' | '+' | '-' | '*' | '/' | 'div' | '%' | '^')
  | ('minus' | 'plus' | '~')
  | ('binary' | 'collate' | '->' | '->>');

/**
 * Any operator. `and` and `or` have as many operands as stand beside each other; `between` has three operands; `in` the needle and the list, which may be one `subquery`; `like` may have the
 * escape as a third. `minus` and `plus` have one. `!x` is `not`. A quantifier stands with a comparison whose second operand is
 * a subquery.
 */
export interface Operation extends Span {
  readonly kind: 'operation';
  readonly operator: OperatorSign;
  readonly operands: readonly Expression[];
  readonly quantifier?: 'any' | 'all';
  /** Of `collate`. */
  readonly collation?: string;
}

/** A function, aggregate or window function. Syntax of its own (`TRIM(LEADING a FROM b)`) has become arguments. */
export interface FunctionCall extends Span {
  readonly kind: 'call';
  readonly schema?: string;
  /** Lower case where `native`, else as written. */
  readonly name: string;
  /**
   * The text can mean a built-in function. False: it is a stored one whatever its name, because it is qualified, quoted or
   * parted from its parenthesis where the server looks for that.
   */
  readonly native: boolean;
  readonly arguments: readonly Expression[];
  /** COUNT(*) */
  readonly star?: true;
  readonly distinct?: true;
  /** Words that are no values: the unit of EXTRACT and TIMESTAMPADD, LEADING, the type of JSON_VALUE ... Upper case. */
  readonly words?: readonly string[];
  /** Of GROUP_CONCAT, JSON_ARRAYAGG and WITHIN GROUP. */
  readonly orderBy?: readonly Order[];
  readonly separator?: string;
  readonly limit?: Limit;
  readonly over?: Window | string;
}

/** MariaDB: NEXT VALUE FOR s, NEXTVAL(s), PREVIOUS VALUE FOR s, LASTVAL(s), SETVAL(s, ...). */
export interface Sequence extends Span {
  readonly kind: 'sequence';
  readonly action: 'next' | 'last' | 'set';
  readonly name: ObjectName;
  readonly arguments: readonly Expression[];
}

export interface CaseExpression extends Span {
  readonly kind: 'case';
  /** What the conditions are compared with; absent: they are conditions. */
  readonly operand?: Expression;
  readonly when: readonly { readonly condition: Expression; readonly result: Expression }[];
  readonly else?: Expression;
}

/** CAST, CONVERT(x, type) and CONVERT(x USING charset), of which the type is `CHAR`. */
export interface Cast extends Span {
  readonly kind: 'cast';
  readonly operand: Expression;
  /** Upper case, as `SIGNED`, `CHAR`, `DECIMAL`. */
  readonly type: string;
  readonly length?: readonly string[];
  readonly charset?: string;
  readonly array?: true;
}

/** INTERVAL value unit, as an operand of + and - and as an argument of DATE_ADD. */
export interface Interval extends Span {
  readonly kind: 'interval';
  readonly value: Expression;
  /** Upper case: `DAY_SECOND`. */
  readonly unit: string;
}

/** (a, b) and ROW(a, b) */
export interface RowExpression extends Span {
  readonly kind: 'row';
  readonly items: readonly Expression[];
}

/** A query in parentheses: a scalar, a row, or what IN, ANY and ALL look into. */
export interface Subquery extends Span {
  readonly kind: 'subquery';
  readonly query: Query;
}

export interface Exists extends Span {
  readonly kind: 'exists';
  readonly query: Query;
}

/** MATCH (columns) AGAINST (text) */
export interface Match extends Span {
  readonly kind: 'match';
  readonly columns: readonly Expression[];
  readonly against: Expression;
}

/** DEFAULT, or DEFAULT(column); IGNORE in VALUES of MariaDB is the same without a column. */
export interface Default extends Span {
  readonly kind: 'default';
  readonly column?: ColumnReference;
}

export interface Order {
  readonly value: Expression;
  readonly descending: boolean;
}

export interface Limit {
  readonly count?: Expression;
  readonly offset?: Expression;
  /** FETCH FIRST ... WITH TIES */
  readonly ties?: true;
  /** ROWS EXAMINED, of MariaDB. */
  readonly examined?: Expression;
}

export interface Window {
  /** The name of another window that it begins with. */
  readonly base?: string;
  readonly partitionBy: readonly Expression[];
  readonly orderBy: readonly Order[];
  /** Bounds of the frame that are values. */
  readonly frame: readonly Expression[];
}

// Queries

export type Query = Select | SetOperation | ValuesQuery | TableQuery | NestedQuery;

/** What may stand around any query. */
export interface QueryClauses extends Span {
  readonly with?: With;
  readonly orderBy: readonly Order[];
  readonly limit?: Limit;
  /** INTO of a SELECT, wherever it stood. */
  readonly into?: Into;
  /** FOR UPDATE, FOR SHARE, LOCK IN SHARE MODE. */
  readonly locking: boolean;
}

export interface Select extends QueryClauses {
  readonly kind: 'select';
  readonly distinct: boolean;
  readonly items: readonly SelectItem[];
  /** Parted by commas; empty for none and for DUAL. */
  readonly from: readonly TableReference[];
  readonly where?: Expression;
  readonly groupBy: readonly Order[];
  readonly rollup: boolean;
  readonly having?: Expression;
  readonly windows: readonly { readonly name: string; readonly window: Window }[];
  readonly qualify?: Expression;
  /** PROCEDURE ANALYSE(...) of MariaDB. */
  readonly procedure?: FunctionCall;
  /** Texts of optimizer hints, of MySQL. */
  readonly hints: readonly string[];
}

/** UNION, EXCEPT (MINUS) and INTERSECT; as the server groups them, left to right, INTERSECT first. */
export interface SetOperation extends QueryClauses {
  readonly kind: 'set';
  readonly operator: 'union' | 'except' | 'intersect';
  readonly all: boolean;
  readonly left: Query;
  readonly right: Query;
}

/** VALUES ROW(1, 2), ROW(3, 4); in MariaDB VALUES (1, 2), (3, 4). */
export interface ValuesQuery extends QueryClauses {
  readonly kind: 'values';
  readonly rows: readonly (readonly Expression[])[];
}

/** TABLE t */
export interface TableQuery extends QueryClauses {
  readonly kind: 'table';
  readonly table: ObjectName;
}

/** A query in parentheses with clauses of its own behind them; one without any is its inner query. */
export interface NestedQuery extends QueryClauses {
  readonly kind: 'nested';
  readonly query: Query;
}

export type SelectItem =
  /** `*`, `t.*`, `s.t.*` */
  | ({ readonly kind: 'star'; readonly schema?: string; readonly table?: string } & Span)
  /** `name`: what the output is called, by its alias, its column, or else the text of the expression. */
  | ({
      readonly kind: 'item';
      readonly value: Expression;
      readonly name: string;
      readonly alias?: string;
    } & Span);

export interface With {
  readonly recursive: boolean;
  readonly tables: readonly CommonTable[];
}

export interface CommonTable {
  readonly name: string;
  readonly columns?: readonly string[];
  readonly query: Query;
}

export type Into =
  | { readonly kind: 'file'; readonly file: string; readonly dump: boolean }
  /** Local variables of routines are `name`s. */
  | { readonly kind: 'variables'; readonly targets: readonly (UserVariable | { readonly local: string })[] };

export type TableReference = Table | Derived | Join | JsonTable;

export interface Table extends Span {
  readonly kind: 'table';
  readonly table: ObjectName;
  readonly alias?: string;
  readonly partitions?: readonly string[];
  /** Values in FOR SYSTEM_TIME, of MariaDB. */
  readonly systemTime: readonly Expression[];
}

export interface Derived extends Span {
  readonly kind: 'derived';
  readonly query: Query;
  readonly alias?: string;
  readonly columns?: readonly string[];
  readonly lateral: boolean;
  /** As of a table. */
  readonly systemTime: readonly Expression[];
}

export interface Join extends Span {
  readonly kind: 'join';
  /** `straight` is STRAIGHT_JOIN, an inner one. */
  readonly type: 'inner' | 'cross' | 'left' | 'right' | 'full' | 'straight';
  readonly natural: boolean;
  readonly left: TableReference;
  readonly right: TableReference;
  readonly on?: Expression;
  readonly using?: readonly string[];
}

export interface JsonTable extends Span {
  readonly kind: 'json table';
  readonly document: Expression;
  readonly path: string;
  readonly columns: readonly JsonColumn[];
  readonly alias?: string;
}

/** Columns of a NESTED PATH are in `columns`; such a one has no name. Paths are relative to the one around them. */
export interface JsonColumn {
  readonly name?: string;
  readonly type: 'ordinality' | 'value' | 'exists' | 'nested';
  readonly path?: string;
  /** Upper case, of a value: `VARCHAR`. */
  readonly dataType?: string;
  readonly columns: readonly JsonColumn[];
}

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
export interface CreateTable extends Span {
  readonly kind: 'create table';
  readonly temporary: boolean;
  readonly replace: boolean;
  readonly table: ObjectName;
  readonly like?: ObjectName;
  readonly references: readonly ObjectName[];
  /** Names of its own columns, those of the query not among them. */
  readonly columns: readonly string[];
  readonly expressions: readonly Expression[];
  readonly query?: Query;
  /** ENGINE, CONNECTION, DATA DIRECTORY and whatever else leads outside. Upper case name, value as written. */
  readonly options: ReadonlyMap<string, string>;
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
}

export interface HeadObject {
  readonly type: 'table' | 'view' | 'schema' | 'routine' | 'user' | 'file' | 'object';
  readonly access: 'read' | 'write' | 'define' | 'destroy' | 'execute';
  readonly object: ObjectName;
}
