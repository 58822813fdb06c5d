/**
 * Messages of a target one by one, where nobody waits for many of them: its login, and look-ups. Owns how long one may be, and
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
