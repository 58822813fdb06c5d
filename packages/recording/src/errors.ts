/** What keeps a journal from being opened, written or sealed. Does not: find damage in one (problem.ts). */

/** The journal could not be opened, written or sealed. Nothing may run until it can. */
export class JournalError extends Error {
  override readonly name = 'JournalError';
}
