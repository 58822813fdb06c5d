/** Byte tools for protocols: bounded reading, and the pump that runs a sans-io conversation over two streams. */
export * from './arena.js';
export * from './conversation.js';
export * from './errors.js';
export * from './inbox.js';
export * from './lender.js';
export * from './pump.js';
export * from './reader.js';
