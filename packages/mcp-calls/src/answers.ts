/**
 * What a server of MCP says, message by message, as its client may have it. Owns: that answers are those of somebody's question, that lists
 * have what may be used, that nothing is asked of a client that no rule allows, and bytes that no mask can read. Does not: mask texts.
 */
import { type AppliedMask, type ProposalAnswer, type Propose, Unmasked } from '@sluice/contract';
import {
  type Editor,
  type EventEditor,
  EventsMask,
  JsonMask,
  type JsonParts,
  type Kind,
  NO_BYTES,
  NotJson,
  type OwnEditors,
  type Unread,
  choiceFor,
  kindOf,
  leafMask,
  looksLikeText,
  unreadCharset,
} from '@sluice/http-bodies';
import { type Json, jsonOf } from '@sluice/http-requests';
import {
  LISTS,
  type ErrorMessage,
  type JsonObject,
  type Message,
  MessageError,
  type NotificationMessage,
  PING,
  REFUSED,
  type RequestMessage,
  type ResultMessage,
  URL_ELICITATION_REQUIRED,
  errorText,
  objectIn,
  readMessages,
  textIn,
  withoutBlobs,
} from '@sluice/mcp';
import type { McpExchange } from './exchange.js';
import { ownHeaders } from './listing.js';
import type { Asked } from './sessions.js';
import { withOneText } from './structured.js';
import { LIST_TASKS, type McpTask, isAboutTask, taskIn } from './tasks.js';
import { type ListContext, listedItems, noteTools } from './tools.js';

/** What a server asks of its client. `ProposedCall.about` of the gateway's own. */
export class ServerAsk {
  readonly exchange: McpExchange;

  constructor(exchange: McpExchange) {
    this.exchange = exchange;
  }
}

export interface AnswerParts {
  readonly exchange: McpExchange;
  readonly listing: ListContext;
  readonly unread: Unread;
  /** What is masked in JSON with these masks besides those of the request that it answers. */
  readonly partsWith: (masks: readonly AppliedMask[]) => JsonParts | undefined;
}

type Refusing = Extract<ProposalAnswer, { type: 'deny' }>;

/** A message as the client may have it, and what is masked in it. */
interface Given {
  readonly text: string;
  readonly parts: JsonParts;
}

/** Longer messages of a server's own are nothing that it may need an answer to. */
const MAX_REFUSAL_BYTES = 64 * 1024;
const ACCEPTED = 202;
/** From this status on a page or a line may say what is wrong. */
const FIRST_FAULT = 400;

/** `why`: a phrase of which the answer is the subject. */
const unfit = (why: string): Unmasked => new Unmasked(`the answer of the server ${why}, so it does not pass`);

/** For one answer. */
export const answerEditors =
  (of: AnswerParts) =>
  (parts: JsonParts, propose: Propose, status: number): OwnEditors => ({
    editor: (kind, sign) => editorFor(of, parts, propose, status, kind, sign),
  });

function editorFor(
  of: AnswerParts,
  parts: JsonParts,
  propose: Propose,
  status: number,
  kind: Kind,
  sign: number | undefined,
): Editor | undefined {
  const messages = new Messages(of, parts, propose);
  if (kind === 'events') return new EventsMask(parts, new MessageEvents(messages));
  const { expected, read } = of.exchange;
  const isUnasked = status === ACCEPTED || (read.asks.type === 'messages' && expected.size === 0);
  const isJson = sign === 0x7b || sign === 0x5b;
  if (isJson && kind !== 'other' && (status < FIRST_FAULT || kind === 'json'))
    return new MessageBody(messages, of, status >= FIRST_FAULT || isUnasked);
  // Of a message that has no answer some servers say so in a word.
  if ((status >= FIRST_FAULT || isUnasked) && kind !== 'other') return undefined;
  throw unfit('is neither messages of JSON-RPC nor a stream of them');
}

/** A body that is one message, or a batch of them. */
class MessageBody implements Editor {
  readonly held = 0;
  readonly #messages: Messages;
  readonly #of: AnswerParts;
  /** It need be no answer. */
  readonly #isWord: boolean;
  readonly #came: Buffer[] = [];
  #bytes = 0;

  constructor(messages: Messages, of: AnswerParts, isWord: boolean) {
    this.#messages = messages;
    this.#of = of;
    this.#isWord = isWord;
  }

