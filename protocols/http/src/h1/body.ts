/**
 * Bodies of HTTP/1.1 messages (RFC 9112 sections 6 and 7): which framing a head announces, and reading each. Bytes in, spans of
 * them out: nothing is copied but lines that are cut. Does not: decode content codings (coding.ts).
 */
import type { Header } from '@sluice/contract';
import { remembered } from '@sluice/wire';
import { badRequest } from '../errors.js';
import { lower } from '../headers.js';
import { type RequestHead, type ResponseHead, readTrailers } from './head.js';

/** How a body ends. */
export type Framing =
  | { readonly type: 'none' }
  | { readonly type: 'length'; readonly length: number }
  | { readonly type: 'chunked' }
  /** When the connection does, in answers only. */
  | { readonly type: 'close' };

const NONE: Framing = { type: 'none' };

/** Takes what a body reader finds, during the call. */
export interface BodySink {
  data(bytes: Buffer): void;
  end(trailers: readonly Header[]): void;
}

export interface BodyReader {
  /**
   * Reads from `at` on and gives what it finds to the sink.
   *
   * @returns where it stopped, which is before the end of the chunk only when the body has ended
   * @throws HttpError for a body that breaks its framing
   */
  read(chunk: Buffer, at: number, sink: BodySink): number;
  /** The peer sends no more. Whether the body was whole. */
  ended(sink: BodySink): boolean;
}

export function bodyReader(framing: Framing): BodyReader | undefined {
  switch (framing.type) {
    case 'none':
      return undefined;
    case 'length':
      return framing.length === 0 ? undefined : new LengthReader(framing.length);
    case 'chunked':
      return new ChunkedReader();
    case 'close':
      return UNTIL_CLOSE;
    default:
      throw framing satisfies never;
  }
}

/** Digits of a length: enough for any file, and exact in a double. */
const LENGTH = /^[0-9]{1,15}$/;

/** The framing that the headers announce. @throws HttpError where two parsers could disagree */
function announced(headers: readonly Header[], minor: 0 | 1): Framing | undefined {
  let length: string | undefined;
  let coding: string | undefined;
  for (const [name, value] of headers) {
    const size = name.length;
    if (size === 14 && lower(name) === 'content-length') {
      if (length !== undefined) throw badRequest('there are two Content-Length headers');
      length = value;
    } else if (size === 17 && lower(name) === 'transfer-encoding') {
      if (coding !== undefined) throw badRequest('there are two Transfer-Encoding headers');
      coding = value;
    }
  }
  if (coding !== undefined) {
    if (length !== undefined) throw badRequest('there are Content-Length and Transfer-Encoding in one message');
    if (minor === 0) throw badRequest('HTTP/1.0 has no Transfer-Encoding');
    if (coding.toLowerCase() !== 'chunked') throw badRequest('Transfer-Encoding is not `chunked`');
    return { type: 'chunked' };
  }
  if (length === undefined) return undefined;
  if (!LENGTH.test(length)) throw badRequest('Content-Length is no number of bytes');
  return { type: 'length', length: Number(length) };
}

/** How the body of a request ends. @throws HttpError */
export function requestFraming({ headers, minor }: Pick<RequestHead, 'headers' | 'minor'>): Framing {
  return announced(headers, minor) ?? NONE;
}

/**
 * How the body of an answer ends (RFC 9112 section 6.3). Those to HEAD, 1xx, 204 and 304 have none, whatever they announce.
 *
 * @throws HttpError
 */
export function responseFraming(head: ResponseHead, method: string): Framing {
  const framing = framingOf(head);
  const { status } = head;
  return method === 'HEAD' || status < 200 || status === 204 || status === 304 ? NONE : framing;
}

const UNTIL_END: Framing = { type: 'close' };
const framingOf = remembered(({ headers, minor }: ResponseHead) => announced(headers, minor) ?? UNTIL_END);

