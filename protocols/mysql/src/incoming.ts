/**
 * The client's bytes, cut into commands. Owns: what has come and is not taken yet, bounded by who reads on only while there is
 * room; chains of packets; commands that are too long, which are dropped as they come. Does not: know what a command is.
 */
import { SmallPieces, unpinned } from '@sluice/wire';
import { HEADER_BYTES, MAX_PACKET, NOTHING, payloadLength } from './packets.js';

export interface Packet {
  /** Number of its last packet: the answer goes on from there. */
  readonly sequence: number;
  /** A view of what came. */
  readonly payload: Buffer;
  /** The same as it came, with its headers. */
  readonly raw: Buffer;
}

/** The same, where what came was only lent. */
export function kept(packet: Packet): Packet {
  const raw = Buffer.from(packet.raw);
  return { ...packet, raw, payload: unchained(raw) };
}

/** A command that is longer than what is read of one, or for which no room was left: it was dropped as it came. */
export interface TooLong {
  readonly tooLong: 'limit' | 'room';
  /** Its code. */
  readonly code: number;
  /** Number of its last packet. */
  readonly sequence: number;
}

interface Dropping {
  readonly why: TooLong['tooLong'];
  readonly code: number;
  /** Bytes left of its current packet. */
  left: number;
  /** Another packet of it follows. */
  chain: boolean;
  sequence: number;
}

export class Incoming {
  /** Bytes of the longest command that is read. */
  readonly #max: number;
  #chunks: Buffer[] = [];
  readonly #pieces = new SmallPieces();
  #size = 0;
  /** Bytes that have to be there before the next step can be taken. */
  #needed = HEADER_BYTES;
  /** A command that is too long is on its way. */
  #dropping: Dropping | undefined;
  #isRoomless = false;
  /** In a file: bytes left of the current packet, and whether the next one belongs to it. */
  #file = { left: 0, chain: false };

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#size;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  /** What is left is kept, and the chunk was only lent. */
  keep(chunk: Buffer): void {
    const last = this.#chunks.at(-1);
    if (last?.buffer !== chunk.buffer) return;
    this.#chunks.pop();
    this.#pieces.add(this.#chunks, last);
  }

  /** No room is left for the command that has not come as a whole: it is dropped from here on. */
  giveUp(): void {
    this.#isRoomless = true;
    this.#needed = HEADER_BYTES;
  }

  /** The next command; undefined: it has not come as a whole. */
  take(): Packet | TooLong | undefined {
    if (this.#dropping) return this.#drop(this.#dropping);
    if (this.#size < this.#needed) return undefined;
    const bytes = this.#joined();
    let at = 0;
    for (;;) {
      if (bytes.length < at + HEADER_BYTES) return this.#wait(at + HEADER_BYTES);
      const size = payloadLength(bytes, at);
      const sequence = bytes[at + 3] as number;
      const isRoomless = this.#isRoomless && bytes.length < at + HEADER_BYTES + size;
      if (at + size > this.#max || isRoomless) {
        if (bytes.length === HEADER_BYTES) return this.#wait(HEADER_BYTES + 1);
        const code = bytes[HEADER_BYTES] as number;
        this.#cut(bytes, at + HEADER_BYTES);
        const why = isRoomless ? 'room' : 'limit';
        this.#isRoomless = false;
        this.#dropping = { why, code, left: size, chain: size === MAX_PACKET, sequence };
        return this.#drop(this.#dropping);
      }
      at += HEADER_BYTES + size;
      if (bytes.length < at) return this.#wait(at);
      if (size === MAX_PACKET) continue;
      this.#isRoomless = false;
      this.#cut(bytes, at);
      const raw = bytes.subarray(0, at);
      return { sequence, raw, payload: unchained(raw) };
    }
  }

  /**
   * Packets of a file, as far as they have come. `shift`: what to add to their numbers; `see` has the content in pieces.
   *
   * @returns the bytes, with their headers, whether the empty packet is among them that ends the file, and the client's number of
   *   the last packet
   */
  takeFile(
    shift: number,
    see: (content: Buffer) => void,
  ): { readonly bytes: Buffer; readonly over: boolean; readonly last: number } {
    const bytes = Buffer.from(this.#joined());
    const file = this.#file;
    let at = 0;
    let last = 0;
    for (;;) {
      const part = Math.min(file.left, bytes.length - at);
      if (part > 0) see(bytes.subarray(at, at + part));
      at += part;
      file.left -= part;
      if (file.left > 0 || bytes.length - at < HEADER_BYTES) break;
      const size = payloadLength(bytes, at);
      last = bytes[at + 3] as number;
      bytes[at + 3] = (last + shift) & 0xff;
      at += HEADER_BYTES;
      if (size === 0 && !file.chain) {
        this.#cut(bytes, at);
        this.#file = { left: 0, chain: false };
        return { bytes: bytes.subarray(0, at), over: true, last };
      }
      file.left = size;
      file.chain = size === MAX_PACKET;
    }
    this.#cut(bytes, at);
    return { bytes: bytes.subarray(0, at), over: false, last };
  }

  #drop(dropping: Dropping): TooLong | undefined {
    for (;;) {
      const bytes = this.#joined();
      const part = Math.min(dropping.left, bytes.length);
      dropping.left -= part;
      this.#cut(bytes, part);
      if (dropping.left > 0) return undefined;
      if (!dropping.chain) {
        this.#dropping = undefined;
        return { tooLong: dropping.why, code: dropping.code, sequence: dropping.sequence };
      }
      if (bytes.length - part < HEADER_BYTES) return undefined;
      const size = payloadLength(bytes, part);
      Object.assign(dropping, { left: size, chain: size === MAX_PACKET, sequence: bytes[part + 3] as number });
      this.#cut(bytes, part + HEADER_BYTES);
    }
  }

  #joined(): Buffer {
    if (this.#chunks.length === 0) return NOTHING;
    return this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
  }

  #wait(needed: number): undefined {
    this.#needed = needed;
    return undefined;
  }

  #cut(bytes: Buffer, at: number): void {
    const rest = at < bytes.length ? unpinned(bytes, at) : undefined;
    this.#chunks = rest ? [rest] : [];
    this.#size = rest?.length ?? 0;
    this.#needed = HEADER_BYTES;
  }
}

/** The payload of one packet, or of a chain of them. */
export function unchained(raw: Buffer): Buffer {
  if (payloadLength(raw, 0) < MAX_PACKET) return raw.subarray(HEADER_BYTES);
  const parts: Buffer[] = [];
  for (let at = 0; at < raw.length; ) {
    const size = payloadLength(raw, at);
    parts.push(raw.subarray(at + HEADER_BYTES, at + HEADER_BYTES + size));
    at += HEADER_BYTES + size;
  }
  return Buffer.concat(parts);
}
