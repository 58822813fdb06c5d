/** What is recorded of an answer. Types only. */
import type { HiddenCounts } from './masking.js';

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
