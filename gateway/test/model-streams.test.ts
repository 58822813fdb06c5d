/**
 * Masks in the answers of models as they stream, read by the SDKs of both providers: however the text is cut into tokens and the stream into
 * chunks, what an SDK has at the end is what masking the whole gives.
 */
import Anthropic from '@anthropic-ai/sdk';
import type { Answer, MaskRule, ProposedCall } from '@sluice/contract';
import { EventsMask, JsonParts, leafMask } from '@sluice/http-bodies';
import { answerEditors } from '@sluice/language-models';
import { Replacements, detectorsOf, maskText, streamEditor } from '@sluice/masking';
import {
  type Cut,
  type DoubleEvent,
  type Script,
  chatEvents,
  contentsPieces,
  messagesEvents,
  responsesEvents,
} from '@sluice/testkit';
import OpenAI from 'openai';
import { describe, expect, test } from 'vitest';

/** Cuts of each API. The same numbers each time. */
const ROUNDS = 1000;

const RULE: MaskRule = {
  type: 'mask',
  columns: [],
  detect: ['email', 'credit_card', 'api_key', 'secret', 'private_key', 'phone'],
  with: { type: 'redact' },
};
const detectors = detectorsOf([RULE], Buffer.from('a key'));
const parts = new JsonParts(detectors, undefined);

class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** From 0 up to and without `most`. */
  below(most: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * most);
  }

  one<Value>(values: readonly Value[]): Value {
    return values[this.below(values.length)] as Value;
  }
}

const WORDS = [
  'the order',
  ' of ',
  'ada@example.com',
  '4111 1111 1111 1111',
  '4111111111111111',
  'AKIAIOSFODNN7REALKEY',
  'password: hunter2hunter2',
  '"quoted"',
  '\n',
  '\r\n',
  ' ',
  ', ',
  'Zoë 🙂 ',
  '-----BEGIN PRIVATE KEY-----\nMIIBVQIBADANBgkqhkiG9w0BAQEFAASCAT8\n-----END PRIVATE KEY-----\n',
  '+49 170 1234567',
  'x'.repeat(40),
  'tok_',
  '\\n',
  '{"a": 1}',
];

const textOf = (random: Random): string =>
  Array.from({ length: random.below(5) }, () => random.one(WORDS) + random.one(['', ' '])).join('');

/** Letter by letter in some rounds, in long pieces in others. */
function cutBy(random: Random): Cut {
  const most = random.one([2, 8, 20]);
  return (text) => {
    const signs = Array.from(text);
    const pieces: string[] = [];
    while (signs.length > 0) pieces.push(signs.splice(0, 1 + random.below(most)).join(''));
    return pieces;
  };
}

function scriptOf(random: Random): Script {
  const calls = Array.from({ length: random.below(3) }, (_, at) => ({
    tool: `tool_${at}`,
    input: { text: textOf(random), n: random.below(1000), list: [textOf(random)] },
  }));
  return { text: `a${textOf(random)}`, reasoning: `r${textOf(random)}`, ...(calls.length > 0 && { calls }) };
}

/** The reference: all of a text at once. */
function whole(text: string): string {
  const mask = streamEditor(detectors as NonNullable<typeof detectors>);
  return Buffer.concat([mask.push(Buffer.from(text)), mask.end()]).toString();
}

const ALLOW: Answer = { type: 'allow', facts: { actions: [], confidence: 'exact', statements: [] } };

interface Through {
  readonly operation: 'chat' | 'responses' | 'messages' | 'contents';
  /** The events come as elements of one list of JSON. */
  readonly isList?: boolean;
  readonly propose?: (call: ProposedCall) => Answer | Promise<Answer>;
  readonly masks?: JsonParts;
  /** Gets what goes on record. */
  readonly recorded?: Buffer[];
}

