/** Messages of MCP: what a client asks a server, what comes back, and which tools there are. Pure. */
export { type BlobChoice, withoutBlobs } from './content.js';
export * from './errors.js';
export * from './eras.js';
export { SESSION_HEADER, beginsSession, decodedHeader, disagreement, valuesOf } from './headers.js';
export { OWN_INPUT, TAKES_INPUT, withoutOwnInput } from './input.js';
export * from './messages.js';
export { CALL, LISTS, PING, effectsOf, nameMember } from './methods.js';
export type { McpSettings } from './settings.js';
export { type Tool, headerParameters, isToolName, toolDifference, toolEffects, toolFrom, toolIn } from './tools.js';
