/**
 * The journal of one process: append, commit, seal, remove. Owns: the segment that is written. Does not: sign (signer.ts), read
 * back (range.ts, replay.ts).
 */
import { closeSync, fdatasyncSync, mkdirSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { sealOf } from './checkpoint.js';
import { JournalError } from './errors.js';
import type { RecordHeader } from './events.js';
import { type Write, syncFolder, syncLater, writeAll } from './files.js';
import { FIRST, MAX_RECORD_BYTES, sizeBound } from './format.js';
import { type Head, isHead } from './head.js';
import { lock } from './lock.js';
import type { JournalPosition } from './range.js';
import { RecordBuffer } from './record-buffer.js';
import { cutTail } from './recovery.js';
import { checkFile, cutBack, putBack } from './segment-file.js';
import { listSegments, segmentName, segmentOf, sizeOf } from './segments.js';
import { type Position, Signer } from './signer.js';

export type { Position } from './signer.js';

export interface JournalOptions {
  readonly folder: string;
  /** Names this writer's chain, where several processes share a folder. Letters, digits, `.`, `_` and `-`. */
  readonly process?: string;
  /** 'process': a commit survives the end of the process. 'disk': it survives the loss of power. */
  readonly durability?: 'process' | 'disk';
  /** A segment is sealed and signed when it has this many bytes, */
  readonly segmentBytes?: number;
  /** or when it is this old. Milliseconds. */
  readonly segmentAge?: number;
  /** What was written is signed at least this often, by `tend`. Milliseconds. */
  readonly headAge?: number;
  /** Size of all segments at which nothing more is taken. Bytes. */
  readonly maxBytes?: number;
  readonly now?: () => number;
  /** Tests stand a failing disk in here. */
  readonly write?: Write;
}

const SEGMENT_BYTES = 64 * 1024 * 1024;
const MAX_SEGMENT_AGE_MS = 60 * 60 * 1000;
const MAX_HEAD_AGE_MS = 10 * 1000;
/** What is written is brought to the disk each time that it is so much more, while others go on: a seal has to wait for the rest alone. Bytes. */
const SYNC_BYTES = 4 * 1024 * 1024;
/** The part of its greatest size that a journal which was full must have come below. */
const FULL_AGAIN = 0.95;
/** A clock that goes back by more than this is a matter for the record, in milliseconds. */
const CLOCK_STEP_MS = 5_000;
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
  readonly #headAge: number;
  readonly #maxBytes: number;
  /** Bytes of all segments. */
  #size = 0;
  readonly #now: () => number;
  readonly #write: Write;
  readonly #signer: Signer;
  readonly #unlock: () => void;
  /** Negative between two segments, and after the end. */
  #file = -1;
  #closed = false;
  #number = 0;
  #opened = 0;
  /** Bytes and records of the current segment that are in the file. */
  #position = 0;
  #records = 0;
  /** Bytes of it that are on the disk, or on their way there, besides what a seal or a head waits for. */
  #synced = 0;
  #syncing = false;
  readonly #buffer = new RecordBuffer();
  /** Hash of the last record in the file, hex. */
  #written = FIRST;
  #failed: JournalError | undefined;
  #failedAt = 0;
  /** Records that were appended and could not be written, since the failure began. */
  #lost = 0;
  /** The clock when it was looked at last. */
  #clock = 0;
  /** What an earlier head says was here when the journal was opened, and was not; undefined: nothing was missing. */
  missing: string | undefined;

  /**
   * Opens the journal of a folder. What a killed process left unfinished is taken off the end of its last segment, which is
   * then sealed; the chain goes on in a new one, with a record of what was done, and of what is missing.
   *
   * @throws JournalError when another process writes it, or it cannot be written
   */
  constructor(options: JournalOptions) {
    this.folder = options.folder;
    this.process = options.process ?? 'gateway';
    this.#durable = options.durability === 'disk';
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.#segmentAge = options.segmentAge ?? MAX_SEGMENT_AGE_MS;
    this.#maxBytes = options.maxBytes ?? Infinity;
    this.#headAge = options.headAge ?? MAX_HEAD_AGE_MS;
    this.#now = options.now ?? Date.now;
    this.#write = options.write ?? writeSync;
    if (!PROCESS.test(this.process)) throw new JournalError(`"${this.process}" cannot be the name of a journal.`);
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
    this.#unlock = lock(this.folder, this.process);
    try {
      this.#signer = new Signer(this.folder, this.process, this.#write, this.#now);
      this.#size = sizeOf(this.folder);
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
    return this.#buffer.count;
  }

  /** Bytes of all segments, those of other processes in the folder included. */
  get size(): number {
    return this.#size;
  }

  /**
   * Removes a sealed segment because its time is over: a signed line says so for ever, and a record for now.
   *
   * @param first hash of its first record, hex
   * @throws JournalError when it was not sealed, or that cannot be written; then it stays
   */
  remove(segment: string, first: string): void {
    const seal = sealOf(this.folder, this.process, segment);
    if (!seal || this.#closed) throw new JournalError(`The segment ${segment} is not sealed, so it is not removed.`);
    const { records, bytes, hash: last } = seal;
    try {
      this.#signer.remove(seal, first);
      unlinkSync(join(this.folder, segment));
    } catch (error) {
      throw unwritable(error);
    }
    this.#size -= bytes;
    // While the journal has failed the line alone says it; room that came of this lets it go on.
    if (this.#failed) return;
    this.append(say({ k: 'journal.removed', t: this.#now(), segment, records, bytes, first, last }));
    this.commit();
  }

  /** How far it is signed. */
  get head(): Head | undefined {
    return this.#signer.head;
  }

  /** Is told of each new head, and of the signed line that it is kept as. */
  set onHead(tell: (head: Head, line: string) => void) {
    this.#signer.onHead = tell;
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
  get place(): JournalPosition {
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
    if (size > MAX_RECORD_BYTES)
      throw new JournalError(`A record of up to ${size} bytes is longer than the journal takes.`);
    this.#buffer.append(header, payload, size);
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
      if (this.#buffer.count > 0) this.#flush();
      if (this.#due()) this.#rotate();
      else if (this.#position - this.#synced >= SYNC_BYTES && !this.#syncing && !this.#durable) void this.#sync();
    } catch (error) {
      throw this.#fail(error);
    }
  }

  /**
   * What has to be done now and then, also while nothing is recorded: looks whether the file that is written is still where it
   * was, seals a segment whose time is over, and signs how far the journal has got. Never rejects; see `failed`.
   */
  async tend(): Promise<void> {
    if (this.#failed || this.#closed) return;
    try {
      checkFile(this.#path, this.#file, this.#position);
      this.#lookAtClock();
      const { position } = this;
      const isOver = (): boolean => this.#closed || position.segment !== this.position.segment;
      if (this.#due()) this.#rotate();
      else if (this.#signer.isDue(position, this.#headAge)) await this.#signer.signLater(this.#file, position, isOver);
    } catch (error) {
      this.#fail(error);
    }
  }

  /**
   * Compares the journal with a head that was kept elsewhere, and says in a record what is missing of it.
   *
   * @returns the same in words; undefined when nothing is
   */
  compare(kept: Head): string | undefined {
    const missing =
      kept.key === this.head?.key ? this.#signer.missingOf(kept) : `the key ${kept.key}, which it was signed with`;
    if (missing !== undefined) this.#sayMissing(missing, kept);
    return missing;
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
    // One that was full goes on only when there is some room, so that it does not stop again at once.
    if (this.#closed || this.#size > this.#maxBytes * FULL_AGAIN) return false;
    const [lost, since, t] = [this.#lost, this.#failedAt, this.#now()];
    try {
      if (this.#file >= 0) this.#putBack();
      if (this.#file < 0) this.#open(this.#number + 1);
      // What a failed write left, if it could not be cut off then.
      cutBack(this.#file, this.#position);
      this.#failed = undefined;
      this.append(say({ k: 'journal.resumed', t, since, lost, after: failed.message }));
      this.commit();
      fdatasyncSync(this.#file);
      this.#signer.sign(this.position, 'open');
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
        this.#signer.sign(this.position, 'closed');
      }
    } catch (error) {
      throw this.#fail(error);
    } finally {
      this.#let();
    }
  }

  #flush(): void {
    const { bytes, length, count } = this.#buffer;
    if (this.#size + length > this.#maxBytes)
      throw new Error(`it has ${this.#size} bytes, and may have no more than ${this.#maxBytes} (record.max_size)`);
    const last = this.#buffer.chain(this.#written);
    writeAll(this.#write, this.#file, bytes, length, this.#position);
    if (this.#durable) fdatasyncSync(this.#file);
    this.#position += length;
    this.#size += length;
    this.#records += count;
    this.#written = last;
    this.#buffer.clear();
  }

  /** Never rejects. The disk tells of what it has lost once: whoever is told stops all, also where the segment is sealed by then. */
  async #sync(): Promise<void> {
    const [file, number] = [this.#file, this.#number];
    this.#syncing = true;
    this.#synced = this.#position;
    try {
      // The next segment may have the descriptor's number.
      await syncLater(file, () => this.#file !== file || this.#number !== number);
    } catch (error) {
      if (!this.#closed) this.#fail(error);
    } finally {
      this.#syncing = false;
    }
  }

  /** Back to what is in the file. Returns the reason for which nothing is accepted from now on. */
  #fail(cause: unknown): JournalError {
    if (this.#failed) return this.#failed;
    this.#lost += this.#buffer.count;
    this.#failedAt = this.#now();
    this.#buffer.clear();
    try {
      if (this.#file >= 0) cutBack(this.#file, this.#position);
    } catch {
      // `retry` cuts it before anything is appended, and so does the next start.
    }
    this.#failed = unwritable(cause);
    return this.#failed;
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
    this.#signer.seal(this.position);
  }

  get #path(): string {
    return join(this.folder, this.position.segment);
  }

  /** The file that is written is where it has to be again; or, where its content is gone, its seal says what was there. */
  #putBack(): void {
    const file = putBack(this.#path, this.#file, this.#position);
    if (file !== undefined) this.#file = file;
    else {
      this.#seal();
      this.#release();
    }
  }

  #lookAtClock(): void {
    const [before, t] = [this.#clock, this.#now()];
    this.#clock = t;
    if (t >= before - CLOCK_STEP_MS) return;
    this.append(say({ k: 'journal.clock', t, before }));
    this.commit();
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
    this.#synced = 0;
    syncFolder(this.folder);
    // Before anything is in it: a segment that no head knows was not written here.
    this.#signer.sign(this.position, 'open');
  }

  /** Finishes the last segment if nobody sealed it. A sealed one is never touched, whatever has become of its file. */
  #recover(): void {
    const before = this.#signer.readHead();
    const head = isHead(before) ? before : undefined;
    const missing = head && this.#signer.missingOf(head);
    const { sealed: seal } = this.#signer;
    const sealed = (seal && segmentOf(seal.segment)?.number) ?? 0;
    if (seal) this.#written = seal.hash;
    const tail = listSegments(this.folder, this.process).at(-1);
    if (!tail || tail.number <= sealed) this.#open(Math.max(sealed, numberOf(head)) + 1);
    else this.#adopt(tail.name, tail.number, sealed, head);
    if (before === 'unsigned') this.#sayMissing('the signature of the head');
    else if (missing !== undefined) this.#sayMissing(missing, head);
  }

  /** Takes over a segment that was not sealed, and says in the next one what was taken off it, and what nobody had signed. */
  #adopt(name: string, number: number, sealed: number, head: Head | undefined): void {
    this.#file = openSync(join(this.folder, name), 'r+');
    this.#number = number;
    this.#opened = this.#now();
    const tail = cutTail(this.folder, name, this.#file, this.#written, number === sealed + 1);
    this.#written = tail.hash;
    this.#position = tail.bytes;
    this.#records = tail.records;
    const unsigned = tail.records - (head?.segment === name ? head.records : 0);
    if (this.#records > 0) this.#rotate();
    else this.#signer.sign(this.position, 'open');
    const t = this.#now();
    if (tail.cut) this.append(say({ k: 'journal.recovered', t, segment: name, ...tail.cut }));
    if (head && unsigned > 0) {
      const expected = head.segment === name && head.state === 'open';
      this.append(say({ k: 'journal.adopted', t, segment: name, records: unsigned, since: head.at, expected }));
    }
    this.commit();
  }

  #sayMissing(missing: string, head?: Head): void {
    this.missing = missing;
    const t = this.#now();
    this.append(say({ k: 'journal.missing', t, what: missing, ...(head && { signed: head.at }) }));
    this.commit();
  }
}

const numberOf = (head: Head | undefined): number => (head && segmentOf(head.segment)?.number) ?? 0;

const say = (header: RecordHeader): string => JSON.stringify(header);

const unwritable = (cause: unknown): JournalError =>
  new JournalError(`The journal cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`, {
    cause,
  });
