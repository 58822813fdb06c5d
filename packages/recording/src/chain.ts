/**
 * The journal of one process against its seals and heads. Owns: what is wrong with it. Does not: say it in words (verify.ts).
 */
import { type KeyObject, hash } from 'node:crypto';
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Checkpoint, type Removal, checkpointFile, isSeal, readCheckpoints } from './checkpoint.js';
import { parseHeader } from './events.js';
import { codeOf } from './files.js';
import { FIRST, decode, hashOf, holdsRecord } from './format.js';
import { type Head, headFile, isHead } from './head.js';
import { type Segment, readSegment, segmentName, segmentOf } from './segments.js';
import type { JournalProblem } from './problem.js';

/** A clock may be set back by this much without a word, in milliseconds. */
const CLOCK_TOLERANCE_MS = 60_000;
/** A line about the clock stands this close behind the first record of its new time. */
const CLOCK_RECORDS = 10_000;

/** The journal of one process: its segments, read in order, against its seals and heads. */
export class Chain {
  readonly process: string;
  readonly problems: JournalProblem[] = [];
  readonly notes: string[] = [];
  records = 0;
  sealed = 0;
  /** Records of an unsealed segment that a head vouches for. */
  signed = 0;
  /** When those were signed, ISO 8601. */
  since: string | undefined;
  /** Segments that were removed, as signed lines say. */
  removed = 0;
  readonly #folder: string;
  readonly #key: KeyObject;
  readonly #heads: readonly Head[];
  /** Lines that are signed and in order. */
  readonly #seals = new Map<string, Checkpoint>();
  readonly #lines = new Set<string>();
  readonly #seen = new Set<string>();
  /** The last segment, when nobody sealed it, and how many records it has. */
  #open: { name: string; number: number; records: number } | undefined;
  #previous = FIRST;
  #expected = 1;
  #time = 0;
  /** Time ran back there, and nobody has said why yet. */
  #setBack: { name: string; record: number; from: number; to: number; left: number } | undefined;

