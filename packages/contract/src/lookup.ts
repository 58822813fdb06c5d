/** The gateway's own look-ups at a target. Does not: make the connection, which protocols do. Types only. */

/** A connection of the gateway's own to a target, for looking things up: catalogs, estimates. One query at a time. */
export interface Lookup {
  /** Major version of the server. */
  readonly major: number;
  /**
   * Runs a text; all values come as text. Rejects with a `QueryError` when the server refuses it, and with another error when the
   * connection is of no use any more: it is gone, or there was no answer in time.
   */
  query(text: string): Promise<readonly (readonly (string | null)[])[]>;
  close(): void;
}

/** The server's own no, on a connection that goes on. */
export class QueryError extends Error {
  override readonly name = 'QueryError';
  readonly sqlstate: string;

  constructor(sqlstate: string, text: string) {
    super(text);
    this.sqlstate = sqlstate;
  }
}
