/** What is wrong with a journal that was read. Types only. Does not: find it (chain.ts). */

/** Something in a journal that is not as it was written. */
export interface JournalProblem {
  /** The file that it is about. */
  readonly segment: string;
  /** From 1; absent when it is about the file as a whole. */
  readonly record?: number;
  readonly message: string;
}
