/**
 * The way to the target of a connection, directly or through an agent. Owns: dial, TLS and the credential of one session. Does
 * not: log in, which each protocol does.
 */
import type { Duplex } from 'node:stream';
import { personOf } from '@sluice/budgets';
import type { Lookup, Principal, Secured, Target } from '@sluice/contract';
import { NotNow } from '@sluice/analysis';
import type { Log } from '@sluice/audit';
import { type ConnectionConfig as Connection, hasHostKeys, protocolNamed } from '@sluice/config';
import { secureUpstream } from '@sluice/tunnel';
import { connectLender } from '@sluice/wire';
import { type Agents, dialVia, secureVia } from '@sluice/agents';
import type { HttpTargets } from './http/credentials.js';
import { lookupOf } from './protocols.js';
import type { SshKeys } from './ssh/keys.js';

/** How long a target may take to accept a connection, in milliseconds. */
const DIAL_TIMEOUT_MS = 10_000;

/** The way to the target of a connection: directly, or through an agent, which may be who has the password. */
export class TargetDialer {
  readonly #connection: Connection;
  readonly #services: Reach;
  readonly #who: string;
  readonly #principal: Principal | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #account: string;
  readonly #annotations: Target['annotations'];
  /** The target's password, where an agent has it: from its answer to the dial until the login is over. */
  #agentSecret: string | undefined;

  /**
   * `who` is on record as the one that had an agent dial; the signal ends attempts; `account` is the one at the target,
   * where that is not the one of the configuration; `annotations`: what the target is told of who has the session; `principal`: whose session
   * it is.
   */
  constructor(
    connection: Connection,
    services: Reach,
    who: string,
    signal?: AbortSignal,
    account = '',
    annotations?: Target['annotations'],
    principal?: Principal,
  ) {
    this.#account = account;
    this.#annotations = annotations;
    this.#connection = connection;
    this.#services = services;
    this.#who = who;
    this.#principal = principal;
    this.#signal = signal;
  }

  /** How to log in. */
  get login(): Target {
    const connection = this.#connection;
    const { host } = connection.target;
    const { user, password } = connection.credential;
    const agentSecret = (): string | undefined => this.#agentSecret;
    const { tls, database } = connection.target;
    const account = this.#account === '' ? user : this.#account;
    const http = this.#services.httpTargets?.target(connection, this.#principal);
    const ssh = hasHostKeys(connection) ? this.#services.ssh.target(connection, account) : undefined;
    return {
      host,
      tls,
      user: account,
      ...(database !== undefined && { database }),
      ...(this.#annotations && { annotations: this.#annotations }),
      ...(http && { http }),
      ...(ssh && { ssh }),
      options: connection.options,
      // Read when the target asks for it: where an agent has it, it comes with the dial.
      get password() {
        return password?.reveal() ?? agentSecret();
      },
    };
  }

  /** Rejects when the target cannot be reached in time, or on the signal. */
  dial(): Promise<Duplex> {
    return this.#connection.via === undefined ? this.#dialDirectly() : this.#dialVia(this.#connection.via);
  }

  /** TLS with the target, verified as the connection demands. An agent's stream stays the same one. */
  secure(stream: Duplex, wished?: readonly string[]): Promise<Secured> {
    const connection = this.#connection;
    const { host, tls, ca } = connection.target;
    if (tls === 'disable') throw new Error('this connection does not use TLS');
    const alpn = wished ?? protocolNamed(connection.protocol).traits.alpn;
    if (connection.via !== undefined) return secureVia(stream, connection, alpn);
    const own = connection.http?.certificate;
    return secureUpstream(stream, { host, mode: tls, alpn, ...(ca !== undefined && { ca }), ...(own && { own }) });
  }

  /** The login is over: what it took is forgotten. */
  arrived(): void {
    this.#agentSecret = undefined;
  }

  async #dialDirectly(): Promise<Duplex> {
    const { host, port } = this.#connection.target;
    const path = this.#connection.http?.socket;
    const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
    const socket = connectLender(path === undefined ? { host, port, noDelay: true } : { path });
    const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), DIAL_TIMEOUT_MS);
    const onAbort = (): void => void socket.destroy();
    this.#signal?.addEventListener('abort', onAbort);
    // Also once somebody has the socket: an error that nobody listens for would end the process.
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('closed')));
    socket.once('connect', () => resolve(socket));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#signal?.removeEventListener('abort', onAbort);
    }
  }

  async #dialVia(agent: string): Promise<Duplex> {
    const late = AbortSignal.timeout(DIAL_TIMEOUT_MS);
    const signal = this.#signal ? AbortSignal.any([this.#signal, late]) : late;
    try {
      const { agents } = this.#services;
      const owner = this.#principal ? personOf(this.#principal) : '';
      const { stream, secret } = await dialVia(agents, this.#connection, this.#who, owner, signal);
      this.#agentSecret = secret;
      return stream;
    } catch (error) {
      throw late.aborted ? new Error(`agent "${agent}": no answer in time`, { cause: error }) : error;
    }
  }
}

/** What leads to targets. */
export interface Reach {
  readonly agents: Agents;
  readonly log: Pick<Log, 'targetFailed'>;
  readonly ssh: SshKeys;
  /** Absent: none of its connections is by HTTP. */
  readonly httpTargets?: HttpTargets;
}

/** A connection of the gateway's own to the target of a connection. @throws NotNow in words for whoever waits for it */
export async function openTargetLookup(connection: Connection, services: Reach): Promise<Lookup> {
  const way = new TargetDialer(connection, services, 'gateway');
  const limits = { message: 0, recordedAnswer: 0, terminal: 0, upstreamLogin: DIAL_TIMEOUT_MS };
  const open = await lookupOf(connection.protocol);
  try {
    const side = await open({ dial: () => way.dial(), secure: (stream) => way.secure(stream), limits }, way.login);
    way.arrived();
    return side;
  } catch (error) {
    services.log.targetFailed('', connection, (error as Error).message);
    throw new NotNow((error as Error).message, { cause: error });
  }
}
