/**
 * How a server of MCP says no: an error of JSON-RPC with the id of what was asked, so that SDKs show the sentence and an agent reads it. Owns:
 * that shape, and where people are to go who release something. Does not: make sentences.
 */
import type { HttpBody } from '@sluice/contract';
import {
  CAPABILITIES_META,
  OWN_INPUT,
  type RpcError,
  TAKES_INPUT,
  URL_ELICITATION_REQUIRED,
  VERSION_META,
  isStateless,
  refusedError,
} from '@sluice/mcp';
import type { ProblemDetails } from './problem.js';

/** What of a request its refusal hangs on. Read as it is written: what is refused goes nowhere. */
interface AskedBody {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: { readonly _meta?: Readonly<Record<string, unknown>>; readonly inputResponses?: unknown } | null;
}

export interface RpcRefusal {
  readonly status: number;
  readonly body: string;
}

/** `body`: of the request, where it has been read. */
export function rpcRefusal(problem: ProblemDetails, body: HttpBody | undefined): RpcRefusal {
  const asked = askedIn(body);
  const all = Array.isArray(asked) ? asked : [asked];
  const requests = all.filter(({ id, method }) => isId(id) && typeof method === 'string');
  const error = errorOf(problem);
  const written = (one: AskedBody | undefined): object => ({
    jsonrpc: '2.0',
    id: one?.id ?? null,
    ...(one ? answerTo(one, error, problem) : { error }),
  });
  // Who has asked nothing that has an id hears of it by the status alone.
  if (requests.length === 0) return { status: problem.status, body: JSON.stringify(written(undefined)) };
  const answers = requests.map(written);
  return { status: statusOf(problem), body: JSON.stringify(Array.isArray(asked) ? answers : answers[0]) };
}

/**
 * The same behind events that a client has already: it takes a stream that breaks off for one that goes on elsewhere, and waits. What stands there
 * half becomes an event of its own, which is none.
 */
export const lastEvent = (problem: ProblemDetails, body: HttpBody): Buffer =>
  Buffer.from(`\n\nevent: message\ndata: ${rpcRefusal(problem, body).body}\n\n`);

/** An answer is one by its status: SDKs take others for a broken way. Those that clients look at stay. */
function statusOf({ status, rpc }: ProblemDetails): number {
  if (rpc) return rpc.status;
  return STAYS.has(status) ? status : 200;
}

const STAYS: ReadonlySet<number> = new Set([401, 404, 405, 429, 502, 503]);

function errorOf({ message, hint, rule, request, command, page, retryAfter, rpc, code }: ProblemDetails): RpcError {
  const error = refusedError({ message, hint, rule, request, command, url: page, retryAfter });
  return { ...error, code: rpc?.code ?? error.code, data: { ...error.data, reason: code } };
}

/**
 * Clients that open addresses for people are told where their request waits: that is no approval, and nobody agrees to anything by it. In the
 * era without sessions that is a result, behind which the client sends its call again; before it, an error.
 */
function answerTo({ method, params }: AskedBody, error: RpcError, { request, page, message }: ProblemDetails): object {
  const { _meta: meta, inputResponses } = params ?? {};
  const declared = meta?.[CAPABILITIES_META] as { elicitation?: { url?: unknown } } | undefined;
  if (page === undefined || declared?.elicitation?.url === undefined) return { error };
  const elicitation = { mode: 'url', elicitationId: `sluice-${request ?? 'grant'}`, url: page, message };
  const version = meta?.[VERSION_META];
  if (typeof version !== 'string' || !isStateless(version))
    return {
      error: { ...error, code: URL_ELICITATION_REQUIRED, data: { ...error.data, elicitations: [elicitation] } },
    };
  // Whoever comes back with answers has shown it already, or answers its server, which this would make forgotten.
  if (inputResponses !== undefined || !TAKES_INPUT.has(String(method))) return { error };
  const inputRequests = { [OWN_INPUT]: { method: 'elicitation/create', params: elicitation } };
  return { result: { resultType: 'input_required', inputRequests } };
}

const isId = (id: unknown): boolean => typeof id === 'string' || typeof id === 'number';

function askedIn(body: HttpBody | undefined): AskedBody | readonly AskedBody[] {
  if (body?.type !== 'whole') return {};
  try {
    const asked: unknown = JSON.parse(Buffer.from(body.bytes).toString());
    if (Array.isArray(asked)) return asked.filter(isObject);
    return isObject(asked) ? asked : {};
  } catch {
    return {};
  }
}

const isObject = (value: unknown): value is AskedBody =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
