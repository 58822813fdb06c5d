/** What a statement shows, asks and moves. Owns: these types. */
import type { BaseColumn } from '../catalog/objects.js';
import type { SessionEffect } from './effects.js';
import type { Column, Comparisons, Value } from './value.js';

/** An output column of a statement: its name as the client will read it, and where its values come from. */
export interface Output extends Value {
  readonly name: string;
}

/** A condition that looks at a column. Its outcome can be seen, even if the column is not among the outputs. */
export interface Predicate extends Comparisons {
  readonly column: BaseColumn;
  /**
   * equality: the column as it is stored equals one constant or parameter, or one of a written list of them.
   * null: the column as it is stored is or is not NULL.
   * other: all else that decides which rows there are, how many, or in which order.
   */
  readonly kind: 'equality' | 'null' | 'other';
}

/** Where values go other than to the client. */
export type FlowTarget =
  | {
      readonly type: 'table';
      /** `schema.table`; of a table that lives no longer than the session, `pg_temp.table`. */
      readonly name: string;
      readonly column: string;
      readonly temporary: boolean;
      /** The base columns behind it, where the catalog knows it: more than one behind a view. */
      readonly bases: readonly BaseColumn[];
      /** It is NULL, or has another number of elements, where the column was so before, and nowhere else. */
      readonly missingAsBefore?: true;
    }
  | { readonly type: 'setting' | 'notification' | 'file' | 'function'; readonly name: string };

export interface Flow {
  readonly target: FlowTarget;
  readonly value: Value;
}

/** What one top-level statement shows, asks and moves. */
export interface StatementLineage {
  /** The node of the grammar, `SelectStmt`. */
  readonly statement: string;
  /** In order; empty where the statement returns no rows. */
  readonly outputs: readonly Output[];
  /** Why `outputs` may be wrong or incomplete: a phrase. Whatever such a statement returns is to be taken for unknown. */
  readonly unknown?: string;
  /** Beside `unknown`: it may answer with rows. */
  readonly returnsRows?: boolean;
  /** Why it may answer with rows, without outputs, in a simple query: the rows of rules, of which nothing is known. A phrase. */
  readonly answered?: string;
  /** The object whose definition could not be read, because what it reads was locked: `schema.name`. */
  readonly unread?: string;
  /** The stored relations that it names, in bodies of functions as well, by their identifiers. */
  readonly relations: ReadonlySet<number>;
  /** It has operators or types in it behind which is code that nobody has read. */
  readonly runsUnread?: boolean;
  readonly predicates: readonly Predicate[];
  /** Conditions on values of which it is not known where they come from: why it is not, as phrases. */
  readonly conditionsOnUnknown: readonly string[];
  readonly flows: readonly Flow[];
  /** What it changes in the session, once the server confirms it. */
  readonly effects: readonly SessionEffect[];
}

export const outputsOf = (columns: readonly Column[]): Output[] =>
  columns.map(({ name, value }) => ({ name, ...value }));
