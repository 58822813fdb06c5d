/**
 * Packets of MySQL: a header of three bytes of length (little-endian) and a sequence number, chains of packets of 2^24-1 bytes,
 * and the fields of a payload. Owns: these shapes, bounded. Does not: what any packet means.
 */
import { type Inbox, malformed } from '@sluice/wire';

export const HEADER_BYTES = 4;
/** Bytes. A payload of this many or more is a chain, which ends in a packet that has fewer. */
export const MAX_PACKET = 0xffffff;
export const NOTHING = Buffer.alloc(0);

/** A payload in as many packets as it takes. */
export function framed(payload: Uint8Array, sequence: number): Buffer {
  if (payload.length < MAX_PACKET) {
    const packet = Buffer.allocUnsafe(HEADER_BYTES + payload.length);
    writeHeader(packet, 0, payload.length, sequence);
    packet.set(payload, HEADER_BYTES);
    return packet;
  }
  const packets: Buffer[] = [];
  for (let at = 0, number = sequence; at <= payload.length; at += MAX_PACKET, number++) {
    const part = payload.subarray(at, at + MAX_PACKET);
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    writeHeader(header, 0, part.length, number);
    packets.push(header, Buffer.from(part.buffer, part.byteOffset, part.length));
  }
  return Buffer.concat(packets);
}

/** How many packets a payload of this size takes. */
export const packetsOf = (size: number): number => Math.floor(size / MAX_PACKET) + 1;

export function writeHeader(bytes: Buffer, at: number, size: number, sequence: number): void {
  bytes[at] = size;
  bytes[at + 1] = size >>> 8;
  bytes[at + 2] = size >>> 16;
  bytes[at + 3] = sequence;
}

/** Of a header that is there whole. Without the checks of readUIntLE, which cost more than the rest of a row that passes. */
export const payloadLength = (bytes: Buffer, at: number): number =>
  (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);

/** One payload, as it comes during a login. Rejects when it is longer than `max` bytes. */
export async function readPacket(inbox: Inbox, max: number): Promise<{ sequence: number; payload: Buffer }> {
  const head = await inbox.read(HEADER_BYTES);
  const size = payloadLength(head, 0);
  if (size > max) throw malformed(`a packet of ${size} bytes came where ${max} are the most`);
  return { sequence: head[3] as number, payload: await inbox.read(size) };
}

/** A cursor over one payload. Every read checks the end, so a decoder cannot run past a lying length. */
export class PayloadReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, start = 0) {
    this.#bytes = bytes;
    this.#at = start;
  }

  get at(): number {
    return this.#at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** The next byte, which is not read by this; undefined at the end. */
  get next(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** An unsigned little-endian number of up to 6 bytes. */
  uint(size: 1 | 2 | 3 | 4 | 6): number {
    return this.#bytes.readUIntLE(this.#take(size), size);
  }

  bytes(size: number): Buffer {
    const start = this.#take(size);
    return this.#bytes.subarray(start, start + size);
  }

  rest(): Buffer {
    return this.bytes(this.left);
  }

  /** A length-encoded number. Those above 2^53 are rounded: whoever needs them exactly copies their bytes. */
  number(): number {
    const first = this.uint(1);
    if (first < 0xfb) return first;
    if (first === 0xfc) return this.uint(2);
    if (first === 0xfd) return this.uint(3);
    if (first === 0xfe) return Number(this.bytes(8).readBigUInt64LE(0));
    throw malformed('a length-encoded number begins with a byte that none begins with');
  }

  /** A length-encoded run of bytes. */
  counted(): Buffer {
    const size = this.number();
    if (size > this.left) throw malformed('a field is longer than its packet');
    return this.bytes(size);
  }

  /** A text that a NUL ends. */
  terminated(): Buffer {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw malformed('a text field does not end before its packet does');
    const text = this.#bytes.subarray(this.#at, end);
    this.#at = end + 1;
    return text;
  }

  #take(size: number): number {
    const start = this.#at;
    if (size < 0 || start + size > this.#bytes.length) throw malformed('a field is longer than its packet');
    this.#at += size;
    return start;
  }
}

const MARK_2 = Buffer.from([0xfc]);
const MARK_3 = Buffer.from([0xfd]);

/** A number, length-encoded. */
export function encoded(value: number): Buffer {
  if (value < 0xfb) return Buffer.from([value]);
  if (value < 0x1_0000) return Buffer.concat([MARK_2, uint(value, 2)]);
  if (value < 0x100_0000) return Buffer.concat([MARK_3, uint(value, 3)]);
  const bytes = Buffer.alloc(9, 0xfe);
  bytes.writeBigUInt64LE(BigInt(value), 1);
  return bytes;
}

/** A run of bytes with its length in front. */
export const counted = (value: Uint8Array | string): Buffer => {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([encoded(bytes.length), bytes]);
};

/** A text with a NUL behind it. */
export const terminated = (value: Uint8Array | string): Buffer =>
  Buffer.concat([typeof value === 'string' ? Buffer.from(value) : value, Buffer.alloc(1)]);

export function uint(value: number, size: 1 | 2 | 3 | 4): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  bytes.writeUIntLE(value, 0, size);
  return bytes;
}
