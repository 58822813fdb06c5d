/**
 * Key exchanges of people who have proven nothing, which cost the gateway more than them. Lives here: how many begin in a second,
 * and whose is next. Does not: TLS or SSH themselves.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { addressGroup } from '@sluice/addresses';

/**
 * Time from one turn to the next, in milliseconds. A protocol that begins with a key exchange (SSH) has two: to begin, which sends our list of algorithms, and once the client
 * has sent all that the keys are computed from, which costs more and cannot be put off by the client until many have begun.
 */
export const SPACING_MS = { tls: 5, greeting: 2, keyExchange: 15 } as const;

/** A client's stream; sockets count what came on them. */
type ClientStream = Duplex & { readonly bytesRead?: number };

interface QueuedHandshake {
  readonly client: ClientStream;
  readonly spacing: number;
  readonly start: () => void;
}

/**
 * Addresses take turns, so that one with a hundred handshakes delays the others by one. An address that comes new is next: the line
 * of those who are in it already, however long, does not keep it out. Of one address, clients that have sent something go before
 * those that are silent.
 */
export class HandshakeTurns {
  readonly #waiters = new Map<string, QueuedHandshake[]>();
  /** The addresses that wait, in the order of their turns. */
  readonly #line: string[] = [];
  /** When the next may begin, on the clock of `performance.now()`. */
  #next = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Resolves when a handshake with this address may begin, or when its client is gone, which leaves the line. */
  async turn(address: string, client: ClientStream, kind: keyof typeof SPACING_MS): Promise<void> {
    if (client.destroyed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const group = addressGroup(address);
    const waiter = { client, spacing: SPACING_MS[kind], start: resolve };
    const leave = (): void => {
      this.#remove(group, waiter);
      resolve();
    };
    const same = this.#waiters.get(group);
    if (same) same.push(waiter);
    else {
      this.#waiters.set(group, [waiter]);
      this.#line.unshift(group);
    }
    client.once('close', leave);
    this.#look();
    await promise;
    client.off('close', leave);
  }

  #look(): void {
    if (this.#timer !== undefined || this.#line.length === 0) return;
    const wait = this.#next - performance.now();
    if (wait <= 0) this.#begin();
    // A turn of the event loop each, at least: work of others comes between two.
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#look();
      },
      Math.max(1, this.#next - performance.now()),
    );
  }

  #begin(): void {
    const group = this.#line.shift() as string;
    const waiters = this.#waiters.get(group) ?? [];
    const talking = waiters.findIndex(({ client }) => client.bytesRead !== 0);
    const [waiter] = waiters.splice(Math.max(0, talking), 1);
    if (waiters.length > 0) this.#line.push(group);
    else this.#waiters.delete(group);
    if (!waiter) return;
    this.#next = performance.now() + waiter.spacing;
    waiter.start();
  }

  #remove(group: string, waiter: QueuedHandshake): void {
    const waiters = this.#waiters.get(group);
    const at = waiters?.indexOf(waiter) ?? -1;
    if (!waiters || at < 0) return;
    waiters.splice(at, 1);
    if (waiters.length > 0) return;
    this.#waiters.delete(group);
    this.#line.splice(this.#line.indexOf(group), 1);
  }
}

/** TLS of a server of HTTPS begins when it is the turn of a connection, and no sooner. Called before anybody else listens to it. */
export function takeTurns(server: Server, handshakes: HandshakeTurns): void {
  const begin = server.listeners('connection') as ((this: Server, socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    socket.on('error', () => undefined);
    void handshakes.turn(socket.remoteAddress ?? '', socket, 'tls').then(() => {
      if (!socket.destroyed) for (const one of begin) one.call(server, socket);
    });
  });
}
