/**
 * Requests by HTTP before the rules. Owns: facts of one request, its verdict, and what the record and approvers are shown of it. Does
 * not: rules, or what a request means.
 */
import type { Language } from '@sluice/analysis';
import type { Person } from '@sluice/identity';
import { type Charge, type ModelBudgets, outputOf, personOf } from '@sluice/budgets';
import type {
  Answer,
  AnswerCommand,
  AppliedBudget,
  AppliedMask,
  Deny,
  Facts,
  Header,
  HttpBody,
  HttpCommand,
  HttpEdits,
  HttpHead,
  ToolCommand,
} from '@sluice/contract';
import { denyInWords } from '@sluice/contract';
import { type CompiledPolicy, type PolicyContext, judgesMessages } from '@sluice/guardrails';
import { type GrpcCalls, legible, plainCall, unmaskable } from '@sluice/grpc-messages';
import {
  BodyUnmasked,
  HttpMasks,
  type HttpMaskOptions,
  type JsonParts,
  OF_THE_SENT,
  hasMask,
} from '@sluice/http-bodies';
import {
  BodyUnread,
  type Mark,
  type RequestReading,
  Request,
  redactBody,
  isGrpc,
  redactHeaders,
  redactQuery,
  requestLine,
  requestText,
  shownBody,
} from '@sluice/http-requests';
import { type JudgedAnswer, judgeAnswer, judgedEdits } from '@sluice/judged-answers';
import {
  type ModelCall,
  type ModelSettings,
  TOKENISED,
  askingForUsage,
  findingsOf,
  readModel,
  saysSomething,
  withTexts,
} from '@sluice/language-models';
import { type McpExchange, McpJudge, type McpJudged, type McpParts, withoutOwnAnswer } from '@sluice/mcp-calls';
import { type Mode, Replacements } from '@sluice/masking';
import { type JudgedCall, editorsFor } from '@sluice/proposed-calls';
import { Recent, remembered } from '@sluice/wire';
import { type Judgement, judgedInWords, refusedFacts } from './judgement.js';

export interface HttpJudging {
  readonly reading: RequestReading;
  /** Stands for secrets in the record. */
  readonly mark: Mark;
  /** The longest body that is read whole, and what of one is recorded, in bytes. */
  readonly message: number;
  readonly bodies: number;
  readonly edits: HttpEdits | undefined;
  /** How what rules mask is masked. */
  readonly masks: HttpMaskOptions;
  /** The target serves language models. */
  readonly models: ModelSettings | undefined;
  /** The target is a server of MCP. */
  readonly mcp?: McpParts | undefined;
  readonly descriptors: GrpcCalls | undefined;
  /** What calls of them take from, and whose they are. */
  readonly budgets: { readonly of: ModelBudgets; readonly owner: Person };
}

/** Judgements of requests without a body that are remembered, of all judges together, and the longest text of such a one in characters. */
const MAX_REMEMBERED = 1024;
const MAX_REMEMBERED_LENGTH = 2048;
const judged = new Recent<string, Judgement>(MAX_REMEMBERED);
/** Headers of one visit that are remembered as they are recorded. */
const HEADERS_REMEMBERED = 8;
let judges = 0;

export class HttpJudge {
  readonly #policy: CompiledPolicy;
  readonly #context: PolicyContext;
  readonly #with: HttpJudging;
  readonly #mcp: McpJudge | undefined;
  readonly #masks = new Map<string, HttpMasks | undefined>();
  /** What this visit has sent to a model, and what it gets for that. */
  readonly #replacements: Replacements;
  readonly #replaced: { readonly outward: Mode; readonly inward: Mode };
  readonly #numbers = new WeakMap<readonly string[], number>();
  #lists = 0;
  readonly #number = ++judges;

  /** As they are recorded. */
  readonly #headers: (headers: readonly Header[]) => string;

  constructor(policy: CompiledPolicy, context: PolicyContext, judging: HttpJudging) {
    this.#policy = policy;
    this.#context = context;
    this.#with = judging;
    this.#mcp = judging.mcp && new McpJudge(policy, context, judging.mcp);
    this.#replacements = new Replacements(judging.masks.key, personOf(context.principal));
    this.#replaced = { outward: this.#replacements.outward, inward: this.#replacements.inward(judging.masks.key) };
    this.#headers = remembered((headers) => JSON.stringify(redactHeaders(headers, judging.mark)), HEADERS_REMEMBERED);
  }

