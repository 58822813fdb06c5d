/**
 * The objects of a database that decide what a statement reads, as pg_catalog describes them. Numbers are object identifiers
 * (oid). Objects of other sessions (temporary ones) are not here. Owns: these types. Does not: read any (read.ts).
 */

/** What users have made starts here (FirstNormalObjectId in transam.h). */
export const FIRST_USER_OID = 16_384;

/** A column of a stored relation, made once, so that two of them are the same column if they are the same object. */
export interface BaseColumn {
  readonly relation: number;
  readonly attnum: number;
  /** `schema.table.column`, for people. */
  readonly name: string;
}

export interface Attribute {
  readonly name: string;
  readonly type: number;
  readonly typmod: number;
  readonly base: BaseColumn;
  /** The expression of a generated column. */
  readonly generated?: string;
}

/** pg_class.relkind of what a statement can name. */
export type RelationKind = 'r' | 'p' | 'f' | 'v' | 'm' | 'S' | 'c';

export interface Relation {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: RelationKind;
  /** Its row type. */
  readonly type: number;
  /** In order, without dropped ones. */
  readonly columns: readonly Attribute[];
  /** Direct parents, as a partition or by inheritance. */
  readonly parents: readonly number[];
  /** The query of a view or materialised view, all names qualified. */
  readonly definition?: string;
  /** A rule (INSTEAD) or an INSTEAD OF trigger decides what a write to it does. */
  readonly rewritten: boolean;
  /** For which changes of its rows one of its rules answers with rows of its own: pg_rewrite.ev_type of each. */
  readonly answering: string;
  /** `attnum` of each column that decides which partition a row goes to; 0 for an expression. */
  readonly partitionedBy?: readonly number[];
  /** An index of it compares more than columns as they are stored: its predicate, expressions that are unique, exclusions. */
  readonly compares: boolean;
  /** Its definition, or an expression of its generated columns, could not be read: what it reads was locked. */
  readonly unread: boolean;
}

export interface Routine {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly language: string;
  /** pg_proc.prokind: function, procedure, aggregate, window. */
  readonly kind: 'f' | 'p' | 'a' | 'w';
  readonly volatility: 'i' | 's' | 'v';
  /** Types of the input arguments. */
  readonly inputs: readonly number[];
  readonly inputNames: readonly string[];
  /** How many of the last inputs have defaults. */
  readonly defaults: number;
  readonly variadic: boolean;
  /** OUT, INOUT and TABLE arguments. */
  readonly outputs: readonly { readonly name: string; readonly type: number }[];
  readonly returns: number;
  readonly returnsSet: boolean;
  readonly securityDefiner: boolean;
  /** SET clauses, as `name=value`. */
  readonly settings: readonly string[];
  /** Text of a LANGUAGE sql function outside pg_catalog, or of one of the session's own. `standard`: as a SQL-standard body, all names qualified. */
  readonly body?: { readonly text: string; readonly standard: boolean };
  /** Its body could not be read: what it reads was locked. */
  readonly unread: boolean;
  /** The extension that it is a member of (pg_depend), which is more than to be in its schema. */
  readonly extension?: string;
}

export interface Type {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  /** pg_type.typtype: base, composite, domain, enum, multirange, pseudo, range. */
  readonly kind: string;
  /** The relation of a composite type, or 0. */
  readonly relation: number;
  /** The element of a true array, or 0. */
  readonly element: number;
  /** The type under a domain, or 0. */
  readonly base: number;
  /** The array of this type, or 0. */
  readonly array: number;
  /** pg_type.typcategory, and whether it is the preferred one there: what the server chooses overloads by. */
  readonly category: string;
  readonly preferred: boolean;
  /** Of a domain: the typmod of the type under it (pg_type.typtypmod). */
  readonly typmod: number;
}

export interface Operator {
  readonly schema: string;
  readonly name: string;
  /** Types of its operands: one where it stands before its operand. */
  readonly inputs: readonly number[];
  readonly returns: number;
  /** Its function. */
  readonly routine: number;
  /** The function is compiled code, which only a superuser can install. */
  readonly compiled: boolean;
}

/** A cast that somebody made, with a function that is not compiled code. */
export interface InterpretedCast {
  readonly source: number;
  readonly target: number;
  /** pg_cast.castcontext: explicit, assignment, implicit. */
  readonly context: string;
}

/**
 * What a text has in it, per relation and routine (`spelled.ts`): it differs whenever the object, or something that stands in its text by
 * name, has been replaced, renamed, moved or dropped and made again. Each of these is another row, with another xmin.
 */
export type SpelledFrom = ReadonlyMap<string, string>;
