/** What rules say of an answer holds for it by whatever way it comes: alone, in a batch, as the result of a task, by another stream. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HttpStand, openHttpStand } from './http-stand.js';
import { rpc } from './mcp-stand.js';

const MAIL = 'ada@example.com';
const CONTENT = [{ type: 'text', text: MAIL }];
const TASK = { taskId: 'one', status: 'working', ttl: 60_000 };
const META = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' };

interface Asked {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: { readonly name?: string };
}

const RULES = `
    - { rule: unread, when: 'tool.name == "mails" && "email" in answer.found', deny: No address of a mail. }
    - { rule: short, when: 'action.verb == "tools/call:long"', max_bytes: 2000 }
    - { rule: few, when: 'tool.name == "many"', budget: { statements: 100, distinct: 2, detect: [email] } }
    - { rule: hidden, when: 'tool.name == "hidden"', mask: { detect: [email] } }
    - { rule: no-prompt, when: 'action.resources.exists(r, r.name in ["svc/secret", "file:///etc/passwd"])', deny: That is a secret. }
    - { rule: no-answers, when: 'action.verb.startsWith("answer:")', deny: Nothing is answered to a server. }
    - { rule: asks, when: 'action.verb.startsWith("elicitation/")', deny: Nothing is asked. }
    - { rule: all, when: 'true', allow: true }
`;

describe('answers', () => {
  let stand: HttpStand;
  let answers: Record<string, object> = {};
  let stream: ServerResponse | undefined;
  /** Messages but lists of tools, that have reached the server. */
  const came: Asked[] = [];
  const tools = ['mails', 'long', 'many', 'hidden', 'plain'].map((name) => ({
    name,
    annotations: { readOnlyHint: true },
  }));
  const answerTo = ({ id, method = '', params }: Asked): object => ({
    jsonrpc: '2.0',
    id,
    result: method === 'tools/list' ? { tools } : (answers[`${method}:${params?.name ?? ''}`] ?? answers[method] ?? {}),
  });

  function serve({ method, url }: IncomingMessage, response: ServerResponse, body: Buffer): void {
    if (method === 'GET') {
      stream = response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write('event: endpoint\ndata: /mcp/messages?of=old\n\n');
      return;
    }
    const asked = JSON.parse(body.toString()) as Asked | Asked[];
    const all = [asked].flat();
    came.push(...all.filter((one) => one.method !== 'tools/list'));
    if (url?.includes('messages') === true) {
      response.writeHead(202).end();
      for (const one of all) stream?.write(`data: ${JSON.stringify(answerTo(one))}\n\n`);
      return;
    }
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(Array.isArray(asked) ? asked.map(answerTo) : answerTo(asked)));
  }

  beforeAll(async () => {
    stand = await openHttpStand({
      connection: 'mcp: {}',
      target: (port) => `{ url: "http://127.0.0.1:${port}/mcp" }`,
      rules: RULES,
      serve,
    });
  });
  afterAll(() => stand.stop());

  let id = 0;
  const asked = async (method: string, params: object): Promise<string> => {
    const message = { jsonrpc: '2.0', id: ++id, method, params };
    return (await rpc(new URL(stand.url), stand.token, message)).text.replaceAll('\\"', '"');
  };
  const call = (name: string): Promise<string> => asked('tools/call', { name, arguments: {} });

  test('a rule that names a tool is asked about its answer, alone and in a batch', async () => {
    answers = { 'tools/call': { content: CONTENT } };
    expect(await call('plain')).toContain(MAIL);
    expect(await call('mails')).toContain('No address of a mail.');
    const batch = ['plain', 'mails'].map((name, at) => {
      return { jsonrpc: '2.0', id: 100 + at, method: 'tools/call', params: { name, arguments: {} } };
    });
    const { text } = await rpc(new URL(stand.url), stand.token, batch);
    expect(text).toContain('No address of a mail.');
    expect(text).not.toContain(MAIL);
  });

  test('the result of a task is judged, bounded and counted as that of its call', async () => {
    const results = (text: string): void => {
      answers = {
        'tools/call': { task: TASK },
        'tasks/get': { ...TASK, status: 'completed', result: { content: [{ type: 'text', text }] } },
        'tasks/result': { content: [{ type: 'text', text }] },
      };
    };
    const of = async (name: string, method: string): Promise<string> => {
      expect(await call(name)).toContain('"taskId":"one"');
      // What goes on as a task is fetched whole, or fails.
      return asked(method, { taskId: 'one' }).catch(() => 'broken off');
    };
    for (const method of ['tasks/result', 'tasks/get']) {
      results(MAIL);
      expect(await of('plain', method)).toContain(MAIL);
      expect(await of('mails', method)).toContain('No address of a mail.');
      results('x'.repeat(3000));
      expect(await of('plain', method)).toContain('xxx');
      expect(await of('long', method)).not.toContain('xxx'.repeat(500));
    }
    results('a1@example.com a2@example.com');
    expect(await of('many', 'tasks/result')).toContain('a2@example.com');
    results('a3@example.com');
    expect(await of('many', 'tasks/result')).toContain('is used up: 2 of 2 different values');
    // A result that is fetched is no call.
    expect(stand.gateway.admissions.budgets()).toEqual(
      expect.arrayContaining([expect.objectContaining({ unit: 'statements', used: 2 })]),
    );
  });

  test('what a server says of a task has the masks of its call, and is for nobody else', async () => {
    answers = { 'tools/call': { task: TASK } };
    expect(await call('hidden')).toContain('"taskId":"one"');
    const said = (taskId: string, more: object): object => ({
      jsonrpc: '2.0',
      method: 'notifications/tasks',
      params: { taskId, status: 'completed', result: { content: CONTENT }, ...more },
    });
    const { url } = await listening();
    stream?.write(`data: ${JSON.stringify(said('one', {}))}\n\n`);
    stream?.write(`data: ${JSON.stringify(said('two', { note: 'of nobody' }))}\n\n`);
    stream?.write(`data: ${JSON.stringify(said('one', { inputRequests: { a: ASKED } }))}\n\n`);
    stream?.write(
      `data: ${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { n: 'last' } })}\n\n`,
    );
    const text = await url.until('last');
    expect(text).toContain('"text":"[masked:EMAIL]"');
    expect(text).not.toContain(MAIL);
    expect(text).not.toContain('of nobody');
    expect(text).not.toContain('elicitation');
  });

  const ASKED = { method: 'elicitation/create', params: { message: 'your password?' } };

  test('what a server wants of its client is judged wherever it stands', async () => {
    const inputRequests = { a: ASKED };
    answers = { 'tools/call': { task: TASK } };
    await call('plain');
    for (const result of [
      { ...TASK, status: 'input_required', inputRequests },
      { task: { ...TASK, inputRequests } },
      { resultType: 'complete', inputRequests },
      { inputRequests: [ASKED] },
      { INPUTREQUESTS: inputRequests },
    ]) {
      answers = { 'tools/call': { task: TASK }, 'tasks/get': result };
      const text = await asked('tasks/get', { taskId: 'one' });
      expect([result, text]).not.toEqual([result, expect.stringContaining('your password')]);
    }
  });

  test('an answer to what a server wanted is one where a call carries it', async () => {
    const params = { name: 'plain', arguments: {}, inputResponses: { a: { action: 'accept' } }, _meta: META };
    expect(await asked('tools/call', params)).toContain('Nothing is answered to a server.');
    expect(await asked('tasks/update', { taskId: 'one', inputResponses: { a: {} } })).toContain('Nothing is answered');
    expect(came.filter((one) => JSON.stringify(one).includes('inputResponses'))).toEqual([]);
  });

  test('what is completed, and whose changes are listened to, is named to rules', async () => {
    const argument = { name: 'who', value: 'a' };
    const before = came.length;
    for (const ref of [
      { type: 'ref/prompt', name: 'secret' },
      { type: 'ref/resource', uri: 'file:///etc/passwd' },
      { type: 'ref/prompt', name: 'other', Name: 'secret' },
    ])
      expect(await asked('completion/complete', { ref, argument })).toContain('That is a secret.');
    const notifications = { resourceSubscriptions: ['file:///a', 'file:///etc/passwd'] };
    expect(await asked('subscriptions/listen', { notifications, _meta: META })).toContain('That is a secret.');
    expect(came).toHaveLength(before);
    answers = { 'completion/complete': { completion: { values: ['x'] } } };
    expect(await asked('completion/complete', { ref: { type: 'ref/prompt', name: 'other' }, argument })).toContain('x');
  });

  /** A client of the transport of old. */
  async function listening(): Promise<{ address: URL; url: { until: (text: string) => Promise<string> } }> {
    const headers = { Authorization: `Bearer ${stand.token}`, Accept: 'text/event-stream' };
    const { body } = await fetch(stand.url, { headers });
    const events = body?.pipeThrough(new TextDecoderStream())[Symbol.asyncIterator]();
    let text = '';
    const until = async (wanted: string): Promise<string> => {
      while (!text.includes(wanted)) {
        const next = await events?.next();
        if (next?.done !== false) break;
        text += next.value;
      }
      return text;
    };
    await until('messages?of=old');
    return { address: new URL(`${stand.url}/messages?of=old`), url: { until } };
  }

  test('an answer that comes by another stream is not passed where rules judge or bound it', async () => {
    answers = {
      'tools/call:mails': { content: CONTENT },
      'tools/call:long': { content: [{ type: 'text', text: 'x'.repeat(3000) }] },
      'tools/call:plain': { content: CONTENT },
    };
    const { address, url } = await listening();
    const send = (name: string, number: number): Promise<unknown> =>
      rpc(address, stand.token, { jsonrpc: '2.0', id: number, method: 'tools/call', params: { name, arguments: {} } });
    await rpc(address, stand.token, { jsonrpc: '2.0', id: 900, method: 'tools/list' });
    await url.until('"id":900');
    for (const [at, name] of ['mails', 'long', 'plain'].entries()) await send(name, 901 + at);
    const text = await url.until('"id":903');
    expect(text.split(MAIL)).toHaveLength(2);
    expect(text).toMatch(/"id":901,"error":\{"code":-31001,"message":"Rules judge the answer/);
    expect(text).toMatch(/"id":902,"error":\{"code":-31001,"message":"The answer has more than 2000 bytes/);
  });
});
