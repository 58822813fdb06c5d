import { hash } from 'node:crypto';

/**
 * A record on disk:
 *
 *     uint32  length of what follows
 *     32      SHA-256 of the whole record before this one (zeros before the first)
 *     uint32  length of the header
 *     ...     header: a JSON object in UTF-8; `k` is its kind
 *     ...     payload: bytes as they were, often empty
 *
 * All integers are big-endian. A segment is a file of records; the chain runs on from one segment into the next.
 */
export const LENGTH = 4;
export const HASH = 32;
const HEADER_LENGTH = 4;
export const FIRST = Buffer.alloc(HASH);

/** A record longer than this is not one: answers are capped, statements are bounded by limits.message. */
export const LONGEST = 512 * 1024 * 1024;

export const hashOf = (record: Uint8Array): Buffer => hash('sha256', record, 'buffer');

/** Bytes that a record of this header and payload takes at the most. UTF-8 needs up to three bytes for each UTF-16 unit. */
export const sizeBound = (header: string, payload: readonly Uint8Array[]): number =>
  LENGTH + HASH + HEADER_LENGTH + header.length * 3 + payload.reduce((sum, part) => sum + part.length, 0);

/** Writes a record into `target` at `at`; returns where it ends. */
export function encode(
  target: Buffer,
  at: number,
  previous: Uint8Array,
  header: string,
  payload: readonly Uint8Array[],
): number {
  const body = at + LENGTH + HASH + HEADER_LENGTH;
  const headerLength = target.write(header, body, 'utf8');
  let end = body + headerLength;
  for (const part of payload) {
    target.set(part, end);
    end += part.length;
  }
  target.writeUInt32BE(end - at - LENGTH, at);
  target.set(previous, at + LENGTH);
  target.writeUInt32BE(headerLength, at + LENGTH + HASH);
  return end;
}

export interface RawRecord {
  readonly previous: Buffer;
  readonly header: string;
  readonly payload: Buffer;
}

/** Takes a whole record apart. Undefined when its inner lengths do not fit: it is damaged. */
export function decode(record: Buffer): RawRecord | undefined {
  const start = LENGTH + HASH + HEADER_LENGTH;
  if (record.length < start) return undefined;
  const headerEnd = start + record.readUInt32BE(LENGTH + HASH);
  if (headerEnd > record.length) return undefined;
  return {
    previous: record.subarray(LENGTH, LENGTH + HASH),
    header: record.toString('utf8', start, headerEnd),
    payload: record.subarray(headerEnd),
  };
}
