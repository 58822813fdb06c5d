/** What a peer has done wrong, as an error with a code. Does not: say it to the peer, which each protocol does. */

export type WireErrorCode = 'WIRE_TOO_LONG' | 'WIRE_MALFORMED' | 'WIRE_UNEXPECTED' | 'WIRE_ENDED';

/** Thrown by readers and framers. A protocol turns it into a refusal and a close and never lets it out. */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly code: WireErrorCode;

  constructor(code: WireErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export const malformed = (message: string): WireError => new WireError('WIRE_MALFORMED', message);
export const unexpected = (message: string): WireError => new WireError('WIRE_UNEXPECTED', message);
