/** What is known of one statement. Types only. */
import type { BaseColumn } from '../catalog/objects.js';
import type { SessionEffect } from './session.js';
import type { Value } from './value.js';

/** An output column: its name as the client will read it, and where its values come from. */
export interface Output extends Value {
  readonly name: string;
}

/** A condition that looks at a column. Its outcome can be seen, even if the column is not among the outputs. */
export interface Predicate {
  readonly column: BaseColumn;
  /**
   * equality: the column as it is stored equals one constant or parameter, or one of a written list of them.
   * null: the column as it is stored is or is not NULL.
   * other: all else that decides which rows there are, how many, or in which order.
   */
  readonly kind: 'equality' | 'null' | 'other';
  /** How many written values it is compared with, for `equality`. */
  readonly values: number;
}

/** Where values go other than to the client. */
export type FlowTarget =
  | {
      readonly type: 'table';
      /** `schema.table` */
      readonly name: string;
      readonly column: string;
      /** It lives no longer than the session, and lineage follows it. */
      readonly temporary: boolean;
      /** The columns behind it: more than one behind a view. */
      readonly bases: readonly BaseColumn[];
      /** It is NULL where the column was so before, and nowhere else. */
      readonly missingAsBefore?: true;
    }
  /** `definition`: the column is called otherwise from now on, and masks go by name. */
  | { readonly type: 'setting' | 'file' | 'function' | 'definition'; readonly name: string };

export interface Flow {
  readonly target: FlowTarget;
  readonly value: Value;
}

/** What one statement shows, asks and moves. */
export interface StatementLineage {
  /** The kind of its tree: `query`, `insert`. */
  readonly statement: string;
  /** In order; empty where it returns no rows. */
  readonly outputs: readonly Output[];
  /** Each column that it returns, where they are not listed: what SHOW and EXPLAIN say. */
  readonly each?: Value;
  /** Why `outputs` may be wrong or incomplete: a phrase. Whatever such a statement returns is to be taken for unknown. */
  readonly unknown?: string;
  readonly predicates: readonly Predicate[];
  /** Conditions on values of which it is not known where they come from: why it is not, as phrases. */
  readonly conditionsOnUnknown: readonly string[];
  readonly flows: readonly Flow[];
  /** What is in rows that it writes: a message about one that cannot be written may have it. */
  readonly rows: readonly Value[];
  /** All that it computes with or fetches, shown or not: messages may have it. */
  readonly looked: Value;
  /** What it changes in the session, once the server confirms it. */
  readonly effects: readonly SessionEffect[];
  /** `Catalog.keyOf` of all relations that were looked for, those behind views among them, found or not. */
  readonly reads: ReadonlySet<string>;
}
