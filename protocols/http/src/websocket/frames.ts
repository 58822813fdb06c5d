/**
 * Frames of WebSocket (RFC 6455 section 5), one direction of them. Owns: reading frames cut anywhere, the order that they may come
 * in, and writing the few that are our own. Does not: put messages together, or know extensions: none is negotiated.
 */
import { randomBytes } from 'node:crypto';

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

const MAX_CONTROL_BYTES = 125;
const MAX_HEADER_BYTES = 14;

/** A peer that breaks the protocol. The connection ends with this code. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
  readonly code = 1002;
}

export interface FrameSink {
  /** A frame begins. `bytes`: its header as it came. */
  header(bytes: Buffer): void;
  /** Payload, unmasked, and as it came. Views or copies: valid during the call. */
  payload(bytes: Buffer, control: boolean, raw: Buffer): void;
  /** The frame is whole. `last`: so is its message. */
  end(opcode: number, last: boolean): void;
}

/** Reads one direction. `masked`: the peer has to mask, which clients do and servers do not. */
export class FrameReader {
  readonly #masked: boolean;
  readonly #header = Buffer.alloc(MAX_HEADER_BYTES);
  #have = 0;
  #left = 0;
  #opcode = 0;
  #final = true;
  #inFrame = false;
  /** A message has begun and has not ended. */
  #inMessage = false;
  #closed = false;
  readonly #key = Buffer.alloc(4);
  #keyAt = 0;

  constructor(masked: boolean) {
    this.#masked = masked;
  }

  /** Nothing of a frame has come that is not whole: one of our own may come in between. */
  get atBoundary(): boolean {
    return !this.#inFrame && this.#have === 0;
  }

  /** The peer has sent its close frame. */
  get closed(): boolean {
    return this.#closed;
  }

  /** @throws FrameError */
  read(chunk: Buffer, sink: FrameSink): void {
    let at = 0;
    while (at < chunk.length) at = this.#inFrame ? this.#payload(chunk, at, sink) : this.#head(chunk, at, sink);
  }

