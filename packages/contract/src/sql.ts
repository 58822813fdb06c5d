/** Commands in SQL. Types only. */

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

export interface Dialect {
  /** The language, by the name that the gateway has it under: `postgres`. */
  readonly name: string;
  /** Major version of the target, which is the version of the grammar. */
  readonly major: number;
}

export interface Parameter {
  /** The type's object identifier where the client declared one, else 0. */
  readonly type: number;
  readonly format: 'text' | 'binary';
  /** Valid during the call only: it may be a view of a network buffer. */
  readonly value: Uint8Array | null;
}
