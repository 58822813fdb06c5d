/**
 * What messages of a client would do. Owns: facts of each, and what of it rules see as a call of a tool. Does not: decide, or know whether a
 * tool has changed.
 */
import type { Action, Deny, Facts, Resource } from '@sluice/contract';
import type { PolicyContext } from '@sluice/guardrails';
import { BodyUnread, type Json, jsonOf, membersNamed, textOf } from '@sluice/http-requests';
import { toolName } from '@sluice/language-models';
import {
  CALL,
  CAPABILITIES_META,
  CLIENT_META,
  INVALID_PARAMS,
  INVALID_REQUEST,
  LOG_LEVEL_META,
  type Message,
  type NotificationMessage,
  type RequestMessage,
  type Tool,
  VERSION_META,
  effectsOf,
  nameMember,
  objectIn,
  textIn,
  toolEffects,
} from '@sluice/mcp';
import { type OwnAction, factsOfCall, seenTool } from '@sluice/proposed-calls';
import { refused } from './reading.js';
import type { McpParts } from './state.js';

/** Of a message: what it would do, and what is known of it besides. */
export interface KnownMessage {
  readonly facts: Facts | Promise<Facts>;
  /** As a line, for rules, the record and people. */
  readonly text: string;
  /** Present where it calls a tool. */
  readonly tool?: PolicyContext['tool'];
}

const NO_ARGUMENTS = '{}';

type Asking = RequestMessage | NotificationMessage;

export const isCall = (message: Message): message is RequestMessage & { readonly json: Message['json'] } =>
  message.type === 'request' && message.method === CALL;

/** What it names; undefined: nothing, or no text. */
export function nameOf({ method, params }: Asking): string | undefined {
  const member = nameMember(method);
  return member === undefined ? undefined : params && textIn(params.members, member);
}

/** `tool`: of a call, as it is pinned; undefined: nobody knows. */
export function knownCall(
  message: RequestMessage,
  server: string,
  tool: Tool | undefined,
  { settings, languages }: Pick<McpParts, 'settings' | 'languages'>,
  owner: string,
): KnownMessage | Deny {
  const name = nameOf(message);
  if (name === undefined) return refused(200, INVALID_PARAMS, 'calls a tool without a name');
  const args = message.params?.members.get('arguments');
  if (args && args.type !== 'object') return refused(200, INVALID_PARAMS, 'has arguments without names');
  const input = args ? jsonOf(args) : NO_ARGUMENTS;
  const answers = message.params?.members.has('inputResponses') ? [ANSWERED] : [];
  const known = factsOfCall(
    { tool: name, input },
    settings.tools.get(toolName(name)),
    languages,
    owner,
    ownOf(server, name, tool),
  );
  const facts = known instanceof Promise ? known.then((late) => withMore(late, answers)) : withMore(known, answers);
  const more = without(message.params, ['name', 'arguments']);
  const text = `${CALL} ${name} ${input}${more === undefined ? '' : ` with ${more}`}`;
  return { facts, text, tool: seenTool(server, name, input) };
}

const UNPINNED = { effects: ['execute', 'unknown'] as const, reasons: ['is a tool that nobody here has seen'] };

function ownOf(server: string, name: string, tool: Tool | undefined): OwnAction {
  const resources: readonly Resource[] = [{ type: 'tool', name: `${server}/${name}`, access: 'execute' }];
  return { verb: `${CALL}:${name}`, resources, ...(tool ? toolEffects(tool) : UNPINNED) };
}

/** What a call of it would do, whatever its arguments are. */
export const factsOfTool = (server: string, tool: Tool): Facts =>
  factsOf([{ statement: 0, depth: 0, ...ownOf(server, tool.name, tool) }]);

/** For what rules say of a tool before it is called. */
export const toolAhead = (server: string, name: string): NonNullable<PolicyContext['tool']> => ({
  server,
  name,
  argument: () => {
    throw new BodyUnread('there are no arguments yet');
  },
});

/** What is asked for besides tools. */
export function knownMessage(message: Asking, server: string): KnownMessage | Deny {
  const { type, method, params } = message;
  // Some servers run it all the same, and rules about tools would have nothing to look at.
  if (type === 'notification' && method === CALL) return refused(400, INVALID_REQUEST, 'calls a tool without an id');
  const rest = without(params, []);
  const action = actionOf(method, resourcesOf(message, server));
  return {
    facts: factsOf(params?.members.has('inputResponses') ? [action, ANSWERED] : [action]),
    text: rest === undefined ? method : `${method} ${rest}`,
  };
}

