/**
 * Methods of MCP: what each does to the world, and which member names what it is about. Owns: the tables. Does not: know tools, whose effects
 * are those of their pins.
 */
import type { Effect } from '@sluice/contract';

export const CALL = 'tools/call';
export const INITIALIZE = 'initialize';

/** What clients ask of servers. Tools have effects of their own; what is in no table is unknown. */
const EFFECTS: Readonly<Record<string, readonly Effect[]>> = {
  [INITIALIZE]: ['session'],
  'server/discover': ['read'],
  ping: ['session'],
  'tools/list': ['read'],
  'resources/list': ['read'],
  'resources/templates/list': ['read'],
  'resources/read': ['read'],
  'resources/subscribe': ['read', 'session'],
  'resources/unsubscribe': ['session'],
  'subscriptions/listen': ['read', 'session'],
  'prompts/list': ['read'],
  'prompts/get': ['read'],
  'completion/complete': ['read'],
  'logging/setLevel': ['session'],
  'tasks/list': ['read'],
  'tasks/get': ['read'],
  'tasks/result': ['read'],
  'tasks/cancel': ['write'],
  'notifications/initialized': ['session'],
  'notifications/cancelled': ['session'],
  'notifications/progress': ['session'],
  'notifications/roots/list_changed': ['session'],
};

/** Undefined: nobody here knows what it does. */
export const effectsOf = (method: string): readonly Effect[] | undefined =>
  Object.hasOwn(EFFECTS, method) ? EFFECTS[method] : undefined;

/** The member of `params` that `Mcp-Name` repeats. */
const NAMES: Readonly<Record<string, string>> = {
  [CALL]: 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'resources/subscribe': 'uri',
  'resources/unsubscribe': 'uri',
  'tasks/get': 'taskId',
  'tasks/result': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

/** Undefined: it is about nothing that has a name. */
export const nameMember = (method: string): string | undefined =>
  Object.hasOwn(NAMES, method) ? NAMES[method] : undefined;

/** The member of a result that has the list, and the method that uses an item of it, by the method that lists. */
export const LISTS: Readonly<
  Record<string, { readonly member: string; readonly used: string; readonly name: string }>
> = {
  'tools/list': { member: 'tools', used: CALL, name: 'name' },
  'prompts/list': { member: 'prompts', used: 'prompts/get', name: 'name' },
  'resources/list': { member: 'resources', used: 'resources/read', name: 'uri' },
  'resources/templates/list': { member: 'resourceTemplates', used: 'resources/read', name: 'uriTemplate' },
  'tasks/list': { member: 'tasks', used: 'tasks/get', name: 'taskId' },
};

/** Servers may ask this of any client: it says nothing. */
export const PING = 'ping';
