/**
 * A client's connection by HTTP/1.1: requests one after the other, each an exchange. Owns: reading them, the order
 * of both, deadlines for heads, and when the connection ends. Does not: frame answers (answers.ts), or know what becomes of a request.
 */
import type { Duplex } from 'node:stream';
import type { Header } from '@sluice/contract';
import { HttpError } from '../errors.js';
import { Exchange, type RequestSource } from '../exchange.js';
import { HeaderSet, lastHeaders } from '../header-set.js';
import type { LastRead } from '../last-read.js';
import { isConnection } from '../headers.js';
import { Inflow } from '../inflow.js';
import { Outbox } from '../outbox.js';
import type { AnswerHead, ClientSide, IncomingRequest } from '../ports.js';
import { capital, refuse } from '../refusal.js';
import { type Security, checkDirected } from '../security.js';
import { AnswerWriter } from './answers.js';
import { type BodyReader, type BodySink, bodyReader, requestFraming } from './body.js';
import { Deadline } from './deadline.js';
import { HeadFinder, type RequestLine, headText, readRequestHeaders, readRequestLine, splitHead } from './head.js';
import { incomingOf } from './request.js';

/** From the first byte of a head, or the end of the last answer, to the end of a head, in milliseconds. */
const HEAD_MS = 30_000;
/** How long a connection may lie idle between two requests, in milliseconds. */
const IDLE_MS = 75_000;
/** How long what a client still sends is read and dropped, so that it gets our last words before a reset, in milliseconds. */
const LINGER_MS = 2_000;
/** Bytes that are read ahead of the request at work, so that a hang-up is noticed behind them. */
const MAX_AHEAD_BYTES = 64 * 1024;

/** A longer head is read each time, in characters. */
const MAX_KNOWN_CHARACTERS = 4096;

/** A head, and what it asks for: clients send the same one again and again. */
interface KnownHead {
  readonly text: string;
  readonly line: RequestLine;
  readonly request: IncomingRequest;
}

/** A request in progress: its exchange, and how far both bodies are. */
interface Current {
  readonly line: RequestLine;
  readonly set: HeaderSet;
  readonly exchange: Exchange;
  /** Reads the request's body; undefined once that has ended. */
  body: BodyReader | undefined;
  wantsBody: boolean;
  answered: boolean;
}

type State =
  | { readonly type: 'waiting' }
  | { readonly type: 'working'; readonly current: Current }
  /** Our last words are on their way. */
  | { readonly type: 'closing' }
  /** The stream is somebody else's, or gone. */
  | { readonly type: 'released' };

export class ClientConnection implements ClientSide {
  readonly secure: boolean;
  readonly certificate: Uint8Array | undefined;
  readonly #listener: RequestSource;
  readonly #security: Security;
  readonly #stream: Duplex;
  readonly #inflow = new Inflow();
  readonly #finder = new HeadFinder();
  readonly #headers: LastRead<HeaderSet>;
  #known: KnownHead | undefined;
  #lastText: string | undefined;
  readonly #outbox: Outbox;
  readonly #over = Promise.withResolvers<void>();
  readonly #deadline: Deadline;
  readonly #answers: AnswerWriter;
  #state: State = { type: 'waiting' };
  #running = false;
  #inputEnded = false;
  #lastAnswer = false;

  constructor(stream: Duplex, listener: RequestSource, security: Security) {
    this.#stream = stream;
    this.#listener = listener;
    this.#security = security;
    this.secure = security.secure;
    this.certificate = security.certificate;
    this.#headers = lastHeaders(security.certificate);
    this.#outbox = new Outbox(stream, () => this.#drained());
    this.#answers = new AnswerWriter(this.#outbox);
    this.#deadline = new Deadline(HEAD_MS / 10, () => this.#late());
    // A client that has said all it has to say still gets its answer.
    stream.allowHalfOpen = true;
  }

