/** Servers of MCP in a configuration: `mcp` of a connection by HTTP. Owns: its settings. Does not: what a message says (packages/mcp). */
import { toolName } from '@sluice/language-models';
import type { McpSettings } from '@sluice/mcp';
import { z } from 'zod';
import { release, releaseOf } from '../release.js';
import { toolArgument } from './language-models.js';

/** Of one message; an event of a stream is never longer. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

export function mcpSettings(): z.ZodType<McpSettings | undefined> {
  return z
    .strictObject({
      pins: z
        .enum(['first', 'approve'])
        .default('first')
        .describe(
          'first: a tool is pinned as it is seen first; approve: people look at each new one before it is called',
        ),
      changes: z
        .strictObject(release)
        .omit({ break_glass: true })
        .optional()
        .describe('who looks at a tool that is not what it was; without it, calls of such tools are refused'),
      tools: z
        .record(z.string().min(1), toolArgument)
        .default({})
        .describe('tools with an argument that is judged as what it is'),
      max_bytes: z
        .number()
        .int()
        .min(1024)
        .max(MAX_MESSAGE_BYTES)
        .default(MAX_MESSAGE_BYTES)
        .describe('the longest message of the server, in bytes'),
    })
    .transform(
      ({ pins, changes, tools, max_bytes: maxBytes }): McpSettings => ({
        pins,
        changes: changes && releaseOf(changes),
        tools: new Map(Object.entries(tools).map(([named, one]) => [toolName(named), one])),
        maxBytes,
      }),
    )
    .optional()
    .describe('the target is a server of MCP (Model Context Protocol)');
}
