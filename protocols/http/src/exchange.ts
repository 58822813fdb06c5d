/**
 * One request from its route to the verdict on it, the same for HTTP/1.1 and HTTP/2. Owns: who sends it, which of its body is read
 * first, what the gate says, and the refusal where it says no. Does not: frame anything, or carry it out (transfer.ts).
 */
import {
  RESOURCE_METADATA_PATH,
  type Allow,
  type Answer,
  type Deny,
  type Ending,
  type Entrance,
  type Gate,
  type Header,
  type HttpApi,
  type HttpBody,
  type HttpCommand,
  type HttpHead,
  type HttpProof,
  type Waiter,
  type Refusal,
  type TargetQuestion,
  type Visit,
} from '@sluice/contract';
import { askTarget } from './ask-target.js';
import { codingOf, decodeWhole } from './coding.js';
import { HttpError } from './errors.js';
import { HeldStream } from './held-stream.js';
import { valueOf } from './headers.js';
import { Inflow } from './inflow.js';
import { checkOrigin, isAmbient, preflightAnswer } from './origin.js';
import { MAX_OWN_REQUESTS_AT_ONCE, OwnExchange, isOwn } from './own.js';
import { Pool, type PoolGuest } from './pool.js';
import type { ClientSide, ExchangeEvents, IncomingRequest, RequestPath } from './ports.js';
import { type Preference, readPreference } from './preference.js';
import { refuseKeysIn, refuseProofsIn } from './proof.js';
import { ExchangeRecorder } from './recorder.js';
import { type ProblemDetails, UNAUTHORISED } from './problem.js';
import { capital, denied, ended, isGrpc, notEntered, refuse } from './refusal.js';
import { apiForStrangers } from './refusal-model.js';
import { asCame, goingOn, isEmpty, pathOf } from './request.js';
import { NO_ROOM_FOR_SENT, SentRoom } from './room.js';
import { phraseOf } from './status.js';
import { Transfer, type TransferOwner } from './transfer.js';
import { isTold, progressOf, waiterFor } from './waiter.js';
import { checkWebSocket } from './websocket/handshake.js';

/** How long no byte may come of a body that is read before the verdict, in milliseconds. */
const BODY_MS = 60_000;

/** Whatever goes wrong while a request is judged is a no. */
const UNJUDGED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'This request could not be judged, so it was not sent on.',
};

type State =
  /** Who sends it is not known yet. */
  | { readonly type: 'entering' }
  /** It is looked at, and its body read, before it is judged. */
  | { readonly type: 'collecting'; readonly visit: Visit; readonly head: HttpHead }
  | { readonly type: 'asking' }
  /** It may pass. */
  | { readonly type: 'allowed'; readonly transfer: Transfer }
  /** For a path of the gateway's own. */
  | { readonly type: 'own'; readonly own: OwnExchange }
  | { readonly type: 'over' };

const ENTERING: State = { type: 'entering' };
const ASKING: State = { type: 'asking' };
const OVER: State = { type: 'over' };
const NOTHING_PREFERRED: Preference = { within: 0, async: false };

/** Where a request came in. */
export interface RequestSource {
  readonly gate: Gate;
  readonly entrance: Entrance;
  /** Requests of this connection to paths of the gateway's own. */
  readonly own: Set<OwnExchange>;
}

export class Exchange implements ExchangeEvents, TransferOwner, PoolGuest {
  readonly #listener: RequestSource;
  #client: ClientSide;
  readonly #request: IncomingRequest;
  #state: State = ENTERING;
  /** Of the route, and cut off the path. */
  #prefix = '';
  /** Of the route: how its clients are told a no. */
  #api: HttpApi = 'rest';
  #pool: Pool | undefined;
  /** Aborted when the client no longer waits. Made when somebody asks for it. */
  #waiting: AbortController | undefined;
  #preference: Preference = NOTHING_PREFERRED;
  /** What was read of the body before the verdict. */
  readonly #kept = new Inflow();
  /** Running while the body is read. */
  #deadline: NodeJS.Timeout | undefined;
  /** What it takes until the request is over: it may be sent again. */
  #room: SentRoom | undefined;
  #bodyEnded: boolean;
  #trailers: readonly Header[] = [];
  /** What was let through. */
  #asked: HttpCommand | undefined;
  /** As it was asked about. */
  #body: HttpBody | undefined;
  #leaveDrain: (() => void) | undefined;

