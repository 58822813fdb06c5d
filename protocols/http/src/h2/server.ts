/**
 * A client's connection by HTTP/2, on the stream API of node:http2: each stream is an exchange. Owns: its limits, and what a
 * stream is as the client's side of an exchange. Does not: read frames, which nghttp2 does.
 */
import { type ServerHttp2Session, type ServerHttp2Stream, constants, performServerHandshake } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Header } from '@sluice/contract';
import { HttpError, badRequest } from '../errors.js';
import { Exchange, type RequestSource } from '../exchange.js';
import { METHODS, checkedTarget, isHost } from '../h1/head.js';
import { listOf } from '../headers.js';
import type { AnswerHead, ClientSide, IncomingRequest } from '../ports.js';
import { capital, refuse } from '../refusal.js';
import { type Security, checkDirected } from '../security.js';
import { fieldMap, fromRaw, toRaw } from './fields.js';

/** How long a connection without a stream stays open, in milliseconds. */
const IDLE_MS = 75_000;
const MAX_STREAMS = 100;

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
  session.on('error', () => undefined);
  session.on('stream', (one, _fields, flags, raw) => {
    one.on('error', () => undefined);
    new StreamSide(one, security).start(
      listener,
      raw as unknown as string[],
      (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0,
    );
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

class StreamSide implements ClientSide {
  readonly version = '2';
  readonly secure: boolean;
  readonly certificate: Uint8Array | undefined;
  readonly #stream: ServerHttp2Stream;
  readonly #security: Security;
  #endsWithHead = false;

  constructor(stream: ServerHttp2Stream, security: Security) {
    this.#stream = stream;
    this.#security = security;
    this.secure = security.secure;
    this.certificate = security.certificate;
  }

  start(listener: RequestSource, raw: string[], ended: boolean): void {
    const stream = this.#stream;
    let request: IncomingRequest;
    try {
      request = incoming(raw, ended, this.#security);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      const none = {
        method: 'GET',
        target: '/',
        host: '',
        headers: [],
        framing: { type: 'none' },
        expects: false,
      } as const;
      return refuse(this, none, { status: error.status, code: 'bad-request', message: capital(error.message) });
    }
    const exchange = new Exchange(listener, this, request);
    stream.on('data', (bytes: Buffer) => exchange.requestData(bytes));
    stream.pause();
    let trailers: readonly Header[] = [];
    stream.on('trailers', (...[, , rawTrailers]: [unknown, unknown, string[]]) => {
      // As in heads, but nobody can be told any more.
      trailers = fromRaw(rawTrailers).headers.filter(([name]) => !name.includes('_'));
    });
    stream.on('end', () => {
      if (!stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR) exchange.requestEnd(trailers);
    });
    stream.on('drain', () => exchange.clientDrained());
    stream.on('close', () => exchange.clientGone());
    exchange.start();
  }

  informational(status: number, headers: readonly Header[]): void {
    if (!this.#isOpen || this.#stream.headersSent) return;
    this.#stream.additionalHeaders({ ...fieldMap(headers), ':status': status });
  }

  head({ status, headers, framing }: AnswerHead): void {
    // A stream that the client has reset takes no answer, and respond() would end the process.
    if (!this.#isOpen || this.#stream.headersSent) return;
    this.#endsWithHead = framing.type === 'none';
    const fields = [':status', String(status), ...toRaw(headers)];
    this.#stream.respond(fields as never, { endStream: this.#endsWithHead, waitForTrailers: !this.#endsWithHead });
  }

  data(bytes: Buffer): boolean {
    return this.#isOpen ? this.#stream.write(bytes) : true;
  }

  end(trailers: readonly Header[]): void {
    const stream = this.#stream;
    if (!this.#isOpen || this.#endsWithHead) return;
    stream.once('wantTrailers', () => stream.sendTrailers(fieldMap(trailers)));
    stream.end();
  }

  abort(): void {
    this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  wantBody(wanted: boolean): void {
    if (wanted) this.#stream.resume();
    else this.#stream.pause();
  }

  done(): void {
    // What still comes of the request's body is nobody's: the stream ends, and the others of the connection go on.
    const stream = this.#stream;
    if (stream.readableEnded || stream.destroyed) return;
    stream.resume();
    stream.once('finish', () => stream.readableEnded || stream.close(constants.NGHTTP2_NO_ERROR));
  }

  release(): never {
    throw new Error('a stream of HTTP/2 is not switched to another protocol');
  }

  get #isOpen(): boolean {
    return !this.#stream.destroyed && !this.#stream.closed;
  }
}

/** @throws HttpError for what HTTP/1.1 has no like of, and for what HTTP/1.1 would be refused for too */
function incoming(raw: string[], ended: boolean, security: Security): IncomingRequest {
  const { pseudo, headers } = fromRaw(raw);
  const method = pseudo.get(':method') ?? '';
  if (method === 'CONNECT' || method === 'TRACE') throw new HttpError(405, `${method} does not pass the gateway`);
  if (!METHODS.has(method)) throw new HttpError(501, 'the method is not known here');
  const target = pseudo.get(':path') ?? '';
  if (!/^[\x21-\x7e]+$/.test(target)) throw badRequest('the path has bytes that no path has');
  const named = headers.filter(([name]) => name === 'host');
  const host = pseudo.get(':authority') ?? named[0]?.[1] ?? '';
  if (named.some(([, value]) => value !== host)) throw badRequest('the host header names another host than :authority');
  if (!isHost(host)) throw badRequest('the host is no host name');
  checkDirected(host, security);
  for (const [name, value] of headers) {
    if (name.includes('_')) throw badRequest('a header has `_` in its name, which some servers take for `-`');
    // nghttp2 takes Latin-1 and refuses control characters; CR and LF would be lines of HTTP/1.1.
    if (/[\0-\x08\x0a-\x1f\x7f]/.test(value)) throw badRequest('a header has a control character in it');
  }
  const length = headers.find(([name]) => name === 'content-length')?.[1];
  if (length !== undefined && !/^[0-9]{1,15}$/.test(length)) throw badRequest('content-length is no number of bytes');
  const framing = bodyOf(length, ended);
  const expects = framing.type !== 'none' && listOf(headers, 'expect').includes('100-continue');
  return { method, target: checkedTarget(target), host, headers, framing, expects };
}

function bodyOf(length: string | undefined, ended: boolean): IncomingRequest['framing'] {
  if (ended) return { type: 'none' };
  return length === undefined ? { type: 'chunked' } : { type: 'length', length: Number(length) };
}
