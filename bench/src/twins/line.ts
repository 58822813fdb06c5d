/** A connection as bytes: logs in with `pg`, then sends texts by the simple protocol and keeps the answers as they come. */
import { Client } from 'pg';
import { CALL } from './vocabulary.js';

export interface Place {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** More than this of one answer is not kept, in bytes: the connection ends instead. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
/** Longest that the answers to one `ask` may take, in milliseconds. */
const MAX_WAIT_MS = 20_000;
const READY = 'Z'.charCodeAt(0);
const HEADER_BYTES = 5;

/** The connection has ended, its answer took too long, or was too large. */
export class LineLost extends Error {
  override readonly name = 'LineLost';
}

export class Line {
  readonly #stream: NodeJS.ReadWriteStream & { destroy(): void };
  #bytes: Buffer = Buffer.alloc(0);
  /** Where the next message of `#bytes` starts. */
  #next = 0;
  #answers: Buffer[] = [];
  #waiting: { readonly count: number; done(): void; lost(why: string): void } | undefined;

  static async open(place: Place): Promise<Line> {
    const client = new Client({ host: '127.0.0.1', ...place });
    client.on('error', () => undefined);
    await client.connect();
    const { connection } = client as unknown as {
      connection: { stream: NodeJS.ReadWriteStream & { destroy(): void } };
    };
    return new Line(connection.stream);
  }

  private constructor(stream: NodeJS.ReadWriteStream & { destroy(): void }) {
    this.#stream = stream;
    stream.removeAllListeners('data');
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    stream.on('close', () => this.#waiting?.lost('the connection has ended'));
    stream.on('error', () => this.#waiting?.lost('the connection has failed'));
  }

  /** The answer to each text, up to its ReadyForQuery. All texts are sent at once. @throws LineLost */
  ask(texts: readonly string[]): Promise<readonly Buffer[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly Buffer[]>();
    const timer = setTimeout(() => this.#waiting?.lost('an answer took too long'), MAX_WAIT_MS);
    this.#answers = [];
    this.#waiting = {
      count: texts.length,
      done: () => {
        clearTimeout(timer);
        this.#waiting = undefined;
        resolve(this.#answers);
      },
      lost: (why) => {
        clearTimeout(timer);
        this.#waiting = undefined;
        reject(new LineLost(why));
        this.close();
      },
    };
    this.#stream.write(Buffer.concat(texts.map(query)));
    return promise;
  }

  close(): void {
    this.#stream.destroy();
  }

  #take(chunk: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    for (;;) {
      if (this.#bytes.length < this.#next + HEADER_BYTES) break;
      const end = this.#next + 1 + this.#bytes.readInt32BE(this.#next + 1);
      if (this.#bytes.length < end) break;
      const tag = this.#bytes[this.#next];
      this.#next = end;
      if (tag !== READY) continue;
      this.#answers.push(Buffer.from(this.#bytes.subarray(0, end)));
      this.#bytes = this.#bytes.subarray(end);
      this.#next = 0;
      if (this.#answers.length === this.#waiting?.count) this.#waiting.done();
    }
    if (this.#bytes.length > MAX_ANSWER_BYTES) this.#waiting?.lost('an answer was too large');
  }
}

/** FunctionCall (55.7) with texts as arguments and result. */
function functionCall([oid = '', ...values]: readonly string[]): Buffer {
  const int = (value: number, bytes: 2 | 4): Buffer => {
    const made = Buffer.alloc(bytes);
    made.writeIntBE(value, 0, bytes);
    return made;
  };
  const given = values.flatMap((value) => [int(Buffer.byteLength(value), 4), Buffer.from(value)]);
  const body = Buffer.concat([int(Number(oid), 4), int(0, 2), int(values.length, 2), ...given, int(0, 2)]);
  return Buffer.concat([Buffer.from('F'), int(body.length + 4, 4), body]);
}

function query(text: string): Buffer {
  if (text.startsWith(CALL)) return functionCall(text.slice(CALL.length).split('|'));
  const body = Buffer.from(`${text}\0`);
  const head = Buffer.from([0x51, 0, 0, 0, 0]);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** A message of the server. */
export interface Message {
  readonly tag: string;
  readonly body: Buffer;
}

export function messagesOf(answer: Buffer): Message[] {
  const messages: Message[] = [];
  for (let at = 0; at < answer.length; ) {
    const end = at + 1 + answer.readInt32BE(at + 1);
    messages.push({ tag: String.fromCharCode(answer[at] as number), body: answer.subarray(at + HEADER_BYTES, end) });
    at = end;
  }
  return messages;
}

/** A message in words. Numbers of tables and types of the session's own are left out: they are not the same in both databases. */
export function inWords({ tag, body }: Message): string {
  if (tag === 'D')
    return `row ${cellsOf(body)
      .map((cell) => cell ?? 'NULL')
      .join(' | ')}`;
  if (tag === 'T') return `columns ${columnsOf(body).join(' | ')}`;
  const field = (code: string): string => fieldOf(body, code);
  if (tag === 'E' || tag === 'N')
    return `${tag === 'E' ? 'error' : 'notice'} ${field('C')} ${field('M')} ${field('D')}`.trim();
  return `${tag} ${body.toString('latin1').replaceAll('\0', ' ').trim()}`;
}

/** A field of an error or a notice by its code: `C` is the SQLSTATE, `M` the message. */
export function fieldOf(body: Buffer, code: string): string {
  const found = body
    .toString('utf8')
    .split('\0')
    .find((one) => one.startsWith(code));
  return found?.slice(1) ?? '';
}

function cellsOf(body: Buffer): (string | null)[] {
  const cells: (string | null)[] = [];
  for (let at = 2; at < body.length; ) {
    const size = body.readInt32BE(at);
    at += 4;
    cells.push(size < 0 ? null : body.toString('utf8', at, at + size));
    at += Math.max(0, size);
  }
  return cells;
}

const FIRST_OID_OF_USERS = 16_384;

function columnsOf(body: Buffer): string[] {
  const columns: string[] = [];
  for (let at = 2; at < body.length; ) {
    const end = body.indexOf(0, at);
    const type = body.readUInt32BE(end + 7);
    columns.push(`${body.toString('utf8', at, end)} ${type < FIRST_OID_OF_USERS ? type : 'of its own'}`);
    at = end + 19;
  }
  return columns;
}
