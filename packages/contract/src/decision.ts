/** What a protocol is told of a command. Types only. */
import type { Facts } from './facts.js';
import type { HttpEdits } from './http.js';
import type { Masking, PacketMasking, StreamEditor } from './masking.js';
import type { DenyReason } from './reasons.js';

export interface Allow {
  readonly type: 'allow';
  readonly facts: Facts;
  /** Present when the target's answer may not pass as it is. Nothing of it reaches the client but through this. */
  readonly masking?: Masking;
  /** People look at what it changes before it is committed: between their word on a COMMIT and that COMMIT it may not run. */
  readonly reviewed?: true;
  /** The same for an answer in packets of MySQL. */
  readonly packets?: PacketMasking;
  /** The same for a command that answers with a stream of bytes: one editor for each stream that it writes. */
  readonly stream?: () => StreamEditor;
  /** How a request by HTTP and its answer are changed. Absent: not at all. */
  readonly http?: HttpEdits;
  /** What of its answer the client may have. Absent: all of it, whatever time it takes. */
  readonly meter?: AnswerMeter;
}

/**
 * What a client may have of one answer, by bounds and budgets. A protocol asks before it gives anything; what may not be given fails the
 * answer by `ended`, and the target's work is cancelled.
 */
export interface AnswerMeter {
  /**
   * Takes so many rows and bytes. False: they may not be given, nor anything behind them, and `ended` says why. Costs a few additions: a
   * protocol calls it for each row.
   */
  take(rows: number, bytes: number): boolean;
  /** The same of the values in them that budgets of different values count. Nothing of them may be given, nor kept as counted, where this is false. */
  disclose(values: Disclosed): boolean;
  /** Why nothing more may be given; undefined: more may. */
  readonly ended: Deny | undefined;
  /** So long the target may work on it, in milliseconds; undefined: as long as it takes. */
  readonly timeoutMs: number | undefined;
  /** That time is over: nothing more may be given. Returns why. */
  expire(): Deny;
}

/** Values that are about to be shown, of which some budget counts the different ones, by the keys of the budgets. */
export interface Disclosed {
  /** Of each value a number, made with a key, that does not tell the value: see `Sketch` of packages/budgets. */
  readonly marks: ReadonlyMap<string, ReadonlySet<number>>;
  /** Budgets that count values from which something was computed, so that nobody can tell how many are in it. */
  readonly uncountable: ReadonlySet<string>;
}

export interface Deny {
  readonly type: 'deny';
  /** The rule that said no; `gateway` when it is one of Sluice's own. */
  readonly rule: string;
  /** A sentence for the person who asked, which is on record: of the rule, of the analysis, or the one of `reason`. */
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
  /** Present where the gateway itself says no: the protocol makes the sentence. */
  readonly reason?: DenyReason;
  /** Nothing is said of the command: the target has to be asked about its names, and cannot be used. Why, in a phrase. */
  readonly unusable?: string;
  /** The text does not parse. A protocol answers it as its target would. */
  readonly syntaxError?: { readonly message: string; readonly position?: number };
  /** It was refused for a name in it that is not known here. A protocol has its target say so, where that does not know it either. */
  readonly unknownName?: true;
  /** How a client of JSON-RPC is told so, where that has a code of its own for it, and which status its answer by HTTP has. */
  readonly rpc?: { readonly code: number; readonly status: number };
}

/** What a protocol is told. A human may have been asked in between: only the gate knows. */
export type Answer = Allow | Deny;
