/** Servers of MCP that an agent runs beside itself: the same as by their own input and output, and nothing that is not on its list. */
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { temporaryFolder } from '@sluice/testkit';
import { expect, onTestFinished, test, vi } from 'vitest';
import { hour, startAgent } from './agents.js';
import { type HttpStand, openHttpStand } from './http-stand.js';
import { rpc } from './mcp-stand.js';

const LISTENER = '{ address: 127.0.0.1, port: 0, tls: self-signed, require_tls: false }, agents: { port: 0 }';
const RULES = `
    - { rule: no-etc, when: 'tool.argument("/path").startsWith("/etc/")', deny: Nothing is read there. }
    - { rule: tools, when: 'action.verb.startsWith("tools/call:")', allow: true }
    - { rule: addresses, mask: { detect: [email] } }
`;

const fileOf = (name: string): string => {
  const file = createRequire(import.meta.url).resolve(`@modelcontextprotocol/${name}/package.json`);
  return join(dirname(file), 'dist', 'index.js');
};

interface ProgramStand extends HttpStand {
  readonly log: readonly string[];
  client(token?: string): Promise<Client>;
}

async function openStand(programs: string, program = 'files'): Promise<ProgramStand> {
  const stand = await openHttpStand({
    listener: LISTENER,
    target: `{ program: ${program} }`,
    connection: 'mcp: {}\n    via: edge',
    rules: RULES,
    principals: '  bob: { groups: [engineers] }',
  });
  const ca = readFileSync(join(stand.folder, 'data', 'gateway.crt'), 'utf8');
  const token = await stand.gateway.agents.token('edge', hour());
  const { agent, log, done } = startAgent(stand, { allow: '', token, programs, ca });
  done.catch(() => undefined);
  onTestFinished(async () => {
    await agent.stop(0);
    await stand.stop();
  });
  await vi.waitFor(() => expect(stand.gateway.agents.links()).toHaveLength(1));
  return {
    ...stand,
    log,
    client: async (own = stand.token) => {
      const client = new Client({ name: 'test', version: '1' });
      const requestInit = { headers: { Authorization: `Bearer ${own}` } };
      await client.connect(new StreamableHTTPClientTransport(new URL(stand.url), { requestInit }) as Transport);
      return client;
    },
  };
}

test('filesystem of npm: the same as by its own input and output, judged and masked', async () => {
  const { path, remove } = temporaryFolder('program');
  onTestFinished(remove);
  const files = join(realpathSync(path), 'files');
  mkdirSync(files);
  writeFileSync(join(files, 'a.txt'), 'hello\n');
  writeFileSync(join(files, 'b.txt'), 'ada@example.com\n');
  writeFileSync(join(files, 'c.txt'), '');
  const act = async (client: Client): Promise<unknown> => [
    await client.listTools(),
    await client.callTool({ name: 'read_text_file', arguments: { path: join(files, 'a.txt') } }),
    await client.callTool({ name: 'list_directory', arguments: { path: files } }),
    await client.callTool({ name: 'write_file', arguments: { path: join(files, 'c.txt'), content: 'grüße\u2028 ' } }),
    await client.callTool({ name: 'read_text_file', arguments: { path: '/srv/other' } }),
  ];
  const args = [fileOf('server-filesystem'), files];
  const direct = new Client({ name: 'test', version: '1' });
  await direct.connect(new StdioClientTransport({ command: process.execPath, args }));
  const stand = await openStand(`files ${process.execPath} ${args.join(' ')}`);
  const client = await stand.client();
  expect(await act(client)).toEqual(await act(direct));
  await direct.close();
  await expect(client.callTool({ name: 'read_text_file', arguments: { path: '/etc/hostname' } })).rejects.toThrow(
    'Nothing is read there.',
  );
  const read = await client.callTool({ name: 'read_text_file', arguments: { path: join(files, 'b.txt') } });
  expect(JSON.stringify(read)).not.toContain('ada@');

  // Of the same agent and program, somebody else has nothing of this session.
  const { sessionId } = client.transport as StreamableHTTPClientTransport;
  const call = { jsonrpc: '2.0', id: 9, method: 'ping' };
  const named = { 'Mcp-Session-Id': sessionId ?? '' };
  expect((await rpc(new URL(stand.url), stand.token, call, named)).status).toBe(200);
  const { token } = await stand.gateway.identity.createToken({ principal: 'bob', name: 'test' });
  expect((await rpc(new URL(stand.url), token, call, named)).status).toBe(404);
  const bob = await stand.client(token);
  expect((await bob.callTool({ name: 'list_directory', arguments: { path: files } })).isError).toBeFalsy();
  await (client.transport as StreamableHTTPClientTransport).terminateSession();
  await expect.poll(() => stand.log.filter((line) => line.includes('was ended by its client'))).toHaveLength(1);
  expect((await rpc(new URL(stand.url), stand.token, call, named)).status).toBe(404);
  await client.close();
  await bob.close();
});