  constructor(folder: string, process: string, key: KeyObject, heads: readonly Head[]) {
    this.#folder = folder;
    this.process = process;
    this.#key = key;
    this.#heads = heads;
    let number = 0;
    let sealed = '';
    for (const { line, text, problem } of readCheckpoints(folder, process, key)) {
      number++;
      this.#lines.add(hash('sha256', text, 'hex'));
      if (problem !== undefined) this.#say(checkpointFile(process), `line ${number} ${problem}`);
      else if (line && isSeal(line)) {
        if (this.#seals.has(line.segment)) this.#say(line.segment, 'this segment was sealed twice');
        else this.#seals.set(line.segment, line);
        if (Date.parse(line.sealed) < Date.parse(sealed) - CLOCK_TOLERANCE_MS)
          this.notes.push(`${line.segment} was sealed at ${line.sealed}, after ${sealed}: the clock was set back.`);
        sealed = line.sealed;
      }
    }
  }

  read({ name, number }: Segment, last: boolean): void {
    const seal = this.#seals.get(name);
    const heads = this.#heads.filter((head) => head.segment === name && head.records > 0);
    let count = 0;
    let size = 0;
    let rest = 0;
    let place = true;
    try {
      for (const { record, end } of readSegment(this.#folder, name)) {
        if (place) this.#place(name, number);
        place = false;
        count++;
        size = end;
        this.#link(name, record, count);
        this.#previous = hashOf(record);
        for (const head of heads) if (head.records === count) this.#compare(head, end);
      }
      if (place) this.#place(name, number);
      rest = statSync(join(this.#folder, name)).size - size;
    } catch (error) {
      // Its time was over while the ones before it were read: `finish` looks whether that is so.
      if (codeOf(error) === 'ENOENT') return;
      throw error;
    }
    this.#seen.add(name);
    this.records += count;
    if (rest > 0) this.#behind(name, count, size, rest, last && !seal);
    for (const head of heads)
      if (head.records > count)
        this.#say(name, `${head.records} records were signed at ${head.at}, and there are ${count}`);
    if (seal) this.#check(name, seal, count, size);
    else if (!last) this.#say(name, 'this segment has no valid seal although there is a later one');
    else this.#open = { name, number, records: count };
  }

  /**
   * What is missing, and what nobody knows of.
   *
   * @param before the head as it was before the segments were read, and `after`: as it is now
   */
  finish(before: Head | 'missing' | 'unsigned', after: Head | 'missing' | 'unsigned'): void {
    this.#timeIsExplained();
    if (before === 'missing' && (this.#seen.size > 0 || this.#lines.size > 0 || this.#heads.length > 0)) {
      const hint = 'it was deleted, these files were put here, or an older version wrote them last';
      this.#say(headFile(this.process), `this head is missing: ${hint}`);
    } else if (before === 'unsigned') this.#say(headFile(this.process), 'this head is not signed by this key');
    const removals = this.#removals();
    for (const [name, seal] of this.#seals) {
      if (this.#seen.has(name) || existsSync(join(this.#folder, name))) continue;
      const removal = removals.get(name);
      if (removal?.hash === seal.hash && removal.records === seal.records) this.removed++;
      else this.#say(name, 'this segment was sealed and is missing');
    }
    for (const { segment, line, records, at } of this.#heads) {
      if (line !== '' && !this.#lines.has(line))
        this.#say(checkpointFile(this.process), `a line that was there at ${at} is missing (${line})`);
      if (records > 0 && !this.#seals.has(segment) && !this.#seen.has(segment))
        this.#say(segment, `this segment had ${records} records at ${at} and is missing`);
    }
    if (this.#open) this.#vouchFor(this.#open, isHead(before) ? before : undefined, isHead(after) ? after : undefined);
  }

  /** What a head says of the segment that is not sealed. */
  #vouchFor(
    { name, number, records }: { name: string; number: number; records: number },
    before: Head | undefined,
    after: Head | undefined,
  ): void {
    const known = before?.segment === name ? before.records : 0;
    if (this.problems.length === 0) this.signed = Math.min(known, records);
    this.since = before?.at;
    if (records === this.signed || records === 0 || !after) return;
    if ((segmentOf(after.segment)?.number ?? 0) < number)
      this.#say(name, `this segment was put here: the last one that was signed is ${after.segment}`);
    else if (after.state === 'closed' && after.segment === name && after.records < records)
      this.#say(name, `${records - after.records} records were put here after the journal was closed at ${after.at}`);
  }

  #removals(): Map<string, Removal> {
    const removals = new Map<string, Removal>();
    for (const { line, problem } of readCheckpoints(this.#folder, this.process, this.#key))
      if (line && problem === undefined && !isSeal(line)) removals.set(line.removed, line);
    return removals;
  }

  #compare(head: Head, end: number): void {
    if (end === head.bytes && this.#previous === head.hash) return;
    this.#say(head.segment, `this record is not the one that was signed at ${head.at}`, head.records);
  }

  #place(name: string, number: number): void {
    const removals = number > this.#expected ? this.#removals() : new Map<string, Removal>();
    let missing = 0;
    for (let n = this.#expected; n < number; n++) if (!removals.has(segmentName(this.process, n))) missing++;
    if (missing > 0) {
      this.#say(
        name,
        missing === 1 ? 'the segment before this one is missing' : `${missing} segments before this one are missing`,
      );
    }
    // Its seal still tells how the one before it ended, so that this one can be checked.
    const before = number > this.#expected && this.#seals.get(segmentName(this.process, number - 1));
    if (before) this.#previous = before.hash;
    this.#expected = number + 1;
  }

  #link(name: string, record: Buffer, count: number): void {
    const parts = decode(record);
    if (!parts) return this.#say(name, 'this record is damaged', count);
    if (parts.previous.toString('hex') !== this.#previous) {
      this.#say(name, 'this record does not follow the one before it: one of them was changed', count);
    }
    this.#lookAtTime(name, parts.header, count);
    if (parts.header.subarray(0, ABOUT_JOURNAL.length).equals(ABOUT_JOURNAL)) this.#told(parts.header, count);
  }

  /** What starts of the gateway found is not forgotten because it could go on behind it. */
  #told(text: Buffer, count: number): void {
    const header = parseHeader(text);
    if (header?.k === 'journal.recovered' && header.damaged) {
      const { segment, cut } = header;
      this.#say(
        segment,
        `${cut} bytes with whole records among them were damaged; a start put them into ${segment}.cut`,
      );
    } else if (header?.k === 'journal.missing') {
      const signed = header.signed === undefined ? '' : `, signed at ${header.signed}`;
      this.#say(
        this.process,
        `the gateway found at ${timeOf(header.t)} that this was missing: ${header.what}${signed}`,
      );
    } else if (header?.k === 'journal.adopted') {
      const { segment, records, since, expected } = header;
      const found = `${records} records at its end were signed by nobody when the gateway started at ${timeOf(header.t)}`;
      if (expected) this.notes.push(`${segment}: ${found}; they came after ${since}, before the process was ended.`);
      else this.#say(segment, `${found}, and by the head of ${since} nothing should have been there`);
    } else if (
      header?.k === 'journal.clock' &&
      this.#setBack &&
      header.before >= this.#setBack.from - CLOCK_TOLERANCE_MS
    ) {
      this.notes.push(`The clock was set back from ${timeOf(header.before)} to ${timeOf(header.t)} (record ${count}).`);
      this.#setBack = undefined;
    }
  }

  #lookAtTime(name: string, header: Buffer, record: number): void {
    if (this.#setBack && --this.#setBack.left === 0) this.#timeIsExplained();
    // The time of a session is that of its beginning, which is earlier than its record.
    if (header.subarray(0, OPENED.length).equals(OPENED)) return;
    const at = header.subarray(0, MAX_TIME_OFFSET_BYTES).indexOf(TIME);
    const time =
      at < 0
        ? Number.NaN
        : Number.parseInt(header.toString('latin1', at + TIME.length, at + MAX_TIME_OFFSET_BYTES), 10);
    if (!(time > 0)) return;
    if (time < this.#time - CLOCK_TOLERANCE_MS) {
      this.#timeIsExplained();
      this.#setBack = { name, record, from: this.#time, to: time, left: CLOCK_RECORDS };
    }
    this.#time = time;
  }

  #timeIsExplained(): void {
    if (!this.#setBack) return;
    const { name, record, from, to } = this.#setBack;
    this.#setBack = undefined;
    this.#say(name, `time runs back here, from ${timeOf(from)} to ${timeOf(to)}`, record);
  }

  /** Bytes behind the last record: no problem in a file that is being written, or was until a kill. */
  #behind(name: string, count: number, size: number, rest: number, tail: boolean): void {
    if (tail && !holdsRecord(readEnd(join(this.#folder, name), size, rest))) return;
    this.#say(name, `no record can be read here; ${rest} bytes follow the one before it`, count + 1);
  }

  #check(name: string, seal: Checkpoint, count: number, size: number): void {
    if (count !== seal.records || size !== seal.bytes) {
      this.#say(name, `the seal says ${seal.records} records in ${seal.bytes} bytes, there are ${count} in ${size}`);
    } else if (this.#previous !== seal.hash) {
      this.#say(name, 'the last record is not the one that was sealed', count);
    }
    if (this.problems.length === 0) this.sealed += count;
    // The next segment went on from what was sealed, whatever is here now: the damage is named where it is, once.
    this.#previous = seal.hash;
  }

  #say(segment: string, message: string, record?: number): void {
    this.problems.push({ segment, message, ...(record !== undefined && { record }) });
  }
}

const ABOUT_JOURNAL = Buffer.from('{"k":"journal.');
const OPENED = Buffer.from('{"k":"opened"');
const TIME = Buffer.from('"t":');
/** The time stands within this many bytes of a header's start, in front of all that a client chose. */
const MAX_TIME_OFFSET_BYTES = 60;

const timeOf = (time: number): string => new Date(time).toISOString();

function readEnd(path: string, from: number, length: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(file, bytes, 0, length, from));
  } finally {
    closeSync(file);
  }
}
