/**
 * A WebSocket between a client and a target, as a conversation that the pump runs. Owns: that both keep to the frames of RFC 6455,
 * the record of what they say, what masks do to the target's words, and the end with a close code. Does not: put together messages that
 * are judged (messages.ts).
 */
import type { Duplex } from 'node:stream';
import {
  type AnswerMeter,
  type BodyEditor,
  type Deny,
  type EditedAnswer,
  ENDING_KINDS,
  type Ending,
  type HttpCommand,
  Unmasked,
  type Visit,
  denyInWords,
  endingInWords,
} from '@sluice/contract';
import { type Conversation, type Side, type Wires, pump } from '@sluice/wire';
import type { ExchangeRecorder } from '../recorder.js';
import { FrameError, FrameReader, type FrameSink, closeFrame } from './frames.js';
import { MaskedMessages } from './masked.js';
import { JudgedMessages } from './messages.js';

export interface WebSocketParts {
  readonly client: { readonly stream: Duplex; readonly rest: Buffer };
  readonly target: Duplex;
  /** Came from the target behind its 101. */
  readonly rest: Buffer;
  readonly record: ExchangeRecorder;
  readonly visit: Visit;
  readonly editor: BodyEditor | undefined;
  /** The same for what control frames say, which come between the frames of a message. */
  readonly control: BodyEditor | undefined;
  /** What becomes of each message of the target; undefined: it passes as it comes, through the editor. */
  readonly message: EditedAnswer['message'];
  /** The request that opened it, where the gate is asked about each message of the client. */
  readonly judged: (HttpCommand & { readonly about: unknown }) | undefined;
  readonly over: (summary: string) => void;
  /** What the client may have of what the target says; undefined: all. */
  readonly meter: AnswerMeter | undefined;
}

/** Going away, a violation of policy, an error of the server (RFC 6455 section 7.4.1). */
const CODES = { away: 1001, policy: 1008, tooLong: 1009, failed: 1011 } as const;

/** Opcodes from here on are those of control frames (section 5.5). */
const CONTROL = 8;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
/** Of a close frame, before its reason. */
const CODE_BYTES = 2;

/** Runs it to its end. @returns what ends it from outside */
export function relayWebSocket(parts: WebSocketParts): {
  readonly end: (ending: Ending) => void;
  readonly cut: (deny: Deny) => void;
} {
  const { client, target, rest, over } = parts;
  const { gate } = parts.visit;
  let relay: WebSocketRelay | undefined;
  if (client.rest.length > 0) client.stream.unshift(client.rest);
  if (rest.length > 0) target.unshift(rest);
  const end = (ending: Ending): void =>
    relay?.stop(ENDING_KINDS[ending.code] === 'killed' ? CODES.policy : CODES.away, endingInWords(ending));
  const drain = (): void => end(gate.draining.reason as Ending);
  const done = pump(client.stream, target, (wires) => (relay = new WebSocketRelay(wires, parts)));
  if (gate.draining.aborted) queueMicrotask(drain);
  else gate.draining.addEventListener('abort', drain, { once: true });
  void done.then(() => {
    gate.draining.removeEventListener('abort', drain);
    over(relay?.summary ?? '');
  });
  return { end, cut: (deny) => relay?.cut(deny) };
}

class WebSocketRelay implements Conversation {
  readonly #wires: Wires;
  readonly #readers = { client: new FrameReader(true), upstream: new FrameReader(false) };
  readonly #record: ExchangeRecorder;
  readonly #visit: Visit;
  readonly #judged: JudgedMessages | undefined;
  readonly #edited: EditedFrames | undefined;
  readonly #masked: MaskedMessages | undefined;
  readonly #meter: AnswerMeter | undefined;
  readonly #messages = { client: 0, upstream: 0 };
  /** Payload of the client's control frame that is under way. */
  readonly #control: Buffer[] = [];
  /** The same of the target's, and what its last ping said. */
  readonly #targetControl: Buffer[] = [];
  #pinged: Buffer = Buffer.alloc(0);
  #finished = false;
  #why = 'closed';

