/**
 * Requests by HTTP before the rules. Owns: facts of one request, its verdict, and what the record and approvers are shown of it. Does
 * not: rules, or what a request means.
 */
import type { Answer, Deny, Facts, HttpCommand, HttpEdits, HttpHead } from '@sluice/contract';
import { denyInWords } from '@sluice/contract';
import type { CompiledPolicy, PolicyContext } from '@sluice/guardrails';
import {
  BodyUnread,
  type Mark,
  type RequestReading,
  Request,
  redactHeaders,
  redactQuery,
  requestLine,
  requestText,
  shownBody,
} from '@sluice/http-requests';
import { type Judgement, judgedInWords, refusedFacts } from '../judgement.js';

export interface HttpJudging {
  readonly reading: RequestReading;
  /** Stands for secrets in the record. */
  readonly mark: Mark;
  /** The longest body that is read whole, and what of one is recorded, in bytes. */
  readonly message: number;
  readonly bodies: number;
  readonly edits: HttpEdits | undefined;
}

export class HttpJudge {
  readonly #policy: CompiledPolicy;
  readonly #context: PolicyContext;
  readonly #with: HttpJudging;

  constructor(policy: CompiledPolicy, context: PolicyContext, judging: HttpJudging) {
    this.#policy = policy;
    this.#context = context;
    this.#with = judging;
  }

  /** See `Visit.needsBody`. */
  needsBody(head: HttpHead): boolean {
    const media = head.headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
    const request = new Request(head, { type: 'stream', media, length: undefined }, '', this.#with.reading);
    try {
      return this.#policy.needsBody(request.facts(), head.path, this.#about(request)) !== undefined;
    } catch (error) {
      if (error instanceof BodyUnread) return true;
      throw error;
    }
  }

  judge(command: HttpCommand): Judgement {
    if (command.fault !== undefined)
      return this.#refused(command, NO_FACTS, { type: 'deny', rule: 'gateway', message: command.fault });
    const request = new Request(command, command.body, command.upgrade, this.#with.reading);
    const facts = factsOf(request);
    if (!facts) return this.#refused(command, NO_FACTS, tooLong(this.#with.message));
    const leaked = hasToken(`${command.path} ${command.query}`) || command.headers.some(([, value]) => hasToken(value));
    if (leaked) return this.#refused(command, facts, LEAKED);
    const context = this.#about(request);
    if (command.body.type === 'stream' && this.#isMissed(facts, command, context))
      return this.#refused(command, facts, tooLong(this.#with.message));
    const verdict = this.#policy.judge(facts, command.text, context);
    const { edits } = this.#with;
    const judged = judgedInWords(facts, verdict, this.#recorded(command), () => requestText(command, this.#with.mark));
    const body = this.#bodyOf(command);
    const answer: Answer = judged.answer.type === 'deny' || !edits ? judged.answer : { ...judged.answer, http: edits };
    return { ...judged, answer, body };
  }

  /** A rule reads its body, or people would: an approval of one that nobody has seen would let any other one through. */
  #isMissed(facts: Facts, { text }: HttpCommand, context: PolicyContext): boolean {
    const why = this.#policy.needsBody(facts, text, context);
    return why === 'rule' || why === 'hold';
  }

  #about(request: Request): PolicyContext {
    return { ...this.#context, command: { type: 'request' }, request };
  }

  #refused(command: HttpCommand, facts: Facts, answer: Deny): Judgement {
    return { ...refusedFacts(facts, answer, this.#recorded(command)), body: this.#bodyOf(command) };
  }

  /** Members of the record: the request line, and all of the request but its body's bytes, which are a record of their own. */
  #recorded(command: HttpCommand): string {
    const { mark } = this.#with;
    const { method, host, path, query, headers, body, upgrade } = command;
    const seen = shownBody(body, 0, mark);
    const recorded = {
      method,
      host,
      path,
      query: redactQuery(query, mark),
      headers: redactHeaders(headers, mark),
      ...(seen && {
        body: {
          media: seen.media,
          bytes: seen.bytes,
          sha256: seen.sha256,
          ...(body.type === 'stream' && { unread: true }),
        },
      }),
      ...(upgrade !== undefined && { upgrade }),
    };
    return withoutTokens(
      `"text":${JSON.stringify(requestLine(command, mark))},"request":${JSON.stringify(recorded)}`,
      mark,
    );
  }

  /** A whole body as it is recorded; undefined: there is none, or it is recorded as it passes. */
  #bodyOf({ body }: HttpCommand): Uint8Array | undefined {
    if (body.type !== 'whole' || body.bytes.length === 0) return undefined;
    const shown = shownBody(body, this.#with.bodies, this.#with.mark);
    return shown?.text === undefined
      ? Buffer.from(shown?.base64 ?? '', 'base64')
      : Buffer.from(withoutTokens(shown.text, this.#with.mark));
  }
}

/** Undefined: they hang on a body that is too long to be read. */
function factsOf(request: Request): Facts | undefined {
  try {
    return request.facts();
  } catch (error) {
    if (error instanceof BodyUnread) return undefined;
    throw error;
  }
}

const NO_FACTS: Facts = { actions: [], confidence: 'opaque', statements: [] };
/** Of a gateway token: whoever reads the record or the log of a target would have it. */
const GATEWAY_TOKEN = /sluice_[a-z2-7]{10}_[a-z2-7]{39}/g;

const hasToken = (text: string): boolean => text.search(GATEWAY_TOKEN) >= 0;
const withoutTokens = (text: string, mark: Mark): string => text.replaceAll(GATEWAY_TOKEN, mark);

const tooLong = (limit: number): Deny => {
  const reason = { code: 'body-too-long', limit } as const;
  return { type: 'deny', rule: 'gateway', ...denyInWords(reason, 'command'), reason };
};

const LEAKED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'This request has a gateway token where it would be passed on.',
  hint: 'Send it as "Authorization: Bearer" or "Sluice-Token", and revoke this one.',
};
