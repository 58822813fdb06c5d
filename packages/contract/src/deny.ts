/** That a command may not pass, and what whoever sent it is told. Types only. */
import type { DenyReason } from './reasons.js';

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
