/**
 * Answers of OpenAI's responses as they stream: https://platform.openai.com/docs/api-reference/responses-streaming. Owns: where their
 * events have pieces of texts and whole copies of them, and what stands in place of a refused call. Does not: mask, or judge.
 */
import type { ProposalAnswer, ProposedCall } from '@sluice/contract';
import { type Json, textOf } from '@sluice/http-requests';
import { type AnswerMasks, type Kept, addTo } from './channel.js';
import { type Follower, type Given, event, refusedCall } from './follower.js';
import {
  type ObjectNode,
  inputText,
  isObject,
  items,
  listNode,
  member,
  memberText,
  objectNode,
  plainNode,
  put,
  textNode,
  word,
} from './tree.js';

/** Members that have all of a text which also came in pieces. */
const COPIES: ReadonlySet<string> = new Set(['text', 'refusal', 'transcript', 'code', 'delta']);
/** Calls whose arguments are a text, and the member that has it. */
const CALLS: Readonly<Record<string, string>> = { function_call: 'arguments', custom_tool_call: 'input' };
/** A call that the provider makes once the agent agrees: nothing of it comes in pieces. */
const AGREED = 'mcp_approval_request';
/** Calls that the provider has made itself. All others are the agent's to make: of its shell, its screen, its files. */
const MADE: ReadonlySet<string> = new Set(
  'web_search_call file_search_call code_interpreter_call image_generation_call mcp_call'.split(' '),
);

/** Whether an item of the output is a call that the agent would make. */
export const isCall = (item: Json | undefined): boolean => {
  const type = memberText(item, 'type') ?? '';
  return type === AGREED || (type.endsWith('_call') && !MADE.has(type));
};

/** What such a call is of, and what it is given. Without a name it is a tool of the API, which the type names. */
export function callIn(item: ObjectNode, pieces: string): { readonly tool: string; readonly input: string } {
  const type = memberText(item, 'type') ?? '';
  const leaf = type === AGREED ? 'arguments' : CALLS[type];
  if (leaf !== undefined)
    return { tool: memberText(item, 'name') ?? '', input: inputText(member(item, leaf)) ?? pieces };
  return {
    tool: memberText(item, 'name') ?? type,
    input: textOf(member(item, 'action') ?? member(item, 'operation') ?? item),
  };
}

/** The id by which the item and its copies are known. */
const idOf = (item: Json): string => memberText(item, 'call_id') ?? memberText(item, 'id') ?? '';
/** Bytes in base64, which nobody reads here. */
const BYTES = /^response\.(?:audio|image_generation_call\.partial_image)/;

interface Call {
  /** The event that began it. */
  readonly added: ObjectNode;
  readonly input: Kept;
}

export class ResponsesFollower implements Follower {
  readonly #masks: AnswerMasks;
  /** By their place in the output. */
  readonly #calls = new Map<string, Call>();
  /** What stands in place of refused calls, by their ids. */
  readonly #refused = new Map<string, Json>();
  /** Calls that the agent has, and what they are given. */
  readonly #passed = new Set<string>();
  /** Ids of items, by the key of a text that is open, as they came last. */
  readonly #ids = new Map<string, string>();

  constructor(masks: AnswerMasks) {
    this.#masks = masks;
  }

