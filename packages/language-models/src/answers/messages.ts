/**
 * Answers of Anthropic's messages as they stream: https://docs.anthropic.com/en/api/messages-streaming. Owns: where their events have pieces
 * of texts, and what stands in place of a refused call. Does not: mask, or judge.
 */
import type { ProposalAnswer, ProposedCall } from '@sluice/contract';
import { unmasked } from '@sluice/http-bodies';
import { type Json, textOf } from '@sluice/http-requests';
import { type AnswerMasks, type Kept, addTo } from './channel.js';
import { type Follower, type Given, event, refusedCall } from './follower.js';
import { type ObjectNode, isObject, items, member, memberText, objectNode, put, textNode, word } from './tree.js';

/**
 * Pieces of texts, by the type of their delta. Signatures are whole, and so is what others have in objects, such as citations. Texts of a type that
 * nobody knows here are pieces, too: of what is newer than this.
 */
const PIECES: Readonly<Record<string, string>> = { text_delta: 'text', thinking_delta: 'thinking' };
/** Blocks whose text begins in their first event. */
const TEXTS = ['text', 'thinking'];
/** Calls that the agent makes. */
const CALL = 'tool_use';
/** Those of tools that run at the provider are over before anybody hears of them. All others, also of a kind that is not known here, are the agent's. */
const MADE: ReadonlySet<string> = new Set(['server_tool_use', 'mcp_tool_use']);
/** Signs what the model has thought: another one would not do. */
const SIGNATURE = 'signature_delta';

interface Block {
  readonly type: string;
  /** Of a call, which is kept until it is whole: its first event, and its arguments. */
  readonly call?: { readonly start: Json; readonly name: string; readonly input: Kept };
  /** The type of the deltas that have pieces of its text. */
  delta: string | undefined;
}

export class MessagesFollower implements Follower {
  readonly #masks: AnswerMasks;
  readonly #blocks = new Map<string, Block>();
  /** Calls that the agent gets, and those that it does not. */
  #passed = 0;
  #refused = 0;

  constructor(masks: AnswerMasks) {
    this.#masks = masks;
  }

