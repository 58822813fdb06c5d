/** What a client of SQL in this process gives of one text, piece by piece, so that whoever reads slowly slows the target down. Types only. */
import type { Cell, Column } from '../values.js';

export type StatementEvent =
  | { readonly type: 'columns'; readonly columns: readonly Column[] }
  /** `bytes`: of its values, as they came. */
  | { readonly type: 'row'; readonly cells: readonly Cell[]; readonly bytes: number }
  /** A statement has ended: what the target says of it, `SELECT 3`. */
  | { readonly type: 'done'; readonly summary: string }
  | { readonly type: 'notice'; readonly text: string }
  | { readonly type: 'failed'; readonly failure: Failure };

/** What went wrong, as the native client would read it. */
export interface Failure {
  readonly message: string;
  /** SQLSTATE. */
  readonly code?: string | undefined;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
  /** In characters of the text, from 1. */
  readonly position?: number | undefined;
}

/** One session, for one text. */
export interface StatementClient {
  /** Ends with the last event. Rejects when the connection breaks. */
  run(text: string): AsyncGenerator<StatementEvent, void>;
  /** Says goodbye. */
  close(): void;
}

/** A row that is longer is not read: of a value far less than that is given, and many calls may be at work. */
export const MAX_ROW_BYTES = 4 * 1024 * 1024;

export const TOO_LONG: Failure = {
  message: `A row is longer than the ${MAX_ROW_BYTES / 1024 / 1024} MiB that this tool reads.`,
  hint: 'Select fewer or shorter columns, for example left(body, 1000).',
};

/** The client could not log in, or what it was told is none of its protocol. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}
