/**
 * Answers of chat completions, and of completions, as they stream: https://platform.openai.com/docs/api-reference/chat-streaming. Owns:
 * where their events have pieces of texts, and what stands in place of a refused call. Does not: mask, or judge.
 */
import type { ProposalAnswer, ProposedCall } from '@sluice/contract';
import { unmasked } from '@sluice/http-bodies';
import type { Json } from '@sluice/http-requests';
import { type AnswerMasks, type Kept, addTo } from './channel.js';
import { type Follower, type Given, event, refusedCall } from './follower.js';
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
  plainNode,
  put,
  textNode,
  word,
} from './tree.js';

/** Members of a delta that are no pieces of a text. */
const WORDS: ReadonlySet<string> = new Set(['role', 'type', 'id', 'object', 'format']);

interface Call {
  /** The first piece of it, with what the others do not repeat. */
  readonly head: ObjectNode;
  readonly name: Kept;
  readonly input: Kept;
  /** `function`, or `custom`. */
  readonly kind: string;
}

interface Choice {
  readonly calls: Map<string, Call>;
  /** `function_call`, as it was before there were tools. */
  old: Call | undefined;
}

export class ChatFollower implements Follower {
  readonly #masks: AnswerMasks;
  readonly #choices = new Map<string, Choice>();
  /** The last event: what all of the answer have is in it. */
  #last: ObjectNode = objectNode({});

  constructor(masks: AnswerMasks) {
    this.#masks = masks;
  }

