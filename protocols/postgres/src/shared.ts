/** What the two directions of a conversation share. Types only: `conversation.ts` makes it. */
import type { Answer, MaskedSession, Waiter, ResponseEvent, SqlCommand } from '@sluice/contract';
import type { AnswerRecorder, MessageRoom, StatementRoom, Wires } from '@sluice/wire';
import type { FoundFunction } from './function-call.js';
import type { Intake } from './intake.js';
import type { Names } from './names.js';
import type { TextEncoding } from './text-encoding.js';
import type { CommandState, Pipeline } from './pipeline.js';
import type { Transaction } from './transaction.js';

/** What the conversation needs of the gate. */
export interface Port {
  /** undefined: the answer comes later, by `answered`. Nothing of this client is read on until then. */
  ask(command: SqlCommand, waiter: Waiter): Answer | undefined;
  record(event: ResponseEvent): void;
  /** Which function of the target has this number (pg_proc.oid). Never rejects. */
  functionOf(oid: number): Promise<FoundFunction>;
  /** Has the target cancel what it runs. Resolves when it was asked; never rejects. */
  cancel(): Promise<void>;
}

export interface Setup {
  readonly wires: Wires;
  readonly port: Port;
  /** What the client's texts are in. */
  readonly encoding: TextEncoding;
  /** What the target keeps texts in; undefined: one that is not known here. */
  readonly kept: TextEncoding | undefined;
  /** Major version of the target. */
  readonly major: number;
  /** Bytes: the longest client message that is read whole, and what of one answer is recorded. */
  readonly limits: { readonly message: number; readonly recordedAnswer: number };
  /** A name that no statement of the session has and that the client cannot guess. */
  readonly unusedName: string;
  /** Command ids that the start-up has used. */
  readonly commands: number;
  /** On a connection that masks anything. */
  readonly masks?: MaskedSession | undefined;
  /** For what the client prepares. The conversation closes it. */
  readonly room: StatementRoom;
  /** For messages of the client that have not come as a whole, or wait. The conversation closes it. */
  readonly sent: MessageRoom;
}

/** State that both directions share. */
export interface Shared extends Setup {
  readonly pipeline: Pipeline;
  readonly names: Names;
  readonly recorder: AnswerRecorder;
  readonly intake: Intake;
  readonly transaction: Transaction;
  /** Transaction status of the last ReadyForQuery: I, T or E. */
  status: string;
  /** Some command of the session has a time of its own. */
  isTimed: boolean;
  /** The target is being asked to cancel a command: what is sent meanwhile could be what it cancels. */
  cancelling: boolean;
  /** Has the target cancel the command that it runs, once. */
  cancel(command: CommandState): void;
  /** For the command that is being asked about. */
  readonly waiter: Waiter;
  /** Goes on with what another thread was needed for, unless the session is over by now. */
  later(step: () => void): void;
  /** The session ends with this fatal message: nothing more is read. */
  fail(sqlstate: string, message: string, hint?: string): void;
}