  push(bytes: Buffer): Buffer {
    const { maxBytes } = this.#of.listing.parts.settings;
    this.#came.push(Buffer.from(bytes));
    this.#bytes += bytes.length;
    if (this.#bytes > maxBytes) throw unfit(`has a message of more than ${maxBytes} bytes`);
    return NO_BYTES;
  }

  end(): Buffer {
    const text = Buffer.concat(this.#came.splice(0)).toString('utf8');
    const given = this.#messages.given(text, this.#isWord);
    const { exchange } = this.#of;
    if (
      given === undefined ||
      (exchange.isUnanswered && exchange.answered.size === 0 && exchange.expected.size > 0 && !this.#isWord)
    )
      throw unfit('answers nothing that was asked');
    return given;
  }

  release(): Buffer {
    return NO_BYTES;
  }
}

/** Events of a stream, each with a message. */
class MessageEvents implements EventEditor {
  readonly held = 0;
  readonly waits = undefined;
  readonly #messages: Messages;

  constructor(messages: Messages) {
    this.#messages = messages;
  }

  event(others: Buffer, name: string, data: Buffer): Buffer {
    this.#messages.gave(others);
    if (data.length === 0) return others;
    if (name === 'endpoint')
      return Buffer.concat([
        others,
        Buffer.from(`event: endpoint\ndata: ${this.#messages.endpoint(data.toString('utf8'))}\n`),
      ]);
    if (name !== '' && name !== 'message') return others;
    const given = this.#messages.given(data.toString('utf8'), false);
    if (!given) return others;
    return Buffer.concat([
      others,
      Buffer.from(name === '' ? 'data: ' : 'event: message\ndata: '),
      given,
      Buffer.from('\n'),
    ]);
  }

  end(): Buffer {
    this.#messages.over();
    return NO_BYTES;
  }

  release(): Buffer {
    return NO_BYTES;
  }
}

class Messages {
  readonly #of: AnswerParts;
  readonly #parts: JsonParts;
  readonly #propose: Propose;

  constructor(of: AnswerParts, parts: JsonParts, propose: Propose) {
    this.#of = of;
    this.#parts = parts;
    this.#propose = propose;
  }

  /** A text of messages as the client may have it; undefined: nothing of it. `isFault`: it may answer to nobody. @throws Unmasked */
  given(text: string, isFault: boolean): Buffer | undefined {
    const read = this.#read(text, isFault);
    // What proxies and frameworks say is wrong, in other words than those of JSON-RPC.
    if (!read) return this.#masked(Buffer.from(text), this.#parts);
    const { batch, messages } = read;
    // Places that rules name are those of one message.
    const given = messages.flatMap((message) => {
      const one = this.#message(message, isFault);
      return one ? [this.#masked(Buffer.from(one.text), one.parts)] : [];
    });
    const [first] = given;
    return first && batch ? Buffer.from(`[${given.join(',')}]`) : first;
  }

  /** `lines`: of one event, besides its data. */
  gave(lines: Buffer): void {
    const ids =
      lines.length === 0 ? [] : lines.toString('utf8').matchAll(/(?:^|[\r\n])id(?:: ?([^\r\n]*))?(?=[\r\n]|$)/g);
    for (const [, id = ''] of ids) this.#of.exchange.session.gave(id);
  }

  /** Nothing more comes by this way: what is not answered may be answered to whoever takes the stream up again. */
  over(): void {
    for (const key of this.#of.exchange.expected.keys()) this.#of.exchange.session.answered(key, true);
  }

  #read(text: string, isFault: boolean): ReturnType<typeof readMessages> | undefined {
    try {
      return readMessages(text.replace(/^\ufeff/, ''));
    } catch (error) {
      if (!(error instanceof MessageError)) throw error;
      if (isFault) return undefined;
      throw unfit(`has a message that ${error.message}`);
    }
  }

  /** Undefined: it does not pass. */
  #message(message: Message, isFault: boolean): Given | undefined {
    const { exchange } = this.#of;
    const { json } = message;
    const { read, session } = exchange;
    if (message.type === 'request' || message.type === 'notification') {
      const known = read.asks.type === 'stream' ? session.masks : [];
      const task = this.#taskOf(message);
      if (task === 'of nobody') return undefined;
      const parts = this.#partsWith([...known, ...(task?.masks ?? [])]);
      const text = message.type === 'request' ? this.#ask(message, parts) : this.#notification(message, parts);
      return text === undefined ? undefined : { text, parts };
    }
    if (message.type === 'error' && !message.id)
      return isFault ? { text: jsonOf(message.json), parts: this.#parts } : undefined;
    const key = message.id ? jsonOf(message.id) : '';
    const asked = exchange.take(key);
    if (!asked) return undefined;
    const parts = this.#partsWith(asked.masks ?? []);
    // What its own exchange would have kept has to be kept by this one.
    const why = exchange.expected.has(key) ? undefined : elsewhere(asked, json);
    if (why !== undefined) return { text: errorText(message.id, REFUSED, why), parts };
    return {
      text: message.type === 'result' ? this.#result(message, asked, parts) : this.#fault(message, parts),
      parts,
    };
  }

  /** An answer may come by a stream, whose own request has other masks than what it answers. */
  #partsWith(masks: readonly AppliedMask[]): JsonParts {
    return (masks.length > 0 ? this.#of.partsWith(masks) : undefined) ?? this.#parts;
  }

  #fault(message: ErrorMessage & Pick<Message, 'json'>, parts: JsonParts): string {
    const elicitations = message.code === URL_ELICITATION_REQUIRED ? message.data : undefined;
    const no = elicitations && this.#refusalOf('elicitation/create', elicitations, parts);
    return no ? refusal(message, no) : this.#written(message.json, parts);
  }

  /** What a server wants of its client is judged as a call of its own; a no goes back to the server. */
  #ask(message: RequestMessage & Pick<Message, 'json'>, parts: JsonParts): string | undefined {
    const { session } = this.#of.exchange.read;
    const key = jsonOf(message.id);
    const no = message.method === PING ? undefined : this.#refusalOf(message.method, message.params, parts);
    if (no) this.#refuse(message, no);
    return !no && session.asks(key, message.method) ? this.#written(message.json, parts) : undefined;
  }

  #refusalOf(method: string, params: Json | undefined, parts: JsonParts): Refusing | undefined {
    const input = params ? jsonOf(params) : '{}';
    const shown = leafMask(parts, '', input);
    const answer = this.#propose({ tool: method, input, shown, about: new ServerAsk(this.#of.exchange) });
    if (answer instanceof Promise) return { type: 'deny', rule: 'gateway', message: 'It could not be judged in time.' };
    return answer.type === 'deny' ? answer : undefined;
  }

  /** Nobody waits for this: a server that does not hear of it waits as for any client that does not answer. */
  #refuse({ id }: RequestMessage, { message }: { readonly message: string }): void {
    const { command, session } = this.#of.exchange;
    const [path = command.path, query = ''] = session.endpoint?.split('?', 2) ?? [command.path, command.query];
    command
      .askTarget?.({
        method: 'POST',
        path,
        query,
        headers: ownHeaders(command, undefined),
        body: errorText(id, REFUSED, message),
        maxBytes: MAX_REFUSAL_BYTES,
      })
      .catch(() => undefined);
  }