  event(name: string, data: Json): readonly Given[] {
    if (!isObject(data)) return [this.#later(name, data)];
    const type = memberText(data, 'type') ?? name;
    const place = word(member(data, 'output_index'));
    const call = this.#calls.get(place);
    const item = member(data, 'item');
    if (type === 'response.output_item.added' && isCall(item)) {
      addTo(this.#calls, place, () => ({ added: data, input: this.#masks.kept() }));
      return [];
    }
    if (type === 'response.output_item.done' && isObject(item) && isCall(item)) {
      this.#calls.delete(place);
      return this.#called(name, data, item, call);
    }
    if (call) {
      // Its pieces are made anew when it is judged.
      if (type.endsWith('.delta')) call.input.add(memberText(data, 'delta') ?? '');
      return [];
    }
    if (type.endsWith('.delta')) return [this.#delta(name, data, type)];
    return [...this.#rests(type, data), this.#unseen(data), this.#later(name, data)];
  }

  /** A stream may begin late, or have its calls at its end alone: those that no event before has brought. */
  #unseen(data: ObjectNode): Given {
    const calls = items(member(member(data, 'response'), 'output'))
      .filter(isObject)
      .filter(isCall);
    const give = (): readonly Given[] => {
      const unseen = calls.filter((item) => !this.#refused.has(idOf(item)) && !this.#passed.has(callKey(item)));
      const proposed = unseen.map((item) => {
        const { tool, input } = callIn(item, '');
        return this.#masks.call(tool, input);
      });
      const settle = (answers: readonly ProposalAnswer[]): readonly Given[] => {
        unseen.forEach((item, at) => {
          const answer = answers[at];
          if (answer?.type === 'deny')
            this.#refused.set(
              idOf(item),
              messageFor(item, this.#masks.leaf(refusedCall(proposed[at] as ProposedCall, answer))),
            );
          else this.#passed.add(callKey(item));
        });
        return [];
      };
      return unseen.length === 0 ? [] : [{ type: 'later', calls: proposed, give: settle }];
    };
    return { type: 'later', calls: [], give };
  }

  end(): readonly Given[] {
    return this.#masks.open('').flatMap((key) => this.#rest(key));
  }

  #later(name: string, data: Json): Given {
    return { type: 'later', calls: [], give: () => [event(name, this.#masks.rest(this.#copies(data)))] };
  }

  #delta(name: string, data: ObjectNode, type: string): Given {
    const text = memberText(data, 'delta');
    if (text !== undefined && !BYTES.test(type)) {
      const key = keyOf(type, data);
      put(data, 'delta', this.#masks.piece(key, text));
      this.#ids.set(key, word(member(data, 'item_id')));
    }
    return this.#later(name, data);
  }

  /** What is kept back of texts that an event ends. */
  #rests(type: string, data: ObjectNode): readonly Given[] {
    if (type.endsWith('.done')) {
      const delta = type.replace(/\.done$/, '.delta');
      return this.#rest(keyOf(delta, data));
    }
    return /^response\.(?:completed|incomplete|failed)$/.test(type) ? this.end() : [];
  }

  #rest(key: string): readonly Given[] {
    const rest = this.#masks.close(key);
    const itemId = this.#ids.get(key) ?? '';
    this.#ids.delete(key);
    if (!rest) return [];
    const [type = '', , output = '', content = '', summary = ''] = key.split('\n');
    const data = objectNode({
      type: textNode(type),
      item_id: itemId === '' ? undefined : textNode(itemId),
      output_index: output === '' ? undefined : plainNode(output),
      content_index: content === '' ? undefined : plainNode(content),
      summary_index: summary === '' ? undefined : plainNode(summary),
      delta: rest,
    });
    return [{ type: 'later', calls: [], give: () => [event(type, data)] }];
  }

  /** Copies of texts that came in pieces are what the pieces have come to, and refused calls stay refused. */
  #copies(value: Json): Json {
    if (value.type === 'array') return listNode(value.items.map((item) => this.#copies(this.#standsIn(item))));
    if (!isObject(value)) return value;
    for (const [name, one] of value.members) {
      if (one.type === 'string' && COPIES.has(name) && !this.#masks.isDone(one))
        put(value, name, this.#masks.leaf(this.#masks.whole(one.text)));
      else if (one.type === 'array' || one.type === 'object') put(value, name, this.#copies(one));
    }
    return value;
  }

  #standsIn(item: Json): Json {
    return (isCall(item) && this.#refused.get(idOf(item))) || item;
  }

  /** `call`: its first event and its pieces; a server may leave them out. */
  #called(name: string, data: ObjectNode, item: ObjectNode, call: Call | undefined): readonly Given[] {
    const { tool, input } = callIn(item, call?.input.text ?? '');
    const key = callKey(item);
    const proposed = this.#masks.call(tool, input);
    const give = ([answer]: readonly ProposalAnswer[]): readonly Given[] => {
      if (answer?.type === 'deny') return this.#refusal(data, item, refusedCall(proposed, answer));
      this.#passed.add(key);
      return this.#whole(name, data, item, call, proposed);
    };
    return [{ type: 'later', calls: [proposed], give }];
  }

  #whole(
    name: string,
    data: ObjectNode,
    item: ObjectNode,
    call: Call | undefined,
    { tool, shown }: ProposedCall,
  ): readonly Given[] {
    const leaf = CALLS[memberText(item, 'type') ?? ''];
    const first = call ? [event('response.output_item.added', this.#masks.rest(begun(call.added, item, leaf)))] : [];
    if (leaf === undefined) return [...first, event(name, this.#masks.rest(data))];
    const kind = leaf === 'input' ? 'custom_tool_call_input' : 'function_call_arguments';
    const made = this.#masks.input(tool, shown);
    const about = { item_id: member(item, 'id'), output_index: member(data, 'output_index') };
    const sequence = member(data, 'sequence_number');
    const pieces = (end: string, text: Readonly<Record<string, Json>>): Given => {
      const type = `response.${kind}.${end}`;
      return event(type, objectNode({ type: textNode(type), ...about, ...text, sequence_number: sequence }));
    };
    put(item, leaf, made);
    return [
      ...first,
      pieces('delta', { delta: made }),
      pieces('done', { [leaf]: made }),
      event(name, this.#masks.rest(data)),
    ];
  }

  /** A message in place of the call, event by event as any other one. */
  #refusal(data: ObjectNode, item: ObjectNode, sentence: string): readonly Given[] {
    const id = messageId(item);
    const output = member(data, 'output_index');
    const sequence = member(data, 'sequence_number');
    const text = this.#masks.leaf(sentence);
    const make = (name: string, members: Readonly<Record<string, Json>>): Given => {
      const type = `response.${name}`;
      return event(
        type,
        objectNode({ type: textNode(type), output_index: output, ...members, sequence_number: sequence }),
      );
    };
    const within = { item_id: id, content_index: plainNode('0') };
    const done = messageFor(item, text);
    this.#refused.set(idOf(item), done);
    return [
      make('output_item.added', { item: message(id, 'in_progress', []) }),
      make('content_part.added', { ...within, part: part(textNode('')) }),
      make('output_text.delta', { ...within, delta: text }),
      make('output_text.done', { ...within, text }),
      make('content_part.done', { ...within, part: part(text) }),
      make('output_item.done', { item: done }),
    ];
  }
}

/** A call, by all that an agent looks at. */
const callKey = (item: ObjectNode): string => {
  const { tool, input } = callIn(item, '');
  return JSON.stringify([idOf(item), tool, input]);
};

/** How a call began: as it has ended, which is what was judged, and without what comes in pieces. */
const begun = (added: ObjectNode, item: ObjectNode, leaf: string | undefined): ObjectNode => {
  const first = objectNode({
    ...Object.fromEntries(item.members),
    ...(leaf !== undefined && { [leaf]: textNode('') }),
    status: member(member(added, 'item'), 'status'),
  });
  return objectNode({ ...Object.fromEntries(added.members), item: first });
};

/** What stands in place of a call, when it is whole. */
export const messageFor = (call: Json, text: Json): Json => message(messageId(call), 'completed', [part(text)]);

const messageId = (item: Json): Json => textNode(`msg_${memberText(item, 'id') ?? ''}`);

const part = (said: Json): Json => objectNode({ type: textNode('output_text'), text: said, annotations: listNode([]) });

const message = (id: Json, status: string, content: readonly Json[]): Json =>
  objectNode({
    id,
    type: textNode('message'),
    role: textNode('assistant'),
    status: textNode(status),
    content: listNode(content),
  });

/** An item is told by its place, which SDKs go by: some services give it another id with each event. */
function keyOf(type: string, data: Json): string {
  const [id = '', output = '', content = '', summary = ''] = PLACE.map((name) => word(member(data, name)));
  return [type, output === '' ? id : '', output, content, summary].join('\n');
}

const PLACE = ['item_id', 'output_index', 'content_index', 'summary_index'];
