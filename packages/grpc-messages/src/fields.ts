/**
 * Fields of Protocol Buffers as they are on the wire (protobuf.dev/programming-guides/encoding). Owns: reading and writing them. Does not:
 * know types of messages.
 */
import { JsonError } from '@sluice/http-requests';

/** How a value is written: a varint, 8 bytes, a length and so many bytes, or 4 bytes. */
export type WireType = 0 | 1 | 2 | 5;

export interface WireField {
  readonly number: number;
  readonly type: WireType;
  /** Without tag and length. A view. */
  readonly bytes: Buffer;
}

const MAX_VARINT_BYTES = 10;
const MAX_FIELD_NUMBER = 536_870_911;

/** @throws JsonError for what is cut off, and for what no program writes */
export function* readFields(bytes: Buffer): Generator<WireField> {
  let at = 0;
  while (at < bytes.length) {
    const tag = varintAt(bytes, at);
    at = tag.end;
    const number = Number(tag.value >> 3n);
    const type = Number(tag.value & 7n);
    if (number < 1 || number > MAX_FIELD_NUMBER) throw new JsonError('has a field whose number is none');
    if (type !== 0 && type !== 1 && type !== 2 && type !== 5)
      throw new JsonError('has a field of a kind that is not read here');
    let size = type === 1 ? 8 : 4;
    if (type === 0) size = varintAt(bytes, at).end - at;
    else if (type === 2) {
      const length = varintAt(bytes, at);
      at = length.end;
      size = length.value > BigInt(bytes.length) ? Infinity : Number(length.value);
    }
    if (size > bytes.length - at) throw new JsonError(CUT);
    yield { number, type, bytes: bytes.subarray(at, at + size) };
    at += size;
  }
}

const CUT = 'ends within a field';

/** The varint that begins there; those of 64 bits at most. @throws JsonError */
export function varintAt(bytes: Buffer, at: number): { readonly value: bigint; readonly end: number } {
  let value = 0n;
  for (let n = 0; n < MAX_VARINT_BYTES; n++) {
    const byte = bytes[at + n];
    if (byte === undefined) throw new JsonError(CUT);
    value |= BigInt(byte & 0x7f) << BigInt(7 * n);
    if (byte < 0x80) {
      if (value >= 1n << 64n) break;
      return { value, end: at + n + 1 };
    }
  }
  throw new JsonError('has a number of more than 64 bits');
}

/** Of 64 bits; a negative one is written as its two's complement. */
export function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    const more = rest >= 0x80n;
    bytes.push(Number(rest & 0x7fn) | (more ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}

/** A whole field. */
export function written({ number, type, bytes }: WireField): Buffer {
  const tag = varint(BigInt(number * 8 + type));
  return type === 2 ? Buffer.concat([tag, varint(BigInt(bytes.length)), bytes]) : Buffer.concat([tag, bytes]);
}
