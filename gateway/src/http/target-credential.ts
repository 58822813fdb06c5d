/** What a target by HTTP is shown, for one connection or one person at it. Types only. */
import type { Outgoing } from '@sluice/contract';

export interface TargetCredential {
  authorise(request: Outgoing): Outgoing | Promise<Outgoing>;
  /** What must not come back. */
  readonly secrets: () => readonly string[];
  /** The target does not take it. */
  refused?(request: Outgoing): void;
}
