/**
 * Ties one conversation to the gate: asynchronous answers, an end from outside, and the sessions beside it that a KILL can mean.
 * Owns: the list of those. Does not: know what passes.
 */
import type { Admission, Deny, Ending, Gate, MySqlDialect } from '@sluice/contract';
import { CommandClock, type Conversation, MessageRoom, StatementRoom, type Wires } from '@sluice/wire';
import { CAPABILITY } from './capabilities.js';
import { MySqlConversation } from './conversation.js';
import type { HandshakeResponse } from './handshake.js';
import { failure } from './refusal.js';
import { SessionState } from './session-state.js';
import type { KillTarget, Port } from './shared.js';
import { type Upstream, killUpstream } from './upstream.js';

/** Sessions at work, by the number that their clients were given. */
export type Sessions = Map<number, MySqlSession>;

/** Whatever goes wrong while a statement is judged is a no. */
const UNJUDGED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'This statement could not be judged, so it was not run.',
};

export interface Opened {
  readonly admitted: Admission;
  readonly upstream: Upstream;
  /** Flags as the client has them. */
  readonly client: Pick<HandshakeResponse, 'capabilities' | 'extended'>;
  /** Command ids that the start has used. */
  readonly commands: number;
  readonly again: Port['again'];
}

export class MySqlSession {
  readonly #gate: Gate;
  readonly #sessions: Sessions;
  readonly #opened: Opened;
  #conversation: MySqlConversation | undefined;

  constructor(gate: Gate, sessions: Sessions, opened: Opened) {
    this.#gate = gate;
    this.#sessions = sessions;
    this.#opened = opened;
  }

  converse(wires: Wires): Conversation {
    const gate = this.#gate;
    const clock = new CommandClock();
    const { admitted, upstream, client, commands, again } = this.#opened;
    const { capabilities } = client;
    const conversation = new MySqlConversation({
      wires,
      port: {
        ask: (command, waiter) => {
          const answer = gate.ask(command, waiter);
          if (!(answer instanceof Promise)) return answer;
          void answer.then(
            (late) => {
              conversation.answered(late);
              clock.look(conversation);
            },
            () => conversation.answered(UNJUDGED),
          );
          return undefined;
        },
        split: (text: string, dialect: MySqlDialect) => gate.split?.(text, dialect),
        record: (event) => gate.record(event),
        cancel: () => killUpstream(gate, admitted.target, upstream.thread).catch(() => undefined),
        sessionOf: (thread) => this.#beside(thread),
        again,
        later: (promise, take) => {
          void promise.then(
            (value) => conversation.later(() => take(value)),
            () => conversation.fail(failure()),
          );
        },
      },
      session: new SessionState(
        upstream.server,
        (capabilities & CAPABILITY.ignoreSpace) !== 0,
        (capabilities & CAPABILITY.sessionTrack) !== 0,
      ),
      masks: admitted.packetMasks,
      thread: upstream.thread,
      database: admitted.target.database,
      limits: gate.limits,
      capabilities,
      addsMetadata: client.extended !== upstream.extended,
      commands,
      room: new StatementRoom(admitted.principal),
      sent: new MessageRoom(admitted.principal, gate.limits.message),
    });
    this.#conversation = conversation;
    this.#obey(conversation);
    return {
      receive: (from, chunk) => {
        conversation.receive(from, chunk);
        clock.look(conversation);
      },
      ended: (side, error) => {
        conversation.ended(side, error);
        clock.stop();
      },
      wants: (side) => conversation.wants(side),
    };
  }

  /** Another session of the same principal at the same connection: nobody else's can be ended without being judged. */
  #beside(thread: number): KillTarget | undefined {
    const other = this.#sessions.get(thread);
    if (!other) return undefined;
    const { admitted, upstream } = other.#opened;
    const own = this.#opened.admitted;
    if (admitted.principal !== own.principal || admitted.connection !== own.connection) return undefined;
    return {
      thread: upstream.thread,
      busy: other.#conversation?.busy ?? false,
      cancelWaiting: () => other.#conversation?.cancelWaiting() ?? false,
    };
  }

  /** A statement that is running when its session is killed must not run on at the target. */
  #obey(conversation: MySqlConversation): void {
    const { signal, draining } = this.#gate;
    const { admitted, upstream } = this.#opened;
    const kill = (): void => {
      // A target that cannot be reached for it: there is nobody to tell.
      if (conversation.busy) void killUpstream(this.#gate, admitted.target, upstream.thread).catch(() => undefined);
      conversation.stop(signal.reason as Ending, 'now');
    };
    const drain = (): void => conversation.stop(draining.reason as Ending, 'idle');
    for (const [source, act] of [
      [signal, kill],
      [draining, drain],
    ] as const) {
      if (source.aborted) queueMicrotask(act);
      else source.addEventListener('abort', act, { once: true });
    }
  }
}
