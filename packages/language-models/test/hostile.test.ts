/** Answers that mean harm, or that nobody can read: nothing of a call passes unjudged, and what can be kept is bounded. */
import { type ProposalAnswer, type ProposedCall, Unmasked } from '@sluice/contract';
import { JsonParts } from '@sluice/http-bodies';
import { detectorsOf } from '@sluice/masking';
import { describe, expect, test } from 'vitest';
import { type AnswerOf, WordList, answerEditors } from '../src/index.js';
import { normalised } from '../src/requests/normal.js';
import { lettersOf } from '../src/requests/words.js';

const MASKED = new JsonParts(
  detectorsOf(
    [{ type: 'mask', columns: [], detect: ['email', 'credit_card'], with: { type: 'redact' } }],
    Buffer.from('a key'),
  ),
  undefined,
);
const DENY: ProposalAnswer = { type: 'deny', rule: 'no', message: 'No.' };

interface Opened {
  readonly calls: ProposedCall[];
  push(text: string): string;
  end(): string;
}

function open(
  operation: AnswerOf['operation'],
  kind: 'events' | 'json' | 'text' | 'markup' | 'other',
  sign?: string,
  status = 200,
): Opened {
  const calls: ProposedCall[] = [];
  const propose = (call: ProposedCall): ProposalAnswer => {
    calls.push(call);
    return DENY;
  };
  const editor = answerEditors({ operation })(MASKED, propose, status).editor(kind, sign?.charCodeAt(0));
  if (!editor) throw new Error('it has no editor');
  return { calls, push: (text) => editor.push(Buffer.from(text)).toString(), end: () => editor.end().toString() };
}

const chunk = (delta: object, index = 0): string => `data: ${JSON.stringify({ choices: [{ index, delta }] })}\n\n`;

describe('a stream', () => {
  test.each([
    ['an event that is no JSON', 'data: {"choices":[\n\n'],
    ['a name twice', 'data: {"choices":[],"choices":[]}\n\n'],
    ['what is nested without end', `data: ${'['.repeat(100_000)}\n\n`],
  ])('%s does not pass', (_, text) => {
    expect(() => open('chat', 'events').push(text)).toThrow(Unmasked);
  });

  test('lines of no field that a client knows go nowhere, and comments are emptied', () => {
    const stream = open('chat', 'events');
    const text = stream.push('{"choices":[{"message":{"content":"ada@example.com"}}]}\nid: 7\n\n: ada@example.com\n\n');
    expect(text).toBe('id: 7\n\n:\n\n');
  });

  test('texts side by side, and what is kept of calls, are bounded', () => {
    const texts = open('chat', 'events');
    expect(() => {
      for (let index = 0; index < 2000; index++) texts.push(chunk({ content: 'a' }, index));
    }).toThrow(Unmasked);
    const calls = open('chat', 'events');
    const piece = 'x'.repeat(64 * 1024);
    expect(() => {
      for (let at = 0; at < 200; at++)
        calls.push(chunk({ tool_calls: [{ index: at, function: { name: 'f', arguments: piece } }] }));
    }).toThrow(Unmasked);
  });

  test('a call that never ends is judged when the stream does', () => {
    const stream = open('chat', 'events');
    const first = stream.push(
      chunk({ tool_calls: [{ index: 0, function: { name: 'sql', arguments: '{"q":"drop' } }] }),
    );
    expect(first).not.toContain('drop');
    const last = stream.end();
    expect(stream.calls).toMatchObject([{ tool: 'sql', input: '{"q":"drop' }]);
    expect(last).toContain('was refused by rule');
    expect(last).not.toContain('drop');
  });

  test('masks go over pieces, and a text that has no end is not lost', () => {
    const stream = open('chat', 'events');
    const text =
      stream.push(chunk({ content: 'to ada@exa' })) + stream.push(chunk({ content: 'mple.com' })) + stream.end();
    expect(text).not.toContain('ada@');
    expect(text).toContain('[masked:EMAIL]');
  });

  test('a call of a tool that the API itself has is judged as well', () => {
    const item = {
      id: 'sh_1',
      type: 'local_shell_call',
      call_id: 'c',
      action: { type: 'exec', command: ['rm', '-rf', '/'] },
    };
    const event = (type: string, more: object): string =>
      `event: ${type}\ndata: ${JSON.stringify({ type, output_index: 0, ...more })}\n\n`;
    const stream = open('responses', 'events');
    const text =
      stream.push(event('response.output_item.added', { item: { ...item, status: 'in_progress' } })) +
      stream.push(event('response.output_item.done', { item })) +
      stream.push(event('response.completed', { response: { output: [item] } })) +
      stream.end();
    expect(stream.calls).toMatchObject([
      { tool: 'local_shell_call', input: '{"type":"exec","command":["rm","-rf","/"]}' },
    ]);
    expect(text).not.toContain('rm');
    expect(text).toContain('response.output_text.delta');
  });
});

