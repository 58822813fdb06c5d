/**
 * What the control API answers: each thing once, as the schema that checks and describes it, and by the same name the type that
 * commands and pages read. Does not own: what is asked, and by which route (gateway).
 *
 * Objects are strict, so that an answer with a field that is not described fails in a test, instead of losing it on the way, or
 * of saying what nobody meant to say.
 */
export * from './approvals.js';
export * from './gateway.js';
export * from './people.js';
export * from './sessions.js';
