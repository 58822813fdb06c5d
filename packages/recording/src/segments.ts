import { closeSync, openSync, readSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { HASH, LENGTH, LONGEST } from './format.js';

/** `gateway-00000001.log`: the process that wrote it, and its place in that process's chain, from 1. */
export interface Segment {
  readonly process: string;
  readonly number: number;
  readonly name: string;
}

const NAME = /^(.+)-(\d{8})\.log$/;

export const segmentName = (process: string, number: number): string =>
  `${process}-${String(number).padStart(8, '0')}.log`;

/** The segments in a folder, in order, of one process or of all. */
export function listSegments(folder: string, process?: string): Segment[] {
  return readdirSync(folder)
    .flatMap((name) => {
      const [, owner, number] = NAME.exec(name) ?? [];
      return owner !== undefined && (process === undefined || owner === process)
        ? [{ process: owner, number: Number(number), name }]
        : [];
    })
    .sort((a, b) => (a.process === b.process ? a.number - b.number : a.process < b.process ? -1 : 1));
}

const CHUNK = 1024 * 1024;

/**
 * The whole records of a segment, in order, with bounded memory (one record, at least 1 MiB). Ends before a record that is
 * not whole: `end` is then smaller than the size of the file.
 */
export function* readSegment(folder: string, name: string): Generator<{ record: Buffer; end: number }> {
  const file = openSync(join(folder, name), 'r');
  try {
    let buffer: Buffer = Buffer.alloc(0);
    let position = 0;
    let end = 0;
    for (;;) {
      let at = 0;
      while (buffer.length - at >= LENGTH) {
        const length = buffer.readUInt32BE(at);
        if (length < HASH || length > LONGEST) return;
        if (buffer.length - at < LENGTH + length) break;
        end += LENGTH + length;
        yield { record: buffer.subarray(at, at + LENGTH + length), end };
        at += LENGTH + length;
      }
      const rest = buffer.subarray(at);
      const wanted = rest.length >= LENGTH ? Math.max(CHUNK, LENGTH + rest.readUInt32BE(0) - rest.length) : CHUNK;
      const chunk = Buffer.allocUnsafe(wanted);
      const read = readSync(file, chunk, 0, wanted, position);
      if (read === 0) return;
      position += read;
      buffer = Buffer.concat([rest, chunk.subarray(0, read)]);
    }
  } finally {
    closeSync(file);
  }
}