  #head(chunk: Buffer, at: number, sink: FrameSink): number {
    if (this.#closed) throw new FrameError('there are bytes behind the close frame');
    let next = at;
    for (;;) {
      const needed = this.#headerBytes;
      if (this.#have === needed) break;
      if (next === chunk.length) return next;
      const end = Math.min(chunk.length, next + needed - this.#have);
      while (next < end) this.#header[this.#have++] = chunk[next++] as number;
      if (this.#have === 2) this.#checkStart();
    }
    this.#begin(sink);
    return next;
  }

  /** How long the header is, by what there is of it. */
  get #headerBytes(): number {
    if (this.#have < 2) return 2;
    const short = (this.#header[1] as number) & 0x7f;
    const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
    return 2 + extended + (this.#masked ? 4 : 0);
  }

  #begin(sink: FrameSink): void {
    const header = this.#header;
    const size = this.#have;
    this.#left = this.#length();
    if (this.#masked) for (let n = 0; n < 4; n++) this.#key[n] = header[size - 4 + n] as number;
    this.#keyAt = 0;
    this.#have = 0;
    this.#inFrame = true;
    sink.header(header.subarray(0, size));
    if (this.#left === 0) this.#end(sink);
  }

  /** All that two bytes tell, before anything behind them passes. */
  #checkStart(): void {
    const [first = 0, second = 0] = this.#header;
    if ((first & 0x70) !== 0) throw new FrameError('a frame uses an extension, and none was agreed on');
    if (((second & 0x80) !== 0) !== this.#masked)
      throw new FrameError(this.#masked ? 'a frame is not masked' : 'a frame is masked');
    this.#opcode = first & 0x0f;
    this.#final = (first & 0x80) !== 0;
    this.#checkOrder(second & 0x7f);
  }

  #length(): number {
    const short = (this.#header[1] as number) & 0x7f;
    if (short < 126) return short;
    if (short === 126) return this.#header.readUInt16BE(2);
    const length = this.#header.readBigUInt64BE(2);
    if (length > BigInt(Number.MAX_SAFE_INTEGER)) throw new FrameError('a frame is longer than there can be bytes');
    return Number(length);
  }

  #checkOrder(length: number): void {
    switch (this.#opcode) {
      case OPCODE.continuation:
        if (!this.#inMessage) throw new FrameError('a message goes on that never began');
        break;
      case OPCODE.text:
      case OPCODE.binary:
        if (this.#inMessage) throw new FrameError('a message begins inside another one');
        break;
      case OPCODE.close:
      case OPCODE.ping:
      case OPCODE.pong:
        if (!this.#final || length > MAX_CONTROL_BYTES)
          throw new FrameError('a control frame is too long or cut in pieces');
        return;
      default:
        throw new FrameError('a frame has an opcode that is not known');
    }
    this.#inMessage = !this.#final;
  }

  #payload(chunk: Buffer, at: number, sink: FrameSink): number {
    const end = Math.min(chunk.length, at + this.#left);
    this.#left -= end - at;
    const bytes = at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end);
    sink.payload(this.#masked ? this.#unmask(bytes) : bytes, this.#opcode >= OPCODE.close, bytes);
    if (this.#left === 0) this.#end(sink);
    return end;
  }

  /** Valid until the next call, of any reader. */
  #unmask(bytes: Buffer): Buffer {
    const clear = bytes.length <= CLEAR_BYTES ? clearBytes.subarray(0, bytes.length) : Buffer.allocUnsafe(bytes.length);
    bytes.copy(clear);
    xor(clear, this.#key, this.#keyAt);
    this.#keyAt = (this.#keyAt + bytes.length) & 3;
    return clear;
  }

  #end(sink: FrameSink): void {
    this.#inFrame = false;
    if (this.#opcode === OPCODE.close) this.#closed = true;
    sink.end(this.#opcode, this.#final);
  }
}

/** As much as comes in one read. */
const CLEAR_BYTES = 64 * 1024;
/** What is looked at during one call: nothing is allocated for a payload that nobody keeps. */
const clearBytes = Buffer.allocUnsafeSlow(CLEAR_BYTES);

/** A key from where it is at, and the same as one number. */
const turned = new Uint8Array(4);
const turnedWord = new Int32Array(turned.buffer);

/** Puts a mask on, or takes it off, in place; `at`: where in the key it begins. Four bytes at a time, where they lie so. */
function xor(bytes: Buffer, key: Buffer, at: number): void {
  const { length, byteOffset, buffer } = bytes;
  let n = 0;
  for (; n < length && ((byteOffset + n) & 3) !== 0; n++)
    bytes[n] = (bytes[n] as number) ^ (key[(at + n) & 3] as number);
  const words = (length - n) >> 2;
  if (words > 0) {
    const four = new Int32Array(buffer, byteOffset + n, words);
    // In the order of bytes that the machine has.
    for (let one = 0; one < 4; one++) turned[one] = key[(at + n + one) & 3] as number;
    const mask = turnedWord[0] as number;
    for (let one = 0; one < words; one++) four[one] = (four[one] as number) ^ mask;
    n += words * 4;
  }
  for (; n < length; n++) bytes[n] = (bytes[n] as number) ^ (key[(at + n) & 3] as number);
}

/** A whole message in one frame. `masked`: for a server. */
export function messageFrame(kind: 'text' | 'binary', payload: Buffer, masked: boolean): Buffer {
  const { length } = payload;
  const extended = length < 126 ? 0 : length < 0x10000 ? 2 : 8;
  const head = Buffer.alloc(2 + extended + (masked ? 4 : 0));
  head[0] = 0x80 | OPCODE[kind];
  head[1] = (masked ? 0x80 : 0) | (extended === 0 ? length : extended === 2 ? 126 : 127);
  if (extended === 2) head.writeUInt16BE(length, 2);
  if (extended === 8) head.writeBigUInt64BE(BigInt(length), 2);
  const frame = Buffer.concat([head, payload]);
  if (!masked) return frame;
  const key = randomBytes(4);
  key.copy(frame, 2 + extended);
  xor(frame.subarray(head.length), key, 0);
  return frame;
}

/** What such a frame has room for, not cut in the middle of a character. */
function cutToControl(text: Buffer): Buffer {
  if (text.length <= MAX_CONTROL_BYTES) return text;
  let cut = text.subarray(0, MAX_CONTROL_BYTES);
  while (cut.length > 0 && cut.toString().endsWith('\ufffd')) cut = cut.subarray(0, -1);
  return cut;
}

/** A frame of control, of a server. */
export function controlFrame(opcode: number, payload: Buffer): Buffer {
  const said = cutToControl(payload);
  return Buffer.concat([Buffer.from([0x80 | opcode, said.length]), said]);
}

/** A close frame of our own. `masked`: for a server. The reason is cut to what a control frame holds. */
export function closeFrame(code: number, reason: string, masked: boolean): Buffer {
  let text = Buffer.from(reason).subarray(0, MAX_CONTROL_BYTES - 2);
  // Not in the middle of a character.
  while (text.length > 0 && text.toString().endsWith('\ufffd')) text = text.subarray(0, -1);
  const payload = Buffer.alloc(2 + text.length);
  payload.writeUInt16BE(code);
  text.copy(payload, 2);
  const head = Buffer.from([0x80 | OPCODE.close, (masked ? 0x80 : 0) | payload.length]);
  if (!masked) return Buffer.concat([head, payload]);
  const key = randomBytes(4);
  xor(payload, key, 0);
  return Buffer.concat([head, key, payload]);
}
