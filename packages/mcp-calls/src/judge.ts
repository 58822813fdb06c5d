/**
 * Requests to a server of MCP before the server has them. Owns: that each message is judged by its own facts, that tools are those that were
 * listed and looked at, and what of that people are shown. Does not: read HTTP, or put anything on record.
 */
import type {
  AppliedHold,
  AppliedMask,
  Deny,
  Facts,
  Header,
  HttpCommand,
  Propose,
  ToolCommand,
} from '@sluice/contract';
import { GrantNeeded, Unmasked } from '@sluice/contract';
import { type AskedFor, type CompiledPolicy, type PolicyContext, type Verdict, unrefused } from '@sluice/guardrails';
import { type JsonParts, type OwnEditors, type Unread, foundIn } from '@sluice/http-bodies';
import { Request, jsonOf, meaningful } from '@sluice/http-requests';
import {
  INVALID_PARAMS,
  INVALID_REQUEST,
  type Message,
  type RequestMessage,
  SESSION_HEADER,
  type Tool,
  beginsSession,
  disagreement,
  headerParameters,
  valuesOf,
} from '@sluice/mcp';
import { type JudgedCall, seenTool } from '@sluice/proposed-calls';
import { type AnswerParts, ServerAsk, answerEditors } from './answers.js';
import { McpExchange, messagesOf } from './exchange.js';
import {
  type KnownMessage,
  factsOfAsk,
  factsOfEnd,
  factsOfStream,
  isCall,
  knownAnswer,
  knownCall,
  knownMessage,
  nameOf,
} from './facts.js';
import { listTools } from './listing.js';
import type { Pin } from './pins.js';
import { type ReadRequest, mismatch, readRequest, refused } from './reading.js';
import type { McpParts } from './state.js';
import { LIST_TASKS, isAboutTask } from './tasks.js';
import { type AnswerTerms, askedBefore, givenBy, withBudgets } from './terms.js';
import { type Change, TWICE, changeOf, holdFor, isKnown, noteTools, wasPinned } from './tools.js';

/** For so long a list counts, in milliseconds, unless the server says that it has changed. */
const LIST_MS = 10 * 60_000;
const UNAUTHORISED = 401;

export type McpJudged =
  | { readonly type: 'refused'; readonly answer: Deny; readonly facts: Facts; readonly text: string }
  | {
      readonly type: 'judged';
      readonly facts: Facts;
      readonly verdict: Verdict;
      /** Its messages as lines. */
      readonly text: string;
      /** What people have to look at besides. */
      readonly changes: string;
      /** What its request says besides that: a server may go by it. */
      readonly headers: readonly Header[];
      /** See `HttpCommand`: what makes two of them the same one. */
      readonly meaning: unknown;
      /** What its answers are edited by. */
      readonly exchange: McpExchange;
      /** What its answer may be to, as rules about answers see it. */
      readonly asked: (about: PolicyContext) => readonly [AskedFor, ...AskedFor[]];
    };

/** A message, what people have to look at before it goes, and what is masked of its answer besides what rules say of it. */
type Known = KnownMessage & {
  readonly change?: Change | undefined;
  readonly masks?: readonly AppliedMask[];
  /** Of the call that became the task which it is about. */
  readonly terms?: AnswerTerms | undefined;
};

export class McpJudge {
  readonly #policy: CompiledPolicy;
  readonly #context: PolicyContext;
  readonly #parts: McpParts;
  readonly #connection: string;
  /** Fingerprints of tools that people were asked to look at, by the command that waits for it. */
  readonly #shown = new WeakMap<HttpCommand, ReadonlyMap<string, string>>();

  constructor(policy: CompiledPolicy, context: PolicyContext, parts: McpParts) {
    this.#policy = policy;
    this.#context = context;
    this.#parts = parts;
    this.#connection = context.connection.name;
  }

