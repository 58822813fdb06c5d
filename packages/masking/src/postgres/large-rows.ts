/**
 * Memory for rows that are longer than most. A row is masked as a whole, so it has to be kept until its last byte has
 * come: what a row may take is bounded, and so is what all of them take at one time. Does not hold the memory itself.
 */
import { tooLong, Unmaskable } from './unmaskable.js';

export interface LargeRowLimits {
  /** The longest row, in bytes. */
  readonly row: number;
  /** What rows that are long may take together, in bytes. */
  readonly together: number;
}

/** What is left for long rows, shared by all whose rows are masked. */
export class LargeRows {
  readonly longest: number;
  #left: number;
  /** Whoever is gone in the middle of a row gives nothing back by itself. */
  readonly #abandoned = new FinalizationRegistry<Taken>((taken) => this.give(taken));

  constructor({ row, together }: LargeRowLimits) {
    this.longest = row;
    this.#left = together;
  }

  watch(owner: object, taken: Taken): void {
    this.#abandoned.register(owner, taken);
  }

  /** Whether there is so much more. */
  take(taken: Taken, bytes: number): boolean {
    if (bytes > this.#left) return false;
    this.#left -= bytes;
    taken.bytes += bytes;
    return true;
  }

  give(taken: Taken): void {
    this.#left += taken.bytes;
    taken.bytes = 0;
  }
}

interface Taken {
  bytes: number;
}

/** What one answer takes of it. Up to `limit` bytes a row takes nothing. */
export class RowAllowance {
  readonly limit: number;
  readonly #shared: LargeRows | undefined;
  readonly #taken: Taken = { bytes: 0 };
  #watched = false;

  constructor(limit: number, shared?: LargeRows) {
    this.limit = limit;
    this.#shared = shared;
  }

  /**
   * A row has so many bytes, as far as is known.
   *
   * @throws Unmaskable when there is no room for it
   */
  admit(bytes: number): void {
    const shared = this.#shared;
    if (!shared || bytes > shared.longest) throw this.#refused(tooLong(shared?.longest ?? this.limit));
    if (bytes <= this.#taken.bytes) return;
    if (!this.#watched) shared.watch(this, this.#taken);
    this.#watched = true;
    if (shared.take(this.#taken, bytes - this.#taken.bytes)) return;
    throw this.#refused(
      new Unmaskable('ROW_TOO_LONG', 'other long rows take all the memory there is for them: try again later'),
    );
  }

  /** The row is gone: with those who read it, everything of it has left before more comes. */
  release(): void {
    if (this.#taken.bytes > 0) this.#shared?.give(this.#taken);
  }

  /**
   * The values to be masked in one row have so many bytes. Looking through them stops everything else meanwhile.
   *
   * @throws Unmaskable when they are more than the limit
   */
  look(bytes: number): void {
    if (bytes <= this.limit) return;
    throw this.#refused(
      new Unmaskable('ROW_TOO_LONG', `the values of a row that a mask looks at have more than ${this.limit} bytes`),
    );
  }

  /** Nothing of the answer is kept any more. */
  #refused(why: Unmaskable): Unmaskable {
    this.release();
    return why;
  }
}