/** The bytes of the events behind the editor, given to it in chunks that begin and end anywhere. */
async function through(
  events: readonly DoubleEvent[],
  random: Random,
  { operation, isList, propose, masks = parts, recorded = [] }: Through,
): Promise<Buffer> {
  const text = events.map(
    ([name, data]) => `${name === '' ? '' : `event: ${name}\n`}data: ${JSON.stringify(data)}\n\n`,
  );
  const list = `[${events.map(([, data]) => JSON.stringify(data, undefined, 1)).join('\r\n,')}\n]\n`;
  const bytes = Buffer.from(isList ? list : text.join('') + (operation === 'chat' ? 'data: [DONE]\n\n' : ''));
  const own = answerEditors({ operation })(masks, propose ?? (() => ALLOW), 200);
  const editor = own.editor(isList ? 'json' : 'events', bytes[0]) as EventsMask;
  const given: Buffer[] = [];
  const give = (bytes: Buffer): void => {
    recorded.push(bytes);
    given.push(own.given?.(bytes) ?? bytes);
  };
  for (let at = 0; at < bytes.length; ) {
    const size = 1 + random.below(700);
    give(editor.push(bytes.subarray(at, at + size)));
    at += size;
  }
  give(editor.end());
  while (editor.waits) {
    await editor.waits;
    give(editor.release());
  }
  return Buffer.concat(given);
}

const answering = (bytes: Buffer) => (): Promise<Response> =>
  Promise.resolve(new Response(new Uint8Array(bytes), { headers: { 'content-type': 'text/event-stream' } }));

const openai = (bytes: Buffer): OpenAI =>
  new OpenAI({ apiKey: 'x', baseURL: 'http://double/v1', fetch: answering(bytes) });
const anthropic = (bytes: Buffer): Anthropic =>
  new Anthropic({ apiKey: 'x', baseURL: 'http://double', fetch: answering(bytes) });

const argumentsOf = (input: object): string => leafMask(parts, '', JSON.stringify(input));

describe('what an SDK has at the end is what masking the whole gives', () => {
  test(`chat completions of three choices, ${ROUNDS} cuts`, { timeout: 600_000 }, async () => {
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const random = new Random(seed);
      const scripts = [scriptOf(random), scriptOf(random), scriptOf(random)];
      const bytes = await through(chatEvents('m', scripts, cutBy(random), true), random, { operation: 'chat' });
      const stream = openai(bytes).chat.completions.stream({ model: 'm', messages: [], n: 3, logprobs: true });
      // This member is of servers that OpenAI's SDK does not know: it gives the pieces, and does not put them together.
      const reasoned = ['', '', ''];
      stream.on('chunk', (chunk) => {
        for (const { index, delta } of chunk.choices)
          reasoned[index] += (delta as { reasoning_content?: string }).reasoning_content ?? '';
      });
      const { choices } = await stream.finalChatCompletion();
      const got = choices.map(({ index, message, logprobs, finish_reason: reason }) => ({
        text: message.content,
        reasoning: reasoned[index],
        calls: (message.tool_calls ?? []).map((call) => call.type === 'function' && call.function.arguments),
        logprobs: logprobs?.content ?? null,
        reason,
      }));
      const wanted = scripts.map(({ text = '', reasoning = '', calls = [] }) => ({
        text: whole(text),
        reasoning: whole(reasoning),
        calls: calls.map(({ input }) => argumentsOf(input)),
        logprobs: null,
        reason: calls.length > 0 ? 'tool_calls' : 'stop',
      }));
      expect(got, `seed ${seed}`).toEqual(wanted);
    }
  });

  test(`responses, ${ROUNDS} cuts`, { timeout: 600_000 }, async () => {
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const random = new Random(seed);
      const { text = '', reasoning = '', calls = [] } = scriptOf(random);
      const script = { text, reasoning, calls };
      const bytes = await through(responsesEvents('m', script, cutBy(random)), random, { operation: 'responses' });
      const stream = openai(bytes).responses.stream({ model: 'm', input: '' });
      let pieces = '';
      stream.on('response.output_text.delta', ({ delta }) => (pieces += delta));
      let thoughts = '';
      for await (const event of stream)
        if (event.type === 'response.reasoning_summary_text.delta') thoughts += event.delta;
      const { output_text: all, output } = await stream.finalResponse();
      const made = output.flatMap((item) => (item.type === 'function_call' ? [item.arguments] : []));
      expect([pieces, all, thoughts, made], `seed ${seed}`).toEqual([
        whole(text),
        whole(text),
        whole(reasoning),
        calls.map(({ input }) => argumentsOf(input)),
      ]);
    }
  });

  test(`messages, ${ROUNDS} cuts`, { timeout: 600_000 }, async () => {
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const random = new Random(seed);
      const script = scriptOf(random);
      const bytes = await through(messagesEvents('m', script, cutBy(random)), random, { operation: 'messages' });
      const { content } = await anthropic(bytes)
        .messages.stream({ model: 'm', max_tokens: 9, messages: [] })
        .finalMessage();
      const got = content.map((block) => {
        if (block.type === 'thinking') return block.thinking;
        return block.type === 'text' ? block.text : block.type === 'tool_use' && JSON.stringify(block.input);
      });
      const { text = '', reasoning = '', calls = [] } = script;
      expect(got, `seed ${seed}`).toEqual([
        whole(reasoning),
        whole(text),
        ...calls.map(({ input }) => JSON.stringify(JSON.parse(argumentsOf(input)))),
      ]);
    }
  });
});

