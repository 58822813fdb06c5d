/** What happened since the start, for `/metrics`. Owns: the numbers. Does not: their format (packages/control). */
import { Histogram } from 'prom-client';

/** What happened since the start, for `/metrics`. What is counted on the way of each command costs an addition. */
export class Counters {
  /** Commands that were refused or held, by connection, decision and rule. */
  readonly judged = new Map<string, number>();
  readonly loginFailures = new Map<string, number>();
  readonly logins = new Map<string, number>();
  /** How often a target could not be used, by connection and kind of fault. */
  readonly targetFailures = new Map<string, number>();
  maskedCells = 0;
  /** Columns of results that were NULL because nothing better is known of them, by connection and reason. */
  readonly hiddenColumns = new Map<string, number>();
  /** What budgets of language models have been used up, by rule and unit. */
  readonly budgets = new Map<string, number>();
  /** From the first command of a turn being judged to its bytes leaving for the target, the record's write included. */
  readonly latency = new Histogram({
    name: 'sluice_added_latency_seconds',
    help: 'from reading a command to its leaving for the target, its record written',
    buckets: [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1],
    registers: [],
  });

  static add(to: Map<string, number>, name: string, more = 1): void {
    to.set(name, (to.get(name) ?? 0) + more);
  }
}
