/** A record as bytes: lengths, hash of the one before, header, payload. Owns: the format. Pure. */
import { hash } from 'node:crypto';

/**
 * A record on disk:
 *
 *     uint32  length of what follows
 *     32      SHA-256 of the whole record before this one (zeros before the first)
 *     uint32  length of the header
 *     ...     header: a JSON object in UTF-8 whose first member is `k`, its kind
 *     ...     payload: bytes as they were, often empty
 *
 * All integers are big-endian. A segment is a file of records; the chain runs on from one segment into the next.
 */
export const LENGTH_BYTES = 4;
const HASH_BYTES = 32;
const HEADER_LENGTH_BYTES = 4;
/** Where the header starts in a record. */
export const HEADER = LENGTH_BYTES + HASH_BYTES + HEADER_LENGTH_BYTES;
/** What stands for the record before the first one. */
export const FIRST = '00'.repeat(HASH_BYTES);
const HEADER_START = Buffer.from('{"k":"');

/** Bytes. A record longer than this is not one: answers are capped, statements are bounded by limits.message. */
export const MAX_RECORD_BYTES = 512 * 1024 * 1024;

/** In hex: to make a string and write that takes half the time that a Buffer of its own for each hash would. */
export const hashOf = (record: Uint8Array): string => hash('sha256', record, 'hex');

/** Bytes that a record of this header and payload takes at the most. UTF-8 needs up to three bytes for each UTF-16 unit. */
export function sizeBound(header: string, payload: readonly Uint8Array[]): number {
  let size = HEADER + header.length * 3;
  for (const part of payload) size += part.length;
  return size;
}

/** Writes a record into `target` at `at`, where `sizeBound` bytes are free; returns where it ends. It is whole once it is linked. */
export function encode(target: Buffer, at: number, header: string, payload: readonly Uint8Array[]): number {
  const headerLength = target.write(header, at + HEADER, 'utf8');
  let end = at + HEADER + headerLength;
  for (const part of payload) {
    target.set(part, end);
    end += part.length;
  }
  target.writeUInt32BE(end - at - LENGTH_BYTES, at);
  target.writeUInt32BE(headerLength, at + LENGTH_BYTES + HASH_BYTES);
  return end;
}

/** Writes into the record at `at` the hash of the one before it, in hex. */
export function link(target: Buffer, at: number, previous: string): void {
  target.write(previous, at + LENGTH_BYTES, 'hex');
}

/** Views of one record's bytes. */
export interface RawRecord {
  readonly previous: Buffer;
  readonly header: Buffer;
  readonly payload: Buffer;
}

/** Takes a whole record apart. Undefined when its inner lengths do not fit: it is damaged. */
export function decode(record: Buffer): RawRecord | undefined {
  if (record.length < HEADER) return undefined;
  const headerEnd = HEADER + record.readUInt32BE(LENGTH_BYTES + HASH_BYTES);
  if (headerEnd > record.length) return undefined;
  return {
    previous: record.subarray(LENGTH_BYTES, LENGTH_BYTES + HASH_BYTES),
    header: record.subarray(HEADER, headerEnd),
    payload: record.subarray(headerEnd),
  };
}

/**
 * Whether a whole record starts anywhere in bytes that could not be read as records. A write that was cut short leaves part
 * of one record and nothing behind it; where a whole one follows, something was damaged that had been written.
 */
export function holdsRecord(bytes: Buffer): boolean {
  for (let at = bytes.indexOf(HEADER_START, HEADER); at >= 0; at = bytes.indexOf(HEADER_START, at + 1)) {
    const start = at - HEADER;
    const end = start + LENGTH_BYTES + bytes.readUInt32BE(start);
    const headerEnd = at + bytes.readUInt32BE(at - HEADER_LENGTH_BYTES);
    if (end <= bytes.length && headerEnd <= end && bytes[headerEnd - 1] === 0x7d) return true;
  }
  return false;
}
