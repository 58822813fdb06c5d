import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HttpStand, openHttpStand } from './http-stand.js';
import { rpc } from './mcp-stand.js';
let stand: HttpStand;
const content = [{ type: 'text', text: 'ada@example.com' }];
const answers: Record<string, object> = {
  'tools/list': { tools: [{ name: 'mails', annotations: { readOnlyHint: true } }] },
  'tools/call': { content },
};
beforeAll(async () => {
  stand = await openHttpStand({
    connection: 'mcp: { max_bytes: 65536 }',
    target: (port) => `{ url: "http://127.0.0.1:${port}/mcp" }`,
    rules: `
    - { rule: no1, when: 'tool.name == "mails" && "email" in answer.found', deny: Nope one. }
    - { rule: all, when: 'true', allow: true }
`,
    serve: (_, response: ServerResponse, body) => {
      const { id, method } = JSON.parse(body.toString()) as { id?: unknown; method: string };
      response.writeHead(200, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, result: answers[method] ?? {} }));
    },
  });
});
afterAll(() => stand.stop());
test('answer rule by tool name', async () => {
  const asked = async (method: string, params: object): Promise<string> => {
    const { status, text } = await rpc(new URL(stand.url), stand.token, { jsonrpc: '2.0', id: 1, method, params });
    return `${status} ${text}`;
  };
  console.log(await asked('tools/call', { name: 'mails', arguments: {} }));
});
