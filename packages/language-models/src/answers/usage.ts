/**
 * What a call has used up, as its provider says. Owns: where answers say so, and how a stream is asked to. Does not: count (packages/budgets).
 */
import { type Json, readJson, textOf } from '@sluice/http-requests';
import type { Operation } from '../provider.js';
import { isObject, isNothing, member, objectNode, plainNode, put } from './tree.js';

/** In tokens. */
export interface Usage {
  readonly input: number;
  readonly output: number;
}

/** Is told what an answer has used up, while it passes. */
export interface Meter {
  /** As the provider says, all in all: later words count. */
  used(usage: Partial<Usage>): void;
  /** So many events with a piece of the answer have come, each of which is about a token. */
  passed(events: number): void;
}

/** No call uses more; what says so is nonsense. */
const MAX_TOKENS = 1_000_000_000;
/** Members that have tokens of the prompt, in one API or the other; they add up. */
const INPUT = [
  'prompt_tokens',
  'input_tokens',
  'cache_creation_input_tokens',
  'cache_read_input_tokens',
  'promptTokenCount',
  'toolUsePromptTokenCount',
];
const OUTPUT = ['completion_tokens', 'output_tokens', 'candidatesTokenCount', 'thoughtsTokenCount'];

/** In an answer, or an event of one; undefined: it does not say. */
export function usageIn(answer: Json): Partial<Usage> | undefined {
  const begun = member(answer, 'message');
  const places = [answer, begun, member(answer, 'response')];
  const usage = places.flatMap((one) => [member(one, 'usage'), member(one, 'usageMetadata')]).find(isObject);
  if (!usage) return undefined;
  const sum = (names: readonly string[]): number | undefined => {
    const numbers = names.flatMap((name) => numberOf(member(usage, name)) ?? []);
    return numbers.length === 0 ? undefined : numbers.reduce((all, one) => all + one, 0);
  };
  // Where a message begins, nothing of it is there yet: whoever hangs up before its end would have had it for a token.
  const isBegun = usage === member(begun, 'usage');
  const [input, output] = [sum(INPUT), isBegun ? undefined : sum(OUTPUT)];
  return { ...(input !== undefined && { input }), ...(output !== undefined && { output }) };
}

function numberOf(value: Json | undefined): number | undefined {
  if (value?.type !== 'plain' || !/^\d{1,12}$/.test(value.text)) return undefined;
  return Math.min(Number(value.text), MAX_TOKENS);
}

/** Streams of these say what they have used where they are asked to. */
const ASKED: ReadonlySet<Operation> = new Set<Operation>(['chat', 'completions']);

/** The body with that question; undefined: it is in there, or such an answer says so by itself. `body` has been read as a call. */
export function askingForUsage(operation: Operation, body: Uint8Array): Buffer | undefined {
  if (!ASKED.has(operation)) return undefined;
  const asked = readJson(
    Buffer.from(body)
      .toString('utf8')
      .replace(/^\ufeff/, ''),
  );
  if (!isObject(asked) || !isTrue(member(asked, 'stream'))) return undefined;
  const options = member(asked, 'stream_options');
  if (isTrue(member(options, 'include_usage'))) return undefined;
  const made = objectNode(isObject(options) ? Object.fromEntries(options.members) : {});
  put(made, 'include_usage', plainNode('true'));
  put(asked, 'stream_options', made);
  return Buffer.from(textOf(asked));
}

const isTrue = (value: Json | undefined): boolean => value?.type === 'plain' && value.text === 'true';

/** Takes the answer to that question out of an event; false: nothing is left of it. */
export function withoutUsage(event: Json): boolean {
  if (!isObject(event)) return true;
  const usage = member(event, 'usage');
  put(event, 'usage', undefined);
  const choices = member(event, 'choices');
  return isNothing(usage) || choices?.type !== 'array' || choices.items.length > 0;
}