  /** Resolves when the connection is over, or belongs to another protocol that is over. */
  run(): Promise<void> {
    const { signal, draining } = this.#listener.gate;
    signal.addEventListener('abort', this.#kill, { once: true });
    draining.addEventListener('abort', this.#drain, { once: true });
    const stream = this.#stream;
    stream.on('data', this.#receive);
    stream.on('end', this.#ended);
    stream.on('close', this.#closed);
    stream.on('error', ignore);
    this.#deadline.allow(HEAD_MS);
    if (signal.aborted) this.#kill();
    else if (draining.aborted) this.#drain();
    if (stream.destroyed) this.#closed();
    return this.#over.promise;
  }

  get version(): '1.0' | '1.1' {
    return this.#current?.line.minor === 0 ? '1.0' : '1.1';
  }

  informational(status: number, headers: readonly Header[]): void {
    if (this.#current) this.#answers.informational(status, headers);
  }

  head(answer: AnswerHead): void {
    const current = this.#current;
    if (!current) return;
    if (answer.status !== 101) this.#lastAnswer ||= this.#endsBehind(current, answer);
    this.#answers.head(answer, this.#lastAnswer);
  }

  data(bytes: Buffer): boolean {
    return this.#answers.data(bytes);
  }

  end(trailers: readonly Header[]): void {
    const current = this.#current;
    if (!current) return;
    this.#answers.end(trailers);
    current.answered = true;
  }

  abort(): void {
    // Without its last chunk, or before its length: whatever reads it sees that it is not whole.
    this.#release();
    this.#outbox.flush();
    this.#answers.breakOff(this.#stream);
    this.#over.resolve();
  }

  wantBody(wanted: boolean): void {
    const current = this.#current;
    if (!current || current.wantsBody === wanted) return;
    current.wantsBody = wanted;
    this.#takeUpNext();
  }

  done(): void {
    if (this.#state.type === 'working') this.#takeUpNext();
  }

  release(): { stream: Duplex; rest: Buffer } {
    const rest = this.#inflow.take();
    this.#outbox.release();
    this.#release();
    this.#stream.pause();
    this.#stream.on('close', () => this.#over.resolve());
    return { stream: this.#stream, rest };
  }

  get #current(): Current | undefined {
    return this.#state.type === 'working' ? this.#state.current : undefined;
  }

  readonly #receive = (chunk: Buffer): void => {
    if (this.#state.type === 'closing') return;
    if (this.#state.type === 'waiting' && this.#inflow.bytes.length === 0) this.#deadline.allow(HEAD_MS);
    this.#inflow.add(chunk);
    this.#takeUpNext();
  };

  readonly #ended = (): void => {
    this.#inputEnded = true;
    const current = this.#current;
    if (current?.body) {
      current.exchange.clientGone();
      this.#destroy();
    } else if (current) current.exchange.clientEnded();
    else if (this.#inflow.bytes.length === 0 || this.#outbox.hasRoom) this.#close();
  };

  readonly #closed = (): void => {
    const current = this.#current;
    this.#release();
    current?.exchange.clientGone();
    this.#over.resolve();
  };

  /** Goes on with whatever can go on. Called from within itself, it goes on outside. */
  #takeUpNext(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#step());
    } catch (error) {
      if (error instanceof HttpError) this.#broken(error);
      else this.#failed(error);
    } finally {
      this.#running = false;
    }
    this.#flow();
  }

  /** @returns whether there may be more to do */
  #step(): boolean {
    const state = this.#state;
    switch (state.type) {
      case 'waiting':
        return this.#begin();
      case 'working':
        return state.current.body && state.current.wantsBody && !state.current.answered
          ? this.#readBody(state.current)
          : this.#finish(state.current);
      default:
        return false;
    }
  }

  #drained(): void {
    const current = this.#current;
    if (current) current.exchange.clientDrained();
    else this.#takeUpNext();
  }

  /** The next request, if its head is here. */
  #begin(): boolean {
    // Whoever takes no answers is asked no more: they would pile up here.
    if (!this.#outbox.hasRoom) return false;
    const inflow = this.#inflow;
    inflow.use(this.#finder.emptyLine(inflow.bytes));
    if (inflow.bytes.length === 0) return false;
    const end = this.#finder.find(inflow.bytes);
    if (end === undefined) {
      if (this.#inputEnded) this.#close();
      return false;
    }
    const text = headText(inflow.bytes.subarray(0, end));
    inflow.use(end);
    this.#start(this.#known?.text === text ? this.#known : this.#read(text));
    return true;
  }

  #read(text: string): KnownHead {
    const [first, rest] = splitHead(text);
    const line = readRequestLine(first, () => this.#setOf(rest).host);
    const set = this.#setOf(rest);
    const framing = requestFraming({ headers: set.headers, minor: line.minor });
    const head: KnownHead = { text, line, request: incomingOf(line, set, framing) };
    // From the second time on, when its headers are those that all connections have that send them.
    if (text === this.#lastText) this.#known = head;
    this.#lastText = text.length <= MAX_KNOWN_CHARACTERS ? text : undefined;
    return head;
  }

  #setOf(rest: string): HeaderSet {
    return this.#headers.of(rest, () => {
      const { host, headers } = readRequestHeaders(rest);
      return new HeaderSet(host, headers, this.certificate);
    });
  }

  #start({ line, request }: KnownHead): void {
    const { set, framing } = request;
    const exchange = new Exchange(this.#listener, this, request);
    const body = bodyReader(framing);
    this.#answers.next(line.minor);
    this.#state = {
      type: 'working',
      current: { line, set, exchange, body, wantsBody: false, answered: false },
    };
    this.#deadline.none();
    checkDirected(set, this.#security);
    exchange.start();
  }

  #readBody(current: Current): boolean {
    const inflow = this.#inflow;
    if (inflow.bytes.length === 0) return false;
    const used = (current.body as BodyReader).read(inflow.bytes, 0, this.#sink);
    inflow.use(used);
    return true;
  }

  readonly #sink: BodySink = {
    data: (bytes) => this.#current?.exchange.requestData(bytes),
    end: (trailers) => {
      const current = this.#current;
      if (!current) return;
      current.body = undefined;
      if (trailers.some(isConnection)) this.#lastAnswer = true;
      this.#deadline.none();
      current.exchange.requestEnd(trailers);
    },
  };

  /** The answer is whole: the connection goes on with the next request, or ends. */
  #finish(current: Current): boolean {
    if (!current.answered) return false;
    if (this.#endsAfter(current) || this.#answers.untilClose || this.#lastAnswer) {
      this.#close();
      return false;
    }
    this.#state = { type: 'waiting' };
    this.#deadline.allow(this.#inflow.bytes.length > 0 ? HEAD_MS : IDLE_MS);
    if (this.#inputEnded && this.#inflow.bytes.length === 0) this.#close();
    return true;
  }

  /** The client asked for it, an unread body would be taken for the next request, or the gateway goes. */
  #endsAfter({ line, set, body }: Current): boolean {
    const options = set.list('connection');
    const asked = line.minor === 1 ? options.includes('close') : !options.includes('keep-alive');
    return asked || body !== undefined || this.#listener.gate.draining.aborted;
  }

  /** A body that is not read yet may be on its way still, while the answer is streamed: that tells only at its end. */
  #endsBehind(current: Current, { framing }: AnswerHead): boolean {
    return this.#endsAfter(current) && !(current.body && current.wantsBody && framing.type !== 'none');
  }