/** What a client of Gemini puts together: of each candidate the texts, what is thought, and the calls. */
interface Contents {
  text: string;
  thought: string;
  calls: unknown[];
}

interface Piece {
  readonly candidates: readonly {
    readonly index?: number;
    readonly content?: {
      readonly parts?: readonly { text?: string; thought?: boolean; functionCall?: { name: string; args: object } }[];
    };
  }[];
}

function contentsOf(bytes: Buffer, isList: boolean): Contents[] {
  const all: Contents[] = [];
  const pieces = isList
    ? (JSON.parse(bytes.toString()) as Piece[])
    : [...bytes.toString().matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data as string) as Piece);
  for (const { index = 0, content } of pieces.flatMap(({ candidates }) => candidates)) {
    const one = (all[index] ??= { text: '', thought: '', calls: [] });
    for (const { text = '', thought, functionCall } of content?.parts ?? []) {
      one[thought ? 'thought' : 'text'] += text;
      if (functionCall) one.calls.push(functionCall.args);
    }
  }
  return all;
}

const piecesOf = (scripts: readonly Script[], cut: Cut): readonly DoubleEvent[] =>
  contentsPieces('m', scripts, cut).map((data): DoubleEvent => ['', data]);

/** Google's SDK is none of ours: texts are put together as its documentation says, part by part. */
test.each([
  ['events', false],
  ['a list', true],
])(`contents of three candidates as %s, ${ROUNDS} cuts`, { timeout: 600_000 }, async (_, isList) => {
  for (let seed = 1; seed <= ROUNDS; seed++) {
    const random = new Random(seed);
    const scripts = [scriptOf(random), scriptOf(random), scriptOf(random)];
    const bytes = await through(piecesOf(scripts, cutBy(random)), random, { operation: 'contents', isList });
    const wanted = scripts.map(({ text = '', reasoning = '', calls = [] }) => ({
      text: whole(text),
      thought: whole(reasoning),
      calls: calls.map(({ input }) => JSON.parse(argumentsOf(input)) as unknown),
    }));
    expect(contentsOf(bytes, isList), `seed ${seed}`).toEqual(wanted);
  }
});

/** Cuts of each API, with values that are put back. */
const REPLACED_ROUNDS = 100;

