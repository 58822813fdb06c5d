/** Segments by name and in order, and the whole records of one. Does not: check them (chain.ts). */
import { closeSync, fstatSync, openSync, readSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { HEADER, LENGTH_BYTES, MAX_RECORD_BYTES } from './format.js';

/** `gateway-00000001.log`: the process that wrote it, and its place in that process's chain, from 1. */
export interface Segment {
  readonly process: string;
  readonly number: number;
  readonly name: string;
}

const NAME = /^(.+)-(\d{8})\.log$/;

export const segmentName = (process: string, number: number): string =>
  `${process}-${String(number).padStart(8, '0')}.log`;

/** The place that a segment's name claims; undefined when it is not a segment's name. */
export function segmentOf(name: string): Segment | undefined {
  const [, process, number] = NAME.exec(name) ?? [];
  return process === undefined ? undefined : { process, number: Number(number), name };
}

/** The segments in a folder, in order, of one process or of all. */
export function listSegments(folder: string, process?: string): Segment[] {
  return readdirSync(folder)
    .flatMap((name) => segmentOf(name) ?? [])
    .filter((segment) => process === undefined || segment.process === process)
    .sort((a, b) => (a.process === b.process ? a.number - b.number : a.process < b.process ? -1 : 1));
}

/** Bytes of all segments of a folder. */
export const sizeOf = (folder: string): number =>
  listSegments(folder).reduce((sum, { name }) => sum + statSync(join(folder, name)).size, 0);

const CHUNK_BYTES = 1024 * 1024;

/**
 * The whole records of a segment as it was when reading began, in order, with bounded memory (one record, at least 1 MiB).
 * Ends before a record that is not whole: the last `end` is then smaller than the file.
 *
 * @param from where a record begins, in bytes from the start
 */
export function* readSegment(folder: string, name: string, from = 0): Generator<{ record: Buffer; end: number }> {
  const file = openSync(join(folder, name), 'r');
  try {
    const { size } = fstatSync(file);
    // It was cut since somebody noted the place.
    if (from >= size) return;
    let buffer: Buffer = Buffer.alloc(0);
    let position = from;
    let end = from;
    for (;;) {
      let at = 0;
      let wanted = CHUNK_BYTES;
      while (buffer.length - at >= LENGTH_BYTES) {
        const length = LENGTH_BYTES + buffer.readUInt32BE(at);
        if (length < HEADER || length > MAX_RECORD_BYTES || end + length > size) return;
        wanted = Math.max(CHUNK_BYTES, length);
        if (buffer.length - at < length) break;
        end += length;
        yield { record: buffer.subarray(at, at + length), end };
        at += length;
      }
      // A fresh buffer for each chunk: what was handed out stays as it is.
      const rest = buffer.length - at;
      const next = Buffer.allocUnsafe(Math.min(rest + wanted, rest + size - position));
      buffer.copy(next, 0, at);
      const read = readSync(file, next, rest, next.length - rest, position);
      if (read === 0) return;
      position += read;
      buffer = next.subarray(0, rest + read);
    }
  } finally {
    closeSync(file);
  }
}
