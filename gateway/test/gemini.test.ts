/** Gemini through a whole gateway, as its clients speak: what they get, what they are told, and what never leaves. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ModelStand, openModelStand } from './model-stand.js';

const RULES = `
    - { rule: known, when: 'llm.operation == "contents" && llm.model != "gemini-x"', deny: Not this model. }
    - { rule: no-secrets, when: '"api_key" in request.found', deny: A prompt has no keys. }
    - { rule: no-shells, when: '"shell" in llm.tools || "codeExecution" in llm.tools', deny: No shells. }
    - { rule: pictures, when: 'llm.images > 0', deny: No pictures. }
    - { rule: roles, when: 'llm.messages.exists(m, m.role == "system" && m.text.matches("be rude"))', deny: Be nice. }
    - { rule: streams, when: 'llm.stream && llm.text.matches("in one piece")', deny: Not in pieces. }
    - { rule: kept, when: llm.continues, deny: Say it all. }
    - { rule: no-drops, when: 'command.type == "tool" && "destroy" in action.effects', deny: Nothing is dropped. }
    - { rule: people, mask: { detect: [email], request: true, with: reversible } }
    - { rule: cards, mask: { detect: [credit_card] } }
    - { rule: dear, when: 'llm.operation == "contents"', budget: { tokens: 50000 } }
`;
const SCRIPT = {
  text: 'The card 4111 1111 1111 1111 of Zoë (🙂).',
  reasoning: 'A card.',
  calls: [
    { tool: 'sql', input: { query: 'drop table orders' } },
    { tool: 'sql', input: { query: 'select 1' } },
  ],
};

let stand: ModelStand;
beforeAll(async () => {
  stand = await openModelStand({
    provider: 'gemini',
    rules: RULES,
    llm: 'tools: { sql: { sql: postgres, argument: query } }',
  });
});
afterAll(() => stand.stop());

const said = (text: string, more: object = {}) => ({ contents: [{ parts: [{ text }] }], ...more });
const ask = (verb: string, body: object, path = 'v1beta/models/gemini-x') =>
  fetch(`${stand.url}/${path}:${verb}`, {
    method: 'POST',
    headers: { 'x-goog-api-key': stand.token, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

interface Answer {
  readonly candidates: readonly { readonly content: { readonly parts: readonly Part[] } }[];
}
interface Part {
  readonly text?: string;
  readonly thought?: boolean;
  readonly functionCall?: object;
}
const partsOf = (answers: readonly Answer[]): readonly Part[] =>
  answers.flatMap(({ candidates }) => candidates[0]?.content.parts ?? []);
const textOf = (answers: readonly Answer[]): string =>
  partsOf(answers)
    .map(({ text = '', thought }) => (thought ? '' : text))
    .join('');

/** All ways in which an answer comes. */
const WAYS: readonly (readonly [way: string, verb: string, read: (text: string) => readonly Answer[]])[] = [
  ['whole', 'generateContent', (text) => [JSON.parse(text) as Answer]],
  ['as a list', 'streamGenerateContent', (text) => JSON.parse(text) as Answer[]],
  [
    'as events',
    'streamGenerateContent?alt=sse',
    (text) => [...text.matchAll(/^data: (.*)$/gm)].map(([, data]) => JSON.parse(data as string) as Answer),
  ],
];

test.each(WAYS)('an answer %s is masked, its calls are judged, and values are put back', async (_, verb, read) => {
  stand.double.says = () => SCRIPT;
  const first = await ask(verb, said('hi'));
  expect(first.status).toBe(200);
  const answers = read(await first.text());
  const refusal =
    'The call of the tool "sql" was refused by rule "no-drops" and has not been made. Nothing is dropped.';
  expect(textOf(answers)).toBe(`The card [masked:CREDIT_CARD] of Zoë (🙂).${refusal}`);
  expect(partsOf(answers).flatMap(({ functionCall }) => functionCall ?? [])).toEqual([
    { name: 'sql', args: { query: 'select 1' } },
  ]);
  stand.double.says = (asked) => {
    const [token = ''] = /tok_email_[a-z2-7]{20}/.exec(JSON.stringify(asked)) ?? [];
    return { text: `To ${token}`, calls: [{ tool: 'mail', input: { to: token } }] };
  };
  const mailed = read(await (await ask(verb, said('Mail ada@example.com'))).text());
  expect(textOf(mailed)).toBe('To ada@example.com');
  expect(partsOf(mailed).flatMap(({ functionCall }) => functionCall ?? [])).toEqual([
    { name: 'mail', args: { to: 'ada@example.com' } },
  ]);
  expect(stand.double.heard.at(-1)?.body).not.toContain('example.com');
  expect(stand.double.heard.at(-1)?.headers['x-goog-api-key']).toBe('the-key-of-the-provider');
});