test('a call that the provider makes once its agent agrees is judged before the agent is asked', () => {
  const item = {
    id: 'r_1',
    type: 'mcp_approval_request',
    name: 'wipe',
    arguments: '{"all":"drop"}',
    server_label: 's',
  };
  const event = (type: string, more: object): string =>
    `event: ${type}\ndata: ${JSON.stringify({ type, output_index: 0, ...more })}\n\n`;
  const stream = open('responses', 'events');
  const text =
    stream.push(event('response.output_item.added', { item })) +
    stream.push(event('response.output_item.done', { item })) +
    stream.push(event('response.completed', { response: { output: [item] } })) +
    stream.end();
  expect(stream.calls).toMatchObject([{ tool: 'wipe', input: '{"all":"drop"}' }]);
  expect(text).not.toContain('mcp_approval_request');
  const whole = open('responses', 'json');
  expect(whole.push(JSON.stringify({ output: [item] })) + whole.end()).not.toContain('mcp_approval_request');
});

describe('a call that comes in another way than usual is judged', () => {
  const named = (type: string, more: object): string => `event: ${type}\ndata: ${JSON.stringify(more)}\n\n`;
  const typed = (type: string, more: object): string => named(type, { type, ...more });
  const COMMAND = '{"command":"rm -rf /"}';
  const given = { command: 'rm -rf /' };

  test.each<[what: string, operation: AnswerOf['operation'], text: string]>([
    [
      'beside a kind that is null',
      'chat',
      chunk({ tool_calls: [{ index: 0, id: '1', custom: null, function: { name: 'sh', arguments: COMMAND } }] }),
    ],
    [
      'with arguments that are no text',
      'chat',
      chunk({ tool_calls: [{ function: { name: 'sh', arguments: given } }] }),
    ],
    [
      'whole in its first event',
      'messages',
      typed('content_block_start', {
        index: 0,
        content_block: { type: 'tool_use', id: '1', name: 'sh', input: given },
      }) + typed('content_block_stop', { index: 0 }),
    ],
    [
      'in events whose name has their type',
      'messages',
      named('content_block_start', { index: 0, content_block: { type: 'tool_use', id: '1', name: 'sh', input: {} } }) +
        named('content_block_delta', { index: 0, delta: { type: 'input_json_delta', partial_json: COMMAND } }) +
        named('content_block_stop', { index: 0 }),
    ],
    [
      'at the end of a stream alone',
      'responses',
      typed('response.completed', {
        response: { output: [{ type: 'function_call', id: 'f', call_id: 'c', name: 'sh', arguments: COMMAND }] },
      }),
    ],
  ])('%s', (_, operation, text) => {
    const stream = open(operation, 'events');
    const out = stream.push(text) + stream.end();
    expect(stream.calls).toMatchObject([{ tool: 'sh', input: COMMAND }]);
    expect(out).not.toContain('rm -rf');
    expect(out).toContain('was refused by rule');
  });

  test.each([
    { custom: null, function: { name: 'sh', arguments: COMMAND } },
    { function: { name: 'sh', arguments: given } },
  ])('whole: %j', (made) => {
    const answer = open('chat', 'json');
    answer.push(JSON.stringify({ choices: [{ index: 0, message: { tool_calls: [{ id: '1', ...made }] } }] }));
    expect(answer.end()).not.toContain('rm -rf');
    expect(answer.calls).toMatchObject([{ tool: 'sh', input: COMMAND }]);
  });

  test.each<[what: string, operation: AnswerOf['operation'], text: string]>([
    [
      'before a message has begun',
      'messages',
      typed('message_start', { message: { content: [{ type: 'tool_use', id: '1', name: 'sh', input: given }] } }),
    ],
    [
      'in a message of a stream of pieces',
      'chat',
      `data: ${JSON.stringify({ choices: [{ index: 0, message: { tool_calls: [{ function: { name: 'sh' } }] } }] })}\n\n`,
    ],
  ])('or does not pass: %s', (_, operation, text) => {
    expect(() => open(operation, 'events').push(text)).toThrow(Unmasked);
  });

  test('without a number, or all of the same', () => {
    const made = (id: string, name: string, index?: number): object => ({
      index,
      id,
      function: { name, arguments: '{}' },
    });
    for (const index of [undefined, 0]) {
      const stream = open('chat', 'events');
      for (const piece of [made('1', 'a', index), made('2', 'b', index), made('3', 'c', index)])
        stream.push(chunk({ tool_calls: [piece] }));
      stream.end();
      expect(stream.calls.map(({ tool }) => tool)).toEqual(['a', 'b', 'c']);
    }
  });

  test('in a stream that claims to be a page does not pass, but pages that say what is wrong do', () => {
    for (const sign of ['d', '<']) expect(() => open('chat', 'markup', sign)).toThrow(Unmasked);
    expect(() => open('chat', 'markup', '<', 502)).toThrow('it has no editor');
    expect(() => open('chat', 'text', 'u', 503)).toThrow('it has no editor');
  });

  test('what began a call says nothing else than what was judged', () => {
    const passed = answerEditors({ operation: 'responses' })(MASKED, () => ({ type: 'allow' }), 200).editor(
      'events',
      undefined,
    );
    const item = { type: 'function_call', id: 'f', call_id: 'c', name: 'ls', arguments: '{}' };
    const out = passed?.push(
      Buffer.from(
        typed('response.output_item.added', { output_index: 0, item: { ...item, name: 'sh', arguments: COMMAND } }) +
          typed('response.output_item.done', { output_index: 0, item }),
      ),
    );
    expect(out?.toString()).toContain('"name":"ls"');
    expect(out?.toString()).not.toMatch(/rm -rf|"sh"/);
  });
});

