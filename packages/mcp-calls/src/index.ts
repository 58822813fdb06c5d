/** Requests to servers of MCP and their answers: which rules they are judged by, which tools there are, and whose a session is. */
export { type McpExchange } from './exchange.js';
export { McpJudge, type McpJudged } from './judge.js';
export { type Pin, type PinRecord, type PinStore, Pins, pinnedTool } from './pins.js';
export { McpSessions } from './sessions.js';
export type { McpParts, McpState } from './state.js';
export { type SeenMcp, seenMcp } from './written.js';
export { withoutOwnAnswer } from './own-answer.js';
export { ENDLESS, STREAM_HEAD } from './reading.js';
