/**
 * How HTTP says no, in the client's own dialect: problem details (RFC 9457) with what a program needs to go on, the status of
 * gRPC in trailers. Owns: statuses, headers and the shape. Does not: make sentences; those of codes are in the contract, those
 * of rules with the rules.
 */
import {
  type Deny,
  type DenyReason,
  ENDING_KINDS,
  type Ending,
  type Header,
  type HttpApi,
  type HttpBody,
  REFUSAL_KINDS,
  type Refusal,
  type RefusalKind,
  denyInWords,
  endingInWords,
  refusalInWords,
} from '@sluice/contract';
import { phraseOf } from './status.js';
import { valueOf } from './headers.js';
import type { ClientSide, IncomingRequest } from './ports.js';
import { type ProblemDetails, UNAUTHORISED } from './problem.js';
import { rpcRefusal } from './refusal-mcp.js';
import { isModelApi, laterFor, modelError, retryHeaders } from './refusal-model.js';

const DENY_STATUS: Readonly<Partial<Record<DenyReason['code'], number>>> = {
  'body-too-long': 413,
  'budget-used-up': 429,
  'budget-uncounted': 503,
  'nobody-could-be-asked': 503,
  'rules-changed': 409,
  'session-outdated': 409,
  'record-unwritable': 503,
  'tripwire-uncounted': 503,
};

/** When an approval may have come, in seconds. */
const RETRY_AFTER_HOLD_S = 30;

/** A command was refused. `async`: the client would rather have 202 and a place to look (RFC 7240 section 4.1). */
export function denied(deny: Deny, command: number, async: boolean): ProblemDetails {
  const { reason, rule, rpc } = deny;
  const { message, hint } = reason ? denyInWords(reason, 'command') : deny;
  const about = { message, hint, rule, command, ...(rpc && { rpc }) };
  if (reason?.code === 'approval-needed') {
    const { request, page } = reason;
    const headers: Header[] = async
      ? [
          ['Location', `/.sluice/requests/${request}`],
          ['Preference-Applied', 'respond-async'],
        ]
      : [];
    const later = { request, page, retryAfter: RETRY_AFTER_HOLD_S, headers };
    return { ...about, status: async ? 202 : 403, code: reason.code, ...later };
  }
  const request = reason && 'request' in reason ? { request: reason.request } : {};
  const isLate = reason?.code === 'answer-bound' && reason.unit === 'timeout';
  const own = isLate ? 504 : reason && DENY_STATUS[reason.code];
  const status = rpc?.status ?? own ?? (deny.syntaxError ? 400 : 403);
  const page = reason?.code === 'grant-needed' ? { page: reason.page } : {};
  const free = reason?.code === 'budget-used-up' ? { retryAfter: secondsUntil(reason.free ?? 0) } : {};
  return { ...about, ...request, ...page, ...free, status, code: reason?.code ?? 'refused' };
}

const secondsUntil = (time: number): number => Math.max(1, Math.ceil((time - Date.now()) / 1000));

const REFUSAL_STATUS: Readonly<Record<RefusalKind, number>> = {
  credentials: 401,
  connection: 404,
  access: 403,
  limit: 429,
  unavailable: 503,
};

const CHALLENGES: readonly Header[] = [
  ['WWW-Authenticate', 'Bearer realm="sluice"'],
  ['WWW-Authenticate', 'Basic realm="sluice", charset="UTF-8"'],
];

/** Nobody came in. What is said of an unknown route and of a bad token is the same until somebody is proven. */
export function notEntered({ reason, menu }: Refusal): ProblemDetails {
  const status = menu ? 404 : REFUSAL_STATUS[REFUSAL_KINDS[reason.code]];
  const { message, hint } = NO_ENTRY[reason.code] ?? refusalInWords(reason);
  return {
    status,
    code: reason.code,
    message,
    hint,
    ...(menu && { connections: menu.connections }),
    ...(status === 401 && { headers: CHALLENGES }),
    ...((status === 429 || status === 503) && { retryAfter: 10 }),
  };
}

/** Where a request names nothing of what the other protocols' words are about. */
const NO_ENTRY: Readonly<Partial<Record<Refusal['reason']['code'], { message: string; hint: string }>>> = {
  'wrong-proof': {
    message: 'This request shows no token or certificate that is good here.',
    hint: 'Send `Authorization: Bearer` with a token of the gateway, or of an identity provider that it trusts.',
  },
  'unknown-connection': {
    message: 'No connection of yours has this host and path.',
    hint: 'A path begins with the name of a connection: /NAME/... `connections` has the names that you may use.',
  },
};

