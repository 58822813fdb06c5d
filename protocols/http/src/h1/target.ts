/**
 * A connection to a target that speaks HTTP/1.1: one request at a time. Owns: framing of what goes there, reading of what comes
 * back, and whether the connection can carry another request. A target that says anything nobody asked for loses it. Does
 * not: choose a connection (pool.ts), or know what the answer is for (exchange.ts).
 */
import type { Duplex } from 'node:stream';
import type { Header } from '@sluice/contract';
import { type Loan, Recent, isLender, remembered } from '@sluice/wire';
import { HttpError } from '../errors.js';
import { isConnection, listOf, passableTrailers } from '../headers.js';
import { Inflow } from '../inflow.js';
import type { AnswerEvents, OutgoingRequest, TargetSide } from '../ports.js';
import { type BodyReader, type BodySink, bodyReader, chunkLine, lastChunk, responseFraming } from './body.js';
import { LastRead, type Repeated } from '../last-read.js';
import { HeadFinder, type ResponseHead, headText, headerLines, readResponseHead } from './head.js';

/** Bytes that are read at once and copied rather than kept. */
const MAX_COPIED_BYTES = 8 * 1024;
/** 1xx before an answer. Each is passed on, so a target could keep a client busy with them. */
const MAX_INFORMATIONAL = 64;

/** Heads of answers that are remembered because some connection has had them more than once. */
const MAX_REMEMBERED = 256;
const repeated: Repeated<ResponseHead> = new Recent(MAX_REMEMBERED);

type State = 'idle' | 'head' | 'body' | 'closed';

export class TargetConnection implements TargetSide {
  reused = false;
  readonly #stream: Duplex;
  /** The request is over: `kept` says whether the connection can carry another one. */
  readonly #onFree: (connection: TargetConnection, kept: boolean) => void;
  readonly #inflow = new Inflow();
  readonly #finder = new HeadFinder();
  readonly #heads = new LastRead(repeated);
  #state: State = 'idle';
  #request: OutgoingRequest | undefined;
  #events: AnswerEvents | undefined;
  #body: BodyReader | undefined;
  /** The request's body has been sent whole. */
  #sent = false;
  /** Neither the answer nor its framing asks for the connection's end. */
  #keeps = true;
  #began = false;
  #paused = false;
  #informational = 0;
  /** How long the target has said that it keeps the connection for, in milliseconds. */
  #keptFor = Number.POSITIVE_INFINITY;
  /** The body has ended, with these. */
  #trailers: readonly Header[] | undefined;

