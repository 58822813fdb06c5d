/**
 * What a client says on a WebSocket, message by message. Owns: putting messages together, asking the gate about each before any of it goes
 * on, and their order meanwhile. Does not: read frames, or close anything.
 */
import type { Answer, Deny, HttpBody, HttpCommand, HttpMessage, Visit } from '@sluice/contract';
import { Inflow } from '../inflow.js';
import { capital } from '../refusal.js';
import { NO_ROOM_FOR_SENT, SentRoom } from '../room.js';
import { waiterFor } from '../waiter.js';
import { type FrameSink, messageFrame } from './frames.js';

const CONTROL = 8;
const BINARY = 2;

export interface MessagePort {
  readonly visit: Visit;
  /** The request that opened the WebSocket. */
  readonly opening: HttpCommand & { readonly about: unknown };
  /** Frames as they came, or one with what goes in place of a message. */
  send(frames: Buffer): void;
  /** It goes nowhere. `isTooLong`: for what it is, and not for what it says. */
  refused(deny: Deny, isTooLong: boolean): void;
  /** Something that waited has gone: the client may go on. */
  wake(): void;
}

interface Message {
  readonly kind: HttpMessage['kind'];
  readonly frames: Buffer;
  readonly payload: Buffer;
}

/** A sink for the frames of the client. */
export class JudgedMessages implements FrameSink {
  readonly #port: MessagePort;
  /** In order: frames of control as they came, and messages to ask about. */
  readonly #queue: (Buffer | Message)[] = [];
  readonly #gone = new AbortController();
  #kind: HttpMessage['kind'] = 'text';
  #isControl = false;
  #control: Buffer[] = [];
  readonly #frames = new Inflow();
  readonly #payload = new Inflow();
  /** Of the headers of its frames, which may be without number and have no payload. */
  #headerBytes = 0;
  #isAsking = false;
  #over = false;

  readonly #room: SentRoom;

  constructor(port: MessagePort) {
    const { admission, gate } = port.visit;
    this.#port = port;
    this.#room = new SentRoom(admission.principal, gate.limits.message);
  }

  /** Somebody is asked about a message: what follows it waits. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  header(bytes: Buffer): void {
    const opcode = (bytes[0] as number) & 0x0f;
    this.#isControl = opcode >= CONTROL;
    if (!this.#isControl && opcode !== 0) this.#kind = opcode === BINARY ? 'binary' : 'text';
    this.#keep(bytes);
    if (this.#isControl || this.#over) return;
    this.#headerBytes += bytes.length;
    this.#check(this.#headerBytes);
  }

  payload(bytes: Buffer, control: boolean, raw: Buffer): void {
    this.#keep(raw);
    if (control || this.#over) return;
    this.#payload.add(Buffer.from(bytes));
    this.#check(this.#payload.bytes.length);
    if (!this.#over && !this.#room.take(bytes.length)) this.#fault(`${capital(NO_ROOM_FOR_SENT)}.`, false);
  }

  end(_opcode: number, last: boolean): void {
    if (this.#isControl) this.#queue.push(Buffer.concat(this.#control.splice(0)));
    else if (last) {
      this.#queue.push({ kind: this.#kind, frames: this.#frames.take(), payload: this.#payload.take() });
      this.#headerBytes = 0;
    }
    this.#pass();
  }

  /** Nothing more of it passes. */
  stop(): void {
    this.#over = true;
    for (const list of [this.#queue, this.#control]) list.length = 0;
    for (const bytes of [this.#frames, this.#payload]) bytes.take();
    this.#room.give();
    this.#gone.abort('gone');
  }

  #keep(bytes: Buffer): void {
    if (this.#over) return;
    if (this.#isControl) this.#control.push(Buffer.from(bytes));
    else this.#frames.add(Buffer.from(bytes));
  }

  #check(bytes: number): void {
    if (bytes > this.#port.visit.gate.limits.message) this.#tooLong();
  }

  #pass(): void {
    while (!this.#isAsking && !this.#over) {
      const first = this.#queue.shift();
      if (!first) return;
      if (Buffer.isBuffer(first)) this.#port.send(first);
      else this.#ask(first);
    }
  }

  #ask(message: Message): void {
    const command = this.#command(message.kind, { type: 'whole', media: JSON_TYPE, bytes: message.payload });
    const answer = this.#answerTo(command);
    if (!(answer instanceof Promise)) return this.#answered(message, command.id, answer);
    this.#isAsking = true;
    const late = (one: Answer): void => {
      this.#isAsking = false;
      if (this.#over) return;
      this.#answered(message, command.id, one);
      this.#pass();
      this.#port.wake();
    };
    answer.then(late, () => late(UNJUDGED));
  }

  #answerTo(command: HttpCommand): Answer | Promise<Answer> {
    const { visit } = this.#port;
    const within = visit.admission.target.http.holdWait;
    const gone = (): AbortSignal => this.#gone.signal;
    try {
      return visit.gate.ask(
        command,
        waiterFor({ within, api: 'rest', body: command.body, gone, begin: () => undefined }),
      );
    } catch {
      return UNJUDGED;
    }
  }

  #answered({ kind, frames, payload }: Message, id: number, answer: Answer): void {
    this.#room.give(payload.length);
    if (answer.type === 'deny') return this.#port.refused(answer, false);
    const { gate } = this.#port.visit;
    gate.record({ type: 'end', command: id, outcome: 'ok', summary: 'sent on', rows: 0, bytes: 0, data: [] });
    const made = answer.http?.body;
    this.#port.send(made ? messageFrame(kind, Buffer.from(made), true) : frames);
  }

  #tooLong(): void {
    const { limits } = this.#port.visit.gate;
    this.#fault(`A message here has at most ${limits.message.toLocaleString('en')} bytes, since rules read it.`, true);
  }

  /** Refused for what it is: on record like any other. */
  #fault(message: string, isTooLong: boolean): void {
    const unread: HttpBody = { type: 'stream', media: JSON_TYPE, length: undefined };
    void this.#answerTo({ ...this.#command(this.#kind, unread), fault: message });
    this.#port.refused({ type: 'deny', rule: 'gateway', message }, isTooLong);
  }

  #command(kind: HttpMessage['kind'], body: HttpBody): HttpCommand {
    const { visit, opening } = this.#port;
    const { upgrade: _, about, ...head } = opening;
    const text = opening.text.replace(/^\S+/, 'message');
    return { ...head, id: visit.nextId(), text, body, message: { kind, origin: opening.id, about } };
  }
}

/** A body is read by its bytes first: a message says nothing of its type. */
const JSON_TYPE = 'application/json';

const UNJUDGED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'This message could not be judged, so it was not sent on.',
};
