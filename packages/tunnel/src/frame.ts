/** Frames of the tunnel as bytes. Owns: the format and its bounds. Does not: what they mean (tunnel.ts). */
import { TunnelError } from './errors.js';

/** Type, length of the payload, stream. All numbers are big-endian; docs/tunnel.md shows the layout. Bytes. */
export const HEADER_BYTES = 8;
/** The longest payload of any frame. Bytes. */
export const MAX_PAYLOAD_BYTES = 64 * 1024;

export const FRAME = {
  hello: 1,
  open: 2,
  accept: 3,
  refuse: 4,
  data: 5,
  credit: 6,
  fin: 7,
  reset: 8,
  control: 9,
  ping: 10,
  pong: 11,
  goaway: 12,
} as const;
export type FrameName = keyof typeof FRAME;

interface FrameShape {
  readonly name: FrameName;
  /** Bytes of payload. */
  readonly least: number;
  readonly most: number;
  /** Whether it belongs to a stream; else its stream is 0. */
  readonly stream: boolean;
}

const shape = (name: FrameName, stream: boolean, least: number, most: number): FrameShape => ({
  name,
  stream,
  least,
  most,
});

/** What each type may look like. A type that is not here is of another version, and that was settled in the hello. */
const SHAPES: readonly (FrameShape | undefined)[] = (() => {
  const list: FrameShape[] = [
    shape('hello', false, 2, 4096),
    shape('open', true, 0, MAX_PAYLOAD_BYTES),
    shape('accept', true, 0, MAX_PAYLOAD_BYTES),
    shape('refuse', true, 2, 4096),
    shape('data', true, 1, MAX_PAYLOAD_BYTES),
    shape('credit', true, 4, 4),
    shape('fin', true, 0, 0),
    shape('reset', true, 2, 4096),
    shape('control', true, 0, MAX_PAYLOAD_BYTES),
    shape('ping', false, 8, 8),
    shape('pong', false, 8, 8),
    shape('goaway', false, 2, 4096),
  ];
  const table: (FrameShape | undefined)[] = [];
  for (const one of list) table[FRAME[one.name]] = one;
  return table;
})();

/** One frame. `payload` of several parts is sent as one. */
export function frame(name: FrameName, stream: number, payload: Uint8Array = EMPTY): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
  writeHeader(bytes, name, stream, payload.length);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

/** The header alone, for a payload of `length` bytes that follows in parts of its own. */
export function header(name: FrameName, stream: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES);
  writeHeader(bytes, name, stream, length);
  return bytes;
}

function writeHeader(bytes: Buffer, name: FrameName, stream: number, length: number): void {
  bytes.writeUInt32BE(FRAME[name] * 2 ** 24 + length, 0);
  bytes.writeUInt32BE(stream, 4);
}

const EMPTY = new Uint8Array(0);

/** What the decoder hands out. Both may throw a TunnelError, which `push` lets through. */
export interface FrameSink {
  /** Some bytes of a data frame, as soon as they are here: a view of what was pushed. */
  data(stream: number, bytes: Buffer): void;
  /** Any other frame, whole. */
  frame(name: Exclude<FrameName, 'data'>, stream: number, payload: Buffer): void;
}

/**
 * Frames out of bytes that may be cut anywhere. Data is passed on as it comes and never kept; of other frames at most one
 * is held until it is whole. A length that its type cannot have is refused before a byte of it is kept.
 */
export class FrameDecoder {
  readonly #sink: FrameSink;
  readonly #header = Buffer.allocUnsafe(HEADER_BYTES);
  #headerBytes = 0;
  #shape: FrameShape | undefined;
  #stream = 0;
  /** Bytes of the current payload that are still to come. */
  #left = 0;
  #parts: Buffer[] = [];

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** @throws TunnelError `protocol` on bytes that are no frame */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (!this.#shape) {
        at += this.#readHeader(chunk, at);
        if (!this.#shape || this.#left > 0) continue;
        this.#emit();
        continue;
      }
      const piece = chunk.subarray(at, at + this.#left);
      at += piece.length;
      this.#left -= piece.length;
      if (this.#shape.name === 'data') {
        const stream = this.#stream;
        if (this.#left === 0) this.#shape = undefined;
        this.#sink.data(stream, piece);
        continue;
      }
      // Views are kept only until the frame is whole; a part of it is copied, so that it does not keep a large chunk alive.
      if (this.#left > 0) this.#parts.push(Buffer.from(piece));
      else this.#emit(piece);
    }
  }

  #readHeader(chunk: Buffer, at: number): number {
    const size = Math.min(HEADER_BYTES - this.#headerBytes, chunk.length - at);
    chunk.copy(this.#header, this.#headerBytes, at, at + size);
    this.#headerBytes += size;
    if (this.#headerBytes < HEADER_BYTES) return size;
    this.#headerBytes = 0;
    const length = this.#header.readUIntBE(1, 3);
    const type = this.#header[0] as number;
    const shape = SHAPES[type];
    if (!shape) throw new TunnelError('protocol', `a frame of the unknown type ${type}`);
    this.#stream = this.#header.readUInt32BE(4);
    if (length < shape.least || length > shape.most)
      throw new TunnelError('protocol', `a ${shape.name} frame of ${length} bytes`);
    if (shape.stream !== this.#stream > 0)
      throw new TunnelError('protocol', `a ${shape.name} frame for stream ${this.#stream}`);
    this.#shape = shape;
    this.#left = length;
    return size;
  }

  #emit(last: Buffer = Buffer.alloc(0)): void {
    const { name } = this.#shape as FrameShape;
    const payload = this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last]);
    this.#parts = [];
    this.#shape = undefined;
    this.#sink.frame(name as Exclude<FrameName, 'data'>, this.#stream, payload);
  }
}
