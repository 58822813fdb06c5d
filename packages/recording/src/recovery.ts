/**
 * What a killed process left at the end of its journal. Owns: cutting it off, and keeping it aside. Does not: the chain itself
 * (chain.ts).
 */
import { type KeyObject, createPublicKey, hash } from 'node:crypto';
import { appendFileSync, fstatSync, ftruncateSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { isSeal, readCheckpoints } from './checkpoint.js';
import { codeOf } from './files.js';
import { decode, hashOf, holdsRecord } from './format.js';
import type { Head } from './head.js';
import { readSegment } from './segments.js';

/** How far a segment's records follow each other, and what was taken off behind them. */
export interface SegmentTail {
  readonly records: number;
  readonly bytes: number;
  /** Hash of the last record, hex; `previous` where there is none. */
  readonly hash: string;
  readonly cut: { readonly cut: number; readonly sha256: string; readonly damaged: boolean } | undefined;
}

/**
 * Takes off the end of a segment that was not sealed what does not belong to its chain. That is kept in a file beside it: a
 * write that was cut short is the usual cause, and must not be a way to make damage disappear.
 *
 * @param file the segment, open for writing
 * @param previous hash of the record before the segment
 * @param follows whether that is known to be the record before it
 */
export function cutTail(folder: string, name: string, file: number, previous: string, follows: boolean): SegmentTail {
  let [records, bytes, last] = [0, 0, previous];
  for (const { record, end } of readSegment(folder, name)) {
    const before = decode(record)?.previous.toString('hex');
    const first = records === 0 && !follows;
    if (before === undefined || !(first || before === last)) break;
    last = hashOf(record);
    bytes = end;
    records++;
  }
  const rest = Buffer.alloc(fstatSync(file).size - bytes);
  if (rest.length === 0) return { records, bytes, hash: last, cut: undefined };
  readSync(file, rest, 0, rest.length, bytes);
  appendFileSync(join(folder, `${name}.cut`), rest, { mode: 0o600, flush: true });
  ftruncateSync(file, bytes);
  const cut = { cut: rest.length, sha256: hash('sha256', rest, 'hex'), damaged: holdsRecord(rest) };
  return { records, bytes, hash: last, cut };
}

/** What a head says is there and is not, in words; undefined: the journal still holds all of it. */
export function missingOf(folder: string, key: KeyObject, head: Head): string | undefined {
  const { segment, records, bytes } = head;
  const lines = [...readCheckpoints(folder, head.process, key.type === 'private' ? createPublicKey(key) : key)];
  if (head.line !== '' && !lines.some(({ text }) => hash('sha256', text, 'hex') === head.line))
    return 'lines at the end of the checkpoint';
  if (records === 0 || lines.some(({ line }) => line && !isSeal(line) && line.removed === segment)) return undefined;
  let count = 0;
  try {
    for (const { record, end } of readSegment(folder, segment)) {
      if (++count < records) continue;
      return end === bytes && hashOf(record) === head.hash ? undefined : `record ${records} of ${segment}`;
    }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return `the segment ${segment}`;
  }
  return `${records - count} records at the end of ${segment}`;
}
