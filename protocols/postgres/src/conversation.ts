import type { Answer, Ending, MaskedSession, ResponseEvent, SqlCommand } from '@sluice/contract';
import type { Conversation, Side, Wires } from '@sluice/wire';
import { WireError } from '@sluice/wire';
import { FromClient } from './from-client.js';
import { FromUpstream } from './from-upstream.js';
import { Names } from './names.js';
import { Pipeline } from './pipeline.js';
import { Recorder } from './recorder.js';
import { ending, fatal } from './refusal.js';

/** What the conversation needs of the gate. */
export interface Port {
  /** undefined: the answer comes later, by `answered`. Nothing of this client is read on until then. */
  ask(command: SqlCommand): Answer | undefined;
  record(event: ResponseEvent): void;
}

export interface Setup {
  readonly wires: Wires;
  readonly port: Port;
  /** Major version of the target. */
  readonly major: number;
  /** Bytes: the longest client message that is read whole, and what of one answer is recorded. */
  readonly limits: { readonly message: number; readonly recorded: number };
  /** A name that no statement of the session has and that the client cannot guess. */
  readonly nowhere: string;
  /** Command ids that the start-up has used. */
  readonly commands: number;
  /** On a connection that masks anything. */
  readonly masks?: MaskedSession | undefined;
}

/** State that both directions share. Each field has one writer, named beside it. */
export interface Shared extends Setup {
  readonly pipeline: Pipeline;
  readonly names: Names;
  readonly recorder: Recorder;
  /** The target passes over everything up to the client's next Sync. Set by an error or a refusal, cleared by that Sync. */
  skipping: boolean;
  /** COPY FROM STDIN: 'due' from the statement to CopyInResponse, then 'in' until CopyDone, CopyFail or an error. */
  copy: 'none' | 'due' | 'in';
  /** Further COPY FROM STDIN statements in the same simple query. */
  copiesLeft: number;
  /** Transaction status of the last ReadyForQuery: I, T or E. */
  status: string;
  /** The session ends with this fatal message: nothing more is read. */
  fail(sqlstate: string, message: string): void;
}

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

  constructor(setup: Setup) {
    const pipeline = new Pipeline();
    this.#shared = {
      ...setup,
      pipeline,
      names: new Names(pipeline),
      recorder: new Recorder(setup.limits.recorded, (event) => setup.port.record(event)),
      skipping: false,
      copy: 'none',
      copiesLeft: 0,
      status: 'I',
      fail: (sqlstate, message) => this.#finish(fatal(sqlstate, message)),
    };
    this.#fromClient = new FromClient(this.#shared, () => this.#finish());
    this.#fromUpstream = new FromUpstream(this.#shared);
  }

  /** A statement is being carried out for this client. */
  get busy(): boolean {
    return !this.#shared.pipeline.idle;
  }

  receive(from: Side, chunk: Buffer): void {
    if (this.#ended) return;
    this.#guarded(() => {
      if (from === 'client') {
        this.#fromClient.receive(chunk);
      } else {
        this.#fromUpstream.receive(chunk);
        // Replies may be what the client's next message was waiting for.
        this.#fromClient.resume();
      }
    });
    this.#endIfDrained();
  }

  answered(answer: Answer): void {
    if (this.#ended) return;
    this.#guarded(() => this.#fromClient.answered(answer));
    this.#shared.wires.wake();
  }

  ended(side: Side, error?: Error): void {
    if (this.#ended) return;
    if (side === 'client') return this.#finish();
    const why = error ? ` (${error.message})` : '';
    this.#finish(fatal('08006', `The connection between the gateway and the target was lost${why}.`));
  }

  wants(side: Side): boolean {
    if (this.#ended) return false;
    return side === 'upstream' || this.#fromClient.waitingBytes < WAITING_ROOM;
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
    const { pipeline, recorder, wires } = this.#shared;
    for (const { command } of pipeline.drain()) if (command && !command.ended) recorder.end(command, 'lost');
    if (goodbye && this.#fromUpstream.betweenMessages) wires.send('client', goodbye);
    if (this.#fromClient.betweenMessages) wires.send('upstream', TERMINATE);
    wires.finish();
  }
}

const TERMINATE = Buffer.from([0x58, 0, 0, 0, 4]);
