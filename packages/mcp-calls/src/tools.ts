/**
 * Tools of a server as its clients may have them. Owns: which are listed, as what, and which have to be looked at before they are called.
 * Does not: read answers.
 */
import type { AppliedHold } from '@sluice/contract';
import type { CompiledPolicy, PolicyContext } from '@sluice/guardrails';
import type { Json } from '@sluice/http-requests';
import { LISTS, type Tool, textIn, toolDifference, toolIn } from '@sluice/mcp';
import { factsOfTool, factsOfUse, toolAhead } from './facts.js';
import type { Pin } from './pins.js';
import type { McpSession } from './sessions.js';
import { LIST_TASKS } from './tasks.js';
import type { McpParts } from './state.js';

/** Why a tool cannot be called before people have looked at it. */
export interface Change {
  readonly pin: Pin & { readonly offered: Tool };
  /** For people. */
  readonly difference: string;
}

/** Undefined: it is as it was pinned. `listed`: its fingerprint in the list of this session; undefined: it was not listed there. */
export function changeOf(pin: Pin | undefined, listed: string | undefined): Change | undefined {
  const { pinned, offered } = pin ?? {};
  // What the server says to others holds nobody else's calls.
  if (listed !== undefined && listed === pinned?.sha256) return undefined;
  return offered && { pin: { pinned, offered }, difference: toolDifference(pinned, offered) };
}

/** Whether what a session was told of a tool is something that is still known here. */
export const isKnown = (pin: Pin | undefined, listed: string | undefined): boolean =>
  listed === TWICE || (listed !== undefined && (listed === pin?.pinned?.sha256 || listed === pin?.offered?.sha256));

/** The same where nobody can be asked: what was not listed in this session was in another one. What this one was told is known, or nobody looks at it. */
export const wasPinned = (pin: Pin | undefined, listed: string | undefined): boolean =>
  listed === undefined ? pin !== undefined : isKnown(pin, listed);

/** The hold of such a call: of this change, and of no other one. Undefined: nobody is named who could look at it. */
export function holdFor(
  { pin: { pinned, offered } }: Change,
  { changes }: McpParts['settings'],
): AppliedHold | undefined {
  if (!changes) return undefined;
  const what = pinned ? 'has changed' : 'is new';
  return {
    ...changes,
    type: 'hold',
    onTimeout: 'deny',
    rule: `tool ${offered.name} ${what} (${offered.sha256.slice(0, 16)})`,
  };
}

/** A server lists tools: they are pinned, or compared with their pins. `isFirst`: nothing of the list came before. */
export function noteTools(
  items: readonly Json[],
  session: McpSession,
  isFirst: boolean,
  connection: string,
  parts: McpParts,
): void {
  if (isFirst) {
    session.tools.clear();
    session.listed = performance.now();
  }
  for (const item of items) {
    const tool = toolIn(item);
    if (!tool) continue;
    // Which of two of one name would be called nobody can say.
    const before = session.tools.get(tool.name);
    if (before !== undefined && before !== tool.sha256) session.tools.set(tool.name, TWICE);
    else if (parts.pins.see(connection, tool, parts.settings.pins === 'first'))
      session.tools.set(tool.name, tool.sha256);
  }
}

/** In place of a fingerprint: two tools have this name. */
export const TWICE = '';

export interface ListContext {
  readonly policy: CompiledPolicy;
  /** Of a call that is not there yet: whatever it says is not known. */
  readonly context: PolicyContext;
  readonly connection: string;
  readonly parts: McpParts;
  readonly session: McpSession;
}

/** Items of a list that some rule may admit, as the client may have them. `method`: the one that lists. */
export function listedItems(method: string, items: readonly Json[], listing: ListContext): readonly Json[] {
  if (method === 'tools/list') return items.flatMap((item) => listedTool(item, listing));
  const { policy, context, connection, parts, session } = listing;
  const list = LISTS[method];
  if (!list) return items;
  const isOwn = (id: string): boolean => parts.sessions.tasks.find(connection, session.principal, id) !== undefined;
  return items.filter((item) => {
    const name = item.type === 'object' ? textIn(item.members, list.name) : undefined;
    if (name !== undefined && method === LIST_TASKS && !isOwn(name)) return false;
    return name !== undefined && policy.mayPass(factsOfUse(list.used, name, connection), context);
  });
}

function listedTool(item: Json, { policy, context, connection, parts, session }: ListContext): readonly Json[] {
  const tool = toolIn(item);
  if (!tool || session.tools.get(tool.name) !== tool.sha256) return [];
  const { pinned } = parts.pins.find(connection, tool.name) ?? {};
  const may = policy.mayPass(factsOfTool(connection, tool), { ...context, tool: toolAhead(connection, tool.name) });
  if (!may) return [];
  if (pinned?.sha256 === tool.sha256) return [item];
  // What nobody has looked at says nothing to a model.
  return [pinned ? pinned.json : unseen(tool.name)];
}

const NEW = 'New: people look at this tool before it is called. Call it, and they are asked.';

const unseen = (name: string): Json => ({
  type: 'object',
  members: new Map<string, Json>([
    ['name', { type: 'string', text: name }],
    ['description', { type: 'string', text: NEW }],
    ['inputSchema', { type: 'object', members: new Map([['type', { type: 'string', text: 'object' }]]) }],
  ]),
});
