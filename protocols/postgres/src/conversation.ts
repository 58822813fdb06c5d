import type { Answer, Ending, Impatience, Patience } from '@sluice/contract';
import type { Conversation, Side } from '@sluice/wire';
import { WireError } from '@sluice/wire';
import { FromClient } from './from-client.js';
import { FromUpstream } from './from-upstream.js';
import { Intake } from './intake.js';
import { Names } from './names.js';
import { Pipeline } from './pipeline.js';
import { Recorder } from './recorder.js';
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
  /** A command waits for people, or for what came before it so that people can be asked. */
  #wait: { readonly settled: PromiseWithResolvers<Settled>; ready: boolean } | undefined;
  #impatience: AbortController | undefined;

  constructor(setup: Setup) {
    const pipeline = new Pipeline();
    this.#shared = {
      ...setup,
      pipeline,
      names: new Names(pipeline),
      recorder: new Recorder(setup.limits.recorded, (event) => setup.port.record(event)),
      intake: new Intake(),
      status: 'I',
      patience: this.#patience(),
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
    this.#settle();
  }

  answered(answer: Answer): void {
    if (this.#ended) return;
    this.#wait = undefined;
    this.#impatience = undefined;
    this.#guarded(() => this.#fromClient.answered(answer));
    this.#shared.wires.wake();
  }

  /** The client cancels the command that waits. False: none does, so that what runs at the target is meant. */
  cancelWaiting(): boolean {
    if (!this.#wait?.ready) return false;
    this.#lose('cancelled');
    return true;
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

  /** One for all commands of the conversation: they are asked about one by one. */
  #patience(): Patience {
    const signal = (): AbortSignal => (this.#impatience ??= new AbortController()).signal;
    return {
      settled: () => {
        const settled = Promise.withResolvers<Settled>();
        this.#wait = { settled, ready: false };
        // Behind the bytes of this chunk that pass.
        queueMicrotask(() => {
          if (this.#ended) return settled.resolve('skipped');
          this.#fromClient.hurry();
          this.#settle();
        });
        return settled.promise;
      },
      say: (notice) => {
        if (this.#ended || !this.#wait?.ready) return;
        this.#shared.wires.send('client', waiting(notice));
        this.#shared.wires.wake();
      },
      get signal() {
        return signal();
      },
    };
  }

  /** Nothing is owed to the client: between two messages of its own it may be told something, and people be asked. */
  #settle(): void {
    if (!this.#wait || this.#wait.ready || this.busy || !this.#fromUpstream.betweenMessages) return;
    this.#wait.ready = true;
    const { intake, status } = this.#shared;
    const open = status !== 'I' || this.#fromClient.executed;
    this.#wait.settled.resolve(intake.skipping ? 'skipped' : open ? 'transaction' : 'idle');
  }

  #lose(why: Impatience): void {
    this.#wait?.settled.resolve('skipped');
    (this.#impatience ??= new AbortController()).abort(why);
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
    if (this.#wait || this.#impatience) this.#lose('gone');
    const { pipeline, recorder, wires } = this.#shared;
    for (const { command } of pipeline.drain()) if (command && !command.ended) recorder.end(command, 'lost');
    if (goodbye && this.#fromUpstream.betweenMessages) wires.send('client', goodbye);
    if (this.#fromClient.betweenMessages) wires.send('upstream', TERMINATE);
    wires.finish();
  }
}

type Settled = Awaited<ReturnType<Patience['settled']>>;

const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4]);
