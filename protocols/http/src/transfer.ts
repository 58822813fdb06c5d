/**
 * A request that may pass, on its way to the target and back. Owns: the target's credential, the connection, a second try where
 * that is safe, both bodies under way, and the end on record. Does not: judge, or know how either side frames.
 */
import type { Duplex } from 'node:stream';
import {
  type Answer,
  type AnswerMeter,
  type AnswerQuestion,
  CredentialError,
  GrantNeeded,
  type Deny,
  type Ending,
  type Header,
  type HttpCommand,
  type HttpEdits,
  type HttpTarget,
  type Outgoing,
  type ProposedCall,
  Unmasked,
  type Visit,
  type Waiter,
  endingInWords,
} from '@sluice/contract';
import { type AnswerPort, AnswerRelay } from './answer.js';
import type { Framing } from './h1/body.js';
import { areWritable } from './h1/head.js';
import { lower } from './headers.js';
import { JudgedStream } from './judged-stream.js';
import { NoConnection, Pool } from './pool.js';
import type { AnswerEvents, AnswerHead, ClientSide, IncomingRequest, RequestEvents, TargetSide } from './ports.js';
import { trailersGoingOn } from './proof.js';
import type { ExchangeRecorder } from './recorder.js';
import { type ProblemDetails, UNAUTHORISED } from './problem.js';
import { badGateway, denied, ended, grpcStatus } from './refusal.js';
import { lastEvent } from './refusal-mcp.js';
import { outgoing } from './request.js';
import { faultOfAnswer } from './websocket/handshake.js';
import { relayWebSocket } from './websocket/relay.js';

/** Safe to send twice (RFC 9110 section 9.2.2). */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

const CREDENTIAL_REFUSED = 'the target answers 401: it does not accept the credential of this connection';

/** Whatever goes wrong while an answer is judged is a no. */
const UNJUDGED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'This answer could not be judged, so it was not passed on.',
};

/** The exchange that a transfer is of. */
export interface TransferOwner {
  /** As it is now: one that waits for long is told so, and is another one then. */
  readonly client: ClientSide;
  /** The client waits for people, or for the verdict on its answer. */
  waits(): void;
  /** Nothing has gone to the client yet, and this is what it gets. */
  refuse(problem: ProblemDetails): void;
  over(): void;
}

export interface TransferParts {
  readonly owner: TransferOwner;
  readonly request: IncomingRequest;
  readonly visit: Visit;
  readonly command: HttpCommand;
  readonly edits: HttpEdits | undefined;
  readonly meter: AnswerMeter | undefined;
  /** Of the route. */
  readonly prefix: string;
  /** Nothing stood behind that in the path. */
  readonly isBare: boolean;
  readonly record: ExchangeRecorder;
  /** What was read of the body already. */
  readonly kept: Buffer;
  readonly bodyEnded: boolean;
  readonly trailers: readonly Header[];
}

type Phase = 'connecting' | 'relaying' | 'switched' | 'over';

