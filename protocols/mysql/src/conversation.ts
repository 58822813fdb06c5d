/**
 * A logged-in connection of MySQL, to its end. Pure: bytes come in by `receive`, effects leave by `wires` and `port` during the
 * call. The halves live in `client-half.ts` (judging, refusing) and `target-half.ts` (attributing, recording).
 */
import type { Answer, Ending } from '@sluice/contract';
import {
  type Conversation,
  AnswerRecorder,
  type DeliveredState,
  type Side,
  CommandWait,
  WireError,
} from '@sluice/wire';
import { COM, bareCommand } from './commands.js';
import { ClientHalf } from './client-half.js';
import { TargetHalf } from './target-half.js';
import { framed } from './packets.js';
import type { CommandState } from './command-state.js';
import { ending, lost, malformedPacket, refusal } from './refusal.js';
import { STATUS } from './replies.js';
import type { Setup, Shared } from './shared.js';

/** Client bytes that may wait while an answer is owed. Enough to notice a hang-up behind it. */
const WAITING_ROOM_BYTES = 64 * 1024;

export class MySqlConversation implements Conversation {
  readonly #shared: Shared;
  readonly #clientHalf: ClientHalf;
  readonly #targetHalf: TargetHalf;
  readonly #waiting: CommandWait;
  #draining: Ending | undefined;

  constructor(setup: Setup) {
    this.#waiting = new CommandWait({
      hurry: () => !this.#shared.ended,
      answersDelivered: () => this.#answersDelivered(),
      // A client of MySQL has no ear for it while it waits for an answer.
      say: () => undefined,
    });
    this.#shared = {
      ...setup,
      recorder: new AnswerRecorder(setup.limits.recordedAnswer, (event) => setup.port.record(event)),
      waiter: this.#waiting.waiter,
      owed: undefined,
      sequence: 0,
      file: { type: 'none' },
      cancelling: false,
      cancel: (command) => this.#cancel(command),
      ended: false,
      fail: (words) => this.#finish(words),
    };
    this.#clientHalf = new ClientHalf(this.#shared, () => this.#finish());
    this.#targetHalf = new TargetHalf(this.#shared);
  }

  /** A statement of this client runs at the target. */
  get busy(): boolean {
    const { owed } = this.#shared;
    return owed !== undefined && !owed.own;
  }

  receive(from: Side, chunk: Buffer): void {
    if (this.#shared.ended) return;
    this.#guarded(() => {
      if (from === 'client') return this.#clientHalf.receive(chunk);
      this.#targetHalf.receive(chunk);
      this.#clientHalf.resume();
    });
    this.#endIfDrained();
  }

  answered(answer: Answer): void {
    if (this.#shared.ended) return;
    this.#waiting.answered();
    this.#guarded(() => this.#clientHalf.answered(answer));
    this.#endIfDrained();
    this.#shared.wires.wake();
  }

  /** Something that was waited for beside the gate's answers has come. */
  later(act: () => void): void {
    if (this.#shared.ended) return;
    this.#guarded(() => {
      act();
      this.#clientHalf.resume();
    });
    this.#endIfDrained();
    this.#shared.wires.wake();
  }

  /** What the target works on, if there is a time for that. */
  get timed(): CommandState | undefined {
    const command = this.#shared.owed?.state;
    return command?.meter?.timeoutMs === undefined || command.late ? undefined : command;
  }

  /** The time of a command is over: its error is ours, whatever the target says of having been cancelled. */
  expire(command: CommandState): void {
    const { ended, owed } = this.#shared;
    if (ended || owed?.state !== command || !command.meter) return;
    command.late = refusal(command.meter.expire());
    this.#cancel(command);
  }

  /** It was cancelled a while ago, and the target still works on it: nobody waits for that. */
  abandon(command: CommandState): void {
    if (this.#shared.owed?.state === command && command.late) this.#finish(command.late);
  }

  #cancel(command: CommandState): void {
    if (command.cancelled) return;
    command.cancelled = true;
    this.#shared.cancelling = true;
    void this.#shared.port.cancel().then(() =>
      this.later(() => {
        this.#shared.cancelling = false;
      }),
    );
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
    if (this.#shared.ended) return;
    if (side === 'client') return this.#finish();
    this.#finish(lost(error ? ` (${error.message})` : ''));
  }

  wants(side: Side): boolean {
    if (this.#shared.ended) return false;
    // What the target cannot send keeps it from ending before it is cancelled.
    if (side === 'upstream') return !this.#targetHalf.waits && !this.#shared.cancelling;
    return this.#clientHalf.waitingBytes < WAITING_ROOM_BYTES;
  }

  /** Ends the session: at once, or at its next idle moment outside a transaction. */
  stop(reason: Ending, when: 'now' | 'idle'): void {
    if (this.#shared.ended) return;
    if (when === 'now') return this.#finish(ending(reason));
    this.#draining = reason;
    this.#endIfDrained();
  }

  #endIfDrained(): void {
    if (this.#draining && !this.#owing && this.#answersDelivered() === 'idle') this.#finish(ending(this.#draining));
  }

  get #owing(): boolean {
    return this.#shared.owed !== undefined || this.#clientHalf.busy;
  }

  #answersDelivered(): DeliveredState {
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
    if (this.#shared.ended) return;
    this.#shared.ended = true;
    this.#waiting.end();
    const { owed, recorder, wires, sequence, file, room, sent } = this.#shared;
    room.close();
    sent.close();
    if (owed?.state && !owed.state.ended) recorder.end(owed.state, 'lost');
    if (goodbye && this.#targetHalf.betweenPackets) wires.send('client', framed(goodbye, sequence));
    if (file.type !== 'sending') wires.send('upstream', bareCommand(COM.quit));
    wires.finish();
  }
}
