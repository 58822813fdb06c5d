/** What is wrong with a token of an identity provider, in a sentence that quotes nothing secret. */

/** What of a message is kept: libraries quote what somebody sent. */
const MAX_MESSAGE_CHARACTERS = 200;

/**
 * Why a token was not taken. `message` is for the log and the record: it names the check that failed and never the token.
 * 'invalid': this token will not do. 'unavailable': the keys to check it with cannot be had now.
 */
export class TokenError extends Error {
  override readonly name = 'TokenError';
  readonly reason: 'invalid' | 'unavailable';

  constructor(reason: TokenError['reason'], message: string, cause?: unknown) {
    super(message.slice(0, MAX_MESSAGE_CHARACTERS), { cause });
    this.reason = reason;
  }
}

export const invalid = (message: string, cause?: unknown): TokenError => new TokenError('invalid', message, cause);
