/**
 * What a peer did wrong on the wire. Owns: the error and the status that a client is answered with. Does not: the words of
 * refusals by rules, which are in `refusal.ts`.
 */

/** A message that is not HTTP as we read it. The connection it came by cannot go on: nobody knows where the next one begins. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  /** What a client is answered; a target's fault is a 502 whatever is written here. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const badRequest = (message: string): HttpError => new HttpError(400, message);
