/** How a double of OpenAI's models answers: chat completions and responses, streamed and whole. Owns: the shapes. */
import type { Cut, Script, ScriptedCall } from './scripts.js';

/** An event: its name, where the API has one, and its data. */
export type DoubleEvent = readonly [name: string, data: object];

const CREATED = 1_764_000_000;
const USAGE = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 };

const toolCall = ({ tool, input }: ScriptedCall, at: number): object => ({
  id: `call_${at}`,
  type: 'function',
  function: { name: tool, arguments: JSON.stringify(input) },
});

const logprobs = (text: string, cut: Cut): object => ({
  content: cut(text).map((token) => ({ token, logprob: -0.1, bytes: [...Buffer.from(token)], top_logprobs: [] })),
});

const reason = ({ calls = [] }: Script): string => (calls.length > 0 ? 'tool_calls' : 'stop');

export const chatAnswer = (model: string, scripts: readonly Script[], cut: Cut, probable: boolean): object => ({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: CREATED,
  model,
  choices: scripts.map((script, index) => ({
    index,
    message: {
      role: 'assistant',
      content: script.text ?? null,
      refusal: null,
      ...(script.reasoning !== undefined && { reasoning_content: script.reasoning }),
      ...(script.calls && { tool_calls: script.calls.map(toolCall) }),
    },
    logprobs: probable ? logprobs(script.text ?? '', cut) : null,
    finish_reason: reason(script),
  })),
  usage: USAGE,
});

/** Choices come by turns, as they do from a provider. */
export function chatEvents(model: string, scripts: readonly Script[], cut: Cut, probable: boolean): DoubleEvent[] {
  const chunk = (index: number, delta: object, more: object = {}): DoubleEvent => [
    '',
    {
      id: 'chatcmpl-1',
      object: 'chat.completion.chunk',
      created: CREATED,
      model,
      choices: [{ index, delta, logprobs: null, finish_reason: null, ...more }],
    },
  ];
  const lanes = scripts.map((script, index) => [
    chunk(index, { role: 'assistant', content: '', refusal: null }),
    ...cut(script.reasoning ?? '').map((reasoning_content) => chunk(index, { reasoning_content })),
    ...cut(script.text ?? '').map((content) =>
      chunk(index, { content }, probable ? { logprobs: logprobs(content, (text) => [text]) } : {}),
    ),
    ...(script.calls ?? []).flatMap((call, at) => [
      chunk(index, {
        tool_calls: [{ index: at, id: `call_${at}`, type: 'function', function: { name: call.tool, arguments: '' } }],
      }),
      ...cut(JSON.stringify(call.input)).map((piece) =>
        chunk(index, { tool_calls: [{ index: at, function: { arguments: piece } }] }),
      ),
    ]),
    chunk(index, {}, { finish_reason: reason(script) }),
  ]);
  const longest = Math.max(0, ...lanes.map(({ length }) => length));
  const turns = Array.from({ length: longest }, (_, at) => lanes.flatMap((lane) => (lane[at] ? [lane[at]] : [])));
  const [, last] = chunk(0, {});
  return [...turns.flat(), ['', { ...last, choices: [], usage: USAGE }]];
}

type Item = Readonly<Record<string, unknown>>;

const reasoningItem = (text: string): Item => ({
  id: 'rs_0',
  type: 'reasoning',
  summary: [{ type: 'summary_text', text }],
});
const textPart = (text: string): Item => ({ type: 'output_text', text, annotations: [], logprobs: [] });
const messageItem = (text: string): Item => ({
  id: 'msg_0',
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [textPart(text)],
});
const callItem = ({ tool, input }: ScriptedCall, at: number): Item => ({
  id: `fc_${at}`,
  type: 'function_call',
  call_id: `call_${at}`,
  name: tool,
  arguments: JSON.stringify(input),
  status: 'completed',
});

export const responsesAnswer = (
  model: string,
  { text, reasoning, calls = [] }: Script,
  status = 'completed',
): object => ({
  id: 'resp_1',
  object: 'response',
  created_at: CREATED,
  status,
  error: null,
  model,
  output:
    status === 'completed'
      ? [
          ...(reasoning === undefined ? [] : [reasoningItem(reasoning)]),
          ...(text === undefined ? [] : [messageItem(text)]),
          ...calls.map(callItem),
        ]
      : [],
  usage: { input_tokens: 7, output_tokens: 5, total_tokens: 12 },
});

export function responsesEvents(model: string, script: Script, cut: Cut): DoubleEvent[] {
  const { text, reasoning, calls = [] } = script;
  const events: DoubleEvent[] = [];
  const add = (type: string, data: object): void =>
    void events.push([type, { type, ...data, sequence_number: events.length }]);
  const begun = responsesAnswer(model, script, 'in_progress');
  add('response.created', { response: begun });
  let output_index = 0;
  if (reasoning !== undefined) {
    const at = { item_id: 'rs_0', output_index, summary_index: 0 };
    add('response.output_item.added', { output_index, item: { ...reasoningItem(''), summary: [] } });
    add('response.reasoning_summary_part.added', { ...at, part: { type: 'summary_text', text: '' } });
    for (const delta of cut(reasoning)) add('response.reasoning_summary_text.delta', { ...at, delta });
    add('response.reasoning_summary_text.done', { ...at, text: reasoning });
    add('response.reasoning_summary_part.done', { ...at, part: { type: 'summary_text', text: reasoning } });
    add('response.output_item.done', { output_index: output_index++, item: reasoningItem(reasoning) });
  }
  if (text !== undefined) {
    const at = { item_id: 'msg_0', output_index, content_index: 0 };
    add('response.output_item.added', {
      output_index,
      item: { ...messageItem(''), status: 'in_progress', content: [] },
    });
    add('response.content_part.added', { ...at, part: textPart('') });
    for (const delta of cut(text)) add('response.output_text.delta', { ...at, delta, logprobs: [] });
    add('response.output_text.done', { ...at, text, logprobs: [] });
    add('response.content_part.done', { ...at, part: textPart(text) });
    add('response.output_item.done', { output_index: output_index++, item: messageItem(text) });
  }
  for (const [at, call] of calls.entries()) {
    const item = callItem(call, at);
    const about = { item_id: item['id'], output_index };
    add('response.output_item.added', { output_index, item: { ...item, arguments: '', status: 'in_progress' } });
    for (const delta of cut(JSON.stringify(call.input)))
      add('response.function_call_arguments.delta', { ...about, delta });
    add('response.function_call_arguments.done', { ...about, arguments: item['arguments'] });
    add('response.output_item.done', { output_index: output_index++, item });
  }
  add('response.completed', { response: responsesAnswer(model, script) });
  return events;
}
