/** What is recorded of an answer. Types only. */
import type { BodyDigest } from './http.js';
import type { HiddenCounts } from './masking.js';

/** What the client was given for a command. One 'end' closes each command that was let through. */
export type ResponseEvent = ResponsePart | ResponseEnd;

export interface ResponsePart {
  readonly type: 'part';
  readonly command: number;
  /**
   * Of a program rather than of messages: what it wrote, where to; `size` is a change of the terminal's size, as
   * `COLUMNSxROWS`; `line` marks a command that was seen on the screen. Of HTTP: `request` is body that was not part of
   * the command, `head` a head or trailers of the answer as lines of HTTP/1.1 (the gate takes secrets out), `out` its body as the client got
   * it, and `in` what the client sent after the protocol was switched.
   */
  readonly stream?: 'out' | 'err' | 'size' | 'line' | 'request' | 'head' | 'in';
  /** Whole messages as the client got them, in the protocol's own encoding. Valid during the call only. */
  readonly data: readonly Uint8Array[];
}

/** What a `ResponsePart` with a stream holds. `data` is valid during the call only. */
export interface StreamPart {
  readonly stream: NonNullable<ResponsePart['stream']>;
  readonly data: Uint8Array;
}

export interface ResponseEnd {
  readonly type: 'end';
  readonly command: number;
  /** 'skipped': let through, but the target passed over it because of an earlier error. 'lost': the link broke first. */
  readonly outcome: 'ok' | 'error' | 'skipped' | 'suspended' | 'lost';
  /** The target's own summary (`SELECT 3`), `SQLSTATE: message` of its error, or the status line. */
  readonly summary: string;
  readonly rows: number;
  /** Bytes of the answer as the client got it, recorded or not. */
  readonly bytes: number;
  /** Columns of the answer that were NULL because nothing better is known of them. */
  readonly hidden?: HiddenCounts | undefined;
  /** Bodies of which not all is on record (`limits.recordedAnswer` bytes each), as they were sent on. */
  readonly bodies?: { readonly request?: BodyDigest; readonly answer?: BodyDigest } | undefined;
  /** What the client was given last, as `ResponsePart`s that go on record together with the end, which costs less than each by itself. */
  readonly parts?: readonly (StreamPart & { readonly stream: 'head' | 'out' })[] | undefined;
  readonly data: readonly Uint8Array[];
}
