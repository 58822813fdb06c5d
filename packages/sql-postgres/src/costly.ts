/**
 * Texts that PostgreSQL's grammar takes long to read. Owns: which are read by the thread of the sessions, that others wait for. Does not own:
 * reading them (grammar.ts), nor the threads for all others (`@sluice/analysis`). Pure.
 */

/** What is longer is read by other threads, which say what there is to know of it. Characters. */
const MAX_CHARACTERS = 64 * 1024;

/** Characters of operators. The longest operator that there is has 63. */
const LONG_RUN = /[~!@#^&|`?%<>=+*/-]{256,}/g;
/** Where the scanner begins anew in a run of them, and goes to its end again each time (`operator` and `xcstart` in scan.l). */
const BEGINNING = /\/\*|\+/g;
const MAX_BEGINNINGS = 64;

/** Whether the time that reading takes grows with the square of the length: `++++...`, and comments in one another. */
export const isCostly = (text: string): boolean =>
  text.match(LONG_RUN)?.some((run) => (run.match(BEGINNING)?.length ?? 0) > MAX_BEGINNINGS) === true;

/** Whether it is nothing for the thread of the sessions. */
export const tooLong = (text: string): boolean => text.length > MAX_CHARACTERS || isCostly(text);