/** What a client answers to its server. `method`: what the server asked for. */
export const knownAnswer = (method: string, json: Json): KnownMessage => ({
  facts: factsOf([{ ...PLAIN, verb: `answer:${method}`, effects: ['egress'] }]),
  text: `answer:${method} ${jsonOf(json)}`,
});

/** Of an item that a list has: what whoever uses it would do. */
export const factsOfUse = (method: string, name: string, server: string): Facts =>
  factsOf([actionOf(method, [resourceOf(method, name, server)])]);

/** What a server asks of its client. */
export const factsOfAsk = (method: string): Facts =>
  factsOf([{ ...PLAIN, verb: method, effects: ['egress', 'unknown'], reasons: ['is asked for by the server'] }]);

/** A stream that is listened to, and the end of a session. */
export const factsOfStream = (): Facts => factsOf([{ ...PLAIN, verb: 'listen', effects: ['read', 'session'] }]);
export const factsOfEnd = (): Facts => factsOf([{ ...PLAIN, verb: 'end', effects: ['session'] }]);

const PLAIN: Action = { statement: 0, depth: 0, verb: '', effects: [], resources: [], reasons: [] };

/** What a client answers to its server with a request of its own. */
const ANSWERED: Action = { ...PLAIN, depth: 1, verb: 'answer:input', effects: ['egress'] };

function actionOf(method: string, resources: readonly Resource[]): Action {
  const effects = effectsOf(method);
  return {
    ...PLAIN,
    verb: method,
    effects: effects ?? ['unknown'],
    resources,
    reasons: effects ? [] : ['is a method of MCP that is not known here'],
  };
}

/** What it is about. */
function resourcesOf(message: Asking, server: string): readonly Resource[] {
  const { method, params } = message;
  const name = nameOf(message);
  if (name !== undefined) return [resourceOf(method, name, server)];
  if (method === 'completion/complete') {
    const ref = params && objectIn(params.members, 'ref');
    const named = (member: string, used: string): readonly Resource[] =>
      membersNamed(ref?.members ?? NOTHING, member).map((one) => resourceOf(used, textOf(one), server));
    return [...named('name', 'prompts/get'), ...named('uri', 'resources/read')];
  }
  if (method !== 'subscriptions/listen') return [];
  const filter = params && objectIn(params.members, 'notifications');
  return membersNamed(filter?.members ?? NOTHING, 'resourceSubscriptions').flatMap((all) =>
    (all.type === 'array' ? all.items : [all]).map((one) => resourceOf('resources/subscribe', textOf(one), server)),
  );
}

const NOTHING: ReadonlyMap<string, Json> = new Map();

const resourceOf = (method: string, name: string, server: string): Resource =>
  method.startsWith('resources/')
    ? { type: 'url', name, access: 'read' }
    : { type: 'object', name: `${server}/${name}`, access: 'read' };

const factsOf = (actions: readonly Action[]): Facts => ({ actions, confidence: 'parsed', statements: [] });

const withMore = (facts: Facts, more: readonly Action[]): Facts =>
  more.length === 0 ? facts : { ...facts, actions: [...facts.actions, ...more] };

/**
 * Members of `_meta` that differ with each sending of the same: a server gets them, and they make no other call of it. All of them are the
 * protocol's own, but for the id that Claude Code gives each call. Whatever else ends in `Id` a server may go by: it counts.
 */
const OF_ONE_SENDING: ReadonlySet<string> = new Set([
  'progressToken',
  'traceparent',
  'tracestate',
  'baggage',
  VERSION_META,
  CLIENT_META,
  CAPABILITIES_META,
  LOG_LEVEL_META,
  'claudecode/toolUseId',
]);

/** Parameters as JSON without some, and without what belongs to one sending. Undefined: there are no others. */
function without(params: RequestMessage['params'], names: readonly string[]): string | undefined {
  const rest = [...(params?.members ?? [])].flatMap(([name, value]): (readonly [string, Json])[] => {
    if (names.includes(name)) return [];
    if (name !== '_meta' || value.type !== 'object') return [[name, value]];
    const members = [...value.members].filter(([one]) => !OF_ONE_SENDING.has(one));
    return members.length === 0 ? [] : [[name, { type: 'object', members: new Map(members) }]];
  });
  return rest.length === 0 ? undefined : jsonOf({ type: 'object', members: new Map(rest) });
}