describe('what an SDK has at the end has the values that were replaced, and what is on record has none of them', () => {
  const SENT = ['ada@example.com', '4111 1111 1111 1111', '+49 170 1234567', '"o\'brien, p."@example.com'];
  const key = Buffer.from('a key of an installation');
  const visit = new Replacements(key, 'ada');
  const replaced: MaskRule = { ...RULE, with: { type: 'reversible' } };
  const entities = ['EMAIL', 'CREDIT_CARD', 'PHONE', 'EMAIL'];
  const tokens = SENT.map((value, at) =>
    maskText(value, { mode: visit.outward, key, entity: entities[at] as string }),
  ) as readonly string[];
  const masks = new JsonParts(detectorsOf([replaced], key, visit.inward(key)), undefined);
  const OTHERS = [
    'to',
    'tok_',
    'tok_email_',
    ' t',
    'toktok_email_aa',
    'at',
    '\n',
    '{"a": "',
    '🙂',
    'tok_email_aaaaaaaaaaaaaaaaaaaa',
  ];
  const texts = (random: Random): { token: string; value: string } => {
    const picked = Array.from({ length: random.below(6) }, () => random.below(SENT.length + OTHERS.length));
    const write = (all: readonly string[]): string => picked.map((at) => [...all, ...OTHERS][at]).join(' ');
    return { token: `a ${write(tokens)}.`, value: `a ${write(SENT)}.` };
  };
  const rounds = async (
    operation: Through['operation'],
    events: (script: Script, cut: Cut) => readonly DoubleEvent[],
    read: (bytes: Buffer) => Promise<unknown>,
  ): Promise<void> => {
    for (let seed = 1; seed <= REPLACED_ROUNDS; seed++) {
      const random = new Random(seed);
      const [text, note] = [texts(random), texts(random)];
      const script = { text: text.token, calls: [{ tool: 'mail', input: { note: note.token } }] };
      const recorded: Buffer[] = [];
      const judged: string[] = [];
      const propose = ({ input }: ProposedCall): Answer => (judged.push(input), ALLOW);
      const bytes = await through(events(script, cutBy(random)), random, { operation, propose, masks, recorded });
      const wanted = JSON.stringify({ note: note.value });
      expect(await read(bytes), `seed ${seed}`).toEqual([text.value, wanted]);
      expect(judged, `seed ${seed}`).toEqual([wanted]);
      for (const value of SENT)
        expect(Buffer.concat(recorded).includes(JSON.stringify(value).slice(1, -1))).toBe(false);
    }
  };

  test('chat completions', async () => {
    await rounds(
      'chat',
      (script, cut) => chatEvents('m', [script], cut, false),
      async (bytes) => {
        const stream = openai(bytes).chat.completions.stream({ model: 'm', messages: [] });
        const [choice] = (await stream.finalChatCompletion()).choices;
        const [call] = choice?.message.tool_calls ?? [];
        return [choice?.message.content, call?.type === 'function' && call.function.arguments];
      },
    );
  });

  test('responses', async () => {
    await rounds(
      'responses',
      (script, cut) => responsesEvents('m', script, cut),
      async (bytes) => {
        const { output_text: text, output } = await openai(bytes)
          .responses.stream({ model: 'm', input: '' })
          .finalResponse();
        return [text, output.flatMap((item) => (item.type === 'function_call' ? [item.arguments] : []))[0]];
      },
    );
  });

  test('contents', async () => {
    await rounds(
      'contents',
      (script, cut) => piecesOf([script], cut),
      (bytes) => {
        const [{ text, calls } = { text: '', calls: [] }] = contentsOf(bytes, false);
        return Promise.resolve([text, JSON.stringify(calls[0])]);
      },
    );
  });

  test('messages', async () => {
    await rounds(
      'messages',
      (script, cut) => messagesEvents('m', script, cut),
      async (bytes) => {
        const { content } = await anthropic(bytes)
          .messages.stream({ model: 'm', max_tokens: 9, messages: [] })
          .finalMessage();
        return content.map((block) =>
          block.type === 'tool_use' ? JSON.stringify(block.input) : block.type === 'text' && block.text,
        );
      },
    );
  });
});