  event(name: string, data: Json): readonly Given[] {
    if (!isObject(data) || member(data, 'choices') === undefined) return [event(name, this.#masks.rest(data))];
    this.#last = data;
    const before: Given[] = [];
    for (const choice of items(member(data, 'choices'))) if (isObject(choice)) before.push(...this.#choice(choice));
    const last: Given = { type: 'later', calls: [], give: () => [event(name, this.#masks.rest(data))] };
    return [...before, last];
  }

  end(): readonly Given[] {
    return [...this.#choices.keys()].flatMap((index) => this.#finish(index, undefined));
  }

  /** What goes before the event. */
  #choice(choice: ObjectNode): readonly Given[] {
    const index = word(member(choice, 'index'));
    addTo(this.#choices, index, () => ({ calls: new Map(), old: undefined }));
    if (hasCalls(member(choice, 'message'))) throw unmasked('has a call of a tool where a stream has none');
    const text = memberText(choice, 'text');
    if (text !== undefined) put(choice, 'text', this.#piece(`${index}\n\ntext`, text));
    const delta = member(choice, 'delta');
    if (isObject(delta)) {
      this.#takeCalls(index, delta);
      this.#pieces(`${index}\ndelta`, delta);
    }
    return isNothing(member(choice, 'finish_reason')) ? [] : this.#finish(index, choice);
  }

  /** Every text in a delta is a piece of one, under whatever name. Items of lists are told by their `index`. */
  #pieces(key: string, value: ObjectNode): void {
    for (const [name, one] of value.members) {
      if (one.type === 'string' && !WORDS.has(name)) put(value, name, this.#piece(`${key}\n${name}`, one.text));
      else if (isObject(one)) this.#pieces(`${key}\n${name}`, one);
      else
        items(one).forEach((item, at) => {
          if (isObject(item)) this.#pieces(`${key}\n${name}\t${word(member(item, 'index')) || at}`, item);
        });
    }
  }

  #piece(key: string, text: string): Json {
    return this.#masks.piece(key, text);
  }

  /** Nothing of a call goes before it is judged. */
  #takeCalls(index: string, delta: ObjectNode): void {
    const choice = this.#choices.get(index) as Choice;
    for (const [at, piece] of items(member(delta, 'tool_calls')).entries()) {
      if (!isObject(piece)) continue;
      const number = word(member(piece, 'index')) || String(at);
      const before = choice.calls.get(number);
      if (before && isAnother(before, piece)) {
        choice.calls.delete(number);
        choice.calls.set(`${number} ${choice.calls.size}`, before);
      }
      const call = addTo(choice.calls, number, () => this.#newCall(piece));
      addPiece(call, member(piece, call.kind));
    }
    put(delta, 'tool_calls', undefined);
    const old = member(delta, 'function_call');
    if (isObject(old)) addPiece((choice.old ??= this.#newCall(objectNode({ function: old }))), old);
    put(delta, 'function_call', undefined);
  }

  /** The rest of all texts of a choice, and its calls. `choice`: of the event that ends it. */
  #finish(index: string, choice: ObjectNode | undefined): readonly Given[] {
    const { calls, old } = this.#choices.get(index) as Choice;
    this.#choices.delete(index);
    const rests = this.#masks.open(`${index}\n`).flatMap((key) => {
      const rest = this.#masks.close(key);
      return rest ? [this.#delta(index, key.split('\n').slice(1), rest)] : [];
    });
    const made = [...calls.values(), ...(old ? [old] : [])];
    if (made.length === 0) return rests;
    const proposed = made.map(({ name, input }) => this.#masks.call(name.text, input.text));
    const give = (answers: readonly ProposalAnswer[]): readonly Given[] => {
      const passed = made.filter((_, at) => answers[at]?.type === 'allow');
      if (passed.length === 0 && choice && !isNothing(member(choice, 'finish_reason')))
        put(choice, 'finish_reason', textNode('stop'));
      return [...this.#refusals(index, proposed, answers), ...this.#passed(index, passed, old)];
    };
    return [...rests, { type: 'later', calls: proposed, give }];
  }

  #refusals(index: string, proposed: readonly ProposedCall[], answers: readonly ProposalAnswer[]): readonly Given[] {
    return proposed.flatMap((call, at) => {
      const answer = answers[at];
      if (answer?.type !== 'deny') return [];
      return [this.#delta(index, ['delta', 'content'], this.#masks.leaf(refusedCall(call, answer)))];
    });
  }

  #passed(index: string, calls: readonly Call[], old: Call | undefined): readonly Given[] {
    return calls.map((call, at) => {
      const inner = objectNode({
        name: this.#masks.leaf(call.name.text),
        [call.kind === 'custom' ? 'input' : 'arguments']: this.#masks.input(
          call.name.text,
          this.#masks.value(call.input.text),
        ),
      });
      if (call === old) return this.#event(index, objectNode({ function_call: inner }));
      const members = { ...Object.fromEntries(call.head.members), index: plainNode(String(at)), [call.kind]: inner };
      return this.#event(index, objectNode({ tool_calls: listNode([objectNode(members)]) }));
    });
  }

  /** An event of our own with one text, where its key says. */
  #delta(index: string, path: readonly string[], leaf: Json): Given {
    const [first, ...names] = path;
    if (first !== 'delta') return this.#event(index, undefined, leaf);
    const built = names.reduceRight<Json>((inner, name) => {
      const [plain = '', at] = name.split('\t');
      if (at === undefined) return objectNode({ [plain]: inner });
      const item = isObject(inner) ? objectNode({ index: plainNode(at), ...Object.fromEntries(inner.members) }) : inner;
      return objectNode({ [plain]: listNode([item]) });
    }, leaf);
    return this.#event(index, built);
  }

  #newCall(head: ObjectNode): Call {
    const kind = isObject(member(head, 'custom')) ? 'custom' : 'function';
    put(head, kind === 'custom' ? 'function' : 'custom', undefined);
    return { head, name: this.#masks.kept(), input: this.#masks.kept(), kind };
  }

  #event(index: string, delta: Json | undefined, text?: Json): Given {
    const choice = objectNode({ index: plainNode(index || '0'), delta, text, finish_reason: NULL });
    const { choices: _, usage: __, ...envelope } = Object.fromEntries(this.#last.members);
    const data = objectNode({ ...envelope, choices: listNode([choice]) });
    return event('', this.#masks.rest(data));
  }
}

const hasCalls = (message: Json | undefined): boolean =>
  ['tool_calls', 'function_call'].some((name) => !isNothing(member(message, name)));

/** Some servers count no calls: each that begins has a name, and an id of its own. */
function isAnother({ head, kind }: Call, piece: ObjectNode): boolean {
  const id = memberText(piece, 'id') ?? '';
  const name = memberText(member(piece, kind), 'name') ?? '';
  return id !== '' && name !== '' && id !== (memberText(head, 'id') ?? '');
}

function addPiece(call: Call, piece: Json | undefined): void {
  call.name.add(memberText(piece, 'name') ?? '');
  call.input.add(inputText(member(piece, call.kind === 'custom' ? 'input' : 'arguments')) ?? '');
}
