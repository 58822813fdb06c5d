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
  HttpBody,
  HttpCommand,
  HttpEdits,
  HttpHead,
  ToolCommand,
} from '@sluice/contract';
import { type CompiledPolicy, type PolicyContext, type Verdict, judgesMessages } from '@sluice/guardrails';
import { type GrpcCalls, legible, plainCall } from '@sluice/grpc-messages';
import {
  HttpMasks,
  type HttpMaskOptions,
  type JsonParts,
  UNCONDITIONAL,
  ofTheSent,
  unmasked,
} from '@sluice/http-bodies';
import {
  BodyUnread,
  type Mark,
  type RequestReading,
  Request,
  redactBody,
  redactHeaders,
  isGrpc,
  requestText,
} from '@sluice/http-requests';
import { type AnswerOrigin, type JudgedAnswer, judgeAnswer, judgedEdits, judgesWhole } from '@sluice/judged-answers';
import {
  type ModelCall,
  type ModelSettings,
  TOKENISED,
  findingsOf,
  readModel,
  saysSomething,
} from '@sluice/language-models';
import { ENDLESS, McpJudge, type McpJudged, type McpParts, STREAM_HEAD, withoutOwnAnswer } from '@sluice/mcp-calls';
import { type JudgedCall, editorsFor } from '@sluice/proposed-calls';
import { Recent } from '@sluice/wire';
import { AnswerCounts } from './answer-counts.js';
import type { JudgedFiles } from './judged-files.js';
import { isLong } from './long-body.js';
import { type Sent, judgeLong } from './long-requests.js';
import { type Judgement, UNBOUNDED, judgedInWords, refusedFacts } from './judgement.js';
import { FileVisit, type KeptJudged } from './file-visit.js';
import { placedMasks, unanswerable } from './graphql-masks.js';
import type { FileJudging } from './model-files.js';
import { RequestRecord, hasToken } from './recorded.js';
import {
  JSON_TYPE,
  MessageMasks,
  RequestMasks,
  isForRequests,
  tooLong,
  withTextCopies,
  withoutCopies,
} from './request-masks.js';
import {
  type Asked,
  BATCH_MASKED,
  LEAKED,
  NO_FACTS,
  TAKEN_UP,
  type Told,
  UNLOOKED,
  UNREAD,
  factsOf,
  meteredBody,
  shownAs,
  takesUp,
  textOf,
  unread,
  withHeads,
  withoutBody,
} from './request-parts.js';

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
  /** Files of calls that were let through. */
  readonly files: JudgedFiles;
}

const SWITCHED = 101;
const ONLY_READS: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/** Judgements of requests without a body that are remembered, of all judges together, and the longest text of such a one in characters. */
const MAX_REMEMBERED = 1024;
const MAX_REMEMBERED_LENGTH = 2048;
const judged = new Recent<string, Judgement>(MAX_REMEMBERED);
/** What came once may never come again: its judgement is not worth the memory. */
const once = new Recent<string, true>(MAX_REMEMBERED);
let judges = 0;

export class HttpJudge {
  readonly #policy: CompiledPolicy;
  readonly #context: PolicyContext;
  readonly #with: HttpJudging;
  readonly #mcp: McpJudge | undefined;
  /** Of what a provider keeps. */
  readonly #files: FileVisit | undefined;
  readonly #masks: RequestMasks;
  /** Undefined: answers of models come in pieces, in which nobody counts. */
  readonly #counts: AnswerCounts | undefined;
  readonly #record: RequestRecord;
  readonly #number = ++judges;

  constructor(policy: CompiledPolicy, context: PolicyContext, judging: HttpJudging) {
    this.#policy = policy;
    this.#context = context;
    this.#with = judging;
    this.#mcp = judging.mcp && new McpJudge(policy, context, judging.mcp);
    this.#masks = new RequestMasks(judging, personOf(context.principal));
    this.#counts = judging.models ? undefined : new AnswerCounts(judging.masks);
    this.#files = judging.models && this.#filesOf(judging.models);
    this.#record = new RequestRecord(judging.mark, judging.bodies);
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
      return this.#policy.masks && this.#masks.needBody(head, this.#policy.judge(facts, text, context).masks);
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

  #judgePlain(command: HttpCommand, again: boolean): Judgement | Promise<Judgement> {
    const { alike, body, upgrade, fault, text } = command;
    // Answers of models are followed by what is counted of each.
    const isFollowed = this.#with.models !== undefined;
    const isForNow =
      this.#policy.readsClock || isFollowed || alike === undefined || body.type !== 'none' || fault !== undefined;
    const same =
      isForNow || text.length > MAX_REMEMBERED_LENGTH ? undefined : `${this.#number} ${alike} ${upgrade ?? ''} ${text}`;
    const before = same === undefined ? undefined : judged.get(same);
    if (before) return before;
    const judgement = this.#judge(command, again);
    if (same === undefined || judgement instanceof Promise) return judgement;
    if (once.get(same)) judged.set(same, judgement);
    else once.set(same, true);
    return judgement;
  }

