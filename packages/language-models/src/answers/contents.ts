/**
 * Answers of Gemini as they stream: https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent. Owns: where they have
 * pieces of texts, and what stands in place of a refused call. Does not: mask, or judge.
 */
import type { ProposalAnswer, ProposedCall } from '@sluice/contract';
import { unmasked } from '@sluice/http-bodies';
import { type Json, textOf } from '@sluice/http-requests';
import type { AnswerMasks } from './channel.js';
import { type Follower, type Given, event, refusedCall } from './follower.js';
import {
  type ObjectNode,
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

/** A call, and where it stands. */
interface Place {
  readonly call: ProposedCall;
  readonly parts: Json[];
  readonly at: number;
}

type Kind = 'text' | 'thought';

export class ContentsFollower implements Follower {
  readonly #masks: AnswerMasks;
  /** Candidates with a text that goes on, and of which kind it is. */
  readonly #open = new Map<string, Kind>();

  constructor(masks: AnswerMasks) {
    this.#masks = masks;
  }

  event(name: string, data: Json): readonly Given[] {
    const places: Place[] = [];
    for (const candidate of items(member(data, 'candidates')))
      if (isObject(candidate)) this.#candidate(candidate, places);
    const give = (answers: readonly ProposalAnswer[]): readonly Given[] => {
      places.forEach(({ call, parts, at }, n) => {
        const answer = answers[n];
        if (answer?.type === 'deny') parts[at] = objectNode({ text: this.#masks.leaf(refusedCall(call, answer)) });
      });
      return [event(name, this.#masks.rest(data))];
    };
    return [{ type: 'later', calls: places.map(({ call }) => call), give }];
  }

  end(): readonly Given[] {
    const candidates = [...this.#open.keys()].flatMap((index): Json[] => {
      const parts = this.#rest(index);
      const content = objectNode({ parts: listNode(parts), role: textNode('model') });
      return parts.length === 0 ? [] : [objectNode({ index: plainNode(index), content })];
    });
    if (candidates.length === 0) return [];
    const data = this.#masks.rest(objectNode({ candidates: listNode(candidates) }));
    return [{ type: 'later', calls: [], give: () => [event('', data)] }];
  }

  #candidate(candidate: ObjectNode, places: Place[]): void {
    const index = word(member(candidate, 'index')) || '0';
    const content = member(candidate, 'content');
    const parts: Json[] = [];
    for (const part of items(member(content, 'parts'))) this.#part(index, part, parts, places);
    if (!isNothing(member(candidate, 'finishReason'))) parts.push(...this.#rest(index));
    if (isObject(content)) put(content, 'parts', listNode(parts));
    else if (parts.length > 0)
      put(candidate, 'content', objectNode({ parts: listNode(parts), role: textNode('model') }));
  }

  #part(index: string, part: Json, parts: Json[], places: Place[]): void {
    const text = memberText(part, 'text');
    const call = callOf(part);
    if (text !== undefined && isObject(part)) {
      if (call) throw unmasked('has a part that is a text and a call');
      const kind = word(member(part, 'thought')) === 'true' ? 'thought' : 'text';
      if (this.#open.get(index) !== kind) parts.push(...this.#rest(index));
      this.#open.set(index, kind);
      put(part, 'text', this.#masks.piece(keyOf(index, kind), text));
    } else {
      parts.push(...this.#rest(index));
      if (call) places.push({ call: this.#masks.call(call.tool, call.input), parts, at: parts.length });
    }
    parts.push(part);
  }

  /** What is kept back of the text that is open, as a part of its own. */
  #rest(index: string): readonly Json[] {
    const kind = this.#open.get(index);
    this.#open.delete(index);
    const text = kind && this.#masks.close(keyOf(index, kind));
    if (!text) return [];
    return [objectNode({ text, thought: kind === 'thought' ? plainNode('true') : undefined })];
  }
}

const keyOf = (index: string, kind: Kind): string => `${index}\n${kind}`;

/** A call that the agent makes; undefined: the part is none. Code that the provider runs is over when anybody hears of it. */
export function callOf(part: Json): { readonly tool: string; readonly input: string } | undefined {
  const call = member(part, 'functionCall');
  if (!isObject(call)) return undefined;
  if (['partialArgs', 'willContinue'].some((name) => !isNothing(member(call, name))))
    throw unmasked('has a call of a tool that comes in pieces, which is not read yet');
  const args = member(call, 'args');
  return { tool: memberText(call, 'name') ?? '', input: args === undefined || isNothing(args) ? '{}' : textOf(args) };
}
