/**
 * How a server of MCP says no: an error of JSON-RPC with the id of what was asked, so that SDKs show the sentence and an agent reads it. Owns:
 * that shape, and where people are to go who release something. Does not: make sentences.
 */
import type { HttpBody } from '@sluice/contract';
import { CAPABILITIES_META, type RpcError, URL_ELICITATION_REQUIRED, refusedError } from '@sluice/mcp';
import type { ProblemDetails } from './problem.js';

/** What of a request its refusal hangs on. Read as it is written: what is refused goes nowhere. */
interface AskedBody {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: { readonly _meta?: Readonly<Record<string, unknown>> } | null;
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
    error: one ? withAddress(error, problem, one) : error,
  });
  // Who has asked nothing that has an id hears of it by the status alone.
  if (requests.length === 0) return { status: problem.status, body: JSON.stringify(written(undefined)) };
  const answers = requests.map(written);
  return { status: statusOf(problem), body: JSON.stringify(Array.isArray(asked) ? answers : answers[0]) };
}

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

/** Clients that open addresses for people are told where their request waits: that is no approval, and nobody agrees to anything by it. */
function withAddress(error: RpcError, { request, page, message }: ProblemDetails, { params }: AskedBody): RpcError {
  const { _meta: meta } = params ?? {};
  const declared = meta?.[CAPABILITIES_META] as { elicitation?: { url?: unknown } } | undefined;
  if (request === undefined || page === undefined || declared?.elicitation?.url === undefined) return error;
  const elicitation = { mode: 'url', elicitationId: `sluice-${request}`, url: page, message };
  return { ...error, code: URL_ELICITATION_REQUIRED, data: { ...error.data, elicitations: [elicitation] } };
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
