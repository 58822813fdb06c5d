/**
 * Tools for protocols: bounded reading, the pump that runs a sans-io conversation over two streams, and what every conversation
 * does with answers of the gate and for the record.
 */
export * from './arena.js';
export * from './command-clock.js';
export * from './conversation.js';
export * from './errors.js';
export * from './gathering-hash.js';
export * from './inbox.js';
export * from './lender.js';
export * from './pump.js';
export * from './reader.js';
export * from './recent.js';
export * from './recorder.js';
export * from './room.js';
export * from './sent-room.js';
export * from './session-room.js';
export * from './small-pieces.js';
export * from './statement-room.js';
export * from './turn.js';
export * from './waiting.js';
