/**
 * A client's connection by HTTP/2, on the stream API of node:http2: each stream is an exchange. Owns: its limits, and what a
 * stream is as the client's side of an exchange. Does not: read frames, which nghttp2 does.
 */
import { type ServerHttp2Session, type ServerHttp2Stream, constants, performServerHandshake } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Header } from '@sluice/contract';
import { type Gathering, gathers, remembered } from '@sluice/wire';
import { HttpError, badRequest } from '../errors.js';
import { Exchange, type RequestSource } from '../exchange.js';
import { METHODS, checkedTarget, isHost } from '../h1/head.js';
import { HeaderSet, lastHeaders } from '../header-set.js';
import { type LastRead, MAX_REMEMBERED_LENGTH } from '../last-read.js';
import { valueOf } from '../headers.js';
import type { AnswerHead, ClientSide, IncomingRequest } from '../ports.js';
import { capital, refuse } from '../refusal.js';
import { type Security, checkDirected } from '../security.js';
import { fieldMap, fromRaw, toRaw } from './fields.js';

/** How long a connection without a stream stays open, in milliseconds. */
const IDLE_MS = 75_000;
const MAX_STREAMS = 100;
/** For so long a client that still sends may take to hear that its answer is over, in milliseconds. */
const TRAILERS_MS = 1_000;

const OPTIONS = {
  /** Targets send some headers twice by mistake, which browsers and HTTP/1.1 take. */
  strictSingleValueFields: false,
  settings: { maxConcurrentStreams: MAX_STREAMS, enableConnectProtocol: false, maxHeaderListSize: 64 * 1024 },
  maxHeaderListPairs: 200,
  /** Megabytes that a session may take. */
  maxSessionMemory: 10,
  maxSessionInvalidFrames: 100,
  maxSessionRejectedStreams: 100,
  /** Resets at once, and each second from then on; more of them end the connection. */
  streamResetBurst: 200,
  streamResetRate: 33,
};

/** Serves one connection until it is over. */
export function serveHttp2(stream: Duplex, listener: RequestSource, security: Security): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { signal, draining } = listener.gate;
  const session: ServerHttp2Session = performServerHandshake(stream, OPTIONS);
  const kill = (): void => session.destroy();
  const drain = (): void => session.close();
  const last = new LastFields(security.certificate);
  session.on('error', ignore);
  session.on('stream', (one, _fields, flags, raw) => {
    one.on('error', ignore);
    const ended = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    new StreamSide(one, security).start(listener, () => incoming(raw as unknown as string[], ended, last, security));
  });
  session.setTimeout(IDLE_MS, () => session.close());
  session.once('close', () => {
    signal.removeEventListener('abort', kill);
    draining.removeEventListener('abort', drain);
    resolve();
  });
  signal.addEventListener('abort', kill, { once: true });
  draining.addEventListener('abort', drain, { once: true });
  if (signal.aborted) kill();
  else if (draining.aborted) drain();
  return promise;
}

const ignore = (): void => undefined;
const rawOf = remembered(toRaw);
const WITH_TRAILERS = { waitForTrailers: true };
const END_STREAM = { endStream: true };
const WHOLE = {};

class StreamSide implements ClientSide, Gathering {
  readonly version = '2';
  readonly secure: boolean;
  readonly certificate: Uint8Array | undefined;
  readonly #stream: ServerHttp2Stream;
  #exchange: Exchange | undefined;
  #endsWithHead = false;
  /** They go behind the end of the answer. */
  #hasTrailers = false;
  /** A request without a body has nothing to read. What has been read to its end node:http2 destroys before it has written, at the price of an error. */
  #reads = true;
  /** The fields of a head that waits for the end of the turn, which may be the end of the answer, and what has come behind it. */
  #waiting: { readonly fields: string[]; readonly pieces: Buffer[] } | undefined;

  constructor(stream: ServerHttp2Stream, security: Security) {
    this.#stream = stream;
    this.secure = security.secure;
    this.certificate = security.certificate;
  }

