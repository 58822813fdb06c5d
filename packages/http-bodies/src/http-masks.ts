/**
 * What rules mask of requests by HTTP and their answers. Owns: heads and trailers, validators and lengths that are true no more, and what
 * asks a target for pieces or for codings. Does not: bodies (body.ts).
 */
import { isUtf8 } from 'node:buffer';
import type { BodyEditor, EditedAnswer, Header, HttpEdits, HttpMessage, MaskRule, Propose } from '@sluice/contract';
import { isGrpc } from '@sluice/http-requests';
import { type Mode, detectorsOf, modeOf, stricter } from '@sluice/masking';
import { BodyMask, type OwnEditors, refusedByHead } from './body.js';
import { unmasked } from './fault.js';
import { JsonParts } from './json.js';
import type { Unread } from './media.js';
import type { BodyParts } from './parts.js';
import { Pointers } from './pointers.js';
import { leafMask, namedText, shortText } from './text.js';

export interface HttpMaskOptions {
  /** Secret of this installation, for pseudonyms. */
  readonly key: Uint8Array;
  readonly unread: Unread;
  /** Places that the description of the service marks. */
  readonly marked: readonly string[];
  /** What becomes of values that are replaced reversibly; absent: they get a pseudonym. */
  readonly replaced?: Mode | undefined;
}

const SWITCHED = 101;
/** Of messages that say they are no text: what becomes of them is chosen as for bodies of this type. */
const BINARY_TYPE = 'application/octet-stream';
/** What is kept back is looked at again after so long, in milliseconds. */
const HOLD_BACK_MS = 25;
/** True of a body as the target has it, and not of this one. */
const OF_THE_BODY: ReadonlySet<string> = new Set(
  'etag last-modified content-length digest repr-digest accept-ranges cache-control expires age signature signature-input'.split(
    ' ',
  ),
);
/**
 * Digests and lengths of it under the names that stores of objects, packages and files have for them (S3, Google, Azure, Backblaze, Artifactory,
 * registries of containers, ownCloud, Hugging Face): what was masked could be guessed at by them.
 */
const SUM_OF_THE_BODY =
  /^(?:[a-z0-9]+-)*(?:checksum|content-(?:md5|sha\d*|digest|crc\w*|hash))(?:-[a-z0-9]+)*$|^x-goog-hash$|^x-(?:[a-z]+-)?etag$|^x-(?:md5|sha\d+|crc\w*)$|^x-(?:[a-z]+-)*content-length$/;

const MAX_SUM_NAME = 100;
const isSum = (lower: string): boolean => lower.length <= MAX_SUM_NAME && SUM_OF_THE_BODY.test(lower);

const isNotOfTheBody = ([name]: Header): boolean => {
  const lower = name.toLowerCase();
  return !OF_THE_BODY.has(lower) && !isSum(lower);
};

/** Headers of a request that were true of its body as it was, as edits that take them out. */
export const ofTheSent = (headers: readonly Header[]): NonNullable<HttpEdits['headers']> =>
  headers
    .filter(([name]) => /^(?:repr-)?digest$/i.test(name) || isSum(name.toLowerCase()))
    .map(([name]) => [name, undefined]);
/** Never looked at: what frames and what programs compare. */
const PLAIN_HEADERS: ReadonlySet<string> = new Set(
  'content-type content-encoding transfer-encoding date vary connection trailer retry-after allow server upgrade sec-websocket-accept'.split(
    ' ',
  ),
);

export class HttpMasks {
  readonly #parts: BodyParts;
  readonly #headers: ReadonlyMap<string, MaskRule>;
  readonly #bodies: boolean;
  readonly #key: Uint8Array;

  /** What follows answers by itself, and masks nothing. */
  static nothing(options: HttpMaskOptions): HttpMasks {
    return new HttpMasks([], options);
  }

  /** Undefined: the rules mask nothing of HTTP. */
  static of(rules: readonly MaskRule[], options: HttpMaskOptions): HttpMasks | undefined {
    const masks = new HttpMasks(rules, options);
    return masks.#bodies || masks.#headers.size > 0 ? masks : undefined;
  }

  private constructor(rules: readonly MaskRule[], { key, unread, marked, replaced }: HttpMaskOptions) {
    const places = rules.flatMap((rule) =>
      [...(rule.json ?? []), ...(rule.spec === true ? marked : [])].map((pointer) => ({ pointer, rule })),
    );
    const detectors = detectorsOf(rules, key, replaced);
    const pointers = places.length > 0 ? new Pointers(places, key) : undefined;
    this.#parts = Object.assign(new JsonParts(detectors, pointers), { unread });
    this.#bodies = detectors !== undefined || pointers !== undefined;
    this.#key = key;
    const headers = new Map<string, MaskRule>();
    for (const rule of rules)
      for (const name of rule.headers ?? []) {
        const known = headers.get(name.toLowerCase());
        headers.set(name.toLowerCase(), known ? stricter(known, rule) : rule);
      }
    this.#headers = headers;
  }

