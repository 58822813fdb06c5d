/**
 * All that is said to a model in one request, as rules ask about it. Owns: that what is spread over messages and parts is one text. Does
 * not: compile patterns, which the rules do.
 */
import { normalised } from './normal.js';
import { type Letters, type WordList, lettersOf } from './words.js';

export class ModelText {
  readonly #written: readonly string[];
  #parts: readonly string[] | undefined;
  #readings: readonly string[] | undefined;
  #letters: Letters | undefined;

  /** The parts of all messages, in order, as they are written. */
  constructor(written: readonly string[]) {
    this.#written = written;
  }

  /**
   * It normalised, in both ways in which parts may be meant: as one text, and as texts of their own with a blank between. A pattern is in
   * there where it is in either.
   */
  get readings(): readonly string[] {
    return (this.#readings ??=
      this.#normal.length < 2 ? this.#normal : [this.#normal.join(''), this.#normal.join(' ')]);
  }

  has(list: WordList): boolean {
    this.#letters ??= lettersOf(this.#normal);
    return list.isIn(this.#letters);
  }

  get #normal(): readonly string[] {
    return (this.#parts ??= this.#written.map(normalised));
  }
}
