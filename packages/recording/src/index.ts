/** The record: a journal that is written before a command takes effect, read back as sessions, and proved unchanged. */
export { PUBLIC_KEY } from './checkpoint.js';
export * from './events.js';
export { Journal, JournalError, type JournalOptions } from './journal.js';
export { toOcsf } from './ocsf.js';
export * from './replay.js';
export { redactSecrets } from './secrets.js';
export { type Problem, type Report, describeReport, verify } from './verify.js';