  start(listener: RequestSource, read: () => IncomingRequest): void {
    const stream = this.#stream;
    let request: IncomingRequest;
    try {
      request = read();
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      const none = {
        method: 'GET',
        target: '/',
        set: new HeaderSet('', []),
        framing: { type: 'none' },
        expects: false,
      } as const;
      return refuse(this, none, { status: error.status, code: 'bad-request', message: capital(error.message) });
    }
    const exchange = new Exchange(listener, this, request);
    this.#exchange = exchange;
    this.#reads = request.framing.type !== 'none';
    if (this.#reads) this.#receive();
    stream.on('close', this.#closed);
    exchange.start();
  }

  /** node:http2 keeps a stream for long after its end, which then keeps nothing of ours. */
  readonly #closed = (): void => {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.clientGone();
  };

  #receive(): void {
    const stream = this.#stream;
    stream.on('data', (bytes: Buffer) => this.#exchange?.requestData(bytes));
    stream.pause();
    let trailers: readonly Header[] = [];
    stream.on('trailers', (...[, , raw]: [unknown, unknown, string[]]) => {
      // As in heads, but nobody can be told any more.
      trailers = fromRaw(raw).headers.filter(([name]) => !name.includes('_'));
    });
    stream.on('end', () => {
      if (!stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR) this.#exchange?.requestEnd(trailers);
    });
  }

  informational(status: number, headers: readonly Header[]): void {
    if (!this.#isOpen || this.#hasHead) return;
    this.#stream.additionalHeaders({ ...fieldMap(headers), ':status': status });
  }

  head({ status, headers, framing }: AnswerHead): void {
    // A stream that the client has reset takes no answer, and respond() would end the process.
    if (!this.#isOpen || this.#hasHead) return;
    this.#endsWithHead = framing.type === 'none';
    const fields = [':status', String(status), ...rawOf(headers)];
    if (this.#endsWithHead) return this.#stream.respond(fields as never, END_STREAM);
    this.#waiting = { fields, pieces: [] };
    gathers(this);
  }

  /** Nothing tells yet that the answer is whole. */
  gathered(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (!waiting || !this.#isOpen) return;
    // Also where none can come: a stream that waits for them and is reset never said that it was whole.
    this.#try(() => {
      this.#stream.respond(waiting.fields as never, WITH_TRAILERS);
      for (const piece of waiting.pieces) this.data(piece);
    });
  }

  /** What node:http2 does not take is met when nobody is there who could hear of it: its client sees that the answer breaks off. */
  #try(act: () => void): void {
    try {
      act();
    } catch {
      this.abort();
    }
  }

  data(bytes: Buffer): boolean {
    if (!this.#isOpen) return true;
    if (this.#waiting) {
      this.#waiting.pieces.push(bytes);
      return true;
    }
    const hasRoom = this.#stream.write(bytes);
    if (!hasRoom && this.#stream.listenerCount('drain') === 0)
      this.#stream.once('drain', () => this.#exchange?.clientDrained());
    return hasRoom;
  }

  end(trailers: readonly Header[]): void {
    const stream = this.#stream;
    if (!this.#isOpen || this.#endsWithHead) return;
    const waiting = this.#waiting;
    if (waiting && trailers.length === 0) {
      // All of it is here: trailers would be a turn and a frame of their own.
      this.#waiting = undefined;
      stream.respond(waiting.fields as never, WHOLE);
      stream.end(waiting.pieces.length === 1 ? waiting.pieces[0] : Buffer.concat(waiting.pieces));
      return;
    }
    this.gathered();
    this.#hasTrailers = true;
    stream.once('wantTrailers', () => this.#try(() => stream.sendTrailers(fieldMap(trailers))));
    stream.end();
  }

  abort(): void {
    this.#waiting = undefined;
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  wantBody(wanted: boolean): void {
    if (wanted) this.#stream.resume();
    else this.#stream.pause();
  }

  done(): void {
    // What still comes of the request's body is nobody's: the stream ends, and the others of the connection go on.
    const stream = this.#stream;
    if (!this.#reads || stream.readableEnded || stream.destroyed) return;
    stream.resume();
    const close = (): void => void (stream.readableEnded || stream.close(constants.NGHTTP2_NO_ERROR));
    // A stream that is closed takes no trailers any more, and they go behind its end. Most clients close it themselves then.
    if (this.#hasTrailers) setTimeout(close, TRAILERS_MS).unref();
    else stream.once('finish', close);
  }

  release(): never {
    throw new Error('a stream of HTTP/2 is not switched to another protocol');
  }

  get #hasHead(): boolean {
    return this.#waiting !== undefined || this.#stream.headersSent;
  }

  get #isOpen(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed;
  }
}

/** @throws HttpError for what HTTP/1.1 has no like of, and for what HTTP/1.1 would be refused for too */
function incoming(raw: string[], ended: boolean, last: LastFields, security: Security): IncomingRequest {
  const { method, target } = lineOf(raw);
  if (method === 'CONNECT' || method === 'TRACE') throw new HttpError(405, `${method} does not pass the gateway`);
  if (!METHODS.has(method)) throw new HttpError(501, 'the method is not known here');
  if (!/^[\x21-\x7e]+$/.test(target)) throw badRequest('the path has bytes that no path has');
  const set = last.of(raw);
  checkDirected(set, security);
  const length = valueOf(set.headers, 'content-length');
  if (length !== undefined && !/^[0-9]{1,15}$/.test(length)) throw badRequest('content-length is no number of bytes');
  const framing = bodyOf(length, ended);
  const expects = framing.type !== 'none' && set.list('expect').includes('100-continue');
  return { method, target: checkedTarget(target), set, framing, expects };
}

function lineOf(raw: readonly string[]): { method: string; target: string } {
  let method = '';
  let target = '';
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] as string;
    if (name === ':method') method = raw[at + 1] as string;
    else if (name === ':path') target = raw[at + 1] as string;
    // They come before all others.
    else if (!name.startsWith(':')) break;
  }
  return { method, target };
}

const isOfLine = (name: string | undefined): boolean => name === ':method' || name === ':path';

/** The fields that one connection sent last. A client repeats them, and to compare them costs less than to read them. */
class LastFields {
  readonly #certificate: Uint8Array | undefined;
  readonly #texts: LastRead<HeaderSet>;
  #raw: readonly string[] = [];
  #set: HeaderSet | undefined;
  /** They came twice: what others send as well is shared by then. */
  #isRepeated = false;

  constructor(certificate: Uint8Array | undefined) {
    this.#certificate = certificate;
    this.#texts = lastHeaders(certificate);
  }

  /** What of these fields is none of the request line. @throws HttpError */
  of(raw: readonly string[]): HeaderSet {
    const isSame = this.#set !== undefined && isAlike(raw, this.#raw);
    if (isSame && this.#isRepeated) return this.#set as HeaderSet;
    // One text, since nghttp2 lets no NUL into any of it.
    let text = '';
    for (let at = 0; at + 1 < raw.length; at += 2)
      if (!isOfLine(raw[at])) text += `${raw[at] as string}\0${raw[at + 1] as string}\0`;
    const set = this.#texts.of(text, () => readFields(raw, this.#certificate));
    const isKept = text.length <= MAX_REMEMBERED_LENGTH;
    this.#raw = isKept ? raw : [];
    this.#set = isKept ? set : undefined;
    this.#isRepeated = isSame;
    return set;
  }
}

/** The same names in the same order, with the same values but for those of the request line. */
function isAlike(raw: readonly string[], other: readonly string[]): boolean {
  if (raw.length !== other.length) return false;
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at];
    if (name !== other[at] || (raw[at + 1] !== other[at + 1] && !isOfLine(name))) return false;
  }
  return true;
}

/** @throws HttpError */
function readFields(raw: readonly string[], certificate: Uint8Array | undefined): HeaderSet {
  const { pseudo, headers } = fromRaw(raw);
  const named = headers.filter(([name]) => name === 'host');
  const host = pseudo.get(':authority') ?? named[0]?.[1] ?? '';
  if (named.some(([, value]) => value !== host)) throw badRequest('the host header names another host than :authority');
  if (!isHost(host)) throw badRequest('the host is no host name');
  for (const [name, value] of headers) {
    if (name.includes('_')) throw badRequest('a header has `_` in its name, which some servers take for `-`');
    // nghttp2 takes Latin-1 and refuses control characters; CR and LF would be lines of HTTP/1.1.
    if (/[\0-\x08\x0a-\x1f\x7f]/.test(value)) throw badRequest('a header has a control character in it');
  }
  return new HeaderSet(host, headers, certificate);
}

function bodyOf(length: string | undefined, ended: boolean): IncomingRequest['framing'] {
  if (ended) return { type: 'none' };
  return length === undefined ? { type: 'chunked' } : { type: 'length', length: Number(length) };
}
