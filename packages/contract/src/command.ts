/** What somebody asks a target to do, in the words of the protocol it came by. */
export type Command = SqlCommand | CustomCommand;

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
  readonly name: 'postgres';
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

/** For protocols that this version has no word for: their own verb and a text to record. */
export interface CustomCommand {
  readonly type: 'custom';
  readonly id: number;
  readonly verb: string;
  readonly text: string;
}

/** What the client was given for a command. One 'end' closes each command that was let through. */
export type ResponseEvent = ResponsePart | ResponseEnd;

export interface ResponsePart {
  readonly type: 'part';
  readonly command: number;
  /** Whole messages as the client got them, in the protocol's own encoding. Valid during the call only. */
  readonly data: readonly Uint8Array[];
}

export interface ResponseEnd {
  readonly type: 'end';
  readonly command: number;
  /** 'skipped': let through, but the target passed over it because of an earlier error. 'lost': the link broke first. */
  readonly outcome: 'ok' | 'error' | 'skipped' | 'suspended' | 'lost';
  /** The target's own summary (`SELECT 3`), or `SQLSTATE: message` of its error. */
  readonly summary: string;
  readonly rows: number;
  /** Bytes of the answer as the client got it, recorded or not. */
  readonly bytes: number;
  readonly data: readonly Uint8Array[];
}