describe('an answer that comes whole', () => {
  const CALL = JSON.stringify({
    choices: [
      {
        index: 0,
        finish_reason: 'tool_calls',
        message: { tool_calls: [{ id: '1', function: { name: 'f', arguments: '{}' } }] },
      },
    ],
  });

  test.each([
    ['json', undefined],
    ['text', '{'],
  ] as const)('is judged as %s', (kind, sign) => {
    const answer = open('chat', kind, sign);
    expect(answer.push(CALL)).toBe('');
    expect(JSON.parse(answer.end())).toMatchObject({
      choices: [{ finish_reason: 'stop', message: { content: expect.stringContaining('was refused') } }],
    });
    expect(answer.calls).toHaveLength(1);
  });

  test('under a type that nobody reads does not pass, nor as a text that is none of JSON', () => {
    expect(() => open('chat', 'other', '{')).toThrow(Unmasked);
    expect(() => open('chat', 'text', 'd')).toThrow(Unmasked);
  });

  test('what is no JSON, and what is too long, does not pass', () => {
    const broken = open('chat', 'json');
    broken.push('{"choices":');
    expect(() => broken.end()).toThrow(Unmasked);
    const long = open('chat', 'json');
    expect(() => {
      for (let at = 0; at < 300; at++) long.push('x'.repeat(64 * 1024));
    }).toThrow(Unmasked);
  });
});

test('a call of a kind that is not known here is judged as the agent’s', () => {
  const events = [
    {
      type: 'content_block_start',
      index: 0,
      content_block: { type: 'computer_use', id: 'a', name: 'wipe', input: {} },
    },
    { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: '{"all":1}' } },
    { type: 'content_block_stop', index: 0 },
  ];
  const stream = open('messages', 'events');
  const text = events.map((one) => stream.push(`data: ${JSON.stringify(one)}\n\n`)).join('') + stream.end();
  expect(stream.calls).toMatchObject([{ tool: 'wipe', input: '{"all":1}' }]);
  expect(text).not.toContain('computer_use');
  const whole = open('messages', 'json');
  const made = { type: 'server_tool_use', name: 'web_search', input: { query: 'x' } };
  whole.push(JSON.stringify({ content: [made, { ...made, type: 'computer_use' }] }));
  expect(whole.end()).toContain('server_tool_use');
  expect(whole.calls).toHaveLength(1);
});

