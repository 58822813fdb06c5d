/** The records between two places of one process's journal. Owns: positions. Does not: what they say. */
import { codeOf } from './files.js';
import { type RawRecord, decode, hashOf } from './format.js';
import { listSegments, readSegment } from './segments.js';

/** A place in the journal of one process: the number of a segment, and bytes from its start to where a record begins. */
export interface JournalPosition {
  readonly segment: number;
  readonly offset: number;
}

/** Negative: `a` comes before `b`. */
export const comparePositions = (a: JournalPosition, b: JournalPosition): number =>
  a.segment - b.segment || a.offset - b.offset;

export interface PlacedRecord extends RawRecord {
  /** Where it begins, and where the next one does. */
  readonly start: JournalPosition;
  readonly end: JournalPosition;
}

/**
 * The records of one process between two places, in order, with bounded memory. Segments that are not there (any more) are
 * passed over, and so is a record that cannot be read; what is wrong with a journal is for `verify` to say.
 *
 * @param from where a record begins
 */
export function* readRange(
  folder: string,
  process: string,
  from: JournalPosition,
  to: JournalPosition,
): Generator<PlacedRecord> {
  for (const { name, number } of listSegments(folder, process)) {
    if (number < from.segment || number > to.segment) continue;
    let start = number === from.segment ? from.offset : 0;
    try {
      for (const { record, end } of readSegment(folder, name, start)) {
        if (number === to.segment && end > to.offset) return;
        const parts = decode(record);
        if (parts) {
          yield { ...parts, start: { segment: number, offset: start }, end: { segment: number, offset: end } };
        }
        start = end;
      }
    } catch (error) {
      // Its time was over while others were read.
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
}

/** The hash of a segment's first record, hex; undefined when there is none. */
export function firstHash(folder: string, name: string): string | undefined {
  for (const { record } of readSegment(folder, name)) return hashOf(record);
  return undefined;
}