  /** `again`: people have released it. */
  #judge(command: HttpCommand, again: boolean): Judgement | Promise<Judgement> {
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
    if (model?.type === 'file' || model?.type === 'batch') {
      const kept = this.#files?.judge(command, model, again);
      const inWords = (one: KeptJudged): Judgement => this.#keptInWords(command, facts, one);
      if (kept) return kept instanceof Promise ? kept.then(inWords) : inWords(kept);
    }
    const asked = { request, facts, model, call, again };
    if (!model && isLong(command.body)) {
      const parts = { policy: this.#policy, masks: this.#masks, about: this.#about(request, command.body) };
      const decided = (told: PolicyContext, by: Verdict, sent: Sent): Judgement =>
        this.#decided(command, asked, told, by, sent);
      const failed = (): Judgement => this.#refused(withoutBody(command), facts, UNLOOKED);
      return judgeLong({ ...command, body: command.body }, facts, parts, { decided, failed });
    }
    const context = this.#about(request, command.body, call);
    if (command.body.type === 'stream' && this.#isMissed(facts, command, context))
      return this.#refused(command, facts, tooLong(this.#with.message));
    const verdict = this.#policy.judge(facts, command.text, context);
    const sent =
      call?.isTokenised && verdict.masks.some(isForRequests)
        ? TOKENISED
        : this.#masks.sent(command, verdict.masks, call);
    return this.#decided(command, asked, context, verdict, sent);
  }

  #decided(
    command: HttpCommand,
    { request, facts, model, call, again }: Asked,
    context: PolicyContext,
    verdict: Verdict,
    sent: Sent,
  ): Judgement {
    const isCut = model?.type === 'none' && model.answers && takesUp(command);
    if (isCut && this.#masks.of(verdict.masks)?.readsBodies) return this.#refused(command, facts, TAKEN_UP);
    const placed = placedMasks(verdict.masks, request);
    if ('type' in placed && verdict.decision.type !== 'deny') return this.#refused(command, facts, placed);
    const unsent = sent?.type === 'deny' ? sent : undefined;
    const isHeld = verdict.decision.type === 'hold' && !again;
    const passes = !unsent && !isHeld && verdict.decision.type !== 'deny';
    const charge = call && passes ? this.#taken(verdict.budgets, call) : undefined;
    if (charge && 'type' in charge) return this.#refused(command, facts, charge);
    const metered = call && charge ? meteredBody(call, command, sent) : undefined;
    const shown = shownAs(command, metered ?? sent);
    if (unsent && verdict.decision.type !== 'deny') return this.#refused(shown, facts, unsent);
    const answered = model && 'answers' in model ? model.answers : undefined;
    const kept = answered && this.#files?.answersTo(answered.operation, request);
    const answers = answered && { ...answered, meter: charge, hidesUsage: metered !== undefined, ...kept };
    const body = metered ?? sent;
    const bytes = body?.type === 'whole' ? body.bytes : undefined;
    return this.#told(command, { facts, context, verdict, shown, bytes, answers, charge, request });
  }

  /** What a provider is to keep, or to make of that. */
  #keptInWords(command: HttpCommand, facts: Facts, judged: KeptJudged): Judgement {
    const isRefused = judged.type === 'refused' || judged.verdict.decision.type === 'deny';
    // What is refused nobody has masked.
    const seen = isRefused && this.#policy.masks ? withoutBody(command) : command;
    if (judged.type === 'refused') return this.#refused(seen, judged.facts ?? facts, judged.answer);
    const { body, type: _, ...told } = judged;
    const shown = body && seen.body.type === 'whole' ? { ...seen, body: { ...seen.body, bytes: body } } : seen;
    return this.#told(command, { ...told, shown, bytes: body });
  }

