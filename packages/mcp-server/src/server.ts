/**
 * MCP by Streamable HTTP, of both eras. Owns: which requests are let in, and how an answer goes: whole, or by events where somebody has to wait. Does
 * not: prove who sends a request; answer a method (methods.ts).
 */
import type { Header, OwnAnswer, OwnRequest } from '@sluice/contract';
import {
  HEADER_MISMATCH,
  INVALID_REQUEST,
  type Message,
  MessageError,
  PARSE_ERROR,
  type RequestMessage,
  SESSION_VERSIONS,
  STATELESS_VERSIONS,
  UNSUPPORTED_PROTOCOL_VERSION,
  errorText,
  isKnownVersion,
  isStateless,
  notificationText,
  objectIn,
  readMessages,
  resultText,
  textIn,
  versionIn,
} from '@sluice/mcp';
import { jsonOf } from '@sluice/http-requests';
import { Calls, MAX_CALLS_OF_ONE } from './calls.js';
import { EventStream } from './events.js';
import type { Caller } from './host.js';
import { type ServerWords, agreedVersion, answer, initialized, newCall } from './methods.js';
import { Cursors } from './pages.js';
import { McpSessions } from './sessions.js';

/** An answer that is there within this time needs no events. Milliseconds. */
const WHOLE_MS = 500;
/** JSON-RPC of the gateway's own: too much at once. */
const TOO_MANY = -31003;

export class McpServer {
  readonly #words: ServerWords;
  readonly #sessions = new McpSessions();
  readonly #calls = new Calls();
  readonly #cursors = new Cursors();

  constructor(words: ServerWords) {
    this.#words = words;
  }

  /** Never rejects. */
  async answer(request: OwnRequest, caller: Caller): Promise<OwnAnswer> {
    try {
      return await this.#answer(request, caller);
    } catch (error) {
      if (error instanceof Refusal) return error.answer;
      if (error instanceof MessageError)
        return json(400, errorText(error.id, error.code, `The body ${error.message}.`));
      throw error;
    }
  }

