/**
 * The answer of a model that comes as one document. Owns: the calls in it, and what stands in place of a refused one. Does not: mask texts,
 * but for what has each of their tokens by itself.
 */
import type { ProposalAnswer, ProposedCall, Propose } from '@sluice/contract';
import { type Editor, JsonMask, type JsonParts, NO_BYTES, NotJson, leafMask, unmasked } from '@sluice/http-bodies';
import { type Json, JsonError, readJson, textOf } from '@sluice/http-requests';
import type { Operation } from '../provider.js';
import { proposed } from './channel.js';
import { callOf } from './contents.js';
import { type Given, type Later, refusedCall } from './follower.js';
import { isUse } from './messages.js';
import { Queue } from './queue.js';
import { callIn, isCall, messageFor } from './responses.js';
import { type GivenInPlace, Restorer, type ToolArguments } from './restored.js';
import { type Meter, usageIn } from './usage.js';
import {
  type ObjectNode,
  NULL,
  inputText,
  isNothing,
  isObject,
  items,
  listNode,
  member,
  memberText,
  objectNode,
  put,
  textNode,
} from './tree.js';

/** About, where a provider does not say how many there are. */
const BYTES_OF_A_TOKEN = 4;

/** The whole of it has to be here before its calls are judged. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

/** A place in the document where a call is, and how it becomes a text. */
interface Place {
  readonly call: Omit<ProposedCall, 'shown'>;
  refuse(sentence: string): void;
}

const FINDERS: Readonly<Partial<Record<Operation, (answer: ObjectNode) => Found>>> = {
  chat: inChat,
  responses: inResponses,
  messages: inMessages,
  contents: inContents,
};

interface WholeOptions {
  readonly meter?: Meter | undefined;
  readonly tools?: ToolArguments | undefined;
  /** Is told what the client is given in place of the document, where values that were replaced are put back. */
  readonly inPlace: GivenInPlace;
}

export class WholeAnswer implements Editor {
  readonly held = 0;
  readonly #operation: Operation;
  readonly #parts: JsonParts;
  readonly #queue: Queue;
  readonly #meter: Meter | undefined;
  readonly #inPlace: GivenInPlace;
  readonly #restorer: Restorer | undefined;
  readonly #came: Buffer[] = [];
  #bytes = 0;

  constructor(operation: Operation, parts: JsonParts, propose: Propose, { meter, inPlace, tools }: WholeOptions) {
    this.#meter = meter;
    this.#inPlace = inPlace;
    this.#operation = operation;
    this.#parts = parts;
    this.#restorer = Restorer.of(parts, tools ?? new Map());
    this.#queue = new Queue(propose, () => NO_BYTES);
  }

  get waits(): Promise<void> | undefined {
    return this.#queue.waits;
  }

