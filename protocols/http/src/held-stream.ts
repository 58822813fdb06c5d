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

  /** Begins the answer. */
  constructor(client: ClientSide, api: HttpApi) {
    this.#client = client;
    this.#api = api;
    client.head({ status: 200, reason: phraseOf(200), headers: HEADERS, framing: { type: 'chunked' } });
    client.data(COMMENT);
    this.#state = { type: 'waiting', timer: setInterval(() => client.data(COMMENT), COMMENT_MS).unref() };
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
    if (state.type !== 'failing' || state.bytes > MAX_ERROR_BYTES) return true;
    state.body.push(Buffer.from(bytes));
    state.bytes += bytes.length;
    return true;
  }

  end(): void {
    const state = this.#state;
    if (state.type === 'failing') this.#client.data(Buffer.from(`event: error\ndata: ${this.#error(state)}\n\n`));
    this.#client.end([]);
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
      const came: unknown = bytes > MAX_ERROR_BYTES ? undefined : JSON.parse(Buffer.concat(body).toString());
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