  constructor(listener: RequestSource, client: ClientSide, request: IncomingRequest) {
    this.#listener = listener;
    this.#client = client;
    this.#request = request;
    this.#bodyEnded = isEmpty(request);
  }

  start(): void {
    this.#guard(() => {
      const { entrance } = this.#listener;
      const { set } = this.#request;
      const path = pathOf(this.#request);
      refuseProofsIn(path);
      const { proofs } = set;
      const route = entrance.route(set.hostName, path.path);
      if (isOwn(path, route)) return this.#startOwn(path, proofs);
      this.#prefix = route?.prefix ?? '';
      this.#api = route?.api ?? 'rest';
      refuseKeysIn(path.query, this.#api);
      const preflight = route && proofs.length === 0 ? preflightAnswer(this.#request, route.origins) : undefined;
      if (preflight) return this.#tell(preflight);
      this.#later(entrance.enter(route, proofs), (entered) => this.#entered(entered, path));
    });
  }

  /** An answer of the gateway's own without a body. */
  #tell(headers: readonly Header[]): void {
    this.over();
    this.#client.head({ status: 204, reason: phraseOf(204), headers, framing: { type: 'none' } });
    this.#client.end([]);
    this.#client.done();
  }

  #startOwn(path: RequestPath, proofs: readonly HttpProof[]): void {
    const { entrance, own: others } = this.#listener;
    if (others.size >= MAX_OWN_REQUESTS_AT_ONCE)
      throw new HttpError(429, 'too many requests to paths of the gateway are at work on this connection');
    const over = (): void => void others.delete(own);
    const own = new OwnExchange({ entrance, client: this.#client, request: this.#request, path, proofs, over });
    others.add(own);
    this.#state = { type: 'own', own };
    own.start();
  }

  requestData(bytes: Buffer): void {
    this.#guard(() => this.#requestData(bytes));
  }

  requestEnd(trailers: readonly Header[]): void {
    this.#guard(() => this.#requestEnd(trailers));
  }

  #requestData(bytes: Buffer): void {
    const state = this.#state;
    if (state.type === 'allowed') return state.transfer.requestData(bytes);
    if (state.type === 'own') return state.own.requestData(bytes);
    if (state.type === 'over') return;
    this.#kept.add(bytes);
    if (state.type !== 'collecting') return this.#client.wantBody(false);
    if (!this.#roomOf(state.visit).take(bytes.length)) throw new HttpError(503, NO_ROOM_FOR_SENT);
    this.#deadline?.refresh();
    if (this.#kept.bytes.length > state.visit.gate.limits.message) this.#collected(state.visit, state.head);
  }

  #requestEnd(trailers: readonly Header[]): void {
    const state = this.#state;
    if (state.type === 'allowed') return state.transfer.requestEnd(trailers);
    if (state.type === 'own') return state.own.requestEnd();
    this.#bodyEnded = true;
    this.#trailers = trailers;
    if (state.type === 'collecting') this.#collected(state.visit, state.head);
  }

  requestFailed(status: number, message: string): void {
    const state = this.#state;
    if (state.type === 'allowed') state.transfer.requestFailed(status, message);
    else if (state.type === 'own') state.own.failed(status, capital(message));
    else if (state.type !== 'over') this.#refuseFault(status, message);
  }

  clientDrained(): void {
    if (this.#state.type === 'allowed') this.#state.transfer.clientDrained();
    else if (this.#state.type === 'own') this.#state.own.clientDrained();
  }

  clientEnded(): void {
    if (this.#state.type === 'asking') this.#waiting?.abort('gone');
    else if (this.#state.type === 'allowed') this.#state.transfer.clientEnded();
    else if (this.#state.type === 'own') this.#state.own.clientEnded();
    // Its streams may be silent for hours, and nobody listens any more.
    if (this.#api !== 'mcp' || this.#state.type !== 'allowed') return;
    const client = this.#client;
    this.clientGone();
    client.abort();
    client.done();
  }

  clientGone(): void {
    this.#waiting?.abort('gone');
    const state = this.#state;
    this.over();
    if (state.type === 'allowed') state.transfer.clientGone();
    else if (state.type === 'own') state.own.stop();
  }

  #entered(entered: Visit | Refusal, path: RequestPath): void {
    if (this.#state.type === 'over') return;
    if ('reason' in entered) return this.refuse(this.#toldWhere(notEntered(entered)));
    this.#pool = Pool.of(entered);
    this.#pool.join(this);
    const { signal } = entered.gate;
    if (signal.aborted) return this.visitEnded(signal.reason as Ending);
    const { release } = entered.admission;
    if (!release) return this.#begin(entered, path);
    this.#later(release(undefined, this.#gone()), (refused) =>
      refused ? this.refuse(notEntered(refused)) : this.#begin(entered, path),
    );
  }

  /** A client of MCP without a token is told where to ask for one, whether there is a server where it looks or not. */
  #toldWhere(problem: ProblemDetails): ProblemDetails {
    const { set, target } = this.#request;
    const accepts = set.list('accept').join();
    if (problem.status !== 401 || !(accepts.includes(EVENTS) && accepts.includes('application/json'))) return problem;
    const origin = `${this.#client.secure ? 'https' : 'http'}://${set.host}`;
    const place = /^\/[A-Za-z0-9._~-]*/.exec(target)?.[0] ?? '/';
    const where = `${origin}${RESOURCE_METADATA_PATH}${place === '/' ? '' : place}`;
    const headers: Header[] = [['WWW-Authenticate', `Bearer realm="sluice", resource_metadata="${where}"`]];
    return { ...problem, headers };
  }

  #begin(visit: Visit, path: RequestPath): void {
    if (this.#state.type === 'over') return;
    const { http } = visit.admission.target;
    const request = this.#request;
    const came = asCame(request, path, this.#prefix);
    this.#state = { type: 'collecting', visit, head: came };
    const head = goingOn(came, request.set, http);
    if (request.upgrade !== undefined) checkWebSocket(request, http);
    else if (isAmbient(request, this.#client)) checkOrigin(request, http);
    this.#preference = readPreference(request.set, http.holdWait);
    if (this.#bodyEnded || !visit.needsBody(head)) return this.#ask(visit, head, unread(request));
    const { unreadGrpc = (): string => UNREADABLE_GRPC } = http;
    const why = isGrpc(head.headers) ? unreadGrpc(head.path) : undefined;
    if (why !== undefined) throw new HttpError(501, why);
    if (isGrpc(head.headers) && http.streamsGrpc?.(head.path)) return this.#ask(visit, head, opening(head), true);
    this.#state = { type: 'collecting', visit, head };
    this.#deadline = setTimeout(() => this.requestFailed(408, 'the body did not come in time'), BODY_MS).unref();
    if (request.expects) this.#client.informational(100, []);
    this.#client.wantBody(true);
  }

  /** The body is here, or is longer than one that is judged may be, which the gate refuses. */
  #collected(visit: Visit, head: HttpHead): void {
    const limit = visit.gate.limits.message;
    clearTimeout(this.#deadline);
    this.#client.wantBody(false);
    if (this.#kept.bytes.length > limit) return this.#ask(visit, head, unread(this.#request));
    const coding = codingOf(head.headers);
    const came = this.#kept.take();
    // What was judged goes on, and not what came: another decoder might make something else of that.
    const bytes = coding ? decodeWhole(coding, came, limit) : came;
    if (!this.#roomOf(visit).take(bytes.length - came.length)) throw new HttpError(503, NO_ROOM_FOR_SENT);
    this.#kept.add(bytes);
    this.#ask(visit, head, { type: 'whole', media: valueOf(head.headers, 'content-type') ?? '', bytes });
  }

  /** `opens`: its messages are asked about when they come. */
  #ask(visit: Visit, head: HttpHead, body: HttpBody, opens = false): void {
    this.#state = ASKING;
    const command = this.#command(visit, head, body, opens);
    const { id } = command;
    this.#body = body;
    const answered = (answer: Answer): void => {
      if (answer.type === 'allow') this.#allowed(visit, command, answer);
      else if (this.#state.type !== 'over') this.refuse(denied(answer, id, this.#preference.async));
    };
    let answer: Answer | Promise<Answer>;
    try {
      answer = visit.gate.ask(command, this.#waiter(body));
    } catch {
      answer = UNJUDGED;
    }
    this.#later(answer instanceof Promise ? answer.catch(() => UNJUDGED) : answer, answered);
  }

  #waiter(body: HttpBody): Waiter {
    const begin = (): void => {
      if (this.#state.type === 'asking') this.#hold();
    };
    return waiterFor({ within: this.#preference.within, api: this.#api, body, gone: () => this.#gone(), begin });
  }

  /** From now on its client is told that it waits. */
  #hold(): void {
    const progress = this.#api === 'mcp' ? progressOf(this.#body) : undefined;
    if (this.#api === 'mcp' && !(valueOf(this.#request.set.headers, 'accept') ?? '').includes(EVENTS)) return;
    if (!(this.#client instanceof HeldStream)) this.#client = new HeldStream(this.#client, this.#api, progress);
  }

  #command(visit: Visit, head: HttpHead, body: HttpBody, opens = false): HttpCommand {
    const { upgrade } = this.#request;
    const { method, host, path, query, headers, alike } = head;
    const text = query === '' ? `${method} ${path}` : `${method} ${path}?${query}`;
    const id = visit.nextId();
    const type = 'request';
    // Nearly all of them: copies of objects, one over the other, would take as long as all that is decided here.
    if (alike !== undefined && upgrade === undefined && !opens && this.#api !== 'mcp')
      return { method, host, path, query, headers, alike, type, id, text, body };
    const own = this.#api === 'mcp' && { askTarget: (question: TargetQuestion) => askTarget(visit, question) };
    const opened = opens && { opens: true as const };
    return { ...head, type, id, text, body, ...(upgrade !== undefined && { upgrade }), ...own, ...opened };
  }

  /** A request that is refused for what it is. Of somebody who is proven it is on record like any other. */
  #refuseFault(status: number, message: string): void {
    const state = this.#state;
    const problem = { status, code: 'bad-request', message: capital(message) };
    if (state.type !== 'collecting') return this.refuse(problem);
    const command = this.#command(state.visit, state.head, unread(this.#request));
    this.#state = ASKING;
    void state.visit.gate.ask({ ...command, fault: problem.message });
    this.refuse({ ...problem, command: command.id });
  }

  #gone(): AbortSignal {
    this.#waiting ??= new AbortController();
    if (this.#state.type === 'over') this.#waiting.abort('gone');
    return this.#waiting.signal;
  }

  #allowed(visit: Visit, command: HttpCommand, allow: Allow): void {
    const record = new ExchangeRecorder(visit.gate, command.id);
    if (this.#state.type === 'over') return record.end('lost', 'the client was gone before the request was sent');
    const read = this.#kept.take();
    const sent = allow.http?.body;
    this.#asked = command;
    const transfer = new Transfer({
      owner: this,
      request: this.#request,
      visit,
      command,
      edits: allow.http,
      meter: allow.meter,
      prefix: this.#prefix,
      isBare: pathOf(this.#request).path === this.#prefix,
      record,
      kept: sent ? Buffer.from(sent.buffer, sent.byteOffset, sent.byteLength) : read,
      bodyEnded: this.#bodyEnded,
      trailers: this.#trailers,
    });
    this.#state = { type: 'allowed', transfer };
    if (this.#api === 'mcp' && command.method === 'GET') this.#endWithDrain(visit.gate);
    this.#guard(() => transfer.start());
  }

  /** What a server says by itself has no end, so that nobody could wait for it. */
  #endWithDrain({ draining }: Gate): void {
    const drain = (): void => this.visitEnded(draining.reason as Ending);
    draining.addEventListener('abort', drain, { once: true });
    this.#leaveDrain = (): void => draining.removeEventListener('abort', drain);
  }

  get client(): ClientSide {
    return this.#client;
  }

  waits(): void {
    if (this.#asked && isTold(this.#api, this.#asked.body)) this.#hold();
  }

  visitEnded(ending: Ending): void {
    const state = this.#state;
    if (state.type === 'allowed') state.transfer.visitEnded(ending);
    else if (state.type !== 'over') this.refuse(ended(ending));
  }

  refuse(problem: ProblemDetails): void {
    this.over();
    const api = problem.status === UNAUTHORISED ? apiForStrangers(this.#request.target) : this.#api;
    refuse(this.#client, this.#request, problem, api, this.#body);
    this.#client.done();
  }

  #roomOf({ admission, gate }: Visit): SentRoom {
    return (this.#room ??= new SentRoom(admission.principal, gate.limits.message));
  }

  over(): void {
    this.#state = OVER;
    this.#kept.take();
    this.#room?.give();
    clearTimeout(this.#deadline);
    if (this.#client instanceof HeldStream) this.#client.stop();
    this.#leaveDrain?.();
    this.#pool?.leave(this);
    this.#pool = undefined;
  }

  /** Acts at once on what is there at once, which is most of the time. */
  #later<Value>(value: Value | Promise<Value>, act: (value: Value) => void): void {
    if (!(value instanceof Promise)) return act(value);
    value.then(
      (late) => this.#guard(() => act(late)),
      (error: unknown) => this.#broken(error),
    );
  }

  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#broken(error);
    }
  }

  /** A fault of the request is answered as one; whatever else goes wrong here is a no, and told to whoever runs the gateway. */
  #broken(error: unknown): void {
    const known = error instanceof HttpError;
    if (!known)
      this.#listener.gate.broke(`a request failed: ${error instanceof Error ? error.message : String(error)}`);
    if (this.#state.type === 'over') return;
    if (this.#state.type === 'allowed') this.#state.transfer.stop();
    if (known) this.#refuseFault(error.status, error.message);
    else this.refuse({ status: 500, code: 'failed', message: 'The gateway could not handle this request.' });
  }
}

/** A client says that it takes a stream. */
const EVENTS = 'text/event-stream';
const UNREADABLE_GRPC =
  'the rules of this connection read bodies, and messages of gRPC cannot be read without their descriptors';

/** Of a stream of messages nothing is read before they come. */
const opening = (head: HttpHead): HttpBody => ({
  type: 'whole',
  media: valueOf(head.headers, 'content-type') ?? '',
  bytes: Buffer.alloc(0),
});

const NO_BODY: HttpBody = { type: 'none' };

/** A body that was not read. */
function unread(request: IncomingRequest): HttpBody {
  const { framing, set } = request;
  if (isEmpty(request)) return NO_BODY;
  const length = framing.type === 'length' ? framing.length : undefined;
  return { type: 'stream', media: valueOf(set.headers, 'content-type') ?? '', length };
}
