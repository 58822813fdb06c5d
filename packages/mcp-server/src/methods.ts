/**
 * What a client of MCP asks, and what it is answered. Owns: the methods of both eras. Does not: HTTP (server.ts), or what a tool does.
 */
import { jsonOf } from '@sluice/http-requests';
import {
  CAPABILITIES_META,
  INVALID_PARAMS,
  INTERNAL_ERROR,
  type JsonObject,
  METHOD_NOT_FOUND,
  type RequestMessage,
  SESSION_VERSIONS,
  STATELESS_VERSIONS,
  errorText,
  objectIn,
  resultText,
  textIn,
} from '@sluice/mcp';
import { z } from 'zod';
import type { Caller } from './host.js';
import type { Cursors } from './pages.js';
import { type Tool, type ToolCall, ToolError, inLines } from './tool.js';
import { describe } from './tools/describe.js';
import { exec } from './tools/exec.js';
import { query } from './tools/query.js';
import { request } from './tools/request.js';
import { explain, listConnections, myRequests, requestAccess } from './tools/asking.js';

const TOOLS: readonly Tool[] = [listConnections, describe, query, exec, request, explain, requestAccess, myRequests];

/** Says what this server is to whoever asks. */
export interface ServerWords {
  readonly version: string;
}

/** What a method needs besides its parameters. */
export interface MethodCall extends ToolCall {
  readonly stateless: boolean;
}

export const newCall = (
  caller: Caller,
  cursors: Cursors,
  rest: Pick<MethodCall, 'signal' | 'progress' | 'stateless'>,
): MethodCall => ({ caller, cursors, ...rest });

const INSTRUCTIONS =
  'Databases, machines and services behind a gateway with rules. Begin with list_connections. What you run is judged, recorded, and may be masked or wait for people: read what a refusal says, and do not look for another way around it.';

const information = ({ version }: ServerWords): object => ({ name: 'sluice', title: 'Sluice', version });

/** The revision that a client and this server speak: the client's, if it is known here. */
export function agreedVersion(params: JsonObject | undefined): string {
  const wanted = params && textIn(params.members, 'protocolVersion');
  return SESSION_VERSIONS.find((one) => one === wanted) ?? SESSION_VERSIONS[0];
}

export const initialized = (words: ServerWords, version: string): object => ({
  protocolVersion: version,
  capabilities: { tools: {} },
  serverInfo: information(words),
  instructions: INSTRUCTIONS,
});

/** Answers a request with a whole message. Never rejects. */
export async function answer(message: RequestMessage, words: ServerWords, call: MethodCall): Promise<string> {
  const { id, method, params } = message;
  const done = (result: object): string =>
    resultText(id, JSON.stringify(call.stateless ? { resultType: 'complete', ...result, _meta: meta(words) } : result));
  switch (method) {
    case 'ping':
      return done({});
    case 'server/discover':
      if (!call.stateless) break;
      return done({
        ...lasting(call),
        supportedVersions: STATELESS_VERSIONS,
        capabilities: { tools: {} },
        instructions: INSTRUCTIONS,
      });
    case 'tools/list': {
      const tools = toolsOf(call.caller);
      call.caller.noted(method, tools.map(({ name }) => name).join(' '));
      return done({ ...lasting(call), tools: tools.map((one) => listed(one, call.caller)) });
    }
    case 'tools/call': {
      const name = params && textIn(params.members, 'name');
      const found = toolsOf(call.caller).find((one) => one.name === name);
      if (!found)
        return errorText(id, INVALID_PARAMS, `There is no tool "${(name ?? '').slice(0, 100)}" for you here.`);
      try {
        return done(await called(found, params, call));
      } catch (error) {
        call.caller.broke(`the tool ${found.name} failed: ${error instanceof Error ? error.message : String(error)}`);
        return errorText(id, INTERNAL_ERROR, 'The gateway could not carry out this call.');
      }
    }
  }
  return errorText(id, METHOD_NOT_FOUND, `There is no method "${method.slice(0, 100)}" here.`);
}

const meta = (words: ServerWords): object => ({ 'io.modelcontextprotocol/serverInfo': information(words) });

/** What a caller may use hangs on rules, which change at any time. */
const lasting = ({ stateless }: MethodCall): object => (stateless ? { ttlMs: 0, cacheScope: 'private' } : {});

const toolsOf = (caller: Caller): readonly Tool[] => {
  const connections = caller.connections();
  return TOOLS.filter((one) => one.isFor(connections));
};

function listed({ name, title, description, input, output, annotations }: Tool, caller: Caller): object {
  return {
    name,
    title,
    description,
    inputSchema: z.toJSONSchema(input, { io: 'input' }),
    outputSchema: z.toJSONSchema(output, { io: 'input' }),
    annotations: { title, ...annotations(caller) },
  };
}

async function called(found: Tool, params: JsonObject | undefined, call: MethodCall): Promise<object> {
  const given = params && objectIn(params.members, 'arguments');
  const input: unknown = given ? JSON.parse(jsonOf(given)) : {};
  try {
    const structured = await found.run(input, call);
    return { content: [textOf(JSON.stringify(structured))], structuredContent: structured };
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    return mayOpen(params, error, call) ?? refused(error);
  }
}

const textOf = (text: string): object => ({ type: 'text', text });

/** The model reads the text; programs read the rest. */
const refused = ({ refused: why }: ToolError): object => ({
  content: [textOf(inLines(why))],
  isError: true,
  _meta: { 'sluice/refused': why },
});

/** Where people answer a request, a client of the era without sessions can show its user, and then sends the call again. */
function mayOpen(
  params: JsonObject | undefined,
  { refused: { request: number, url, message } }: ToolError,
  call: MethodCall,
): object | undefined {
  const said = params && objectIn(params.members, '_meta');
  const capabilities = said && objectIn(said.members, CAPABILITIES_META);
  const elicitation = capabilities && objectIn(capabilities.members, 'elicitation');
  const opens = call.stateless && elicitation?.members.has('url') === true;
  // Whoever comes back with an answer has shown it already.
  if (!opens || url === undefined || number === undefined || params?.members.has('inputResponses') === true)
    return undefined;
  const shown = { mode: 'url', url, message, elicitationId: `request-${number}` };
  return {
    resultType: 'input_required',
    inputRequests: { approval: { method: 'elicitation/create', params: shown } },
  };
}