  /** What is masked in JSON. */
  get parts(): JsonParts {
    return this.#parts;
  }

  /** Something of bodies is masked, and not of heads alone. */
  get readsBodies(): boolean {
    return this.#bodies;
  }

  /**
   * `first`: what happens to the request and its answer besides, before this. `own`: gives editors for the bodies of an answer.
   */
  edits(
    first: HttpEdits | undefined,
    own?: (parts: JsonParts, propose: Propose, status: number) => OwnEditors,
  ): HttpEdits {
    const asked = this.#bodies || own ? WHOLE_AND_PLAIN : [];
    return {
      headers: [...(first?.headers ?? []), ...asked],
      answer: (status, headers, propose) => {
        const before = first?.answer?.(status, headers, propose);
        const editors = own?.(this.#parts, propose, status);
        const edited = this.#answer(status, before?.headers ?? headers, before?.body, editors);
        const trailers = before?.trailers ?? unchanged;
        const isKept = this.#bodies || own ? isNotOfTheBody : (): boolean => true;
        return { ...edited, trailers: (came) => this.#masked(trailers(came)).filter(isKept) };
      },
    };
  }

  /**
   * A body as its target may have it; undefined: it stays.
   *
   * @throws BodyUnmasked where it must not be sent
   */
  request(contentType: string, bytes: Buffer): Buffer | undefined {
    const why = refusedByHead(contentType, this.#parts);
    if (why !== undefined) throw unmasked(why);
    const mask = new BodyMask(contentType, this.#parts);
    const pushed = Buffer.from(mask.push(bytes));
    const made = Buffer.concat([pushed, mask.end()]);
    return made.equals(bytes) ? undefined : made;
  }

  /** A message of a WebSocket as it may pass, or what a frame of control says. @throws BodyUnmasked */
  message(kind: HttpMessage['kind'] | 'control', bytes: Buffer): Buffer {
    if (!this.#bodies) return bytes;
    if (kind === 'control') return this.#control(bytes);
    const isText = kind === 'text';
    if (isText && !isUtf8(bytes)) throw unmasked('has a message that is no UTF-8 text, and says that it is text');
    const mask = new BodyMask(isText ? '' : BINARY_TYPE, this.#parts);
    const pushed = Buffer.from(mask.push(bytes));
    return Buffer.concat([pushed, mask.end()]);
  }

  /** Its text; of what is none nothing is left in which something was found. */
  #control(bytes: Buffer): Buffer {
    if (isUtf8(bytes)) return Buffer.from(this.text(bytes.toString('utf8')));
    const signs = bytes.toString('latin1');
    return this.text(signs) === signs ? bytes : Buffer.alloc(0);
  }

  /** A text by itself, as masks leave it. */
  text(text: string): string {
    return leafMask(this.#parts, '', text);
  }

  #answer(
    status: number,
    headers: readonly Header[],
    before: BodyEditor | undefined,
    own: OwnEditors | undefined,
  ): EditedAnswer {
    const masked = this.#masked(headers);
    if (!(this.#bodies || own) || (status < 200 && status !== SWITCHED)) return { headers: masked, body: before };
    const types = headers.filter(([name]) => name.toLowerCase() === 'content-type');
    if (types.length > 1) throw unmasked('says twice what it is');
    const contentType = types[0]?.[1] ?? '';
    const editor = new MaskedBody(new BodyMask(contentType, this.#parts, own), before, own?.given);
    // What is followed has no messages.
    if (status === SWITCHED && own) return { headers: masked, body: editor };
    if (status === SWITCHED)
      return { headers: masked, body: before, message: (kind, message) => this.message(kind, message) };
    // Of a body that has no bytes, as servers give a type as well, nothing is to be read.
    const isRead = isEmpty(status, headers) || own?.readsAll === true || (own !== undefined && isGrpc(contentType));
    const why = isRead ? undefined : refusedByHead(contentType, this.#parts);
    if (why !== undefined) throw unmasked(why);
    if (status === 206 || has(headers, 'content-range')) throw unmasked('is a piece of something');
    const kept = masked.filter(isNotOfTheBody);
    return { headers: [...kept, ['Cache-Control', 'no-store']], body: editor };
  }

  /** Without the parameters in which something is found. */
  #maskedType(contentType: string): string {
    if (!contentType.includes(';')) return contentType;
    const { look } = this.#parts;
    return contentType.replaceAll(PARAMETER, (whole, name: string) => {
      const isRead = READ_BY.has(name.toLowerCase());
      return isRead || !shortText(look, Buffer.from(whole, 'latin1')) ? whole : '';
    });
  }

  #masked(headers: readonly Header[]): readonly Header[] {
    const { look, detectors } = this.#parts;
    const read = this.#bodies ? headers.filter(([name]) => !isBinary(name)) : headers;
    return read.map((header): Header => {
      const [name, value] = header;
      const rule = this.#headers.get(name.toLowerCase());
      if (rule) return [name, namedText(value, { mode: modeOf(rule), key: this.#key, entity: '' })];
      if (detectors && name.toLowerCase() === 'content-type') return [name, this.#maskedType(value)];
      if (!detectors || PLAIN_HEADERS.has(name.toLowerCase())) return header;
      const made = shortText(look, Buffer.from(value, 'latin1'));
      return made ? [name, made.toString('latin1')] : header;
    });
  }
}

/**
 * Bytes of gRPC in base64, as `grpc-status-details-bin` with messages of any type: they may have what is masked in bodies, and nothing says how they
 * are read.
 */
const isBinary = (name: string): boolean => name.toLowerCase().endsWith('-bin');

/** A parameter of a media type, which may be the name of a file. */
const PARAMETER = /;\s*([^\s=;"]+)\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^;"]*)/g;
/** By these a body is read. */
const READ_BY: ReadonlySet<string> = new Set(['charset', 'boundary']);

/** What is compressed, or a piece of something, or not sent again because it has not changed, could not be looked through. */
export const WHOLE_AND_PLAIN: NonNullable<HttpEdits['headers']> = [
  ['Accept-Encoding', 'identity'],
  ['Range', undefined],
  ['If-Range', undefined],
  ['If-None-Match', undefined],
  ['If-Modified-Since', undefined],
];

/**
 * Of a request that only reads, besides: whether a condition holds would tell whether a body is the one that somebody has guessed. One that
 * writes keeps them, since it must not write where they do not hold.
 */
export const UNCONDITIONAL: NonNullable<HttpEdits['headers']> = [
  ['If-Match', undefined],
  ['If-Unmodified-Since', undefined],
  // Of WebDAV (RFC 4918 section 10.4), which says the same of any request.
  ['If', undefined],
];

/** What frames the answer lets no byte of a body come then. */
const isEmpty = (status: number, headers: readonly Header[]): boolean =>
  status === 204 ||
  status === 304 ||
  headers.some(([name, value]) => name.toLowerCase() === 'content-length' && value === '0');

const has = (headers: readonly Header[], wanted: string): boolean =>
  headers.some(([name]) => name.toLowerCase() === wanted);

const unchanged = (trailers: readonly Header[]): readonly Header[] => trailers;

const asRecorded = (recorded: Buffer): Buffer => recorded;

/** A body that goes through one editor and then through masks. */
class MaskedBody implements BodyEditor {
  readonly keepsLength = false;
  readonly maxHoldMs: number;
  readonly given: (recorded: Buffer) => Buffer;
  readonly #mask: BodyMask;
  readonly #before: BodyEditor | undefined;
  /** How often nothing has followed what is kept. */
  #waits = 0;

  constructor(mask: BodyMask, before: BodyEditor | undefined, given = asRecorded) {
    this.#mask = mask;
    this.#before = before;
    this.given = given;
    this.maxHoldMs = Math.min(HOLD_BACK_MS, before?.maxHoldMs ?? HOLD_BACK_MS);
  }

  get held(): number {
    return this.#mask.held + (this.#before?.held ?? 0);
  }

  get waits(): Promise<void> | undefined {
    return this.#mask.waits;
  }

  push(bytes: Buffer): Buffer {
    this.#waits = 0;
    return this.#mask.push(this.#before ? this.#before.push(bytes) : bytes);
  }

  release(): Buffer {
    // Each has its own patience: the beginning of a credential waits for its end much longer than a line does.
    const isLate = ++this.#waits * this.maxHoldMs >= (this.#before?.maxHoldMs ?? 0);
    const before = isLate ? this.#before?.release() : undefined;
    const pushed = before && before.length > 0 ? this.#mask.push(before) : undefined;
    const released = this.#mask.release();
    return pushed ? Buffer.concat([pushed, released]) : released;
  }

  end(): Buffer {
    const last = this.#before?.end();
    const pushed = last && last.length > 0 ? Buffer.from(this.#mask.push(last)) : undefined;
    const ended = this.#mask.end();
    return pushed ? Buffer.concat([pushed, ended]) : ended;
  }
}
