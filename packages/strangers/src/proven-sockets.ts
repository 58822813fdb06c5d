/**
 * Sockets by HTTP whose clients have proven who they are. Owns: how many there may be, of one principal and in all. Does not: sockets of
 * strangers, or visits, which have limits of their own.
 */
import type { Refusal } from '@sluice/contract';
import type { SessionView } from '@sluice/audit';
import type { Places } from './places.js';

export class ProvenSockets {
  readonly #places: Places;
  readonly #owners = new Map<SessionView, string>();

  constructor(places: Places) {
    this.#places = places;
  }

  /** Takes a place. Returns why there is none: one principal may have half of them, so that nobody keeps out everybody else. */
  take(socket: SessionView, principal: string): Refusal | undefined {
    const most = this.#places.limits.connections;
    const ofOne = Math.ceil(most / 2);
    if (this.#owners.size >= most) return { type: 'refusal', reason: { code: 'too-many-sessions', sessions: most } };
    let own = 0;
    for (const owner of this.#owners.values()) if (owner === principal) own++;
    if (own >= ofOne)
      return { type: 'refusal', reason: { code: 'too-many-sessions-of-user', user: principal, sessions: ofOne } };
    this.#owners.set(socket, principal);
    this.#places.known(socket);
    return undefined;
  }

  leave(socket: SessionView): void {
    this.#owners.delete(socket);
  }
}
