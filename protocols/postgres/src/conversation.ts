import type { Answer, Ending } from '@sluice/contract';
import { type Conversation, Recorder, type Settled, type Side, WireError, Waiting } from '@sluice/wire';
import { FromClient } from './from-client.js';
import { FromUpstream } from './from-upstream.js';
import { Intake } from './intake.js';
import { Names } from './names.js';
import { Pipeline } from './pipeline.js';
import { ending, fatal, waiting } from './refusal.js';
import type { Setup, Shared } from './shared.js';

/** Client bytes that may wait while a question is open. Enough to notice a Terminate or a hang-up behind it. */
const WAITING_ROOM = 64 * 1024;

/**
 * A logged-in Postgres connection, from ReadyForQuery to its end: what is legal when, and where a decision is asked for.
 * Pure: bytes come in by `receive`, effects leave by `wires` and `port` during the call.
 *
 * The halves live in `from-client.ts` (judging, refusing) and `from-upstream.ts` (attributing, recording); the queue of
 * owed replies that ties them together in `pipeline.ts`.
 */
export class PostgresConversation implements Conversation {
  readonly #shared: Shared;
  readonly #fromClient: FromClient;
  readonly #fromUpstream: FromUpstream;
  #ended = false;
  #draining: Ending | undefined;
  readonly #waiting: Waiting;

  constructor(setup: Setup) {
    const pipeline = new Pipeline();
    this.#waiting = new Waiting({
      hurry: () => !this.#ended && (this.#fromClient.hurry(), true),
      settled: () => this.#settled(),
      say: (notice) => {
        this.#shared.wires.send('client', waiting(notice));
        this.#shared.wires.wake();
      },
    });
    this.#shared = {
      ...setup,
      pipeline,
      names: new Names(pipeline),
      recorder: new Recorder(setup.limits.recorded, (event) => setup.port.record(event)),
      intake: new Intake(),
      status: 'I',
      patience: this.#waiting.patience,
      later: (step) => this.#later(step),
      fail: (sqlstate, message, hint) => this.#finish(fatal(sqlstate, message, hint)),
    };
    this.#fromClient = new FromClient(this.#shared, () => this.#finish());
    this.#fromUpstream = new FromUpstream(this.#shared);
  }

  /** A statement is being carried out for this client. */
  get busy(): boolean {
    const { head } = this.#shared.pipeline;
    return head !== undefined && head.type !== 'look';
  }

  receive(from: Side, chunk: Buffer): void {
    if (this.#ended) return;
    this.#guarded(() => {
      if (from === 'client') this.#fromClient.receive(chunk);
      else this.#replied(() => this.#fromUpstream.receive(chunk));
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
    this.#fromClient.resume();
    this.#waiting.settle();
  }

  answered(answer: Answer): void {
    if (this.#ended) return;
    this.#waiting.answered();
    this.#guarded(() => this.#fromClient.answered(answer));
    this.#shared.wires.wake();
  }

  /** The client cancels the command that waits. False: none does, so that what runs at the target is meant. */
  cancelWaiting(): boolean {
    return this.#waiting.cancel();
  }

  ended(side: Side, error?: Error): void {
    if (this.#ended) return;
    if (side === 'client' || this.#fromUpstream.saidFatal) return this.#finish();
    const why = error ? ` (${error.message})` : '';
    this.#finish(fatal('08006', `The connection between the gateway and the target was lost${why}.`));
  }

  wants(side: Side): boolean {
    if (this.#ended) return false;
    if (side === 'upstream') return !this.#fromUpstream.waits;
    return this.#fromClient.waitingBytes < WAITING_ROOM;
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
  #settled(): Settled | undefined {
    if (this.busy || !this.#fromUpstream.betweenMessages) return undefined;
    const { intake, status } = this.#shared;
    const open = status !== 'I' || this.#fromClient.executed;
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
    const { pipeline, recorder, wires } = this.#shared;
    for (const { command } of pipeline.drain()) if (command && !command.ended) recorder.end(command, 'lost');
    if (goodbye && this.#fromUpstream.betweenMessages) wires.send('client', goodbye);
    if (this.#fromClient.betweenMessages) wires.send('upstream', TERMINATE);
    wires.finish();
  }
}

const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4]);
