/**
 * A call of gRPC: one method, what is sent to it, and what it answers. Owns: whether its messages can be read, and masks in answers. Does
 * not: decide, or know which rules mask.
 */
import type { Deny, Header, HttpCommand, HttpEdits } from '@sluice/contract';
import { type Editor, JsonMask, type JsonParts, NO_BYTES, type OwnEditors, unmasked } from '@sluice/http-bodies';
import { type GrpcReader, type Json, JsonError, isGrpc, readJson, textOf } from '@sluice/http-requests';
import type { Descriptors, MessageType } from './descriptors.js';
import { FrameError, Frames, framed } from './frames.js';
import { hiddenIn } from './hidden.js';
import { type ReadMessage, readMessage } from './message.js';

/** Reads calls by a set of descriptors. */
export class GrpcCalls implements GrpcReader {
  readonly #descriptors: Descriptors;

  constructor(descriptors: Descriptors) {
    this.#descriptors = descriptors;
  }

  /** See `HttpTarget.unreadGrpc`. */
  fault(path: string): string | undefined {
    return this.has(path) ? undefined : 'the descriptors of this connection do not have this method of gRPC';
  }

  /** See `HttpTarget.streamsGrpc`. As a whole it would wait for an answer while its answer waits for the end of it. */
  bothWays(path: string): boolean {
    const method = this.#descriptors.method(path);
    return method !== undefined && method.clientStreams && method.serverStreams;
  }

  /** What each message of a body means that was read whole. @throws JsonError */
  read(path: string, body: Buffer): readonly Json[] {
    return this.#messagesOf(path, body).map(({ meaning }) => meaning);
  }

  /** The same as it was sent: without what is not set. @throws JsonError */
  sent(path: string, body: Buffer): readonly Json[] {
    return this.#messagesOf(path, body).map(({ json }) => json);
  }

  has(path: string): boolean {
    return this.#descriptors.method(path) !== undefined;
  }

  /** Editors for what the method answers, which `has` knows. */
  editors(path: string, parts: JsonParts): OwnEditors {
    const type = this.#typeOf(path, 'output');
    return { editor: (kind) => (kind === 'other' ? new MessagesMask(this.#descriptors, type, parts) : undefined) };
  }

  /** What is sent to the method, with masks. @throws BodyUnmasked */
  masked(path: string, body: Buffer, parts: JsonParts): Buffer {
    const mask = new MessagesMask(this.#descriptors, this.#typeOf(path, 'input'), parts);
    const made = mask.push(body);
    mask.end();
    return made;
  }

  #messagesOf(path: string, body: Buffer): readonly ReadMessage[] {
    const type = this.#typeOf(path, 'input');
    return framesOf(body).map((message) => readMessage(this.#descriptors, type, message));
  }

  #typeOf(path: string, side: 'input' | 'output'): MessageType {
    const type = this.#descriptors.message(this.#descriptors.method(path)?.[side] ?? '');
    if (!type) throw new JsonError('is of a method that its descriptors do not have');
    return type;
  }
}

function framesOf(body: Buffer): Buffer[] {
  try {
    const frames = new Frames();
    const all = frames.push(body);
    frames.end();
    return all;
  } catch (error) {
    if (error instanceof FrameError) throw new JsonError(error.message);
    throw error;
  }
}

/** Messages of an answer as they pass, one by one. */
class MessagesMask implements Editor {
  readonly held = 0;
  readonly #descriptors: Descriptors;
  readonly #type: MessageType;
  readonly #parts: JsonParts;
  readonly #frames = new Frames();

  constructor(descriptors: Descriptors, type: MessageType, parts: JsonParts) {
    this.#descriptors = descriptors;
    this.#type = type;
    this.#parts = parts;
  }

  push(bytes: Buffer): Buffer {
    return this.#guard(() => Buffer.concat(this.#frames.push(bytes).map((one) => framed(this.#masked(one)))));
  }

  end(): Buffer {
    this.#guard(() => this.#frames.end());
    return NO_BYTES;
  }

  release(): Buffer {
    return NO_BYTES;
  }

  /** The same bytes where nothing of it is masked. */
  #masked(bytes: Buffer): Buffer {
    const message = readMessage(this.#descriptors, this.#type, bytes);
    const text = textOf(message.json);
    const mask = new JsonMask(this.#parts);
    const pushed = Buffer.from(mask.push(Buffer.from(text)));
    const made = Buffer.concat([pushed, mask.end()]).toString('utf8');
    const hidden = hiddenIn(this.#parts);
    const hides = message.bytes.some((one) => hidden(one) !== undefined);
    return made === text && !hides ? bytes : message.with(readJson(made), hidden);
  }

  #guard<Value>(act: () => Value): Value {
    try {
      return act();
    } catch (error) {
      if (error instanceof JsonError || error instanceof FrameError) throw unmasked(error.message);
      throw error;
    }
  }
}

/** What would come compressed could not be read, and neither can what is in binary metadata, whose type nobody says. */
export function plainCall(edits: HttpEdits): HttpEdits {
  const { answer } = edits;
  return {
    ...edits,
    headers: [...(edits.headers ?? []), ['grpc-accept-encoding', undefined]],
    ...(answer && {
      answer: (status, headers, propose) => {
        const edited = answer(status, headers, propose);
        const trailers = edited.trailers ?? ((came) => came);
        return {
          ...edited,
          headers: withoutBinary(edited.headers),
          trailers: (came) => withoutBinary(trailers(came)),
        };
      },
    }),
  };
}

const withoutBinary = (headers: readonly Header[]): readonly Header[] =>
  headers.filter(([name]) => !name.toLowerCase().endsWith('-bin'));

/** Why a call whose answers are masked is not made; undefined: they can be, or it is no call. */
export function unmaskable(calls: GrpcCalls | undefined, { path, body }: HttpCommand): Deny | undefined {
  if (body.type === 'none' || !isGrpc(body.media) || calls?.has(path)) return undefined;
  const what = calls
    ? 'the descriptors of this connection do not have this method'
    : 'it has no "descriptors" to read them by';
  return {
    type: 'deny',
    rule: 'gateway',
    message: `Something is masked in the answers of this connection, and messages of gRPC pass unread here: ${what}.`,
  };
}

/** A request as people are shown it: its messages as JSON, where they can be read. */
export function legible(calls: GrpcCalls | undefined, command: HttpCommand): HttpCommand {
  const { path, body } = command;
  if (!calls || body.type !== 'whole' || !isGrpc(body.media)) return command;
  try {
    const bytes = Buffer.from(body.bytes.buffer, body.bytes.byteOffset, body.bytes.byteLength);
    const text = calls.sent(path, bytes).map(textOf).join('\n');
    return { ...command, body: { type: 'whole', media: 'application/json', bytes: Buffer.from(text) } };
  } catch (error) {
    if (error instanceof JsonError) return command;
    throw error;
  }
}