const NO_DROPS: Answer = { type: 'deny', rule: 'no-drops', message: 'Nothing is dropped.' };
const CALLS: Script = {
  text: 'I look.',
  calls: [
    { tool: 'sql', input: { query: 'drop table orders' } },
    { tool: 'sql', input: { query: 'select 1' } },
  ],
};
const ONE: Script = { calls: [{ tool: 'sql', input: { query: 'drop table orders' } }] };
const SENTENCE = 'The call of the tool "sql" was refused by rule "no-drops" and has not been made. Nothing is dropped.';

/** At once, or as late as an analysis in another thread. */
describe.each([
  ['at once', (call: ProposedCall) => (call.input.includes('drop') ? NO_DROPS : ALLOW)],
  [
    'after a while',
    async (call: ProposedCall) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (call.input.includes('drop')) return NO_DROPS;
      return ALLOW;
    },
  ],
])('a refused call becomes a text, and the others pass, judged %s', (_, propose) => {
  test('chat completions', async () => {
    const random = new Random(7);
    const ask = async (script: Script) => {
      const bytes = await through(chatEvents('m', [script], cutBy(random), false), random, {
        operation: 'chat',
        propose,
      });
      return (await openai(bytes).chat.completions.stream({ model: 'm', messages: [] }).finalChatCompletion())
        .choices[0];
    };
    expect(await ask(CALLS)).toMatchObject({
      finish_reason: 'tool_calls',
      message: { content: `I look.${SENTENCE}`, tool_calls: [{ function: { arguments: '{"query":"select 1"}' } }] },
    });
    const one = await ask(ONE);
    expect(one).toMatchObject({ finish_reason: 'stop', message: { content: SENTENCE } });
    expect(one?.message.tool_calls ?? []).toEqual([]);
  });

  test('responses', async () => {
    const random = new Random(7);
    const ask = async (script: Script) => {
      const events = responsesEvents('m', script, cutBy(random));
      const bytes = await through(events, random, { operation: 'responses', propose });
      expect(bytes.toString()).not.toContain('drop table');
      return openai(bytes).responses.stream({ model: 'm', input: '' }).finalResponse();
    };
    const both = await ask(CALLS);
    expect(both.output_text).toBe(`I look.${SENTENCE}`);
    expect(both.output.filter(({ type }) => type === 'function_call')).toMatchObject([
      { arguments: '{"query":"select 1"}' },
    ]);
    const one = await ask(ONE);
    expect(one.output_text).toBe(SENTENCE);
    expect(one.output.map(({ type }) => type)).toEqual(['message']);
  });

  test('contents', async () => {
    for (const isList of [false, true]) {
      const random = new Random(7);
      const ask = async (script: Script) =>
        contentsOf(
          await through(piecesOf([script], cutBy(random)), random, { operation: 'contents', isList, propose }),
          isList,
        );
      expect(await ask(CALLS)).toEqual([{ text: `I look.${SENTENCE}`, thought: '', calls: [{ query: 'select 1' }] }]);
      expect(await ask(ONE)).toEqual([{ text: SENTENCE, thought: '', calls: [] }]);
    }
  });

  test('messages', async () => {
    const random = new Random(7);
    const ask = async (script: Script) => {
      const events = messagesEvents('m', script, cutBy(random));
      const bytes = await through(events, random, { operation: 'messages', propose });
      return anthropic(bytes).messages.stream({ model: 'm', max_tokens: 9, messages: [] }).finalMessage();
    };
    expect(await ask(CALLS)).toMatchObject({
      stop_reason: 'tool_use',
      content: [{ text: 'I look.' }, { type: 'text', text: SENTENCE }, { input: { query: 'select 1' } }],
    });
    expect(await ask(ONE)).toMatchObject({ stop_reason: 'end_turn', content: [{ type: 'text', text: SENTENCE }] });
  });
});