  #answer(request: OwnRequest, caller: Caller): Promise<OwnAnswer> | OwnAnswer {
    // Only browsers say where a page is from, and no page is a client of this.
    if (
      valuesOf(request, 'origin').length > 0 ||
      /^(?:cross|same)-site$/.test(valueOf(request, 'sec-fetch-site') ?? '')
    )
      return plain(403, 'Web pages may not call this.');
    if (request.method === 'DELETE') return this.#end(request, caller);
    if (request.method !== 'POST') return plain(405, 'Use POST.', [['Allow', 'POST, DELETE']]);
    if (!/^application\/json *(?:;|$)/i.test(valueOf(request, 'content-type') ?? ''))
      return plain(415, 'Content-Type has to be application/json.');
    const { batch, messages } = readMessages(utf8(request.body));
    const [first] = messages;
    if (!first) throw new MessageError('is empty', INVALID_REQUEST);
    const version = versionIn(first);
    if (version !== undefined || isStateless(valueOf(request, VERSION) ?? ''))
      return this.#stateless(request, caller, batch ? undefined : first, version);
    return this.#inSession(request, caller, batch, messages);
  }

  /** From 2026-07-28 on: each request says all of itself, in its body; what its headers say of that has to agree. */
  #stateless(
    request: OwnRequest,
    caller: Caller,
    message: Message | undefined,
    version: string | undefined,
  ): Promise<OwnAnswer> | OwnAnswer {
    if (!message) throw new MessageError('is a batch, which this revision does not have', INVALID_REQUEST);
    if (message.type === 'notification') return accepted();
    if (message.type !== 'request') throw new MessageError('is no request', INVALID_REQUEST);
    const refuse = (code: number, words: string, data?: object): never => {
      throw new Refusal(json(400, errorText(message.id, code, words, data && JSON.stringify(data))));
    };
    if (version !== undefined && !isStateless(version))
      refuse(
        UNSUPPORTED_PROTOCOL_VERSION,
        `The revision "${version.slice(0, 40)}" is not spoken here without a session.`,
        {
          supported: STATELESS_VERSIONS,
          requested: version,
        },
      );
    const mismatch = headersDiffer(request, message, version);
    if (mismatch !== undefined) refuse(HEADER_MISMATCH, mismatch);
    return this.#answered(request, caller, message, undefined);
  }

  /** Up to 2025-11-25. */
  async #inSession(
    request: OwnRequest,
    caller: Caller,
    batch: boolean,
    messages: readonly Message[],
  ): Promise<OwnAnswer> {
    const [first] = messages;
    if (!batch && first?.type === 'request' && first.method === 'initialize') return this.#begin(caller, first);
    const session = this.#sessionOf(request, caller);
    const version = this.#sessions.versionOf(caller.key, session);
    // Revisions before and behind it have no batches.
    if (batch && version !== '2025-03-26')
      throw new MessageError('is a batch, which this revision does not have', INVALID_REQUEST);
    const requests: RequestMessage[] = [];
    for (const message of messages) {
      if (message.type === 'request') requests.push(message);
      else if (message.type === 'notification' && message.method === 'notifications/cancelled')
        this.#cancel(caller, session, message.params?.members.get('requestId'));
    }
    const [only] = requests;
    if (!only) return accepted();
    if (!batch) return this.#answered(request, caller, only, session);
    const answers: string[] = [];
    // One after the other: whoever wants them at once sends them so.
    for (const one of requests) answers.push(await this.#result(request, caller, one, session, () => undefined));
    return json(200, `[${answers.join(',')}]`);
  }

  #begin(caller: Caller, { id, params }: RequestMessage): OwnAnswer {
    const version = agreedVersion(params);
    const text = resultText(id, JSON.stringify(initialized(this.#words, version)));
    return json(200, text, [['Mcp-Session-Id', this.#sessions.begin(caller.key, version)]]);
  }

  /** @throws Refusal where there is none, or it is not this caller's: both look the same */
  #sessionOf(request: OwnRequest, { key }: Caller): string {
    const [id, second] = valuesOf(request, 'mcp-session-id');
    if (id === undefined || second !== undefined)
      throw new Refusal(plain(400, 'A request needs one Mcp-Session-Id, which initialize gives.'));
    const version = this.#sessions.versionOf(key, id);
    if (version === undefined)
      throw new Refusal(plain(404, 'There is no such session of yours: initialize another one.'));
    const said = valueOf(request, VERSION);
    if (said !== undefined && !isKnownVersion(said))
      throw new Refusal(plain(400, `MCP-Protocol-Version is none of ${SESSION_VERSIONS.join(', ')}.`));
    return id;
  }

  #end(request: OwnRequest, caller: Caller): OwnAnswer {
    this.#sessions.end(this.#sessionOf(request, caller));
    return { status: 204, headers: [], body: '' };
  }

  #cancel({ key }: Caller, session: string, id: Parameters<typeof jsonOf>[0] | undefined): void {
    if (id) this.#calls.cancel(JSON.stringify([key, session, jsonOf(id)]));
  }

  /** Whole where that is quick, or the client takes no events. */
  async #answered(
    request: OwnRequest,
    caller: Caller,
    message: RequestMessage,
    session: string | undefined,
  ): Promise<OwnAnswer> {
    if (!takesEvents(request) || message.method !== 'tools/call')
      return json(statusOf(message, session), await this.#result(request, caller, message, session, () => undefined));
    const events = new EventStream();
    const begins = Promise.withResolvers<undefined>();
    const progress = progressTo(message, (text) => {
      events.send(text);
      begins.resolve(undefined);
    });
    const result = this.#result(request, caller, message, session, progress);
    const timer = setTimeout(() => begins.resolve(undefined), WHOLE_MS);
    const quick = await Promise.race([result, begins.promise]);
    clearTimeout(timer);
    if (quick !== undefined) return json(200, quick);
    void result.then((text) => {
      events.send(text);
      events.end();
    });
    return { status: 200, headers: EVENTS, body: events };
  }

  /** Never rejects. */
  async #result(
    { gone }: OwnRequest,
    caller: Caller,
    message: RequestMessage,
    session: string | undefined,
    progress: (text: string) => void,
  ): Promise<string> {
    const { id } = message;
    const name = session === undefined ? undefined : JSON.stringify([caller.key, session, jsonOf(id)]);
    const text = await this.#calls.run(caller.key, name, gone, (signal) => {
      const call = newCall(caller, this.#cursors, { signal, progress, stateless: session === undefined });
      return answer(message, this.#words, call);
    });
    if (text === 'full')
      return errorText(id, TOO_MANY, `${MAX_CALLS_OF_ONE} calls of yours are at work: wait for one.`);
    return text === 'taken' ? errorText(id, INVALID_REQUEST, 'A call with this id is at work.') : text;
  }
}

/** A no by HTTP. */
class Refusal extends Error {
  readonly answer: OwnAnswer;

  constructor(one: OwnAnswer) {
    super(`status ${one.status}`);
    this.answer = one;
  }
}

const VERSION = 'mcp-protocol-version';

/** Where headers do not say what the body says; undefined: they do. */
function headersDiffer(
  request: OwnRequest,
  { method, params }: RequestMessage,
  version: string | undefined,
): string | undefined {
  if (single(request, VERSION) !== version) return 'MCP-Protocol-Version is not what the body says in _meta.';
  if (single(request, 'mcp-method') !== method) return 'Mcp-Method is not the method of the body.';
  if (method !== 'tools/call') return undefined;
  const name = params && textIn(params.members, 'name');
  return decoded(single(request, 'mcp-name')) === name ? undefined : 'Mcp-Name is not the name in the body.';
}

/** What is no plain text in a header is in Base64 (2026-07-28, Streamable HTTP). */
function decoded(value: string | undefined): string | undefined {
  const [, encoded] = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/.exec(value ?? '') ?? [];
  return encoded === undefined ? value : Buffer.from(encoded, 'base64').toString();
}

const valuesOf = ({ headers }: OwnRequest, name: string): readonly string[] =>
  headers.flatMap(([one, value]) => (one.toLowerCase() === name ? [value] : []));
const valueOf = (request: OwnRequest, name: string): string | undefined => valuesOf(request, name)[0];

/** Undefined where there is none, or more than one. */
function single(request: OwnRequest, name: string): string | undefined {
  const values = valuesOf(request, name);
  return values.length === 1 ? values[0] : undefined;
}

const takesEvents = (request: OwnRequest): boolean =>
  valuesOf(request, 'accept').some((value) => /(?:^|[ ,])text\/event-stream *(?:[;,]|$)/i.test(value));

/** Progress, for a client that has asked for it with a token. */
function progressTo({ params }: RequestMessage, send: (text: string) => void): (message: string) => void {
  const meta = params && objectIn(params.members, '_meta');
  const token = meta?.members.get('progressToken');
  let count = 0;
  return (message) => {
    if (!token) return;
    const said = `{"progressToken":${jsonOf(token)},"progress":${++count},"message":${JSON.stringify(message)}}`;
    send(notificationText('notifications/progress', said));
  };
}

/** @throws MessageError */
function utf8(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw new MessageError('is no UTF-8', PARSE_ERROR);
  }
}

const NOT_KEPT: readonly Header[] = [['Cache-Control', 'no-store']];
const EVENTS: readonly Header[] = [['Content-Type', 'text/event-stream'], ['X-Accel-Buffering', 'no'], ...NOT_KEPT];

const json = (status: number, body: string, more: readonly Header[] = []): OwnAnswer => ({
  status,
  headers: [['Content-Type', 'application/json'], ...NOT_KEPT, ...more],
  body,
});

const plain = (status: number, detail: string, more: readonly Header[] = []): OwnAnswer => ({
  status,
  headers: [['Content-Type', 'application/problem+json'], ...NOT_KEPT, ...more],
  body: `${JSON.stringify({ status, detail })}\n`,
});

const accepted = (): OwnAnswer => ({ status: 202, headers: NOT_KEPT, body: '' });

/** Of the era without sessions, a method that is not there has a status of its own. */
const statusOf = ({ method }: RequestMessage, session: string | undefined): number =>
  session === undefined && !METHODS.has(method) ? 404 : 200;
const METHODS: ReadonlySet<string> = new Set(['ping', 'server/discover', 'tools/list', 'tools/call']);
