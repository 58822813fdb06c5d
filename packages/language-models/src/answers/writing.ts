/**
 * What a model has written, of an answer that is all there: one reader for all APIs, streamed or not. Owns: texts put together of their
 * pieces, and the calls beside them. Does not: know where a provider's events have their pieces, which those who follow streams do.
 */
import type { Detector, ProposedCall } from '@sluice/contract';
import { BodyUnmasked, EventsMask, JsonParts, foundInTexts } from '@sluice/http-bodies';
import { BodyUnreadable, type Json, JsonError, readJson } from '@sluice/http-requests';
import type { Operation } from '../provider.js';
import { plainText } from '../requests/normal.js';
import { AnswerMasks, type Channel } from './channel.js';
import { isList, listOf } from './array.js';
import { eventsOf } from './events.js';
import { isObject } from './tree.js';
import { type Meter, usageIn } from './usage.js';
import { callsIn } from './whole.js';

export interface Writing {
  /** Each whole: what is said, thought, refused, and what tools are given. A text that comes twice is in here once. */
  readonly texts: readonly string[];
  /** Whatever else it has: ids, names, words of the API. */
  readonly others: readonly string[];
  readonly calls: readonly Pick<ProposedCall, 'tool' | 'input'>[];
}

/** Members that no model has written. */
const WORDS: ReadonlySet<string> = new Set(
  'id object type role model status call_id tool_call_id tool_use_id finish_reason stop_reason system_fingerprint service_tier name'.split(
    ' ',
  ),
);
const NO_MASKS = new JsonParts(undefined, undefined);

/**
 * `isEvents`: the answer says that it is a stream of events. Else it has to be JSON.
 *
 * @throws BodyUnreadable where it is neither, or too much
 */
export function readWriting(operation: Operation, body: Buffer, isEvents: boolean, meter?: Meter): Writing {
  try {
    const [sign] = body.toString('latin1', 0, MAX_BLANKS).trimStart();
    const isPieces = isEvents || isList(operation, sign?.charCodeAt(0));
    return isPieces ? readPieces(operation, body, isEvents, meter) : readDocument(operation, body.toString(), meter);
  } catch (error) {
    if (error instanceof BodyUnmasked) throw unread(error.why);
    if (error instanceof JsonError) throw unread(error.message);
    throw error;
  }
}

/** What detectors find in it, as it is written and as a reader sees it. */
export const foundInWriting = ({ texts, others, calls }: Writing): readonly Detector[] =>
  foundInTexts([...new Set([...texts, ...texts.map(plainText), ...others, ...calls.map(({ tool }) => tool)])]);

const unread = (why: string): BodyUnreadable =>
  new BodyUnreadable(`The rules read the answers of this model, and this one ${why}.`);

/** Before the first sign of an answer. */
const MAX_BLANKS = 1024;

function readPieces(operation: Operation, body: Buffer, isEvents: boolean, meter: Meter | undefined): Writing {
  const heard = new HeardAnswer();
  const propose = ({ tool, input }: ProposedCall) => {
    heard.calls.push({ tool, input });
    return { type: 'allow' } as const;
  };
  const follow = (inList?: () => Buffer) => eventsOf(operation, NO_MASKS, propose, { masks: heard, meter, inList });
  const events = isEvents ? follow() : undefined;
  if (isEvents && !events) throw unread('is a stream of events, which answers of this kind are not');
  const reader = events ? new EventsMask(NO_MASKS, events) : listOf(follow);
  reader.push(body);
  reader.end();
  return heard.writing;
}

function readDocument(operation: Operation, text: string, meter: Meter | undefined): Writing {
  const read = readJson(text.replace(/^\ufeff/, ''));
  const usage = meter && usageIn(read);
  if (usage) meter.used(usage);
  const texts = new Set<string>();
  const others = new Set<string>();
  collect(read, '', texts, others);
  return { texts: [...texts], others: [...others], calls: isObject(read) ? callsIn(operation, read) : [] };
}

function collect(value: Json, name: string, texts: Set<string>, others: Set<string>): void {
  if (value.type === 'string') (WORDS.has(name) ? others : texts).add(value.text);
  else if (value.type === 'plain') others.add(value.text);
  else if (value.type === 'array') for (const item of value.items) collect(item, name, texts, others);
  else
    for (const [member, one] of value.members) {
      others.add(member);
      collect(one, member, texts, others);
    }
}

/** Masks nothing, and keeps what it is given to mask. */
class HeardAnswer extends AnswerMasks {
  readonly calls: Pick<ProposedCall, 'tool' | 'input'>[] = [];
  readonly #pieces = new Map<string, string[]>();
  readonly #copies = new Set<string>();
  readonly #others = new Set<string>();

  constructor() {
    super(NO_MASKS);
  }

  get writing(): Writing {
    const texts = [...this.#pieces.values()].map((pieces) => pieces.join(''));
    const all = [...texts, ...this.#copies, ...this.calls.map(({ input }) => input)].filter((one) => one !== '');
    return { texts: [...new Set(all)], others: [...this.#others], calls: this.calls };
  }

  override channel(key: string): Channel {
    const inner = super.channel(key);
    const push = (piece: string): string => {
      const pieces = this.#pieces.get(key);
      if (pieces) pieces.push(piece);
      else this.#pieces.set(key, [piece]);
      return inner.push(piece);
    };
    return { push, end: () => inner.end() };
  }

  override whole(text: string): string {
    this.#copies.add(text);
    return text;
  }

  override value(text: string): string {
    this.#others.add(text);
    return text;
  }
}
