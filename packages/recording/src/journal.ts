import { type KeyObject, hash } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { appendCheckpoint, lastCheckpoint, openKey } from './checkpoint.js';
import { JournalError } from './errors.js';
import type { Header } from './events.js';
import { type Write, syncFolder, writeAll } from './files.js';
import { FIRST, LONGEST, decode, encode, hashOf, holdsRecord, sizeBound } from './format.js';
import { lock } from './lock.js';
import type { Place } from './range.js';
import { type Segment, listSegments, readSegment, segmentName, segmentOf } from './segments.js';

export interface JournalOptions {
  readonly folder: string;
  /** Names this writer's chain, where several processes share a folder. Letters, digits, `.`, `_` and `-`. */
  readonly process?: string;
  /** 'process': a commit survives the end of the process. 'disk': it survives the loss of power. */
  readonly durability?: 'process' | 'disk';
  /** A segment is sealed and signed when it has this many bytes, */
  readonly segmentBytes?: number;
  /** or, at the next commit, when it is this old. Milliseconds. */
  readonly segmentAge?: number;
  readonly now?: () => number;
  /** Tests stand a failing disk in here. */
  readonly write?: Write;
}

/** How far a journal has got: the current segment, and what of it is in the file. */
export interface Position {
  readonly segment: string;
  readonly records: number;
  readonly bytes: number;
  /** Hash of the last record in the file, hex. */
  readonly hash: string;
}

const INITIAL_BUFFER = 256 * 1024;
/** A buffer that grew beyond this for one large turn is given back after it. */
const KEPT_BUFFER = 16 * INITIAL_BUFFER;
const SEGMENT_BYTES = 64 * 1024 * 1024;
const SEGMENT_AGE = 60 * 60 * 1000;
const PROCESS = /^[A-Za-z0-9][\w.-]*$/;
const NONE: readonly Uint8Array[] = [];

/**
 * The record: append-only segments in which each record carries the hash of the one before it. `append` buffers, `commit`
 * writes: the caller commits at the end of an event-loop turn and only then lets the commands take effect.
 */
export class Journal {
  readonly folder: string;
  readonly process: string;
  readonly #durable: boolean;
  readonly #segmentBytes: number;
  readonly #segmentAge: number;
  readonly #now: () => number;
  readonly #write: Write;
  readonly #key: KeyObject;
  readonly #unlock: () => void;
  /** Negative between two segments, and after the end. */
  #file = -1;
  #closed = false;
  #number = 0;
  #opened = 0;
  /** Bytes and records of the current segment that are in the file. */
  #position = 0;
  #records = 0;
  #buffer = Buffer.allocUnsafe(INITIAL_BUFFER);
  #buffered = 0;
  #pending = 0;
  /** Hash of the last record, hex: in the file, and in the buffer. */
  #written = FIRST;
  #last = FIRST;
  #failed: JournalError | undefined;
  #failedAt = 0;
  /** Records that were appended and could not be written, since the failure began. */
  #lost = 0;

  /**
   * Opens the journal of a folder. What a killed process left unfinished is taken off the end of its last segment, which is
   * then sealed; the chain goes on in a new one, with a record of what was done.
   *
   * @throws JournalError when another process writes it, or it cannot be written
   */
  constructor(options: JournalOptions) {
    this.folder = options.folder;
    this.process = options.process ?? 'gateway';
    this.#durable = options.durability === 'disk';
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.#segmentAge = options.segmentAge ?? SEGMENT_AGE;
    this.#now = options.now ?? Date.now;
    this.#write = options.write ?? writeSync;
    if (!PROCESS.test(this.process)) throw new JournalError(`"${this.process}" cannot be the name of a journal.`);
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    this.#unlock = lock(this.folder, this.process);
    try {
      this.#key = openKey(this.folder);
      this.#recover();
    } catch (error) {
      this.#let();
      throw error instanceof JournalError ? error : unwritable(error);
    }
  }

