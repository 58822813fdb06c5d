/**
 * A session from ReadyForQuery to its end. Owns: the two halves, waits, and how it ends. Does not: sockets (packages/wire),
 * logins (login.ts, upstream.ts).
 */
import type { Answer, Ending } from '@sluice/contract';
import {
  type Conversation,
  AnswerRecorder,
  type DeliveredState,
  type Side,
  WireError,
  CommandWait,
} from '@sluice/wire';
import { ClientHalf } from './client-half.js';
import { TargetHalf } from './target-half.js';
import { Intake } from './intake.js';
import { Names } from './names.js';
import { type CommandState, Pipeline } from './pipeline.js';
import { QUERY_CANCELED, cutOff, ending, fatal, waiting } from './refusal.js';
import type { Setup, Shared } from './shared.js';
import { inEncoding } from './text-encoding.js';
import { Transaction } from './transaction.js';

/** Client bytes that may wait while a question is open. Enough to notice a Terminate or a hang-up behind it. */
const MAX_WAITING_BYTES = 64 * 1024;

/**
 * A logged-in Postgres connection, from ReadyForQuery to its end: what is legal when, and where a decision is asked for.
 * Pure: bytes come in by `receive`, effects leave by `wires` and `port` during the call.
 *
 * The halves live in `client-half.ts` (judging, refusing) and `target-half.ts` (attributing, recording); the queue of
 * owed replies that ties them together in `pipeline.ts`.
 */
export class PostgresConversation implements Conversation {
  readonly #shared: Shared;
  readonly #clientHalf: ClientHalf;
  readonly #targetHalf: TargetHalf;
  #ended = false;
  #draining: Ending | undefined;
  readonly #waiting: CommandWait;

  constructor(setup: Setup) {
    const pipeline = new Pipeline();
    const recorder = new AnswerRecorder(setup.limits.recordedAnswer, (event) => setup.port.record(event));
    this.#waiting = new CommandWait({
      hurry: () => !this.#ended && (this.#clientHalf.hurry(), true),
      answersDelivered: () => this.#answersDelivered(),
      transaction: () => this.#shared.transaction.now,
      say: (notice) => {
        this.#shared.wires.send('client', inEncoding(waiting(notice), setup.encoding));
        this.#shared.wires.wake();
      },
    });
    this.#shared = {
      ...setup,
      pipeline,
      names: new Names(pipeline, setup.room, (command) => recorder.unused(command)),
      recorder,
      intake: new Intake(),
      transaction: new Transaction(),
      status: 'I',
      waiter: this.#waiting.waiter,
      isTimed: false,
      cancelling: false,
      cancel: (command) => this.#cancel(command),
      later: (step) => this.#later(step),
      fail: (sqlstate, message, hint) => this.#finish(fatal(sqlstate, message, hint)),
    };
    this.#clientHalf = new ClientHalf(this.#shared, () => this.#finish());
    this.#targetHalf = new TargetHalf(this.#shared);
  }

  /** A statement is being carried out for this client. */
  get busy(): boolean {
    const { head } = this.#shared.pipeline;
    return head !== undefined && head.type !== 'look';
  }

  receive(from: Side, chunk: Buffer): void {
    if (this.#ended) return;
    this.#guarded(() => {
      if (from === 'client') this.#clientHalf.receive(chunk);
      else this.#replied(() => this.#targetHalf.receive(chunk));
    });
    this.#endIfDrained();
  }

  #later(step: () => void): void {
    if (this.#ended) return;
    this.#guarded(() => this.#replied(step));
    this.#endIfDrained();
    this.#shared.wires.wake();
  }

  /** Replies may be what the client's next message was waiting for. */
  #replied(step: () => void): void {
    step();
    this.#clientHalf.resume();
    this.#waiting.checkDelivered();
  }

  answered(answer: Answer): void {
    if (this.#ended) return;
    this.#waiting.answered();
    this.#guarded(() => this.#clientHalf.answered(answer));
    this.#shared.wires.wake();
  }

  /** What the target works on, if there is a time for that. */
  get timed(): CommandState | undefined {
    if (!this.#shared.isTimed) return undefined;
    const command = this.#shared.pipeline.working;
    return command?.meter?.timeoutMs === undefined || command.late ? undefined : command;
  }

  /** The time of a command is over: its error is ours, whatever the target says of having been cancelled. */
  expire(command: CommandState): void {
    const { pipeline, encoding } = this.#shared;
    if (this.#ended || pipeline.working !== command || !command.meter) return;
    command.late = inEncoding(cutOff(command.meter.expire()), encoding);
    this.#cancel(command);
  }

  /** It was cancelled a while ago, and the target still works on it: nobody waits for that. */
  abandon(command: CommandState): void {
    if (this.#ended || this.#shared.pipeline.working !== command) return;
    const hint = 'Connect again. What it has begun may still go on there.';
    this.#finish(fatal(QUERY_CANCELED, 'The target did not stop a statement whose time was over.', hint));
  }

  #cancel(command: CommandState): void {
    if (command.cancelled) return;
    command.cancelled = true;
    this.#shared.cancelling = true;
    void this.#shared.port.cancel().then(() =>
      this.#later(() => {
        this.#shared.cancelling = false;
      }),
    );
  }

  /** The client cancels the command that waits. False: none does, so that what runs at the target is meant. */
  cancelWaiting(): boolean {
    return this.#waiting.cancel();
  }

  ended(side: Side, error?: Error): void {
    if (this.#ended) return;
    if (side === 'client' || this.#targetHalf.saidFatal) return this.#finish();
    const why = error ? ` (${error.message})` : '';
    this.#finish(fatal('08006', `The connection between the gateway and the target was lost${why}.`));
  }

  wants(side: Side): boolean {
    if (this.#ended) return false;
    // What the target cannot send keeps it from going on to what was sent behind it.
    if (side === 'upstream') return !this.#targetHalf.waits && !this.#shared.cancelling;
    return this.#clientHalf.waitingBytes < MAX_WAITING_BYTES;
  }

  /** Ends the session: at once, or at its next idle moment outside a transaction. */
  stop(reason: Ending, when: 'now' | 'idle'): void {
    if (this.#ended) return;
    if (when === 'now') return this.#finish(ending(reason));
    this.#draining = reason;
    this.#endIfDrained();
  }

  #endIfDrained(): void {
    if (this.#draining && !this.busy && this.#shared.status === 'I') this.#finish(ending(this.#draining));
  }

  /** Nothing is owed to the client: between two messages of its own it may be told something, and people be asked. */
  #answersDelivered(): DeliveredState | undefined {
    if (this.busy || !this.#targetHalf.betweenMessages) return undefined;
    const { intake, status } = this.#shared;
    const open = status !== 'I' || this.#clientHalf.executed;
    if (intake.skipping) return 'skipped';
    return open ? 'transaction' : 'idle';
  }

  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#finish(fatal('08P01', error.message));
    }
  }

  /** Says goodbye where a message can still be told from the data around it, closes the open commands, and ends. */
  #finish(goodbye?: Buffer): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#waiting.end();
    const { pipeline, recorder, wires, encoding, room, sent } = this.#shared;
    room.close();
    sent.close();
    for (const { command } of pipeline.drain()) if (command && !command.ended) recorder.end(command, 'lost');
    if (goodbye && this.#targetHalf.betweenMessages) wires.send('client', inEncoding(goodbye, encoding));
    if (this.#clientHalf.betweenMessages) wires.send('upstream', TERMINATE);
    wires.finish();
  }
}

const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4]);