  event(name: string, data: Json): readonly Given[] {
    if (!isObject(data)) return [this.#later(name, data)];
    const index = word(member(data, 'index'));
    // Some SDKs take the name of an event for its type.
    switch (memberText(data, 'type') ?? name) {
      case 'message_start':
        if (items(member(member(data, 'message'), 'content')).some(isUse))
          throw unmasked('begins with a call of a tool');
        return [this.#later(name, data)];
      case 'content_block_start':
        return this.#start(name, data, index);
      case 'content_block_delta':
        return this.#delta(name, data, index);
      case 'content_block_stop':
        return this.#stop(name, data, index);
      case 'message_delta':
        return [
          ...this.end(),
          { type: 'later', calls: [], give: () => [event(name, this.#masks.rest(this.#reason(data)))] },
        ];
      default:
        return [this.#later(name, data)];
    }
  }

  end(): readonly Given[] {
    return [...this.#blocks.keys()].flatMap((index) => this.#rest(index));
  }

  /** Behind whatever is waited for. */
  #later(name: string, data: Json): Given {
    const masked = this.#masks.rest(data);
    return { type: 'later', calls: [], give: () => [event(name, masked)] };
  }

  #start(name: string, data: ObjectNode, index: string): readonly Given[] {
    const block = member(data, 'content_block');
    const type = memberText(block, 'type') ?? '';
    if (isUse(block)) {
      const call = { start: data, name: memberText(block, 'name') ?? '', input: this.#masks.kept() };
      const whole = member(block, 'input');
      // Pieces follow, or it is all here already.
      if (isObject(whole) && whole.members.size > 0 && isObject(block)) {
        call.input.add(textOf(whole));
        put(block, 'input', objectNode({}));
      }
      addTo<Block>(this.#blocks, index, () => ({ type, call, delta: undefined }));
      return [];
    }
    addTo<Block>(this.#blocks, index, () => ({ type, delta: undefined }));
    if (isObject(block))
      for (const leaf of TEXTS) {
        const text = memberText(block, leaf);
        if (text !== undefined) put(block, leaf, this.#masks.piece(index, text));
      }
    return [this.#later(name, data)];
  }

  #delta(name: string, data: ObjectNode, index: string): readonly Given[] {
    const delta = member(data, 'delta');
    const block = this.#blocks.get(index);
    const type = memberText(delta, 'type') ?? '';
    if (block?.call) {
      block.call.input.add(memberText(delta, 'partial_json') ?? '');
      return [];
    }
    const leaf = PIECES[type];
    const text = leaf === undefined ? undefined : memberText(delta, leaf);
    if (leaf !== undefined && text !== undefined && isObject(delta)) {
      if (block) block.delta = type;
      put(delta, leaf, this.#masks.piece(index, text));
    } else if (type === 'input_json_delta' && isObject(delta)) {
      // Of a tool that runs at the provider: whole texts of it come in the block with its result.
      put(delta, 'partial_json', this.#masks.piece(index, memberText(delta, 'partial_json') ?? ''));
      if (block) block.delta = type;
    } else if (type === SIGNATURE && isObject(delta)) {
      put(delta, 'signature', this.#masks.leaf(memberText(delta, 'signature') ?? ''));
    } else if (isObject(delta)) {
      for (const [leafName, one] of delta.members)
        if (leafName !== 'type' && one.type === 'string')
          put(delta, leafName, this.#masks.piece(`${index}\n${type}\n${leafName}`, one.text));
    }
    return [this.#later(name, data)];
  }

  #stop(name: string, data: ObjectNode, index: string): readonly Given[] {
    const block = this.#blocks.get(index);
    if (!block?.call) return [...this.#rest(index), this.#later(name, data)];
    this.#blocks.delete(index);
    const { start, name: tool, input } = block.call;
    const call = this.#masks.call(tool, input.text === '' ? '{}' : input.text);
    const give = ([answer]: readonly ProposalAnswer[]): readonly Given[] => {
      if (answer?.type === 'deny') return this.#refusal(index, call, answer, name, data);
      this.#passed++;
      const json = textDelta(index, 'input_json_delta', 'partial_json', this.#masks.input(tool, call.shown));
      return [event('content_block_start', this.#masks.rest(start)), json, event(name, data)];
    };
    return [{ type: 'later', calls: [call], give }];
  }

  #refusal(
    index: string,
    call: ProposedCall,
    deny: Extract<ProposalAnswer, { type: 'deny' }>,
    name: string,
    stop: Json,
  ): readonly Given[] {
    this.#refused++;
    const start = objectNode({
      type: textNode('content_block_start'),
      index: { type: 'plain', text: index },
      content_block: objectNode({ type: textNode('text'), text: textNode('') }),
    });
    const text = this.#masks.leaf(refusedCall(call, deny));
    return [event('content_block_start', start), textDelta(index, 'text_delta', 'text', text), event(name, stop)];
  }

  /** What is kept back of a block's text. */
  #rest(index: string): readonly Given[] {
    const block = this.#blocks.get(index);
    this.#blocks.delete(index);
    const others = this.#masks.open(`${index}\n`).flatMap((key): Given[] => {
      const [, type = '', leaf = ''] = key.split('\n');
      const last = this.#masks.close(key);
      return last ? [{ type: 'later', calls: [], give: () => [textDelta(index, type, leaf, last)] }] : [];
    });
    const rest = this.#masks.close(index);
    if (!rest) return others;
    const type = block?.delta ?? (block?.type === 'thinking' ? 'thinking_delta' : 'text_delta');
    const leaf = type === 'input_json_delta' ? 'partial_json' : (PIECES[type] ?? 'text');
    return [...others, { type: 'later', calls: [], give: () => [textDelta(index, type, leaf, rest)] }];
  }

  /** An agent that is told of calls and finds none would wait for some. */
  #reason(data: ObjectNode): Json {
    const delta = member(data, 'delta');
    if (this.#refused > 0 && this.#passed === 0 && isObject(delta) && memberText(delta, 'stop_reason') === CALL)
      put(delta, 'stop_reason', textNode('end_turn'));
    return data;
  }
}

/** Whether a block is a call that the agent makes. */
export const isUse = (block: Json | undefined): boolean => {
  const type = memberText(block, 'type') ?? '';
  return type.endsWith('_use') && !MADE.has(type);
};

const textDelta = (index: string, type: string, leaf: string, text: Json): Given =>
  event(
    'content_block_delta',
    objectNode({
      type: textNode('content_block_delta'),
      index: { type: 'plain', text: index },
      delta: objectNode({ type: textNode(type), [leaf]: text }),
    }),
  );
