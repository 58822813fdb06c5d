/**
 * What a protocol is given to change answers with: masks of values, of texts, and editors of streams. Types, and the error of a
 * result that cannot pass. Does not own how an answer is framed, which is the protocol's.
 */
import type { TimeoutSetting } from './reasons.js';
import type { AnswerMeter } from './meter.js';
import type { MySqlColumn, ResultDescription } from './sql.js';

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
   * @param meter of the answer: budgets that count different values are told by it. Where it has none, nothing passes that they count
   * @throws Unmasked when the result is not what was judged, and must not pass. From what this gives as well: where `meter.ended` says so, for a budget
   */
  rows(statement: number, result: ResultDescription, meter?: AnswerMeter): ResultMasks | undefined;
  /** The same for COPY TO STDOUT, which says no more than how many columns there are and in which format each is. */
  copy(statement: number, formats: readonly ('text' | 'binary')[], meter?: AnswerMeter): CopyMasks | undefined;
  /** For texts that the target sends while it answers the command. */
  readonly texts: TextMask;
  /** The target has reported an error. Before the texts of that error are asked about. */
  failed(): void;
  /** The target has completed a statement. */
  completed(statement: number): void;
  /**
   * Others define what it uses, or use what it defines, so that it waits before it is sent. Undefined: it waits for nobody. Else what waits;
   * when that has resolved, the command is judged again.
   */
  behind?(): BehindDefinitions | undefined;
  /**
   * It is about to be sent to be run: from here on it may change what statements of others mean.
   *
   * @param stop has the target cancel it, because others change what it was judged by
   */
  sent?(stop: () => void): void;
  /**
   * Asked at the first answer of each statement that is run: by then the target has settled by which definitions it runs. Undefined: they are
   * those that it was judged by. Else nothing of the answer may pass until this has resolved; it rejects with an `Outdated` where they are
   * others, or nobody can tell. `goesOn`: it is asked again as more of the answer comes, for functions are looked up as they are called.
   */
  stands?(statement: number, goesOn: boolean): Promise<void> | undefined;
}

/**
 * @param isOpen it is part of a transaction, which may hold locks
 * @param signal its client does not wait any longer
 * @returns why the command must not be sent; undefined: nothing is in its way
 */
export type BehindDefinitions = (isOpen: boolean, signal: AbortSignal) => Promise<WaitedTooLong | undefined>;

/** Others took too long, or longer than the session lets its statements wait. */
export interface WaitedTooLong {
  readonly by?: TimeoutSetting;
}

/** What masks need to know of a session, whatever command it is about. Present where a connection masks anything. */
export interface MaskedSession {
  /** The target is ready for a new command: outside a transaction, in one, or in one that has failed. `isDone`: it owes nothing more. */
  ready(status: 'idle' | 'open' | 'failed', isDone?: boolean): void;
  /** For texts that belong to no command that masks anything. */
  readonly texts: TextMask;
  /** As `Masking.failed`, for an error that belongs to no such command. */
  failed(): void;
  /** Whether SQL has made what goes by this name: a statement by PREPARE, a portal by DECLARE. */
  knows(kind: 'statement' | 'portal', name: string): boolean;
  /** By the protocol, the target has closed what had this name, or given it to something else. */
  taken(kind: 'statement' | 'portal', name: string): void;
  /** What names mean by now. */
  namesNow(): object;
  /** Whether a name may mean something else than it did then: the target may still hold what was prepared then to that. */
  isOutdated(names: object): boolean;
  /** Whether a report of this setting (lower case) does not pass: it may say what was masked. */
  hidesSetting(name: string): boolean;
  /**
   * The target has logged the session in.
   *
   * @param process what it says in BackendKeyData
   * @returns what is to be asked before the first command of the client
   */
  opened(process: number): LookQuestion;
  /** A pooler gives each transaction another process of the server: nothing that was prepared before lasts. */
  readonly pooled: boolean;
  /** The target has to be asked something on the session's own connection before its next command is judged. */
  readonly needsLook: boolean;
  /** So it will be once a command that is on its way has changed the session, by the end of the transaction for example. */
  readonly needsLookAfterChange: boolean;
  /** What is to be asked, once. Called only while the target owes no reply. The client sees nothing of it. */
  look(): LookQuestion;
}

