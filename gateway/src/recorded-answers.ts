/**
 * What targets answer to one session, on its way to the record. Owns: that heads and bodies of HTTP have no secrets there. Does not:
 * write records (packages/audit), or change what clients get.
 */
import type { Log } from '@sluice/audit';
import type { Command, ResponseEvent } from '@sluice/contract';
import { BodyRedactor, type Mark, redactHead } from '@sluice/http-requests';
import { remembered, shared } from '@sluice/wire';

/** Heads of answers that are remembered as they are recorded, of all sessions together. */
const HEADS_REMEMBERED = 256;
/** Takes the secrets out of a head. Answers repeat their heads, and come with the same bytes then. */
const headsBy = shared((mark: Mark) =>
  remembered(
    (head: Uint8Array) => Buffer.from(redactHead(Buffer.from(head).toString('latin1'), mark), 'latin1'),
    HEADS_REMEMBERED,
  ),
);

export class RecordedAnswers {
  readonly #session: string;
  readonly #log: Log;
  readonly #mark: Mark;
  /** Bodies of requests by HTTP that pass unread. */
  readonly #bodies = new Map<number, BodyRedactor>();

  /** `mark`: what stands for a secret. */
  constructor(session: string, log: Log, mark: Mark) {
    this.#session = session;
    this.#log = log;
    this.#mark = mark;
  }

  /** A command has been let through, and its answer is to come. */
  began(command: Command): void {
    if (command.type === 'request' && command.body.type === 'stream')
      this.#bodies.set(command.id, new BodyRedactor(command.body.media, this.#mark));
  }

  /** Puts an event on record, of HTTP without secrets, by names that are known. False: it cannot be recorded. */
  record(event: ResponseEvent): boolean {
    if (this.#bodies.size === 0 && (event.type === 'end' ? !event.parts : event.stream !== 'head'))
      return this.#write(event);
    const body = this.#bodies.get(event.command);
    if (body && event.type === 'part' && event.stream === 'request')
      return this.#writeBody(event.command, body.push(Buffer.concat(event.data)));
    if (body) this.#writeBody(event.command, body.flush());
    if (event.type === 'end') {
      this.#bodies.delete(event.command);
      if (!event.parts) return this.#write(event);
      const shown = headsBy(this.#mark);
      const parts = event.parts.map((part) =>
        part.stream === 'head' ? { stream: part.stream, data: shown(part.data) } : part,
      );
      return this.#write({ ...event, parts });
    }
    if (event.stream !== 'head') return this.#write(event);
    const [first, ...rest] = event.data;
    const whole = first && rest.length === 0 ? first : Buffer.concat(event.data);
    return this.#write({ ...event, data: [headsBy(this.#mark)(whole)] });
  }

  #writeBody(command: number, body: Uint8Array): boolean {
    return body.length === 0 || this.#write({ type: 'part', command, stream: 'request', data: [body] });
  }

  #write(event: ResponseEvent): boolean {
    return this.#log.response(this.#session, event);
  }
}
