/** What happened since the start, for `/metrics`. Owns: the numbers. Does not: their format (packages/control). */
import { Latency } from './latency.js';
import { RuleMatches } from './rule-matches.js';

/** What happened since the start, for `/metrics`. What is counted on the way of each command costs an addition. */
export class Counters {
  /** Commands that were refused or held, by connection, decision and rule. */
  readonly judged = new Map<string, number>();
  readonly loginFailures = new Map<string, number>();
  readonly logins = new Map<string, number>();
  /** How often a target could not be used, by connection and kind of fault. */
  readonly targetFailures = new Map<string, number>();
  maskedCells = 0;
  /** How often somebody passed what they had asked themselves. */
  brokenGlass = 0;
  /** Columns of results that were NULL because nothing better is known of them, by connection and reason. */
  readonly hiddenColumns = new Map<string, number>();
  /** What budgets have been used up, by rule and unit: whoever uses up adds to it. */
  readonly budgets = new Map<string, { amount: number }>();
  /** From the first command of a turn being judged to its bytes leaving for the target, the record's write included. */
  readonly latency = new Latency();
  readonly rules = new RuleMatches();

  /** Where a sum is kept; what it is not there for yet begins at none. */
  static sum(of: Map<string, { amount: number }>, name: string): { amount: number } {
    let sum = of.get(name);
    if (!sum) of.set(name, (sum = { amount: 0 }));
    return sum;
  }

  static add(to: Map<string, number>, name: string, more = 1): void {
    to.set(name, (to.get(name) ?? 0) + more);
  }
}
