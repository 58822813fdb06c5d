import type { HiddenCounts } from './masking.js';
import type { Effect, Resource } from './facts.js';

/** What somebody asks a target to do, in the words of the protocol it came by. */
export type Command = SqlCommand | ExecCommand | ShellCommand | SubsystemCommand | ForwardCommand | CustomCommand;

export interface SqlCommand {
  readonly type: 'sql';
  /** Counts up within the session; response events refer to it. */
  readonly id: number;
  /** 'prepare': the text becomes known to the target (Parse) and nothing runs yet. */
  readonly phase: 'prepare' | 'run';
  readonly dialect: Dialect;
  readonly text: string;
  /** Present once values are bound. An empty list is a statement bound without any. */
  readonly parameters?: readonly Parameter[] | undefined;
  /** The text behind a name that SQL-level EXECUTE may use; undefined when the target knows no such name. */
  readonly prepared?: (name: string) => string | undefined;
}

export interface Dialect {
  /** The language, by the name that the gateway has it under: `postgres`. */
  readonly name: string;
  /** Major version of the target, which is the version of the grammar. */
  readonly major: number;
}

export interface Parameter {
  /** The type's object identifier where the client declared one, else 0. */
  readonly type: number;
  readonly format: 'text' | 'binary';
  /** Valid during the call only: it may be a view of a network buffer. */
  readonly value: Uint8Array | null;
}

/** A command line for the target's login shell (RFC 4254 section 6.5, "exec"). */
export interface ExecCommand {
  readonly type: 'exec';
  readonly id: number;
  /** What reads it there: a grammar that the gateway knows, or one that it does not. */
  readonly shell: 'sh' | 'bash' | 'opaque';
  /** As it was sent, byte for byte where it is UTF-8. */
  readonly text: string;
  /** The account on the target that it runs as. */
  readonly account: string;
  /** Variables that the client set before, in order. */
  readonly environment: readonly (readonly [name: string, value: string])[];
  readonly terminal: boolean;
}

/** An interactive shell, before it starts; and each line that was seen in it, which is advice and no proof. */
export interface ShellCommand {
  readonly type: 'shell';
  readonly id: number;
  readonly shell: ExecCommand['shell'];
  /** Empty for the shell itself, else the line as it stood on the screen when Enter was pressed. */
  readonly text: string;
  readonly account: string;
  readonly environment: ExecCommand['environment'];
  readonly terminal: boolean;
}

/** A subsystem of the target (RFC 4254 section 6.5): `sftp`. `text` is its name. */
export interface SubsystemCommand {
  readonly type: 'subsystem';
  readonly id: number;
  readonly text: string;
  readonly account: string;
}

/** Something beside the commands of an SSH connection that the client asks for. `text` says it in words. */
export interface ForwardCommand {
  readonly type: 'forward';
  readonly id: number;
  readonly kind: 'local' | 'remote' | 'stream-local' | 'remote-stream-local' | 'agent' | 'x11' | 'environment';
  readonly text: string;
  readonly account: string;
  /** Where to, for local and remote forwarding. */
  readonly host?: string;
  readonly port?: number;
  /** The socket, for the stream-local kinds; the variable, for the environment. */
  readonly path?: string;
}

/**
 * For protocols that this version has no word for. The protocol says what the command does, and is trusted in that: it is code
 * that an administrator has installed. Rules see it as `action.verb`, `action.effects` and `action.resources`.
 */
export interface CustomCommand {
  readonly type: 'custom';
  readonly id: number;
  /** Lower case: 'get', 'config set'. */
  readonly verb: string;
  /** All of the command, as people read it in the record and where they release it. */
  readonly text: string;
  /** Absent or empty: unknown, which is refused unless a rule allows it. */
  readonly effects?: readonly Effect[];
  readonly resources?: readonly Resource[];
}

/** What the client was given for a command. One 'end' closes each command that was let through. */
export type ResponseEvent = ResponsePart | ResponseEnd;

export interface ResponsePart {
  readonly type: 'part';
  readonly command: number;
  /**
   * Of a program rather than of messages: what it wrote, where to; `size` is a change of the terminal's size, as
   * `COLUMNSxROWS`; `line` marks a command that was seen on the screen.
   */
  readonly stream?: 'out' | 'err' | 'size' | 'line';
  /** Whole messages as the client got them, in the protocol's own encoding. Valid during the call only. */
  readonly data: readonly Uint8Array[];
}

export interface ResponseEnd {
  readonly type: 'end';
  readonly command: number;
  /** 'skipped': let through, but the target passed over it because of an earlier error. 'lost': the link broke first. */
  readonly outcome: 'ok' | 'error' | 'skipped' | 'suspended' | 'lost';
  /** The target's own summary (`SELECT 3`), or `SQLSTATE: message` of its error. */
  readonly summary: string;
  readonly rows: number;
  /** Bytes of the answer as the client got it, recorded or not. */
  readonly bytes: number;
  /** Columns of the answer that were NULL because nothing better is known of them. */
  readonly hidden?: HiddenCounts | undefined;
  readonly data: readonly Uint8Array[];
}