  constructor(wires: Wires, { record, visit, editor, control, message: mask, judged: opening, meter }: WebSocketParts) {
    this.#wires = wires;
    this.#meter = meter;
    this.#visit = visit;
    this.#record = record;
    const port = {
      visit,
      send: (frames: Buffer) => wires.send('upstream', frames),
      refused: (deny: Deny, isTooLong: boolean) => this.#refused(deny, isTooLong),
      wake: () => wires.wake(),
    };
    if (opening) this.#judged = new JudgedMessages({ ...port, opening });
    const deliver = (frame: Buffer, payload: Buffer | undefined): void => this.#deliverFrame(frame, payload);
    if (mask) this.#masked = new MaskedMessages({ mask, before: editor, limit: visit.gate.limits.message, deliver });
    else if (editor) this.#edited = new EditedFrames(editor, control, (bytes) => this.#deliver(bytes));
  }

  get summary(): string {
    return `101 WebSocket: ${this.#messages.client} messages sent, ${this.#messages.upstream} received, ${this.#why}`;
  }

  receive(from: Side, chunk: Buffer): void {
    if (this.#finished) return;
    if (from === 'upstream' && !this.#isChanged && !this.#mayHave(chunk)) return;
    try {
      this.#readers[from].read(chunk, from === 'client' ? this.#fromClient : this.#fromTarget);
    } catch (error) {
      return this.#broke(from, error);
    }
    if (from === 'client' && !this.#judged) this.#wires.send('upstream', chunk);
    if (from === 'upstream' && !this.#isChanged) this.#wires.send('client', chunk);
  }

  /** Other bytes go to the client than came. */
  get #isChanged(): boolean {
    return this.#edited !== undefined || this.#masked !== undefined;
  }

  ended(): void {
    this.#finish();
  }

  wants(from: Side): boolean {
    return !this.#finished && !(from === 'client' && this.#judged?.isAsking);
  }

  /** Ends it now, with a close frame to both where none would cut another frame in two. */
  stop(code: number, reason: string): void {
    if (this.#finished) return;
    this.#why = reason;
    if (this.#mayInterrupt) this.#wires.send('client', closeFrame(code, reason, false));
    // What was judged went on in whole frames.
    if ((this.#judged !== undefined || this.#readers.client.atBoundary) && !this.#readers.client.closed)
      this.#wires.send('upstream', closeFrame(CODES.away, '', true));
    this.#finish();
  }

  /** A frame of our own to the client would lie between two of the target. */
  get #mayInterrupt(): boolean {
    const reader = this.#readers.upstream;
    // Of these only whole frames have gone.
    if (this.#masked) return !reader.closed;
    return reader.atBoundary && !reader.closed && !this.#edited?.waits;
  }

  readonly #fromClient: FrameSink = {
    header: (bytes) => this.#judged?.header(bytes),
    payload: (bytes, control, raw) => {
      // What is judged is on record as a command of its own.
      if (this.#judged) this.#judged.payload(bytes, control, raw);
      if (control) this.#control.push(Buffer.from(bytes));
      else if (!this.#judged) this.#record.body('in', bytes);
    },
    end: (opcode, last) => {
      if (opcode >= CONTROL) this.#recordControl(opcode);
      this.#counts('client', opcode, last);
      this.#judged?.end(opcode, last);
    },
  };

  /** What a client says in a ping, or why it closes, reaches the target as well. The answer to a ping says nothing new. */
  #recordControl(opcode: number): void {
    const said = Buffer.concat(this.#control.splice(0)).subarray(opcode === CLOSE ? CODE_BYTES : 0);
    const isEcho = opcode === PONG && said.equals(this.#pinged);
    if (said.length > 0 && !isEcho) this.#record.body('in', said);
  }

  readonly #fromTarget: FrameSink = {
    header: (bytes) => (this.#masked ?? this.#edited)?.header(bytes),
    payload: (bytes, control) => {
      if (control) this.#targetControl.push(Buffer.from(bytes));
      if (this.#masked) this.#masked.payload(bytes, control);
      else if (this.#edited) this.#edited.payload(bytes, control);
      else if (!control) this.#record.body('out', bytes);
    },
    end: (opcode, last) => {
      const said = opcode >= CONTROL && this.#targetControl.splice(0);
      if (said && opcode === PING) this.#pinged = Buffer.concat(said);
      this.#counts('upstream', opcode, last);
      this.#masked?.end(opcode, last);
      if (opcode >= CONTROL) this.#edited?.endOfControl();
      else if (last) this.#edited?.endOfMessage();
    },
  };

  #counts(from: Side, opcode: number, last: boolean): void {
    if (last && opcode < CONTROL) this.#messages[from]++;
  }

  /** What of the target's chunk has not passed lies behind whole frames, or the end of one is missing: it is over either way. */
  #mayHave(bytes: Buffer): boolean {
    if (this.#meter?.take(0, bytes.length) !== false) return true;
    if (this.#meter.ended) this.cut(this.#meter.ended);
    return false;
  }

  cut(deny: Deny): void {
    this.#refused(deny, false);
  }

  #deliver({ bytes, payload }: Delivered): void {
    if (this.#finished || !this.#mayHave(bytes)) return;
    if (payload) this.#record.body('out', bytes);
    this.#wires.send('client', bytes);
  }

  #deliverFrame(frame: Buffer, payload: Buffer | undefined): void {
    if (this.#finished || !this.#mayHave(frame)) return;
    if (payload) this.#record.body('out', payload);
    this.#wires.send('client', frame);
  }

  #refused(deny: Deny, isTooLong: boolean): void {
    const { message } = deny.reason ? denyInWords(deny.reason, 'command') : deny;
    this.stop(isTooLong ? CODES.tooLong : CODES.policy, message);
  }

  /** A peer broke the protocol, or what it said must not pass. */
  #broke(from: Side, error: unknown): void {
    if (!(error instanceof FrameError || error instanceof Unmasked)) {
      this.#visit.gate.broke(`a WebSocket failed: ${String(error)}`);
      return this.stop(CODES.failed, 'the gateway could not pass a message on');
    }
    if (from === 'client') return this.stop(error instanceof FrameError ? error.code : CODES.policy, error.message);
    this.stop(CODES.failed, error.message);
  }

  #finish(): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#judged?.stop();
    this.#wires.finish();
  }
}

interface Delivered {
  readonly bytes: Buffer;
  readonly payload: boolean;
}

/**
 * Frames whose payload passes an editor. As many bytes come out as went in, later perhaps: headers and control frames wait
 * behind payload that the editor keeps, and it keeps nothing beyond the end of a message.
 */
class EditedFrames {
  readonly #editor: BodyEditor;
  readonly #ofControl: BodyEditor | undefined;
  /** What the control frame says that is under way. */
  #control: Buffer[] = [];
  readonly #out: (delivered: Delivered) => void;
  /** What waits, in order: bytes that go as they are, and room for so many edited ones. */
  readonly #waiting: (Buffer | { room: number })[] = [];
  #edited: Buffer = Buffer.alloc(0);

  constructor(editor: BodyEditor, ofControl: BodyEditor | undefined, out: (delivered: Delivered) => void) {
    this.#editor = editor;
    this.#ofControl = ofControl;
    this.#out = out;
  }

  /** Bytes of a frame are still to come. */
  get waits(): boolean {
    return this.#waiting.length > 0;
  }

  header(bytes: Buffer): void {
    this.#waiting.push(Buffer.from(bytes));
    this.#flush();
  }

  payload(bytes: Buffer, control: boolean): void {
    if (control) return void this.#control.push(Buffer.from(bytes));
    this.#waiting.push({ room: bytes.length });
    this.#add(this.#editor.push(Buffer.from(bytes)));
    this.#flush();
  }

  /** It is short, and edited as a whole: why a target closes may quote what it was sent. */
  endOfControl(): void {
    const came = Buffer.concat(this.#control.splice(0));
    const editor = this.#ofControl;
    this.#waiting.push(editor ? Buffer.concat([editor.push(came), editor.release()]) : came);
    this.#flush();
  }

  endOfMessage(): void {
    this.#add(this.#editor.release());
    this.#flush();
  }

  #add(bytes: Buffer): void {
    this.#edited = this.#edited.length === 0 ? bytes : Buffer.concat([this.#edited, bytes]);
  }

  #flush(): void {
    for (let first = this.#waiting[0]; first; first = this.#waiting[0]) {
      if (Buffer.isBuffer(first)) this.#out({ bytes: first, payload: false });
      else {
        const size = Math.min(first.room, this.#edited.length);
        if (size > 0) this.#out({ bytes: this.#edited.subarray(0, size), payload: true });
        this.#edited = this.#edited.subarray(size);
        first.room -= size;
        if (first.room > 0) return;
      }
      this.#waiting.shift();
    }
  }
}
