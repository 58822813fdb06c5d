/** What a tunnel knows of one stream. Types only. */
import type { Reason } from './messages.js';
import type { TunnelStream } from './stream.js';

/** What the tunnel knows of one stream, by its id. */
export type StreamEntry =
  /** We asked; the answer has not come. */
  | {
      readonly state: 'opening';
      resolve(opened: { stream: TunnelStream; answer: Buffer }): void;
      reject(error: Error): void;
    }
  /** The peer asked; we have not answered. */
  | { readonly state: 'asked'; readonly abandoned: AbortController }
  | { readonly state: 'live'; readonly stream: TunnelStream }
  /** We reset it. What the peer sent before it knew still comes, up to its window, and then its own reset. */
  | { readonly state: 'reset'; window: number; readonly finSent: boolean };

/** A stream that the peer asks for. Answer it once. */
export interface StreamOpening {
  /** What the peer said about it. */
  readonly payload: Buffer;
  /** Aborted when the peer no longer wants it, or the link is gone. */
  readonly abandoned: AbortSignal;
  /** Undefined when the peer has gone meanwhile. */
  accept(answer: Buffer): TunnelStream | undefined;
  refuse(reason: Reason): void;
}
