/**
 * The tree of queries and expressions, as this package's parser makes it: types only. Names are as written, without their quotes; places
 * count UTF-16 code units of the text. What sql_mode decides is decided already: `||` is `or` or `concat`, `"x"` is a text or a name.
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
  /** A hint names the index that its rows are to come by, and it is not the primary key. */
  readonly byIndex?: true;
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
