/** How a double of Anthropic's models answers: messages, streamed and whole. Owns: the shapes. */
import type { DoubleEvent } from './openai.js';
import type { Cut, Script } from './scripts.js';

const USAGE = { input_tokens: 7, output_tokens: 5 };

const reason = ({ calls = [] }: Script): string => (calls.length > 0 ? 'tool_use' : 'end_turn');

const message = (model: string, content: readonly object[], stop_reason: string | null): object => ({
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model,
  content,
  stop_reason,
  stop_sequence: null,
  usage: USAGE,
});

export const messagesAnswer = (model: string, script: Script): object =>
  message(
    model,
    [
      ...(script.reasoning === undefined ? [] : [{ type: 'thinking', thinking: script.reasoning, signature: 'c2ln' }]),
      ...(script.text === undefined ? [] : [{ type: 'text', text: script.text }]),
      ...(script.calls ?? []).map(({ tool, input }, at) => ({
        type: 'tool_use',
        id: `toolu_${at}`,
        name: tool,
        input,
      })),
    ],
    reason(script),
  );

export function messagesEvents(model: string, script: Script, cut: Cut): DoubleEvent[] {
  const events: DoubleEvent[] = [];
  const add = (type: string, data: object = {}): void => void events.push([type, { type, ...data }]);
  add('message_start', { message: message(model, [], null) });
  add('ping');
  let index = 0;
  const block = (content_block: object, deltas: readonly object[]): void => {
    add('content_block_start', { index, content_block });
    for (const delta of deltas) add('content_block_delta', { index, delta });
    add('content_block_stop', { index: index++ });
  };
  if (script.reasoning !== undefined)
    block({ type: 'thinking', thinking: '', signature: '' }, [
      ...cut(script.reasoning).map((thinking) => ({ type: 'thinking_delta', thinking })),
      { type: 'signature_delta', signature: 'c2ln' },
    ]);
  if (script.text !== undefined)
    block(
      { type: 'text', text: '' },
      cut(script.text).map((text) => ({ type: 'text_delta', text })),
    );
  for (const [at, { tool, input }] of (script.calls ?? []).entries())
    block(
      { type: 'tool_use', id: `toolu_${at}`, name: tool, input: {} },
      cut(JSON.stringify(input)).map((partial_json) => ({ type: 'input_json_delta', partial_json })),
    );
  add('message_delta', { delta: { stop_reason: reason(script), stop_sequence: null }, usage: { output_tokens: 5 } });
  add('message_stop');
  return events;
}
