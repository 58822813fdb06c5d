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
  /** What budgets of language models have been used up, by rule and unit. */
  readonly budgets = new Map<string, number>();
  /** From the first command of a turn being judged to its bytes leaving for the target, the record's write included. */
  readonly latency = new Latency();
  readonly rules = new RuleMatches();

  static add(to: Map<string, number>, name: string, more = 1): void {
    to.set(name, (to.get(name) ?? 0) + more);
  }
}
