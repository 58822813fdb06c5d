/** What a tunnel goes over. Types only. Does not: be one (websocket.ts). */

/** Carries bytes in order between the two ends, reliably. Where they are cut means nothing. */
export interface Transport {
  /** Bytes that were given to `send` and have not left this process. */
  readonly pending: number;
  /** Sends the parts in order. They must not change afterwards. */
  send(parts: readonly Buffer[]): void;
  /** Ends the link; the reason reaches the other end if the link still works. */
  close(reason: string): void;
  /** Called by the owner once; the transport calls back. */
  attach(events: TransportEvents): void;
}

export interface TransportEvents {
  receive(bytes: Buffer): void;
  /** `pending` has become less. */
  drained(): void;
  /** The link is gone. Nothing follows. */
  closed(reason: string): void;
}
