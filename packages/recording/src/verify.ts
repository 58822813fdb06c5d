import { type KeyObject, createPublicKey, hash } from 'node:crypto';
import { closeSync, existsSync, openSync, readSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Checkpoint, checkpointFile, checkpointOwner, readCheckpoints, readPublicKey } from './checkpoint.js';
import { parseHeader } from './events.js';
import { FIRST, decode, hashOf, holdsRecord } from './format.js';
import { type Segment, listSegments, readSegment, segmentName } from './segments.js';

/**
 * What can be said of a journal. `problems` empty: everything up to the last signed checkpoint is as it was written. That
 * the end was not cut off together with its checkpoint lines can only be told by somebody who kept an earlier `heads`.
 */
export interface Report {
  readonly segments: number;
  readonly records: number;
  /** Records that a signed checkpoint vouches for. */
  readonly sealed: number;
  /** Records that none does: those after the last checkpoint, and those with a problem before them. */
  readonly unsealed: number;
  readonly problems: readonly Problem[];
  /** The last checkpoint line of each process, by its SHA-256 in hex: what a witness keeps. */
  readonly heads: readonly Head[];
}

export interface Head {
  readonly process: string;
  readonly line: string;
}

export interface Problem {
  readonly segment: string;
  /** From 1; absent when it is about the segment as a whole. */
  readonly record?: number;
  readonly message: string;
}

export interface Trust {
  /** The public key, as an object or PEM. By default the one in the folder, which a forger could have replaced. */
  readonly key?: KeyObject | string;
  /** Heads of an earlier report, kept elsewhere: the checkpoints must still contain them. */
  readonly heads?: readonly Head[];
}

/**
 * Reads the whole journal of a folder and checks every link of the chain, every seal and every signature. It may be in use.
 *
 * @throws JournalError when there is no public key to check with; whatever is wrong with the journal is in the report
 */
export function verify(folder: string, { key, heads = [] }: Trust = {}): Report {
  const trusted = key === undefined ? readPublicKey(folder) : typeof key === 'string' ? createPublicKey(key) : key;
  // Segments first: a checkpoint that is read after them has a line for each segment that has a successor here.
  const segments = listSegments(folder);
  const owners = readdirSync(folder).flatMap((name) => checkpointOwner(name) ?? []);
  const processes = new Set([...segments, ...heads].map((one) => one.process).concat(owners));
  const chains = [...processes].map((process) => {
    const chain = new Chain(folder, process, trusted);
    const mine = segments.filter((segment) => segment.process === process);
    for (const segment of mine) chain.read(segment, segment === mine.at(-1));
    chain.finish(heads.filter((head) => head.process === process));
    return chain;
  });
  const sum = (count: (chain: Chain) => number): number => chains.reduce((total, chain) => total + count(chain), 0);
  const [records, sealed] = [sum((chain) => chain.records), sum((chain) => chain.sealed)];
  return {
    segments: segments.length,
    records,
    sealed,
    unsealed: records - sealed,
    problems: chains.flatMap((chain) => chain.problems),
    heads: chains.flatMap(({ process, head }) => (head === undefined ? [] : [{ process, line: head }])),
  };
}

/** The segments of one process, read in order. */
class Chain {
  readonly process: string;
  readonly problems: Problem[] = [];
  records = 0;
  sealed = 0;
  head: string | undefined;
  readonly #folder: string;
  /** Lines that are signed and in order. */
  readonly #seals = new Map<string, Checkpoint>();
  readonly #lines = new Set<string>();
  readonly #seen = new Set<string>();
  #previous = FIRST;
  #expected = 1;

  constructor(folder: string, process: string, key: KeyObject) {
    this.#folder = folder;
    this.process = process;
    let number = 0;
    for (const { line, text, problem } of readCheckpoints(folder, process, key)) {
      number++;
      this.head = hash('sha256', text, 'hex');
      this.#lines.add(this.head);
      if (problem !== undefined) this.#say(checkpointFile(process), `line ${number} ${problem}`);
      else if (line && this.#seals.has(line.segment)) this.#say(line.segment, 'this segment was sealed twice');
      else if (line) this.#seals.set(line.segment, line);
    }
  }

  read({ name, number }: Segment, last: boolean): void {
    this.#seen.add(name);
    this.#place(name, number);
    const seal = this.#seals.get(name);
    let count = 0;
    let size = 0;
    for (const { record, end } of readSegment(this.#folder, name)) {
      count++;
      size = end;
      this.#link(name, record, count);
      this.#previous = hashOf(record);
    }
    this.records += count;
    const rest = statSync(join(this.#folder, name)).size - size;
    if (rest > 0) this.#behind(name, count, size, rest, last && !seal);
    if (seal) this.#check(name, seal, count, size);
    else if (!last) this.#say(name, 'this segment has no valid seal although there is a later one');
  }

  /** Segments that were sealed and are not there any more, and checkpoint lines that a witness has seen. */
  finish(heads: readonly Head[]): void {
    for (const name of this.#seals.keys()) {
      if (!this.#seen.has(name) && !existsSync(join(this.#folder, name))) {
        this.#say(name, 'this segment was sealed and is missing');
      }
    }
    for (const { line } of heads) {
      if (!this.#lines.has(line)) this.#say(checkpointFile(this.process), `the line ${line} was here and is missing`);
    }
  }

  #place(name: string, number: number): void {
    const missing = number - this.#expected;
    if (missing > 0) {
      this.#say(
        name,
        missing === 1 ? 'the segment before this one is missing' : `${missing} segments before this one are missing`,
      );
      // Its seal still tells how the missing one ended, so that this one can be checked.
      const before = this.#seals.get(segmentName(this.process, number - 1));
      if (before) this.#previous = before.hash;
    }
    this.#expected = number + 1;
  }

  #link(name: string, record: Buffer, count: number): void {
    const parts = decode(record);
    if (!parts) return this.#say(name, 'this record is damaged', count);
    if (parts.previous.toString('hex') !== this.#previous) {
      this.#say(name, 'this record does not follow the one before it: one of them was changed', count);
    }
    if (parts.header.subarray(0, RECOVERED.length).equals(RECOVERED)) this.#recovered(parts.header);
  }

  /** Damage that a start of the gateway found is not forgotten because it could go on behind it. */
  #recovered(text: Buffer): void {
    const header = parseHeader(text);
    if (header?.k !== 'journal.recovered' || !header.damaged) return;
    const { segment, cut } = header;
    this.#say(segment, `${cut} bytes with whole records among them were damaged; a start put them into ${segment}.cut`);
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

const RECOVERED = Buffer.from('{"k":"journal.recovered"');

function readEnd(path: string, from: number, length: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(file, bytes, 0, length, from));
  } finally {
    closeSync(file);
  }
}

/** The report in words. */
export function describeReport(report: Report): string {
  const { problems, records, segments, sealed, unsealed } = report;
  const lines = problems.map(
    ({ segment, record, message }) => `${segment}${record === undefined ? '' : `, record ${record}`}: ${message}`,
  );
  const counts = `${counted(records, 'record')} in ${counted(segments, 'segment')}: ${sealed} sealed and signed, ${unsealed} not sealed`;
  const verdict = problems.length === 0 ? 'No change was found.' : `${counted(problems.length, 'problem')} found.`;
  return [...lines, counts, verdict].join('\n');
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
