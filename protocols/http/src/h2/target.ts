/**
 * A target that is spoken to by HTTP/2 (`http2: true`), for gRPC above all: one session, a stream for each request. It stands
 * on node:http2, over the stream that the gate dialled, which has no handle that could be written to past the journal. Does not:
 * know gRPC.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Header, HttpTarget } from '@sluice/contract';
import type { Framing } from '../h1/body.js';
import { passableTrailers, valueOf } from '../headers.js';
import type { AnswerEvents, OutgoingRequest, TargetSide } from '../ports.js';
import { phraseOf } from '../status.js';
import { type FieldMap, fieldMap, fromRaw } from './fields.js';

/** How long the target may take to agree on HTTP/2, in milliseconds. */
const SETTINGS_MS = 10_000;

const OPTIONS = { settings: { enablePush: false }, maxSessionMemory: 32, strictSingleValueFields: false };

export class Http2Target {
  readonly #session: ClientHttp2Session;
  #gone = false;

  private constructor(session: ClientHttp2Session) {
    this.#session = session;
    session.on('goaway', () => {
      this.#gone = true;
    });
    session.on('close', () => {
      this.#gone = true;
    });
  }

  /** Rejects when the target does not speak HTTP/2. */
  static async over(stream: Duplex, target: HttpTarget): Promise<Http2Target> {
    const session = connect(`${target.scheme}://${target.authority}`, { ...OPTIONS, createConnection: () => stream });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error('the target did not answer by HTTP/2')), SETTINGS_MS);
    session.once('remoteSettings', () => resolve());
    session.on('error', reject);
    session.once('close', () => reject(new Error('the target closed the connection')));
    try {
      await promise;
    } catch (error) {
      session.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
    return new Http2Target(session);
  }

  get usable(): boolean {
    return !this.#gone && !this.#session.destroyed && !this.#session.closed;
  }

  /** For one request. */
  open(): TargetSide {
    return new Http2Request(this.#session);
  }

  close(): void {
    this.#session.destroy();
  }
}

class Http2Request implements TargetSide {
  readonly reused = true;
  readonly #session: ClientHttp2Session;
  #stream: ClientHttp2Stream | undefined;
  #events: AnswerEvents | undefined;
  #method = '';
  #began = false;
  #trailers: readonly Header[] = [];

  constructor(session: ClientHttp2Session) {
    this.#session = session;
  }

  request(request: OutgoingRequest, events: AnswerEvents): void {
    this.#events = events;
    this.#method = request.method;
    const fields: FieldMap = {
      ...fieldMap(request.headers),
      ':method': request.method,
      ':scheme': request.scheme,
      ':authority': request.authority,
      ':path': request.target,
    };
    let stream: ClientHttp2Stream;
    try {
      stream = this.#session.request(fields, { endStream: request.framing.type === 'none', waitForTrailers: true });
    } catch (error) {
      queueMicrotask(() => this.#fail(`the target's connection took no request: ${(error as Error).message}`));
      return;
    }
    this.#stream = stream;
    stream.on('headers', (_fields, _flags, raw) => {
      const { status, headers } = fromRaw(raw as unknown as string[]);
      if (status !== 101) this.#events?.informational(status, headers);
    });
    // Data is listened for only now: it may come in the same read, and must not be seen before its head.
    stream.on('response', (_fields, flags, raw) => this.#answer(raw as unknown as string[], flags));
    stream.on('trailers', (_fields, _flags, raw) => {
      this.#trailers = passableTrailers(fromRaw(raw as unknown as string[]).headers);
    });
    stream.on('drain', () => this.#events?.targetDrained());
    stream.on('error', () => undefined);
    stream.on('close', () => this.#fail(inWords(stream.rstCode)));
  }

  data(bytes: Buffer): boolean {
    return this.#stream?.write(bytes) ?? true;
  }

  end(trailers: readonly Header[]): void {
    const stream = this.#stream;
    if (!stream || stream.destroyed) return;
    stream.once('wantTrailers', () => {
      // Without any it is an empty DATA frame that ends the stream; `close` would reset it.
      try {
        stream.sendTrailers(fieldMap(trailers));
      } catch {
        // Nobody is there who could hear what node:http2 does not take.
        stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      }
    });
    stream.end();
  }

  wantAnswer(wanted: boolean): void {
    if (wanted) this.#stream?.resume();
    else this.#stream?.pause();
  }

  abort(): void {
    this.#events = undefined;
    this.#stream?.close(constants.NGHTTP2_CANCEL);
  }

  #answer(raw: string[], flags: number): void {
    const stream = this.#stream as ClientHttp2Stream;
    this.#began = true;
    const { status, headers } = fromRaw(raw);
    const over = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    const framing = over || this.#isSilent(status) ? NONE : framingOf(headers);
    this.#events?.answer({ status, reason: phraseOf(status), headers, framing });
    // Bytes behind an answer that has none are nobody's.
    stream.on('data', (bytes: Buffer) => framing.type !== 'none' && this.#events?.answerData(bytes));
    stream.on('end', () => {
      // A stream that was reset has an end as well.
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) return;
      const events = this.#events;
      this.#events = undefined;
      events?.answerEnd(this.#trailers);
    });
  }

  /** It has no body, whatever comes (RFC 9110 section 6.4.1). */
  #isSilent(status: number): boolean {
    return this.#method === 'HEAD' || status === 204 || status === 304;
  }

  #fail(message: string): void {
    const events = this.#events;
    this.#events = undefined;
    events?.targetFailed(message, this.#began);
  }
}

const NONE: Framing = { type: 'none' };

/** nghttp2 holds the length against the bytes. */
function framingOf(headers: readonly Header[]): Framing {
  const length = valueOf(headers, 'content-length');
  return length === undefined ? { type: 'chunked' } : { type: 'length', length: Number(length) };
}

const inWords = (code: number): string =>
  code === constants.NGHTTP2_NO_ERROR
    ? 'the target ended the stream before its answer was whole'
    : `the target reset the stream (HTTP/2 error ${code})`;