  push(bytes: Buffer): Buffer {
    this.#came.push(Buffer.from(bytes));
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_ANSWER_BYTES)
      throw unmasked(`has more than ${MAX_ANSWER_BYTES} bytes, and may have calls of tools`);
    return NO_BYTES;
  }

  end(): Buffer {
    const came = Buffer.concat(this.#came.splice(0));
    if (came.length > 0) this.#queue.add(this.#given(came), came.length);
    return this.#queue.take();
  }

  release(): Buffer {
    return this.#queue.take();
  }

  #given(came: Buffer): readonly (Given | Buffer)[] {
    const answer = read(came);
    if (!isObject(answer)) return [this.#masked(came)];
    const usage = this.#meter && usageIn(answer);
    if (usage) this.#meter?.used(usage);
    if (usage?.output === undefined) this.#meter?.passed(Math.ceil(came.length / BYTES_OF_A_TOKEN));
    const isChanged = this.#parts.detectors !== undefined && withoutLogprobs(answer);
    const found = FINDERS[this.#operation]?.(answer);
    const write = (changed: boolean): Buffer => this.#masked(changed ? Buffer.from(textOf(answer)) : came);
    if (!found || found.places.length === 0) return [write(isChanged)];
    return [laterOf(found, this.#parts, this.#restorer, (refused) => write(isChanged || refused))];
  }

  #masked(document: Buffer): Buffer {
    const mask = new JsonMask(this.#parts);
    try {
      const masked = Buffer.concat([mask.push(document), mask.end()]);
      if (this.#restorer) this.#putBack(masked, this.#restorer);
      return masked;
    } catch (error) {
      if (error instanceof NotJson) throw unmasked(`${error.message} where JSON is expected`);
      throw error;
    }
  }

  #putBack(masked: Buffer, restorer: Restorer): void {
    const recorded = read(masked);
    const given = restorer.tree(recorded);
    if (given !== recorded) this.#inPlace.note(masked, Buffer.from(textOf(given)));
  }
}

function read(bytes: Buffer): Json {
  try {
    return readJson(bytes.toString('utf8').replace(/^\ufeff/, ''));
  } catch (error) {
    if (error instanceof JsonError) throw unmasked(error.message);
    throw error;
  }
}

interface Found {
  readonly places: readonly Place[];
  /** Says what is left of the answer when some were refused. */
  readonly settle: () => void;
}

/** The calls of an answer. `write`: when they have been judged. `refused`: one was, and its place has a sentence. */
export function laterOf(
  { places, settle }: Found,
  parts: JsonParts,
  restorer: Restorer | undefined,
  write: (refused: boolean) => Buffer,
): Later {
  const calls = places.map(({ call: { tool, input } }) => proposed(restorer, tool, input, leafMask(parts, '', input)));
  const give = (answers: readonly ProposalAnswer[]): readonly Buffer[] => {
    let isRefused = false;
    places.forEach(({ refuse }, at) => {
      const given = answers[at];
      if (given?.type !== 'deny') return;
      isRefused = true;
      refuse(refusedCall(calls[at] as ProposedCall, given));
    });
    if (isRefused) settle();
    return [write(isRefused)];
  };
  return { type: 'later', calls, give };
}

/** The calls in an answer of which only its members tell the API. */
export function foundIn(answer: ObjectNode): Found {
  const all = [inChat(answer), inResponses(answer)].filter(({ places }) => places.length > 0);
  return { places: all.flatMap(({ places }) => places), settle: () => all.forEach(({ settle }) => settle()) };
}

/** The calls in such an answer. */
export const callsIn = (operation: Operation, answer: ObjectNode): readonly Omit<ProposedCall, 'shown'>[] =>
  FINDERS[operation]?.(answer).places.map(({ call }) => call) ?? [];

/** Members that have each token by itself, or by its number, as servers of vLLM give them. */
const BY_TOKEN: ReadonlySet<string> = new Set(
  'logprobs logprobsResult prompt_logprobs token_ids prompt_token_ids'.split(' '),
);

/** Nothing is found in those. True: there were some. */
export function withoutLogprobs(value: Json): boolean {
  if (value.type === 'array') return value.items.map(withoutLogprobs).includes(true);
  if (!isObject(value)) return false;
  let found = false;
  for (const [name, one] of value.members) {
    if (!BY_TOKEN.has(name) || isNothing(one)) found = withoutLogprobs(one) || found;
    else {
      put(value, name, one.type === 'array' ? listNode([]) : NULL);
      found = true;
    }
  }
  return found;
}

function inChat(answer: ObjectNode): Found {
  const settles: (() => void)[] = [];
  const places = items(member(answer, 'choices')).flatMap((choice): Place[] => {
    const message = member(choice, 'message');
    if (!isObject(message) || !isObject(choice)) return [];
    const calls = [...items(member(message, 'tool_calls'))];
    const left = new Set(calls);
    const old = member(message, 'function_call');
    let isOld = isObject(old);
    const say = (sentence: string): void => {
      const before = memberText(message, 'content');
      put(message, 'content', textNode(before === undefined || before === '' ? sentence : `${before}\n\n${sentence}`));
    };
    settles.push(() => {
      put(message, 'tool_calls', left.size > 0 ? listNode([...left]) : undefined);
      if (left.size > 0 || isOld) return;
      if (calls.length > 0 || isObject(old)) put(choice, 'finish_reason', textNode('stop'));
    });
    const made = calls.map((call): Place => {
      const [inner, other] = ['custom', 'function'].map((kind) => member(call, kind)).filter(isObject);
      if (other) throw unmasked('has a call of two tools in one');
      const input = inputText(member(inner, 'input')) ?? inputText(member(inner, 'arguments')) ?? '';
      const refuse = (sentence: string): void => {
        left.delete(call);
        say(sentence);
      };
      return { call: { tool: memberText(inner, 'name') ?? '', input }, refuse };
    });
    if (!isObject(old)) return made;
    const refuse = (sentence: string): void => {
      isOld = false;
      put(message, 'function_call', undefined);
      say(sentence);
    };
    return [
      ...made,
      { call: { tool: memberText(old, 'name') ?? '', input: inputText(member(old, 'arguments')) ?? '' }, refuse },
    ];
  });
  return { places, settle: () => settles.forEach((one) => one()) };
}

function inResponses(answer: ObjectNode): Found {
  const output = [...items(member(answer, 'output'))];
  const places = output.flatMap((item, at): Place[] => {
    if (!isObject(item) || !isCall(item)) return [];
    const refuse = (sentence: string): void => {
      output[at] = messageFor(item, textNode(sentence));
    };
    return [{ call: callIn(item, ''), refuse }];
  });
  return { places, settle: () => put(answer, 'output', listNode(output)) };
}

function inMessages(answer: ObjectNode): Found {
  const content = [...items(member(answer, 'content'))];
  const places = content.flatMap((block, at): Place[] => {
    if (!isUse(block)) return [];
    const refuse = (sentence: string): void => {
      content[at] = objectNode({ type: textNode('text'), text: textNode(sentence) });
    };
    const input = member(block, 'input');
    return [{ call: { tool: memberText(block, 'name') ?? '', input: input ? textOf(input) : '{}' }, refuse }];
  });
  const settle = (): void => {
    put(answer, 'content', listNode(content));
    if (!content.some(isUse)) put(answer, 'stop_reason', textNode('end_turn'));
  };
  return { places, settle };
}

function inContents(answer: ObjectNode): Found {
  const settles: (() => void)[] = [];
  const places = items(member(answer, 'candidates')).flatMap((candidate): Place[] => {
    const content = member(candidate, 'content');
    if (!isObject(content)) return [];
    const parts = [...items(member(content, 'parts'))];
    settles.push(() => put(content, 'parts', listNode(parts)));
    return parts.flatMap((part, at): Place[] => {
      const call = callOf(part);
      if (!call) return [];
      if (memberText(part, 'text') !== undefined) throw unmasked('has a part that is a text and a call');
      const refuse = (sentence: string): void => {
        parts[at] = objectNode({ text: textNode(sentence) });
      };
      return [{ call, refuse }];
    });
  });
  return { places, settle: () => settles.forEach((one) => one()) };
}
