import type { KeyObject } from 'node:crypto';
import { closeSync, fdatasyncSync, fstatSync, ftruncateSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { appendCheckpoint, isSealed, openKey } from './checkpoint.js';
import { FIRST, decode, encode, hashOf, sizeBound } from './format.js';
import { lock } from './lock.js';
import { listSegments, readSegment, segmentName } from './segments.js';

/** The journal could not be written. Nothing may run until it can. */
export class JournalError extends Error {
  override readonly name = 'JournalError';
}

export interface JournalOptions {
  readonly folder: string;
  /** Names this writer's chain, where several processes share a folder. */
  readonly process?: string;
  /** 'process': a commit survives the end of the process. 'disk': it survives the loss of power. */
  readonly durability?: 'process' | 'disk';
  /** A segment is sealed and signed when it has this many bytes. */
  readonly segmentBytes?: number;
  /** Tests stand a failing disk in here. */
  readonly write?: typeof writeSync;
}

const INITIAL_BUFFER = 256 * 1024;

/**
 * The record: append-only segments in which each record carries the hash of the one before it. `append` buffers, `commit`
 * writes: the caller commits at the end of an event-loop turn and only then lets the commands take effect.
 */
export class Journal {
  readonly folder: string;
  readonly process: string;
  readonly #durable: boolean;
  readonly #segmentBytes: number;
  readonly #write: typeof writeSync;
  readonly #key: KeyObject;
  readonly #unlock: () => void;
  #file = -1;
  #number = 0;
  /** Bytes and records of the current segment that are in the file. */
  #position = 0;
  #records = 0;
  #buffer = Buffer.allocUnsafe(INITIAL_BUFFER);
  #buffered = 0;
  #pending = 0;
  /** Hash of the last record: in the file, and in the buffer. */
  #written: Buffer = FIRST;
  #last: Buffer = FIRST;
  #failed: JournalError | undefined;

  /** Opens the journal of a folder; what a killed process left unfinished is cut back to the last whole record. */
  constructor(options: JournalOptions) {
    this.folder = options.folder;
    this.process = options.process ?? 'gateway';
    this.#durable = options.durability === 'disk';
    this.#segmentBytes = options.segmentBytes ?? 64 * 1024 * 1024;
    this.#write = options.write ?? writeSync;
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    this.#unlock = lock(this.folder, this.process);
    try {
      this.#key = openKey(this.folder);
      this.#recover();
    } catch (error) {
      this.#unlock();
      throw error;
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

  /** Buffers a record. `header` is a JSON object as text; the bytes of `payload` are copied. */
  append(header: string, payload: readonly Uint8Array[] = NONE): void {
    if (this.#failed) throw this.#failed;
    const needed = this.#buffered + sizeBound(header, payload);
    if (needed > this.#buffer.length) this.#grow(needed);
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
    if (this.#pending === 0) return;
    try {
      for (let from = 0; from < this.#buffered; ) {
        const written = this.#write(this.#file, this.#buffer, from, this.#buffered - from, this.#position + from);
        if (written === 0) throw new Error('the file system accepts no more bytes');
        from += written;
      }
      if (this.#durable) fdatasyncSync(this.#file);
    } catch (error) {
      throw this.#fail(error);
    }
    this.#position += this.#buffered;
    this.#records += this.#pending;
    this.#written = this.#last;
    this.#clear();
    if (this.#position >= this.#segmentBytes) this.#rotate();
  }

  /** Tries to write again after a failure. True: the journal works, and says in a record how long it did not. */
  retry(now = Date.now()): boolean {
    const failed = this.#failed;
    if (!failed) return true;
    this.#failed = undefined;
    try {
      this.append(JSON.stringify({ k: 'journal.resumed', t: now, after: failed.message }));
      this.commit();
      return true;
    } catch {
      return false;
    }
  }

  /** Seals the last segment and lets go of the folder. */
  close(): void {
    if (this.#file < 0) return;
    try {
      if (!this.#failed) {
        this.commit();
        this.#seal();
      }
    } finally {
      closeSync(this.#file);
      this.#file = -1;
      this.#unlock();
    }
  }

  #fail(cause: unknown): JournalError {
    this.#last = this.#written;
    this.#clear();
    try {
      ftruncateSync(this.#file, this.#position);
    } catch {
      // The next start cuts the same tail; until then nothing is appended after it, since retry writes at #position.
    }
    this.#failed = new JournalError(`The journal cannot be written: ${(cause as Error).message}`, { cause });
    return this.#failed;
  }

  #clear(): void {
    this.#buffered = 0;
    this.#pending = 0;
    if (this.#buffer.length > INITIAL_BUFFER * 16) this.#buffer = Buffer.allocUnsafe(INITIAL_BUFFER);
  }

  #grow(needed: number): void {
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#buffered);
    this.#buffer = larger;
  }

  #rotate(): void {
    try {
      this.#seal();
      closeSync(this.#file);
      this.#open(this.#number + 1);
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #seal(): void {
    fdatasyncSync(this.#file);
    appendCheckpoint(this.folder, this.process, this.#key, {
      segment: segmentName(this.process, this.#number),
      records: this.#records,
      bytes: this.#position,
      hash: this.#written.toString('hex'),
      sealed: new Date().toISOString(),
    });
  }

  #open(number: number): void {
    this.#file = openSync(join(this.folder, segmentName(this.process, number)), 'wx', 0o600);
    this.#number = number;
    this.#position = 0;
    this.#records = 0;
  }

  /** Finishes the last segment as it was left, seals it if nobody did, and starts the next. */
  #recover(): void {
    const last = listSegments(this.folder, this.process).at(-1);
    if (!last) return this.#open(1);
    const path = join(this.folder, last.name);
    this.#file = openSync(path, 'r+');
    this.#number = last.number;
    const { size } = fstatSync(this.#file);
    for (const { record, end } of readSegment(this.folder, last.name)) {
      const { previous } = decode(record) ?? {};
      if (this.#records > 0 && !previous?.equals(this.#written)) break;
      if (this.#records === 0 && previous) this.#written = Buffer.from(previous);
      this.#written = hashOf(record);
      this.#position = end;
      this.#records++;
    }
    const cut = size - this.#position;
    if (cut > 0) ftruncateSync(this.#file, this.#position);
    this.#last = this.#written;
    if (this.#records === 0 && last.number > 1) this.#last = this.#written = this.#endOf(last.number - 1);
    if (!isSealed(this.folder, this.process, last.name)) this.#seal();
    closeSync(this.#file);
    this.#open(last.number + 1);
    if (cut > 0) {
      this.append(JSON.stringify({ k: 'journal.recovered', t: Date.now(), segment: last.name, cut }));
      this.commit();
    }
  }

  /** The hash that an empty segment has to continue from. */
  #endOf(number: number): Buffer {
    let end: Buffer = FIRST;
    for (const { record } of readSegment(this.folder, segmentName(this.process, number))) end = hashOf(record);
    return end;
  }
}

const NONE: readonly Uint8Array[] = [];
