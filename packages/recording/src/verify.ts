import type { KeyObject } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Checkpoint, readCheckpoints, readPublicKey } from './checkpoint.js';
import { FIRST, decode, hashOf } from './format.js';
import { listSegments, readSegment } from './segments.js';

/** What can be said of a journal. `problems` empty: everything up to the last signed checkpoint is as it was written. */
export interface Report {
  readonly segments: number;
  readonly records: number;
  /** Records that a signed checkpoint vouches for. */
  readonly sealed: number;
  /** Records after the last checkpoint: chained, and not signed yet. */
  readonly unsealed: number;
  readonly problems: readonly Problem[];
}

export interface Problem {
  readonly segment: string;
  /** From 1; absent when it is about the segment as a whole. */
  readonly record?: number;
  readonly message: string;
}

/**
 * Reads the whole journal of a folder and checks every link of the chain, every seal and every signature.
 *
 * @param key the public key to trust; by default the one that lies in the folder, which a forger could have replaced
 */
export function verify(folder: string, key?: KeyObject): Report {
  const trusted = key ?? readPublicKey(folder);
  const problems: Problem[] = [];
  let records = 0;
  let sealed = 0;
  const segments = listSegments(folder);
  const processes = new Set([...segments.map((one) => one.process), ...checkpointed(folder)]);
  for (const process of processes) {
    const chain = new Chain(folder, process, trusted, problems);
    for (const segment of segments) if (segment.process === process) chain.read(segment.number, segment.name);
    chain.finish();
    records += chain.records;
    sealed += chain.sealed;
  }
  return { segments: segments.length, records, sealed, unsealed: records - sealed, problems };
}

class Chain {
  records = 0;
  sealed = 0;
  readonly #folder: string;
  readonly #problems: Problem[];
  readonly #seals: Map<string, Checkpoint>;
  readonly #lastSealed: string | undefined;
  #previous: Buffer = FIRST;
  #expected = 1;

  constructor(folder: string, process: string, key: KeyObject, problems: Problem[]) {
    this.#folder = folder;
    this.#problems = problems;
    const lines = readCheckpoints(folder, process, key);
    for (const { line, problem } of lines) {
      if (problem)
        problems.push({ segment: line.segment || `${process}.checkpoint`, message: `checkpoint: ${problem}` });
    }
    this.#seals = new Map(lines.map(({ line }) => [line.segment, line]));
    this.#lastSealed = lines.at(-1)?.line.segment;
  }

  read(number: number, name: string): void {
    if (number !== this.#expected) {
      const missing = number - this.#expected;
      this.#say(
        name,
        missing > 0 ? `${missing} segment(s) before this one are missing` : 'this segment is out of order',
      );
    }
    this.#expected = number + 1;
    const seal = this.#seals.get(name);
    this.#seals.delete(name);
    let count = 0;
    let size = 0;
    for (const { record, end } of readSegment(this.#folder, name)) {
      count++;
      size = end;
      const parts = decode(record);
      if (!parts) this.#say(name, 'this record is damaged', count);
      else if (!parts.previous.equals(this.#previous))
        this.#say(name, 'this record does not follow the one before it: one of them was changed', count);
      this.#previous = hashOf(record);
    }
    this.records += count;
    if (seal) this.#check(name, seal, count, size);
    else if (this.#lastSealed !== undefined && name < this.#lastSealed)
      this.#say(name, 'this segment has no seal although a later one has');
    const rest = statSync(join(this.#folder, name)).size - size;
    if (rest > 0 && seal) this.#say(name, `${rest} bytes behind the last record of a sealed segment`);
  }

  /** Segments that were sealed and are not there any more. */
  finish(): void {
    for (const name of this.#seals.keys()) this.#say(name, 'this segment was sealed and is missing');
  }

  #check(name: string, seal: Checkpoint, count: number, size: number): void {
    this.sealed += Math.min(count, seal.records);
    if (count !== seal.records || size !== seal.bytes) {
      this.#say(name, `the seal says ${seal.records} records in ${seal.bytes} bytes, there are ${count} in ${size}`);
    } else if (count > 0 && this.#previous.toString('hex') !== seal.hash) {
      this.#say(name, 'the last record is not the one that was sealed', count);
    }
  }

  #say(segment: string, message: string, record?: number): void {
    this.#problems.push({ segment, message, ...(record !== undefined && { record }) });
  }
}

function checkpointed(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) =>
    name.endsWith('.checkpoint') ? [name.slice(0, -'.checkpoint'.length)] : [],
  );
}

/** The report in words. */
export function describeReport(report: Report): string {
  const lines = report.problems.map(
    ({ segment, record, message }) => `${segment}${record ? `, record ${record}` : ''}: ${message}`,
  );
  const counts = `${report.records} records in ${report.segments} segments: ${report.sealed} sealed and signed, ${report.unsealed} not sealed yet`;
  return [...lines, counts, lines.length === 0 ? 'No change was found.' : `${lines.length} problems were found.`].join(
    '\n',
  );
}
