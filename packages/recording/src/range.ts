/**
 * The records between two places of one process's journal. Owns: positions, and what is not there any more of what was written between
 * them. Does not: what records say, or what a seal and a head say of them (chain.ts).
 */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { isSeal, readCheckpoints, readPublicKey } from './checkpoint.js';
import { codeOf } from './files.js';
import { type RawRecord, decode, hashOf } from './format.js';
import { listSegments, readSegment, segmentName } from './segments.js';

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

/** Something between two places is not there as it was written. */
export interface JournalGap {
  /** Behind the start of the last record before it, and before that of the next one. */
  readonly start: JournalPosition;
  /** `expired`: it was taken away because its time was over, as a signed line says. */
  readonly kind: 'damaged' | 'expired';
  /** What is wrong, as a sentence without its end: `the segment gateway-00000002.log is missing`. */
  readonly what: string;
}

/**
 * The records of one process between two places, in order, with bounded memory. What cannot be read is passed over, and so are segments
 * that are not there (any more).
 *
 * @param from where a record begins
 * @param onGap is told of what was passed over, and of records that do not follow each other, which costs a hash for each. It is called
 *   before the record that comes next is given. Of the last record before `to`, the one behind it tells, where there is one. That somebody
 *   wrote all of it anew only `verify` can tell
 */
export function* readRange(
  folder: string,
  process: string,
  from: JournalPosition,
  to: JournalPosition,
  onGap?: (gap: JournalGap) => void,
): Generator<PlacedRecord> {
  const links = onGap && new Links(folder, process, from, onGap);
  for (const { name, number } of listSegments(folder, process)) {
    if (number < from.segment || number > to.segment + 1 || (number > to.segment && !links)) continue;
    let start = number === from.segment ? from.offset : 0;
    try {
      links?.enter(number);
      for (const { record, end } of readSegment(folder, name, start)) {
        const parts = decode(record);
        const place = { segment: number, offset: start };
        links?.add(record, parts, place);
        if (comparePositions({ segment: number, offset: end }, to) > 0) {
          if (number === to.segment) links?.leave(place, to.offset - start);
          return;
        }
        if (parts) yield { ...parts, start: place, end: { segment: number, offset: end } };
        start = end;
      }
      if (number > to.segment) return;
      if (!links) continue;
      const size = number === to.segment && to.offset < Infinity ? to.offset : statSync(join(folder, name)).size;
      links.leave({ segment: number, offset: start }, size - start);
    } catch (error) {
      // Its time was over while others were read.
      if (codeOf(error) !== 'ENOENT') throw error;
      links?.gone(number);
    }
  }
  links?.enter(to.segment + 1);
}

/** Whether what is read follows each other. Owns: the hash of the record before, and which segment comes next. */
class Links {
  readonly #folder: string;
  readonly #process: string;
  readonly #onGap: (gap: JournalGap) => void;
  /** The record that was read last; undefined: what came before the next one is not known, or was told of already. */
  #before: { readonly hash: string; readonly place: JournalPosition } | 'unreadable' | undefined;
  /** The number of the segment that comes next. */
  #next: number;

  constructor(folder: string, process: string, from: JournalPosition, onGap: (gap: JournalGap) => void) {
    this.#folder = folder;
    this.#process = process;
    this.#onGap = onGap;
    // A journal begins with segment 1.
    this.#next = Math.max(1, from.segment);
  }

  /** A segment is read now; those before it that were not are missing. */
  enter(number: number): void {
    if (number > this.#next) this.#missing(this.#next, number - 1);
    this.#next = number + 1;
  }

  /** It was there a moment ago. */
  gone(number: number): void {
    this.#next = number;
  }

  add(record: Buffer, parts: RawRecord | undefined, place: JournalPosition): void {
    const before = this.#before;
    this.#before = parts ? { hash: hashOf(record), place } : 'unreadable';
    if (!parts) {
      // Of many in a row the first is told of: whoever fills a segment with such fills no memory.
      const at = `byte ${place.offset} of ${this.#name(place.segment)}`;
      return before === 'unreadable' ? undefined : this.#tell(place, `the record at ${at} cannot be read`);
    }
    if (typeof before !== 'object' || parts.previous.toString('hex') === before.hash) return;
    const { segment, offset } = before.place;
    const last = `byte ${offset} of ${this.#name(segment)}`;
    const what =
      segment === place.segment
        ? `the record at ${last} or the one behind it was changed`
        : `what follows ${last} is missing or was changed, up to ${this.#name(place.segment)}`;
    this.#tell({ segment, offset: offset + 1 }, what);
  }

  /** The end of a segment, or of what is read: `rest` bytes behind the last record are none. */
  leave(place: JournalPosition, rest: number): void {
    if (rest <= 0) return;
    // A length that is wrong takes too much or too little: of this record, or of the one before.
    const also = this.#before ? ', and the record before them may be changed' : '';
    this.#before = undefined;
    const { segment, offset } = place;
    const where = `from byte ${offset} of ${this.#name(segment)} on`;
    this.#tell(place, `${rest} bytes ${where} are missing or cannot be read${also}`);
  }

  #missing(first: number, last: number): void {
    this.#before = undefined;
    const removed = this.#removed();
    const isExpired = (number: number): boolean => removed.has(this.#name(number));
    for (let from = first; from <= last; ) {
      const kind = isExpired(from) ? 'expired' : 'damaged';
      let to = from;
      while (to < last && isExpired(to + 1) === isExpired(from)) to++;
      const which =
        to === from
          ? `the segment ${this.#name(from)} ${kind === 'damaged' ? 'is missing' : 'was'}`
          : `the segments ${this.#name(from)} to ${this.#name(to)} ${kind === 'damaged' ? 'are missing' : 'were'}`;
      const what = kind === 'damaged' ? which : `${which} removed because the time that records are kept was over`;
      this.#onGap({ start: { segment: from, offset: 0 }, kind, what });
      from = to + 1;
    }
  }

  /** Segments that were removed, as lines say that are signed and in order. */
  #removed(): ReadonlySet<string> {
    const removed = new Set<string>();
    try {
      const key = readPublicKey(this.#folder);
      for (const { line, problem } of readCheckpoints(this.#folder, this.#process, key))
        if (line && problem === undefined && !isSeal(line)) removed.add(line.removed);
    } catch {
      // Nobody can say why they are gone: they are missing.
    }
    return removed;
  }

  #name(number: number): string {
    return segmentName(this.#process, number);
  }

  #tell(start: JournalPosition, what: string): void {
    this.#onGap({ start, kind: 'damaged', what });
  }
}

/** The hash of a segment's first record, hex; undefined when there is none. */
export function firstHash(folder: string, name: string): string | undefined {
  for (const { record } of readSegment(folder, name)) return hashOf(record);
  return undefined;
}
