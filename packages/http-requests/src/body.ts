/**
 * The body of a request as rules ask about it. Owns: what kind of text it is, by its bytes and not by what the request says of
 * it, and the values in it. Does not: bodies that pass without having been read.
 */
import { isUtf8 } from 'node:buffer';
import type { HttpBody } from '@sluice/contract';
import {
  FormError,
  type FormPart,
  OTHER_CHARSET,
  type Pair,
  isField,
  readMultipart,
  readQuery,
  saysCharset,
} from './form.js';
import { type Json, JsonError, readJson, stepsOf, textOf, valuesAt } from './json.js';

/** A rule looks at a body, and the verdict on the request cannot be given without it. */
export class BodyUnread extends Error {
  override readonly name = 'BodyUnread';
}

/** A rule looks at a body of which nobody can say how its target reads it. The message is a sentence for whoever sent it. */
export class BodyUnreadable extends Error {
  override readonly name = 'BodyUnreadable';
}

export type ReadBody =
  | { readonly type: 'empty' }
  | { readonly type: 'json'; readonly value: Json }
  | { readonly type: 'form'; readonly pairs: readonly Pair[] }
  | { readonly type: 'multipart'; readonly parts: readonly FormPart[] }
  /** Of gRPC: one, or as many as its client streams. */
  | { readonly type: 'messages'; readonly values: readonly Json[] }
  /** `why`: a phrase of which the body is the subject. */
  | { readonly type: 'unreadable'; readonly why: string };

/** Reads messages of gRPC, whose types are known. */
export interface GrpcReader {
  /** Why a call of the method at `path` has none that can be read before it is made: a phrase; undefined: it has. */
  fault(path: string): string | undefined;
  /** Whether the method at `path` streams in both directions. */
  bothWays(path: string): boolean;
  /** Each message of a body that was read whole. @throws JsonError */
  read(path: string, body: Buffer): readonly Json[];
}

/** Reads a whole body, once it is asked for. */
export class Body {
  readonly body: HttpBody;
  readonly #messages: ((body: Buffer) => readonly Json[]) | undefined;
  #read: ReadBody | undefined;
  /** By pointer: a condition may ask again for each of many values. */
  readonly #values = new Map<string, readonly string[]>();

  /** `messages`: reads it where it is gRPC. */
  constructor(body: HttpBody, messages?: (body: Buffer) => readonly Json[]) {
    this.body = body;
    this.#messages = messages;
  }

  /** @throws BodyUnread */
  get read(): ReadBody {
    if (this.body.type === 'stream') throw new BodyUnread('this body has not been read');
    const { body } = this;
    return (this.#read ??= body.type === 'none' ? { type: 'empty' } : readBody(body.media, body.bytes, this.#messages));
  }

  /**
   * Values that a JSON pointer leads to, as texts; of a form its fields, by pointers of one step.
   *
   * @throws BodyUnread, BodyUnreadable, TypeError for what is no pointer
   */
  values(pointer: string): readonly string[] {
    let known = this.#values.get(pointer);
    if (!known) this.#values.set(pointer, (known = this.#valuesAt(pointer)));
    return known;
  }

  #valuesAt(pointer: string): readonly string[] {
    const steps = stepsOf(pointer);
    const { read } = this;
    switch (read.type) {
      case 'empty':
        return [];
      case 'json':
        return valuesAt(read.value, pointer).map(textOf);
      case 'messages':
        return read.values.flatMap((value) => valuesAt(value, pointer).map(textOf));
      case 'form':
        return fields(read.pairs, steps);
      case 'multipart':
        return fields(
          read.parts.map(({ name, value }): Pair => [name, value]),
          steps,
        );
      default:
        throw new BodyUnreadable(`The rules read the body of this request, which ${read.why}.`);
    }
  }
}

const fields = (pairs: readonly Pair[], steps: readonly string[]): readonly string[] =>
  pairs.flatMap(([name, value]) => (leadsTo(name, steps) ? [value] : []));

/** Frameworks make objects and lists of fields: `user[role]`, `user.role`, `role[]`, `role[0]`. */
function leadsTo(name: string, steps: readonly string[]): boolean {
  const [only] = steps;
  if (only === undefined) return false;
  if (steps.length === 1 && (only === '*' || isField(name, only))) return true;
  const given = name.split(/[[\].]+/);
  const rest = given.slice(steps.length);
  return (
    steps.every((step, at) => step === '*' || isField(given[at] ?? '', step)) &&
    rest.every((one) => /^[0-9]*$/.test(one))
  );
}

/** By its bytes first: a program that was told one thing may well look for the other. */
function readBody(
  media: string,
  bytes: Uint8Array,
  messages: ((body: Buffer) => readonly Json[]) | undefined,
): ReadBody {
  if (bytes.length === 0) return { type: 'empty' };
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = mediaType(media);
  if (isGrpc(media)) return readMessages(type, buffer, messages);
  if (!hasReadCharset(media)) return { type: 'unreadable', why: 'is in a charset that is not read here' };
  try {
    if (type === 'multipart/form-data') return { type: 'multipart', parts: readMultipart(media, buffer) };
    if (!isUtf8(buffer)) return { type: 'unreadable', why: 'is no UTF-8 text' };
    const text = buffer.toString('utf8');
    const plain = text.startsWith('\ufeff') ? text.slice(1) : text;
    if (type !== FORM || /^[\s]*[{[]/.test(plain)) return { type: 'json', value: readJson(plain) };
    return readForm(plain);
  } catch (error) {
    if (error instanceof JsonError || error instanceof FormError) return { type: 'unreadable', why: error.message };
    throw error;
  }
}

function readMessages(type: string, body: Buffer, messages: ((body: Buffer) => readonly Json[]) | undefined): ReadBody {
  if (!messages) return { type: 'unreadable', why: 'is gRPC, which is not read without its descriptors' };
  if (!PROTOBUF.has(type)) return { type: 'unreadable', why: 'is gRPC of a codec that is not read here' };
  try {
    return { type: 'messages', values: messages(body) };
  } catch (error) {
    if (error instanceof JsonError) return { type: 'unreadable', why: error.message };
    throw error;
  }
}

const PROTOBUF: ReadonlySet<string> = new Set(['application/grpc', 'application/grpc+proto']);

/** Of a value of Content-Type. */
export const isGrpc = (media: string): boolean => /^application\/grpc(?:\+|$)/.test(mediaType(media));

/** A server that is told another one takes other letters of the same bytes, percent-encoded ones too. */
function hasReadCharset(media: string): boolean {
  const said = [...media.matchAll(/;\s*charset\s*=\s*"?([^\s";]*)/gi)].map(([, charset = '']) => charset.toLowerCase());
  return said.every((one) => CHARSETS.has(one));
}

/** Those in which names of members and fields are the same bytes. */
const CHARSETS: ReadonlySet<string> = new Set(['', 'utf-8', 'utf8', 'us-ascii', 'ascii', 'iso-8859-1', 'windows-1252']);

function readForm(text: string): ReadBody {
  const pairs = readQuery(text);
  if (!pairs) return { type: 'unreadable', why: 'is a form of too many fields' };
  if (saysCharset(pairs)) return { type: 'unreadable', why: OTHER_CHARSET };
  return { type: 'form', pairs };
}

const FORM = 'application/x-www-form-urlencoded';

/** Without parameters, lower case. */
export const mediaType = (media: string): string => (media.split(';', 1)[0] ?? '').trim().toLowerCase();

/** Short texts that programs send without thinking of their size. */
export const isForm = (media: string): boolean => mediaType(media) === FORM;
