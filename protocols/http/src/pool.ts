/**
 * The connections to a target that belong to one visit. An answer that is out of step can reach nobody but the principal whose
 * visit it is, and what logs in by connection is inherited by no one else. Owns: how many there are and how long they lie idle.
 * Does not: know what is asked on them.
 */
import type { Duplex } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Ending, HttpTarget, Visit } from '@sluice/contract';
import { TargetConnection } from './h1/target.js';
import { Http2Target } from './h2/target.js';
import type { TargetSide } from './ports.js';

/** How long a connection waits for its next request, in milliseconds. */
const IDLE_MS = 30_000;
/** One that has been idle for longer may be over, and nobody has read that yet: this thread had other work. In milliseconds. */
const UNREAD_MS = 200;
/** Connections of one visit that are at work or idle. Those that were switched to another protocol do not count. */
const MAX_CONNECTIONS = 128;
/** How long a request waits for one of them, in milliseconds. */
const WAIT_MS = 10_000;

/** No connection to the target can be had. The message is a sentence for the client. */
export class NoConnection extends Error {
  override readonly name = 'NoConnection';
}

const pools = new WeakMap<Visit, Pool>();

/** An exchange of the visit. */
export interface PoolGuest {
  visitEnded(ending: Ending): void;
}

interface QueuedRequest {
  give(connection: TargetSide): void;
  retry(): void;
}

export class Pool {
  readonly #visit: Visit;
  readonly #target: HttpTarget;
  /** Those without a request, the one used last at the end. */
  readonly #idle: { readonly connection: TargetConnection; readonly since: number }[] = [];
  readonly #open = new Set<TargetConnection>();
  #dialling = 0;
  readonly #waiting: QueuedRequest[] = [];
  #http2: Promise<Http2Target> | undefined;
  #sweep: NodeJS.Timeout | undefined;
  /** What is in flight. */
  readonly #guests = new Set<PoolGuest>();

  /** The pool of a visit, made with its first request. */
  static of(visit: Visit): Pool {
    let pool = pools.get(visit);
    if (!pool) pools.set(visit, (pool = new Pool(visit)));
    return pool;
  }

  private constructor(visit: Visit) {
    this.#visit = visit;
    this.#target = visit.admission.target.http;
    const { signal, draining } = visit.gate;
    signal.addEventListener('abort', () => this.#close(signal.reason as Ending), { once: true });
    draining.addEventListener('abort', () => this.#dropIdle(), { once: true });
  }

  /** From now on `guest` is told when the visit ends, until it leaves. */
  join(guest: PoolGuest): void {
    this.#guests.add(guest);
  }

  leave(guest: PoolGuest): void {
    this.#guests.delete(guest);
  }

  /** A connection for one request, at once where one is idle. Rejects with `NoConnection`. `switches`: to another protocol. */
  take(switches: boolean): TargetSide | Promise<TargetSide> {
    if (this.#target.http2) {
      if (!switches) return this.#takeHttp2();
      return Promise.reject(
        new NoConnection('the target is spoken to by HTTP/2, which switches to no other protocol here'),
      );
    }
    for (let last = this.#idle.pop(); last; last = this.#idle.pop()) {
      const { connection, since } = last;
      if (!connection.usable) continue;
      const idle = performance.now() - since;
      if (idle >= connection.keptFor) connection.close();
      else return idle < UNREAD_MS ? connection : this.#read(connection, switches);
    }
    return this.fresh();
  }

  /** Once what the target has said meanwhile has been read: behind one turn of the loop, of which the first may have begun before. */
  async #read(connection: TargetConnection, switches: boolean): Promise<TargetSide> {
    await turn();
    await turn();
    return connection.usable ? connection : this.take(switches);
  }

  /** One that has carried no request before: for the second try of a request that an idle one broke under. */
  fresh(): Promise<TargetSide> {
    if (this.#target.http2) return this.#takeHttp2();
    if (this.#open.size + this.#dialling < MAX_CONNECTIONS) return this.#dial();
    const spare = this.#idle.shift();
    if (spare) {
      spare.connection.close();
      return this.#dial();
    }
    return this.#wait();
  }

  async #wait(): Promise<TargetSide> {
    const { promise, resolve, reject } = Promise.withResolvers<TargetSide>();
    const retry = (): void => {
      // Whoever gave up now would leave the connection to nobody.
      clearTimeout(timer);
      this.#dial().then(resolve, reject);
    };
    const waiter: QueuedRequest = { give: resolve, retry };
    this.#waiting.push(waiter);
    const timer = setTimeout(() => {
      const at = this.#waiting.indexOf(waiter);
      if (at >= 0) this.#waiting.splice(at, 1);
      reject(new NoConnection(`all ${MAX_CONNECTIONS} connections to the target are in use`));
    }, WAIT_MS);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  async #dial(): Promise<TargetConnection> {
    this.#dialling++;
    try {
      const connection = new TargetConnection(await this.#stream(['http/1.1']), this.#freed);
      this.#open.add(connection);
      if (this.#visit.gate.signal.aborted) connection.close();
      return connection;
    } finally {
      this.#dialling--;
    }
  }

  async #takeHttp2(): Promise<TargetSide> {
    const target = await (this.#http2 ??= this.#dialHttp2());
    if (!target.usable) {
      this.#http2 = undefined;
      return this.#takeHttp2();
    }
    return target.open();
  }

  async #dialHttp2(): Promise<Http2Target> {
    try {
      const target = await Http2Target.over(await this.#stream(['h2']), this.#target);
      if (this.#visit.gate.signal.aborted) target.close();
      return target;
    } catch (error) {
      this.#http2 = undefined;
      throw error;
    }
  }

  async #stream(alpn: readonly string[]): Promise<Duplex> {
    const { gate } = this.#visit;
    try {
      const stream = await gate.dial();
      if (this.#target.scheme === 'http') return stream;
      try {
        return (await gate.secure(stream, 'upstream', alpn)).stream;
      } catch (error) {
        stream.destroy();
        throw error;
      }
    } catch (error) {
      const reason = `the target cannot be reached: ${(error as Error).message}`;
      gate.targetFailed(reason);
      throw new NoConnection(reason, { cause: error });
    }
  }

  readonly #freed = (connection: TargetConnection, kept: boolean): void => {
    const { signal, draining } = this.#visit.gate;
    if (!kept) {
      this.#open.delete(connection);
      const at = this.#idle.findIndex((one) => one.connection === connection);
      if (at >= 0) this.#idle.splice(at, 1);
      this.#waiting.shift()?.retry();
    } else if (signal.aborted || draining.aborted) connection.close();
    else {
      const next = this.#waiting.shift();
      if (next) return next.give(connection);
      this.#idle.push({ connection, since: performance.now() });
      this.#sweep ??= setInterval(this.#dropOld, IDLE_MS / 4).unref();
    }
  };

  readonly #dropOld = (): void => {
    const since = performance.now() - IDLE_MS;
    while ((this.#idle[0]?.since ?? Infinity) < since) this.#idle.shift()?.connection.close();
    if (this.#idle.length === 0) this.#stopSweep();
  };

  #dropIdle(): void {
    for (const { connection } of this.#idle.splice(0)) connection.close();
    this.#stopSweep();
  }

  #stopSweep(): void {
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  #close(ending: Ending): void {
    for (const guest of this.#guests) guest.visitEnded(ending);
    this.#dropIdle();
    for (const connection of this.#open) connection.close();
    void this.#http2?.then(
      (target) => target.close(),
      () => undefined,
    );
  }
}
