/**
 * What a client says in a call of gRPC that is answered before it ends, message by message. Owns: cutting messages apart (gRPC over HTTP/2,
 * Length-Prefixed-Message), asking the gate about each before any of it goes on, and their order meanwhile. Does not: read messages.
 */
import type { Answer, Deny, HttpBody, HttpCommand, Visit } from '@sluice/contract';
import { Inflow } from './inflow.js';
import { capital } from './refusal.js';
import { NO_ROOM_FOR_SENT, SentRoom } from './room.js';
import { waiterFor } from './waiter.js';

/** Whether it is compressed, and its length. */
const HEAD_BYTES = 5;

export interface StreamPort {
  readonly visit: Visit;
  /** The call. */
  readonly opening: HttpCommand & { readonly about: unknown };
  /** A message with its head. */
  send(bytes: Buffer): void;
  /** All of them have gone. */
  end(): void;
  /** Nothing more goes. `id`: of the message. */
  refused(deny: Deny, id: number): void;
  /** Whether more of the client is useful now. */
  want(wanted: boolean): void;
}

export class JudgedStream {
  readonly #port: StreamPort;
  readonly #kept = new Inflow();
  readonly #gone = new AbortController();
  #isAsking = false;
  #hasEnded = false;
  #over = false;

  readonly #room: SentRoom;

  constructor(port: StreamPort) {
    const { admission, gate } = port.visit;
    this.#port = port;
    this.#room = new SentRoom(admission.principal, gate.limits.message);
  }

  /** Somebody is asked about a message: what follows it waits. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  push(bytes: Buffer): void {
    if (this.#over) return;
    this.#kept.add(Buffer.from(bytes));
    if (!this.#room.take(bytes.length)) return this.#fault(`${capital(NO_ROOM_FOR_SENT)}.`);
    this.#pass();
  }

  end(): void {
    this.#hasEnded = true;
    this.#pass();
  }

  /** Nothing more of it passes. */
  stop(): void {
    this.#over = true;
    this.#kept.take();
    this.#room.give();
    this.#gone.abort('gone');
  }

  #pass(): void {
    while (!this.#isAsking && !this.#over) {
      const { bytes } = this.#kept;
      const size = bytes.length < HEAD_BYTES ? Infinity : HEAD_BYTES + bytes.readUInt32BE(1);
      const limit = this.#port.visit.gate.limits.message;
      if (size !== Infinity && size > limit) return this.#tooLong(limit);
      if (bytes.length < size) break;
      const message = Buffer.from(bytes.subarray(0, size));
      this.#kept.use(size);
      this.#ask(message);
    }
    if (this.#isAsking || this.#over || !this.#hasEnded) return;
    if (this.#kept.bytes.length > 0) return this.#fault('This call ends within a message.');
    this.#over = true;
    this.#room.give();
    this.#port.end();
  }

  #ask(message: Buffer): void {
    const command = this.#command(message);
    const answer = this.#answerTo(command);
    if (!(answer instanceof Promise)) return this.#answered(message, command.id, answer);
    this.#isAsking = true;
    this.#port.want(false);
    const late = (one: Answer): void => {
      this.#isAsking = false;
      if (this.#over) return;
      this.#answered(message, command.id, one);
      this.#pass();
      if (!this.#over) this.#port.want(true);
    };
    answer.then(late, () => late(UNJUDGED));
  }

  #answerTo(command: HttpCommand): Answer | Promise<Answer> {
    const { visit } = this.#port;
    const within = visit.admission.target.http.holdWait;
    const gone = (): AbortSignal => this.#gone.signal;
    const begin = (): void => undefined;
    try {
      return visit.gate.ask(command, waiterFor({ within, api: 'rest', body: command.body, gone, begin }));
    } catch {
      return UNJUDGED;
    }
  }

  #answered(message: Buffer, id: number, answer: Answer): void {
    this.#room.give(message.length);
    if (answer.type === 'deny') return this.#refuse(answer, id);
    const { gate } = this.#port.visit;
    gate.record({ type: 'end', command: id, outcome: 'ok', summary: 'sent on', rows: 0, bytes: 0, data: [] });
    this.#port.send(answer.http?.body ? Buffer.from(answer.http.body) : message);
  }

  #refuse(deny: Deny, id: number): void {
    this.stop();
    this.#port.refused(deny, id);
  }

  #tooLong(limit: number): void {
    this.#fault(`A message here has at most ${limit.toLocaleString('en')} bytes, since rules read it.`);
  }

  /** Refused for what it is: on record like any other. */
  #fault(message: string): void {
    const command = this.#command(Buffer.alloc(0));
    void this.#answerTo({ ...command, fault: message });
    this.#refuse({ type: 'deny', rule: 'gateway', message }, command.id);
  }

  #command(bytes: Buffer): HttpCommand {
    const { visit, opening } = this.#port;
    const { opens: _, about, ...head } = opening;
    const media = opening.body.type === 'whole' ? opening.body.media : '';
    const body: HttpBody = { type: 'whole', media, bytes };
    const text = opening.text.replace(/^\S+/, 'message');
    return { ...head, id: visit.nextId(), text, body, message: { kind: 'binary', origin: opening.id, about } };
  }
}

const UNJUDGED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'This message could not be judged, so it was not sent on.',
};
