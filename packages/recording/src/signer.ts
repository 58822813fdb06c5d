/** Signs what one process has written. Owns: the key, and what was signed last. Does not: when (journal.ts). */
import type { KeyObject } from 'node:crypto';
import { type Checkpoint, appendCheckpoint, lastCheckpoint, openKey } from './checkpoint.js';
import { type Write, syncLater } from './files.js';
import { type UnplacedHead, type Head, discardDrafts, draftHead, draftHeadLater, readHead } from './head.js';
import { missingOf } from './recovery.js';

/** How far a journal has got: the current segment, and what of it is in the file. */
export interface Position {
  readonly segment: string;
  readonly records: number;
  readonly bytes: number;
  /** Hash of the last record in the file, hex. */
  readonly hash: string;
}

/**
 * Signs what one process has written: seals and removals in the checkpoint, and the head. Lives here: the key and what was
 * signed last. Does not: when, and whether it is on the disk by then, except where it says so.
 */
export class Signer {
  /** Is told of each new head, and of the signed line that it is kept as. */
  onHead: ((head: Head, line: string) => void) | undefined;
  readonly #folder: string;
  readonly #process: string;
  readonly #key: KeyObject;
  readonly #write: Write;
  readonly #now: () => number;
  #head: Head | undefined;
  #signedAt = 0;
  /** Hash of the last line of the checkpoint. */
  #line: string;
  /** The last segment that was sealed, as the checkpoint had it when this was made. */
  readonly sealed: Checkpoint | undefined;
  #busy = false;

  constructor(folder: string, process: string, write: Write, now: () => number) {
    this.#folder = folder;
    this.#process = process;
    this.#write = write;
    this.#now = now;
    this.#key = openKey(folder);
    discardDrafts(folder, process);
    const { seal, line } = lastCheckpoint(folder, process);
    this.sealed = seal;
    this.#line = line;
  }

  /** What was signed last; it was on the disk by then. */
  get head(): Head | undefined {
    return this.#head;
  }

  /** The head that the process before this one left. */
  readHead(): ReturnType<typeof readHead> {
    return readHead(this.#folder, this.#process, this.#key);
  }

  /** What of a head is not there, in words; undefined: nothing. */
  missingOf(head: Head): string | undefined {
    return missingOf(this.#folder, this.#key, head);
  }

  seal({ segment, records, bytes, hash }: Position): void {
    this.#append({ segment, records, bytes, hash, sealed: this.#time() });
  }

  /** `first`: hash of the first record of what goes, hex. */
  remove({ segment, records, bytes, hash, sealed }: Checkpoint, first: string): void {
    this.#append({ removed: segment, records, bytes, first, hash, sealed, at: this.#time() });
  }

  /** Signs what the caller knows to be on the disk. */
  sign(position: Position, state: Head['state']): void {
    this.#place(draftHead(this.#folder, this.#key, this.#headOf(position, state)));
  }

  /** Whether something else than this was signed last, and that long enough ago (milliseconds). */
  isDue({ hash }: Position, age: number): boolean {
    const same = this.#head?.hash === hash && this.#head.line === this.#line;
    return !same && !this.#busy && this.#now() - this.#signedAt >= age;
  }

  /**
   * Signs a position once it is on the disk, while others go on.
   *
   * @param isOver whether the file is another one by now, which is signed already
   */
  async signLater(file: number, position: Position, isOver: () => boolean): Promise<void> {
    this.#busy = true;
    const head = this.#headOf(position, 'open');
    try {
      await syncLater(file, isOver);
    } catch (error) {
      this.#busy = false;
      throw error;
    }
    try {
      const draft = await draftHeadLater(this.#folder, this.#key, head);
      if (isOver()) draft.discard();
      else this.#place(draft);
    } catch (error) {
      if (!isOver()) throw error;
    } finally {
      this.#busy = false;
    }
  }

  #append(line: Parameters<typeof appendCheckpoint>[3]): void {
    this.#line = appendCheckpoint(this.#folder, this.#process, this.#key, line, this.#write);
  }

  #place(draft: UnplacedHead): void {
    draft.place();
    this.#head = draft.head;
    this.#signedAt = this.#now();
    this.onHead?.(draft.head, draft.line);
  }

  #headOf(position: Position, state: Head['state']): Omit<Head, 'key'> {
    return { process: this.#process, ...position, line: this.#line, at: this.#time(), state };
  }

  #time(): string {
    return new Date(this.#now()).toISOString();
  }
}
