import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { createRequire } from 'node:module';
import { type AddressInfo, connect } from 'node:net';
import { dirname, join } from 'node:path';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { CallToolResult, JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { McpServer, createMcpHandler, inputRequired } from '@modelcontextprotocol/server';
import { freePort, temporaryFolder } from '@sluice/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type HttpStand, openHttpStand } from './http-stand.js';
import { rpc } from './mcp-stand.js';

const ALLOWED = `
    - { rule: tools, when: 'action.verb.startsWith("tools/call:")', allow: true }
`;
const bearer = (token: string): { headers: Record<string, string> } => ({
  headers: { Authorization: `Bearer ${token}` },
});

/** What the SDK's handler answers, by a server of Node. */
async function answered(
  handler: { fetch(request: Request): Promise<Response> },
  came: IncomingMessage,
  response: ServerResponse,
  body: Buffer<ArrayBuffer>,
): Promise<void> {
  const headers = new Headers();
  for (const [name, value] of Object.entries(came.headers)) if (typeof value === 'string') headers.set(name, value);
  const answer = await handler.fetch(
    new Request(`http://localhost${came.url}`, {
      method: came.method ?? 'GET',
      headers,
      ...(body.length > 0 && { body }),
    }),
  );
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  for await (const chunk of answer.body ?? []) response.write(chunk);
  response.end();
}

describe('revision 2026-07-28', () => {
  let stand: HttpStand;
  const seen: { readonly headers: IncomingMessage['headers']; readonly body: string }[] = [];
  beforeAll(async () => {
    const handler = createMcpHandler(() => {
      const server = new McpServer({ name: 'modern', version: '1.0.0' });
      const annotations = { readOnlyHint: true };
      const inputSchema = z.object({ path: z.string().meta({ 'x-mcp-header': 'Path' }) });
      server.registerTool('read', { description: 'Reads.', inputSchema, annotations }, ({ path }) => ({
        content: [{ type: 'text', text: `content of ${path} for ada@example.com` }],
      }));
      server.registerTool(
        'wipe',
        { description: 'Wipes.', inputSchema: z.object({}), annotations: { destructiveHint: true } },
        () => ({
          content: [{ type: 'text', text: 'wiped' }],
        }),
      );
      server.registerTool('curious', { description: 'Asks.', inputSchema: z.object({}), annotations }, () =>
        inputRequired({
          inputRequests: {
            name: inputRequired.elicit({
              message: 'Your password?',
              requestedSchema: { type: 'object', properties: { password: { type: 'string' } } },
            }),
          },
        }),
      );
      return server;
    });
    stand = await openHttpStand({
      connection: 'mcp: {}',
      target: (port) => `{ url: "http://127.0.0.1:${port}/mcp" }`,
      rules: `
    - { rule: no-wiping, when: 'tool.name == "wipe"', deny: Nothing is wiped. }
    - { rule: addresses, when: 'true', mask: { detect: [email] } }
`,
      serve: (request, response, body) => {
        seen.push({ headers: request.headers, body: body.toString() });
        void answered(handler, request, response, body);
      },
    });
  });
  afterAll(() => stand.stop());

  const connected = async (): Promise<ModernClient> => {
    const capabilities = { elicitation: { form: {}, url: {} } };
    const client = new ModernClient(
      { name: 'test', version: '1' },
      { versionNegotiation: { mode: 'auto' }, capabilities },
    );
    await client.connect(new ModernTransport(new URL(stand.url), { requestInit: bearer(stand.token) }));
    return client;
  };

  test('the client of it lists, calls and is refused', async () => {
    const client = await connected();
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(['read', 'curious']);
    const result = await client.callTool({ name: 'read', arguments: { path: '/srv/a' } });
    expect(result.content).toEqual([{ type: 'text', text: 'content of /srv/a for [masked:EMAIL]' }]);
    const call = seen.find(({ body }) => body.includes('tools/call'));
    expect(call?.headers).toMatchObject({
      'mcp-method': 'tools/call',
      'mcp-name': 'read',
      'mcp-param-path': '/srv/a',
      'mcp-protocol-version': '2026-07-28',
    });
    await expect(client.callTool({ name: 'wipe', arguments: {} })).rejects.toThrow('Nothing is wiped.');
    await client.close();
  });

  test('input that a server wants is refused unless a rule allows it', async () => {
    const client = await connected();
    client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { password: 'hunter2' } }));
    await expect(client.callTool({ name: 'curious', arguments: {} })).rejects.toThrow(
      'asks its client for something that is not allowed here',
    );
    expect(seen.filter(({ body }) => body.includes('hunter2'))).toEqual([]);
    await client.close();
  });

  test('each header that repeats the body has to agree with it', async () => {
    const meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 't', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const call = {
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'read', arguments: { path: '/a' }, _meta: meta },
    };
    const right = {
      'Mcp-Protocol-Version': '2026-07-28',
      'Mcp-Method': 'tools/call',
      'Mcp-Name': 'read',
      'Mcp-Param-Path': '/a',
    };
    const address = new URL(stand.url);
    expect((await rpc(address, stand.token, call, right)).messages[0]).toHaveProperty('result');
    const before = seen.filter(({ body }) => body.includes('tools/call')).length;
    const wrong = [
      { 'Mcp-Protocol-Version': '2025-11-25' },
      { 'Mcp-Method': 'tools/list' },
      { 'Mcp-Name': 'wipe' },
      { 'Mcp-Name': '=?base64?d2lwZQ==?=' },
      { 'Mcp-Param-Path': '/b' },
      { 'Mcp-Param-Other': '/a' },
    ];
    for (const one of wrong) {
      const { status, messages } = await rpc(address, stand.token, call, { ...right, ...one });
      expect([one, status, messages[0]]).toMatchObject([one, 400, { id: 1, error: { code: -32020 } }]);
    }
    expect(seen.filter(({ body }) => body.includes('tools/call'))).toHaveLength(before);
    // What is written otherwise and says the same agrees.
    expect(
      (await rpc(address, stand.token, call, { ...right, 'Mcp-Name': '=?base64?cmVhZA==?=' })).messages[0],
    ).toHaveProperty('result');
  });
});

