/** What of an answer its client may have, which a protocol asks before it gives anything. Types only. */
import type { Deny } from './deny.js';

/**
 * What a client may have of one answer, by bounds and budgets. A protocol asks before it gives anything; what may not be given fails the
 * answer by `ended`, and the target's work is cancelled.
 */
export interface AnswerMeter {
  /**
   * Takes so many rows and bytes. False: they may not be given, nor anything behind them, and `ended` says why. Costs a few additions: a
   * protocol calls it for each row.
   */
  take(rows: number, bytes: number): boolean;
  /** The same of the values in them that budgets of different values count. Nothing of them may be given, nor kept as counted, where this is false. */
  disclose(values: Disclosed): boolean;
  /** Why nothing more may be given; undefined: more may. */
  readonly ended: Deny | undefined;
  /** So long the target may work on it, in milliseconds; undefined: as long as it takes. */
  readonly timeoutMs: number | undefined;
  /** That time is over: nothing more may be given. Returns why. */
  expire(): Deny;
}

/** Values that are about to be shown, of which some budget counts the different ones, by the keys of the budgets. */
export interface Disclosed {
  /** Of each value a number, made with a key, that does not tell the value: see `Sketch` of packages/budgets. */
  readonly marks: ReadonlyMap<string, ReadonlySet<number>>;
  /** Budgets that count values from which something was computed, so that nobody can tell how many are in it. */
  readonly uncountable: ReadonlySet<string>;
}
