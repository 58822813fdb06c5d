/** What all sessions share of budgets. Owns: how many commands run at once. Does not: take (spent.ts), or keep counts (counts.ts). */
import type { Counts } from './counts.js';
import type { UsedUp } from './models.js';

/** What counts, and is told of it, for all sessions. */
export class Ledger {
  readonly counts: Counts;
  readonly told: UsedUp;
  /** Commands that run, by the counter of the budget. */
  readonly atOnce = new Map<string, number>();

  constructor(counts: Counts, told: UsedUp) {
    this.counts = counts;
    this.told = told;
  }
}
