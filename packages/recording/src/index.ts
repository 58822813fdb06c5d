/** The record: a journal that is written before a command takes effect, read back as sessions, and proved unchanged. */
export { listSeals } from './checkpoint.js';
export { toAsciicast } from './asciicast.js';
export { type Head, parseHead } from './head.js';
export { JournalError } from './errors.js';
export * from './events.js';
export { toHar } from './har.js';
export { Journal, type JournalOptions, type Position } from './journal.js';
export { toOcsf } from './ocsf.js';
export {
  type JournalGap,
  type JournalPosition,
  type PlacedRecord,
  comparePositions,
  firstHash,
  readRange,
} from './range.js';
export { listSegments } from './segments.js';
export * from './replay.js';
export { redactSecrets } from './secrets.js';
export type { JournalProblem } from './problem.js';
export { type Report, type Trust, describeReport, readHeads, verify } from './verify.js';