describe('a secret does not pass', () => {
  /** What an SDK puts together: all texts of the deltas. */
  const said = (events: string, leaf: string): string =>
    [...events.matchAll(/^data: (.*)$/gm)]
      .map(([, data = '']) => (JSON.parse(data) as { delta?: unknown }).delta)
      .map((delta) => (typeof delta === 'string' ? delta : ((delta as Record<string, string>)?.[leaf] ?? '')))
      .join('');
  const send = (stream: Opened, events: readonly object[]): string =>
    events.map((one) => stream.push(`data: ${JSON.stringify(one)}\n\n`)).join('') + stream.end();

  test('in pieces whose item has another id with each of them', () => {
    const events = ['to ada@exa', 'mple', '.com now'].map((delta, at) => ({
      type: 'response.output_text.delta',
      item_id: `id_${at}`,
      output_index: 0,
      content_index: 0,
      delta,
    }));
    expect(said(send(open('responses', 'events'), events), '')).toBe('to [masked:EMAIL] now');
  });

  test('in pieces of a type that is not known here', () => {
    const events = [
      { type: 'content_block_start', index: 0, content_block: { type: 'compaction' } },
      ...['to ada@exa', 'mple', '.com now'].map((content) => ({
        type: 'content_block_delta',
        index: 0,
        delta: { type: 'compaction_delta', content },
      })),
      { type: 'content_block_stop', index: 0 },
    ];
    expect(said(send(open('messages', 'events'), events), 'content')).toBe('to [masked:EMAIL] now');
  });

  test('as numbers of tokens', () => {
    const choice = { index: 0, delta: { content: 'a' }, token_ids: [64, 4711], prompt_logprobs: [{ 4711: {} }] };
    const text = send(open('chat', 'events'), [{ choices: [choice], prompt_token_ids: [4711] }]);
    expect(text).not.toContain('4711');
    const whole = open('chat', 'json');
    expect(whole.push(JSON.stringify({ choices: [choice], prompt_token_ids: [4711] })) + whole.end()).not.toContain(
      '4711',
    );
  });

  test('in the name of an event', () => {
    const stream = open('messages', 'events');
    const text = stream.push('event: ada@example.com\ndata: {"type":"ping"}\n\n') + stream.end();
    expect(text.trimEnd()).toBe('event: [masked:EMAIL]\ndata: {"type":"ping"}');
  });
});

describe('what a call has used up', () => {
  function counted(operation: 'messages' | 'chat', kind: 'events' | 'json', text: string) {
    const told = { output: undefined as number | undefined, pieces: 0 };
    const meter = {
      used: ({ output }: { output?: number }) => void (told.output = output ?? told.output),
      passed: (events: number) => void (told.pieces = events),
    };
    const editor = answerEditors({ operation, meter })(MASKED, () => DENY, 200).editor(kind, 0x7b);
    editor?.push(Buffer.from(text));
    editor?.end();
    return told;
  }

  test('is not what a provider says before anything is there, for whoever hangs up before the end', () => {
    const begun = { type: 'message_start', message: { usage: { input_tokens: 10, output_tokens: 1 }, content: [] } };
    const piece = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'a' } };
    const events = [begun, ...Array.from({ length: 50 }, () => piece)];
    const text = events.map((one) => `data: ${JSON.stringify(one)}\n\n`).join('');
    expect(counted('messages', 'events', text)).toEqual({ output: undefined, pieces: 51 });
  });

  test('is estimated where a whole answer does not say it', () => {
    const text = JSON.stringify({ choices: [{ message: { content: 'x'.repeat(400) } }] });
    const { output, pieces } = counted('chat', 'json', text);
    expect(output).toBeUndefined();
    expect(pieces).toBeGreaterThanOrEqual(100);
  });
});

describe('a list of words', () => {
  const has = (list: string, ...parts: string[]): boolean =>
    new WordList(list).isIn(lettersOf(parts.map((part) => normalised(part))));

  test('finds phrases as whole words, over parts, in any dress', () => {
    expect(has('Blue Heron', 'the blue\u200b\n heron.')).toBe(true);
    expect(has('blue heron', 'bl', 'ue her', 'on')).toBe(true);
    expect(has('blue heron', 'ＢＬＵＥ　ＨＥＲＯＮ')).toBe(true);
    expect(has('straße', 'STRASSE')).toBe(true);
    expect(has('heron\nhe', 'she, him')).toBe(false);
    expect(has('blue heron', 'blueheron')).toBe(false);
    expect(has('blue heron', 'blue herons')).toBe(false);
    expect(has('秘密', 'これは秘密です')).toBe(true);
    expect(has('abab\nbab c', 'xx ababab c')).toBe(false);
    expect(has('ab\nab c', 'ab d ab c')).toBe(true);
  });

  test('says what is none', () => {
    expect(() => new WordList('...')).toThrow('a phrase has no letter');
    expect(() => new WordList('x'.repeat(300))).toThrow('more than 200 characters');
  });
});