  /** What is said of a task has its masks, and is for whom it is. A server asks its client about tasks of the client's own. */
  #taskOf(message: RequestMessage | NotificationMessage): McpTask | 'of nobody' | undefined {
    const id = message.params && !isAboutTask(message.method) ? taskIn(message.params) : undefined;
    if (id === undefined) return undefined;
    const { listing, exchange } = this.#of;
    const { tasks } = listing.parts.sessions;
    const known = tasks.find(listing.connection, exchange.session.principal, id);
    return known ?? (OF_TASKS.test(message.method) ? 'of nobody' : undefined);
  }

  #notification(
    { method, params, json }: NotificationMessage & Pick<Message, 'json'>,
    parts: JsonParts,
  ): string | undefined {
    // Its next call has the tools listed anew.
    if (method === 'notifications/tools/list_changed') this.#of.exchange.session.listed = -Infinity;
    if (params && this.#wantedFault(params, parts)) return undefined;
    return this.#written(json, parts);
  }

  /** Why it asks its client for something that it may not have, whatever else it says. */
  #wantedFault({ members }: JsonObject, parts: JsonParts): Refusing | undefined {
    for (const holder of [members, objectIn(members, 'task')?.members])
      for (const wanted of wantedIn(holder?.get('inputRequests'))) {
        const method = wanted.type === 'object' ? textIn(wanted.members, 'method') : undefined;
        const input = wanted.type === 'object' ? wanted.members.get('params') : wanted;
        const no = this.#refusalOf(method ?? 'input', input, parts);
        if (no) return no;
      }
    return undefined;
  }

  #result(message: ResultMessage & Pick<Message, 'json'>, asked: Asked, parts: JsonParts): string {
    const { members } = message.result;
    this.#noteTask(message.result, asked);
    const no = this.#wantedFault(message.result, parts);
    if (no) return refusal(message, no);
    const list = LISTS[asked.method];
    const items = list && members.get(list.member);
    if (list && items?.type === 'array') {
      const { listing, exchange } = this.#of;
      if (asked.method === 'tools/list')
        noteTools(items.items, exchange.session, !asked.isNextPage, listing.connection, listing.parts);
      const kept = listedItems(asked.method, items.items, listing);
      return this.#written(
        put(message.json, 'result', put(message.result, list.member, { type: 'array', items: kept })),
        parts,
      );
    }
    const said = withOneText(message.result, [...this.#of.exchange.masks, ...(asked.masks ?? [])]);
    return this.#written(said === message.result ? message.json : put(message.json, 'result', said), parts);
  }

  /** What a call has become that goes on by itself: whoever asks for its result has the masks of the call. */
  #noteTask(result: JsonObject, { method, masks, terms }: Asked): void {
    const id = isAboutTask(method) || method === LIST_TASKS ? undefined : taskIn(result);
    if (id === undefined) return;
    const { listing, exchange } = this.#of;
    const task = { masks: masks ?? exchange.masks, terms };
    listing.parts.sessions.tasks.note(listing.connection, exchange.session.principal, id, task);
  }

  /** Without bytes that no mask can read, where something is masked. */
  #written(json: Json, parts: JsonParts): string {
    if (!parts.detectors && !parts.pointers) return jsonOf(json);
    const mask = (text: string): string => leafMask(parts, '', text);
    return jsonOf(withoutBlobs(json, (media, bytes) => this.#choice(media, bytes), mask) ?? json);
  }

  #choice(media: string, bytes: Buffer): 'pass' | 'text' | 'hide' {
    const choice = choiceFor(this.#of.unread, media);
    if (choice === 'pass' && kindOf(media) === 'other' && !looksLikeText(bytes)) return 'pass';
    // In other letters than those of ASCII, a byte each, detectors find nothing.
    if (unreadCharset(media) !== undefined || bytes.includes(0)) return 'hide';
    return choice !== undefined || kindOf(media) !== 'other' ? 'text' : 'hide';
  }

  #masked(document: Buffer, parts: JsonParts): Buffer {
    try {
      const mask = new JsonMask(parts);
      return Buffer.concat([mask.push(document), mask.end()]);
    } catch (error) {
      if (error instanceof NotJson) throw unfit(`${error.message} where JSON is expected`);
      throw error;
    }
  }

  /**
   * Where messages go in the transport of old, as a relative address: the client takes it from the one of its stream, behind whatever prefix
   * the gateway has for the connection. @throws Unmasked for an address elsewhere
   */
  endpoint(address: string): string {
    const { exchange, listing } = this.#of;
    const { path: here } = exchange.command;
    const { base: front, authority } = listing.parts.target;
    const base = `http://${authority}${front}${here}`;
    const url = URL.canParse(address.trim(), base) ? new URL(address.trim(), base) : undefined;
    // Whether by TLS or not, it is the target that it goes to.
    if (url?.hostname !== new URL(base).hostname || (front !== '' && !url.pathname.startsWith(`${front}/`)))
      throw unfit('has its messages sent to an address elsewhere');
    const path = url.pathname.slice(front.length);
    const place = `${path}?${url.search.slice(1)}`;
    const session = listing.parts.sessions.bind(listing.connection, place, exchange.session.principal, place);
    if (!session) throw unfit('has the session of somebody else');
    exchange.session = session;
    const depth = here.split('/').length - 2;
    return `${depth > 0 ? '../'.repeat(depth) : './'}${path.slice(1)}${url.search}`;
  }
}

