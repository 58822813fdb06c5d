/**
 * Messages of a target one by one, where nobody waits for many of them: its login; and those of look-ups. Owns how long one may be, and
 * that pg-protocol, which reads them, gets only what it comes back from. Does not own what a message means, nor the messages
 * of a session that has begun (`target-half.ts`).
 */
import { type Inbox, unexpected } from '@sluice/wire';
import type { BackendMessage } from 'pg-protocol/dist/messages.js';
import { Parser } from 'pg-protocol/dist/parser.js';
import { B, HEADER_BYTES } from './messages.js';

/** One whole message. */
export interface TargetMessage {
  readonly tag: number;
  readonly body: Buffer;
  readonly whole: Buffer;
}

/** @throws WireError where the target is gone, or what comes is no message of at most `limit` bytes */
export async function readMessage(inbox: Inbox, limit: number): Promise<TargetMessage> {
  const head = await inbox.read(HEADER_BYTES);
  const length = head.readInt32BE(1);
  if (length < 4 || length > limit) throw unexpected('the target does not speak the Postgres protocol');
  const whole = Buffer.concat([head, await inbox.read(length - 4)]);
  return { tag: head[0] as number, body: whole.subarray(HEADER_BYTES), whole };
}

const NOTHING = Buffer.alloc(0);

/** Messages of which many come at once: all that have arrived are taken from the stream together. */
export class ManyMessages {
  readonly #inbox: Inbox;
  readonly #limit: number;
  #bytes: Buffer = NOTHING;

  /** @param limit how long one may be, in bytes */
  constructor(inbox: Inbox, limit: number) {
    this.#inbox = inbox;
    this.#limit = limit;
  }

  /** The next one, if it is here as a whole. @throws WireError where what comes is no message of at most `limit` bytes */
  take(): TargetMessage | undefined {
    const size = this.#size;
    if (this.#bytes.length < size) return undefined;
    const whole = this.#bytes.subarray(0, size);
    this.#bytes = this.#bytes.subarray(size);
    return { tag: whole[0] as number, body: whole.subarray(HEADER_BYTES), whole };
  }

  /** Until the next one is here. @throws WireError where the target is gone, or what comes is no message */
  async arrived(): Promise<void> {
    for (let missing = this.#missing; missing > 0; missing = this.#missing) {
      const more = await this.#inbox.read(Math.max(missing, this.#inbox.buffered));
      this.#bytes = this.#bytes.length === 0 ? more : Buffer.concat([this.#bytes, more]);
    }
  }

  get #missing(): number {
    return this.#size - this.#bytes.length;
  }

  /** Of the next message, as far as that is known. */
  get #size(): number {
    if (this.#bytes.length < HEADER_BYTES) return HEADER_BYTES;
    const length = this.#bytes.readInt32BE(1);
    if (length < 4 || length > this.#limit) throw unexpected('the target does not speak the Postgres protocol');
    return 1 + length;
  }
}

/** The values of a DataRow whose columns are all texts. @throws WireError where it is none */
export function textsOf(body: Buffer): (string | null)[] {
  if (body.length < 2) throw unreadable();
  const texts: (string | null)[] = [];
  let at = 2;
  for (let left = body.readUInt16BE(0); left > 0; left--) {
    if (at + 4 > body.length) throw unreadable();
    const size = body.readInt32BE(at);
    at += 4;
    if (size > body.length - at) throw unreadable();
    texts.push(size < 0 ? null : body.toString('utf8', at, (at += size)));
  }
  return texts;
}

const TAGS: ReadonlySet<number> = new Set(
  Object.values(B).filter((tag) => tag !== B.negotiateProtocolVersion && tag !== B.functionCallResponse),
);
const HAS_FIELDS: ReadonlySet<number> = new Set([B.errorResponse, B.noticeResponse]);

/**
 * The message as pg-protocol reads it. It has only this one to read from, so that a length in it cannot reach into the next.
 *
 * @throws WireError where it is not of the shape of its kind
 */
export function parsed({ tag, body, whole }: TargetMessage): BackendMessage {
  // The parser takes a kind that it does not know for an error of the target, and looks for the end of fields for ever.
  if (!TAGS.has(tag) || (HAS_FIELDS.has(tag) && !endsFields(body))) throw unreadable();
  if (tag === B.parameterStatus && body.at(-1) !== 0) throw unreadable();
  let message: BackendMessage | undefined;
  try {
    new Parser().parse(whole, (one) => (message = one));
  } catch {
    throw unreadable();
  }
  if (!message) throw unreadable();
  return message;
}

/** Fields end with an empty one: wherever one begins, its end or that of all of them follows. */
const endsFields = (body: Buffer): boolean => body.at(-1) === 0 && (body.length === 1 || body.at(-2) === 0);

const unreadable = (): Error => unexpected('the target sent a message that cannot be read');
