/** A no by HTTP before it has a shape. Owns: what is said in one. Does not: word it, or send it (refusal.ts). */
import type { Header } from '@sluice/contract';

/** The status of whoever has proven nothing. */
export const UNAUTHORISED = 401;

/** A no on its way to the client. */
export interface ProblemDetails {
  readonly status: number;
  /** A code for programs: `approval-needed`. Part of the problem's type. */
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly rule?: string;
  /** Number of the request for approval. */
  readonly request?: number;
  /** Of the command, as the record has it. */
  readonly command?: number;
  readonly connections?: readonly string[];
  /** Seconds after which the same may be tried again. */
  readonly retryAfter?: number;
  readonly headers?: readonly Header[];
  /** Where people see that request with a browser. */
  readonly page?: string | undefined;
  /** See `Deny.rpc`. */
  readonly rpc?: { readonly code: number; readonly status: number };
}
