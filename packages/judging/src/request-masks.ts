/**
 * What rules mask of a request before its target has it. Owns: masks compiled for the rules that matched, and what goes in place of what is
 * sent. Does not: decide which rules match, or mask answers.
 */
import type { AppliedMask, Deny, HttpBody, HttpCommand, HttpHead, HttpMessage } from '@sluice/contract';
import { denyInWords } from '@sluice/contract';
import { type GrpcCalls, unmaskable } from '@sluice/grpc-messages';
import { isGrpc } from '@sluice/http-requests';
import {
  BodyUnmasked,
  HttpMasks,
  type HttpMaskOptions,
  hasMask,
  hasMaskInThread,
  maskedInThread,
} from '@sluice/http-bodies';
import { type ModelCall, withTexts } from '@sluice/language-models';
import { type Mode, Replacements } from '@sluice/masking';
import { isLong } from './long-body.js';
import { inTurn } from './looking-turns.js';

/** Calls of models are read as this. */
export const JSON_TYPE = 'application/json';
/** Sets of rules that have matched together. */
const MAX_COMPILED = 100;
export const isForRequests = ({ request }: AppliedMask): boolean => request === true;
/** What they have stands in place of what was there. */
const REPLACES: ReadonlySet<string> = new Set(['PUT', 'PATCH']);

/** Each once: a value that is masked twice would be another one. */
export const withoutCopies = (masks: readonly AppliedMask[]): readonly AppliedMask[] => [
  ...new Map(masks.map((one) => [JSON.stringify(one), one])).values(),
];

const STRUCTURED = '/result/structuredContent';
/** Where servers write the same once more, as a text. */
const AS_TEXT = '/result/content/*/text';

/** Whoever names a place in structured content means the copy of it as well. */
export function withTextCopies(mask: AppliedMask): AppliedMask {
  const copies = mask.json?.flatMap((pointer) =>
    pointer.startsWith(`${STRUCTURED}/`) ? [`${AS_TEXT}${pointer.slice(STRUCTURED.length)}`] : [],
  );
  return copies?.length ? { ...mask, json: [...(mask.json ?? []), ...copies] } : mask;
}

export const tooLong = (limit: number): Deny => {
  const reason = { code: 'body-too-long', limit } as const;
  return { type: 'deny', rule: 'gateway', ...denyInWords(reason, 'command'), reason };
};

export const MASK_WRITTEN: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'This request would write a masked value over a real one.',
  hint: 'Leave the field out, or give it a value of your own.',
};

/** What is answered to it would have no masks. */
const MESSAGE_MASKED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message: 'A rule masks this message or what is answered to it, and nobody here follows this WebSocket.',
};

/** A rule is about this message, and was about nothing before. */
const CALL_MASKED: Deny = {
  type: 'deny',
  rule: 'gateway',
  message:
    'A rule masks what is answered to this message, and answers of a call are masked by the rules that match when it begins.',
};

/** What is masked on one WebSocket, or in one call. `HttpMessage.about` of the gateway's own. */
export class MessageMasks {
  #all: readonly AppliedMask[];

  constructor(masks: readonly AppliedMask[]) {
    this.#all = masks;
  }

  get all(): readonly AppliedMask[] {
    return this.#all;
  }

