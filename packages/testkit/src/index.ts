/** What tests and the demo stand on: real servers, real tools, certificates, and the ways in which TCP cuts. */
export * from './browser.js';
export * from './certificates.js';
export * from './conformance.js';
export * from './cuts.js';
export { collectGarbage } from './garbage.js';
export * from './places.js';
export { missingPostgres, reachable } from './servers/installation.js';
export * from './servers/mysql.js';
export * from './servers/postgres.js';
export * from './servers/sshd.js';
export * from './tools.js';
export * from './transcript.js';
export { messagesEvents } from './models/anthropic.js';
export { ModelDouble, type Says } from './models/double.js';
export { contentsPieces } from './models/gemini.js';
export { type DoubleEvent, chatEvents, responsesEvents } from './models/openai.js';
export { type Cut, type Script } from './models/scripts.js';
