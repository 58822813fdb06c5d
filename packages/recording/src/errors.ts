/** The journal could not be opened, written or sealed. Nothing may run until it can. */
export class JournalError extends Error {
  override readonly name = 'JournalError';
}
