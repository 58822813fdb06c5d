/**
 * An answer on its way from the target to the client. Owns: which of its headers pass, its content coding and editor, how its
 * body is framed for the client, and its record. Does not: know the connections it comes from and goes to.
 */
import {
  type BodyEditor,
  type EditedAnswer,
  type Header,
  type HttpEdits,
  type HttpTarget,
  type Propose,
  Unmasked,
} from '@sluice/contract';
import { Recent, remembered } from '@sluice/wire';
import { phraseOf } from './status.js';
import { Decoder, codingOf } from './coding.js';
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
  /** Has a call judged that the answer proposes. */
  readonly propose: Propose;
  readonly target: HttpTarget;
  readonly prefix: string;
  readonly method: string;
  /** Whether bytes of the answer are useful now. */
  wantAnswer(wanted: boolean): void;
  /** Tells whoever runs the gateway what is no fault of either side. */
  broke(reason: string): void;
  /** The client has it all. */
  complete(): void;
  /** It must not pass, or not further. */
  failed(message: string): void;
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
  'accept-ranges',
]);

export class AnswerRelay {
  readonly #port: AnswerPort;
  #editor: BodyEditor | undefined;
  #trailersOf: EditedAnswer['trailers'];
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
        this.#port.edit?.(status, this.#passable(headers), this.#port.propose).headers ?? this.#passable(headers);
      this.#port.client.informational(status, passed);
    });
  }

  /** @returns the head as the client may have it; undefined when nothing of the answer may pass */
  head(answer: AnswerHead): void {
    this.#guard(() => {
      const { client } = this.#port;
      if (client.version === '2' && answer.status > MAX_STATUS)
        throw new Unmasked(`the target answered with status ${answer.status}, which is none of HTTP/2`);
      const edited = this.#edited(answer);
      this.#status = answer.status;
      this.#head = edited;
      if (!this.#editor || this.#editor.keepsLength || isEvents(edited.headers)) return this.#begin();
      this.#headWaiter = setTimeout(() => this.#guard(() => this.#begin()), HEAD_MS).unref();
    });
  }

  /** The head goes, if it has not gone, and what has waited behind it. */
  #begin(): void {
    const edited = this.#head;
    if (!edited) return;
    this.#head = undefined;
    clearTimeout(this.#headWaiter);
    const { client, record } = this.#port;
    record.head(recordedHead(edited));
    record.expect('out', edited.framing.type === 'length' ? edited.framing.length : undefined);
    this.begun = true;
    client.head(edited);
    const first = this.#first.splice(0);
    if (first.length > 0) this.#deliver(Buffer.concat(first));
  }

  /** The head of 101 as the client may have it, whose bytes go on by themselves. Throws `Unmasked`. */
  switched(answer: AnswerHead): { readonly head: AnswerHead; readonly editor: BodyEditor | undefined } {
    const { edit, record, propose } = this.#port;
    const headers = this.#passable(answer.headers);
    const edited = edit?.(answer.status, headers, propose);
    if (edited?.body && !edited.body.keepsLength)
      throw new Unmasked('messages of a WebSocket cannot be masked yet, so they do not pass');
    const head = { ...answer, reason: this.#reason(answer), headers: edited?.headers ?? headers };
    this.#status = answer.status;
    record.head(recordedHead(head));
    this.begun = true;
    return { head, editor: edited?.body };
  }

  data(bytes: Buffer): void {
    if (this.#over) return;
    if (!this.#decoder) this.#decoded(bytes);
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
    clearTimeout(this.#waiter);
    clearTimeout(this.#headWaiter);
  }

  /** Some servers quote there what they were sent. */
  #reason({ status, reason }: AnswerHead): string {
    const { edit, propose } = this.#port;
    if (!edit || reason === phraseOf(status)) return reason;
    return edit(status, [['Reason', reason]], propose).headers[0]?.[1] ?? '';
  }

  #edited(came: AnswerHead): AnswerHead {
    const answer = { ...came, reason: this.#reason(came) };
    const headers = this.#passable(answer.headers);
    const edited = this.#port.edit?.(answer.status, headers, this.#port.propose);
    const passed = edited?.headers ?? headers;
    const editor = edited?.body;
    this.#trailersOf = edited?.trailers;
    if (!editor || answer.framing.type === 'none') return { ...answer, headers: passed };
    const coding = codingOf(answer.headers);
    this.#editor = editor;
    if (!coding && editor.keepsLength) return { ...answer, headers: passed };
    if (coding) this.#decoder = new Decoder(coding, this.#sink);
    const rest = passed.filter(([name]) => !OF_THE_BYTES.has(lower(name)));
    return { ...answer, headers: rest.map(weakened), framing: { type: 'chunked' } };
  }

  /** Without what belongs to the connection to the target. */
  #passable(headers: readonly Header[]): readonly Header[] {
    const { target, prefix } = this.#port;
    return routed(withoutHop(headers), target, prefix);
  }

  readonly #sink = {
    data: (bytes: Buffer): void => this.#decoded(bytes),
    end: (): void => this.#ended(),
    failed: (message: string): void => this.#failed(`the target's answer is cut off: ${message}`),
    room: (): void => this.#port.wantAnswer(true),
  };

  /** Bytes behind every content coding. */
  #decoded(bytes: Buffer): void {
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
      return this.#firstBytes > FIRST_BYTES ? this.#begin() : undefined;
    }
    const { client, record } = this.#port;
    record.body('out', bytes);
    if (client.data(bytes)) return;
    this.#port.wantAnswer(false);
    this.#decoder?.want(false);
  }

  #ended(): void {
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
      const trailers = this.#trailersOf?.(this.#trailers) ?? this.#trailers;
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

/** Whoever listens to events wants the first of them at once. */
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

/** A validator of changed bytes is no strong one any more (RFC 9110 section 8.8.3). */
const weakened = (header: Header): Header => {
  const [name, value] = header;
  return lower(name) === 'etag' && value.startsWith('"') ? [name, `W/${value}`] : header;
};
