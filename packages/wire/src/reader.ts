/** A cursor over one complete message. Owns: that no read goes past its end. Pure. */
import { isUtf8 } from 'node:buffer';
import { malformed } from './errors.js';

/** A cursor over one complete message. Every read checks the end, so a decoder cannot run past a lying length. */
export class Reader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.#at;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  /** Signed, big-endian. */
  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2));
  }

  /** Signed, big-endian. */
  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  /** A view of the next `size` bytes, not a copy. */
  bytes(size: number): Buffer {
    const start = this.#take(size);
    return this.#bytes.subarray(start, start + size);
  }

  rest(): Buffer {
    return this.bytes(this.left);
  }

  /** A NUL-terminated text. Only valid UTF-8 is a text: a replaced byte would make two commands look like one. */
  cstring(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0 || end >= this.#end) throw malformed('a text field does not end before its message does');
    const start = this.#take(end + 1 - this.#at);
    if (end - start > 0 && !isUtf8(this.#bytes.subarray(start, end)))
      throw malformed('a text field is not valid UTF-8');
    return this.#bytes.toString('utf8', start, end);
  }

  /** A view of the bytes of a text of any encoding, without the zero byte that ends it. */
  zeroTerminated(): Buffer {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0 || end >= this.#end) throw malformed('a text field does not end before its message does');
    const start = this.#take(end + 1 - this.#at);
    return this.#bytes.subarray(start, end);
  }

  #take(size: number): number {
    const start = this.#at;
    if (size < 0 || start + size > this.#end) throw malformed('a field is longer than its message');
    this.#at += size;
    return start;
  }
}
