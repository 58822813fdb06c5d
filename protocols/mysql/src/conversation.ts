/**
 * A logged-in connection of MySQL, to its end. Pure: bytes come in by `receive`, effects leave by `wires` and `port` during the
 * call. The halves live in `from-client.ts` (judging, refusing) and `from-upstream.ts` (attributing, recording).
 */
import type { Answer, Ending } from '@sluice/contract';
import { type Conversation, Recorder, type Settled, type Side, Waiting, WireError } from '@sluice/wire';
import { COM, bareCommand } from './commands.js';
import { FromClient } from './from-client.js';
import { FromUpstream } from './from-upstream.js';
import { framed } from './packets.js';
import { ending, lost, malformedPacket } from './refusal.js';
import { STATUS } from './replies.js';
import type { Setup, Shared } from './shared.js';

/** Client bytes that may wait while an answer is owed. Enough to notice a hang-up behind it. */
const WAITING_ROOM_BYTES = 64 * 1024;

export class MySqlConversation implements Conversation {
  readonly #shared: Shared;
  readonly #fromClient: FromClient;
  readonly #fromUpstream: FromUpstream;
  readonly #waiting: Waiting;
  #ended = false;
  #draining: Ending | undefined;

  constructor(setup: Setup) {
    this.#waiting = new Waiting({
      hurry: () => !this.#ended,
      settled: () => this.#settled(),
      // A client of MySQL has no ear for it while it waits for an answer.
      say: () => undefined,
    });
    this.#shared = {
      ...setup,
      recorder: new Recorder(setup.limits.recorded, (event) => setup.port.record(event)),
      patience: this.#waiting.patience,
      turn: undefined,
      sequence: 0,
      file: { type: 'none' },
      fail: (words) => this.#finish(words),
    };
    this.#fromClient = new FromClient(this.#shared, () => this.#finish());
    this.#fromUpstream = new FromUpstream(this.#shared);
  }

  /** A statement of this client runs at the target. */
  get busy(): boolean {
    const { turn } = this.#shared;
    return turn !== undefined && !turn.own;
  }

  receive(from: Side, chunk: Buffer): void {
    if (this.#ended) return;
    this.#guarded(() => {
      if (from === 'client') return this.#fromClient.receive(chunk);
      this.#fromUpstream.receive(chunk);
      this.#fromClient.resume();
    });
    this.#endIfDrained();
  }

  answered(answer: Answer): void {
    if (this.#ended) return;
    this.#waiting.answered();
    this.#guarded(() => this.#fromClient.answered(answer));
    this.#endIfDrained();
    this.#shared.wires.wake();
  }

  /** Something that was waited for beside the gate's answers has come. */
  later(act: () => void): void {
    if (this.#ended) return;
    this.#guarded(() => {
      act();
      this.#fromClient.resume();
    });
    this.#endIfDrained();
    this.#shared.wires.wake();
  }

  /** Ends with this error. */
  fail(words: Buffer): void {
    this.#finish(words);
  }

  /** The client cancels the command that waits. False: none does. */
  cancelWaiting(): boolean {
    return this.#waiting.cancel();
  }

  ended(side: Side, error?: Error): void {
    if (this.#ended) return;
    if (side === 'client') return this.#finish();
    this.#finish(lost(error ? ` (${error.message})` : ''));
  }

  wants(side: Side): boolean {
    if (this.#ended) return false;
    return side === 'upstream' || this.#fromClient.waitingBytes < WAITING_ROOM_BYTES;
  }

  /** Ends the session: at once, or at its next idle moment outside a transaction. */
  stop(reason: Ending, when: 'now' | 'idle'): void {
    if (this.#ended) return;
    if (when === 'now') return this.#finish(ending(reason));
    this.#draining = reason;
    this.#endIfDrained();
  }

  #endIfDrained(): void {
    if (this.#draining && !this.#owing && this.#settled() === 'idle') this.#finish(ending(this.#draining));
  }

  get #owing(): boolean {
    return this.#shared.turn !== undefined || this.#fromClient.busy;
  }

  #settled(): Settled {
    return this.#shared.session.status & STATUS.inTransaction ? 'transaction' : 'idle';
  }

  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      this.#finish(malformedPacket(error.message));
    }
  }

  /** Says goodbye where a packet can still be told from the data around it, closes the open command, and ends. */
  #finish(goodbye?: Buffer): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#waiting.end();
    const { turn, recorder, wires, sequence, file } = this.#shared;
    if (turn?.running && !turn.running.ended) recorder.end(turn.running, 'lost');
    if (goodbye && this.#fromUpstream.betweenPackets) wires.send('client', framed(goodbye, sequence));
    if (file.type !== 'sending') wires.send('upstream', bareCommand(COM.quit));
    wires.finish();
  }
}
