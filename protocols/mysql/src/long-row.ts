/**
 * A row of 16 MiB or more that masks change, while it comes. Owns: its packets until the last one is there, in the room that all
 * sessions share, and how what masks make of it is sent. Does not: the masks.
 */
import { type RowRoom, Unmasked } from '@sluice/contract';
import { HEADER_BYTES, MAX_PACKET, packetsOf, writeHeader } from './packets.js';

export class LongRow {
  readonly #room: RowRoom;
  #packets: Buffer[] = [];
  /** Bytes of the current packet that have come. */
  #filled = 0;
  #size = 0;
  #continues = true;

  constructor(room: RowRoom) {
    this.#room = room;
  }

  /** Bytes of the current packet that are still to come. */
  get left(): number {
    return (this.#packets.at(-1)?.length ?? 0) - this.#filled;
  }

  /** Another packet follows the current one. */
  get continues(): boolean {
    return this.#continues;
  }

  /**
   * Another packet of so many bytes begins.
   *
   * @throws Unmasked where there is no room for it
   */
  begin(size: number): void {
    this.#continues = size === MAX_PACKET;
    this.#size += size;
    // The packets, and the row that is put together of them.
    this.#room.admit(2 * this.#size);
    this.#packets.push(allocated(size));
    this.#filled = 0;
  }

  /** Copies what belongs to the current packet, and returns how many bytes these were. */
  take(bytes: Buffer): number {
    const packet = this.#packets.at(-1);
    const copied = packet ? bytes.copy(packet, this.#filled) : 0;
    this.#filled += copied;
    this.#room.moved();
    return copied;
  }

  /** The payload. The room is given back once what is made of it is with the client. */
  taken(): Buffer {
    const packets = this.#packets;
    this.#packets = [];
    this.#room.arrived();
    return Buffer.concat(packets, this.#size);
  }
}

function allocated(bytes: number): Buffer {
  try {
    return Buffer.allocUnsafeSlow(bytes);
  } catch {
    throw Unmasked.because(`there is no memory for a row of ${bytes} bytes at the moment; try again later`);
  }
}

/** Of one packet. */
export function header(size: number, sequence: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES);
  writeHeader(bytes, 0, size, sequence);
  return bytes;
}

/** Pieces of one payload with the headers of its packets, numbered from `sequence`. Nothing is copied. */
export function framedPieces(pieces: readonly Buffer[], sequence: number): Buffer[] {
  const size = pieces.reduce((sum, { length }) => sum + length, 0);
  const framed: Buffer[] = [];
  let number = sequence;
  let left = size;
  /** Bytes that the current packet still takes. */
  let room = 0;
  const begin = (): void => {
    room = Math.min(left, MAX_PACKET);
    framed.push(header(room, number++));
    left -= room;
  };
  begin();
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      if (room === 0) begin();
      const part = piece.subarray(at, at + room);
      framed.push(part);
      at += part.length;
      room -= part.length;
    }
  }
  // A last packet of the full size has an empty one behind it.
  if (number - sequence < packetsOf(size)) begin();
  return framed;
}
