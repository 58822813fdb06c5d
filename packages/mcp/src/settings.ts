/** What a configuration says of a target that is a server of MCP. Types only. */
import type { Release } from '@sluice/contract';
import type { ToolArgument } from '@sluice/language-models';

export interface McpSettings {
  /** 'first': a tool is pinned as it is seen first; 'approve': people look at it before. */
  readonly pins: 'first' | 'approve';
  /** Who looks at tools that have changed, and at new ones where `pins` says so; undefined: nobody, and calls of them are refused. */
  readonly changes: Release | undefined;
  /** Arguments that are commands, by the name of the tool. */
  readonly tools: ReadonlyMap<string, ToolArgument>;
  /** The longest message of a server that is read, in bytes. */
  readonly maxBytes: number;
}