/** What a server says of tasks by itself. Others may mean something else by the name. */
const OF_TASKS = /^notifications\/tasks(?:\/|$)/;

/** Why an answer that comes by another way than its question does not pass; undefined: it does. */
function elsewhere({ terms }: Asked, json: Json): string | undefined {
  if (!terms) return undefined;
  if (terms.isJudged) return JUDGED_ELSEWHERE;
  const [least] = terms.bounds
    .filter(({ maxBytes = Infinity }) => Buffer.byteLength(jsonOf(json)) > maxBytes)
    .sort((one, other) => (one.maxBytes ?? 0) - (other.maxBytes ?? 0));
  return least && `The answer has more than ${least.maxBytes} bytes, which rule "${least.rule}" does not let pass.`;
}

const JUDGED_ELSEWHERE =
  'Rules judge the answer to this, and it comes by another stream than its question, so it does not pass. A server that answers where it is asked (Streamable HTTP) can be used.';

/** What is asked for, whatever holds it. */
function wantedIn(json: Json | undefined): Iterable<Json> {
  if (json?.type === 'object') return json.members.values();
  if (json?.type === 'array') return json.items;
  return json && jsonOf(json) !== 'null' ? [json] : [];
}

/** The same with another member. */
function put(json: Json, name: string, value: Json): Json {
  if (json.type !== 'object') return json;
  return { type: 'object', members: new Map(json.members).set(name, value) };
}

const refusal = (
  message: Message,
  { message: why, rule }: { readonly message: string; readonly rule: string },
): string =>
  errorText(
    'id' in message ? message.id : undefined,
    REFUSED,
    `The server asks its client for something that is not allowed here: ${why}`,
    JSON.stringify({ rule }),
  );
