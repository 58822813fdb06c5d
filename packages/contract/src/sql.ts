/** Commands in SQL, and results as targets describe them. Types only. */

export interface SqlCommand {
  readonly type: 'sql';
  /** Counts up within the session; response events refer to it. */
  readonly id: number;
  /** 'prepare': the text becomes known to the target (Parse) and nothing runs yet. */
  readonly phase: 'prepare' | 'run';
  readonly dialect: Dialect;
  readonly text: string;
  /** Present once values are bound. An empty list is a statement bound without any. */
  readonly parameters?: readonly Parameter[] | undefined;
  /** The text behind a name that SQL-level EXECUTE may use; undefined when the target knows no such name. */
  readonly prepared?: (name: string) => string | undefined;
}

/** What reads the text. A language has the name of its dialect. */
export type Dialect = PostgresDialect | MySqlDialect;

export interface PostgresDialect {
  readonly name: 'postgres';
  /** Major version of the target, which is the version of the grammar. */
  readonly major: number;
}

/** MySQL and MariaDB. All of it decides how a text is read, and counts as the target has confirmed it. */
export interface MySqlDialect {
  readonly name: 'mysql';
  readonly flavour: 'mysql' | 'mariadb';
  /** The server's own, as versioned comments have it: 80036, 90704, 101119. */
  readonly version: number;
  /** The words of `sql_mode` in force, in upper case. */
  readonly sqlMode: readonly string[];
  /** CLIENT_IGNORE_SPACE: blanks may stand between the name of a function and its parenthesis. */
  readonly ignoreSpace: boolean;
  /** The default database. */
  readonly database: string | undefined;
  /** `character_set_client`. */
  readonly charset: string;
}

export interface Parameter {
  /**
   * PostgreSQL: the type's object identifier where the client declared one, else 0. MySQL: the type's number on the wire, with
   * 0x8000 for unsigned; its values come as text.
   */
  readonly type: number;
  readonly format: 'text' | 'binary';
  /** Valid during the call only: it may be a view of a network buffer. */
  readonly value: Uint8Array | null;
  /** What stands in `value` only tells this value from others: it was too long to be kept. */
  readonly unknown?: true;
}

/** A result as the target describes it, in the terms of its protocol. */
export type ResultDescription =
  | { readonly dialect: 'postgres'; readonly columns: readonly PostgresColumn[] }
  | { readonly dialect: 'mysql'; readonly columns: readonly MySqlColumn[]; readonly format: 'text' | 'binary' };

/** An entry of RowDescription. Numbers are object identifiers; 0 where the column is an expression. */
export interface PostgresColumn {
  readonly name: string;
  readonly table: number;
  readonly attribute: number;
  readonly type: number;
  readonly typmod: number;
  readonly format: 'text' | 'binary';
}

/** A column as MySQL and MariaDB describe it (Protocol::ColumnDefinition41). */
export interface MySqlColumn {
  readonly schema: string;
  /** Its alias in the statement, and the table itself; empty where the column is an expression. */
  readonly table: string;
  readonly orgTable: string;
  readonly name: string;
  readonly orgName: string;
  /** Number of a character set; 63: binary. */
  readonly charset: number;
  readonly length: number;
  readonly type: number;
  readonly flags: number;
  readonly decimals: number;
  /** MariaDB says, to clients that ask, that a text is JSON. */
  readonly json?: true;
}

/** A part of a text: from `start` up to and without `end`. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}
