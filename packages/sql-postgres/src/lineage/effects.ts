/** What a statement changes in its session. Types only. Does not: apply it (session.ts). */
import type { Node } from '../ast.js';
import type { Relation, Routine } from '../catalog/objects.js';
import type { SessionNames } from './session.js';
import type { Column, Value } from './value.js';

/** A table, view or sequence that the session has made for itself (pg_temp), or that nobody else sees before it commits. */
export interface TemporaryRelation {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly dropOnCommit: boolean;
  /** What is put into other tables of the session can show in it, and what is put into it in them. */
  readonly view: boolean;
  /** Of a view: the stored relations (pg_class.oid) with which it goes, where whoever drops them says CASCADE. */
  readonly reads?: ReadonlySet<number>;
  /** Why nothing is known about its columns. */
  readonly unknown?: string;
  /** Why it may hold anything: code that nobody read has run since it was last empty. */
  readonly written?: string;
  /** The target says that it is a table by itself, without triggers and rules: TRUNCATE leaves nothing that could show. */
  readonly plain?: boolean;
  readonly sequence?: true;
  /** Which rows there are, and where, tells about the values that it holds: see `comparing.ts`. */
  readonly compares?: true;
  /** The version of the catalog that the fields of its rows, and the keys of documents made of rows, have their names from. */
  readonly version?: string;
  /** It is one of everybody's once its transaction has committed: its schema as written, '' without one. */
  readonly permanent?: string;
  /** What the catalog has in its place: this transaction has altered it. */
  readonly stored?: Relation;
  /** Of a view of the session's: what it shows is looked up again when others may have defined something. */
  readonly query?: ViewQuery;
}

/** The query of a view, where its names were looked up, and what it showed when it was made. */
export interface ViewQuery {
  readonly node: unknown;
  readonly names: Pick<SessionNames, 'searchPath' | 'user' | 'role' | 'initial'>;
  readonly columns: readonly Column[];
}

export interface Cursor {
  readonly name: string;
  readonly columns: readonly Column[];
  readonly unknown?: string;
  /** WITH HOLD: it outlives its transaction. */
  readonly held: boolean;
  /** As of `TemporaryRelation`: functions that it calls are looked up with the first FETCH. */
  readonly version?: string;
  readonly query?: ViewQuery;
}

/** What PREPARE has kept. The target looks its names up anew where the path is another one, or something of them is gone. */
export interface PreparedQuery {
  readonly query: Node;
  /** Where its names were looked up, and by which role. */
  readonly path: string;
  /** The stored relations that it named (pg_class.oid); undefined: it could not be followed. */
  readonly relations: ReadonlySet<number> | undefined;
}

/** What a statement changes in its session. */
export type SessionEffect =
  | { readonly type: 'relation'; readonly relation: TemporaryRelation }
  | { readonly type: 'drop relation'; readonly name: string }
  /** A function in pg_temp; without one it is of a kind that is not followed. */
  | { readonly type: 'function'; readonly name: string; readonly routine: Routine | undefined }
  | { readonly type: 'drop function'; readonly name: string }
  /** Values that a temporary table now holds as well. */
  | { readonly type: 'taint'; readonly name: string; readonly columns: readonly Column[] }
  | { readonly type: 'prepare'; readonly name: string; readonly prepared: PreparedQuery }
  | { readonly type: 'deallocate'; readonly name?: string }
  | { readonly type: 'cursor'; readonly cursor: Cursor }
  | { readonly type: 'close'; readonly name?: string }
  /** `value` is undefined for DEFAULT and RESET. */
  | {
      readonly type: 'setting';
      readonly name: string;
      readonly value: readonly string[] | undefined;
      readonly local: boolean;
    }
  | { readonly type: 'reset all' }
  /** A setting of the user's own (`my.x`), used as storage. */
  | { readonly type: 'store'; readonly name: string; readonly value: Value; readonly local: boolean }
  | {
      readonly type: 'transaction';
      readonly kind: TransactionKind;
      readonly savepoint: string;
      readonly chain: boolean;
    }
  | { readonly type: 'discard'; readonly what: 'all' | 'temporary' | 'nothing that matters' }
  /** A temporary table is empty again. */
  | { readonly type: 'truncate'; readonly name: string }
  /** Relations, types, functions and schemas of these names are not what the catalog says, until the transaction has ended. */
  | { readonly type: 'defined'; readonly names: readonly string[] | 'any' }
  /** Settings may hold anything now. */
  | { readonly type: 'kept'; readonly reason: string }
  /** Names may mean other things now. */
  | { readonly type: 'uncertain'; readonly reason: string }
  /**
   * Code that nobody read has run: names may mean other things now, and what the session keeps may be of any origin. `sure`: it has,
   * whatever the facts of the statement say.
   */
  | { readonly type: 'code'; readonly reason: string; readonly sure?: true };

export type TransactionKind = 'begin' | 'commit' | 'rollback' | 'savepoint' | 'release' | 'rollback to' | 'detach';