export class Transfer implements RequestEvents, AnswerEvents, AnswerPort {
  readonly #parts: TransferParts;
  readonly #answer: AnswerRelay;
  #phase: Phase = 'connecting';
  #target: TargetSide | undefined;
  #outgoing: Outgoing | undefined;
  /** The request shows the target a credential of the gateway's own. */
  #isOurLogin = false;
  #retried = false;
  #bodyEnded: boolean;
  #endSwitched: ((ending: Ending) => void) | undefined;
  #cutSwitched: ((deny: Deny) => void) | undefined;
  /** Aborted when nobody waits for the verdict on the answer any more. Made when somebody asks for it, which most answers pass without. */
  #waiting: AbortController | undefined;
  #isClientGone = false;
  /** What is said in a call whose messages are judged. */
  #messages: JudgedStream | undefined;
  /** The target has no room for more of them. */
  #isFull = false;
  /** Running while the request has a time of its own. */
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: TransferParts) {
    this.#parts = parts;
    this.#bodyEnded = parts.bodyEnded;
    this.#answer = new AnswerRelay(this);
  }

  start(): void {
    const { command, request, visit, edits, meter } = this.#parts;
    if (meter?.timeoutMs !== undefined)
      this.#timer = setTimeout(() => this.cut(meter.expire()), meter.timeoutMs).unref();
    const { http } = visit.admission.target;
    const plain = outgoing(command, request, http, edits?.headers ?? []);
    this.#later(
      () => http.authorise(plain),
      (authorised) => {
        this.#outgoing = authorised;
        this.#isOurLogin = authorised !== plain;
        this.#connect();
      },
    );
  }

  requestData(bytes: Buffer): void {
    if (this.#phase !== 'relaying') return;
    if (this.#messages) return this.#messages.push(bytes);
    this.#parts.record.body('request', bytes);
    if (this.#target?.data(bytes) === false) this.client.wantBody(false);
  }

  requestEnd(trailers: readonly Header[]): void {
    this.#bodyEnded = true;
    if (this.#phase !== 'relaying') return;
    if (this.#messages) this.#messages.end();
    else this.#target?.end(trailersGoingOn(trailers));
  }

  requestFailed(status: number, message: string): void {
    this.#fail({ status, code: 'bad-request', message }, message);
  }

  clientDrained(): void {
    this.#answer.clientDrained();
  }

  clientGone(): void {
    if (this.#phase === 'over') return;
    this.#end('lost', 'the client went away');
  }

  /** Nobody is asked for it to read an answer. */
  clientEnded(): void {
    this.#isClientGone = true;
    this.#waiting?.abort('gone');
  }

  visitEnded(ending: Ending): void {
    if (this.#phase === 'switched') return this.#endSwitched?.(ending);
    this.#fail(ended(ending), endingInWords(ending));
  }

  informational(status: number, headers: readonly Header[]): void {
    const { client } = this;
    const { request, command } = this.#parts;
    // Clients break on what they did not ask for and do not know: 102, or 100 without a body that waits.
    const asked = status === 100 ? request.expects && command.body.type === 'stream' : status === 103;
    if (asked && client.version !== '1.0') this.#answer.informational(status, headers);
  }

  answer(head: AnswerHead): void {
    if (head.status === UNAUTHORISED && this.#isOurLogin) {
      this.#parts.visit.gate.targetFailed(CREDENTIAL_REFUSED);
      if (this.#outgoing) this.#parts.visit.admission.target.http.refused?.(this.#outgoing);
    }
    this.#answer.head(head);
  }

  answerData(bytes: Buffer): void {
    this.#answer.data(bytes);
  }

  answerEnd(trailers: readonly Header[]): void {
    // Whoever has the connection next has no use for what this exchange may still want of it.
    this.#target = undefined;
    this.#answer.end(trailers);
  }

  targetDrained(): void {
    this.#isFull = false;
    if (this.#phase === 'relaying' && !this.#bodyEnded && !this.#messages?.isAsking) this.client.wantBody(true);
  }

  targetFailed(message: string, began: boolean): void {
    if (this.#phase !== 'relaying') return;
    const again = !began && !this.#retried && this.#target?.reused === true && this.#isRepeatable;
    this.#target = undefined;
    // Clients of MCP come back to a stream that was lost, which they do not where it has an end.
    if (!again) return this.#fail(badGateway(message), message, 'lost', false);
    this.#retried = true;
    this.#connect();
  }

  switched(answer: AnswerHead, target: Duplex, rest: Buffer): void {
    const { client } = this;
    const { record, visit, request, command, edits } = this.#parts;
    this.#target = undefined;
    try {
      const fault = faultOfAnswer(request, answer.headers);
      if (fault !== undefined) throw new Unmasked(fault);
      const { head, editor, control, message } = this.#answer.switched(answer);
      client.head(head);
      this.#phase = 'switched';
      const over = (summary: string): void => this.#end('ok', summary);
      const judged = edits?.messages && { ...command, ...edits.messages };
      const { end, cut } = relayWebSocket({
        client: client.release(),
        target,
        rest,
        record,
        visit,
        editor,
        control,
        message,
        judged,
        over,
        meter: this.meter,
      });
      this.#endSwitched = end;
      this.#cutSwitched = cut;
    } catch (error) {
      target.destroy();
      if (!(error instanceof Unmasked)) throw error;
      this.failed(error.message);
    }
  }

  get client(): ClientSide {
    return this.#parts.owner.client;
  }

  get record(): ExchangeRecorder {
    return this.#parts.record;
  }

  get edit(): HttpEdits['answer'] {
    return this.#parts.edits?.answer;
  }

  get principal(): string {
    return this.#parts.visit.admission.principal;
  }

  get target(): HttpTarget {
    return this.#parts.visit.admission.target.http;
  }

  get prefix(): string {
    return this.#parts.prefix;
  }

  get isBare(): boolean {
    return this.#parts.isBare;
  }

  waits(): void {
    this.#parts.owner.waits();
  }

  broke(reason: string): void {
    this.#parts.visit.gate.broke(reason);
  }

  wantAnswer(wanted: boolean): void {
    this.#target?.wantAnswer(wanted);
  }

  propose(call: ProposedCall): Answer | Promise<Answer> {
    const { visit, command } = this.#parts;
    const text = `${call.tool}(${call.shown})`;
    return visit.gate.ask({ ...call, type: 'tool', id: visit.nextId(), text, origin: command.id });
  }

  async #judged(answer: Promise<Answer>): Promise<Answer> {
    try {
      return await answer;
    } catch {
      return UNJUDGED;
    }
  }

  judge(question: AnswerQuestion): Answer | Promise<Answer> {
    const { visit, command } = this.#parts;
    const signal = (): AbortSignal => this.#waitingFor();
    const waiter: Waiter = {
      answersDelivered: () => Promise.resolve('idle'),
      say: () => this.waits(),
      get signal() {
        return signal();
      },
    };
    try {
      const answer = visit.gate.ask({ ...question, type: 'answer', id: visit.nextId(), origin: command.id }, waiter);
      return answer instanceof Promise ? this.#judged(answer) : answer;
    } catch {
      return UNJUDGED;
    }
  }

  #waitingFor(): AbortSignal {
    this.#waiting ??= new AbortController();
    if (this.#isClientGone || this.#phase === 'over') this.#waiting.abort('gone');
    return this.#waiting.signal;
  }

  refused(deny: Deny): void {
    const { id } = this.#parts.command;
    this.#fail(denied(deny, id, false), `the answer was refused by rule "${deny.rule}"`, 'error');
  }

  /** The answer breaks off, so that nobody takes what there is of it for all; and where nothing has gone yet, it says why. */
  cut(deny: Deny): void {
    if (this.#phase === 'switched') return this.#cutSwitched?.(deny);
    this.#fail(denied(deny, this.#parts.command.id, false), deny.message, 'error');
  }

  get meter(): AnswerMeter | undefined {
    return this.#parts.meter;
  }

  /** Something is wrong here: nothing more of it passes, and who knows what says so. */
  stop(): void {
    this.#end('lost', 'the gateway could not carry it out');
  }

  #connect(): void {
    this.#phase = 'connecting';
    const pool = Pool.of(this.#parts.visit);
    this.#later(
      () => (this.#retried ? pool.fresh() : pool.take(this.#parts.request.upgrade !== undefined)),
      (target) => {
        if (this.#phase === 'over') return target.abort();
        this.#send(target);
      },
    );
  }

  #send(target: TargetSide): void {
    const { kept, request, visit, record, trailers, command } = this.#parts;
    const { http } = visit.admission.target;
    const { target: path, headers } = this.#outgoing as Outgoing;
    if (!areWritable(headers) || !/^\/[\x21-\x7e]*$/.test(path))
      throw new Error('a header or path that cannot be written');
    this.#phase = 'relaying';
    this.#target = target;
    const framing = this.#framing();
    target.request(
      {
        method: request.method,
        scheme: http.scheme,
        authority: http.authority,
        target: path,
        headers: this.#framed(headers, framing),
        framing,
        upgrade: request.upgrade,
      },
      this,
    );
    if (framing.type === 'none') return;
    if (command.body.type === 'stream' && !this.#retried)
      record.expect('request', framing.type === 'length' ? framing.length : undefined);
    if (command.opens) return this.#judgeMessages(kept);
    if (kept.length > 0) target.data(kept);
    // Those behind a body that was judged, or that people have seen, nobody has seen.
    if (this.#bodyEnded) target.end(command.body.type === 'whole' ? [] : trailersGoingOn(trailers));
    else this.client.wantBody(true);
  }

  /** Each message of the call goes on when it has been judged. `kept`: came while the call itself was. */
  #judgeMessages(kept: Buffer): void {
    const { visit, command, edits } = this.#parts;
    const messages = new JudgedStream({
      visit,
      opening: { ...command, about: edits?.messages?.about },
      send: (bytes) => {
        this.#isFull = this.#target?.data(bytes) === false;
        if (this.#isFull) this.client.wantBody(false);
      },
      // Those behind a body that was judged nobody has seen.
      end: () => this.#target?.end([]),
      refused: (deny, id) => this.#messageRefused(denied(deny, id, false)),
      want: (wanted) => this.client.wantBody(wanted && !this.#isFull),
    });
    this.#messages = messages;
    if (kept.length > 0) messages.push(kept);
    if (this.#bodyEnded) messages.end();
    else if (this.#phase === 'relaying' && !messages.isAsking) this.client.wantBody(!this.#isFull);
  }

  /** Where its answer has begun, that ends with a status of its own. */
  #messageRefused(problem: ProblemDetails): void {
    const { message } = problem;
    if (!this.#answer.begun) return this.#fail(problem, message, 'error');
    const { client } = this;
    this.#end('error', message);
    client.end(grpcStatus(problem));
    client.done();
  }

  /** What was read whole goes on as it was read; what was not, as it comes. */
  #framing(): Framing {
    const { command, request, kept } = this.#parts;
    if (command.opens) return { type: 'chunked' };
    if (command.body.type !== 'whole') return request.framing;
    return { type: 'length', length: kept.length };
  }

  #framed(headers: readonly Header[], framing: Framing): readonly Header[] {
    const { command, request } = this.#parts;
    if (command.opens) return headers.filter(([name]) => !OF_THE_CODING.test(lower(name)));
    if (command.body.type === 'whole') return withLength(headers, framing.type === 'length' ? framing.length : 0);
    // The body was not asked for yet: whether it is wanted is the target's to say.
    return request.expects && command.body.type === 'stream' ? withExpect(headers, request) : headers;
  }

  get #isRepeatable(): boolean {
    const { request, command } = this.#parts;
    return IDEMPOTENT.has(request.method) && (command.body.type !== 'stream' || request.framing.type === 'none');
  }

  complete(): void {
    const { client } = this;
    const { status } = this.#answer;
    this.#end(status.startsWith('4') || status.startsWith('5') ? 'error' : 'ok', status);
    client.done();
  }

  failed(message: string): void {
    this.#fail(badGateway(message), message);
  }

  /** A no where there is still room for one; else the client sees that its answer has broken off. `tells`: in an event, where those have room. */
  #fail(problem: ProblemDetails, summary: string, outcome: 'error' | 'lost' = 'lost', tells = true): void {
    if (this.#phase === 'over') return;
    const { client } = this;
    const { owner, visit, command } = this.#parts;
    const { begun, streams } = this.#answer;
    const said = { ...problem, command: command.id };
    const isMcp = visit.admission.target.http.api === 'mcp' && command.method === 'POST';
    const event = tells && streams && isMcp ? lastEvent(said, command.body) : undefined;
    if (event) this.record.body('out', event);
    this.#end(outcome, summary);
    if (!begun) return owner.refuse(said);
    if (event) {
      client.data(event);
      client.end([]);
    } else client.abort();
    client.done();
  }

  #end(outcome: 'ok' | 'error' | 'lost', summary: string): void {
    if (this.#phase === 'over') return;
    const target = this.#target;
    this.#phase = 'over';
    clearTimeout(this.#timer);
    this.#target = undefined;
    this.#answer.stop();
    this.#messages?.stop();
    this.#waiting?.abort('gone');
    target?.abort();
    this.#parts.record.end(outcome, summary);
    this.#parts.owner.over();
  }

  #later<Value>(make: () => Value | Promise<Value>, act: (value: Value) => void): void {
    try {
      const value = make();
      if (!(value instanceof Promise)) return act(value);
      const come = (late: Value): void => {
        try {
          act(late);
        } catch (error) {
          this.#notSent(error);
        }
      };
      value.then(come, (error: unknown) => this.#notSent(error));
    } catch (error) {
      this.#notSent(error);
    }
  }

  #notSent(error: unknown): void {
    const { command, visit } = this.#parts;
    const known = error instanceof CredentialError || error instanceof NoConnection;
    if (error instanceof GrantNeeded) return this.#fail(denied(error.deny, command.id, false), error.message, 'error');
    if (error instanceof CredentialError) visit.gate.targetFailed(error.message);
    this.failed(known ? error.message : 'the gateway could not send this request');
    if (!known) visit.gate.broke(`a request failed: ${String(error)}`);
  }
}

const OF_THE_CODING = /^(content-length|content-encoding|transfer-encoding)$/;

/** The length of a body that was read whole, in the place of the one that came. */
function withLength(headers: readonly Header[], length: number): readonly Header[] {
  const at = headers.findIndex(([name]) => lower(name) === 'content-length');
  const [name] = headers[at] ?? ['Content-Length'];
  const written: Header = [name, String(length)];
  const kept = headers.flatMap((header, n): readonly Header[] => {
    if (n === at) return [written];
    return OF_THE_CODING.test(lower(header[0])) ? [] : [header];
  });
  return at < 0 ? [...kept, written] : kept;
}

/** Behind the same header as in the request that came. */
function withExpect(headers: readonly Header[], { set }: IncomingRequest): readonly Header[] {
  const came = set.headers.findIndex(([name]) => lower(name) === 'expect');
  const before = set.headers.slice(0, Math.max(came, 0)).findLast((one) => headers.includes(one));
  const at = before ? headers.indexOf(before) + 1 : headers.length;
  return headers.toSpliced(at, 0, [set.headers[came]?.[0] ?? 'Expect', '100-continue']);
}