class LengthReader implements BodyReader {
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  read(chunk: Buffer, at: number, sink: BodySink): number {
    const end = Math.min(chunk.length, at + this.#left);
    if (end > at) {
      this.#left -= end - at;
      sink.data(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end));
    }
    if (this.#left === 0) sink.end([]);
    return end;
  }

  ended(): boolean {
    return false;
  }
}

const UNTIL_CLOSE: BodyReader = {
  read(chunk, at, sink) {
    if (chunk.length > at) sink.data(chunk.subarray(at));
    return chunk.length;
  },
  ended(sink) {
    sink.end([]);
    return true;
  },
};

/** Bytes of a line with a chunk's size and extensions. */
const MAX_SIZE_LINE_BYTES = 4 * 1024;
/** Bytes of all extensions of one body, which nobody needs and which cost as much as data. */
const MAX_EXTENSION_BYTES = 16 * 1024;
/** Bytes of all trailers. */
const MAX_TRAILER_BYTES = 16 * 1024;
/** `;name`, `;name=value` and `;name="value"`, without blanks (RFC 9112 section 7.1.1). */
const SIZE_LINE =
  /^([0-9A-Fa-f]{1,12})((?:;[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:=(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+|"[\x20\x21\x23-\x5b\x5d-\x7e]*"))?)*)$/;

/** Chunks of RFC 9112 section 7.1. Extensions are read over and do not go on. */
class ChunkedReader implements BodyReader {
  #state: 'size' | 'data' | 'after' | 'trailers' | 'done' = 'size';
  /** Bytes of the chunk that are still to come. */
  #left = 0;
  /** A line, or the trailers, as far as they have come. */
  #kept: Buffer = EMPTY;
  #extensions = 0;

  read(chunk: Buffer, at: number, sink: BodySink): number {
    let next = at;
    while (next < chunk.length && this.#state !== 'done') {
      if (this.#state === 'data') next = this.#data(chunk, next, sink);
      else next = this.#line(chunk, next, sink);
    }
    return next;
  }

  ended(): boolean {
    return false;
  }

  #data(chunk: Buffer, at: number, sink: BodySink): number {
    const end = Math.min(chunk.length, at + this.#left);
    this.#left -= end - at;
    sink.data(chunk.subarray(at, end));
    if (this.#left === 0) this.#state = 'after';
    return end;
  }

  /** Reads to the end of the line and acts on it. */
  #line(chunk: Buffer, at: number, sink: BodySink): number {
    const feed = chunk.indexOf(10, at);
    const end = feed < 0 ? chunk.length : feed + 1;
    const size = this.#kept.length + end - at;
    if (size > (this.#state === 'trailers' ? MAX_TRAILER_BYTES : MAX_SIZE_LINE_BYTES))
      throw badRequest('a line of the chunked body is too long');
    const piece = chunk.subarray(at, end);
    const line = this.#kept.length > 0 ? Buffer.concat([this.#kept, piece]) : piece;
    if (feed < 0) {
      this.#kept = Buffer.from(line);
      return end;
    }
    if (line.length < 2 || line[line.length - 2] !== 13) throw badRequest('a line of the chunked body ends without CR');
    this.#kept = EMPTY;
    this.#act(line, sink);
    return end;
  }

  #act(line: Buffer, sink: BodySink): void {
    switch (this.#state) {
      case 'after':
        if (line.length !== 2) throw badRequest('a chunk is longer than it says');
        this.#state = 'size';
        return;
      case 'size':
        return this.#size(line.toString('latin1', 0, line.length - 2));
      default:
        return this.#trailers(line, sink);
    }
  }

  #size(line: string): void {
    const read = SIZE_LINE.exec(line);
    if (!read) throw badRequest('the size of a chunk is no hexadecimal number');
    this.#extensions += (read[2] as string).length;
    if (this.#extensions > MAX_EXTENSION_BYTES) throw badRequest('the chunked body has too many extensions');
    this.#left = Number.parseInt(read[1] as string, 16);
    this.#state = this.#left === 0 ? 'trailers' : 'data';
  }

  /** Trailers are kept until their empty line: they are few, and read like a head. */
  #trailers(line: Buffer, sink: BodySink): void {
    const whole = line.length === 2 || (line.length >= 4 && line.subarray(-4).equals(END_OF_LINES));
    if (!whole) {
      this.#kept = Buffer.from(line);
      return;
    }
    this.#state = 'done';
    const trailers = readTrailers(line);
    for (const [name] of trailers)
      if (FRAMING.test(name)) throw badRequest('the trailers have a header that frames the message');
    sink.end(trailers);
  }
}

const EMPTY = Buffer.alloc(0);
const END_OF_LINES = Buffer.from('\r\n\r\n');
const FRAMING = /^(content-length|transfer-encoding)$/i;

/** The line before a chunk of so many bytes. */
export const chunkLine = (size: number): string => `${size.toString(16)}\r\n`;

/** What ends a chunked body. */
export function lastChunk(trailers: readonly Header[]): string {
  let text = '0\r\n';
  for (const [name, value] of trailers) text += `${name}: ${value}\r\n`;
  return `${text}\r\n`;
}
