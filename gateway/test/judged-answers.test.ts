/** Answers that rules judge before their client has any of them: by status and type, by what is in them, by people. */
import { globSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { caller } from './control.js';
import { type HttpStand, openHttpStand } from './http-stand.js';
import { type ModelStand, type ModelStandOptions, openModelStand } from './model-stand.js';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function open(options: ModelStandOptions = {}): Promise<ModelStand> {
  const stand = await openModelStand(options);
  stops.push(stand.stop);
  return stand;
}

const said = (content: string) => [{ role: 'user' as const, content }];
const error = async (asking: PromiseLike<unknown>): Promise<{ status?: number; message: string }> => {
  try {
    await asking;
  } catch (thrown) {
    return thrown as { status?: number; message: string };
  }
  throw new Error('it was not refused');
};
async function journalOf({ gateway, folder }: HttpStand): Promise<string> {
  await gateway.stop();
  return globSync('data/journal/*', { cwd: folder })
    .map((name) => readFileSync(join(folder, name), 'latin1'))
    .join('');
}
const control = (stand: HttpStand) => caller(stand as never, stand.ada);
const pending = async (stand: HttpStand): Promise<{ number: number; text: string }> => {
  const [first] = await vi.waitFor(async () => {
    const all = await control(stand).get<{ number: number; state: string; text: string }[]>('/v1/approvals');
    const waiting = all.filter(({ state }) => state === 'pending');
    expect(waiting).toHaveLength(1);
    return waiting;
  });
  return first ?? { number: 0, text: '' };
};

const KEY_OF_A_VENDOR = 'AKIAIOSFODNN7REALKEY';
const APIS = ['chat', 'responses', 'messages'] as const;
type Api = (typeof APIS)[number];

function ask(stand: ModelStand, api: Api, stream: boolean): Promise<string> {
  const { openai, anthropic } = stand;
  const chat = { model: 'm', messages: said('hi') };
  const asked = { model: 'm', input: 'hi' };
  const message = { model: 'm', max_tokens: 99, messages: said('hi') };
  switch (api) {
    case 'chat':
      return (
        stream ? openai.chat.completions.stream(chat).finalChatCompletion() : openai.chat.completions.create(chat)
      ).then(({ choices }) => choices[0]?.message.content ?? '');
    case 'responses':
      return (stream ? openai.responses.stream(asked).finalResponse() : openai.responses.create(asked)).then(
        ({ output_text: text }) => text,
      );
    default:
      return (stream ? anthropic.messages.stream(message).finalMessage() : anthropic.messages.create(message)).then(
        ({ content }) => content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
      );
  }
}

const WAYS = APIS.flatMap((api) => [false, true].map((stream) => [api, stream] as const));
const provider = (api: Api) => (api === 'messages' ? 'anthropic' : 'openai');

const RULES = `
    - { rule: no-secrets, when: '"api_key" in answer.found', deny: The answer has a key. }
    - { rule: no-spells, when: 'llm.answer.text.matches("open sesame")', deny: The answer has a spell. }
    - { rule: no-destruction, when: 'llm.answer.code.exists(c, "destroy" in c.effects)', deny: The answer destroys something. }
    - { rule: model-m, when: 'llm.model == "m"', risk: 20 }
    - { rule: has-mail, when: '"email" in answer.found', risk: 30 }
    - { rule: has-card, when: '"credit_card" in answer.found', risk: 50 }
    - { rule: people-look, when: 'risk >= 60', hold_answer: { approvers: ["user:ada"], timeout: 1m } }
    - { rule: mails, mask: { detect: [email] } }
`;

describe.each(WAYS)('an answer of %s (stream: %s)', (api, stream) => {
  test('is refused for what is in it, or waits for people who read it with its masks', async () => {
    const stand = await open({ rules: RULES, provider: provider(api) });
    for (const [text, sentence] of [
      [`Use ${KEY_OF_A_VENDOR} for it.`, 'The answer has a key.'],
      ['Say ＯＰＥＮ\u200b  sesame!', 'The answer has a spell.'],
      ['```bash\nrm -rf /srv\n```', 'The answer destroys something.'],
      ['So:\n\n~~~sql\ndrop table shop;\n~~~\n', 'The answer destroys something.'],
      ['```py\nimport shutil\nshutil.rmtree("x")', 'The answer destroys something.'],
    ] as const) {
      stand.double.says = () => ({ text });
      expect((await error(ask(stand, api, stream))).message).toContain(sentence);
    }
    // SDKs do not repeat what is refused.
    expect(stand.double.heard).toHaveLength(5);
    for (const text of ['Nothing of that kind.', 'So:\n```bash\nls -l\n```\n```sql\nselect 1\n```']) {
      stand.double.says = () => ({ text });
      expect(await ask(stand, api, stream)).toBe(text);
    }
    stand.double.says = () => ({ text: 'Write to bob@example.com.' });
    expect(await ask(stand, api, stream)).toBe('Write to [masked:EMAIL].');
    stand.double.says = () => ({ text: 'Write to bob@example.com, with 4111 1111 1111 1111.' });
    const first = ask(stand, api, stream);
    const one = await pending(stand);
    const { text: shown } = await control(stand).get<{ text: string }>(`/v1/approvals/${one.number}`);
    expect(shown).toContain('Write to [masked:EMAIL], with 4111 1111 1111 1111.');
    expect(shown).toContain('POST 127.0.0.1/');
    await control(stand).post(`/v1/approvals/${one.number}/approve`, { reason: 'fine' });
    expect(await first).toBe('Write to [masked:EMAIL], with 4111 1111 1111 1111.');
    const second = error(ask(stand, api, stream));
    await control(stand).post(`/v1/approvals/${(await pending(stand)).number}/deny`, { reason: 'not that card' });
    expect((await second).message).toContain('not that card');
    const journal = await journalOf(stand);
    expect(journal).toContain('"type":"answer","origin":1,');
    expect(journal).not.toContain(KEY_OF_A_VENDOR);
    expect(journal).not.toContain('bob@example.com');
  });
});

test('a streamed answer that is held has sent nothing of it, and comments meanwhile', async () => {
  const rules = `
    - { rule: people-look, hold_answer: { approvers: ["user:ada"], timeout: 1m } }
`;
  const stand = await open({ rules });
  stand.double.says = () => ({ text: 'The secret word.' });
  const answer = await fetch(`${stand.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stand.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', stream: true, messages: said('hi') }),
  });
  expect(answer.headers.get('content-type')).toBe('text/event-stream');
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  const { value } = await reader.read();
  expect(Buffer.from(value ?? []).toString()).toMatch(/^: [^\n]*\n\n$/);
  await control(stand).post(`/v1/approvals/${(await pending(stand)).number}/approve`, { reason: 'fine' });
  let rest = '';
  for (let part = await reader.read(); !part.done; part = await reader.read())
    rest += Buffer.from(part.value).toString();
  expect(rest).toContain('[DONE]');
  expect(rest).toContain('"The "');
});

test('whoever hangs up withdraws the question, and one that nobody answers is refused', async () => {
  const rules = `
    - { rule: people-look, when: 'llm.model == "m"', hold_answer: { approvers: ["user:ada"], timeout: 1m } }
    - { rule: not-for-long, when: 'llm.model == "n"', hold_answer: { approvers: ["user:ada"], timeout: 1s } }
`;
  const stand = await open({ rules });
  const hangUp = new AbortController();
  const gone = error(
    stand.openai.chat.completions.create({ model: 'm', messages: said('hi') }, { signal: hangUp.signal }),
  );
  const { number } = await pending(stand);
  hangUp.abort();
  await gone;
  await vi.waitFor(async () =>
    expect(await control(stand).get(`/v1/approvals/${number}`)).toMatchObject({ state: 'withdrawn' }),
  );
  const late = await error(stand.openai.chat.completions.create({ model: 'n', messages: said('ho') }));
  expect(late.status).toBe(403);
  expect(late.message).toContain('Nobody');
});

test('an answer that is too long to be judged does not pass', async () => {
  const rules = `
    - { rule: no-secrets, when: '"api_key" in answer.found', deny: The answer has a key. }
`;
  const stand = await open({ rules });
  stand.double.says = () => ({ text: 'x'.repeat(5 * 1024 * 1024) });
  stand.double.cut = (text) => [text];
  const long = await error(
    stand.openai.chat.completions.create({ model: 'm', messages: said('hi') }, { maxRetries: 0 }),
  );
  expect(long.status).toBe(502);
  expect(long.message).toContain('has more than 4194304 bytes');
});

test('conditions on an answer that cannot be meant so are mistakes', async () => {
  for (const [rule, sentence] of [
    [`{ rule: x, when: 'answer.status == 200', allow: true }`, 'is there when the command has run'],
    [
      `{ rule: x, when: 'answer.status == 200', hold: { approvers: ["user:ada"] } }`,
      '"hold_answer" has people read it',
    ],
    [`{ rule: x, when: 'risk > 1', risk: 5 }`, 'cannot hang on "risk" itself'],
    [`{ rule: x, when: '["a"].exists(answer, answer == "a")', deny: No. }`, '"answer" is an attribute'],
  ] as const)
    expect((await error(open({ rules: `\n    - ${rule}\n` }))).message).toContain(sentence);
});

describe('answers of any service', () => {
  const codings: string[] = [];
  function serve(request: IncomingMessage, response: ServerResponse): void {
    codings.push([request.headers['accept-encoding'] ?? ''].join());
    const { url = '' } = request;
    const leak = `{"key":"${KEY_OF_A_VENDOR}"}`;
    const send = (status: number, headers: Record<string, string>, body: string | Buffer): void =>
      void response.writeHead(status, headers).end(body);
    const json = 'application/json';
    if (url.endsWith('/broken')) send(500, { 'content-type': 'text/html' }, '<p>stack trace</p>');
    else if (url.endsWith('/leak')) send(200, { 'content-type': json }, leak);
    else if (url.endsWith('/coded')) send(200, { 'content-type': json, 'content-encoding': 'gzip' }, gzipSync(leak));
    else if (url.endsWith('/binary'))
      send(200, { 'content-type': 'application/octet-stream' }, Buffer.from([0xff, 0, 1]));
    else send(200, { 'content-type': json, etag: '"1"' }, '{"key":"none","mail":"bob@example.com"}');
  }
  async function plain(rules: string): Promise<HttpStand> {
    const stand = await openHttpStand({ rules, serve });
    stops.push(stand.stop);
    return stand;
  }
  const get = async (stand: HttpStand, path: string, method = 'GET') => {
    const answer = await fetch(`${stand.url}${path}`, { method, headers: { authorization: `Bearer ${stand.token}` } });
    return { status: answer.status, text: await answer.text(), headers: answer.headers };
  };

  test('by status and type, without its body', async () => {
    const rules = `
    - { rule: no-pages, when: 'answer.status >= 500 && answer.media == "text/html"', deny: The service is broken. }
    - { rule: mails, when: 'answer.media == "application/json" && request.path == "/masked"', mask: { detect: [email] } }
`;
    const stand = await plain(rules);
    const broken = await get(stand, '/broken');
    expect(broken).toMatchObject({ status: 403, text: expect.stringContaining('The service is broken.') });
    expect(broken.text).not.toContain('trace');
    const fine = await get(stand, '/fine');
    expect(fine.text).toBe('{"key":"none","mail":"bob@example.com"}');
    expect(fine.headers.get('etag')).toBe('"1"');
    expect((await get(stand, '/masked')).text).toBe('{"key":"none","mail":"[masked:EMAIL]"}');
  });

  test('by what is found in it', async () => {
    const stand = await plain(`
    - { rule: no-keys, when: '"api_key" in answer.found', deny: The answer has a key. }
`);
    for (const path of ['/leak', '/coded'])
      expect(await get(stand, path)).toMatchObject({
        status: 403,
        text: expect.stringContaining('The answer has a key.'),
      });
    expect((await get(stand, '/fine')).text).toBe('{"key":"none","mail":"bob@example.com"}');
    expect((await get(stand, '/fine', 'HEAD')).status).toBe(200);
    expect((await get(stand, '/binary')).text).toContain('nobody here can read it');
    expect(codings.at(-1)).toBe('identity');
  });

  test('people read it first', async () => {
    const stand = await plain(`
    - { rule: people-look, when: 'request.path == "/fine"', hold_answer: { approvers: ["user:ada"], timeout: 1m } }
`);
    expect((await get(stand, '/other')).status).toBe(200);
    const held = get(stand, '/fine');
    const { number } = await pending(stand);
    expect(await control(stand).get(`/v1/approvals/${number}`)).toMatchObject({
      text: expect.stringContaining('{"key":"none","mail":"bob@example.com"}'),
    });
    await control(stand).post(`/v1/approvals/${number}/approve`, { reason: 'fine' });
    expect((await held).text).toBe('{"key":"none","mail":"bob@example.com"}');
  });

  test('people who read it see no more than its client gets: neither what is masked by its place, nor the credential of the gateway', async () => {
    const rules = `
    - { rule: people-look, hold_answer: { approvers: ["user:ada"], timeout: 1m } }
    - { rule: masked, mask: { json: ["/mail"] } }
`;
    const stand = await openHttpStand({
      rules,
      credential: '{ bearer: "the-key-of-the-service" }',
      serve: (request, response) => {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ mail: 'bob@example.com', sent: request.headers.authorization, note: 'hello' }));
      },
    });
    stops.push(stand.stop);
    const held = get(stand, '/fine');
    const { number } = await pending(stand);
    const { text } = await control(stand).get<{ text: string }>(`/v1/approvals/${number}`);
    expect(text).toContain('"note":"hello"');
    expect(text).not.toContain('bob@example.com');
    expect(text).not.toContain('the-key-of-the-service');
    await control(stand).post(`/v1/approvals/${number}/approve`, { reason: 'fine' });
    const answer = (await held).text;
    expect(answer).toContain('"note":"hello"');
    expect(text).toContain(answer);
  });

  test('whoever waits for an answer does not read it in the request about it, before it is released or after', async () => {
    const stand = await plain(`
    - { rule: people-look, hold_answer: { approvers: ["user:ada"], timeout: 1m } }
`);
    const held = get(stand, '/fine');
    const { number } = await pending(stand);
    const own = caller(stand as never, stand.token);
    const seen = async (): Promise<string> =>
      JSON.stringify([await own.get(`/v1/approvals/${number}`), await own.get('/v1/approvals')]);
    expect(await seen()).toContain('others have to read first');
    expect(await seen()).not.toContain('bob@example.com');
    await control(stand).post(`/v1/approvals/${number}/deny`, { reason: 'not that one' });
    expect((await held).status).toBe(403);
    expect(await seen()).not.toContain('bob@example.com');
    const { text } = await control(stand).get<{ text: string }>(`/v1/approvals/${number}`);
    expect(text).toContain('bob@example.com');
  });

  test('a rule that only observes stops nothing', async () => {
    const stand = await plain(`
    - { rule: no-keys, when: '"api_key" in answer.found', deny: The answer has a key., mode: observe }
`);
    expect((await get(stand, '/leak')).status).toBe(200);
    expect(await journalOf(stand)).toContain('{"rule":"no-keys","effect":"deny","observed":true}');
  });
});

test('code is found whoever would read it: behind fences that stand elsewhere, in texts that are put together, beside a prompt', async () => {
  const stand = await open({ rules: RULES, provider: 'anthropic' });
  for (const text of [
    '```bash\n- ```\nrm -rf /srv\n```',
    '> ```bash\n> ls\n```\nrm -rf /srv\n```',
    '1. So:\n   ```bash\n   ls\n```\nrm -rf /srv\n```\n',
    '```bash\nrm -rf /srv\n$ ls\n```',
    '```\nrm -rf /srv\n> ls\n```',
  ]) {
    stand.double.says = () => ({ text });
    expect((await error(ask(stand, 'messages', false))).message).toContain('The answer destroys something.');
  }
  stand.double.says = () => ({
    text: `${'```py\nx = 1\n```\n'.repeat(2)}- \`\`\`sh\n  ls\n  \`\`\`\nNever rm -rf /srv there.`,
  });
  expect(await ask(stand, 'messages', false)).toContain('Never');
  const many = Array.from({ length: 101 }, (_, n) => `\`\`\`py\nx = ${n}\n\`\`\`\n`).join('');
  stand.double.says = () => ({ text: many });
  expect((await error(ask(stand, 'messages', true))).message).toContain('more than is analysed');
});

