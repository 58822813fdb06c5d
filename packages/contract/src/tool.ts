/** Calls of tools, as language models propose them. Types only. */
import type { DenyReason } from './reasons.js';

/** A call that a model proposes, before its agent has it. */
export interface ProposedCall {
  /** Name of the tool. */
  readonly tool: string;
  /** What the tool is given, as the model wrote it and with values put back: mostly JSON. */
  readonly input: string;
  /** The same with masks and tokens: what goes on record. */
  readonly shown: string;
  /** What the gate knows of the request that it answers; nobody else reads it. */
  readonly about?: unknown;
}

/** What is said of a call; see `Answer`, which is one. */
export type ProposalAnswer =
  | { readonly type: 'allow' }
  | {
      readonly type: 'deny';
      readonly rule: string;
      readonly message: string;
      readonly hint?: string;
      readonly reason?: DenyReason;
    };

/** Has a call judged, and put on record. */
export type Propose = (call: ProposedCall) => ProposalAnswer | Promise<ProposalAnswer>;

/** A proposed call as a command of its own. */
export interface ToolCommand extends ProposedCall {
  readonly type: 'tool';
  readonly id: number;
  /** Name and input, as people read them: with masks. */
  readonly text: string;
  /** The command in whose answer it is. */
  readonly origin: number;
}