test('a call that waits says where, and passes when its client comes back from there', async () => {
  const reached: string[] = [];
  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: 'modern', version: '1.0.0' });
    const annotations = { readOnlyHint: true };
    server.registerTool('deploy', { inputSchema: z.object({ to: z.string() }), annotations }, ({ to }) => ({
      content: [{ type: 'text', text: `deployed to ${to}` }],
    }));
    return server;
  });
  const stand = await openHttpStand({
    connection: 'mcp: {}\n    hold_wait: off',
    target: (port) => `{ url: "http://127.0.0.1:${port}/mcp" }`,
    rules: `
    - { rule: two-eyes, when: 'tool.name == "deploy"', hold: { approvers: ["user:ada"], timeout: 1m } }
`,
    serve: (request, response, body) => {
      if (body.includes('tools/call')) reached.push(body.toString());
      void answered(handler, request, response, body);
    },
  });
  const { approvals } = stand.gateway;
  approvals.console = 'https://console.example';
  const capabilities = { elicitation: { form: {}, url: {} } };
  const client = new ModernClient({ name: 't', version: '1' }, { versionNegotiation: { mode: 'auto' }, capabilities });
  await client.connect(new ModernTransport(new URL(stand.url), { requestInit: bearer(stand.token) }));
  const ada = { name: 'ada', kind: 'person', groups: ['engineers'], roles: ['approver'] } as const;
  const shown: unknown[] = [];
  let decision: 'approve' | undefined = 'approve';
  client.setRequestHandler('elicitation/create', async ({ params }) => {
    shown.push(params);
    const [waiting] = approvals.waiting();
    if (decision) await approvals.decide(waiting?.number ?? 0, ada, decision, '');
    return { action: 'accept' };
  });
  const call = { name: 'deploy', arguments: { to: 'production' } };
  expect((await client.callTool(call)).content).toEqual([{ type: 'text', text: 'deployed to production' }]);
  expect(shown).toMatchObject([{ mode: 'url', url: 'https://console.example/approvals/1' }]);
  // The server was called once, and what its client answered to the gateway is nothing for it.
  expect(reached).toHaveLength(1);
  expect(reached[0]).not.toContain('inputResponses');
  // That somebody has opened the page is no approval.
  decision = undefined;
  await expect(client.callTool(call)).rejects.toThrow(/needs an approval: request 2/);
  expect([shown.length, reached.length]).toEqual([2, 1]);
  await client.close();
  await stand.stop();
});

