/** What all sessions share of budgets. Owns: how many commands run at once. Does not: take (spent.ts), or keep counts (counts.ts) and sketches (sketches.ts). */
import type { Counts } from './counts.js';
import type { UsedUp } from './models.js';
import type { Sketches } from './sketches.js';

/** What counts, and sums it for metrics, for all sessions. */
export class Ledger {
  readonly counts: Counts;
  readonly sketches: Sketches;
  readonly tallyOf: UsedUp;
  /** Commands that run, by the counter of the budget. */
  readonly atOnce = new Map<string, number>();

  constructor(counts: Counts, sketches: Sketches, tallyOf: UsedUp) {
    this.counts = counts;
    this.sketches = sketches;
    this.tallyOf = tallyOf;
  }
}
