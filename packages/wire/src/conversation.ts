/** A conversation: the pure inside of a protocol, and where its effects go. Types only. */

export type Side = 'client' | 'upstream';

/**
 * One live connection between a client and its target: bytes in, bytes out. Same inputs, same outputs: no sockets, clocks
 * or globals inside. Effects leave through the `Wires` it was made with, during the call, so that a chunk of many
 * messages becomes one write and a question that can be answered at once costs a function call.
 */
export interface Conversation {
  /** The chunk is valid during the call only. A view of it may be sent; what is kept for later has to be copied. */
  receive(from: Side, chunk: Buffer): void;
  /** The side has sent its last byte, or is gone altogether. */
  ended(side: Side, error?: Error): void;
  /** Whether more bytes from this side are useful now. The pump reads only while this is true. */
  wants(side: Side): boolean;
}

/** Where a conversation's effects go. */
export interface Wires {
  /** What is short may leave at the end of the turn. */
  send(to: Side, bytes: Uint8Array): void;
  /** Settles when all that was sent to the side has left, or the side is gone. */
  flushed(to: Side): Promise<void>;
  /** Nothing more will be sent: what was is delivered, then both sides are closed. */
  finish(): void;
  /** `wants` may have changed although no bytes came in. */
  wake(): void;
}
