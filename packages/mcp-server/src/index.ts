/** The gateway as a server of MCP. */
export type { CallSession, Caller, Explain, Explained, ToolConnection } from './host.js';
export { McpServer } from './server.js';
export { ToolError } from './tool.js';
