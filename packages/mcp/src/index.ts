/** Messages of MCP: what a client asks a server, what comes back, and which tools there are. Pure. */
export * from './errors.js';
export * from './eras.js';
export * from './messages.js';
