/** What the two directions of a conversation share. Types only: `conversation.ts` makes it. */
import type {
  Answer,
  MaskedPackets,
  MySqlDialect,
  Waiter,
  ResponseEvent,
  SqlCommand,
  TextRange,
} from '@sluice/contract';
import type { AnswerRecorder, MessageRoom, StatementRoom, Wires } from '@sluice/wire';
import type { HandshakeResponse } from './handshake.js';
import type { LoginExchange } from './login.js';
import type { Reply } from './reply.js';
import type { CommandState } from './command-state.js';
import type { SessionState } from './session-state.js';
import type { WantedConnection } from './wanted.js';

/** What the conversation needs of the gate, and of the sessions beside it. */
export interface Port {
  /** undefined: the answer comes later, by `answered`. Nothing of this client is read on until then. */
  ask(command: SqlCommand, waiter: Waiter): Answer | undefined;
  split(text: string, dialect: MySqlDialect): readonly TextRange[] | undefined;
  record(event: ResponseEvent): void;
  /** Has the target cancel what it runs. Resolves when it was asked; never rejects. */
  cancel(): Promise<void>;
  /**
   * Somebody wants to end what the session of this number does. Undefined: there is none of this principal here.
   */
  sessionOf(thread: number): KillTarget | undefined;
  /** Another login in the same connection. */
  again(who: Pick<HandshakeResponse, 'user' | 'database'>): Again;
  /** Calls `take` within the conversation, unless that has ended meanwhile. */
  later<T>(promise: Promise<T>, take: (value: T) => void): void;
}

/** Another login in the same connection. */
export interface Again extends WantedConnection {
  readonly exchange: LoginExchange;
  /** Of the greeting. */
  readonly nonce: Buffer;
}

/** A session beside this one that a KILL means. */
export interface KillTarget {
  /** The target's own number of it. */
  readonly thread: number;
  /** A statement of its client runs at the target. */
  readonly busy: boolean;
  /** Its command no longer waits for people. False: none did. */
  cancelWaiting(): boolean;
}

export interface Setup {
  readonly wires: Wires;
  readonly port: Port;
  readonly session: SessionState;
  /** On a connection that masks anything. */
  readonly masks: MaskedPackets | undefined;
  /** Number of the connection in the target's greeting. */
  readonly thread: number;
  /** Which a session begins in whose client names none; undefined: in none. */
  readonly database: string | undefined;
  /** Bytes: the longest client command that is read whole, and what of one answer is recorded. */
  readonly limits: { readonly message: number; readonly recordedAnswer: number };
  /** As the client has them. */
  readonly capabilities: number;
  /** The client reads metadata in each definition that the target does not send. */
  readonly addsMetadata: boolean;
  /** Command ids that the start of the session has used. */
  readonly commands: number;
  /** For what the client prepares. The conversation closes it. */
  readonly room: StatementRoom;
  /** For commands of the client that have not come as a whole, or wait. The conversation closes it. */
  readonly sent: MessageRoom;
}

/** The answer that is owed, which is one at a time. */
export interface OwedAnswer {
  readonly reply: Reply;
  /** Undefined: nothing of it is on record. */
  readonly state: CommandState | undefined;
  /** A question of the gateway's own: takes the rows, or the target's error, and the client has nothing of the answer. */
  readonly own:
    | ((rows: readonly (readonly (string | null)[])[], failed: boolean, error: Buffer | undefined) => void)
    | undefined;
  /** Behind it come the answers to further statements of the same text. */
  readonly moreFollow: boolean;
  /** The statement was prepared: its number at the target, and how many parameters it has. */
  readonly prepared: ((id: number, parameters: number) => void) | undefined;
  /** It is over. `cursor`: rows are left to fetch. */
  ended(outcome: 'ok' | 'error', cursor: boolean): unknown;
}

/**
 * A file that the target has asked the client for. `shift`: what to add to the numbers of the client's packets for the target.
 * 'refused': no statement names it, so the target was sent an empty one.
 */
export type LocalFile = { readonly type: 'none' | 'refused' } | { readonly type: 'sending'; readonly shift: number };

/** State that both directions share. */
export interface Shared extends Setup {
  readonly recorder: AnswerRecorder;
  /** For the command that is being asked about. */
  readonly waiter: Waiter;
  owed: OwedAnswer | undefined;
  /** Number of the next packet for the client; 0 while it waits for no answer. */
  sequence: number;
  file: LocalFile;
  /** The target is being asked to cancel a command: what is sent meanwhile could be what it cancels. */
  cancelling: boolean;
  /** Has the target cancel the command that it runs, once. */
  cancel(command: CommandState): void;
  /** The session is over: what its client has sent already is not taken up. */
  ended: boolean;
  /** The session ends with this error: nothing more is read. */
  fail(words: Buffer): void;
}
