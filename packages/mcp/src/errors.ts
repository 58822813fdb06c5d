/**
 * Errors of JSON-RPC and MCP, by their codes, and what the gateway says in them. Owns: which code means what, and the members by which a
 * program can tell a refusal from a wait. Does not: the sentences of a refusal, which rules and analyses have.
 */

/** JSON-RPC 2.0, section 5.1. */
export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const INTERNAL_ERROR = -32603;
/** MCP 2025-11-25: the client has to open an address before it asks again. */
export const URL_ELICITATION_REQUIRED = -32042;
/** MCP 2026-07-28, all of them with status 400. */
export const HEADER_MISMATCH = -32020;
export const UNSUPPORTED_PROTOCOL_VERSION = -32022;
/** Of the gateway's own, outside of what JSON-RPC keeps for itself: a rule or the gateway says no; people have to agree first. */
export const REFUSED = -31001;
const APPROVAL_NEEDED = -31002;

/** A no as JSON-RPC has it. */
export interface RpcError {
  readonly code: number;
  readonly message: string;
  /** Members of `data`, for programs. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/** A refusal, or a wait, before it is one of JSON-RPC. */
export interface Refused {
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string | undefined;
  readonly rule?: string | undefined;
  /** Number of the request for approval; the same call passes once when it has been approved. */
  readonly request?: number | undefined;
  /** Of the command, as the record has it. */
  readonly command?: number | undefined;
  /** Where people see the request, if they have a console. */
  readonly url?: string | undefined;
  /** Seconds after which the same may be tried again. */
  readonly retryAfter?: number | undefined;
}

/** An agent reads the message; programs read `data`. */
export function refusedError({ message, hint, ...rest }: Refused): RpcError {
  const data = Object.fromEntries(Object.entries({ ...rest, hint }).filter(([, value]) => value !== undefined));
  return {
    code: rest.request === undefined ? REFUSED : APPROVAL_NEEDED,
    message: hint === undefined ? message : `${message} ${hint}`,
    data,
  };
}
