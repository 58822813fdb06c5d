/**
 * Content codings (RFC 9110 section 8.4) on node:zlib, bounded. Owns: which are known, that a small body cannot become a huge one,
 * and that what was decoded was all there is. Does not: encode; what is looked at goes on in the clear.
 */
import type { Transform } from 'node:stream';
import {
  brotliDecompressSync,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createInflateRaw,
  createZstdDecompress,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from 'node:zlib';
import type { Header } from '@sluice/contract';
import { HttpError } from './errors.js';
import { listOf } from './headers.js';

export type Coding = 'gzip' | 'deflate' | 'br' | 'zstd';

const NAMES: Readonly<Record<string, Coding>> = {
  gzip: 'gzip',
  'x-gzip': 'gzip',
  deflate: 'deflate',
  br: 'br',
  zstd: 'zstd',
};

/** From this many bytes on a body may be so many times as long as what came. Ordinary logs and tables reach a fifth of it. */
const UNBOUNDED_BYTES = 1024 * 1024;
const MAX_RATIO = 500;

/**
 * The coding of a body; undefined: none.
 *
 * @throws HttpError (415) for one that is not known, and for several on top of each other
 */
export function codingOf(headers: readonly Header[]): Coding | undefined {
  const names = listOf(headers, 'content-encoding').filter((name) => name !== 'identity');
  if (names.length === 0) return undefined;
  const coding = names.length === 1 ? NAMES[names[0] as string] : undefined;
  if (!coding)
    throw new HttpError(415, 'the body has a content coding that is not read here: gzip, deflate, br and zstd are');
  return coding;
}

interface Decoded {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}
type DecodeSync = (bytes: Uint8Array, options: { info: true; maxOutputLength: number }) => unknown;

const AT_ONCE: Readonly<Record<Coding, DecodeSync>> = {
  gzip: gunzipSync as DecodeSync,
  deflate: ((bytes, options) =>
    (isZlib(bytes) ? (inflateSync as DecodeSync) : (inflateRawSync as DecodeSync))(
      bytes,
      options,
    )) satisfies DecodeSync,
  br: brotliDecompressSync as DecodeSync,
  zstd: zstdDecompressSync as DecodeSync,
};

const TOLD_BYTES = 2;

/** `deflate` is zlib's format (RFC 1950) by the letter, and raw for some. The first two bytes tell. */
const isZlib = (bytes: Uint8Array): boolean =>
  ((bytes[0] ?? 0) & 0x0f) === 8 && (((bytes[0] ?? 0) << 8) + (bytes[1] ?? 0)) % 31 === 0;

/**
 * Decodes a body that is here as a whole.
 *
 * @param limit bytes of what comes out
 * @throws HttpError when it is broken (400), longer (413), or has bytes behind its end, which another decoder might read
 */
export function decodeWhole(coding: Coding, bytes: Buffer, limit: number): Buffer {
  let decoded: Decoded;
  try {
    decoded = AT_ONCE[coding](bytes, { info: true, maxOutputLength: limit }) as Decoded;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new HttpError(413, `the body is longer than ${limit} bytes once it is decoded`);
    throw new HttpError(400, `the body is no ${coding}`);
  }
  if (decoded.engine.bytesWritten !== bytes.length)
    throw new HttpError(400, `the body has bytes behind the end of its ${coding}`);
  return decoded.buffer;
}

export interface DecoderSink {
  data(bytes: Buffer): void;
  end(): void;
  /** Nothing more comes. */
  failed(message: string): void;
  /** `push` said that there is no room; now there is. */
  room(): void;
}

/** Decodes a body as it passes. What each flush of the encoder ended comes out at once. */
export class Decoder {
  readonly #coding: Coding;
  readonly #sink: DecoderSink;
  #stream: Transform | undefined;
  /** The first byte of several, by which nothing can be told yet. */
  #first: Buffer | undefined;
  #in = 0;
  #out = 0;
  #over = false;

  constructor(coding: Coding, sink: DecoderSink) {
    this.#coding = coding;
    this.#sink = sink;
  }

  /** @returns whether there is room for more */
  push(bytes: Buffer): boolean {
    if (this.#over || bytes.length === 0) return true;
    this.#in += bytes.length;
    if (this.#stream) return this.#stream.write(bytes);
    const began = this.#first ? Buffer.concat([this.#first, bytes]) : Buffer.from(bytes);
    this.#first = began.length < TOLD_BYTES ? began : undefined;
    return this.#first !== undefined || (this.#stream = this.#open(began)).write(began);
  }

  end(): void {
    if (this.#over) return;
    if (this.#first) (this.#stream = this.#open(this.#first)).write(this.#first);
    // A body of no bytes at all is an empty one, as clients read it.
    if (this.#stream) this.#stream.end();
    else this.#finish(() => this.#sink.end());
  }

  /** What was pushed is taken: else the sink is told by `room`. */
  get hasRoom(): boolean {
    return this.#stream?.writableNeedDrain !== true;
  }

  /** Whether the sink has room. */
  want(wanted: boolean): void {
    if (wanted) this.#stream?.resume();
    else this.#stream?.pause();
  }

  stop(): void {
    this.#over = true;
    this.#stream?.destroy();
  }

  #open(first: Buffer): Transform {
    const stream = this.#make(first);
    stream.on('data', (bytes: Buffer) => {
      if (this.#over) return;
      this.#out += bytes.length;
      // By what it was made of: more of it may be here than has been decoded.
      if (this.#out > UNBOUNDED_BYTES && this.#out > consumedBy(stream) * MAX_RATIO)
        return this.#fail('it becomes far longer than it is when it is decoded');
      this.#sink.data(bytes);
    });
    stream.on('drain', () => this.#over || this.#sink.room());
    stream.on('error', () => this.#fail(`it is no ${this.#coding}`));
    stream.on('end', () => {
      if (consumedBy(stream) !== this.#in) return this.#fail(`it has bytes behind the end of its ${this.#coding}`);
      this.#finish(() => this.#sink.end());
    });
    return stream;
  }

  #make(first: Buffer): Transform {
    switch (this.#coding) {
      case 'gzip':
        return createGunzip();
      case 'deflate':
        return isZlib(first) ? createInflate() : createInflateRaw();
      case 'br':
        return createBrotliDecompress();
      case 'zstd':
        return createZstdDecompress();
      default:
        throw this.#coding satisfies never;
    }
  }

  #fail(message: string): void {
    this.#finish(() => this.#sink.failed(message));
  }

  #finish(tell: () => void): void {
    if (this.#over) return;
    this.stop();
    tell();
  }
}

/** What came, as far as it is decoded, in bytes. */
const consumedBy = (stream: Transform): number => (stream as unknown as { readonly bytesWritten: number }).bytesWritten;