/** A server of npm that speaks over its input and output, by HTTP: a process for each session. */
async function bridged(
  file: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<{ port: number; stop: () => Promise<void> }> {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const children = new Set<StdioClientTransport>();
  const open = async (): Promise<StreamableHTTPServerTransport> => {
    const outer = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, outer),
    });
    const inner = new StdioClientTransport({ command: process.execPath, args: [file, ...args], env, stderr: 'ignore' });
    children.add(inner);
    Object.assign(inner, { onmessage: (message: JSONRPCMessage) => void outer.send(message).catch(() => undefined) });
    Object.assign(outer, { onmessage: (message: JSONRPCMessage) => void inner.send(message) });
    await inner.start();
    await outer.start();
    return outer;
  };
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (bytes: Buffer) => chunks.push(bytes));
    request.on('end', () => {
      const id = request.headers['mcp-session-id'];
      const known = typeof id === 'string' ? sessions.get(id) : undefined;
      const body = Buffer.concat(chunks);
      void (async () =>
        (known ?? (await open())).handleRequest(
          request,
          response,
          body.length > 0 ? JSON.parse(body.toString()) : undefined,
        ))();
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      for (const child of children) await child.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const fileOf = (name: string): string => {
  const require = createRequire(import.meta.url);
  return join(dirname(require.resolve(`@modelcontextprotocol/${name}/package.json`)), 'dist/index.js');
};

/** The same done direct and through the gateway. */
async function both(
  stand: HttpStand,
  direct: URL,
  act: (client: Client) => Promise<unknown>,
): Promise<{ direct: unknown; through: unknown }> {
  const run = async (url: URL, requestInit: object): Promise<unknown> => {
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(new StreamableHTTPClientTransport(url, { requestInit }) as Transport);
    const done = await act(client);
    await client.close();
    return done;
  };
  return { direct: await run(direct, {}), through: await run(new URL(stand.url), bearer(stand.token)) };
}

describe('servers of npm, direct and through the gateway', () => {
  const folder = temporaryFolder('mcp-servers');
  afterAll(() => folder.remove());

  test('filesystem', async () => {
    const files = join(realpathSync(folder.path), 'files');
    mkdirSync(files);
    writeFileSync(join(files, 'a.txt'), 'hello\n');
    const server = await bridged(fileOf('server-filesystem'), [files], {});
    const stand = await openHttpStand({
      connection: 'mcp: {}',
      target: `{ url: "http://127.0.0.1:${server.port}/mcp" }`,
      rules: ALLOWED,
    });
    const { direct, through } = await both(stand, new URL(`http://127.0.0.1:${server.port}/mcp`), async (client) => [
      await client.listTools(),
      await client.callTool({ name: 'read_text_file', arguments: { path: join(files, 'a.txt') } }),
      await client.callTool({ name: 'list_directory', arguments: { path: files } }),
      await client.callTool({ name: 'read_text_file', arguments: { path: '/etc/hostname' } }),
    ]);
    expect(through).toEqual(direct);
    expect(JSON.stringify(through)).toContain('hello');
    await stand.stop();
    await server.stop();
  });

  test('memory', async () => {
    const server = await bridged(fileOf('server-memory'), [], { MEMORY_FILE_PATH: join(folder.path, 'memory.json') });
    const stand = await openHttpStand({
      connection: 'mcp: {}',
      target: `{ url: "http://127.0.0.1:${server.port}/mcp" }`,
      rules: ALLOWED,
    });
    const entities = [{ name: 'Ada', entityType: 'person', observations: ['wrote the first program'] }];
    const { direct, through } = await both(stand, new URL(`http://127.0.0.1:${server.port}/mcp`), async (client) => {
      const tools = await client.listTools();
      await client.callTool({ name: 'delete_entities', arguments: { entityNames: ['Ada'] } });
      return [
        tools,
        await client.callTool({ name: 'create_entities', arguments: { entities } }),
        await client.callTool({ name: 'read_graph', arguments: {} }),
      ];
    });
    expect(through).toEqual(direct);
    expect(JSON.stringify(through)).toContain('first program');
    await stand.stop();
    await server.stop();
  });

  describe('everything', () => {
    const started = async (way: 'streamableHttp' | 'sse'): Promise<{ port: number; stop: () => void }> => {
      const port = await freePort();
      const child = spawn(process.execPath, [fileOf('server-everything'), way], {
        env: { PORT: String(port) },
        stdio: 'ignore',
      });
      await expect.poll(() => isOpen(port), { timeout: 30_000 }).toBe(true);
      return { port, stop: () => void child.kill() };
    };
    /** Each tool that answers the same each time. */
    const tour = async (client: Client, transport: 'new' | 'old' = 'new'): Promise<unknown> => {
      const { tools } = await client.listTools();
      const names = new Set(tools.map(({ name }) => name));
      const calls: [string, Record<string, unknown>][] = [
        ['echo', { message: 'grüße' }],
        ['get-sum', { a: 2, b: 40 }],
        ['get-tiny-image', {}],
        ['get-structured-content', { location: 'Chicago' }],
        ['get-annotated-message', { messageType: 'error', includeImage: true }],
        ['get-resource-reference', { resourceType: 'Text', resourceId: 1 }],
      ];
      const results: unknown[] = [];
      for (const [name, args] of calls)
        if (names.has(name)) results.push(withoutTimes(await client.callTool({ name, arguments: args })));
      const progress: number[] = [];
      if (names.has('trigger-long-running-operation'))
        await client.callTool(
          { name: 'trigger-long-running-operation', arguments: { duration: 1, steps: 2 } },
          undefined,
          { onprogress: (one) => void progress.push(one.progress) },
        );
      const prompts = await client.listPrompts();
      const resources = await client.listResources();
      return [
        tools.filter(({ name }) => !/roots|sampling|elicitation/.test(name)),
        results,
        // By the old transport the SDK may miss the last one, which comes together with the result.
        transport === 'old' ? progress.slice(0, 1) : progress,
        prompts,
        resources,
        await client.getPrompt({ name: 'simple-prompt' }),
      ];
    };

    test('by Streamable HTTP', async () => {
      const server = await started('streamableHttp');
      const stand = await openHttpStand({
        connection: 'mcp: {}',
        target: `{ url: "http://127.0.0.1:${server.port}/mcp" }`,
        rules: ALLOWED,
      });
      const { direct, through } = await both(stand, new URL(`http://127.0.0.1:${server.port}/mcp`), tour);
      expect(through).toEqual(direct);
      expect((through as unknown[][])[1]?.length).toBeGreaterThan(3);
      await stand.stop();
      server.stop();
    });

    test('by the transport of old, whose messages go to an address that the stream names', async () => {
      const server = await started('sse');
      const stand = await openHttpStand({
        connection: 'mcp: {}',
        target: `{ url: "http://127.0.0.1:${server.port}" }`,
        rules: ALLOWED,
      });
      const run = async (url: URL, token?: string): Promise<unknown> => {
        const client = new Client({ name: 'test', version: '1' });
        const requestInit = token === undefined ? {} : bearer(token);
        await client.connect(new SSEClientTransport(url, { requestInit }) as Transport);
        const done = await tour(client, 'old');
        await client.close();
        return done;
      };
      const through = await run(new URL(`${stand.url}/sse`), stand.token);
      expect(through).toEqual(await run(new URL(`http://127.0.0.1:${server.port}/sse`)));
      await stand.stop();
      server.stop();
    });
  });
});

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

const withoutTimes = (result: unknown): unknown =>
  JSON.parse(
    JSON.stringify(result as CallToolResult)
      .replaceAll(/\d{1,2}:\d\d:\d\d[^"]*/g, 'then')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'then'),
  ) as unknown;
