/**
 * The answer of a model as it streams: events, each given to whoever follows such answers. Owns: how events are read and written. Does not:
 * know any provider (chat.ts, messages.ts, responses.ts).
 */
import type { Propose } from '@sluice/contract';
import { type EventEditor, JsonMask, JsonParts, NotJson, unmasked } from '@sluice/http-bodies';
import { type Json, JsonError, readJson, textOf } from '@sluice/http-requests';
import type { Operation } from '../provider.js';
import { AnswerMasks } from './channel.js';
import { ChatFollower } from './chat.js';
import { ContentsFollower } from './contents.js';
import type { Follower, Given, ModelEvent } from './follower.js';
import type { GivenInPlace, ToolArguments } from './restored.js';
import { MessagesFollower } from './messages.js';
import { Queue } from './queue.js';
import { type Meter, usageIn, withoutUsage } from './usage.js';
import { ResponsesFollower } from './responses.js';
import { withoutLogprobs } from './whole.js';

/** Ends a stream of OpenAI's, and says nothing. */
const DONE = '[DONE]';
const LINE = Buffer.from('\n');
const DATA = Buffer.from('data: ');

const FOLLOWERS: Readonly<Partial<Record<Operation, (masks: AnswerMasks) => Follower>>> = {
  chat: (masks) => new ChatFollower(masks),
  completions: (masks) => new ChatFollower(masks),
  responses: (masks) => new ResponsesFollower(masks),
  messages: (masks) => new MessagesFollower(masks),
  contents: (masks) => new ContentsFollower(masks),
};

/** Undefined: answers of this operation do not stream. */
export function eventsOf(
  operation: Operation,
  parts: JsonParts,
  propose: Propose,
  { masks: own, ...following }: Following & { readonly masks?: AnswerMasks } = {},
): EventEditor | undefined {
  const make = FOLLOWERS[operation];
  const masks = own ?? new AnswerMasks(parts, following.tools);
  return make && new ModelEvents(make(masks), masks, parts, propose, following);
}

interface Following {
  readonly meter?: Meter | undefined;
  readonly hidesUsage?: boolean | undefined;
  readonly tools?: ToolArguments | undefined;
  /** Is told what the client is given in place of an event with values that were replaced. */
  readonly inPlace?: GivenInPlace | undefined;
  /** They are elements of a list, and no events: what stands before the next one that goes. */
  readonly inList?: (() => Buffer) | undefined;
}

class ModelEvents implements EventEditor {
  readonly #follower: Follower;
  /** Places that rules name, which are looked for in each event as it goes. */
  readonly #places: JsonParts | undefined;
  readonly #queue: Queue;
  readonly #masks: AnswerMasks;
  readonly #following: Following;
  #events = 0;
  #isOver = false;

  constructor(follower: Follower, masks: AnswerMasks, { pointers }: JsonParts, propose: Propose, following: Following) {
    this.#follower = follower;
    this.#masks = masks;
    this.#following = following;
    this.#places = pointers && new JsonParts(undefined, pointers);
    this.#queue = new Queue(propose, (event) => this.#written(event));
  }

  get waits(): Promise<void> | undefined {
    return this.#queue.waits;
  }

  /** What is kept back has its own time: the pieces of a text come as slowly as a model writes. */
  get held(): number {
    return 0;
  }

  event(others: Buffer, name: string, data: Buffer): Buffer {
    const text = data.toString('utf8');
    const plain = text.trim();
    if (this.#isDone(plain)) this.#ended();
    const before = others.length === 0 ? [] : [others];
    this.#queue.add([...before, ...this.#given(name, plain)], others.length + data.length);
    return this.#queue.take();
  }

  end(): Buffer {
    this.#ended();
    return this.#queue.take();
  }

  release(): Buffer {
    return this.#queue.take();
  }

  #given(name: string, text: string): readonly (Given | Buffer)[] {
    if (text === '') return [];
    if (this.#isDone(text)) return [Buffer.from(`data: ${DONE}\n\n`)];
    const data = readEvent(text);
    if (this.#masks.detects) withoutLogprobs(data);
    const { meter, hidesUsage } = this.#following;
    const usage = meter && usageIn(data);
    if (usage) meter.used(usage);
    meter?.passed(++this.#events);
    return hidesUsage && !withoutUsage(data) ? [] : this.#follower.event(name, data);
  }

  #isDone(text: string): boolean {
    return text === DONE && !this.#following.inList;
  }

  #ended(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#queue.add(this.#follower.end(), 0);
  }

  #written({ name, data }: ModelEvent): Buffer {
    const head = name === '' ? '' : `event: ${name.replaceAll(/[\r\n]/g, '')}\n`;
    const { inList, inPlace } = this.#following;
    const places = this.#places;
    const given = this.#masks.given(data);
    if (!places && !inList && !given) return Buffer.from(`${head}data: ${textOf(data)}\n\n`);
    const write = (event: Json): Buffer => {
      const text = Buffer.from(textOf(event));
      const json = places ? this.#placed(text, places) : text;
      return inList ? json : Buffer.concat([DATA, json, LINE, LINE]);
    };
    const written = write(data);
    if (given) inPlace?.note(written, write(given));
    return Buffer.concat([inList ? inList() : Buffer.from(head), written]);
  }

  #placed(text: Buffer, places: JsonParts): Buffer {
    const mask = new JsonMask(places);
    try {
      return Buffer.concat([mask.push(text), mask.end()]);
    } catch (error) {
      if (error instanceof NotJson) throw unmasked(`${error.message} where JSON is expected`);
      throw error;
    }
  }
}

function readEvent(text: string): Json {
  try {
    return readJson(text);
  } catch (error) {
    if (error instanceof JsonError) throw unmasked(`has an event that ${error.message}`);
    throw error;
  }
}
