/**
 * A client of MySQL and MariaDB on a stream of this process, for one text. Owns: reading at the pace of whoever asks, and how long one packet may be.
 * Does not: read packets, which mysql2 does.
 */
import { type Connection, type FieldPacket, type QueryError, type ResultSetHeader, createConnection } from 'mysql2';
import type { OpenCall } from '../call-gate.js';
import { type Cell, type Column, cellOf, mysqlColumn } from '../values.js';
import {
  ClientError,
  type Failure,
  MAX_ROW_BYTES,
  type StatementClient,
  type StatementEvent,
  TOO_LONG,
} from './statement.js';

const HEADER_BYTES = 4;
/** Events that are read ahead of whoever asks for them. */
const MAX_AHEAD = 256;

interface Login {
  readonly user: string;
  readonly connection: string;
}

/** @throws ClientError when it is not let in */
export async function openMySql({ stream, secret }: OpenCall, { user, connection }: Login): Promise<StatementClient> {
  const lengths = new PacketLengths();
  stream.on('data', (chunk: Buffer) => {
    if (lengths.tooLong(chunk)) stream.destroy(new ClientError(TOO_LONG));
  });
  const client = createConnection({
    stream: () => stream,
    user: `${user}%${connection}`,
    authPlugins: { mysql_clear_password: () => () => Buffer.from(`${secret}\0`) },
    charset: 'utf8mb4',
    connectTimeout: 0,
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  client.on('error', () => undefined);
  client.connect((error) => (error ? reject(new ClientError(failureOf(error))) : resolve()));
  await promise;
  return new MySqlClient(client);
}

class MySqlClient implements StatementClient {
  readonly #client: Connection;

  constructor(client: Connection) {
    this.#client = client;
  }

  async *run(text: string): AsyncGenerator<StatementEvent, void> {
    const queue: StatementEvent[] = [];
    let columns: readonly Column[] = [];
    let rows: number | undefined;
    let ended = false;
    let wake: (() => void) | undefined;
    const push = (event: StatementEvent | undefined): void => {
      if (event) queue.push(event);
      if (queue.length > MAX_AHEAD) this.#client.pause();
      wake?.();
    };
    /** A result with rows has ended, as the command line client says it. */
    const inSet = (): void => {
      if (rows !== undefined) push({ type: 'done', summary: `${rows} ${rows === 1 ? 'row' : 'rows'} in set` });
      rows = undefined;
    };
    const end = (event?: StatementEvent): void => {
      ended = true;
      push(event);
    };
    const query = this.#client.query({ sql: text, rowsAsArray: true, typeCast: false });
    query.on('fields', (fields: FieldPacket[] | undefined) => {
      inSet();
      columns = (fields ?? []).map((field) => columnOf(field));
      rows = fields && 0;
      if (fields) push({ type: 'columns', columns });
    });
    query.on('result', (row: Row) => {
      if (rows !== undefined) rows++;
      push(isHeader(row) ? done(row) : rowOf(row, columns));
    });
    query.on('error', (error: QueryError) => end({ type: 'failed', failure: failureOf(error) }));
    // A connection that breaks says so itself, and not to the query.
    this.#client.on('error', (error: Error) => end({ type: 'failed', failure: failureOf(error) }));
    query.on('end', () => {
      inSet();
      end();
    });
    for (;;) {
      const event = queue.shift();
      if (event) yield event;
      else if (ended) return;
      else {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        this.#client.resume();
        await promise;
      }
    }
  }

  close(): void {
    this.#client.destroy();
  }
}

type Row = readonly (Buffer | null)[] | ResultSetHeader;
const isHeader = (row: Row): row is ResultSetHeader => !Array.isArray(row);

const done = ({ affectedRows, info }: ResultSetHeader): StatementEvent => ({
  type: 'done',
  summary: `OK, ${affectedRows} ${affectedRows === 1 ? 'row' : 'rows'} affected${info ? `. ${info.trim()}` : ''}`,
});

/** Numbers of the protocol, which the types of mysql2 leave out. */
function columnOf(field: FieldPacket): Column {
  const { name, columnType = 0, characterSet = 0 } = field as FieldPacket & { characterSet?: number };
  return mysqlColumn(name, columnType, characterSet);
}

function rowOf(row: readonly (Buffer | null)[], columns: readonly Column[]): StatementEvent {
  let bytes = 0;
  const cells = row.map((value, at): Cell => {
    if (value === null) return null;
    bytes += value.length;
    const written = columns[at]?.values ?? 'string';
    return written === 'base64' ? value.toString('base64') : cellOf(value.toString(), written);
  });
  return { type: 'row', cells, bytes };
}

function failureOf(error: Error): Failure {
  if (error instanceof ClientError) return error.failure;
  const { sqlState, sqlMessage, message } = error as QueryError & { readonly sqlMessage?: string };
  return { message: sqlMessage ?? message, code: sqlState };
}

/** Follows the headers of packets through a stream. */
class PacketLengths {
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #got = 0;
  #left = 0;

  /** A packet in it is longer than a row may be. */
  tooLong(chunk: Buffer): boolean {
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, chunk.length - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      this.#header[this.#got++] = chunk[at++] as number;
      if (this.#got < HEADER_BYTES) continue;
      this.#got = 0;
      this.#left = this.#header.readUIntLE(0, 3);
      if (this.#left > MAX_ROW_BYTES) return true;
    }
    return false;
  }
}
