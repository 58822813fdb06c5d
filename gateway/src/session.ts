import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type {
  Admission,
  Answer,
  Challenge,
  Command,
  Ending,
  Gate,
  Limits,
  Principal,
  Refusal,
  ResponseEvent,
  Secured,
} from '@sluice/contract';
import type { Connection, Listener, Services } from './services.js';
import type { Proven } from '@sluice/identity';
import type { Judge, Judgement } from './judge.js';
import { secureUpstream } from '@sluice/tunnel';
import { dialVia, secureVia } from './agents/dial.js';
import { secureClient } from './tls.js';

/** How long a target may take to accept a connection, in milliseconds. */
const DIAL = 10_000;

/** What is asked for where TLS with a target is agreed on (PostgreSQL 17 looks at it). */
const TARGET_ALPN = ['postgresql'];

const UNRECORDED: Answer = {
  type: 'deny',
  rule: 'gateway',
  message: 'The record cannot be written at the moment, so nothing is run.',
  hint: 'An administrator finds the cause in the log of the gateway and under /readyz.',
};

/** One client connection: the `Gate` that its protocol talks to, and what the list of sessions shows of it. */
export class Session implements Gate {
  readonly id: string;
  readonly started = Date.now();
  readonly client: string;
  readonly protocol: string;
  readonly limits: Limits;
  readonly tls: boolean;
  readonly loopback: boolean;
  readonly signal: AbortSignal;
  readonly draining: AbortSignal;
  principal: Principal | undefined;
  connection: Connection | undefined;
  /** The token that it was opened with. */
  tokenId: string | undefined;
  state: 'login' | 'open' = 'login';
  /** Commands let through and refused, and when the last one came (milliseconds since 1970). */
  commands = 0;
  denied = 0;
  lastCommand = Date.now();

  readonly #services: Services;
  readonly #listener: Listener;
  readonly #kill = new AbortController();
  readonly #deadline: NodeJS.Timeout;
  readonly #cancelKeys: string[] = [];
  #judge: Judge | undefined;
  /** The target's password, where an agent has it: from its answer to the dial until the login is over. */
  #agentSecret: string | undefined;

