/**
 * Facts: what a command would do, in words that every protocol and every rule shares. Does not: find them out, which languages
 * do. Types only.
 */

/** What a command would do, the same for every protocol, so that one rule covers them all. */
export interface Facts {
  /** Every statement at any nesting, in the order of the text. */
  readonly actions: readonly Action[];
  /** exact: wire statement. parsed: by a grammar. observed: from a screen. opaque: cannot be known. */
  readonly confidence: 'exact' | 'parsed' | 'observed' | 'opaque';
  /** A sentence, when the gateway itself can never let this through, whatever the policy says. */
  readonly forbidden?: string;
  /** The text is not of the language at all. Position counts characters from 1. */
  readonly syntaxError?: { readonly message: string; readonly position?: number };
  /** The facts depend on the values of parameters: never reuse them for other values. */
  readonly parametric?: boolean;
  /** Top-level statements, in order: what each does to the names and modes of the session. */
  readonly statements: readonly StatementEffect[];
  /** Names of the session that it executes: what it does depends on what they stand for. */
  readonly executes?: readonly string[];
  /** What it changes for the commands behind it; absent: nothing that the gateway itself has to know. */
  readonly session?: SessionChange;
  /** A constant of it is what a mask leaves of a value, so that writing it would lose the real one. */
  readonly maskedConstant?: true;
  /** Of a text that is too long for masks to follow it. */
  readonly digest?: TextDigest;
}

/**
 * What masks follow a long text by. `text`: one that shows, asks and moves the same, with fewer and shorter constants. `trace`: there is
 * no such text that is short; this is what it may do to its session.
 */
export type TextDigest =
  /** `fewerRows`: it has more rows of constants than the digest. */
  | { readonly type: 'text'; readonly text: string; readonly fewerRows?: true }
  | ({ readonly type: 'trace' } & StatementTrace);

/** What a statement that is not followed may do to the session, whatever its names mean. */
export interface StatementTrace {
  /** Variables that it may write to. */
  readonly variables: readonly string[];
  /** Code that nobody has read may run, and do anything. */
  readonly runsCode: boolean;
  /** It writes rows, so that triggers may run, and may put values into temporary tables. */
  readonly mayTrigger: boolean;
  readonly fills: boolean;
  /** A setting or the like may be given a value. */
  readonly stores: boolean;
  /** A temporary table. */
  readonly creates?: { readonly schema?: string; readonly name: string };
  /** The name of a prepared statement. */
  readonly prepares?: string;
}

/** What a command changes for the commands behind it. */
export interface SessionChange {
  /** Held commands wait for people from now on, or are refused at once; 'invalid': it says neither. */
  readonly hold?: 'wait' | 'fail' | 'invalid';
  /** Names may mean something else than they did. */
  readonly names?: boolean;
  /** So may texts and comparisons, and a statement find other rows: only such as have a date or a time in them, or any. */
  readonly values?: 'times' | 'any';
}

export interface Action {
  /** Index of the top-level statement that this belongs to. */
  readonly statement: number;
  /** 0 at the top; a CTE that writes, the body of an EXPLAIN or a PREPARE is deeper. */
  readonly depth: number;
  /** Lower case in every protocol: 'select', 'drop table', 'rm', 's3:deletebucket'. */
  readonly verb: string;
  readonly effects: readonly Effect[];
  readonly resources: readonly Resource[];
  /** How well an UPDATE, DELETE or MERGE selects its rows. Absent on other verbs. */
  readonly filter?: FilterStrength;
  /** EXPLAIN without ANALYZE, or what it explains: it is planned and not run. */
  readonly explainOnly?: true;
  /** What a definition costs whoever uses the tables meanwhile. Absent where nothing is defined. */
  readonly cost?: DefinitionCost;
  /** Tables of it that are temporary by what is written: in pg_temp, or made as such and not read by the same name. As `resources` names them. */
  readonly temporaryTables?: readonly string[];
  /** Readable reasons for each `unknown` effect and each weak filter. */
  readonly reasons: readonly string[];
  /** Present when calling these functions is all that is unknown about it: who trusts them knows the action. */
  readonly unknownFunctions?: readonly string[];
}

export interface DefinitionCost {
  /** The strongest lock on tables that were there before, in the server's words ('access exclusive'), and on which, as written. */
  readonly lock?: { readonly mode: string; readonly on: readonly string[] };
  /** A table is written anew, or may be. */
  readonly rewrites: boolean;
  /** A table is read whole under that lock, or may be. */
  readonly scans: boolean;
  /** It can be taken back by another definition, and nothing is lost. */
  readonly reversible: boolean;
  /** Names of what is known to go wrong with such definitions. */
  readonly dangers: readonly string[];
}

export const EFFECTS = [
  'read',
  'write',
  'destroy',
  'define',
  'grant',
  'session',
  'execute',
  'egress',
  'secret',
  'transfer',
  'unknown',
] as const;
export type Effect = (typeof EFFECTS)[number];

export const FILTER_STRENGTHS = ['none', 'weak', 'strong'] as const;
export type FilterStrength = (typeof FILTER_STRENGTHS)[number];

export interface Resource {
  readonly type:
    | 'table'
    | 'function'
    | 'setting'
    | 'role'
    | 'file'
    | 'schema'
    | 'database'
    | 'channel'
    | 'object'
    | 'host'
    | 'url'
    /** Of GraphQL, of the root of an operation. */
    | 'field'
    /** A language model, and a tool that one is offered or wants to use. */
    | 'model'
    | 'tool'
    | 'program';
  /** As written, folded as the server folds it, schema-qualified where the text is: `public.customers`. */
  readonly name: string;
  readonly access: 'read' | 'write' | 'define' | 'destroy' | 'execute';
}

/** What a top-level statement changes in the session once the target confirms it. */
export type StatementEffect =
  | { readonly type: 'none' }
  | { readonly type: 'prepare'; readonly name: string; readonly text: string }
  /** Without a name: all of them. */
  | { readonly type: 'deallocate'; readonly name?: string }
  | { readonly type: 'declare'; readonly name: string }
  | { readonly type: 'close'; readonly name?: string }
  | { readonly type: 'copy'; readonly direction: 'in' | 'out' }
  /** DISCARD ALL: prepared statements and cursors are gone. */
  | { readonly type: 'discard' }
  | TransactionEffect;

/** A transaction begins, goes on or ends. `prepare`: PREPARE TRANSACTION, which ends it for the session. */
export interface TransactionEffect {
  readonly type: 'transaction';
  readonly kind: 'begin' | 'commit' | 'prepare' | 'rollback' | 'savepoint' | 'release' | 'rollback to';
  readonly savepoint?: string;
  /** AND CHAIN: the next one begins at once. */
  readonly chain?: true;
}
