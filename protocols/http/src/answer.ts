/**
 * An answer on its way from the target to the client. Owns: which of its headers pass, its content coding and editor, how its
 * body is framed for the client, and its record. Does not: know the connections it comes from and goes to.
 */
import {
  type Answer,
  type AnswerJudging,
  type AnswerMeter,
  type AnswerQuestion,
  type BodyEditor,
  type Deny,
  type EditedAnswer,
  type Header,
  type HttpEdits,
  type HttpTarget,
  type Propose,
  type ProposedCall,
  Unmasked,
} from '@sluice/contract';
import { Recent, remembered } from '@sluice/wire';
import { CollectedAnswer } from './collected.js';
import { phraseOf } from './status.js';
import { type Coding, Decoder, codingOf } from './coding.js';
import { HttpError } from './errors.js';
import { writeHead } from './h1/head.js';
import { isHopByHop, lower, namedInConnection } from './headers.js';
import { routed } from './location.js';
import type { AnswerHead, ClientSide } from './ports.js';
import type { ExchangeRecorder } from './recorder.js';

export interface AnswerPort {
  readonly client: ClientSide;
  readonly record: ExchangeRecorder;
  readonly edit: HttpEdits['answer'];
  /** What of it the client may have; undefined: all. */
  readonly meter: AnswerMeter | undefined;
  /** Has a call judged that the answer proposes. */
  propose(call: ProposedCall): ReturnType<Propose>;
  /** Has the answer judged. Never rejects. */
  judge(question: AnswerQuestion): Answer | Promise<Answer>;
  /** Whose memory it takes that an answer is collected. */
  readonly principal: string;
  /** The client waits for the verdict on its answer, and may be told so. */
  waits(): void;
  /** Rules or people have refused the answer. */
  refused(deny: Deny): void;
  readonly target: HttpTarget;
  readonly prefix: string;
  /** Nothing stood behind that in the path. */
  readonly isBare: boolean;
  /** Whether bytes of the answer are useful now. */
  wantAnswer(wanted: boolean): void;
  /** Tells whoever runs the gateway what is no fault of either side. */
  broke(reason: string): void;
  /** The client has it all. */
  complete(): void;
  /** It must not pass, or not further. */
  failed(message: string): void;
  /** The client may have no more of it. */
  cut(deny: Deny): void;
}

/** Names ways to the service that do not lead through the gateway. */
const NOT_FOR_CLIENTS = new Set(['alt-svc', 'proxy-status']);
/** So begin the names of headers that the gateway writes: by these a client knows that it has spoken. */
const OURS = 'sluice-';
/** RFC 9110 section 15; node:http2 sends no other. */
const MAX_STATUS = 599;
/** So much of a body that is changed, and so long, the head of an answer waits for. Bytes and milliseconds. */
const FIRST_BYTES = 64 * 1024;
const HEAD_MS = 100;
/** True of a body as it was, and no more once a coding is gone or bytes have changed. */
const OF_THE_BYTES = new Set([
  'content-length',
  'content-encoding',
  'content-md5',
  'digest',
  'content-digest',
  'repr-digest',
  'accept-ranges',
]);

export class AnswerRelay {
  readonly #port: AnswerPort;
  #editor: BodyEditor | undefined;
  /** Of an answer without a body as well. */
  #disclosed: BodyEditor['disclosed'];
  #proposing: Propose | undefined;
  #trailersOf: EditedAnswer['trailers'];
  /** Its bytes are not those that the target has sent. */
  #isOtherwise = false;
  /** Running while the editor keeps bytes back. */
  #waiter: NodeJS.Timeout | undefined;
  #decoder: Decoder | undefined;
  /** It waits for the beginning of its body, which may have to be refused: then the client is told so in place of it. */
  #head: AnswerHead | undefined;
  #headWaiter: NodeJS.Timeout | undefined;
  readonly #first: Buffer[] = [];
  #firstBytes = 0;
  #trailers: readonly Header[] = [];
  #status = 0;
  /** The head has gone to the client: what comes now can only be cut off. */
  begun = false;
  /** And it is a stream of events, which one more fits behind. */
  streams = false;
  /** All of it that has come, while it is not judged. */
  #collected: CollectedAnswer | undefined;
  /** The editor waits for somebody. */
  #isWaiting = false;
  /** All of the body has come. */
  #isEnding = false;
  #over = false;

  constructor(port: AnswerPort) {
    this.#port = port;
  }

  get status(): string {
    return `${this.#status} ${phraseOf(this.#status)}`.trimEnd();
  }