/** A question to the target that the gate has. */
export interface LookQuestion {
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

/**
 * Masks the value in `bytes` from `start` to `end`. Gives the new value, null for SQL NULL, and undefined when the value may
 * stay. Never throws. The result is valid until the next call.
 */
export interface CellMask {
  (bytes: Buffer, start: number, end: number): Buffer | null | undefined;
  /** Does the same in place where the size stays; false and without effect where it does not. */
  readonly edit?: (bytes: Buffer, start: number, end: number) => boolean;
  /** What it gives for each value, where that is the same whatever the value: it need not be called for one then. */
  readonly always?: Buffer;
  /** It is called for NULL too, with no bytes, and what it gives takes the place of that. */
  readonly replacesNull?: true;
  /** It gives no value another one: it is there for what is counted. */
  readonly passes?: true;
}

/** The masks of one result. The protocol frames its rows; a mask sees one value. */
export interface ResultMasks {
  /** One for each column, in order; undefined: its values pass as they are. */
  readonly cells: readonly (CellMask | undefined)[];
  /** For rows that are longer than most. One for all results of a session. */
  readonly room: RowRoom;
  /** How many bytes of values, and how many values, masks look at without a pause. Rows with more are masked `elsewhere`. */
  readonly inline: { readonly bytes: number; readonly cells: number };
  /** Calls `rewrite`, which applies masks without waiting for anything and returns how many values were given another. */
  here(rewrite: () => number): void;
  /**
   * Masks whole rows in another thread, so that others do not wait for them.
   *
   * @param framing address of a module of the protocol, which is a `RowFraming`
   * @param rows memory that nobody else uses: it may be gone afterwards
   * @param shape what that module needs to know besides; it is cloned
   * @returns the rows as they may pass. Rejects with `Unmasked`
   */
  elsewhere(framing: string, rows: Buffer, shape: unknown): Promise<Buffer>;
  /** Columns that are NULL because nothing better is known of them. */
  readonly hidden?: HiddenColumns | undefined;
  /** At the end of the rows: values among them that became NULL because their mask could not read them. Says so once. */
  late?(): HiddenColumns | undefined;
}

/** What a module of a protocol exports that another thread loads to frame rows. */
export interface RowFraming {
  /**
   * @param rows whole rows, which may be edited where they lie
   * @param shape as given to `ResultMasks.elsewhere`
   * @throws Unmasked
   */
  maskRows(cells: readonly (CellMask | undefined)[], rows: Buffer, shape: unknown): MaskedRows;
}

export interface MaskedRows {
  readonly rows: Buffer;
  /** How many values were given another. */
  readonly masked: number;
}

/** The masks of the data of COPY TO STDOUT, and how it is written. */
export interface CopyMasks extends ResultMasks {
  readonly format: CopyFormat;
}

/** The options of COPY TO that shape its output. Single-byte characters; the defaults are those of the format. */
export interface CopyFormat {
  readonly format: 'text' | 'csv' | 'binary';
  readonly delimiter?: string;
  readonly null?: string;
  readonly header?: boolean;
  readonly quote?: string;
  readonly escape?: string;
  /** One for each column: its values are quoted whether they need it or not. */
  readonly forceQuote?: readonly boolean[];
}

/** What of the texts that a target sends may pass. */
export interface TextMask {
  /** Nothing of them: they may hold masked values. */
  readonly hidden: boolean;
  /**
   * Whether a text passes where they are hidden, because it can only name what is defined at the target: by the file of the server's
   * source that it comes from, and its SQLSTATE. The text comes from no code that the statement runs.
   */
  isOfNames?(source: string, code: string): boolean;
  /** The text, with a label in place of each value in it that is looked for. */
  clean(text: string): string;
}

/**
 * The room of a session for rows that are longer than most: a row is masked as a whole, so it is kept until its last byte has
 * come, and what all sessions keep is bounded.
 */
export interface RowRoom {
  /** Up to so many bytes a row takes no room; and no more of one row is looked at by masks. */
  readonly limit: number;
  /** The room that there is for the row that is coming, in bytes. */
  readonly held: number;
  /** Settles when there is room for the row that is coming; undefined where there is. Rejects with `Unmasked`. */
  readonly wait: Promise<void> | undefined;
  /** The gateway itself is at work on the rows: nobody else makes them late. */
  isMasking: boolean;
  /**
   * A row that is coming has so many bytes, as far as is known.
   *
   * @throws Unmasked when it is too long, or there is no more room for the rest of it
   */
  admit(bytes: number): void;
  /** The row that was coming is whole. */
  arrived(): void;
  /** Rows that are whole are with the client. */
  left(): void;
  /** Something of the rows has moved. */
  moved(): void;
  /** Nothing of the rows is kept any more. */
  clear(): void;
  /**
   * The values to be masked in one row have so many bytes.
   *
   * @throws Unmasked when they are more than `limit`
   */
  look(bytes: number): void;
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
   * @param meter as of `Masking.rows`
   * @throws Unmasked when the result is not what was judged, and must not pass
   */
  rows(
    result: number,
    columns: readonly MySqlColumn[],
    format: 'text' | 'binary',
    meter?: AnswerMeter,
  ): PacketEditor | undefined;
  /** Warnings of the gateway's own so far, which the target does not count and SHOW WARNINGS has. */
  readonly warnings: number;
  /** The command is sent: the target may take it up from now on. */
  sent(): void;
  /**
   * The target begins to answer, or begins another result: asked before anything else is made of it. Undefined: it has run by the
   * definitions that the command was judged by. Otherwise nothing of the answer passes until that is found out: a sentence where it has
   * not, and no row may pass. Never rejects.
   */
  stands(): Promise<string | undefined> | undefined;
  /** The answer is over, whatever came of it. */
  ended(): void;
  /** An ERR (a payload) as the client may have it. */
  error(payload: Buffer): Buffer;
  /** The target has completed a result, or the command where it has none. */
  completed(result: number): void;
}

/** What masks need to know of a session of MySQL besides its commands. Present where a connection masks anything. */
export interface MaskedPackets {
  /** For rows of 16 MiB and more. */
  readonly room: RowRoom;
  /**
   * The target was asked which of its connections this is, before a statement is judged.
   *
   * @param greeted the number in its greeting
   * @param found CONNECTION_ID(), in decimal digits
   * @returns why the session cannot go on, in sentences for the client; undefined: it can
   */
  met(greeted: number, found: string | null): string | undefined;
  /** The target has confirmed COM_RESET_CONNECTION: variables, temporary tables and prepared statements are gone. */
  reset(): void;
}

/** Rewrites rows of MySQL, a payload each, however many packets they came in. */
export interface PacketEditor {
  /** Columns that may be NULL from now on, by their place. */
  readonly nullable: ReadonlySet<number>;
  /** Columns that have a mask, by their place. */
  readonly masked: ReadonlySet<number>;
  /**
   * Masks the row in `bytes` from `start` to `end`. Nobody else uses these bytes: what keeps its size is edited where it lies.
   *
   * @param into takes the row where that is not enough; before an error it may have been given some of it
   * @returns whether it was. If not, the row may pass as it lies there now
   * @throws Unmasked
   */
  rewrite(bytes: Buffer, start: number, end: number, into: RewrittenRow): boolean;
  /** Rewrites many rows in one go, where their masks are of a kind that allows it. Otherwise, and where it stops, there is `rewrite`. */
  readonly runs?: RowRuns | undefined;
  /** Rows of the gateway's own that come behind those of the target, a payload each. */
  readonly behind?: readonly Buffer[];
  /** Columns that are NULL because nothing better is known of them. */
  readonly hidden?: HiddenCounts | undefined;
  /** At the end of the rows: values among them that became NULL because their mask could not read them. Says so once. */
  late?(): HiddenCounts | undefined;
}

/**
 * Rewrites rows of one packet each, with the headers of their packets: those that stand in `bytes` from `start` on, into `out` from `from`
 * on, with the numbers from `sequence` on. Stops before what is not there whole, is no row, or is one for `PacketEditor.rewrite`, and
 * before `out` is full. What it gives is valid until the next call.
 */
export type RowRuns = (bytes: Buffer, start: number, out: Buffer, from: number, sequence: number) => RowRun;

export interface RowRun {
  /** Where it stopped in `bytes`, and behind what it has made in `out`. */
  readonly at: number;
  readonly to: number;
  readonly rows: number;
  /** Cells that were given another value. */
  readonly masked: number;
}

/** Takes a row that is put together anew, from its start to its end. */
export interface RewrittenRow {
  /** Bytes of the row that stay what they are. They may be viewed until the answer goes on. */
  keep(bytes: Buffer, start: number, end: number): void;
  /** Others in their place, which are copied. */
  put(value: Buffer): void;
  /** The same of one byte. */
  putByte(value: number): void;
  /** Changes a byte, by its place in what the first call gave. */
  patch(at: number, value: number): void;
}

/**
 * Rewrites a stream that has no rows: what could be the start of something to mask is held back until more has come, or
 * until it has waited long enough to be something that a person typed.
 */
export interface StreamEditor {
  /** Takes bytes cut anywhere and gives those that may go. */
  push(bytes: Buffer): Buffer;
  /** Bytes that `push` has kept. Call `release` when they have waited for `maxHoldMs` milliseconds. */
  readonly held: number;
  readonly maxHoldMs: number;
  /** What may go although nothing has followed it. */
  release(): Buffer;
  /** What is left at the end. */
  end(): Buffer;
}

/** The result must not reach the client. The message is a sentence for the user and says nothing of the values. */
export class Unmasked extends Error {
  override readonly name = 'Unmasked';

  /** Of rows that masks cannot be applied to. `why`: a phrase. */
  static because(why: string): Unmasked {
    return new Unmasked(`The result cannot be masked: ${why}.`);
  }
}

/** The definitions that a statement was judged by are not those that it ran by: it may succeed when it is sent again. */
export class Outdated extends Unmasked {
  /** It has changed something that its transaction may still commit. */
  readonly remains: boolean;

  constructor(message: string, remains: boolean) {
    super(message);
    this.remains = remains;
  }
}
