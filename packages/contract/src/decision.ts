/** What a protocol is told of a command. Types only. */
import type { Deny } from './deny.js';
import type { Facts } from './facts.js';
import type { HttpEdits } from './http.js';
import type { Masking, PacketMasking, StreamEditor } from './masking.js';
import type { AnswerMeter } from './meter.js';

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

/** What a protocol is told. A human may have been asked in between: only the gate knows. */
export type Answer = Allow | Deny;
