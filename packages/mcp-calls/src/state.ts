/** What a gateway keeps of servers of MCP for all their clients. Types only. */
import type { Language } from '@sluice/analysis';
import type { McpSettings } from '@sluice/mcp';
import type { Pins } from './pins.js';
import type { McpSessions } from './sessions.js';

export interface McpState {
  readonly pins: Pins;
  readonly sessions: McpSessions;
}

/** Of one connection. */
export interface McpParts extends McpState {
  readonly settings: McpSettings;
  /** What stands in front of every path at the target, and what `Host` says there. */
  readonly target: { readonly base: string; readonly authority: string };
  readonly languages: ReadonlyMap<string, Language>;
}