  /** Why nothing can be recorded, while that is so. */
  get failed(): JournalError | undefined {
    return this.#failed;
  }

  /** Records that were appended and not yet committed. */
  get pending(): number {
    return this.#pending;
  }

  get position(): Position {
    return {
      segment: segmentName(this.process, this.#number),
      records: this.#records,
      bytes: this.#position,
      hash: this.#written,
    };
  }

  /** Where the file ends. What is appended before the next commit follows there. */
  get place(): Place {
    return { segment: this.#number, offset: this.#position };
  }

  /**
   * Buffers a record; nothing is on disk before `commit`.
   *
   * @param header a JSON object as text, its kind `k` first
   * @param payload bytes that are kept as they are; they are copied
   * @throws JournalError while the journal has failed, or when no reader would take a record this long
   */
  append(header: string, payload: readonly Uint8Array[] = NONE): void {
    if (this.#failed) throw this.#failed;
    if (this.#closed) throw new JournalError('The journal is closed.');
    const size = sizeBound(header, payload);
    if (size > LONGEST) throw new JournalError(`A record of up to ${size} bytes is longer than the journal takes.`);
    if (this.#buffered + size > this.#buffer.length) this.#grow(this.#buffered + size);
    const end = encode(this.#buffer, this.#buffered, this.#last, header, payload);
    this.#last = hashOf(this.#buffer.subarray(this.#buffered, end));
    this.#buffered = end;
    this.#pending++;
  }

  /**
   * Writes what was appended, in one write.
   *
   * @throws JournalError when it cannot. The file is then cut back to the last whole record, and the appended records
   *   are gone: what they stand for must not happen. Until `retry` succeeds nothing more is accepted.
   */
  commit(): void {
    if (this.#failed) throw this.#failed;
    if (this.#closed) throw new JournalError('The journal is closed.');
    try {
      if (this.#pending > 0) this.#flush();
      if (this.#due()) this.#rotate();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Seals and signs the current segment now, unless it is empty, and goes on in a new one. Throws as `commit` does. */
  seal(): void {
    this.commit();
    if (this.#records === 0) return;
    try {
      this.#rotate();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /** Tries to write again after a failure. True: the journal works, and says in a record what it could not take. */
  retry(): boolean {
    const failed = this.#failed;
    if (!failed) return true;
    if (this.#closed) return false;
    const [lost, since, t] = [this.#lost, this.#failedAt, this.#now()];
    try {
      if (this.#file < 0) this.#open(this.#number + 1);
      // What a failed write left, if it could not be cut off then.
      ftruncateSync(this.#file, this.#position);
      this.#failed = undefined;
      this.append(say({ k: 'journal.resumed', t, since, lost, after: failed.message }));
      this.commit();
    } catch (error) {
      // The attempt's own record is none of those that were lost.
      this.#failed ??= unwritable(error);
      [this.#lost, this.#failedAt] = [lost, since];
      return false;
    }
    this.#lost = 0;
    return true;
  }

  /** Commits, seals the last segment and lets go of the folder. Throws as `commit` does, and has let go of it even then. */
  close(): void {
    if (this.#closed) return;
    try {
      if (!this.#failed) {
        this.commit();
        if (this.#records > 0) this.#seal();
      }
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#let();
    }
  }

  #flush(): void {
    writeAll(this.#write, this.#file, this.#buffer, this.#buffered, this.#position);
    if (this.#durable) fdatasyncSync(this.#file);
    this.#position += this.#buffered;
    this.#records += this.#pending;
    this.#written = this.#last;
    this.#clear();
  }

  /** Back to what is in the file. Returns the reason for which nothing is accepted from now on. */
  #fail(cause: unknown): JournalError {
    if (this.#failed) return this.#failed;
    this.#lost += this.#pending;
    this.#failedAt = this.#now();
    this.#last = this.#written;
    this.#clear();
    try {
      if (this.#file >= 0) ftruncateSync(this.#file, this.#position);
    } catch {
      // `retry` cuts it before anything is appended, and so does the next start.
    }
    this.#failed = unwritable(cause);
    return this.#failed;
  }

  #clear(): void {
    this.#buffered = 0;
    this.#pending = 0;
    if (this.#buffer.length > KEPT_BUFFER) this.#buffer = Buffer.allocUnsafe(INITIAL_BUFFER);
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#buffered);
    this.#buffer = larger;
  }

  #due(): boolean {
    return (
      this.#records > 0 && (this.#position >= this.#segmentBytes || this.#now() - this.#opened >= this.#segmentAge)
    );
  }

  /** Seal first, then open: a segment that is not the last one is therefore always sealed. */
  #rotate(): void {
    this.#seal();
    this.#release();
    this.#open(this.#number + 1);
  }

  #seal(): void {
    fdatasyncSync(this.#file);
    const { segment, records, bytes, hash: last } = this.position;
    const sealed = new Date(this.#now()).toISOString();
    appendCheckpoint(
      this.folder,
      this.process,
      this.#key,
      { segment, records, bytes, hash: last, sealed },
      this.#write,
    );
  }

  /** The descriptor is forgotten before it is closed: a number that is in use again must never be written to. */
  #release(): void {
    const file = this.#file;
    this.#file = -1;
    if (file >= 0) closeSync(file);
  }

  #let(): void {
    this.#closed = true;
    this.#release();
    this.#unlock();
  }

  #open(number: number): void {
    this.#file = openSync(join(this.folder, segmentName(this.process, number)), 'wx+', 0o600);
    this.#number = number;
    this.#opened = this.#now();
    this.#position = 0;
    this.#records = 0;
    syncFolder(this.folder);
  }

  /** Finishes the last segment if nobody sealed it. A sealed one is never touched, whatever has become of its file. */
  #recover(): void {
    const seal = lastCheckpoint(this.folder, this.process);
    const sealed = (seal && segmentOf(seal.segment)?.number) ?? 0;
    if (seal) this.#written = this.#last = seal.hash;
    const tail = listSegments(this.folder, this.process).at(-1);
    if (!tail || tail.number <= sealed) return this.#open(sealed + 1);
    const cut = this.#resume(tail, tail.number === sealed + 1);
    if (this.#records > 0) this.#rotate();
    if (cut) {
      this.append(say({ k: 'journal.recovered', t: this.#now(), segment: tail.name, ...cut }));
      this.commit();
    }
  }

  /**
   * Opens a segment that was not sealed and takes off what does not belong to its chain. That is kept in a file beside it:
   * a write that was cut short is the usual cause, and must not be a way to make damage disappear.
   *
   * @param follows whether the segment before it is the last sealed one, so that its end is known
   */
  #resume(segment: Segment, follows: boolean): { cut: number; sha256: string; damaged: boolean } | undefined {
    const path = join(this.folder, segment.name);
    this.#file = openSync(path, 'r+');
    this.#number = segment.number;
    this.#opened = this.#now();
    for (const { record, end } of readSegment(this.folder, segment.name)) {
      const { previous } = decode(record) ?? {};
      const first = this.#records === 0 && !follows;
      if (!previous || !(first || previous.toString('hex') === this.#written)) break;
      this.#written = hashOf(record);
      this.#position = end;
      this.#records++;
    }
    this.#last = this.#written;
    const rest = Buffer.alloc(fstatSync(this.#file).size - this.#position);
    if (rest.length === 0) return undefined;
    readSync(this.#file, rest, 0, rest.length, this.#position);
    appendFileSync(`${path}.cut`, rest, { mode: 0o600, flush: true });
    ftruncateSync(this.#file, this.#position);
    return { cut: rest.length, sha256: hash('sha256', rest, 'hex'), damaged: holdsRecord(rest) };
  }
}

const say = (header: Header): string => JSON.stringify(header);

const unwritable = (cause: unknown): JournalError =>
  new JournalError(`The journal cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, {
    cause,
  });