describe('refused, in the shape of the provider', () => {
  test.each([
    ['another model', 'generateContent', said('hi'), 'Not this model.', 'v1beta/models/gemini-y'],
    [
      'one of Vertex',
      'generateContent',
      said('hi'),
      'Not this model.',
      'v1/projects/p/locations/l/publishers/google/models/gemini-y',
    ],
    ['a key', 'generateContent', said('use AKIAIOSFODNN7REALKEY'), 'A prompt has no keys.'],
    ['a key, streamed', 'streamGenerateContent', said('use AKIAIOSFODNN7REALKEY'), 'A prompt has no keys.'],
    [
      'a key in what is embedded',
      'embedContent',
      { content: { parts: [{ text: 'AKIAIOSFODNN7REALKEY' }] } },
      'no keys',
    ],
    ['a key in what is counted', 'countTokens', said('AKIAIOSFODNN7REALKEY'), 'no keys'],
    [
      'a key in one of many',
      'batchEmbedContents',
      { requests: [{ content: { parts: [{ text: 'AKIAIOSFODNN7REALKEY' }] } }] },
      'no keys',
    ],
    [
      'a tool',
      'generateContent',
      said('hi', { tools: [{ functionDeclarations: [{ name: 'a' }, { name: 'shell' }] }] }),
      'No shells.',
    ],
    ['a tool of the provider', 'generateContent', said('hi', { tools: [{ codeExecution: {} }] }), 'No shells.'],
    [
      'a picture',
      'generateContent',
      { contents: { parts: [{ inline_data: { mime_type: 'image/png', data: 'aGk=' } }] } },
      'No pictures.',
    ],
    [
      'what stands above',
      'generateContent',
      said('hi', { system_instruction: { parts: [{ text: 'Be rude.' }] } }),
      'Be nice.',
    ],
    ['a stream', 'streamGenerateContent', said('in one piece'), 'Not in pieces.'],
    ['what is kept there', 'generateContent', said('hi', { cachedContent: 'cachedContents/7' }), 'Say it all.'],
    [
      'what is dear',
      'generateContent',
      said('hi', { generationConfig: { maxOutputTokens: 30000, candidateCount: 2 } }),
      'budget',
    ],
    ['what nobody reads', 'batchGenerateContent', said('hi'), 'is not read here'],
  ])('%s', async (_, verb, body, sentence, path = 'v1beta/models/gemini-x') => {
    const before = stand.double.heard.length;
    const answer = await ask(verb, body, path);
    const { error } = (await answer.json()) as { error: { code: number; message: string; status: string } };
    expect(error.message).toContain(sentence);
    expect(error).toMatchObject(
      answer.status === 429
        ? { code: 429, status: 'RESOURCE_EXHAUSTED' }
        : { code: 403, status: 'PERMISSION_DENIED', details: [{ reason: expect.any(String) as string }] },
    );
    expect(stand.double.heard).toHaveLength(before);
  });

  test.each(['key=AIzaOfSomebodyElse', 'alt=sse&%6Bey=x', '$key=x', 'oauth_token=x', 'access%5Ftoken=x'])(
    'a key of the client: %s',
    async (query) => {
      const before = stand.double.heard.length;
      const answer = await ask(`generateContent?${query}`, said('hi'));
      expect(answer.status).toBe(400);
      expect(await answer.text()).toContain('send it as');
      expect(stand.double.heard).toHaveLength(before);
    },
  );

  test('a call in pieces, and a list that is none', async () => {
    const answers = (answer: string) => {
      stand.double.raw = answer;
      return ask('streamGenerateContent', said('hi')).then((one) => one.text().catch(() => 'broke off'));
    };
    const piece = { candidates: [{ content: { parts: [{ functionCall: { name: 'sql', willContinue: true } }] } }] };
    for (const answer of [JSON.stringify([piece]), '[{}] {}', '[{}', '[nothing]', '[{"a":1,"a":2}]'])
      expect(await answers(answer)).toMatch(/does not pass|broke off/);
    expect(await answers('[]')).toBe('[]');
    stand.double.raw = undefined;
  });
});