  /** A defect of ours costs this connection, and not everybody else theirs. */
  #failed(error: unknown): void {
    this.#listener.gate.broke(`a connection failed: ${String(error)}`);
    this.#kill();
  }

  #broken(error: HttpError): void {
    const state = this.#state;
    const message = capital(error.message);
    if (state.type === 'working' && !this.#answers.begun) {
      this.#lastAnswer = true;
      state.current.exchange.requestFailed(error.status, error.message);
      if (state.current.answered) this.#close();
      else this.#sayLast(error.status, message);
    } else if (state.type === 'working') this.#destroy();
    else this.#sayLast(error.status, message);
  }

  /** An answer to what was no request. */
  #sayLast(status: number, message: string): void {
    const exchange = this.#current?.exchange;
    this.#lastAnswer = true;
    const line: RequestLine = { method: 'GET', target: '/', minor: 1 };
    const set = new HeaderSet('', []);
    this.#state = {
      type: 'working',
      current: { line, set, exchange: NOBODY, body: undefined, wantsBody: false, answered: false },
    };
    exchange?.clientGone();
    refuse(this, { ...line, set, framing: { type: 'none' }, expects: false }, { status, code: 'bad-request', message });
    this.#close();
  }

  readonly #kill = (): void => {
    if (this.#state.type === 'waiting' && this.#inflow.bytes.length === 0) return this.#close();
    this.#current?.exchange.clientGone();
    this.#destroy();
  };

  readonly #drain = (): void => {
    if (this.#state.type === 'waiting' && this.#inflow.bytes.length === 0) this.#close();
  };

  /** Ends our side; the client's is read to its end, or for a while. */
  #close(): void {
    if (this.#state.type === 'closing' || this.#state.type === 'released') return;
    this.#state = { type: 'closing' };
    this.#inflow.take();
    this.#outbox.flush();
    this.#stream.end();
    this.#deadline.allow(LINGER_MS);
    this.#stream.resume();
    if (this.#inputEnded) this.#stream.once('finish', () => this.#stream.destroy());
  }

  #destroy(): void {
    this.#release();
    this.#stream.destroy();
    this.#over.resolve();
  }

  /** Lets go of the stream. */
  #release(): void {
    if (this.#state.type === 'released') return;
    this.#state = { type: 'released' };
    this.#deadline.stop();
    const { signal, draining } = this.#listener.gate;
    signal.removeEventListener('abort', this.#kill);
    draining.removeEventListener('abort', this.#drain);
    this.#stream.off('data', this.#receive);
    this.#stream.off('end', this.#ended);
    this.#stream.off('close', this.#closed);
  }

  #flow(): void {
    const { type } = this.#state;
    if (type === 'released') return;
    const current = this.#current;
    const reads =
      type === 'closing' ||
      (type === 'waiting' && this.#outbox.hasRoom) ||
      (current?.body && current.wantsBody) ||
      this.#inflow.bytes.length < MAX_AHEAD_BYTES;
    if (reads) this.#stream.resume();
    else this.#stream.pause();
  }

  /** The client's time is over. */
  #late(): void {
    const { type } = this.#state;
    if (type === 'closing') return this.#destroy();
    if (type === 'waiting' && this.#inflow.bytes.length === 0) return this.#close();
    this.#broken(new HttpError(408, 'the head did not come in time'));
  }
}

const ignore = (): void => undefined;
const NOBODY = { clientDrained: ignore, clientEnded: ignore, clientGone: ignore } as unknown as Exchange;
