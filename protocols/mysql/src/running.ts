/** One command between its being let through and the end of its answer. */
import type { Allow, Facts } from '@sluice/contract';
import type { Recorded } from '@sluice/wire';

export interface Running extends Recorded {
  readonly facts: Facts;
  /** Rows of results that are complete. */
  rowsBefore: number;
  /** The target has reported a change of the session. */
  reported: boolean;
}

export const running = (id: number, phase: Running['phase'], { facts }: Pick<Allow, 'facts'>): Running => ({
  id,
  phase,
  facts,
  rowsBefore: 0,
  reported: false,
  rows: 0,
  bytes: 0,
  kept: 0,
  // A description runs nothing, and has no rows.
  full: phase === 'prepare',
  summary: '',
  ended: false,
  hidden: undefined,
});
