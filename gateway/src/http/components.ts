/** What the sockets of HTTP share. Types only. */
import type { OwnPaths } from './own.js';
import type { Proofs } from './proofs.js';
import type { ProvenSockets } from '@sluice/strangers';
import type { Visits } from './visits.js';

export interface HttpComponents {
  readonly visits: Visits;
  readonly proofs: Proofs;
  readonly own: OwnPaths;
  readonly sockets: ProvenSockets;
}
