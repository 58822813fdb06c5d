/** What a tool is, and what it has to do with. Owns: these words, and how a no reads to an agent. Does not: any tool. */
import { type Deny, type DenyReason, type Noun, type Refusal, denyInWords, refusalInWords } from '@sluice/contract';
import type { Refused } from '@sluice/mcp';
import { z } from 'zod';
import type { Failure } from './clients/statement.js';
import type { Caller, ToolConnection } from './host.js';
import type { Cursors } from './pages.js';

/** One call of a tool. */
export interface ToolCall {
  readonly caller: Caller;
  /** Aborted when nobody waits for it any more. */
  readonly signal: AbortSignal;
  readonly cursors: Cursors;
  /** Tells whoever waits how far it is. */
  progress(message: string): void;
}

/** Hints of MCP about what a tool may do to the world. */
export interface Annotations {
  readonly readOnlyHint: boolean;
  readonly destructiveHint?: boolean;
  readonly idempotentHint?: boolean;
  readonly openWorldHint: boolean;
}

export interface Tool {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: z.ZodType;
  readonly output: z.ZodType;
  /** Whether it is there for a caller. */
  isFor(connections: readonly ToolConnection[]): boolean;
  annotations(caller: Caller): Annotations;
  /** @throws ToolError; whatever else it throws is a fault of its own */
  run(input: unknown, call: ToolCall): Promise<object>;
}

interface ToolParts<Input extends z.ZodType> extends Omit<Tool, 'input' | 'run'> {
  readonly input: Input;
  run(input: z.output<Input>, call: ToolCall): Promise<object>;
}

/** A tool that reads its input itself. */
export function tool<Input extends z.ZodType>(parts: ToolParts<Input>): Tool {
  return {
    ...parts,
    run: (input, call) => {
      const read = parts.input.safeParse(input);
      if (read.success) return parts.run(read.data, call);
      const [issue] = read.error.issues;
      const where = issue?.path.join('.') ?? '';
      return Promise.reject(
        new ToolError({ message: `These arguments do not fit: ${where === '' ? '' : `${where}: `}${issue?.message}.` }),
      );
    },
  };
}

/** A no for an agent, which says what to do next. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
  readonly refused: Refused & { readonly code?: string | undefined };

  constructor(refused: ToolError['refused']) {
    super(refused.message);
    this.refused = refused;
  }
}

/** In lines: what it was, by which rule, what to do. */
export function inLines({ message, hint, rule, code, url }: ToolError['refused']): string {
  return [
    code === undefined ? message : `${message} (SQLSTATE ${code})`,
    rule === undefined ? undefined : `Refused by rule "${rule}".`,
    hint,
    url === undefined || hint?.includes(url) === true ? undefined : `See ${url}`,
  ]
    .filter((line) => line !== undefined)
    .join('\n');
}

/** A command that the gate refused. */
export function deniedError(deny: Deny, noun: Noun): ToolError {
  const { reason, rule, syntaxError } = deny;
  if (syntaxError) return failedError({ ...syntaxError, code: '42601' });
  const { message, hint } = reason ? denyInWords(reason, noun) : deny;
  const request = reason && 'request' in reason ? reason.request : undefined;
  const url = reason && 'page' in reason ? reason.page : undefined;
  const freeAt = reason?.code === 'budget-used-up' ? reason.free : undefined;
  const free = freeAt === undefined ? undefined : Math.ceil((freeAt - Date.now()) / 1000);
  const next = reason && REVIEWED.has(reason.code) ? BY_NATIVE_CLIENT : (hint ?? ASK_EXPLAIN);
  return new ToolError({ message, hint: next, rule, request, url, retryAfter: free });
}

/** A session that did not begin. */
export function refusedError({ reason }: Refusal): ToolError {
  const { message, hint: native } = refusalInWords(reason);
  const hint = native?.replace('Log in again once', 'Call again once');
  const request = 'request' in reason ? reason.request : undefined;
  const url = reason.code === 'session-approval-needed' ? reason.page : undefined;
  return new ToolError({ message: sentence(message), hint, request, url });
}

/** What the target said. */
export const failedError = ({ message, detail, hint, code, position }: Failure): ToolError =>
  new ToolError({
    message: `${message}${position === undefined ? '' : ` (at character ${position})`}`,
    hint: [detail, hint].filter((part) => part !== undefined).join(' ') || undefined,
    code,
  });

const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;

/** A call has one text, and what is reviewed needs several. */
const REVIEWED: ReadonlySet<DenyReason['code']> = new Set(['review-needs-transaction', 'review-stands-alone']);
const BY_NATIVE_CLIENT =
  'A call of this tool is a session of its own, so it cannot make such a change: that takes a native client (psql), which sends BEGIN, the change and COMMIT one after the other.';

const ASK_EXPLAIN =
  'The tool "explain" says what the rules would say of another one, without running it. Do not try to get around the rule: say what you need to the person you work for.';

/** How long a held command waits for people, in seconds, if its caller wishes for less. */
export const MAX_WAIT_S = 45;
/** How long a call may take. Seconds. */
const MAX_CALL_S = 600;
export const DEFAULT_CALL_S = 120;

/** Arguments that tools have which run something. */
export const RUNNING = {
  wait_s: z
    .number()
    .min(0)
    .max(MAX_WAIT_S)
    .default(MAX_WAIT_S)
    .describe(
      'If a rule has people agree first: how many seconds to wait for them. After that you get the number of the request, and the identical call passes once when it has been approved.',
    ),
  timeout_s: z
    .number()
    .positive()
    .max(MAX_CALL_S)
    .default(DEFAULT_CALL_S)
    .describe('It is cancelled after so many seconds.'),
} as const;

export const connectionName = z.string().min(1).max(200).describe('A name that list_connections has.');

/** @throws ToolError where a caller has no such connection: unknown and forbidden look the same */
export function connectionOf(caller: Caller, name: string, protocols: readonly string[]): ToolConnection {
  const own = caller.connections().filter(({ protocol }) => protocols.includes(protocol));
  const found = own.find((one) => one.name === name);
  if (found) return found;
  const names = own.map((one) => one.name).join(', ');
  throw new ToolError({
    message: `There is no connection "${name.slice(0, 100)}" for this tool that you may use.`,
    hint: names === '' ? undefined : `There are: ${names}.`,
  });
}