  /** See `Visit.needsBody`. */
  needsBody(head: HttpHead): boolean {
    const media = head.headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
    const body: HttpBody = { type: 'stream', media, length: undefined };
    const request = new Request(head, body, '', this.#with.reading);
    if (this.#mcp || saysSomething(this.#with.models, request)) return true;
    try {
      const known = request.facts();
      const { models } = this.#with;
      const model = models && readModel(models, request, known, body);
      const facts = model && 'facts' in model ? model.facts : known;
      const context = this.#about(request, body);
      const text = textOf(head);
      if (this.#policy.needsBody(facts, text, context) !== undefined) return true;
      return this.#policy.masks && this.#masksNeedBody(head, this.#policy.judge(facts, text, context).masks);
    } catch (error) {
      if (error instanceof BodyUnread) return true;
      throw error;
    }
  }

  /**
   * Nothing but the request decides under one policy that does not look at the clock, and not what was asked before. One without a body that is
   * the same to the last header therefore has the judgement that it had.
   */
  judge(command: HttpCommand, again = false): Judgement | Promise<Judgement> {
    if (this.#mcp && command.fault === undefined) return this.#judgeMcp(this.#mcp, command, again);
    return this.#judgePlain(command, again);
  }

  #judgePlain(command: HttpCommand, again: boolean): Judgement {
    const { alike, body, upgrade, fault, text } = command;
    const isForNow = this.#policy.readsClock || alike === undefined || body.type !== 'none' || fault !== undefined;
    const same =
      isForNow || text.length > MAX_REMEMBERED_LENGTH ? undefined : `${this.#number} ${alike} ${upgrade ?? ''} ${text}`;
    const before = same === undefined ? undefined : judged.get(same);
    if (before) return before;
    const judgement = this.#judge(command, again);
    if (same !== undefined) judged.set(same, judgement);
    return judgement;
  }

  /** `again`: people have released it. */
  #judge(command: HttpCommand, again: boolean): Judgement {
    if (command.fault !== undefined)
      return this.#refused(command, NO_FACTS, { type: 'deny', rule: 'gateway', message: command.fault });
    const { body: sentBody, upgrade, message } = command;
    const { reading } = this.#with;
    const request = new Request(command, sentBody, upgrade, reading, message?.kind);
    const known = factsOf(request);
    if (!known) return this.#refused(command, NO_FACTS, tooLong(this.#with.message));
    const model = this.#with.models && readModel(this.#with.models, request, known, command.body);
    if (model?.type === 'too-long') return this.#refused(command, known, tooLong(this.#with.message));
    if (model?.type === 'refused') return this.#refused(command, known, model.answer);
    const facts = model && model.type !== 'none' ? model.facts : known;
    const call = model?.type === 'call' ? model.call : undefined;
    const leaked = hasToken(`${command.path} ${command.query}`) || command.headers.some(([, value]) => hasToken(value));
    if (leaked) return this.#refused(command, facts, LEAKED);
    const context = this.#about(request, command.body, call);
    if (command.body.type === 'stream' && this.#isMissed(facts, command, context))
      return this.#refused(command, facts, tooLong(this.#with.message));
    const verdict = this.#policy.judge(facts, command.text, context);
    const sent =
      call?.isTokenised && verdict.masks.some(isForRequests) ? TOKENISED : this.#sent(command, verdict.masks, call);
    const unsent = sent?.type === 'deny' ? sent : undefined;
    const isHeld = verdict.decision.type === 'hold' && !again;
    const passes = !unsent && !isHeld && verdict.decision.type !== 'deny';
    const charge = call && passes ? this.#taken(verdict.budgets, call) : undefined;
    if (charge && 'type' in charge) return this.#refused(command, facts, charge);
    const metered = call && charge ? meteredBody(call, command, sent) : undefined;
    const shown = shownAs(command, metered ?? sent);
    if (unsent && verdict.decision.type !== 'deny') return this.#refused(shown, facts, unsent);
    const answered = model && 'answers' in model ? model.answers : undefined;
    const answers = answered && {
      operation: answered.operation,
      meter: charge,
      hidesUsage: metered !== undefined,
    };
    const follow = answers && editorsFor(answers, context, verdict.holds);
    const { masks } = verdict;
    const show = (): string => requestText(legible(this.#with.descriptors, shown), this.#with.mark);
    const origin = {
      facts,
      context,
      masks,
      text: command.text,
      operation: answers?.operation,
      meter: charge,
      shown: show,
      edits: (all: readonly AppliedMask[]) => this.#edits(command, all, undefined, follow),
      masked: (all: readonly AppliedMask[], text: string) => this.#masksOf(all)?.text(text) ?? text,
      unfollowed: (all: readonly AppliedMask[]) => this.#edits(command, all, undefined, undefined),
    };
    const body = metered ?? sent;
    const plain = this.#edits(command, masks, body?.type === 'whole' ? body.bytes : undefined, follow);
    const changed = judgedEdits(this.#policy, origin, plain);
    const isTold =
      upgrade !== undefined && judgesMessages(this.#policy, command, reading, (one, its) => this.#about(one, its));
    const edits = isTold ? { ...changed, messages: true as const } : changed;
    const inWords = judgedInWords(facts, verdict, this.#recorded(shown), show);
    const answer: Answer =
      inWords.answer.type === 'deny' || !edits ? inWords.answer : { ...inWords.answer, http: edits };
    return { ...inWords, answer, body: this.#bodyOf(shown), charge };
  }

  /** Each message is judged by itself, with what its server says of tools. */
  #judgeMcp(mcp: McpJudge, came: HttpCommand, again: boolean): Judgement | Promise<Judgement> {
    const command = withoutOwnAnswer(came);
    const request = new Request(command, command.body, command.upgrade, this.#with.reading, command.message?.kind);
    const forbidden = factsOf(request)?.forbidden;
    const leaked = hasToken(`${command.path} ${command.query}`) || command.headers.some(([, value]) => hasToken(value));
    if (command.body.type === 'stream') return this.#refused(command, NO_FACTS, tooLong(this.#with.message));
    if (leaked) return this.#refused(command, NO_FACTS, LEAKED);
    if (forbidden !== undefined)
      return this.#refused(command, NO_FACTS, { type: 'deny', rule: 'gateway', message: forbidden });
    const about = this.#about(request, command.body);
    const judged = mcp.judge(command, about, again);
    const inWords = (one: McpJudged): Judgement => this.#mcpInWords(mcp, command, about, one, command !== came);
    return judged instanceof Promise ? judged.then(inWords) : inWords(judged);
  }

  /** `isOurs`: the body of the command is not the one that came, and goes in its place. */
  #mcpInWords(
    mcp: McpJudge,
    command: HttpCommand,
    about: PolicyContext,
    judged: McpJudged,
    isOurs: boolean,
  ): Judgement {
    if (judged.type === 'refused') return this.#refused(command, judged.facts, judged.answer, judged.text);
    const { facts, verdict, exchange, changes, meaning } = judged;
    const masks = verdict.masks.map(withTextCopies);
    const { asks } = exchange.read;
    const isBatch = asks.type === 'messages' && asks.messages.batch;
    const isUnplaced = isBatch && masks.some((one) => isForRequests(one) && one.json?.length);
    const sent = isUnplaced ? BATCH_MASKED : this.#sent(command, masks, undefined);
    const shown = shownAs(command, sent);
    const text =
      sent?.type === 'whole' ? (this.#masksOf(masks.filter(isForRequests))?.text(judged.text) ?? '') : judged.text;
    if (sent?.type === 'deny' && verdict.decision.type !== 'deny') return this.#refused(shown, facts, sent, text);
    const later = { ...about, request: new Request(command, UNREAD, '', this.#with.reading), found: unread };
    exchange.masks = masks;
    const partsWith = (more: readonly AppliedMask[]): JsonParts | undefined =>
      this.#masksOf(withoutCopies([...masks, ...more]), this.#replaced.inward)?.parts;
    const follow = mcp.editors(exchange, later, this.#with.masks.unread, partsWith);
    const plain = isOurs && command.body.type === 'whole' ? command.body.bytes : undefined;
    const edits = (all: readonly AppliedMask[], own: typeof follow | undefined): HttpEdits | undefined =>
      this.#edits(command, all, sent?.type === 'whole' ? sent.bytes : plain, own);
    const line = (): string => redactBody(text, JSON_TYPE, this.#with.mark);
    const show = (): string =>
      [line(), `(${command.method} ${command.host}${command.path})`, changes].join('\n').trim();
    const origin = {
      facts,
      context: about,
      masks,
      text: judged.text,
      operation: undefined,
      shown: show,
      edits: (all: readonly AppliedMask[]) => edits(all, follow),
      masked: (all: readonly AppliedMask[], one: string) => this.#masksOf(all)?.text(one) ?? one,
      unfollowed: (all: readonly AppliedMask[]) => edits(all, undefined),
    };
    const inWords = judgedInWords(facts, verdict, this.#recorded(shown, text), show);
    const http = withHeads(judgedEdits(this.#policy, origin, edits(masks, follow)), mcp, exchange);
    const answer: Answer = inWords.answer.type === 'deny' ? inWords.answer : { ...inWords.answer, http };
    const held = inWords.held && { ...inWords.held, meaning };
    return { ...inWords, answer, body: this.#bodyOf(shown), begins: () => exchange.begin(), ...(held && { held }) };
  }

  /** What a server of MCP asks of its client, judged before the client has it. Undefined: it is something else. */
  judgeAsk(command: ToolCommand): JudgedCall | undefined {
    return this.#mcp?.judgeAsk(command);
  }

  /** What a call takes from its budgets, or why there is no room for it; undefined: it has none. */
  #taken(budgets: readonly AppliedBudget[], call: ModelCall): Charge | Deny | undefined {
    if (budgets.length === 0) return undefined;
    const { budgets: from, models } = this.#with;
    const { model, tokens: input, mostOutput, choices } = call;
    const { principal, connection } = this.#context;
    const use = { model, input, output: outputOf(mostOutput) * choices, price: models?.prices.get(model) };
    return from.of.take(budgets, from.owner, use, { principal, connection: connection.name });
  }

  /** An answer that the rules are asked about, by what is known of its request. */
  judgeAnswer(
    command: AnswerCommand,
    languages: ReadonlyMap<string, Language>,
  ): Judgement | Promise<Judgement> | undefined {
    const judged = judgeAnswer(command, this.#policy, languages);
    const inWords = ({ verdict, edits, shown, refused }: JudgedAnswer): Judgement => {
      const own = `"text":${JSON.stringify(command.text)}`;
      if (refused) return refusedFacts(NO_FACTS, refused, own);
      const made = judgedInWords(NO_FACTS, verdict, own, shown);
      return made.answer.type === 'allow' && edits ? { ...made, answer: { ...made.answer, http: edits } } : made;
    };
    return judged instanceof Promise ? judged.then(inWords) : judged && inWords(judged);
  }

  /** `follow`: the answer is one of a model. */
  #edits(
    { path, body }: HttpCommand,
    masks: readonly AppliedMask[],
    sent: Uint8Array | undefined,
    follow: ReturnType<typeof editorsFor> | undefined,
  ): HttpEdits | undefined {
    const own =
      this.#masksOf(masks, follow && this.#replaced.inward) ?? (follow && HttpMasks.nothing(this.#with.masks));
    const { descriptors: calls, edits: first } = this.#with;
    const isCall = calls && own?.readsBodies && body.type !== 'none' && isGrpc(body.media);
    const edits = isCall
      ? plainCall(own.edits(first, (parts) => calls.editors(path, parts)))
      : (own?.edits(first, follow) ?? first);
    return sent ? { ...edits, headers: [...(edits?.headers ?? []), ...OF_THE_SENT], body: sent } : edits;
  }

  /** What is masked of a body that is sent, or would be written over what was masked, is known when it has been read. */
  #masksNeedBody(head: HttpHead, masks: readonly AppliedMask[]): boolean {
    return masks.some(isForRequests) || (REPLACES.has(head.method) && this.#masksOf(masks) !== undefined);
  }

  /** The body that its target may have, or why it is not sent; undefined: it goes as it is. A call of a model is JSON, whatever it claims. */
  #sent(
    command: HttpCommand,
    masks: readonly AppliedMask[],
    call: ModelCall | undefined,
  ): (HttpBody & { type: 'whole' }) | Deny | undefined {
    const { method, body, message } = command;
    if (body.type === 'none' || masks.length === 0) return undefined;
    if (message && this.#masksOf(masks)?.readsBodies) return MESSAGE_MASKED;
    const unread = this.#masksOf(masks)?.readsBodies ? unmaskable(this.#with.descriptors, command) : undefined;
    if (unread) return unread;
    const own = this.#masksOf(masks.filter(isForRequests), call && this.#replaced.outward);
    if (body.type === 'stream') return own && tooLong(this.#with.message);
    const bytes = Buffer.from(body.bytes.buffer, body.bytes.byteOffset, body.bytes.byteLength);
    if (REPLACES.has(method) && this.#masksOf(masks) && hasMask(bytes)) return MASK_WRITTEN;
    if (!own || bytes.length === 0) return undefined;
    try {
      const masked = own.request(call ? JSON_TYPE : body.media, bytes);
      const { again } = this.#replacements;
      const made = call && again ? (withTexts(masked ?? bytes, again) ?? masked) : masked;
      return made && { ...body, bytes: made };
    } catch (error) {
      if (!(error instanceof BodyUnmasked)) throw error;
      return { type: 'deny', rule: 'gateway', message: `What is sent here is masked, and this body ${error.why}.` };
    }
  }

  /** Compiled once for the rules that matched. `replaced`: what becomes of values that are replaced reversibly. */
  #masksOf(masks: readonly AppliedMask[], replaced?: Mode): HttpMasks | undefined {
    if (masks.length === 0) return undefined;
    const way = replaced === this.#replaced.outward ? 'out' : 'in';
    const rules = masks.map(({ rule, detect }) => `${rule} ${this.#numberOf(detect)}`);
    const key = [replaced ? way : '', ...rules].join('\n');
    if (this.#masks.size > MAX_COMPILED) this.#masks.clear();
    if (!this.#masks.has(key)) this.#masks.set(key, HttpMasks.of(masks, { ...this.#with.masks, replaced }));
    return this.#masks.get(key);
  }

  /** Two policies may have a rule of the same name, and no two rules share a list. */
  #numberOf(list: readonly string[]): number {
    const known = this.#numbers.get(list);
    if (known !== undefined) return known;
    this.#numbers.set(list, ++this.#lists);
    return this.#lists;
  }

  /** A rule reads its body, or people would: an approval of one that nobody has seen would let any other one through. */
  #isMissed(facts: Facts, { text }: HttpCommand, context: PolicyContext): boolean {
    const why = this.#policy.needsBody(facts, text, context);
    return why === 'rule' || why === 'hold';
  }

  #about(request: Request, body: HttpBody, call?: ModelCall): PolicyContext {
    const { models: settings } = this.#with;
    const found = findingsOf(call, body, request.query);
    const model = call && settings && { call, settings };
    return { ...this.#context, command: { type: 'request' }, request, found, ...(model && { model }) };
  }

  #refused(command: HttpCommand, facts: Facts, answer: Deny, line?: string): Judgement {
    return { ...refusedFacts(facts, answer, this.#recorded(command, line)), body: this.#bodyOf(command) };
  }

  /** Members of the record: the request line, and all of the request but its body's bytes, which are a record of their own. */
  #recorded(command: HttpCommand, line?: string): string {
    const { mark } = this.#with;
    const { method, host, path, query, headers, body, upgrade, message } = command;
    const seen = shownBody(body, 0, mark);
    const address = JSON.stringify({ method, host, path, query: redactQuery(query, mark) });
    const others = {
      ...(seen && {
        body: {
          media: seen.media,
          bytes: seen.bytes,
          sha256: seen.sha256,
          ...(body.type === 'stream' && { unread: true }),
        },
      }),
      ...(upgrade !== undefined && { upgrade }),
      ...(message && { message }),
    };
    const rest = JSON.stringify(others);
    const request = `${address.slice(0, -1)},"headers":${this.#headers(headers)}${rest === '{}' ? '' : `,${rest.slice(1, -1)}`}}`;
    const text = line === undefined ? requestLine(command, mark) : redactBody(line, JSON_TYPE, mark);
    return withoutTokens(`"text":${JSON.stringify(text)},"request":${request}`, mark);
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

/** Each head of an answer is looked at for the session that it names. */
function withHeads(edits: HttpEdits | undefined, mcp: McpJudge, exchange: McpExchange): HttpEdits {
  return {
    ...edits,
    answer: (status, headers, propose) => {
      const passed = status < 200 ? headers : mcp.answered(exchange, status, headers);
      return edits?.answer?.(status, passed, propose) ?? { headers: passed, body: undefined };
    },
  };
}

/** Each once: a value that is masked twice would be another one. */
const withoutCopies = (masks: readonly AppliedMask[]): readonly AppliedMask[] => [
  ...new Map(masks.map((one) => [JSON.stringify(one), one])).values(),
];

const STRUCTURED = '/result/structuredContent';
/** Where servers write the same once more, as a text. */
const AS_TEXT = '/result/content/*/text';

/** Whoever names a place in structured content means the copy of it as well. */
function withTextCopies(mask: AppliedMask): AppliedMask {
  const copies = mask.json?.flatMap((pointer) =>
    pointer.startsWith(`${STRUCTURED}/`) ? [`${AS_TEXT}${pointer.slice(STRUCTURED.length)}`] : [],
  );
  return copies?.length ? { ...mask, json: [...(mask.json ?? []), ...copies] } : mask;
}

/** Of a call that comes later nobody knows anything yet. */
const UNREAD: HttpBody = { type: 'stream', media: 'application/json', length: undefined };
const unread = (): never => {
  throw new BodyUnread('nothing has come yet');
};

/** The text of its command, before there is one: rules that read it say the same then. */
const textOf = ({ method, path, query }: HttpHead): string => `${method} ${path}${query === '' ? '' : `?${query}`}`;

/** As it is put on record: with the body that its target may have, and without one that nobody could mask. */
function shownAs(command: HttpCommand, sent: (HttpBody & { type: 'whole' }) | Deny | undefined): HttpCommand {
  if (sent?.type === 'whole') return { ...command, body: sent };
  if (!sent || sent === MASK_WRITTEN || command.body.type !== 'whole') return command;
  const { media, bytes } = command.body;
  return { ...command, body: { type: 'stream', media, length: bytes.length } };
}

/** The body that asks for what its answer uses up, where such an answer does not say so by itself. */
function meteredBody(
  { operation }: ModelCall,
  { body }: HttpCommand,
  sent: HttpBody | Deny | undefined,
): (HttpBody & { type: 'whole' }) | undefined {
  const now = sent?.type === 'whole' ? sent : body;
  const bytes = now.type === 'whole' ? askingForUsage(operation, now.bytes) : undefined;
  return bytes && now.type === 'whole' ? { ...now, bytes } : undefined;
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

/** Looked for first, which is a tenth of the work. */
const TOKEN_START = 'sluice_';

const hasToken = (text: string): boolean => text.includes(TOKEN_START) && text.search(GATEWAY_TOKEN) >= 0;
const withoutTokens = (text: string, mark: Mark): string =>
  text.includes(TOKEN_START) ? text.replaceAll(GATEWAY_TOKEN, mark) : text;

const tooLong = (limit: number): Deny => {
  const reason = { code: 'body-too-long', limit } as const;
  return { type: 'deny', rule: 'gateway', ...denyInWords(reason, 'command'), reason };
};

/** Calls of models are read as this. */
const JSON_TYPE = 'application/json';
/** Sets of rules that have matched together. */
const MAX_COMPILED = 100;
const isForRequests = ({ request }: AppliedMask): boolean => request === true;
/** What they have stands in place of what was there. */
const REPLACES: ReadonlySet<string> = new Set(['PUT', 'PATCH']);

const MASK_WRITTEN: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'This request would write a masked value over a real one.',
  hint: 'Leave the field out, or give it a value of your own.',
};

/** Places are those of one message. */
const BATCH_MASKED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'What is sent here is masked by its place, and a batch has no such places.',
  hint: 'Send each message by itself.',
};

/** It goes on in the frames in which it came, and nobody follows what is answered to it. */
const MESSAGE_MASKED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'Messages of a WebSocket cannot be masked yet, and a rule masks this one or what is answered to it.',
};

const LEAKED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'This request has a gateway token where it would be passed on.',
  hint: 'Send it as "Authorization: Bearer" or "Sluice-Token", and revoke this one.',
};
