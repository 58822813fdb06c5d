/**
 * How the answer to one SQL command has to be changed, and what became of the command. Made by the gate, used by a protocol
 * for the commands that it was given it for. Statements count from 0, in the order of the text.
 */
export interface Masking {
  /** The command changes what later ones mean: none may be asked about before the target has confirmed it. */
  readonly changesSession: boolean;
  /** It runs code that nobody has read, which may have put something else behind the names of statements and portals. */
  readonly runsCode: boolean;
  /**
   * The target has described the result of a statement. Undefined: its rows pass as they are.
   *
   * @throws Unmasked when the result is not what was judged, and must not pass
   */
  rows(statement: number, columns: readonly ResultColumn[]): RowEditor | undefined;
  /** The same for COPY TO STDOUT, which says no more than how many columns there are and in which format each is. */
  copy(statement: number, formats: readonly ('text' | 'binary')[]): RowEditor | undefined;
  /** ErrorResponse or NoticeResponse as the client may have it. */
  message(bytes: Buffer): Buffer;
  /** The target has completed a statement. */
  completed(statement: number): void;
}

/** What masks need to know of a session, whatever command it is about. Present where a connection masks anything. */
export interface MaskedSession {
  /** The target is ready for a new command: outside a transaction, in one, or in one that has failed. */
  ready(status: 'idle' | 'open' | 'failed'): void;
  /** A message that belongs to no command: a notice, a notification, a report of a setting. Empty: it does not pass. */
  message(bytes: Buffer): Buffer;
  /**
   * The target has logged the session in.
   *
   * @param process what it says in BackendKeyData
   * @returns what is to be asked before the first command of the client
   */
  opened(process: number): Look;
  /** A pooler gives each transaction another process of the server: nothing that was prepared before lasts. */
  readonly pooled: boolean;
  /** The target has to be asked something on the session's own connection before its next command is judged. */
  readonly needsLook: boolean;
  /** So it will be once a command that is on its way has changed the session, by the end of the transaction for example. */
  readonly needsLookAfterChange: boolean;
  /** What is to be asked, once. Called only while the target owes no reply. The client sees nothing of it. */
  look(): Look;
}

/** A question to the target that the gate has. */
export interface Look {
  /** One statement, which returns one value and changes nothing. */
  readonly text: string;
  /**
   * Told what came of it, before the target is ready again.
   *
   * @param value undefined when the statement failed
   */
  answered(value: string | undefined): Looked;
}

/** What came of a look at the session. */
export interface Looked {
  /** The prepared statements as the target has them: name, and SHA-256 of the text in hexadecimal digits. */
  readonly statements?: ReadonlyMap<string, string>;
  /** Why the session cannot go on, in sentences for the client. */
  readonly unfit?: { readonly message: string; readonly hint: string };
}

/** A column as the target describes it. Numbers are object identifiers; 0 where the column is an expression. */
export interface ResultColumn {
  readonly name: string;
  readonly table: number;
  readonly attribute: number;
  readonly type: number;
  readonly typmod: number;
  readonly format: 'text' | 'binary';
}

/** Rewrites the messages that rows are in. Both throw `Unmasked`; nothing of the row in question has passed then. */
export interface RowEditor {
  /**
   * Takes messages cut anywhere and gives whole ones. `memory` is where they may lie if they have to be made anew. A promise
   * where there is so much to look at that others would have to wait: nothing may be pushed before it has settled.
   */
  push(bytes: Buffer, memory?: Memory): Buffer | Promise<Buffer>;
  /** Bytes that `push` promised have left for the client; `all`: no more of them are to come. */
  sent(all: boolean): void;
  /** What is left at the end of the rows. */
  end(): Buffer;
  /** Columns that it makes NULL because nothing better is known of them. */
  readonly hidden?: HiddenColumns | undefined;
  /** At the end of the rows: values among them that it made NULL because it could not read them. Says so once. */
  late?(): HiddenColumns | undefined;
}

/** What of a result is NULL in every row and is no value of its mask, so that somebody has to be told. */
export interface HiddenColumns {
  /** How many columns, by reason. */
  readonly columns: HiddenCounts;
  /** What the client is told before the rows, in sentences; absent where it was told so before. */
  readonly notice?: { readonly message: string; readonly detail: string; readonly hint: string };
}

export type HiddenCounts = Readonly<Partial<Record<HiddenReason, number>>>;

/**
 * unread_code: computed by code that nobody has read; after_code: such code may have changed what it is read from; definition:
 * it stands behind a definition that nobody else sees yet; name: what a name means is not known; size: too large to be followed;
 * other_values: it can hold values of any table; construct: SQL that is not understood; dropped: from a column that is gone;
 * computed: from masked columns, and its type has no room for their mark; type: a masked column of a type that has no mask;
 * malformed: single values that their mask cannot read, counted by results.
 */
export const HIDDEN_REASONS = [
  'unread_code',
  'after_code',
  'definition',
  'name',
  'size',
  'other_values',
  'construct',
  'dropped',
  'computed',
  'type',
  'malformed',
] as const;
export type HiddenReason = (typeof HIDDEN_REASONS)[number];

/**
 * The same as `Masking` for answers in packets of MySQL. A text can have several results (CALL), which count from 0 within the
 * command; each is described before its rows.
 */
export interface PacketMasking {
  /**
   * The target has described a result. Undefined: its rows pass as they are.
   *
   * @throws Unmasked when the result is not what was judged, and must not pass
   */
  rows(result: number, columns: readonly MySqlColumn[], format: 'text' | 'binary'): PacketEditor | undefined;
  /** An ERR (a payload) as the client may have it. */
  error(payload: Buffer): Buffer;
  /** The target has completed a result, or the command where it has none. */
  completed(result: number): void;
}

/** What masks need to know of a session of MySQL besides its commands. Present where a connection masks anything. */
export interface MaskedPackets {
  /** The target has confirmed COM_RESET_CONNECTION: variables, temporary tables and prepared statements are gone. */
  reset(): void;
}

/** A column as MySQL and MariaDB describe it (Protocol::ColumnDefinition41). */
export interface MySqlColumn {
  readonly schema: string;
  /** Its alias in the statement, and the table itself; empty where it is an expression. */
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

/** Rewrites rows of MySQL, a payload each, however many packets they came in. */
export interface PacketEditor {
  /** Columns that may be NULL from now on, by their place. */
  readonly nullable: ReadonlySet<number>;
  /** @throws Unmasked */
  row(payload: Buffer): Buffer;
}

/** Gives so many bytes, with anything in them. */
export type Memory = (size: number) => Buffer;

/**
 * Rewrites a stream that has no rows: what could be the start of something to mask is held back until more has come, or
 * until it has waited long enough to be something that a person typed.
 */
export interface StreamEditor {
  /** Takes bytes cut anywhere and gives those that may go. */
  push(bytes: Buffer): Buffer;
  /** Bytes that `push` has kept. Call `release` when they have waited for `patience` milliseconds. */
  readonly held: number;
  readonly patience: number;
  /** What may go although nothing has followed it. */
  release(): Buffer;
  /** What is left at the end. */
  end(): Buffer;
}

/** The result must not reach the client. The message is a sentence for the user and says nothing of the values. */
export class Unmasked extends Error {
  override readonly name = 'Unmasked';
}
