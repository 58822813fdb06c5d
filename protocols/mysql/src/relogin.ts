/**
 * Another login in the same connection (COM_CHANGE_USER), as pools send it when they hand a connection on. Owns: its packets with the
 * client, and the steps that give the session the start it would have. Does not: say who is let in. The target is never asked for
 * another login: it resets the session that it has.
 */
import { unexpected } from '@sluice/wire';
import { COM } from './commands.js';
import { type ChangeUser, readChangeUser } from './handshake.js';
import type { LoginExchange, LoginOutcome, LoginStep } from './login.js';
import { framed } from './packets.js';
import { loginDenied } from './refusal.js';
import { plainOk } from './replies.js';
import type { Again, Shared } from './shared.js';

type Rows = readonly (readonly (string | null)[])[];

/** What it needs of whoever sends commands. */
export interface Hands {
  /** The answer to the client. */
  give(payload: Buffer): void;
  /** Sends a packet of the gateway's own, which has one answer. */
  sendOwn(packet: Buffer, done: () => void): void;
  askTarget(text: string, take: (rows: Rows) => void): void;
  /** The target has reset the connection. */
  forget(): void;
  /** Has the use of a database judged, and the target answer the client. */
  use(database: string): void;
}

type State =
  | { readonly type: 'none' | 'proving' }
  | { readonly type: 'exchange'; readonly exchange: LoginExchange; readonly login: Asked };

interface Asked {
  readonly client: ChangeUser;
  readonly again: Again;
}

export class Relogin {
  readonly #shared: Shared;
  readonly #hands: Hands;
  #state: State = { type: 'none' };

  constructor(shared: Shared, hands: Hands) {
    this.#shared = shared;
    this.#hands = hands;
  }

  /** The client waits. */
  get isProving(): boolean {
    return this.#state.type === 'proving';
  }

  /** @throws WireError when the packet is malformed */
  begin(payload: Buffer): void {
    const client = readChangeUser(payload, this.#shared.capabilities);
    const again = this.#shared.port.again(client);
    const { plugin, proof } = client;
    this.#take({ client, again }, again.exchange, again.exchange.again({ plugin, proof, nonce: again.nonce }));
  }

  /** The client's next packet is no command. */
  get isExpecting(): boolean {
    return this.#state.type === 'exchange';
  }

  /** @throws WireError when it is no proof */
  next(payload: Buffer): void {
    const state = this.#state;
    if (state.type === 'exchange') this.#take(state.login, state.exchange, state.exchange.next(payload));
  }

  #take(login: Asked, exchange: LoginExchange, step: LoginStep): void {
    if (step.type === 'send') {
      this.#state = { type: 'exchange', exchange, login };
      return this.#say(step.payload);
    }
    this.#state = { type: 'proving' };
    this.#shared.port.later(step.outcome, (outcome) => this.#proven(login, outcome, step.before));
  }

  /** A packet behind which more of the same exchange comes. */
  #say(payload: Buffer): void {
    const shared = this.#shared;
    shared.wires.send('client', framed(payload, shared.sequence));
    shared.sequence = (shared.sequence + 1) & 0xff;
  }

  #proven(login: Asked, outcome: LoginOutcome, before: Buffer | undefined): void {
    this.#state = { type: 'none' };
    if (outcome === 'needs-tls' || outcome.type === 'refusal')
      return this.#shared.fail(loginDenied(outcome, login.again.user));
    if (before) this.#say(before);
    this.#hands.sendOwn(framed(Buffer.from([COM.resetConnection]), 0), () => {
      this.#hands.forget();
      this.#names(login.client.charset, () => this.#database(login.again.database));
    });
  }

  /** The character set of the client, which the reset has taken away. */
  #names(charset: number, then: () => void): void {
    if (charset === 0) return then();
    const question = `SELECT CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.COLLATIONS WHERE ID = ${charset}`;
    this.#hands.askTarget(question, ([row]) => {
      const [set, collation] = row ?? [];
      // A number that the target does not know is its default, as at the start of a session.
      if (!set || !collation) return then();
      if (!NAME.test(set) || !NAME.test(collation)) throw unexpected('the target names no character set');
      this.#hands.askTarget(`SET NAMES ${set} COLLATE ${collation}`, then);
    });
  }

  #database(wished: string | undefined): void {
    if (wished !== undefined) return this.#hands.use(wished);
    const { session, database } = this.#shared;
    const done = (): void => this.#hands.give(plainOk(session.status));
    if (database === undefined) return done();
    this.#hands.sendOwn(framed(Buffer.concat([Buffer.from([COM.initDb]), Buffer.from(database)]), 0), done);
  }
}

const NAME = /^\w{1,64}$/;
