import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { type McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type McpStand, openMcpStand, rpc } from './mcp-stand.js';

/** Tools of every kind, which say what they were given. */
function build(server: McpServer): void {
  const said = (text: string): CallToolResult => ({ content: [{ type: 'text', text }] });
  server.registerTool(
    'read',
    { description: 'Reads.', inputSchema: { path: z.string() }, annotations: { readOnlyHint: true } },
    ({ path }) => said(`content of ${path}`),
  );
  server.registerTool(
    'query',
    { description: 'Runs SQL.', inputSchema: { sql: z.string() }, annotations: { readOnlyHint: true } },
    ({ sql }) => said(`ran ${sql}`),
  );
  server.registerTool(
    'run',
    { description: 'Runs a command.', inputSchema: { command: z.string() }, annotations: { readOnlyHint: true } },
    ({ command }) => said(`ran ${command}`),
  );
  server.registerTool('wipe', { description: 'Wipes.', inputSchema: {}, annotations: { destructiveHint: true } }, () =>
    said('wiped'),
  );
  server.registerTool('plain', { description: 'Says nothing of itself.', inputSchema: {} }, () => said('done'));
  server.registerTool(
    'secret',
    { description: 'Denied by name.', inputSchema: {}, annotations: { readOnlyHint: true } },
    () => said('secret'),
  );
  server.registerTool(
    'person',
    { description: 'Knows somebody.', inputSchema: {}, annotations: { readOnlyHint: true } },
    () => ({
      content: [
        { type: 'text', text: 'Write to ada@example.com.' },
        { type: 'image', data: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ', mimeType: 'image/png' },
        {
          type: 'resource',
          resource: {
            uri: 'file:///a.txt',
            mimeType: 'text/plain',
            blob: Buffer.from('grace@example.com').toString('base64'),
          },
        },
      ],
      structuredContent: { email: 'ada@example.com', n: 12345678901234 },
    }),
  );
  server.registerResource('a', 'file:///a.txt', { mimeType: 'text/plain' }, () => ({
    contents: [{ uri: 'file:///a.txt', text: 'to linus@example.com' }],
  }));
  server.registerPrompt('greet', { description: 'Greets.' }, () => ({
    messages: [{ role: 'user', content: { type: 'text', text: 'Hello ada@example.com' } }],
  }));
}

const RULES = `
    - { rule: no-secret, when: 'tool.name == "secret"', deny: This tool is for nobody. }
    - { rule: no-etc, when: 'tool.argument("/path").startsWith("/etc/")', deny: Nothing is read there. }
    - { rule: no-destruction, when: '"destroy" in action.effects', deny: Nothing is destroyed by tools. }
    - { rule: addresses, when: 'true', mask: { detect: [email] } }
`;

describe('tools under rules', () => {
  let stand: McpStand;
  beforeAll(async () => {
    stand = await openMcpStand({
      build,
      rules: RULES,
      mcp: 'tools: { query: { sql: postgres, argument: sql }, run: { shell: bash, argument: command } }',
    });
  });
  afterAll(() => stand.stop());

  test('what no rule admits is not listed and cannot be called', async () => {
    const client = await stand.client();
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['read', 'query', 'run', 'person']);
    await expect(client.callTool({ name: 'secret' })).rejects.toThrow('This tool is for nobody.');
    await expect(client.callTool({ name: 'wipe' })).rejects.toThrow('Nothing is destroyed by tools.');
    await expect(client.callTool({ name: 'plain' })).rejects.toThrow('does not say what it does');
    await client.close();
  });

  test('arguments are judged, and those that are SQL or a command line by their own analyses', async () => {
    const client = await stand.client();
    const call = async (name: string, args: Record<string, unknown>): Promise<unknown> =>
      ((await client.callTool({ name, arguments: args })) as CallToolResult).content;
    expect(await call('read', { path: '/srv/a' })).toEqual([{ type: 'text', text: 'content of /srv/a' }]);
    await expect(call('read', { path: '/etc/passwd' })).rejects.toThrow('Nothing is read there.');
    expect(await call('query', { sql: 'select 1' })).toEqual([{ type: 'text', text: 'ran select 1' }]);
    await expect(call('query', { sql: 'drop table people' })).rejects.toThrow('Nothing is destroyed by tools.');
    await expect(call('query', { sql: 'select 1; DROP TABLE people' })).rejects.toThrow(
      'Nothing is destroyed by tools.',
    );
    await expect(call('run', { command: 'ls && rm -rf /srv' })).rejects.toThrow('Nothing is destroyed by tools.');
    expect(await call('run', { command: 'ls /srv' })).toEqual([{ type: 'text', text: 'ran ls /srv' }]);
    await client.close();
  });

  test('results are masked: texts, structured content, files that are texts, and bytes that nobody can read', async () => {
    const client = await stand.client();
    await client.listTools();
    const result = (await client.callTool({ name: 'person' })) as CallToolResult;
    const [text, picture, file] = result.content;
    expect(text).toEqual({ type: 'text', text: 'Write to [masked:EMAIL].' });
    expect(picture).toMatchObject({ type: 'text', text: expect.stringContaining('which no mask can read') as string });
    const { resource } = file as { resource: { blob: string } };
    expect(Buffer.from(resource.blob, 'base64').toString()).toBe('[masked:EMAIL]');
    expect(result.structuredContent).toEqual({ email: '[masked:EMAIL]', n: 12345678901234 });
    const read = await client.readResource({ uri: 'file:///a.txt' });
    expect(read.contents).toEqual([{ uri: 'file:///a.txt', text: 'to [masked:EMAIL]' }]);
    const prompt = await client.getPrompt({ name: 'greet' });
    expect(prompt.messages[0]?.content).toEqual({ type: 'text', text: 'Hello [masked:EMAIL]' });
    await client.close();
  });

  test('a tool that was never listed is listed by the gateway first', async () => {
    const client = await stand.client();
    expect(((await client.callTool({ name: 'read', arguments: { path: 'a' } })) as CallToolResult).content).toEqual([
      { type: 'text', text: 'content of a' },
    ]);
    await expect(client.callTool({ name: 'no-such-tool' })).rejects.toThrow('which is no tool of this server');
    await client.close();
  });

  test('the token of a client goes to no server', () => {
    expect(stand.came.length).toBeGreaterThan(5);
    expect(stand.came.filter(({ headers, body }) => JSON.stringify([headers, body]).includes(stand.token))).toEqual([]);
    expect(stand.came.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
  });

  test('the same is refused without a session and with answers in JSON', async () => {
    const other = await openMcpStand({ build, rules: RULES, sessionless: true, json: true });
    const client = await other.client();
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['read', 'query', 'run', 'person']);
    await expect(client.callTool({ name: 'secret' })).rejects.toThrow('This tool is for nobody.');
    const result = (await client.callTool({ name: 'person' })) as CallToolResult;
    expect(result.content[0]).toEqual({ type: 'text', text: 'Write to [masked:EMAIL].' });
    await client.close();
    await other.stop();
  });

  test('headers that disagree with the body are refused, and facts are read from the body', async () => {
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'secret', arguments: {} } };
    const lying = await rpc(stand.address, stand.token, call, { 'Mcp-Method': 'tools/call', 'Mcp-Name': 'read' });
    expect(lying.status).toBe(400);
    expect(lying.messages[0]).toMatchObject({ id: 1, error: { code: -32020 } });
    expect(lying.text).toContain('say name \\"read\\", and the body says \\"secret\\"');
  });
});