  constructor(services: Services, listener: Listener, id: string, client: { address: string; loopback: boolean }) {
    this.#services = services;
    this.#listener = listener;
    this.id = id;
    this.client = client.address;
    this.loopback = client.loopback;
    this.protocol = listener.protocol.name;
    this.tls = listener.tls !== undefined;
    this.limits = services.limits;
    this.signal = this.#kill.signal;
    this.draining = services.draining;
    this.#deadline = setTimeout(
      () => this.end({ type: 'deadline', message: 'The login took too long.' }),
      services.handshake,
    );
  }

  /** Ends the session at once; the protocol tells the client why. */
  end(reason: Ending): void {
    this.#kill.abort(reason);
  }

  /** The connection is gone. */
  closed(): void {
    clearTimeout(this.#deadline);
    for (const key of this.#cancelKeys) this.#services.cancels.delete(key);
    if (this.principal) this.#services.log.sessionClosed(this, ended(this.signal));
  }

  async secure(stream: Duplex, side: 'client' | 'upstream'): Promise<Secured> {
    if (side === 'client') {
      const { tls, alpn } = this.#listener;
      if (!tls) throw new Error('this listener has no certificate');
      return secureClient(stream, tls.context, tls.certificate, alpn);
    }
    const { target, via } = this.#admitted();
    const { host, tls, ca } = target;
    if (tls === 'disable') throw new Error('this connection does not use TLS');
    // The stream holds its writes already, and stays the same one.
    if (via !== undefined) return secureVia(stream, this.#admitted(), TARGET_ALPN);
    const secured = await secureUpstream(stream, {
      host,
      mode: tls,
      alpn: TARGET_ALPN,
      ...(ca !== undefined && { ca }),
    });
    return { ...secured, stream: this.#services.turn.hold(secured.stream) };
  }

  login(user: string, connection: string): Challenge {
    const { identity } = this.#services;
    const fail = (): Promise<Refusal> => {
      this.#services.log.loginFailed(this, user, connection, 'credentials');
      return Promise.resolve({
        type: 'refusal',
        reason: 'credentials',
        message: `password authentication failed for user "${user}"`,
        hint: 'The password is a gateway token: an administrator makes one with "sluice token create".',
      });
    };
    return {
      scram: () => {
        const { salt, iterations, candidates } = identity.scram(user);
        return {
          salt,
          iterations,
          candidates: candidates.map((candidate) => ({
            ...candidate,
            admit: () => this.#admit(user, connection, identity.proven(candidate.tokenId), fail),
          })),
          fail,
        };
      },
      password: (secret) => this.#admit(user, connection, identity.password(user, secret), fail),
    };
  }

  opened(): void {
    clearTimeout(this.#deadline);
    this.#agentSecret = undefined;
    this.state = 'open';
  }

  dial(): Promise<Duplex> {
    if (this.#admitted().via !== undefined) return this.#dialVia();
    const { host, port } = this.#admitted().target;
    const { promise, resolve, reject } = Promise.withResolvers<Duplex>();
    const socket = connect({ host, port, noDelay: true });
    const timer = setTimeout(() => socket.destroy(new Error('no answer in time')), DIAL);
    const onAbort = (): void => void socket.destroy();
    this.signal.addEventListener('abort', onAbort);
    // Also once the protocol has the socket: an error that nobody listens for would end the process.
    socket.on('error', reject);
    socket.once('close', () => reject(new Error('closed')));
    socket.once('connect', () => resolve(this.#services.turn.hold(socket)));
    return promise.finally(() => {
      clearTimeout(timer);
      this.signal.removeEventListener('abort', onAbort);
    });
  }

  ask(command: Command): Answer | Promise<Answer> {
    const judgement = (this.#judge ??= this.#services.judge(this)).judge(command);
    return judgement instanceof Promise
      ? judgement.then((late) => this.#answer(command, late))
      : this.#answer(command, judgement);
  }

  record(event: ResponseEvent): boolean {
    this.#services.log.response(this.id, event);
    return true;
  }

  drained(): Promise<void> {
    return Promise.resolve();
  }

  onCancel(key: Uint8Array, cancel: () => Promise<void>): boolean {
    const name = Buffer.from(key).toString('latin1');
    if (this.#services.cancels.has(name)) return false;
    this.#services.cancels.set(name, cancel);
    this.#cancelKeys.push(name);
    return true;
  }

  async cancel(key: Uint8Array): Promise<void> {
    await this.#services.cancels.get(Buffer.from(key).toString('latin1'))?.();
  }

  /** On record before it takes effect: held bytes leave after the journal's write at the end of this turn. */
  #answer(command: Command, judgement: Judgement): Answer {
    this.lastCommand = Date.now();
    if (!this.#services.log.command(this.id, command, judgement, this.lastCommand)) return UNRECORDED;
    if (judgement.answer.type === 'allow') this.commands++;
    else this.denied++;
    return judgement.answer;
  }

  async #admit(
    user: string,
    name: string,
    proven: Proven | undefined,
    fail: () => Promise<Refusal>,
  ): Promise<Admission | Refusal> {
    if (!proven) return fail();
    const services = this.#services;
    const refuse = (reason: Refusal['reason'], message: string, hint: string): Refusal => {
      services.log.loginFailed(this, user, name, reason);
      return { type: 'refusal', reason, message, hint };
    };
    const connection = services.connections.get(name);
    if (!connection)
      return refuse(
        'connection',
        `connection "${name}" does not exist`,
        'The database name is the name of a connection in the configuration of the gateway.',
      );
    const scoped = proven.connections === undefined || proven.connections.includes(name);
    if (!scoped || !services.mayUse(proven.principal, connection)) {
      return refuse(
        'access',
        `"${user}" may not use connection "${name}"`,
        'Ask an administrator of the gateway for access.',
      );
    }
    if (services.sessionsOf(user) >= services.sessionsPerPrincipal) {
      return refuse(
        'limit',
        `"${user}" has ${services.sessionsPerPrincipal} sessions open, which is the most there may be`,
        'Close one, or have limits.sessions_per_principal raised.',
      );
    }
    this.principal = proven.principal;
    this.tokenId = proven.tokenId;
    this.connection = connection;
    services.log.sessionOpened(this);
    const { host, database, tls } = connection.target;
    const { user: targetUser, password } = connection.credential;
    const agentSecret = (): string | undefined => this.#agentSecret;
    return {
      type: 'admission',
      principal: user,
      connection: name,
      target: {
        host,
        tls,
        user: targetUser,
        ...(database !== undefined && { database }),
        // Read when the target asks for it: where an agent has it, it comes with the dial.
        get password() {
          return password?.reveal() ?? agentSecret();
        },
      },
    };
  }

  async #dialVia(): Promise<Duplex> {
    const late = AbortSignal.timeout(DIAL);
    try {
      const signal = AbortSignal.any([this.signal, late]);
      const { stream, secret } = await dialVia(this.#services, this.#admitted(), this.id, signal);
      this.#agentSecret = secret;
      return this.#services.turn.hold(stream);
    } catch (error) {
      throw late.aborted ? new Error(`agent "${this.#admitted().via}": no answer in time`, { cause: error }) : error;
    }
  }

  #admitted(): Connection {
    if (!this.connection) throw new Error('no connection before the login');
    return this.connection;
  }
}

const ended = (signal: AbortSignal): string => (signal.aborted ? (signal.reason as Ending).type : 'closed');
