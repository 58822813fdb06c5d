/**
 * What of a server's information_schema decides what a statement reads. Owns: these types, and how names are compared. Does not:
 * where they come from (read.ts). Temporary tables are in no catalog of the server: they are for the session's lineage.
 */

/** A column of a table or view, made once for each catalog: two of them are the same column if they are the same object. */
export interface BaseColumn {
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  /** `schema.table.column`, for people. */
  readonly name: string;
}

export interface Attribute {
  readonly name: string;
  /** DATA_TYPE, lower case: `varchar`, `int`. */
  readonly type: string;
  /** `*` leaves it out. */
  readonly hidden: boolean;
  readonly base: BaseColumn;
  /** The expression of a generated column; empty where it could not be read. */
  readonly generated?: string;
  /** AUTO_INCREMENT. */
  readonly numbered?: true;
}

/** Of a unique key: a column, or its first characters; or an expression, empty where it could not be read. */
export type KeyPart =
  | { readonly column: string; readonly isBeginning: boolean; readonly expression?: undefined }
  | { readonly expression: string };

export interface Relation {
  readonly schema: string;
  readonly name: string;
  readonly kind: 'table' | 'view' | 'system view' | 'sequence';
  /** In order, hidden ones among them. */
  readonly columns: readonly Attribute[];
  /** The query of a view, with all names qualified; empty where it could not be read. */
  readonly definition?: string;
  /** Rows have row_start and row_end, of MariaDB. */
  readonly versioned: boolean;
  /** The column that `_rowid` stands for may be any of these. */
  readonly key: readonly BaseColumn[];
  /** What its unique keys have, of all of them. */
  readonly unique: readonly KeyPart[];
}

/** Schemas of the server itself. What routines they have is known: they run any text, and are never taken for harmless. */
export const isOfServer = (schema: string): boolean => OF_SERVER.has(folded(schema));
const OF_SERVER: ReadonlySet<string> = new Set(['information_schema', 'performance_schema', 'mysql', 'sys']);

/** ASCII letters without regard to case: the servers agree on no others. */
export const folded = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());

/** What two names share that some server may take for the same: without case and accents. */
const loosely = (name: string): string =>
  ASCII.test(name) ? folded(name) : name.normalize('NFKD').replaceAll(/\p{M}/gu, '').toUpperCase().toLowerCase();

/** Of two names that differ: whether the server's rules may make them the same. */
export const maybeSame = (one: string, other: string): boolean =>
  !(isAscii(one) && isAscii(other)) && loosely(one) === loosely(other);

/** Equal for any two names of handlers and of statements of PREPARE that some server may take for the same: their case never counts. */
export const comparedName = (name: string): string => loosely(name);

export const isAscii = (name: string): boolean => ASCII.test(name);
const ASCII = /^[\0-\x7f]*$/;
