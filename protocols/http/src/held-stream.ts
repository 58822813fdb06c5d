/**
 * The client of a request that asks for a stream of events and waits for people: its answer begins before anybody knows what it will be, so
 * that nothing on the way takes it for lost. Owns: comments meanwhile, and that a no, or whatever is no stream, comes as an error event.
 * Does not: decide.
 */
import type { Duplex } from 'node:stream';
import type { Header, HttpApi } from '@sluice/contract';
import { lower } from './headers.js';
import type { AnswerHead, ClientSide } from './ports.js';
import { isModelApi, modelError } from './refusal-model.js';
import { phraseOf } from './status.js';

/** A comment so often, in milliseconds. */
const COMMENT_MS = 10_000;
const COMMENT = Buffer.from(': waiting for people\n\n');
/** Of an answer that is none of events so much is looked at, as an error has. Bytes. */
const MAX_ERROR_BYTES = 64 * 1024;
/** And of one of MCP all, which its editor has bounded. */
const MAX_MESSAGE_BYTES = 8 * 1024 * 1024;

/** `token`: as JSON. A client that counts time from its last news goes on waiting. */
const progressed = (token: string, times: number): Buffer =>
  Buffer.from(
    `data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${token},"progress":${times},"message":"waiting for people"}}\n\n`,
  );

type State =
  | { readonly type: 'waiting'; readonly timer: NodeJS.Timeout }
  /** The target streams. */
  | { readonly type: 'passing' }
  /** Something else comes, which the client is told in an event. */
  | { readonly type: 'failing'; readonly status: number; readonly body: Buffer[]; bytes: number };

export class HeldStream implements ClientSide {
  readonly #client: ClientSide;
  readonly #api: HttpApi;
  #state: State;
  #told = 0;

  /** Begins the answer. `progress`: of MCP, see `progressOf`. */
  constructor(client: ClientSide, api: HttpApi, progress?: string) {
    this.#client = client;
    this.#api = api;
    client.head({ status: 200, reason: phraseOf(200), headers: HEADERS, framing: { type: 'chunked' } });
    const say = (): void => void client.data(progress === undefined ? COMMENT : progressed(progress, ++this.#told));
    say();
    this.#state = { type: 'waiting', timer: setInterval(say, COMMENT_MS).unref() };
  }

  get version(): ClientSide['version'] {
    return this.#client.version;
  }

  get secure(): boolean {
    return this.#client.secure;
  }

  get certificate(): Uint8Array | undefined {
    return this.#client.certificate;
  }

  /** There is no place for one any more. */
  informational(): void {}

  head({ status, headers }: AnswerHead): void {
    this.stop();
    const isStream = status === 200 && headers.some(isEvents);
    this.#state = isStream ? { type: 'passing' } : { type: 'failing', status, body: [], bytes: 0 };
  }

  data(bytes: Buffer): boolean {
    const state = this.#state;
    if (state.type === 'passing') return this.#client.data(bytes);
    if (state.type !== 'failing' || state.bytes > this.#maxBytes) return true;
    state.body.push(Buffer.from(bytes));
    state.bytes += bytes.length;
    return true;
  }

  end(): void {
    const state = this.#state;
    if (state.type === 'failing')
      this.#client.data(
        Buffer.from(this.#api === 'mcp' ? this.#messages(state) : `event: error\ndata: ${this.#error(state)}\n\n`),
      );
    this.#client.end([]);
  }

  /** A server of MCP may answer with one document, which is an event here as well. */
  #messages({ body, bytes, status }: Extract<State, { type: 'failing' }>): string {
    try {
      const came: unknown = bytes > this.#maxBytes ? undefined : JSON.parse(Buffer.concat(body).toString());
      if (typeof came === 'object' && came !== null)
        return [came]
          .flat()
          .map((one) => `event: message\ndata: ${JSON.stringify(one)}\n\n`)
          .join('');
    } catch {
      // It is none.
    }
    return `: the server answers with status ${status}\n\n`;
  }

  get #maxBytes(): number {
    return this.#api === 'mcp' ? MAX_MESSAGE_BYTES : MAX_ERROR_BYTES;
  }

  abort(): void {
    this.stop();
    this.#client.abort();
  }

  wantBody(wanted: boolean): void {
    this.#client.wantBody(wanted);
  }

  done(): void {
    this.stop();
    this.#client.done();
  }

  release(): { readonly stream: Duplex; readonly rest: Buffer } {
    return this.#client.release();
  }

  /** No more comments. */
  stop(): void {
    if (this.#state.type === 'waiting') clearInterval(this.#state.timer);
  }

  /** In the shape of the provider: as it came, where it came so. */
  #error({ status, body, bytes }: Extract<State, { type: 'failing' }>): string {
    try {
      const came: unknown = bytes > this.#maxBytes ? undefined : JSON.parse(Buffer.concat(body).toString());
      if (status >= FIRST_ERROR && typeof came === 'object' && came !== null && 'error' in came)
        return JSON.stringify(came);
    } catch {
      // It is none.
    }
    const message = `The target answered ${status}, and no stream of events.`;
    const problem = { status: status >= FIRST_ERROR ? status : 502, code: 'target-failed', message };
    return JSON.stringify(isModelApi(this.#api) ? modelError(this.#api, problem) : problem);
  }
}

const FIRST_ERROR = 400;

const HEADERS: readonly Header[] = [
  ['Content-Type', 'text/event-stream'],
  ['Cache-Control', 'no-store'],
];

const isEvents = ([name, value]: Header): boolean =>
  lower(name) === 'content-type' && /^text\/event-stream\b/i.test(value);
