/**
 * A model that does what it is told beforehand: one call after the other, and then a sentence. A double: it stands for the APIs of Anthropic
 * (Messages) and OpenAI (Responses, Chat Completions) as agents use them.
 */
/* oxlint-disable typescript/no-explicit-any -- what clients send to a model, whatever its shape */
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** `tool`: the end of its name, before which clients put that of its server. */
export interface Step {
  readonly tool: string;
  readonly input: object;
}

export const LAST_WORDS = 'That is all there is to do.';

/** A call, or undefined for the last words. */
type Call = { readonly name: string; readonly namespace?: string; readonly input: string } | undefined;

export class ScriptedModel {
  readonly #steps: readonly Step[];
  readonly #server: Server;
  /** What came of each call, as the model was told, of whoever asked last. */
  results: string[] = [];
  /** What was asked: method, address, and tools that were offered. */
  readonly seen: string[] = [];

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const text = Buffer.concat(parts).toString();
        const answer = this.#answer(request.url ?? '', text === '' ? {} : JSON.parse(text));
        this.seen.push(`${request.method} ${request.url} ${text.slice(0, 200)}`);
        const type = Array.isArray(answer) ? 'text/event-stream' : 'application/json';
        response.writeHead(answer ? 200 : 404, { 'content-type': type });
        if (!Array.isArray(answer)) response.end(JSON.stringify(answer ?? {}));
        else response.end(answer.map((one) => `event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`).join(''));
      });
    });
  }

  /** Resolves to where it is. */
  async open(): Promise<string> {
    await new Promise<void>((resolve) => void this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(url: string, body: any): object | any[] | undefined {
    const path = url.split('?', 1)[0] ?? '';
    if (path.endsWith('/messages') && Array.isArray(body.messages)) {
      const results = body.messages.flatMap((one: any) =>
        Array.isArray(one.content) ? one.content.filter((part: any) => part.type === 'tool_result') : [],
      );
      return messages(
        body.model,
        this.#next(
          results.map((one: any) => one.content),
          body.tools,
        ),
      );
    }
    if (path.endsWith('/responses')) {
      const input: any[] = Array.isArray(body.input) ? body.input : [];
      const results = input.filter((one) => one.type === 'function_call_output');
      return responses(
        body,
        this.#next(
          results.map((one) => one.output),
          body.tools,
        ),
      );
    }
    if (!path.endsWith('/chat/completions')) return undefined;
    const results = body.messages.filter((one: any) => one.role === 'tool');
    const offered = (body.tools ?? []).map((one: any) => ({ name: one.function.name }));
    return completion(
      body.model,
      this.#next(
        results.map((one: any) => one.content),
        offered,
      ),
    );
  }

  /** Whoever is offered no tools wants a title or the like. */
  #next(results: readonly unknown[], tools: readonly any[] = []): Call {
    const offered = tools.flatMap((one) =>
      one.type === 'namespace' ? one.tools.map((inner: any) => ({ namespace: one.name, name: inner.name })) : [one],
    );
    if (offered.length === 0) return undefined;
    this.results = results.map((one) => JSON.stringify(one));
    const step = this.#steps[results.length];
    const found = step && offered.find(({ name = '' }) => name === step.tool || name.endsWith(`_${step.tool}`));
    if (!step || !found) return undefined;
    const { name, namespace } = found;
    return { name, ...(namespace !== undefined && { namespace }), input: JSON.stringify(step.input) };
  }
}

let count = 0;

function messages(model: string, call: Call): any[] {
  const usage = { input_tokens: 1, output_tokens: 1 };
  const ended = { stop_reason: null, stop_sequence: null, usage };
  const message = { id: 'msg_1', type: 'message', role: 'assistant', model, content: [], ...ended };
  const block = call
    ? { type: 'tool_use', id: `toolu_${++count}`, name: call.name, input: {} }
    : { type: 'text', text: '' };
  const delta = call
    ? { type: 'input_json_delta', partial_json: call.input }
    : { type: 'text_delta', text: LAST_WORDS };
  return [
    { type: 'message_start', message },
    { type: 'content_block_start', index: 0, content_block: block },
    { type: 'content_block_delta', index: 0, delta },
    { type: 'content_block_stop', index: 0 },
    { type: 'message_delta', delta: { stop_reason: call ? 'tool_use' : 'end_turn', stop_sequence: null }, usage },
    { type: 'message_stop' },
  ];
}

function responses({ model, stream }: any, call: Call): object | any[] {
  const content = [{ type: 'output_text', text: LAST_WORDS, annotations: [] }];
  const item = call
    ? {
        type: 'function_call',
        id: `fc_${++count}`,
        call_id: `call_${count}`,
        status: 'completed',
        name: call.name,
        ...(call.namespace !== undefined && { namespace: call.namespace }),
        arguments: call.input,
      }
    : { type: 'message', role: 'assistant', id: `msg_${++count}`, status: 'completed', content };
  const usage = {
    input_tokens: 1,
    output_tokens: 1,
    total_tokens: 2,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens_details: { reasoning_tokens: 0 },
  };
  const id = `resp_${++count}`;
  const response = {
    id,
    object: 'response',
    created_at: 1,
    status: 'completed',
    model,
    output: [item],
    usage,
  };
  if (stream !== true) return response;
  return [
    { type: 'response.created', response: { id } },
    { type: 'response.output_item.done', output_index: 0, item },
    { type: 'response.completed', response },
  ];
}

function completion(model: string, call: Call): object {
  const called = call && [
    { id: `call_${++count}`, type: 'function', function: { name: call.name, arguments: call.input } },
  ];
  const message = called
    ? { role: 'assistant', content: null, tool_calls: called }
    : { role: 'assistant', content: LAST_WORDS };
  const choices = [{ index: 0, message, finish_reason: called ? 'tool_calls' : 'stop' }];
  const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
  return { id: `chatcmpl_${++count}`, object: 'chat.completion', created: 1, model, choices, usage };
}