  /** `bytes`: go in place of the body that came. */
  #told(command: HttpCommand, { facts, context, verdict, shown, bytes, answers, charge, request }: Told): Judgement {
    const { upgrade } = command;
    const { reading } = this.#with;
    const follow = answers && editorsFor(answers, context, verdict.holds, this.#with.models?.tools);
    const { masks, budgets } = verdict;
    const edited = (all: readonly AppliedMask[], sent?: Uint8Array, own?: typeof follow): HttpEdits | undefined => {
      const placed = request ? placedMasks(all, request) : all;
      if ('type' in placed) return unanswerable(placed);
      return this.#edits(command, placed, sent, own);
    };
    const passed = (all: readonly AppliedMask[], sent?: Uint8Array): HttpEdits | undefined =>
      this.#counted(budgets, edited(all, sent, follow));
    const show = (): string => requestText(legible(this.#with.descriptors, shown), this.#with.mark);
    const origin: AnswerOrigin = {
      asked: [{ facts, context, text: command.text }],
      masks,
      operation: answers?.operation,
      // Of lines each is counted as it passes.
      meter: answers?.operation === 'lines' ? undefined : answers?.meter,
      shown: show,
      edits: (all: readonly AppliedMask[]) => passed(all),
      masked: (all: readonly AppliedMask[], text: string) => this.#masks.of(all)?.text(text) ?? text,
      unfollowed: (all: readonly AppliedMask[]) => edited(all),
    };
    const changed = judgedEdits(this.#policy, origin, passed(masks, bytes));
    const isTold =
      upgrade !== undefined && judgesMessages(this.#policy, command, reading, (one, its) => this.#about(one, its));
    const opened = command.opens ? { ...changed, messages: { about: new MessageMasks(masks) } } : changed;
    const edits = upgrade === undefined ? opened : this.#switched(changed, masks, isTold);
    const inWords = judgedInWords(facts, verdict, this.#record.members(shown), show);
    const answer: Answer =
      inWords.answer.type === 'deny' || !edits ? inWords.answer : { ...inWords.answer, http: edits };
    return { ...inWords, answer, body: this.#record.body(shown), charge };
  }

  /** What may be said once it has become a WebSocket. `isTold`: what its client says is judged, message by message. */
  #switched(edits: HttpEdits | undefined, masks: readonly AppliedMask[], isTold: boolean): HttpEdits | undefined {
    if (!this.#policy.masks) return isTold ? { ...edits, messages: { about: undefined } } : edits;
    // A model says a text in pieces there, which nobody puts together.
    const about = this.#with.models ? undefined : new MessageMasks(masks);
    return {
      ...edits,
      ...(isTold && { messages: { about } }),
      answer: (status, headers, propose) => {
        const plain = edits?.answer?.(status, headers, propose) ?? { headers, body: undefined };
        if (status !== SWITCHED) return plain;
        if (!about && this.#masks.of(masks)?.readsBodies) throw unmasked('is pieces of texts on a WebSocket');
        if (!about) return plain;
        return { ...plain, message: (kind, bytes) => this.#masks.of(about.all)?.message(kind, bytes) ?? bytes };
      },
    };
  }

  #filesOf(settings: ModelSettings): FileVisit {
    const { reading, budgets, files } = this.#with;
    const policy = this.#policy;
    const context: PolicyContext = { ...this.#context, command: { type: 'request' } };
    const judging: FileJudging = {
      policy,
      context,
      settings,
      reading,
      masked: (masks, media, bytes, call) => this.#masks.masked(masks.filter(isForRequests), media, bytes, call),
      maskedText: (masks, text) => this.#masks.of(masks.filter(isForRequests))?.text(text) ?? text,
      take: (all, use) => {
        const { principal, connection } = this.#context;
        if (all.length === 0) return undefined;
        return budgets.of.take(all, budgets.owner, use, { principal, connection: connection.name });
      },
    };
    return new FileVisit(judging, files, personOf(budgets.owner));
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
    const { facts, verdict, exchange, changes, headers, meaning } = judged;
    const masks = verdict.masks.map(withTextCopies);
    const { asks } = exchange.read;
    const isBatch = asks.type === 'messages' && asks.messages.batch;
    const isUnplaced = isBatch && masks.some((one) => isForRequests(one) && one.json?.length);
    const sent = isUnplaced ? BATCH_MASKED : this.#masks.sent(command, masks, undefined);
    const shown = shownAs(command, sent);
    const text =
      sent?.type === 'whole' ? (this.#masks.of(masks.filter(isForRequests))?.text(judged.text) ?? '') : judged.text;
    if (sent?.type === 'deny' && verdict.decision.type !== 'deny') return this.#refused(shown, facts, sent, text);
    const later = { ...about, request: new Request(command, UNREAD, '', this.#with.reading), found: unread };
    exchange.masks = masks;
    const partsWith = (more: readonly AppliedMask[]): JsonParts | undefined =>
      this.#masks.of(withoutCopies([...masks, ...more]), this.#masks.inward)?.parts;
    const follow = mcp.editors(exchange, later, this.#with.masks.unread, partsWith);
    const plain = isOurs && command.body.type === 'whole' ? command.body.bytes : undefined;
    const edits = (all: readonly AppliedMask[], own: typeof follow | undefined): HttpEdits | undefined =>
      this.#edits(command, all, sent?.type === 'whole' ? sent.bytes : plain, own);
    const line = (): string => redactBody(text, JSON_TYPE, this.#with.mark);
    const show = (): string =>
      [
        line(),
        `(${command.method} ${command.host}${command.path})`,
        ...redactHeaders(headers, this.#with.mark).map(([name, value]) => `(${name}: ${value})`),
        changes,
      ]
        .join('\n')
        .trim();
    const origin: AnswerOrigin = {
      asked: judged.asked(about),
      masks,
      operation: undefined,
      shown: show,
      edits: (all: readonly AppliedMask[]) => this.#counted(verdict.budgets, edits(all, follow)),
      masked: (all: readonly AppliedMask[], one: string) => this.#masks.of(all)?.text(one) ?? one,
      unfollowed: (all: readonly AppliedMask[]) => edits(all, undefined),
    };
    if (asks.type === 'stream' && judgesWhole(this.#policy, origin, 200, STREAM_HEAD))
      return this.#refused(shown, facts, ENDLESS, text);
    const inWords = judgedInWords(facts, verdict, this.#record.members(shown, text), show);
    const http = withHeads(judgedEdits(this.#policy, origin, origin.edits(masks)), mcp, exchange);
    const answer: Answer = inWords.answer.type === 'deny' ? inWords.answer : { ...inWords.answer, http };
    const held = inWords.held && { ...inWords.held, meaning };
    return {
      ...inWords,
      answer,
      body: this.#record.body(shown),
      begins: () => exchange.begin(),
      ...(held && { held }),
    };
  }

  /** What a server of MCP asks of its client, judged before the client has it. Undefined: it is something else. */
  judgeAsk(command: ToolCommand): JudgedCall | undefined {
    return this.#mcp?.judgeAsk(command);
  }

  /** What a call takes from its budgets, or why there is no room for it; undefined: it has none. */
  #taken(budgets: readonly AppliedBudget[], call: ModelCall): Charge | Deny | undefined {
    if (budgets.length === 0) return undefined;
    const { budgets: from, models } = this.#with;
    const { model, tokens: input, mostOutput, choices, background: later } = call;
    if (later && mostOutput === undefined && budgets.some(({ observed }) => observed !== true)) return UNBOUNDED;
    const { principal, connection } = this.#context;
    const use = { model, input, output: outputOf(mostOutput) * choices, price: models?.prices.get(model), later };
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

  #counted(budgets: readonly AppliedBudget[], edits: HttpEdits | undefined): HttpEdits | undefined {
    return this.#counts ? this.#counts.edits(budgets, edits) : edits;
  }

  /** `follow`: the answer is one of a model. */
  #edits(
    { method, path, body, headers }: HttpCommand,
    masks: readonly AppliedMask[],
    sent: Uint8Array | undefined,
    follow: ReturnType<typeof editorsFor> | undefined,
  ): HttpEdits | undefined {
    const own = this.#masks.of(masks, follow && this.#masks.inward) ?? (follow && HttpMasks.nothing(this.#with.masks));
    const { descriptors: calls, edits: first } = this.#with;
    const isCall = calls && own?.readsBodies && body.type !== 'none' && isGrpc(body.media);
    const edits = isCall
      ? plainCall(own.edits(first, (parts) => calls.editors(path, parts)))
      : (own?.edits(first, follow) ?? first);
    const more = own?.readsBodies && ONLY_READS.has(method) ? UNCONDITIONAL : [];
    if (!sent) return more.length === 0 ? edits : { ...edits, headers: [...(edits?.headers ?? []), ...more] };
    return { ...edits, headers: [...(edits?.headers ?? []), ...more, ...ofTheSent(headers)], body: sent };
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
    return { ...refusedFacts(facts, answer, this.#record.members(command, line)), body: this.#record.body(command) };
  }
}