  informational(status: number, headers: readonly Header[]): void {
    this.#guard(() => {
      const passed =
        this.#port.edit?.(status, this.#passable(headers), this.#propose).headers ?? this.#passable(headers);
      this.#port.client.informational(status, passed);
    });
  }

  /** @returns the head as the client may have it; undefined when nothing of the answer may pass */
  head(answer: AnswerHead): void {
    this.#guard(() => {
      const { client } = this.#port;
      if (client.version === '2' && answer.status > MAX_STATUS)
        throw new Unmasked(`the target answered with status ${answer.status}, which is none of HTTP/2`);
      const came = { ...answer, reason: this.#reason(answer), headers: this.#passable(answer.headers) };
      const edited = this.#port.edit?.(came.status, came.headers, this.#propose);
      this.#status = came.status;
      if (edited?.judging) this.#collect(came, edited.judging);
      else this.#start(this.#edited(came, edited));
    });
  }

  #start(edited: AnswerHead): void {
    this.#head = edited;
    // Whoever listens to events wants the first of them at once. Where that may have to be refused the head goes with it.
    const isAtOnce = isEvents(edited.headers) && !this.#disclosed;
    if (!this.#editor || this.#editor.keepsLength || isAtOnce) return this.#begin();
    this.#headWaiter = setTimeout(() => this.#guard(() => this.#begin()), HEAD_MS).unref();
  }

  /** Rules judge it before anything of it goes. */
  #collect(came: AnswerHead, judging: AnswerJudging): void {
    const { principal } = this.#port;
    const waits = (): void => this.#port.waits();
    const late = (message: string): void => this.#failed(message);
    const collected = new CollectedAnswer(came, judging, principal, { waits, late });
    this.#collected = collected;
    if (judging.reads === 'head') return this.#judge(collected);
    const coding = codingOf(came.headers);
    if (coding && came.framing.type !== 'none') this.#decoder = this.#decoderOf(coding);
  }

  #judge(collected: CollectedAnswer): void {
    const answer = this.#port.judge(collected.question());
    if (!(answer instanceof Promise)) return this.#judged(collected, answer);
    this.#isWaiting = true;
    this.#read(false);
    void answer.then((late) => {
      this.#isWaiting = false;
      this.#guard(() => this.#judged(collected, late));
    });
  }

  #judged(collected: CollectedAnswer, answer: Answer): void {
    if (this.#over) return;
    const { came, isDecoded } = collected;
    const body = collected.take();
    this.#collected = undefined;
    if (answer.type === 'deny') {
      this.stop();
      return this.#port.refused(answer);
    }
    const edited = answer.http?.answer?.(came.status, came.headers, this.#propose);
    if (edited?.judging) throw new Error('an answer is judged once');
    this.#decoder = undefined;
    this.#start(this.#edited(came, edited, isDecoded));
    if (body.length > 0 && isDecoded) this.#decoded(body);
    else if (body.length > 0) this.data(body);
    if (!collected.hasEnded) return this.#read(true);
    if (this.#decoder) (this.#decoder as Decoder).end();
    else this.#ended();
  }

  /** The head goes, if it has not gone, and what has waited behind it. */
  #begin(): void {
    const edited = this.#head;
    if (!edited || !this.#isTold()) return;
    this.#head = undefined;
    clearTimeout(this.#headWaiter);
    const { client, record } = this.#port;
    record.head(recordedHead(edited));
    record.expect('out', edited.framing.type === 'length' ? edited.framing.length : undefined);
    this.begun = true;
    this.streams = isEvents(edited.headers) && edited.framing.type === 'chunked';
    client.head(edited);
    const first = this.#first.splice(0);
    if (first.length > 0) this.#deliver(Buffer.concat(first));
  }

  /** The head of 101 as the client may have it, whose bytes go on by themselves. Throws `Unmasked`. */
  switched(answer: AnswerHead): {
    readonly head: AnswerHead;
    readonly editor: BodyEditor | undefined;
    /** Another one, for what stands between the frames of a message. */
    readonly control: BodyEditor | undefined;
    readonly message: EditedAnswer['message'];
  } {
    const { edit, record } = this.#port;
    const headers = this.#passable(answer.headers);
    const edited = edit?.(answer.status, headers, this.#propose);
    if (edited?.judging)
      throw new Unmasked(
        'rules judge its answer, and nobody here can read what it is switched to, so it does not pass',
      );
    if (edited?.body && !edited.body.keepsLength)
      throw new Unmasked('nobody here can read what this target says on a WebSocket, so it does not pass');
    const head = { ...answer, reason: this.#reason(answer), headers: edited?.headers ?? headers };
    this.#status = answer.status;
    record.head(recordedHead(head), true);
    this.begun = true;
    const control = edited?.body && edit?.(answer.status, headers, this.#propose).body;
    return { head, editor: edited?.body, control, message: edited?.message };
  }

  data(bytes: Buffer): void {
    if (this.#over) return;
    if (this.#collected && !this.#decoder) this.#guard(() => this.#collected?.add(bytes));
    else if (!this.#decoder) this.#decoded(bytes);
    else if (!this.#decoder.push(bytes)) this.#port.wantAnswer(false);
  }

  end(trailers: readonly Header[]): void {
    if (this.#over) return;
    this.#trailers = trailers;
    if (this.#decoder) this.#decoder.end();
    else this.#ended();
  }

  clientDrained(): void {
    if (this.#isWaiting) return;
    this.#decoder?.want(true);
    if (this.#decoder?.hasRoom !== false) this.#port.wantAnswer(true);
  }

  /** Nothing more of it passes. */
  stop(): void {
    this.#over = true;
    this.#decoder?.stop();
    this.#collected?.take();
    this.#collected = undefined;
    clearTimeout(this.#waiter);
    clearTimeout(this.#headWaiter);
  }

  /** Some servers quote there what they were sent. */
  #reason({ status, reason }: AnswerHead): string {
    const { edit } = this.#port;
    if (!edit || reason === phraseOf(status)) return reason;
    const { headers, body } = edit(status, [['Reason', reason]], this.#propose);
    const shown = body?.disclosed?.();
    return shown && this.#port.meter?.disclose(shown) !== true ? '' : (headers[0]?.[1] ?? '');
  }

  /** `isDecoded`: its body is here already, behind every content coding. */
  #edited(answer: AnswerHead, edited: EditedAnswer | undefined, isDecoded = false): AnswerHead {
    const passed = edited?.headers ?? answer.headers;
    const editor = edited?.body;
    this.#trailersOf = edited?.trailers;
    this.#disclosed = editor?.disclosed;
    if (answer.framing.type === 'none') return { ...answer, headers: passed };
    const coding = codingOf(answer.headers);
    this.#editor = editor;
    if (editor ? !coding && editor.keepsLength : !(coding && isDecoded)) return { ...answer, headers: passed };
    if (coding && !isDecoded) this.#decoder = this.#decoderOf(coding);
    this.#isOtherwise = true;
    return { ...answer, headers: ofOtherBytes(passed), framing: { type: 'chunked' } };
  }

  /** Without what belongs to the connection to the target. */
  #passable(headers: readonly Header[]): readonly Header[] {
    const { target, prefix, isBare } = this.#port;
    return routed(withoutHop(headers), target, prefix, isBare);
  }

  get #propose(): Propose {
    return (this.#proposing ??= (call) => this.#port.propose(call));
  }

  #decoderOf(coding: Coding): Decoder {
    return new Decoder(coding, {
      data: (bytes) => this.#decoded(bytes),
      end: () => this.#ended(),
      failed: (message) => this.#failed(`the target's answer is cut off: ${message}`),
      room: () => this.#port.wantAnswer(true),
    });
  }

  /** Bytes behind every content coding. */
  #decoded(bytes: Buffer): void {
    if (this.#collected) return this.#guard(() => this.#collected?.add(bytes));
    const editor = this.#editor;
    if (!editor) return this.#guard(() => this.#deliver(bytes));
    this.#guard(() => this.#deliver(editor.push(bytes)));
    if (editor.waits) this.#await(editor, editor.waits);
    if (editor.held === 0) clearTimeout(this.#waiter);
    else if (!this.#over) this.#release(editor);
  }

  /** Somebody has to be asked before it goes on: nothing more is read until then. */
  #await(editor: BodyEditor, waits: Promise<void>): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#read(false);
    void waits.then(() => {
      this.#isWaiting = false;
      this.#guard(() => this.#deliver(editor.release()));
      if (this.#over) return;
      if (editor.waits) return this.#await(editor, editor.waits);
      if (this.#isEnding) return this.#finish();
      this.#read(true);
    });
  }

  #read(wanted: boolean): void {
    this.#decoder?.want(wanted);
    this.#port.wantAnswer(wanted);
  }

  /** What the editor keeps goes on by itself when nothing follows it. */
  #release(editor: BodyEditor): void {
    clearTimeout(this.#waiter);
    const waited = (): void => {
      this.#deliver(editor.release());
      if (editor.held > 0) this.#release(editor);
    };
    this.#waiter = setTimeout(() => this.#guard(waited), editor.maxHoldMs).unref();
  }

  #deliver(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.#head) {
      this.#first.push(Buffer.from(bytes));
      this.#firstBytes += bytes.length;
      return this.#firstBytes > FIRST_BYTES || isEvents(this.#head.headers) ? this.#begin() : undefined;
    }
    if (!this.#isTold()) return;
    const { client, record, meter } = this.#port;
    if (meter?.take(0, bytes.length) === false) {
      this.stop();
      return meter.ended && this.#port.cut(meter.ended);
    }
    record.body('out', bytes);
    if (client.data(this.#editor?.given?.(bytes) ?? bytes)) return;
    this.#port.wantAnswer(false);
    this.#decoder?.want(false);
  }

  /** Budgets are told of the different values that the client is about to have. False: it may not have them. */
  #isTold(): boolean {
    const { meter } = this.#port;
    const shown = this.#disclosed?.();
    if (!shown || meter?.disclose(shown) === true) return true;
    if (!meter?.ended) throw new Unmasked('a budget counts different values in it, and cannot be told of them');
    this.stop();
    this.#port.cut(meter.ended);
    return false;
  }

  #ended(): void {
    const collected = this.#collected;
    if (collected) {
      const isJudged = collected.ended();
      return isJudged ? undefined : this.#guard(() => this.#judge(collected));
    }
    clearTimeout(this.#waiter);
    const editor = this.#editor;
    this.#isEnding = true;
    if (editor) this.#guard(() => this.#deliver(editor.end()));
    if (editor?.waits) this.#await(editor, editor.waits);
    else if (!this.#isWaiting) this.#finish();
  }

  #finish(): void {
    this.#guard(() => {
      this.#begin();
      if (this.#over) return;
      const came = this.#trailersOf?.(this.#trailers) ?? this.#trailers;
      const trailers = this.#isOtherwise ? ofOtherBytes(came) : came;
      if (!this.#isTold()) return;
      if (trailers.length > 0)
        this.#port.record.head(Buffer.from(trailers.map((one) => `${one.join(': ')}\r\n`).join(''), 'latin1'));
      this.#over = true;
      this.#port.client.end(trailers);
      this.#port.complete();
    });
  }

  /** Whatever goes wrong while an answer is edited keeps it back. */
  #guard(act: () => void): void {
    if (this.#over) return;
    try {
      act();
    } catch (error) {
      const known = error instanceof Unmasked || error instanceof HttpError;
      if (!known) this.#port.broke(`an answer failed: ${String(error)}`);
      this.#failed(known ? error.message : 'the gateway could not pass the answer on');
    }
  }

  #failed(message: string): void {
    if (this.#over) return;
    this.stop();
    this.#port.failed(message);
  }
}

const isEvents = (headers: readonly Header[]): boolean =>
  headers.some(([name, value]) => lower(name) === 'content-type' && /^text\/event-stream\b/i.test(value));

/** The same list for the same one. */
const withoutHop = remembered((headers: readonly Header[]): readonly Header[] => {
  const named = namedInConnection(headers);
  return headers.filter(([name]) => {
    const lowerName = lower(name);
    return !isHopByHop(lowerName, named) && !NOT_FOR_CLIENTS.has(lowerName) && !lowerName.startsWith(OURS);
  });
});

/** As it goes on record. Whoever gets the same bytes again need not look through them again. */
function recordedHead({ status, reason, headers }: AnswerHead): Buffer {
  const start = `HTTP/1.1 ${status} ${reason}`.trimEnd();
  const known = recordedHeads.get(headers);
  if (known?.start === start) return known.bytes;
  const bytes = writeHead(start, headers);
  recordedHeads.set(headers, { start, bytes });
  return bytes;
}
const recordedHeads = new Recent<readonly Header[], { readonly start: string; readonly bytes: Buffer }>(128);

/** Without what is true of other bytes than these. */
const ofOtherBytes = (headers: readonly Header[]): readonly Header[] =>
  headers.filter(([name]) => !OF_THE_BYTES.has(lower(name))).map(weakened);

/** A validator of changed bytes is no strong one any more (RFC 9110 section 8.8.3). */
const weakened = (header: Header): Header => {
  const [name, value] = header;
  return lower(name) === 'etag' && value.startsWith('"') ? [name, `W/${value}`] : header;
};
