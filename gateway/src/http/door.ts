/**
 * One socket of a listener whose requests each say who they are from: the `Gate` that its protocol talks to before it knows anybody.
 * Owns: the time that a stranger has, and TLS with the client. Does not: commands, which go to the gates of visits.
 */
import type { Duplex } from 'node:stream';
import {
  type Answer,
  type Challenge,
  type Ending,
  type Entrance,
  type Gate,
  type Limits,
  NEUTRAL_WORDS,
  type Refusal,
  type Secured,
} from '@sluice/contract';
import { secureClient } from '@sluice/strangers';
import type { Services } from '../services.js';
import { SocketEntrance } from './entrance.js';
import type { HttpComponents } from './components.js';
import type { Caller, Threshold } from './visits.js';

export class Door implements Gate, Threshold {
  readonly id: string;
  readonly started = Date.now();
  readonly caller: Caller;
  readonly limits: Limits;
  readonly words = NEUTRAL_WORDS;
  readonly signal: AbortSignal;
  readonly draining: AbortSignal;
  readonly entrance: Entrance;
  readonly principal = undefined;
  readonly connection = undefined;
  readonly tokenId = undefined;
  readonly makers = [];
  readonly commands = 0;
  readonly denied = 0;
  state: 'login' | 'open' = 'login';
  /** Who came first by it. It counts for them for as long as it is there. */
  holder: string | undefined;
  readonly #services: Services;
  readonly #parts: HttpComponents;
  readonly #end = new AbortController();
  readonly #deadline: NodeJS.Timeout;

  constructor(services: Services, parts: HttpComponents, id: string, caller: Caller) {
    this.#services = services;
    this.#parts = parts;
    this.id = id;
    this.caller = caller;
    this.limits = services.limits;
    this.signal = this.#end.signal;
    this.draining = services.draining;
    this.entrance = new SocketEntrance(services, parts, this);
    this.#deadline = setTimeout(() => this.end({ code: 'login-too-slow' }), services.handshake);
  }

  get client(): string {
    return this.caller.client;
  }

  get address(): string {
    return this.caller.address;
  }

  get protocol(): string {
    return this.caller.listener.protocol.name;
  }

  get tls(): boolean {
    return this.caller.listener.tls !== undefined;
  }

  get requireTls(): boolean {
    return this.caller.listener.requireTls ?? false;
  }

  get loopback(): boolean {
    return this.caller.loopback;
  }

  /** Somebody has proven who they are by it: it is no stranger's any more. Returns why there is no room for another socket of theirs. */
  proven(principal: string): Refusal | undefined {
    if (this.state === 'open') return undefined;
    const refused = this.#parts.sockets.take(this, principal);
    if (refused) return refused;
    this.state = 'open';
    clearTimeout(this.#deadline);
    return undefined;
  }

  end(reason: Ending): void {
    clearTimeout(this.#deadline);
    this.#end.abort(reason);
  }

  /** The socket is gone. */
  closed(): void {
    clearTimeout(this.#deadline);
    this.#parts.sockets.leave(this);
  }

  async secure(stream: Duplex, side: 'client' | 'upstream', alpn?: readonly string[]): Promise<Secured> {
    const { tls, traits } = this.caller.listener;
    if (side !== 'client' || !tls) throw new Error('this listener has no certificate');
    await this.#services.handshakes.turn(this.address, stream, 'tls');
    return secureClient(stream, tls, [...(alpn ?? traits.alpn)], (reason) => this.broke(reason));
  }

  turn(client: Duplex): Promise<void> {
    return this.#services.handshakes.turn(this.address, client, 'keyExchange');
  }

  broke(reason: string): void {
    this.#services.log.connectionBroke(this.id, this.client, reason);
  }

  targetFailed(): void {
    throw new Error(NOBODY);
  }

  login(): Challenge {
    throw new Error(NOBODY);
  }

  opened(): void {
    throw new Error(NOBODY);
  }

  dial(): Promise<Duplex> {
    return Promise.reject(new Error(NOBODY));
  }

  ask(): Answer {
    throw new Error(NOBODY);
  }

  record(): void {
    throw new Error(NOBODY);
  }

  onCancel(): boolean {
    return false;
  }

  cancel(): Promise<void> {
    return Promise.resolve();
  }
}

const NOBODY = 'this is for the gate of a visit';
