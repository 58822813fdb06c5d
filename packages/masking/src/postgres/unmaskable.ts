/** Why rows cannot be masked, and so do not pass. The message says nothing of their values. */
export class Unmaskable extends Error {
  override readonly name = 'Unmaskable';
  readonly code: 'ROW_TOO_LONG' | 'ROW_MALFORMED';

  constructor(code: 'ROW_TOO_LONG' | 'ROW_MALFORMED', message: string) {
    super(message);
    this.code = code;
  }
}

export const malformed = (message: string): Unmaskable => new Unmaskable('ROW_MALFORMED', message);
export const tooLong = (limit: number): Unmaskable =>
  new Unmaskable(
    'ROW_TOO_LONG',
    `a row has more than ${limit} bytes, and longer ones are not masked; ask for fewer bytes in a row, or an administrator raises limits.rows`,
  );

/** The longest row that is masked without a share of `LargeRows`, in bytes, where nobody says otherwise. */
export const MAX_UNSHARED_ROW_BYTES = 16 * 1024 * 1024;
