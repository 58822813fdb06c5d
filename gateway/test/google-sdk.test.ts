/** Google's SDK of npm, pointed at the gateway: what it has in the end is what it has without one, and refusals are its errors. */
import { ApiError, type GenerateContentResponse, GoogleGenAI } from '@google/genai';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ModelStand, openModelStand } from './model-stand.js';

const RULES = `
    - { rule: known, when: 'llm.operation == "contents" && llm.model != "gemini-x"', deny: Not this model. }
    - { rule: no-keys, when: '"api_key" in request.found', deny: A prompt has no keys. }
    - { rule: mails, when: 'request.path.contains("gemini-x")', mask: { detect: [email] } }
    - { rule: no-destruction, when: 'command.type == "tool" && action.effects.exists(e, e in ["destroy", "define"])', deny: Nothing is destroyed by a model. }
    - { rule: all, when: 'command.type == "request"', allow: true }
`;
const SCRIPT = {
  text: 'The order of Zoë (🙂) is on its way.\nIt comes "tomorrow".',
  reasoning: 'She asks for her order.',
  calls: [{ tool: 'track', input: { order: 7, note: 'a "quoted" word' } }],
};

let stand: ModelStand;
beforeEach(async () => {
  stand = await openModelStand({
    provider: 'gemini',
    rules: RULES,
    llm: 'tools: { run_sql: { sql: postgres, argument: query } }',
  });
});
afterEach(() => stand.stop());

const client = (baseUrl: string, apiKey: string): GoogleGenAI => new GoogleGenAI({ apiKey, httpOptions: { baseUrl } });
const through = (): GoogleGenAI => client(stand.url, stand.token);
const direct = (): GoogleGenAI => client(`http://127.0.0.1:${stand.double.port}`, 'the-key-of-the-provider');

/** What a program reads of it: not the head of its answer, which goes by another road. */
const read = ({ candidates, usageMetadata, text, functionCalls }: GenerateContentResponse): object => ({
  candidates,
  usageMetadata,
  text,
  functionCalls,
});

async function together(pieces: AsyncIterable<GenerateContentResponse>): Promise<object> {
  let [text, thought] = ['', ''];
  const calls: unknown[] = [];
  for await (const { candidates } of pieces)
    for (const part of candidates?.[0]?.content?.parts ?? []) {
      if (part.thought) thought += part.text ?? '';
      else text += part.text ?? '';
      if (part.functionCall) calls.push(part.functionCall);
    }
  return { text, thought, calls };
}

test('through, as direct: whole, streamed, counted and embedded', async () => {
  stand.double.says = () => SCRIPT;
  const asked = { model: 'gemini-x', contents: 'Where is my order?', config: { systemInstruction: 'Be brief.' } };
  const [one, other] = await Promise.all(
    [direct(), through()].map(async ({ models }) => [
      read(await models.generateContent(asked)),
      await together(await models.generateContentStream(asked)),
      (await models.countTokens({ model: 'gemini-x', contents: 'hi' })).totalTokens,
      (await models.embedContent({ model: 'gemini-x', contents: ['hi'] })).embeddings,
    ]),
  );
  expect(other).toEqual(one);
  expect(one?.[1]).toEqual({
    text: SCRIPT.text,
    thought: SCRIPT.reasoning,
    calls: [{ name: 'track', args: SCRIPT.calls[0]?.input }],
  });
  expect(new Set(stand.double.heard.map(({ headers }) => headers['x-goog-api-key']))).toEqual(
    new Set(['the-key-of-the-provider']),
  );
});

test('a chat of several turns', async () => {
  stand.double.says = ({ contents }) => ({ text: `${(contents as unknown[]).length} so far` });
  const chat = through().chats.create({ model: 'gemini-x' });
  expect((await chat.sendMessage({ message: 'one' })).text).toBe('1 so far');
  expect((await chat.sendMessage({ message: 'two' })).text).toBe('3 so far');
});

test('is masked, however the text is cut', async () => {
  const text = 'Write to ada@example.com or bob@example.com, soon.';
  stand.double.says = () => ({ text });
  const masked = 'Write to [masked:EMAIL] or [masked:EMAIL], soon.';
  for (const size of [1, 3, 7, 100]) {
    stand.double.cut = (all) => all.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
    const asked = { model: 'gemini-x', contents: 'hi' };
    expect(await together(await through().models.generateContentStream(asked))).toMatchObject({ text: masked });
    expect((await through().models.generateContent(asked)).text).toBe(masked);
  }
});

test('is told why, in an error of its own', async () => {
  const refused = async (asking: Promise<unknown>): Promise<ApiError> => {
    const thrown: unknown = await asking.catch((error: unknown) => error);
    expect(thrown).toBeInstanceOf(ApiError);
    return thrown as ApiError;
  };
  const { models } = through();
  const key = await refused(models.generateContent({ model: 'gemini-x', contents: 'AKIAIOSFODNN7REALKEY' }));
  expect([key.status, key.message]).toEqual([403, expect.stringContaining('A prompt has no keys.')]);
  const model = await refused(models.generateContentStream({ model: 'gemini-y', contents: 'hi' }));
  expect([model.status, model.message]).toEqual([403, expect.stringContaining('Not this model.')]);
  const stranger = await refused(
    client(stand.url, 'no-token').models.generateContent({ model: 'gemini-x', contents: 'hi' }),
  );
  expect(stranger.status).toBe(401);
  expect(stand.double.heard).toEqual([]);
});

test('a refused call becomes a text, and the others pass', async () => {
  const calls = ['select 1', 'drop table t'].map((query) => ({ tool: 'run_sql', input: { query } }));
  stand.double.says = () => ({ calls });
  const asked = { model: 'gemini-x', contents: 'hi' };
  const whole = await through().models.generateContent(asked);
  expect(whole.functionCalls?.map(({ args }) => args)).toEqual([{ query: 'select 1' }]);
  expect(whole.text).toContain('Nothing is destroyed by a model.');
  expect(await together(await through().models.generateContentStream(asked))).toMatchObject({
    text: expect.stringContaining('Nothing is destroyed by a model.'),
    calls: [{ name: 'run_sql', args: { query: 'select 1' } }],
  });
});