/** The visit has ended under the request. */
export const ended = (ending: Ending): ProblemDetails => ({
  status: ENDING_KINDS[ending.code] === 'killed' ? 403 : 503,
  code: ending.code,
  message: endingInWords(ending),
});

/** The target has failed the request. */
export const badGateway = (message: string): ProblemDetails => ({
  status: 502,
  code: 'target-failed',
  message: capital(message),
});

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

export const isGrpc = (headers: readonly Header[]): boolean =>
  /^application\/grpc(?:[+;]|$)/i.test(valueOf(headers, 'content-type') ?? '');

/** Sends the no, in the idiom of `api`. */
export function refuse(
  client: ClientSide,
  request: IncomingRequest,
  refused: ProblemDetails,
  api: HttpApi = 'rest',
  asked?: HttpBody,
): void {
  const problem = laterFor(api, refused);
  if (isGrpc(request.set.headers)) return refuseGrpc(client, problem);
  const isModel = isModelApi(api);
  // Who has proven nothing is told the same as anywhere.
  const isRpc = api === 'mcp' && request.method === 'POST' && problem.status !== UNAUTHORISED;
  const rpc = isRpc ? rpcRefusal(problem, asked) : undefined;
  const said = rpc?.body ?? JSON.stringify(isModel ? modelError(api, problem) : details(problem));
  const body = Buffer.from(`${said}\n`);
  const status = rpc?.status ?? problem.status;
  const headers: Header[] = [
    ['Content-Type', isModel || rpc ? 'application/json' : 'application/problem+json'],
    ['Content-Length', String(body.length)],
    ['Cache-Control', 'no-store'],
    ...(problem.headers ?? []),
    ...(isModel ? retryHeaders(problem) : []),
  ];
  if (problem.retryAfter !== undefined) headers.push(['Retry-After', String(problem.retryAfter)]);
  if (problem.request !== undefined) headers.push(['Sluice-Request', String(problem.request)]);
  if (problem.command !== undefined) headers.push(['Sluice-Command', String(problem.command)]);
  const reason = phraseOf(status);
  const none = request.method === 'HEAD';
  client.head({
    status,
    reason,
    headers,
    framing: none ? { type: 'none' } : { type: 'length', length: body.length },
  });
  if (!none) client.data(body);
  client.end([]);
}

function details(problem: ProblemDetails): object {
  const { status, code, message, hint, rule, request, command, connections } = problem;
  return {
    type: `urn:sluice:problem:${code}`,
    title: phraseOf(status),
    status,
    detail: message,
    ...(hint !== undefined && { hint }),
    ...(rule !== undefined && { rule }),
    ...(request !== undefined && { request }),
    ...(command !== undefined && { command }),
    ...(connections && { connections }),
  };
}

/** Statuses of gRPC. Not UNAVAILABLE where trying again is of no use: libraries do so by themselves. */
const GRPC_STATUS: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  404: 12,
  409: 10,
  413: 8,
  429: 8,
  501: 12,
  502: 14,
  503: 14,
};
const PERMISSION_DENIED = 7;

/** How a call of gRPC ends with a no. */
export function grpcStatus(problem: ProblemDetails): readonly Header[] {
  const sentence = problem.hint === undefined ? problem.message : `${problem.message} ${problem.hint}`;
  return [
    ['grpc-status', String(GRPC_STATUS[problem.status] ?? PERMISSION_DENIED)],
    ['grpc-message', percentEncoded(sentence)],
    ...(problem.request === undefined ? [] : [['sluice-request', String(problem.request)] as const]),
  ];
}

/** Trailers alone, as gRPC says no before any message. */
function refuseGrpc(client: ClientSide, problem: ProblemDetails): void {
  const headers: Header[] = [['Content-Type', 'application/grpc'], ...grpcStatus(problem)];
  client.head({ status: 200, reason: 'OK', headers, framing: { type: 'none' } });
  client.end([]);
}

/** Percent-encoding of gRPC: printable ASCII but for `%` stays. */
const percentEncoded = (text: string): string =>
  Array.from(Buffer.from(text), (byte) =>
    byte >= 0x20 && byte <= 0x7e && byte !== 0x25
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`,
  ).join('');