  /** `about`: what is known of the request by HTTP. `again`: people have released it. */
  judge(command: HttpCommand, about: PolicyContext, again: boolean): McpJudged | Promise<McpJudged> {
    const { base } = this.#parts.target;
    const where = { connection: this.#connection, principal: this.#context.principal.name, base };
    const read = readRequest(command, where, this.#parts.sessions);
    if ('rule' in read) return no(read, command.text);
    const exchange = new McpExchange(command, read);
    const fault = this.#idFault(exchange);
    if (fault) return no(fault, command.text);
    const listed = this.#listed(command, read);
    if (listed instanceof Promise) return listed.then((late) => this.#known(exchange, about, again, late));
    return this.#known(exchange, about, again, listed);
  }

  /** Why the tools of a request cannot be told, or nothing. */
  #listed(command: HttpCommand, read: ReadRequest): Deny | undefined | Promise<Deny | undefined> {
    const { session } = read;
    const calls = messagesOf(read).filter(isCall);
    const names = calls.map((call) => nameOf(call) ?? '');
    const isFresh = performance.now() - session.listed < LIST_MS;
    const pinOf = (name: string): Pin | undefined => this.#parts.pins.find(this.#connection, name);
    const areKnown = names.every((name) => isKnown(pinOf(name), session.tools.get(name)));
    if (names.length === 0 || (isFresh && areKnown)) return undefined;
    const ask = command.askTarget;
    // In the transport of old the answer comes elsewhere. What is pinned was listed before.
    if (!ask || session.endpoint !== undefined)
      return names.every((name) => wasPinned(pinOf(name), session.tools.get(name))) ? undefined : UNLISTED;
    return listTools(command, ask, calls[0], this.#parts.settings.maxBytes).then(
      (tools) => {
        noteTools(tools, session, true, this.#connection, this.#parts);
        const missing = names.find((name) => !session.tools.has(name));
        return missing === undefined
          ? undefined
          : refused(200, INVALID_PARAMS, `calls "${missing.slice(0, 100)}", which is no tool of this server`, LIST);
      },
      (error: Error) =>
        error instanceof GrantNeeded
          ? error.deny
          : refused(502, INVALID_REQUEST, `calls a tool, and its server did not say which there are: ${error.message}`),
    );
  }

  #known(
    exchange: McpExchange,
    about: PolicyContext,
    again: boolean,
    unlisted: Deny | undefined,
  ): McpJudged | Promise<McpJudged> {
    const { command, read } = exchange;
    if (unlisted) return no(unlisted, command.text);
    const known: Known[] = [];
    if (read.asks.type === 'stream') known.push({ facts: factsOfStream(), text: 'listen' });
    if (read.asks.type === 'end') known.push({ facts: factsOfEnd(), text: 'end' });
    for (const message of messagesOf(read)) {
      const one = this.#message(message, exchange);
      if ('rule' in one) return no(one, command.text);
      known.push(one);
    }
    if (!known.some(({ facts }) => facts instanceof Promise))
      return this.#judged(
        exchange,
        known,
        known.map(({ facts }) => facts as Facts),
        about,
        again,
      );
    return Promise.all(known.map(async ({ facts }) => facts)).then((facts) =>
      this.#judged(exchange, known, facts, about, again),
    );
  }

  #message(message: Message, exchange: McpExchange): Known | Deny {
    const { command, session } = exchange;
    if (message.type === 'result' || message.type === 'error') {
      const method = message.id && session.ask(jsonOf(message.id));
      return method === undefined
        ? refused(400, INVALID_REQUEST, 'answers something that its server has not asked')
        : knownAnswer(method, message.type === 'result' ? message.result : message.json);
    }
    if (!isCall(message)) return this.#uncalled(message);
    const name = nameOf(message) ?? '';
    if (session.tools.get(name) === TWICE)
      return refused(200, INVALID_PARAMS, `calls "${name}", which its server lists twice`);
    const pin = this.#parts.pins.find(this.#connection, name);
    const change = changeOf(pin, session.tools.get(name));
    const tool = change?.pin.offered ?? pin?.pinned;
    const fault = parameterFault(command.headers, message, tool);
    if (fault) return fault;
    const call = knownCall(message, this.#connection, tool, this.#parts, this.#context.principal.name);
    return 'rule' in call ? call : { ...call, change };
  }

  /** What is no call, and may ask for what came of one. */
  #uncalled(message: Parameters<typeof knownMessage>[0]): Known | Deny {
    const known = knownMessage(message, this.#connection);
    const { tasks } = this.#parts.sessions;
    const { name: principal } = this.#context.principal;
    if (message.method === LIST_TASKS) return { ...known, masks: tasks.masks(this.#connection, principal) };
    if (!isAboutTask(message.method)) return known;
    const task = tasks.find(this.#connection, principal, nameOf(message) ?? '');
    if (!task) return TASK_OF_NOBODY;
    return task.terms?.isJudged && !task.terms.asked ? TASK_UNJUDGED : { ...known, ...task };
  }

  /** An id that is under way already would have two answers. */
  #idFault({ read, session, expected }: McpExchange): Deny | undefined {
    const asking = messagesOf(read).filter(({ type }) => type === 'request');
    if (expected.size < asking.length) return refused(400, INVALID_REQUEST, 'has two messages with the same id');
    const isNamed = read.sessionId !== '' || session.endpoint !== undefined;
    const open = isNamed && [...expected.keys()].some((key) => session.isOpen(key));
    return open ? refused(400, INVALID_REQUEST, 'has an id of which the answer is still under way') : undefined;
  }

  #judged(
    exchange: McpExchange,
    known: readonly Known[],
    facts: readonly Facts[],
    about: PolicyContext,
    again: boolean,
  ): McpJudged {
    const { command } = exchange;
    const alone = aloneIn(exchange);
    const asked = known.map(({ text, tool }, at): AskedFor => {
      return { facts: facts[at] as Facts, text, context: { ...about, ...alone(at), ...(tool && { tool }) } };
    });
    const verdicts = asked.map((one) => this.#policy.judge(one.facts, one.text, one.context));
    this.#keepTerms(exchange, asked, verdicts, known);
    const changes = known.flatMap(({ change }) => change ?? []);
    const holds = changes.map((change) => holdFor(change, this.#parts.settings));
    const merged = mergedFacts(facts);
    const text = known.map((one) => one.text).join('\n');
    const headers = meaningful(command.headers).filter(([name]) => !OF_THE_PROTOCOL.test(name));
    const isUnseen = holds.includes(undefined);
    if (isUnseen) return { type: 'refused', answer: changed(changes), facts: merged, text };
    if (again) this.#accept(command, changes);
    else if (changes.length > 0)
      this.#shown.set(command, new Map(changes.map(({ pin: { offered } }) => [offered.name, offered.sha256])));
    return {
      type: 'judged',
      facts: merged,
      verdict: mergedVerdict(verdicts, holds as AppliedHold[], known),
      text,
      changes: changes.map(shownChange).join('\n\n'),
      headers,
      meaning: [
        'mcp',
        command.path,
        command.query,
        ...known.map((one) => one.text),
        ...(headers.length > 0 ? [headers.map(([name, value]) => [name.toLowerCase(), value])] : []),
      ],
      exchange,
      asked: (now) => {
        const later = known.flatMap(({ terms }) => (terms ? askedBefore(terms, now) : []));
        const [first = { facts: merged, text, context: now }, ...others] = asked;
        return [first, ...others, ...later];
      },
    };
  }

  /** What came of a call comes by several ways. */
  #keepTerms(
    exchange: McpExchange,
    asked: readonly AskedFor[],
    verdicts: readonly Verdict[],
    known: readonly Known[],
  ): void {
    messagesOf(exchange.read).forEach((message, at) => {
      const [one, verdict] = [asked[at], verdicts[at]];
      if (!one || !verdict) return;
      const { facts, text, context } = one;
      const { tool } = known[at] ?? {};
      const isJudged =
        this.#policy.judgesAnswers &&
        this.#policy.needsAnswer(facts, text, { ...context, answer: 'unread' }) !== undefined;
      const { bounds } = verdict;
      const kept = isJudged ? { facts, text, ...(tool && { tool }) } : undefined;
      exchange.judged(message, { asked: kept, bounds, budgets: givenBy(verdict), isJudged });
    });
  }

  /** What people have looked at, and no more than that. */
  #accept(command: HttpCommand, changes: readonly Change[]): void {
    const shown = this.#shown.get(command);
    for (const { pin } of changes) {
      const { name, sha256 } = pin.offered;
      if (shown?.get(name) === sha256) this.#parts.pins.accept(this.#connection, name, sha256);
    }
  }

  /** What a server asks of its client. Undefined: the command is something else. */
  judgeAsk({ about, tool: method, input, text }: ToolCommand): JudgedCall | undefined {
    if (!(about instanceof ServerAsk)) return undefined;
    const facts = factsOfAsk(method);
    const asked = { type: 'whole', media: 'application/json', bytes: Buffer.from(input) } as const;
    const context: PolicyContext = {
      ...this.#context,
      command: { type: 'tool' },
      tool: seenTool(this.#connection, '', input),
      // Rules that ask about a request see what the server asks for.
      request: new Request(about.exchange.command, asked),
      found: () => foundIn(asked, ''),
    };
    const verdict = this.#policy.judge(facts, text, context);
    return verdict.decision.type === 'hold' ? { facts, verdict, refused: NOT_HELD } : { facts, verdict };
  }

  /** Editors for the answer to what passes. `context`: of its request, of which nothing that is said later is known. */
  editors(
    exchange: McpExchange,
    context: PolicyContext,
    unread: Unread,
    partsWith: AnswerParts['partsWith'],
  ): (parts: JsonParts, propose: Propose, status: number) => OwnEditors {
    const listing = {
      policy: this.#policy,
      context,
      connection: this.#connection,
      parts: this.#parts,
      get session() {
        return exchange.session;
      },
    };
    return answerEditors({ exchange, listing, unread, partsWith });
  }

  /** The head of an answer. Returns its headers as the client may have them. @throws Unmasked */
  answered(exchange: McpExchange, status: number, headers: readonly Header[]): readonly Header[] {
    if (status === UNAUTHORISED)
      throw new Unmasked('the server does not accept the credential of this connection, and nobody else’s goes there');
    const { read } = exchange;
    const { sessions } = this.#parts;
    const [named, other] = valuesOf(headers, SESSION_HEADER);
    if (other !== undefined) throw new Unmasked('the server names two sessions');
    if (named !== undefined && named !== read.sessionId) {
      const isNew = read.asks.type === 'messages' && beginsSession(read.asks.messages);
      const session = isNew
        ? sessions.bind(this.#connection, named, this.#context.principal.name)
        : sessions.find(this.#connection, named, this.#context.principal.name);
      if (!session) throw new Unmasked('the server names a session that is somebody else’s, or that nobody has begun');
      exchange.session = session;
    }
    if (read.asks.type === 'end' && status < 300) sessions.end(this.#connection, read.sessionId);
    // Where to log in at a server is nothing for a client whose token never goes there.
    return headers.filter(([name]) => name.toLowerCase() !== 'www-authenticate');
  }
}

/** Headers that repeat the body, name the session, or say how a client speaks. */
const OF_THE_PROTOCOL =
  /^(?:accept(?:-language)?|content-type|last-event-id|mcp-(?:method|name|param-.*|protocol-version|session-id)|sec-fetch-(?:dest|mode|site|user))$/i;

const no = (answer: Deny, text: string): McpJudged => ({ type: 'refused', answer, facts: NO_FACTS, text });
const NO_FACTS: Facts = { actions: [], confidence: 'opaque', statements: [] };
const LIST = 'List the tools: tools/list has those that may be called.';
/** The same whether it is somebody else's or was never there. */
const TASK_OF_NOBODY: Deny = refused(
  200,
  INVALID_PARAMS,
  'is about a task that is none of yours, or was begun before the gateway',
  'Begin it anew.',
);
/** Of one that was told of by another stream than its call asked on. */
const TASK_UNJUDGED: Deny = refused(
  200,
  INVALID_REQUEST,
  'is about a task whose result rules judge by its call, which is not known any more',
  'Begin it anew.',
);
const UNLISTED: Deny = refused(200, INVALID_PARAMS, 'calls a tool that its server has not listed', LIST);

function parameterFault(
  headers: readonly Header[],
  message: RequestMessage & Message,
  tool: Tool | undefined,
): Deny | undefined {
  const own = headers.filter(([name]) => name.toLowerCase().startsWith('mcp-param-'));
  if (own.length === 0) return undefined;
  return mismatch(disagreement(own, { batch: false, messages: [message] }, tool ? headerParameters(tool) : new Map()));
}

function mergedFacts(all: readonly Facts[]): Facts {
  const actions = all.flatMap(({ actions: own }, statement) => own.map((action) => ({ ...action, statement })));
  const fault = all.find(({ forbidden }) => forbidden !== undefined)?.forbidden;
  return { actions, confidence: 'parsed', statements: [], ...(fault !== undefined && { forbidden: fault }) };
}

/** Of a batch, what rules see of the request is each message by itself: a place in one is none in an array of them. */
function aloneIn({ command, read }: McpExchange): (at: number) => Pick<PolicyContext, 'request' | 'found'> {
  const messages = messagesOf(read);
  const isBatch = read.asks.type === 'messages' && read.asks.messages.batch;
  return (at) => {
    const message = isBatch ? messages[at] : undefined;
    if (!message) return {};
    const body = { type: 'whole', media: 'application/json', bytes: Buffer.from(jsonOf(message.json)) } as const;
    return { request: new Request(command, body), found: () => foundIn(body, command.query) };
  };
}

/** Each message has to pass. `more`: besides those of rules. `known`: what holds for the answer by what was asked before. */
function mergedVerdict(verdicts: readonly Verdict[], more: readonly AppliedHold[], known: readonly Known[]): Verdict {
  const holds = [...verdicts.flatMap((one) => one.holds), ...more];
  const refusing = verdicts.find(({ decision }) => decision.type === 'deny');
  return {
    decision: refusing?.decision ?? unrefused(holds),
    holds,
    matched: unique(verdicts.flatMap(({ matched }) => matched)),
    masks: unique([...verdicts.flatMap(({ masks }) => masks), ...known.flatMap(({ masks = [] }) => masks)]),
    budgets: withBudgets(
      unique(verdicts.flatMap(({ budgets }) => budgets)),
      known.flatMap(({ terms }) => terms?.budgets ?? []),
    ),
    bounds: unique([...verdicts.flatMap(({ bounds }) => bounds), ...known.flatMap(({ terms }) => terms?.bounds ?? [])]),
  };
}

/** Two policies may have a rule of the same name. */
const unique = <Applied>(all: readonly Applied[]): readonly Applied[] => [
  ...new Map(all.map((one) => [JSON.stringify(one), one])).values(),
];

const shownChange = ({ pin: { pinned, offered }, difference }: Change): string =>
  `${pinned ? `The tool "${offered.name}" is not what it was:` : `The tool "${offered.name}" is new:`}\n${difference}`;

const changed = (changes: readonly Change[]): Deny => ({
  type: 'deny',
  rule: 'gateway',
  message: `The tool "${changes[0]?.pin.offered.name ?? ''}" is not what it was when it was looked at, and nobody is named who could look again.`,
  hint: 'An administrator names people with "mcp: { changes: { approvers: [...] } }" of the connection.',
});

/** The server waits for an answer in a stream. */
const NOT_HELD: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'People would have to agree to this, and what a server asks cannot wait for them.',
};