test('a fence of one part is open in the next', async () => {
  const content = ['```bash\n', 'rm -rf /srv\n', '```\n'].map((text) => ({ type: 'text', text }));
  const answer = { id: 'm', type: 'message', role: 'assistant', model: 'm', content, stop_reason: 'end_turn' };
  const stand = await openHttpStand({
    serve: (_request, response) => {
      response.setHeader('Content-Type', 'application/json');
      response.end(JSON.stringify(answer));
    },
    connection: 'llm: { provider: anthropic }',
    rules: RULES,
  });
  stops.push(stand.stop);
  const got = await fetch(`${stand.url}/v1/messages`, {
    method: 'POST',
    headers: { authorization: `Bearer ${stand.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', max_tokens: 9, messages: said('hi') }),
  });
  expect(await got.text()).toContain('The answer destroys something.');
});

test('hints before an answer that is judged name nothing, and an answer that says twice what it is does not pass', async () => {
  const types: string[][] = [['text/plain'], ['text/plain', 'text/html']];
  const stand = await openHttpStand({
    serve: (_request, response) => {
      response.writeEarlyHints({ link: '</of-bob>; rel=preload', 'x-key': KEY_OF_A_VENDOR });
      response.setHeader('Content-Type', types.shift() ?? []);
      response.end(KEY_OF_A_VENDOR);
    },
    rules: `
    - { rule: no-keys, when: '"api_key" in answer.found', deny: The answer has a key. }
    - { rule: requests, when: 'true', allow: true }
`,
  });
  stops.push(stand.stop);
  for (const [status, sentence] of [
    [403, 'The answer has a key.'],
    [502, 'says twice what it is'],
  ] as const) {
    const heard = await new Promise<string>((resolve) => {
      const socket = connect(stand.port, '127.0.0.1');
      let all = '';
      socket.on('data', (bytes: Buffer) => (all += bytes.toString('latin1')));
      socket.on('close', () => resolve(all));
      socket.write(
        `GET /svc/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${stand.token}\r\n\r\n`,
      );
    });
    expect(heard).toContain(`HTTP/1.1 ${status} `);
    expect(heard).toContain(sentence);
    expect(heard).not.toContain(KEY_OF_A_VENDOR);
    expect(heard).not.toContain('of-bob');
  }
});

test('people are not asked about what is no text, although its bytes could be one', async () => {
  const stand = await openHttpStand({
    serve: (_request, response) => {
      response.setHeader('Content-Type', 'application/grpc');
      response.end(Buffer.from('\0\0\0\0\x05\n\x03bob'));
    },
    rules: `
    - { rule: people-look, hold_answer: { approvers: ["user:ada"], timeout: 1m } }
`,
  });
  stops.push(stand.stop);
  const answer = await fetch(`${stand.url}/x`, { headers: { authorization: `Bearer ${stand.token}` } });
  expect(answer.status).toBe(403);
  expect(await answer.text()).toContain('it is nothing that anybody could read');
});