test('everything of npm: progress, pictures, prompts and resources, by clients of both eras', async () => {
  const stand = await openStand(`files ${process.execPath} ${fileOf('server-everything')} stdio`);
  const direct = new Client({ name: 'test', version: '1' });
  await direct.connect(
    new StdioClientTransport({ command: process.execPath, args: [fileOf('server-everything'), 'stdio'] }),
  );
  const seen: number[][] = [];
  const act = async (client: Client): Promise<unknown> => {
    const progress: number[] = [];
    const args = { duration: 0.2, steps: 2 };
    await client.callTool({ name: 'trigger-long-running-operation', arguments: args }, undefined, {
      onprogress: (one) => void progress.push(one.progress),
    });
    // By the input and output of a process the SDK may miss the last one, which comes together with the result.
    expect(progress.slice(0, 1)).toEqual([1]);
    seen.push(progress);
    return [
      await client.callTool({ name: 'get-sum', arguments: { a: 2, b: 40 } }),
      await client.callTool({ name: 'get-structured-content', arguments: { location: 'Chicago' } }),
      (await client.listPrompts()).prompts,
      await client.getPrompt({ name: 'simple-prompt' }),
    ];
  };
  const client = await stand.client();
  expect(await act(client)).toEqual(await act(direct));
  expect(seen[0]).toEqual([1, 2]);
  await Promise.all([client.close(), direct.close()]);

  const modern = new ModernClient({ name: 'modern', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  const requestInit = { headers: { Authorization: `Bearer ${stand.token}` } };
  await modern.connect(new ModernTransport(new URL(stand.url), { requestInit }));
  expect(await modern.callTool({ name: 'get-sum', arguments: { a: 2, b: 40 } })).toMatchObject({
    content: [{ type: 'text', text: expect.stringContaining('42') }],
  });
  await modern.close();
});

test('what is not on the list is not run, and the client is told so', async () => {
  const stand = await openStand('files /bin/cat', 'others');
  const answer = await rpc(new URL(stand.url), stand.token, { jsonrpc: '2.0', id: 1, method: 'initialize' });
  expect(answer.status).toBe(502);
  expect(stand.log).toContain('the program others: denied: "others" is not on the list of programs of the agent');
});

test('a call without a session has a program that ends with it', async () => {
  const echo = `process.stdin.once('data', (t) => { const { id } = JSON.parse(t); process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id, result: { pid: process.pid } }) + '\\n'); })`;
  const stand = await openStand(`files ${process.execPath} -e ${JSON.stringify(echo)}`);
  const { messages } = await rpc(new URL(stand.url), stand.token, { jsonrpc: '2.0', id: 1, method: 'resources/list' });
  expect(messages).toMatchObject([{ id: 1, result: { pid: expect.any(Number) } }]);
  for (const { id } of stand.gateway.sessions.values()) stand.gateway.sessions.get(id)?.end({ code: 'given-up' });
  await expect.poll(() => stand.log.filter((line) => line.includes('its client has gone'))).toHaveLength(1);
});
