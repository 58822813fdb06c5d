/**
 * What requests by HTTP are judged with besides rules and masks. Owns: small views of a request and of its answer, and the sentences of the
 * gateway's own. Does not: decide (requests.ts).
 */
import type { Deny, Facts, HttpBody, HttpCommand, HttpEdits, HttpHead } from '@sluice/contract';
import { BodyUnread, type Request, readQuery } from '@sluice/http-requests';
import { type AnswerOf, type ModelCall, type ReadModel, askingForUsage } from '@sluice/language-models';
import type { McpExchange, McpJudge } from '@sluice/mcp-calls';
import type { PolicyContext, Verdict } from '@sluice/guardrails';
import type { Taken } from './judgement.js';
import { MASK_WRITTEN } from './request-masks.js';

/** A request whose verdict is known, and what becomes of it and its answer. */
export interface Told {
  readonly facts: Facts;
  readonly context: PolicyContext;
  readonly verdict: Verdict;
  /** As it is put on record and shown. */
  readonly shown: HttpCommand;
  readonly bytes: Uint8Array | undefined;
  /** Its answer is followed. */
  readonly answers: AnswerOf | undefined;
  readonly charge: Taken | undefined;
  readonly request?: Request;
}

/** A request that the rules are asked about, and what is known of it. */
export interface Asked {
  readonly request: Request;
  readonly facts: Facts;
  readonly model: ReadModel | undefined;
  readonly call: ModelCall | undefined;
  /** People have released it. */
  readonly again: boolean;
}

/** Each head of an answer is looked at for the session that it names. */
export function withHeads(edits: HttpEdits | undefined, mcp: McpJudge, exchange: McpExchange): HttpEdits {
  return {
    ...edits,
    answer: (status, headers, propose) => {
      const passed = status < 200 ? headers : mcp.answered(exchange, status, headers);
      return edits?.answer?.(status, passed, propose) ?? { headers: passed, body: undefined };
    },
  };
}

/** Of a call that comes later nobody knows anything yet. */
export const UNREAD: HttpBody = { type: 'stream', media: 'application/json', length: undefined };
export const unread = (): never => {
  throw new BodyUnread('nothing has come yet');
};

/** The text of its command, before there is one: rules that read it say the same then. */
export const textOf = ({ method, path, query }: HttpHead): string =>
  `${method} ${path}${query === '' ? '' : `?${query}`}`;

/** As it is put on record: with the body that its target may have, and without one that nobody could mask. */
export function shownAs(command: HttpCommand, sent: (HttpBody & { type: 'whole' }) | Deny | undefined): HttpCommand {
  if (sent?.type === 'whole') return { ...command, body: sent };
  return !sent || sent === MASK_WRITTEN ? command : withoutBody(command);
}

export function withoutBody(command: HttpCommand): HttpCommand {
  if (command.body.type !== 'whole') return command;
  const { media, bytes } = command.body;
  return { ...command, body: { type: 'stream', media, length: bytes.length } };
}

/** The body that asks for what its answer uses up, where such an answer does not say so by itself. */
export function meteredBody(
  { operation }: ModelCall,
  { body }: HttpCommand,
  sent: HttpBody | Deny | undefined,
): (HttpBody & { type: 'whole' }) | undefined {
  const now = sent?.type === 'whole' ? sent : body;
  const bytes = operation !== '' && now.type === 'whole' ? askingForUsage(operation, now.bytes) : undefined;
  return bytes && now.type === 'whole' ? { ...now, bytes } : undefined;
}

/** Undefined: they hang on a body that is too long to be read. */
export function factsOf(request: Request): Facts | undefined {
  try {
    return request.facts();
  } catch (error) {
    if (error instanceof BodyUnread) return undefined;
    throw error;
  }
}

export const UNLOOKED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'This body could not be looked through, since the thread that does so has failed.',
  hint: 'Send it again, or a shorter one.',
};
export const NO_FACTS: Facts = { actions: [], confidence: 'opaque', statements: [] };
/** Places are those of one message. */
export const BATCH_MASKED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'What is sent here is masked by its place, and a batch has no such places.',
  hint: 'Send each message by itself.',
};

export const LEAKED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'This request has a gateway token where it would be passed on.',
  hint: 'Send it as "Authorization: Bearer" or "Sluice-Token", and revoke this one.',
};

/** Whether what a model has written is asked for from somewhere in its middle on. */
export const takesUp = ({ query }: HttpCommand): boolean =>
  readQuery(query)?.some(([name]) => name.toLowerCase() === 'starting_after') ?? query !== '';

/** Whoever asked for it from the middle of a value on would have what no detector knows for a part of one. */
export const TAKEN_UP: Deny = {
  type: 'deny',
  rule: 'gateway',
  message:
    'Something is masked in this answer, and it would begin in its middle, where a part of a value is nothing that can be found.',
  hint: 'Ask for all of it, without "starting_after".',
};
