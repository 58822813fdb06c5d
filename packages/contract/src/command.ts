/**
 * What somebody asks a target to do. Owns: the union of all commands. Does not: their fields, which the files of the languages
 * have.
 */
import type { AnswerCommand } from './answer.js';
import type { Effect, Resource } from './facts.js';
import type { HttpCommand } from './http.js';
import type { SqlCommand } from './sql.js';
import type { ExecCommand, ForwardCommand, ShellCommand, SubsystemCommand } from './ssh.js';
import type { ToolCommand } from './tool.js';

/** What somebody asks a target to do, in the words of the protocol it came by. */
export type Command =
  | SqlCommand
  | ExecCommand
  | ShellCommand
  | SubsystemCommand
  | ForwardCommand
  | HttpCommand
  | ToolCommand
  | AnswerCommand
  | CustomCommand;

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
