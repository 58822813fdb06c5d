/**
 * Sockets of clients that have not logged in, on every listener. Lives here: how many there may be, and which one goes.
 * Does not: sessions that are logged in, which strangers cannot take the place of (`gateway.ts`).
 */
import type { Socket } from 'node:net';
import { addressGroup } from '@sluice/addresses';

export interface StrangerLimits {
  readonly inAll: number;
  readonly perAddress: number;
}

/** One socket that is not logged in. */
export interface Stranger {
  /** Whoever it is has logged in: the socket counts no more. */
  loggedIn(): void;
}

interface WaitingStranger {
  readonly socket: Socket;
  readonly address: string;
  readonly leave: () => void;
}

/**
 * Where there is no room, the most crowded address makes some: the oldest of its sockets that has not sent a byte goes, or the
 * oldest. So a flood pushes out itself, and a login that takes as long as logins take goes on.
 */
export class StrangerSockets {
  readonly #limits: StrangerLimits;
  readonly #addresses = new Map<string, Set<WaitingStranger>>();
  #size = 0;
  /** Sockets that had to go so that others had room. */
  evicted = 0;

  constructor(limits: StrangerLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** Counts a socket that was just accepted, until it is closed or logged in. `leave`: called when it has to make room. */
  add(socket: Socket, leave: () => void): Stranger {
    const address = addressGroup(socket.remoteAddress ?? '');
    const own: WaitingStranger = { socket, address, leave };
    let same = this.#addresses.get(address);
    if (!same) this.#addresses.set(address, (same = new Set()));
    same.add(own);
    this.#size++;
    const forget = (): void => this.#remove(own);
    socket.once('close', forget);
    if (same.size > this.#limits.perAddress) this.#evict(same);
    else if (this.#size > this.#limits.inAll) this.#evict(this.#mostCrowded());
    return {
      loggedIn: () => {
        socket.off('close', forget);
        forget();
      },
    };
  }

  #evict(crowd: ReadonlySet<WaitingStranger>): void {
    const [oldest] = crowd;
    let chosen = oldest;
    for (const one of crowd) {
      if (one.socket.bytesRead > 0) continue;
      chosen = one;
      break;
    }
    if (!chosen) return;
    this.#remove(chosen);
    this.evicted++;
    chosen.leave();
  }

  #mostCrowded(): ReadonlySet<WaitingStranger> {
    let most: ReadonlySet<WaitingStranger> = new Set();
    for (const crowd of this.#addresses.values()) if (crowd.size > most.size) most = crowd;
    return most;
  }

  #remove(one: WaitingStranger): void {
    const same = this.#addresses.get(one.address);
    if (!same?.delete(one)) return;
    this.#size--;
    if (same.size === 0) this.#addresses.delete(one.address);
  }
}