  /** Nothing is masked by these but what is masked anyway. */
  covers(masks: readonly AppliedMask[]): boolean {
    return withoutCopies([...this.#all, ...masks]).length === withoutCopies(this.#all).length;
  }

  add(masks: readonly AppliedMask[]): void {
    if (masks.length > 0) this.#all = withoutCopies([...this.#all, ...masks]);
  }
}

type Whole = HttpBody & { readonly type: 'whole' };

const bodyUnmasked = ({ why }: BodyUnmasked): Deny => ({
  type: 'deny',
  rule: 'gateway',
  message: `What is sent here is masked, and this body ${why}.`,
});

/** `writes`: what stands there would be written over what was masked. */
async function later(
  body: Whole,
  rules: readonly AppliedMask[],
  writes: boolean,
  options: HttpMaskOptions,
): Promise<Whole | Deny | undefined> {
  try {
    if (writes && (await hasMaskInThread(body))) return MASK_WRITTEN;
    const made = rules.length > 0 ? await maskedInThread(body, rules, options) : undefined;
    return made && { ...body, bytes: made };
  } catch (error) {
    if (!(error instanceof BodyUnmasked)) throw error;
    return bodyUnmasked(error);
  }
}

export interface MaskedWith {
  readonly masks: HttpMaskOptions;
  /** The longest body that is read whole, in bytes. */
  readonly message: number;
  readonly descriptors: GrpcCalls | undefined;
}

/** Of one visit. */
export class RequestMasks {
  /** Who is in the visit. */
  readonly person: string;
  readonly #with: MaskedWith;
  readonly #masks = new Map<string, HttpMasks | undefined>();
  /** What this visit has sent to a model, and what it gets for that. */
  readonly #replacements: Replacements;
  readonly #replaced: { readonly outward: Mode; readonly inward: Mode };
  readonly #numbers = new WeakMap<readonly string[], number>();
  #lists = 0;

  constructor(options: MaskedWith, person: string) {
    const { key } = options.masks;
    this.person = person;
    this.#with = options;
    this.#replacements = new Replacements(key, person);
    this.#replaced = { outward: this.#replacements.outward, inward: this.#replacements.inward(key) };
  }

  /** What puts values back in the answer of a model. */
  get inward(): Mode {
    return this.#replaced.inward;
  }

  /** What is masked of a body that is sent, or would be written over what was masked, is known when it has been read. */
  needBody(head: HttpHead, masks: readonly AppliedMask[]): boolean {
    return masks.some(isForRequests) || (REPLACES.has(head.method) && this.of(masks) !== undefined);
  }

  /** The body that its target may have, or why it is not sent; undefined: it goes as it is. A call of a model is JSON, whatever it claims. */
  sent(command: HttpCommand, masks: readonly AppliedMask[], call: ModelCall | undefined): Whole | Deny | undefined {
    const { method, body, message } = command;
    if (body.type === 'none' || masks.length === 0) return undefined;
    const isCall = isGrpc(body.media);
    if (message && !isCall) return this.#sentMessage(message, body, masks);
    // Its answer is under way.
    const isFollowed = !(message?.about instanceof MessageMasks) || message.about.covers(masks);
    if (!isFollowed && this.of(masks)?.readsBodies) return CALL_MASKED;
    const unread = this.of(masks)?.readsBodies ? unmaskable(this.#with.descriptors, command) : undefined;
    if (unread) return unread;
    const own = this.of(masks.filter(isForRequests), call && this.#replaced.outward);
    if (body.type === 'stream') return own && tooLong(this.#with.message);
    const bytes = Buffer.from(body.bytes.buffer, body.bytes.byteOffset, body.bytes.byteLength);
    if (REPLACES.has(method) && this.of(masks) && hasMask(bytes)) return MASK_WRITTEN;
    if (!own || bytes.length === 0) return undefined;
    try {
      const { descriptors } = this.#with;
      const made =
        isCall && descriptors && own.readsBodies
          ? descriptors.masked(command.path, bytes, own.parts)
          : this.masked(masks.filter(isForRequests), call ? JSON_TYPE : body.media, bytes, call);
      return made && !bytes.equals(made) ? { ...body, bytes: made } : undefined;
    } catch (error) {
      if (!(error instanceof BodyUnmasked)) throw error;
      return bodyUnmasked(error);
    }
  }

  /** The same of a long body, which another thread looks through; undefined: it is none, or nobody has to. Rejects where the thread fails. */
  sentLater(
    { method, body, message }: HttpCommand,
    masks: readonly AppliedMask[],
  ): ReturnType<typeof later> | undefined {
    if (masks.length === 0 || message || !isLong(body) || isGrpc(body.media)) return undefined;
    const rules = masks.filter(isForRequests);
    const writes = REPLACES.has(method) && this.of(masks) !== undefined;
    const isMasked = this.of(rules) !== undefined;
    return writes || isMasked
      ? inTurn(this.person, () => later(body, isMasked ? rules : [], writes, this.#with.masks))
      : undefined;
  }

  /** Whatever is masked because of it is masked in all that is said to its client from now on: which is the answer to it nobody can tell. */
  #sentMessage({ kind, about }: HttpMessage, body: HttpBody, masks: readonly AppliedMask[]): Whole | Deny | undefined {
    if (about instanceof MessageMasks) about.add(masks);
    else if (this.of(masks)?.readsBodies) return MESSAGE_MASKED;
    const own = this.of(masks.filter(isForRequests));
    if (!own?.readsBodies || body.type !== 'whole') return own?.readsBodies ? tooLong(this.#with.message) : undefined;
    try {
      const came = Buffer.from(body.bytes);
      const bytes = own.message(kind, came);
      return bytes.equals(came) ? undefined : { ...body, bytes };
    } catch (error) {
      if (!(error instanceof BodyUnmasked)) throw error;
      return { type: 'deny', rule: 'gateway', message: `What is sent here is masked, and this message ${error.why}.` };
    }
  }

  /** What goes in place of what is sent; undefined: it stays. `masks`: for requests. @throws BodyUnmasked */
  masked(masks: readonly AppliedMask[], media: string, bytes: Buffer, call?: ModelCall): Buffer | undefined {
    const masked = this.of(masks, call && this.#replaced.outward)?.request(media, bytes);
    const { again } = this.#replacements;
    return call && again ? (withTexts(masked ?? bytes, again) ?? masked) : masked;
  }

  /** Compiled once for the rules that matched. `replaced`: what becomes of values that are replaced reversibly. */
  of(masks: readonly AppliedMask[], replaced?: Mode): HttpMasks | undefined {
    if (masks.length === 0) return undefined;
    const way = replaced === this.#replaced.outward ? 'out' : 'in';
    const rules = masks.map(({ rule, detect }) => `${rule} ${this.#numberOf(detect)}`);
    const key = [replaced ? way : '', ...rules].join('\n');
    if (this.#masks.size > MAX_COMPILED) this.#masks.clear();
    if (!this.#masks.has(key)) this.#masks.set(key, HttpMasks.of(masks, { ...this.#with.masks, replaced }));
    return this.#masks.get(key);
  }

  /** Two policies may have a rule of the same name, and no two rules share a list. */
  #numberOf(list: readonly string[]): number {
    const known = this.#numbers.get(list);
    if (known !== undefined) return known;
    this.#numbers.set(list, ++this.#lists);
    return this.#lists;
  }
}
