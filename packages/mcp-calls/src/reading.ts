/**
 * A request by HTTP as a client of MCP means it. Owns: which session it is of, its messages, and what is refused because two programs could
 * take it for different things. Does not: know tools, or judge.
 */
import type { Deny, Header, HttpCommand, HttpHead } from '@sluice/contract';
import { Body } from '@sluice/http-requests';
import {
  HEADER_MISMATCH,
  INVALID_REQUEST,
  MessageError,
  type Messages,
  REFUSED,
  SESSION_HEADER,
  disagreement,
  isKnownVersion,
  isStateless,
  messagesIn,
  valuesOf,
  versionIn,
} from '@sluice/mcp';
import type { McpSession, McpSessions } from './sessions.js';

/** What JSON-RPC has no code for, as SDKs of MCP answer it. */
const SESSION_UNKNOWN = -32001;

export interface ReadRequest {
  readonly session: McpSession;
  /** Empty: it is of no session that has a name. */
  readonly sessionId: string;
  readonly asks:
    | { readonly type: 'messages'; readonly messages: Messages }
    /** GET: listens to what the server says by itself. `again`: goes on where a stream broke off. */
    | { readonly type: 'stream'; readonly again: boolean }
    /** DELETE: ends the session. */
    | { readonly type: 'end' };
}

interface Where {
  readonly connection: string;
  readonly principal: string;
  /** What stands in front of every path at the target. */
  readonly base: string;
}

/** A server is one address, the one of its target; of a target without a path those that servers are usually at. */
const USUAL_PATHS: ReadonlySet<string> = new Set(['/', '/mcp', '/sse']);

const METHODS: ReadonlySet<string> = new Set(['POST', 'GET', 'DELETE']);

/** Of MCP, but for what its body hangs on. */
const isOfMcp = ({ method }: Pick<HttpHead, 'method'>): boolean => METHODS.has(method);

export function readRequest(command: HttpCommand, where: Where, sessions: McpSessions): ReadRequest | Deny {
  const { method, headers, body, upgrade, message } = command;
  if (!isOfMcp(command) || upgrade !== undefined || message)
    return refused(405, INVALID_REQUEST, 'is none of MCP: that has POST, GET and DELETE');
  const found = sessionOf(command, where, sessions);
  if ('type' in found) return found;
  // Whatever else the same host has would take a message for something else.
  if (found.session.endpoint === undefined && !isServer(command, where))
    return refused(404, INVALID_REQUEST, 'goes to an address that is not the one of the server', ADDRESS);
  const lasts = valuesOf(headers, 'last-event-id');
  const stranger = lasts.length > 0 ? eventFault(lasts, found) : undefined;
  if (stranger) return stranger;
  if (method !== 'POST') {
    if (body.type !== 'none') return refused(400, INVALID_REQUEST, `is a ${method} with a body`);
    if (method === 'DELETE') return { ...found, asks: { type: 'end' } };
    return { ...found, asks: { type: 'stream', again: lasts.length > 0 } };
  }
  try {
    const messages = read(command);
    const fault = versionFault(messages) ?? headerFault(command, messages);
    return fault ?? { ...found, asks: { type: 'messages', messages } };
  } catch (error) {
    if (!(error instanceof MessageError)) throw error;
    return refused(400, error.code, error.message);
  }
}

/** Whoever guesses the id of an event would have somebody else's stream: servers may count events of all sessions together. */
function eventFault(
  [last = '', ...others]: readonly string[],
  { session, sessionId }: Pick<ReadRequest, 'session' | 'sessionId'>,
): Deny | undefined {
  if (sessionId === '')
    return refused(400, INVALID_REQUEST, 'goes on with a stream without a session, which could be anybody’s');
  if (others.length === 0 && session.hasGiven(last)) return undefined;
  return refused(400, INVALID_REQUEST, 'goes on behind an event that this session has not had of late');
}

/** @throws MessageError */
function read({ body }: HttpCommand): Messages {
  if (body.type !== 'whole' || body.bytes.length === 0) throw new MessageError('has no message', INVALID_REQUEST);
  const { read: known } = new Body(body);
  if (known.type === 'json') return messagesIn(known.value);
  throw MessageError.unread(known.type === 'unreadable' ? known.why : 'is no JSON');
}

const isServer = ({ path, query }: HttpCommand, { base }: Where): boolean =>
  query === '' && (base === '' ? USUAL_PATHS.has(path) : path === '/');

const ADDRESS = 'The address is the one of the connection, without anything behind it.';

/** Without the headers that repeat arguments, for which the tool has to be known. */
const headerFault = ({ headers }: HttpCommand, messages: Messages): Deny | undefined => {
  const own = headers.filter(([name]) => !name.toLowerCase().startsWith('mcp-param-'));
  return mismatch(disagreement(own, messages, new Map()));
};

export const mismatch = (fault: string | undefined): Deny | undefined =>
  fault === undefined
    ? undefined
    : {
        type: 'deny',
        rule: 'gateway',
        message: `The headers of this request ${fault}.`,
        rpc: { code: HEADER_MISMATCH, status: 400 },
      };

function versionFault({ batch, messages }: Messages): Deny | undefined {
  for (const message of messages) {
    const version = versionIn(message);
    if (version === undefined) continue;
    if (!isKnownVersion(version))
      return refused(
        400,
        INVALID_REQUEST,
        `is by revision ${JSON.stringify(version.slice(0, 20))}, which is not known here`,
      );
    if (batch && isStateless(version))
      return refused(400, INVALID_REQUEST, 'is a batch, which its revision does not have');
  }
  return undefined;
}

function sessionOf(
  { method, path, query, headers }: HttpCommand,
  { connection, principal }: Where,
  sessions: McpSessions,
): Pick<ReadRequest, 'session' | 'sessionId'> | Deny {
  const [id, other] = valuesOf(headers, SESSION_HEADER);
  if (other !== undefined) return refused(400, INVALID_REQUEST, 'names two sessions');
  // In the transport of old the address is the session.
  const address = `${path}?${query}`;
  const old = method === 'POST' ? sessions.find(connection, address, principal) : undefined;
  if (id === undefined && old) return { session: old, sessionId: '' };
  if (id === undefined && method === 'POST' && sessions.isKnown(connection, address)) return SESSION_OF_NOBODY;
  if (id === undefined) return { session: sessions.unnamed(connection, principal), sessionId: '' };
  const session = sessions.find(connection, id, principal);
  // By the name of an address that is somebody's, any other address would be reached.
  return session && session.endpoint === undefined ? { session, sessionId: id } : SESSION_OF_NOBODY;
}

/** The same whether it is somebody else's or was never there. By its status a client begins another one. */
const SESSION_OF_NOBODY: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'There is no such session of yours.',
  hint: 'Initialize a new one.',
  rpc: { code: SESSION_UNKNOWN, status: 404 },
};

/** How a server answers to who listens to it. */
export const STREAM_HEAD: readonly Header[] = [['content-type', 'text/event-stream']];

/** What a server says by itself never is all there. By this status clients go on without it. */
export const ENDLESS: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'Rules judge the whole of this answer before it passes, and a stream that a client listens to has no end.',
  hint: 'Calls and their answers go on without it. A rule that names what it is about, such as a tool, leaves the stream alone.',
  rpc: { code: REFUSED, status: 405 },
};

export const refused = (status: number, code: number, why: string, hint?: string): Deny => ({
  type: 'deny',
  rule: 'gateway',
  message: `This request to a server of MCP ${why}.`,
  ...(hint !== undefined && { hint }),
  rpc: { code, status },
});