  constructor(stream: Duplex, onFree: (connection: TargetConnection, kept: boolean) => void) {
    this.#stream = stream;
    this.#onFree = onFree;
    if (isLender(stream)) stream.lend(this.#borrow);
    else stream.on('data', this.#receive);
    stream.on('end', this.#ended);
    stream.on('close', this.#closed);
    stream.on('drain', this.#drained);
    stream.on('error', ignore);
    if (stream.destroyed) this.#state = 'closed';
  }

  get usable(): boolean {
    return this.#state === 'idle' && !this.#stream.destroyed && !this.#stream.readableEnded;
  }

  /** How long it may lie idle, in milliseconds, so that no request meets its end on the way. */
  get keptFor(): number {
    return this.#keptFor - Math.min(KEEP_ALIVE_MARGIN_MS, this.#keptFor / 2);
  }

  request(request: OutgoingRequest, events: AnswerEvents): void {
    this.#request = request;
    this.#events = events;
    this.#state = 'head';
    this.#began = false;
    this.#informational = 0;
    this.#keeps = true;
    const { framing } = request;
    this.#sent = framing.type === 'none';
    const chunked = framing.type === 'chunked' ? 'Transfer-Encoding: chunked\r\n' : '';
    const upgrade = request.upgrade === undefined ? '' : `Connection: Upgrade\r\nUpgrade: ${request.upgrade}\r\n`;
    const start = `${request.method} ${request.target} HTTP/1.1\r\nHost: ${request.authority}\r\n`;
    this.#stream.write(Buffer.from(`${start}${headerLines(request.headers)}${chunked}${upgrade}\r\n`, 'latin1'));
  }

  data(bytes: Buffer): boolean {
    if (this.#request?.framing.type !== 'chunked') return this.#stream.write(bytes);
    this.#stream.write(Buffer.from(chunkLine(bytes.length), 'latin1'));
    this.#stream.write(bytes);
    return this.#stream.write(CRLF);
  }

  end(trailers: readonly Header[]): void {
    this.#sent = true;
    if (this.#request?.framing.type === 'chunked') this.#stream.write(Buffer.from(lastChunk(trailers), 'latin1'));
  }

  wantAnswer(wanted: boolean): void {
    if (wanted !== this.#paused) return;
    this.#paused = !wanted;
    if (wanted) this.#stream.resume();
    else this.#stream.pause();
  }

  abort(): void {
    this.#finish(false);
  }

  /** Ends the connection, whatever it is at. */
  close(): void {
    if (this.#state === 'closed') return;
    const events = this.#events;
    this.#finish(false);
    events?.targetFailed('the connection to the target was closed', this.#began);
  }

  /** What is small is copied, so that the same memory is read into again. */
  readonly #borrow = (chunk: Buffer): Loan => {
    const small = chunk.length < MAX_COPIED_BYTES;
    this.#receive(small ? Buffer.from(chunk) : chunk);
    return small ? 'free' : 'kept';
  };

  readonly #receive = (chunk: Buffer): void => {
    if (this.#state === 'idle') return this.#finish(false);
    if (this.#state === 'closed') return;
    this.#inflow.add(chunk);
    this.#began = true;
    try {
      this.#run();
    } catch (error) {
      const known = error instanceof HttpError;
      this.#fail(known ? `the target's answer is not HTTP: ${error.message}` : 'the gateway could not read the answer');
    }
  };

  #run(): void {
    const inflow = this.#inflow;
    while (inflow.bytes.length > 0) {
      if (this.#state === 'head') {
        const end = this.#finder.find(inflow.bytes);
        if (end === undefined) return;
        const text = headText(inflow.bytes.subarray(0, end));
        const head = this.#heads.of(text, () => readResponseHead(text));
        inflow.use(end);
        this.#head(head);
      } else if (this.#state === 'body') {
        const { bytes } = inflow;
        const used = (this.#body as BodyReader).read(bytes, 0, this.#sink);
        inflow.use(used);
        this.#endBody();
      } else {
        // Bytes behind an answer that nobody asked for: the next request would get them.
        if (this.#state === 'idle') this.#finish(false);
        return;
      }
    }
  }

  #head(head: ResponseHead): void {
    const request = this.#request as OutgoingRequest;
    if (head.status === 101) return this.#switch(head, request);
    if (head.status < 200) {
      if (++this.#informational > MAX_INFORMATIONAL) return this.#fail('the target sends 1xx and no answer');
      return this.#events?.informational(head.status, head.headers);
    }
    this.#keptFor = keepAliveIn(head.headers).ms;
    const framing = responseFraming(head, request.method);
    const options = optionsOf(head.headers);
    this.#keeps =
      framing.type !== 'close' && (head.minor === 1 ? !options.includes('close') : options.includes('keep-alive'));
    this.#body = bodyReader(framing);
    this.#state = 'body';
    this.#events?.answer({ status: head.status, reason: head.reason, headers: head.headers, framing });
    if (!this.#body && this.#is('body')) this.#answered([]);
  }

  #switch(head: ResponseHead, request: OutgoingRequest): void {
    const upgrade = listOf(head.headers, 'upgrade');
    if (request.upgrade === undefined || upgrade.length !== 1 || upgrade[0] !== request.upgrade)
      return this.#fail('the target switches to a protocol that nobody asked for');
    const events = this.#events;
    this.#letGo();
    this.#stream.pause();
    const { status, reason, headers } = head;
    events?.switched({ status, reason, headers, framing: { type: 'none' } }, this.#stream, this.#inflow.take());
    this.#onFree(this, false);
  }

  /** What a body reader finds. */
  readonly #sink: BodySink = {
    data: (bytes) => this.#events?.answerData(bytes),
    end: (trailers) => {
      if (trailers.some(isConnection)) this.#keeps = false;
      this.#trailers = passableTrailers(trailers);
    },
  };

  /** If the reader has found the end. Not before what it used is gone from the inflow: the next request may begin at once. */
  #endBody(): void {
    const trailers = this.#trailers;
    this.#trailers = undefined;
    if (trailers) this.#answered(trailers);
  }

  #answered(trailers: readonly Header[]): void {
    const events = this.#events;
    // A target that answers before it has the whole request may not read the rest of it.
    const kept = this.#keeps && this.#sent && this.#inflow.bytes.length === 0 && !this.#stream.readableEnded;
    this.#finish(kept);
    events?.answerEnd(trailers);
  }

  /** The request is over. */
  #finish(kept: boolean): void {
    if (this.#is('closed')) return;
    this.#events = undefined;
    this.#request = undefined;
    this.#body = undefined;
    if (kept) {
      this.#state = 'idle';
      this.reused = true;
      this.wantAnswer(true);
    } else {
      this.#letGo();
      this.#stream.on('error', ignore);
      this.#stream.destroy();
    }
    this.#onFree(this, kept);
  }

  #letGo(): void {
    this.#state = 'closed';
    this.#events = undefined;
    this.#stream.off('data', this.#receive);
    this.#stream.off('end', this.#ended);
    this.#stream.off('close', this.#closed);
    this.#stream.off('drain', this.#drained);
  }

  #fail(message: string): void {
    const events = this.#events;
    const began = this.#began;
    this.#finish(false);
    events?.targetFailed(message, began);
  }

  readonly #ended = (): void => {
    if (this.#is('idle')) return this.#finish(false);
    if (this.#is('closed')) return;
    if (this.#body?.ended(this.#sink) === true) this.#endBody();
    else this.#fail('the target ended the connection before its answer was whole');
  };

  readonly #closed = (): void => {
    if (this.#is('idle')) this.#finish(false);
    else if (!this.#is('closed')) this.#fail('the connection to the target broke');
  };

  readonly #drained = (): void => this.#events?.targetDrained();

  #is(state: State): boolean {
    return this.#state === state;
  }
}

/** So long before a target ends an idle connection no request goes there any more. */
const KEEP_ALIVE_MARGIN_MS = 500;

/** `Keep-Alive: timeout=5` says for how long it is kept. */
const keepAliveIn = remembered((headers: readonly Header[]) => {
  const timeouts = listOf(headers, 'keep-alive').flatMap((one) => /^timeout=(\d{1,6})$/.exec(one)?.[1] ?? []);
  return { ms: timeouts.reduce((least, one) => Math.min(least, Number(one) * 1000), Number.POSITIVE_INFINITY) };
});

/** What an answer says of its connection. */
const optionsOf = remembered((headers: readonly Header[]) => listOf(headers, 'connection'));
const CRLF = Buffer.from('\r\n');
const ignore = (): void => undefined;
