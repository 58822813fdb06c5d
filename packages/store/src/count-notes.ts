/**
 * Counts that the store does not have yet, so that a process that is killed forgets none. Owns: two files of lines that take turns, of which
 * one is emptied when the store has all that is in it. Does not: count (packages/budgets), or survive a machine that loses power.
 */
import { closeSync, existsSync, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { CountRecord } from './counts.js';

/** Of one file. A store that cannot be written for so long that it is full has nothing more counted. */
const MAX_NOTES_BYTES = 16 * 1024 * 1024;

export class CountNotes {
  /** Negative once it is closed: a number that is in use again must never be written to. */
  readonly #files: number[];
  readonly #left: readonly CountRecord[];
  #sizes: number[];
  /** Which of the two is written to. */
  #at = 0;
  /** The other one has what the store does not have. */
  #isBehind: boolean;

  private constructor(paths: readonly string[]) {
    this.#left = paths.flatMap((path) => (existsSync(path) ? recordsIn(readFileSync(path, 'utf8')) : []));
    this.#files = paths.map((path) => openSync(path, 'a', 0o600));
    this.#sizes = this.#files.map((file) => fstatSync(file).size);
    this.#isBehind = this.#sizes[1] !== 0;
  }

  /** Opens, or makes, the files. Throws where they cannot be written. */
  static open(path: string): CountNotes {
    return new CountNotes([`${path}.0`, `${path}.1`]);
  }

  /** What was noted before the process began; of one count the largest is true. */
  left(): readonly CountRecord[] {
    return this.#left;
  }

  /** Written before it returns. False: it cannot be, or there is too much. */
  add(record: CountRecord): boolean {
    return this.addAll([record]);
  }

  /** The same of several; those of which it is false may have been written. */
  addAll(records: readonly CountRecord[]): boolean {
    const file = this.#files[this.#at] as number;
    // The break stands before it: one that a full disk has cut spoils no other.
    const lines = Buffer.from(
      records.map(({ owner, what, hour, amount }) => `\n${JSON.stringify([owner, what, hour, amount])}`).join(''),
    );
    const size = (this.#sizes[this.#at] as number) + lines.length;
    if (size > MAX_NOTES_BYTES) return false;
    try {
      if (writeSync(file, lines) < lines.length) return false;
    } catch {
      return false;
    }
    this.#sizes[this.#at] = size;
    return true;
  }

  /**
   * The store is about to be given all that was noted so far. Returns what to call when it has it; what is noted meanwhile is kept. While an
   * earlier attempt has not succeeded, both files are kept.
   */
  saving(): () => void {
    if (!this.#isBehind) {
      this.#at = 1 - this.#at;
      this.#isBehind = true;
    }
    const behind = 1 - this.#at;
    return () => {
      // What was noted since went to the other one.
      if (!this.#empty(behind)) return;
      this.#isBehind = false;
    };
  }

  #empty(which: number): boolean {
    try {
      ftruncateSync(this.#files[which] as number, 0);
      this.#sizes[which] = 0;
      return true;
    } catch {
      return false;
    }
  }

  close(): void {
    for (const at of [0, 1]) {
      closeSync(this.#files[at] as number);
      this.#files[at] = -1;
    }
  }
}

/** The last line may be cut: nothing was let through by it. */
function recordsIn(text: string): CountRecord[] {
  return text.split('\n').flatMap((line) => {
    if (line === '') return [];
    try {
      const [owner, what, hour, amount] = JSON.parse(line) as [string, string, number, number];
      return [{ owner, what, hour, amount }];
    } catch {
      return [];
    }
  });
}
