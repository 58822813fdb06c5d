/**
 * A client of PostgreSQL on a stream of this process, for one text by the simple protocol. Owns: reading at the pace of whoever asks, and how long
 * one message may be. Does not: encode messages, or read them, which pg-protocol does.
 */
import { Inbox, WireError } from '@sluice/wire';
import { serialize } from 'pg-protocol';
import {
  type BackendMessage,
  CommandCompleteMessage,
  CopyResponse,
  DataRowMessage,
  DatabaseError,
  NoticeMessage,
  ReadyForQueryMessage,
  RowDescriptionMessage,
} from 'pg-protocol/dist/messages.js';
import { Parser } from 'pg-protocol/dist/parser.js';
import type { OpenCall } from '../call-gate.js';
import { type Column, bytesOf, cellOf, postgresColumn } from '../values.js';
import {
  ClientError,
  type Failure,
  MAX_ROW_BYTES,
  type StatementClient,
  type StatementEvent,
  TOO_LONG,
} from './statement.js';

const HEADER_BYTES = 5;

interface Login {
  readonly user: string;
  readonly database: string;
}

/** @throws ClientError when it is not let in */
export async function openPostgres(call: OpenCall, { user, database }: Login): Promise<StatementClient> {
  const client = new PostgresClient(call);
  await client.login(user, database);
  return client;
}

class PostgresClient implements StatementClient {
  readonly #call: OpenCall;
  readonly #inbox: Inbox;

  constructor(call: OpenCall) {
    this.#call = call;
    this.#inbox = new Inbox(call.stream);
  }

  async login(user: string, database: string): Promise<void> {
    const { stream, secret } = this.#call;
    stream.write(serialize.startup({ user, database }));
    for (;;) {
      const message = await this.#next();
      if (message instanceof DatabaseError) throw new ClientError(failureOf(message));
      if (message.name === 'authenticationCleartextPassword') stream.write(serialize.password(secret));
      if (message instanceof ReadyForQueryMessage) return;
    }
  }

  async *run(text: string): AsyncGenerator<StatementEvent, void> {
    const { stream } = this.#call;
    stream.write(serialize.query(text));
    const { masked } = this.#call.heard;
    let columns: readonly Column[] = [];
    let described = 0;
    let failed = false;
    for (;;) {
      const message = await this.#next().catch((error: unknown) => {
        // An error that ends the session is its last word.
        if (failed) return undefined;
        throw error;
      });
      if (!message) return;
      failed ||= message instanceof DatabaseError;
      if (message instanceof RowDescriptionMessage) {
        columns = message.fields.map(({ name, dataTypeID }) => postgresColumn(name, dataTypeID));
        described++;
        yield { type: 'columns', columns };
      } else if (message instanceof DataRowMessage) yield rowOf(message, columns, masked[described - 1]);
      else if (message instanceof CommandCompleteMessage) yield { type: 'done', summary: message.text };
      else if (message instanceof NoticeMessage) yield { type: 'notice', text: noticeOf(message) };
      else if (message instanceof DatabaseError) yield { type: 'failed', failure: failureOf(message) };
      else if (message instanceof CopyResponse) {
        if (message.name === 'copyInResponse') stream.write(serialize.copyFail(NO_COPY.message));
        else {
          yield { type: 'failed', failure: NO_COPY };
          return;
        }
      } else if (message instanceof ReadyForQueryMessage) {
        if (message.status !== 'I') yield { type: 'failed', failure: LEFT_OPEN };
        return;
      }
    }
  }

  close(): void {
    this.#inbox.release();
    this.#call.stream.end(serialize.end());
    this.#call.stream.destroy();
  }

  /** Each message is given to its own reader, so that a length in it cannot reach into the next. */
  async #next(): Promise<BackendMessage> {
    const head = await this.#inbox.read(HEADER_BYTES);
    const length = head.readInt32BE(1);
    if (length < 4 || length > MAX_ROW_BYTES) throw new ClientError(TOO_LONG);
    const whole = Buffer.concat([head, await this.#inbox.read(length - 4)]);
    let message: BackendMessage | undefined;
    new Parser().parse(whole, (one) => (message = one));
    if (!message) throw new WireError('WIRE_MALFORMED', 'a message cannot be read');
    return message;
  }
}

function rowOf(
  { fields }: DataRowMessage,
  columns: readonly Column[],
  masked: readonly boolean[] | undefined,
): StatementEvent {
  let bytes = 0;
  const cells = (fields as readonly (string | null)[]).map((text, at) => {
    if (text === null) return null;
    bytes += text.length;
    const values = columns[at]?.values ?? 'string';
    return values === 'base64' && masked?.[at] !== true ? bytesOf(text) : cellOf(text, values);
  });
  return { type: 'row', cells, bytes };
}

function failureOf({ message, code, detail, hint, position }: DatabaseError): Failure {
  return {
    message,
    code,
    detail,
    hint,
    ...(position !== undefined && { position: Number(position) }),
  };
}

const noticeOf = ({ message, detail, hint }: NoticeMessage): string =>
  [message, detail, hint].filter((part) => part !== undefined).join(' ');

const NO_COPY: Failure = {
  message: 'COPY to or from the client is not for this tool.',
  hint: 'Use SELECT and INSERT, or psql through the gateway.',
};

const LEFT_OPEN: Failure = {
  message:
    'The statement left a transaction open, and it was rolled back: a call is a session of its own, which ends with it.',
  hint: 'Send the whole transaction in one call, with COMMIT at its end.',
};
